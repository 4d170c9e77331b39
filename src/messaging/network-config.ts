/** Which Waku network the node joins. Kept in `storage.local` under `network`; editable by the person. */
export interface NetworkConfig {
  readonly name: string;
  readonly clusterId: number;
  readonly shards: number;
  /** Multiaddrs with a peer id, or `enrtree://` lists. */
  readonly bootstrap: readonly string[];
  /** What this profile of the browser allows itself to send. Absent: nothing was ever set, and nothing is limited. */
  readonly rateLimit?: RateLimitSetting;
  /** What else is known of the network. What is absent is taken from the preset of the same cluster. */
  readonly traits?: Partial<NetworkTraits>;
}

/** The epoch budget of LIP-173. Kept while it is off, so that turning it on brings back what was set. */
export interface RateLimitSetting {
  readonly enabled: boolean;
  /** Length of an epoch in seconds; more than 0. */
  readonly epochSeconds: number;
  /** 0 admits nothing. */
  readonly messagesPerEpoch: number;
}

export interface NetworkTraits {
  /**
   * Whether a store node must have a message before it counts as sent (P2P-RELIABILITY, store-based reliability):
   * `expected`, always; `if-seen`, once any store node was seen on this network; `off`, being relayed is enough.
   */
  readonly confirmation: "expected" | "if-seen" | "off";
  /** Whether service nodes are asked for others, 34/WAKU2-PEER-EXCHANGE. */
  readonly peerExchange: boolean;
  /** Bytes of one encoded message at most. */
  readonly messageBytes: number;
}

/** The key in `storage.local` that holds the chosen `NetworkConfig`. */
export const NETWORK_SETTING = "network";
