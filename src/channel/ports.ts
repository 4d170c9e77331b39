/**
 * What a channel needs of the world below it. `messaging` and `storage` implement these ports; tests put fakes in their
 * place, which is what the seed's `SendHandler` is for.
 */
import type { Bytes } from "../common/bytes.ts";
import type { Result } from "../common/result.ts";
import type { RowChange, StoredKey } from "../common/table.ts";

/** One message as the Messaging API takes it. */
export interface MessageEnvelope {
  readonly contentTopic: string;
  readonly payload: Bytes;
  /** Store nodes do not keep it. */
  readonly ephemeral: boolean;
  /** The wire-format marker, 64 bytes at most; it routes the message and is part of its hash. */
  readonly meta: Bytes;
}

/** Identifies one envelope at the messaging layer, across restarts. */
export type MessagingRequestId = string;
/** Deterministic message hash of 14/WAKU2-MESSAGE, lower-case hexadecimal, 64 characters. */
export type MessageHash = string;

export interface ReceivedMessage {
  readonly contentTopic: string;
  readonly payload: Bytes;
  readonly meta: Bytes;
  readonly ephemeral: boolean;
  /** Milliseconds since the Unix epoch, as the sender stamped it. */
  readonly timestamp: number;
  readonly messageHash: MessageHash;
}

/** Why the messaging layer did not take a message on, or gave it up. */
export type SendFailureKind =
  /** No service node relayed it in time, or no store node was found to have it. */
  | "unreachable"
  /** Larger than a message of the network may be. */
  | "too-large"
  /** A service node refuses it, and would again. */
  | "refused"
  /** As much waits already as may. */
  | "queue-full"
  | "internal";

export interface SendFailure {
  readonly kind: SendFailureKind;
  /** In words. */
  readonly error: string;
}

export type MessagingEvent =
  /** A service node relayed the message to at least one peer. */
  | { readonly type: "propagated"; readonly requestId: MessagingRequestId; readonly messageHash: MessageHash }
  /** The network has it: found in a store node where one is expected. Final. */
  | { readonly type: "sent"; readonly requestId: MessagingRequestId; readonly messageHash: MessageHash }
  /** Final. */
  | {
      readonly type: "error";
      readonly requestId: MessagingRequestId;
      readonly kind: SendFailureKind;
      readonly error: string;
    }
  | { readonly type: "received"; readonly message: ReceivedMessage }
  | { readonly type: "health" };

/**
 * Called for one event at a time per subject, and awaited: once it resolved `true`, everything that the event caused is
 * durable, and the messaging layer may forget the event. Resolving `false` means that nobody knew the request id; the
 * outcome is then kept and told again after the next start. Events may repeat; listeners are idempotent.
 */
export type MessagingListener = (event: MessagingEvent) => Promise<boolean>;

/** Messages to look for in the stores: by hash, or everything of a time. */
export type Wanted =
  | { readonly hashes: readonly MessageHash[] }
  /** Milliseconds since the Unix epoch, both ends included. */
  | { readonly from: number; readonly to: number };

export type ConnectionStatus = "Disconnected" | "PartiallyConnected" | "Connected";
export type TopicHealth = "UNHEALTHY" | "MINIMALLY_HEALTHY" | "SUFFICIENTLY_HEALTHY" | "NOT_SUBSCRIBED";

export type MessagingService = "lightpush" | "filter" | "store";

/** What a person, or who helps one, may look at: no keys, no content. What nobody could read is counted by the channels. */
export interface MessagingDiagnostics {
  readonly network: string;
  readonly status: ConnectionStatus;
  /** Peer ids by service. */
  readonly peers: Readonly<Record<MessagingService, readonly string[]>>;
  /** Services with fewer than two peers, which is what this network lacks at present. */
  readonly lacks: readonly { readonly service: MessagingService; readonly peers: number }[];
  readonly subscriptions: readonly {
    readonly contentTopic: string;
    readonly health: TopicHealth;
    readonly filterNodes: number;
  }[];
  /** Tasks not yet propagated, tasks awaiting confirmation, pushes under way; milliseconds since the oldest was taken on. */
  readonly queue: {
    readonly queued: number;
    readonly propagated: number;
    readonly pushing: number;
    readonly oldestMs: number;
  };
  /** The latest last; `at` in milliseconds since the Unix epoch. */
  readonly lastErrors: readonly { readonly at: number; readonly what: string }[];
}

/** The Messaging API, LIP-168. */
export interface MessagingClient {
  /** To be called once, before `start`. */
  listen(listener: MessagingListener): void;
  /** Connects, resumes every stored task and catches up on every subscribed topic. Resolves before the network is reached. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /**
   * Takes a message on. Once it resolves, the task is durable. The same idempotency key again sends nothing new: it
   * returns the first call's identifier and tells the outcome once more if it is already final. The content topic is
   * subscribed, unless it was unsubscribed before.
   */
  send(envelope: MessageEnvelope, idempotencyKey: string): Promise<Result<MessagingRequestId, SendFailure>>;
  /** Receives a content topic from now on and, through the store, from where it was left. Idempotent; a set, not a count. */
  subscribe(contentTopic: string): Promise<void>;
  unsubscribe(contentTopic: string): Promise<void>;
  /**
   * Looks in the stores for messages of a subscribed topic. What is found by hash comes through the listener as `received`,
   * also where it did before; of a time, what did not yet. Resolves when the search is over, whatever it found. Nothing of
   * it is durable: whoever still misses something asks again.
   */
  retrieve(contentTopic: string, wanted: Wanted): Promise<void>;
  /**
   * Receives a topic again from `to` on (milliseconds since the Unix epoch), as far as the stores have it: also what was
   * told before. Durable once it resolves.
   */
  rewind(contentTopic: string, to: number): Promise<void>;
  connectionStatus(): ConnectionStatus;
  topicHealth(contentTopic: string): TopicHealth;
  /** Which service protocols have how many usable peers. */
  peers(): { readonly lightpush: number; readonly filter: number; readonly store: number };
  /** The machine went online or offline, or changed its network: look at once rather than at the next turn. */
  networkChanged(): void;
  diagnostics(): MessagingDiagnostics;
}

/** What is left of it while nothing can be sent. Tasks that are under way stay as they are. */
export type MessageReceiver = Omit<MessagingClient, "send" | "retrieve">;

/** Durable rows. One `commit` is one transaction: all of it happens, or nothing. */
export interface Storage {
  commit(changes: readonly RowChange[]): Promise<void>;
  get(table: string, key: StoredKey): Promise<unknown>;
  /** Rows whose key starts with `scope`, in key order, from `after` (exclusive), `limit` at most. */
  scan(
    table: string,
    scope: StoredKey,
    range?: { readonly after?: string | number; readonly limit?: number },
  ): Promise<readonly { readonly key: StoredKey; readonly row: unknown }[]>;
}

/** Whether storage has room for more, over all channels. */
export interface StorageRoom {
  isFull(): boolean;
  /** Called when it became full, and when there is room again. Returns what ends it. */
  listen(listener: () => void): () => void;
}
