/** Which Waku network the node joins. Kept in `storage.local` under `network`; editable by the person. */
export interface NetworkConfig {
  readonly name: string;
  readonly clusterId: number;
  readonly shards: number;
  /** Multiaddrs with a peer id, or `enrtree://` lists. */
  readonly bootstrap: readonly string[];
}

/** The key in `storage.local` that holds the chosen `NetworkConfig`. */
export const NETWORK_SETTING = "network";
