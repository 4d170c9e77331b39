/** What a channel keeps: the shape of its rows and the tables that hold them. */
import type { Bytes } from "../common/bytes.ts";
import { ColdTable, type Journal, type StoredKey, type StoredRows, type Table, tableOf } from "../common/table.ts";
import type { Placement } from "../encryption/cipher.ts";
import { LIMITS } from "../limits.ts";
import type { MessageHash, MessagingRequestId, ReceivedMessage } from "./ports.ts";
import type { ChannelEvent, ChannelKey, EncryptionMode, Profile, RequestFailure, RequestId } from "./types.ts";

/** The keys of a channel whose mode is `key`, by their ids in the key store. */
export interface ChannelKeyIds {
  /** Writes and reads. */
  readonly current: string | undefined;
  /** Only read, newest first. */
  readonly earlier: readonly string[];
}

/** Of keys that a channel had before, newest first, those that it goes on reading with. */
export function readWith(earlier: readonly string[]): readonly string[] {
  return earlier.slice(0, LIMITS.keys.earlierKeys);
}

/** A place in a channel's event log. */
export interface LogPosition {
  /** The event: 1, 2, 3, …; 0 stands before the first. */
  readonly seq: number;
  /** Bytes of all messages logged up to and with it. */
  readonly bytes: number;
}

export const LOG_START: LogPosition = { seq: 0, bytes: 0 };

/** An event as it is stored. */
export type LoggedRow = ChannelEvent & { readonly bytesUpTo: number };

/** One row per channel. */
export interface ChannelRow {
  readonly contentTopic: string;
  readonly senderId: string;
  /** Made by the person, and no site has used it yet: the first that does may name the sender id. */
  readonly prepared?: true;
  readonly profile: Profile;
  readonly encryption: EncryptionMode;
  readonly placement: Placement;
  readonly keys: ChannelKeyIds;
  /** What the person calls it. */
  readonly label?: string;
  /** Milliseconds since the Unix epoch, as are all times here. */
  readonly createdAt: number;
  readonly lastActiveAt: number;
  readonly open: boolean;
  /** The newest event of the log. */
  readonly logged: LogPosition;
  /** The origin handled everything up to here. */
  readonly handled: LogPosition;
  /** Everything up to here was removed from the log to stay within its bounds. */
  readonly trimmed: LogPosition;
  /** The last time at which a page asked for the channel, or the person made it; not exact to the minute. */
  readonly attendedAt: number;
  /** Messages from this time on were not taken in, and have to be fetched again. */
  readonly skippedFrom?: number;
}

/** One `send`. */
export interface RequestRow {
  readonly createdAt: number;
  /** Bytes of the payload. */
  readonly bytes: number;
  readonly ephemeral: boolean;
  readonly idempotencyKey?: string;
  /** Data segments. */
  readonly total: number;
  /** What the network made of it: decided once, when every segment is final. */
  readonly outcome: "pending" | "sent" | "send-error";
  /** What the peers made of it. */
  readonly delivery: "pending" | "delivered" | "delivery-error";
  /** Segments that another participant acknowledged, whichever. */
  readonly acknowledged: number;
  /** One other participant acknowledged all of them: it has the message. */
  readonly whole?: true;
  /** Segments confirmed and failed, once the outcome is decided. */
  readonly confirmed: number;
  readonly failed: number;
  readonly failure?: RequestFailure;
  /** SDS message ids of the segments that failed, in segment order, once the outcome is decided. */
  readonly failedMessageIds: readonly string[];
  /** It failed once, pages were told so, and it was taken up again: its outcome is told no second time. */
  readonly retried?: true;
  /** The messaging requests of this one, in segment order, once the outcome is decided. */
  readonly messagingRequestIds: readonly MessagingRequestId[];
}

export type SegmentSendState =
  /** Pushed by `send`; not yet released by the rate limiter, or released and not yet handed over. */
  | "AwaitingRateLimit"
  /** The messaging layer has it, under `messagingReqId`. */
  | "InFlight"
  | "Confirmed"
  | "Failed";

/**
 * One segment on its way: one messaging request. Keys ascend in sending order, which is the order in which the rate
 * limiter releases them.
 */
export interface PendingMessagingRequest {
  readonly channelReqId: RequestId;
  readonly messagingReqId?: MessagingRequestId;
  readonly persistence: "Persistent" | "Ephemeral";
  readonly state: SegmentSendState;
  /** SDS message id. */
  readonly messageId: string;
  readonly failure?: RequestFailure;
}

/** Which request an SDS message of ours belongs to, until one other participant has the whole request. */
export interface SegmentRow {
  readonly channelReqId: RequestId;
  readonly index: number;
  /** Another participant has it; for others of the request it may be another one. */
  readonly acknowledged: boolean;
}

/** An effect that is decided and not yet done: encrypt this SDS message and hand it to the messaging layer. */
export interface OutboxRow {
  readonly owner:
    | { readonly kind: "segment"; readonly entry: number }
    | { readonly kind: "retransmission" | "sync" | "repair" };
  readonly messageId: string;
  readonly ephemeral: boolean;
  /** Idempotency key of the hand-over: doing the effect again after a crash does not send twice. */
  readonly dispatchId: string;
  /** The SDS message, where `sdsWires` does not keep its bytes. */
  readonly wire?: Bytes;
}

/** A messaging request of ours that no pending segment waits for: one row for each that the messaging layer has not finished. */
export interface UpkeepRow {
  readonly messageId: string;
  /** `segment`: acknowledged before the network said under which hash it has it. */
  readonly kind: "segment" | "retransmission" | "sync" | "repair";
  /** No store keeps it, so its hash leads nowhere. */
  readonly ephemeral?: true;
  /** SDS was told that it left. */
  readonly left?: true;
}

/** A message that waits for the cipher. */
export interface ParkedSizeRow {
  readonly messageHash: MessageHash;
  /** Bytes of its payload. */
  readonly bytes: number;
}

/** Keys ascend in the order of arrival. */
export interface ParkedTables {
  readonly parkedSizes: Table<number, ParkedSizeRow>;
  readonly parked: ColdTable<number, ReceivedMessage>;
}

export interface ChannelTables extends ParkedTables {
  readonly channel: Table<string, ChannelRow>;
  readonly requests: Table<RequestId, RequestRow>;
  readonly pending: Table<number, PendingMessagingRequest>;
  readonly segments: Table<string, SegmentRow>;
  readonly outbox: Table<number, OutboxRow>;
  readonly upkeep: Table<MessagingRequestId, UpkeepRow>;
  readonly events: ColdTable<number, LoggedRow>;
}

/** Names of the tables in storage. Every key begins with the channel's origin and id. */
export const CHANNEL_TABLES = [
  "channels",
  "requests",
  "pending",
  "requestSegments",
  "outbox",
  "upkeep",
  "events",
  "parkedSizes",
  "parked",
] as const;
const EVENTS_TABLE = "events";
const PARKED_TABLE = "parked";
/** Those of them that are not held in memory. */
export const CHANNEL_COLD_TABLES: readonly string[] = [EVENTS_TABLE, PARKED_TABLE];
/** Tables of one row use this key. */
export const ONLY_ROW = "row";

export function channelScope(key: ChannelKey): StoredKey {
  return [key.origin, key.channelId];
}

export function openChannelTables(key: ChannelKey, journal: Journal, stored: StoredRows): ChannelTables {
  const scope = channelScope(key);
  return {
    channel: tableOf("channels", journal, scope, stored),
    requests: tableOf("requests", journal, scope, stored),
    pending: tableOf("pending", journal, scope, stored),
    segments: tableOf("requestSegments", journal, scope, stored),
    outbox: tableOf("outbox", journal, scope, stored),
    upkeep: tableOf("upkeep", journal, scope, stored),
    events: new ColdTable(EVENTS_TABLE, journal, scope),
    ...openParkedTables(key, journal, stored),
  };
}

export function openParkedTables(key: ChannelKey, journal: Journal, stored: StoredRows): ParkedTables {
  const scope = channelScope(key);
  return {
    parkedSizes: tableOf("parkedSizes", journal, scope, stored),
    parked: new ColdTable(PARKED_TABLE, journal, scope),
  };
}
