/**
 * What the send and receive services need of the network: requests to service nodes, with the answers as they were
 * given. Implemented over libp2p in `waku-service-nodes.ts`; tests put fakes in its place.
 */

import type { MessageHash } from "../channel/ports.ts";
import type { Bytes } from "../common/bytes.ts";
import type { Result } from "../common/result.ts";
import type { WakuMessage } from "./waku-message.ts";

/** The service protocols in use: WAKU2-LIGHTPUSH v3, 12/WAKU2-FILTER v2 and WAKU2-STORE v3. */
export type Service = "lightpush" | "filter" | "store";
/** A libp2p peer id as text. */
export type PeerName = string;

export interface Answer {
  readonly status: number;
  readonly statusText: string;
}

export interface LightpushAnswer extends Answer {
  /** Peers that the message was relayed to; 0 where the node does not say. */
  readonly relayPeerCount: number;
}

export interface StoreQuery {
  /** Either these hashes, which exclude everything else… */
  readonly hashes?: readonly MessageHash[];
  /** …or one content topic within a time, both ends included. */
  readonly topic?: {
    readonly pubsubTopic: string;
    readonly contentTopic: string;
    /** Milliseconds since the Unix epoch. */
    readonly from: number;
    readonly to: number;
  };
  /** With the messages, or only their hashes. */
  readonly includeData: boolean;
  readonly cursor?: Bytes;
}

export interface StoredMessage {
  readonly hash: MessageHash;
  readonly pubsubTopic?: string;
  readonly message?: WakuMessage;
}

export interface StoreAnswer extends Answer {
  /** Oldest first. */
  readonly messages: readonly StoredMessage[];
  /** Where the next page starts; absent on the last. */
  readonly cursor?: Bytes;
}

export interface ServiceNodesListener {
  /** A message that a filter node pushed. */
  onPush(peer: PeerName, pubsubTopic: string, message: WakuMessage): void;
  /** The answers of `peers` may have changed. */
  onPeersChanged(): void;
  /** A peer was not reached, a list not read. */
  onTrouble(what: string): void;
}

/** Every request resolves within `LIMITS.messaging.requestMs`: with the node's answer, or with why there was none. */
export interface ServiceNodes {
  listen(listener: ServiceNodesListener): void;
  /** Resolves before any peer is reached. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /**
   * The machine went online or offline, or changed its network: connections are checked now, and what is not connected is
   * dialled now rather than at its next turn.
   */
  networkChanged(): void;
  /** Connected peers that offer the service and, where they name their shards, serve this pubsub topic. Stable order. */
  peers(service: Service, pubsubTopic?: string): readonly PeerName[];
  lightpush(peer: PeerName, pubsubTopic: string, message: WakuMessage): Promise<Result<LightpushAnswer>>;
  storeQuery(peer: PeerName, query: StoreQuery): Promise<Result<StoreAnswer>>;
  filterSubscribe(peer: PeerName, pubsubTopic: string, contentTopics: readonly string[]): Promise<Result<Answer>>;
  filterUnsubscribe(peer: PeerName, pubsubTopic: string, contentTopics: readonly string[]): Promise<Result<Answer>>;
  filterPing(peer: PeerName): Promise<Result<Answer>>;
}
