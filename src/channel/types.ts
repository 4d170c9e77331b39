/** What the channel layer offers to the layers above it: the provider for pages, and the popup. */
import type { Bytes } from "../common/bytes.ts";
import type { Result } from "../common/result.ts";
import type { Placement } from "../encryption/cipher.ts";
import type { SendFailureKind, TopicHealth } from "./ports.ts";

/** One `send`: the parent of one messaging request per segment. */
export type RequestId = string;

/** A channel is an origin's: the wire carries the channel id only. */
export interface ChannelKey {
  readonly origin: string;
  readonly channelId: string;
}

/** Who the peers are; fixed at creation, never detected. `profiles.ts` says what each means on the wire. */
export type Profile = "logos" | "logos-raw" | "waku-sdk";
/** Which cipher a channel uses. Fixed at creation. */
export type EncryptionMode = "none" | "key" | "page";

export interface ChannelParams extends ChannelKey {
  /** `/application/version/name/encoding`, 23/WAKU2-TOPICS. */
  readonly contentTopic: string;
  /** Default: random, kept for this channel. */
  readonly senderId?: string;
  /** Default: `logos`. */
  readonly profile?: Profile;
  readonly encryption: EncryptionMode;
  /** With `key`: the id in the key store of the key that the channel writes with. */
  readonly keyId?: string;
  /** Those that it had elsewhere and can still read with, newest first. Of a channel that is there already, its own count. */
  readonly earlierKeyIds?: readonly string[];
  /** Default: `envelope`. */
  readonly placement?: Placement;
  /** What the person calls it. */
  readonly label?: string;
  /** The person makes it, before a site asks. Until a site does, or something is sent, its sender id is not settled. */
  readonly prepared?: true;
}

export type ChannelErrorKind =
  | "empty-payload"
  | "payload-too-large"
  | "unknown-channel"
  | "already-exists"
  | "closed"
  | "mismatch"
  | "limit"
  | "unsupported"
  | "key-required"
  | "encryption-failed"
  | "locked"
  | "invalid";

/** A failure of the channel layer, with words for the caller. */
export interface ChannelError {
  readonly kind: ChannelErrorKind;
  readonly message: string;
  /** The bound that was exceeded, where one was. */
  readonly limit?: number;
}

/** Why a request failed: what the messaging layer says, or a reason of the channel's own. */
export type RequestFailureKind =
  | SendFailureKind
  /** It was sent, and no other participant acknowledged it. */
  | "unacknowledged"
  /** It is ephemeral, and waited for the epoch budget until it was of no use. */
  | "rate-limit"
  /** There is no key to encrypt it with, or the cipher failed. */
  | "encryption"
  /** Its bytes are not kept any more. */
  | "not-kept";

export interface RequestFailure {
  readonly kind: RequestFailureKind;
  /** In words. */
  readonly error: string;
}

interface Logged {
  /** Position in the channel's event log: 1, 2, 3, … */
  readonly seq: number;
  /** Milliseconds since the Unix epoch at which it was logged. */
  readonly at: number;
}

/** What the channel's event log holds. Names are the page contract's. */
export type ChannelEvent = Logged &
  (
    | {
        readonly type: "reliable:message:received";
        readonly message: Bytes;
        readonly messageId: string;
        readonly senderId: string;
      }
    | { readonly type: "reliable:message:sent"; readonly requestId: RequestId }
    | { readonly type: "reliable:message:delivered"; readonly requestId: RequestId }
    | ({ readonly type: "reliable:message:send-error"; readonly requestId: RequestId } & RequestFailure)
    | ({ readonly type: "reliable:message:delivery-error"; readonly requestId: RequestId } & RequestFailure)
    | {
        readonly type: "reliable:message:lost";
        readonly messageId: string;
        readonly senderId?: string;
        readonly reason: string;
      }
  );

export interface ChannelStatus {
  readonly state: "opening" | "open" | "closed";
  readonly health: TopicHealth;
  /** Segments not yet final. */
  readonly pending: number;
}

export type RequestState = "queued" | "sending" | "sent" | "delivered" | "send-error" | "delivery-error";

export interface RequestInfo {
  readonly requestId: RequestId;
  readonly state: RequestState;
  readonly segments: {
    readonly total: number;
    readonly confirmed: number;
    readonly failed: number;
    readonly acknowledged: number;
  };
  /** Bytes of the payload. */
  readonly bytes: number;
  readonly createdAt: number;
  /** It is not kept, so it cannot be sent again. */
  readonly ephemeral?: true;
  /** Why it failed, where it did, in words and by its kind. */
  readonly error?: string;
  readonly failure?: RequestFailureKind;
}

/** Told after the commit that caused it. Only `event` is in the log and repeats after a restart. */
export type ChannelNotice =
  | { readonly type: "event"; readonly event: ChannelEvent }
  | {
      readonly type: "progress";
      readonly direction: "out" | "in";
      readonly id: string;
      readonly done: number;
      readonly total: number;
    }
  | { readonly type: "status"; readonly status: ChannelStatus }
  /** A message came that means nothing to any channel on the topic. */
  | { readonly type: "diagnostics"; readonly diagnostics: ChannelDiagnostics }
  | { readonly type: "close"; readonly reason: "page" | "user" | "revoked" | "error" };

export type ChannelListener = (channel: ChannelKey, notice: ChannelNotice) => void;

export interface ChannelSendOptions {
  readonly ephemeral?: boolean;
  /** The same key on the same channel never sends twice; it returns the first request's identifier. */
  readonly idempotencyKey?: string;
}

/**
 * Runs inside the transaction that did the work, with its result. What it writes to tables is committed with the work or
 * not at all: the provider stores call results this way. It must not await anything.
 */
export type InTransaction<T> = (result: T) => void;

export interface ChannelSummary extends ChannelKey {
  readonly contentTopic: string;
  readonly senderId: string;
  readonly profile: Profile;
  readonly encryption: EncryptionMode;
  readonly placement: Placement;
  /** With `key`: what it writes with, and what it can still read, newest first. Ids of the key store. */
  readonly keyId?: string;
  readonly earlierKeyIds: readonly string[];
  /** What the person calls it; the channel id until then. */
  readonly label: string;
  readonly createdAt: number;
  /** Milliseconds since the Unix epoch of the last message in or out; the creation if there was none. */
  readonly lastActiveAt: number;
  readonly status: ChannelStatus;
  /** Logged events above the origin's acknowledged cursor. */
  readonly unacknowledged: number;
  /** Other participants that were heard. */
  readonly members: number;
  /** Why nothing is taken in, where nothing is. */
  readonly paused?: IntakePause;
}

/**
 * `log-full`: the site has not handled as many events as a channel may hold. `unattended`: no page has asked for the channel
 * for 30 days. `storage-full`: all channels together hold as much as they may. What was sent meanwhile is fetched from the
 * stores afterwards.
 */
export type IntakePause = "log-full" | "unattended" | "storage-full";

/** Messages on the channel's topic that no open channel on it could make anything of, since the last start. */
export interface ChannelDiagnostics {
  /** Their marker is not the profile's: senders of another profile, or of something else. */
  readonly otherMarker: number;
  /** No key fits. With placement `content`, SDS takes them in all the same, and their content is lost. */
  readonly undecryptable: number;
  /** SDS messages in the layout of another profile. */
  readonly otherLayout: number;
  /** No SDS messages at all. */
  readonly unreadable: number;
  /** SDS messages of another channel. */
  readonly otherChannel: number;
}

/** One channel as its callers hold it. */
export interface ChannelApi {
  readonly origin: string;
  getChannelId(): string;
  getContentTopic(): string;
  getSenderId(): string;
  send(
    payload: Bytes,
    options?: ChannelSendOptions,
    inTransaction?: InTransaction<Result<RequestId, ChannelError>>,
  ): Promise<Result<RequestId, ChannelError>>;
  request(requestId: RequestId): RequestInfo | undefined;
  /** Requests under way, and of the final ones those of the last seven days, 10,000 at most; newest first. */
  requests(): readonly RequestInfo[];
  /** Dispatches the failed segments of a request again. Pages hear no second outcome; `request` shows what becomes of it. */
  retry(requestId: RequestId): Promise<Result<void, ChannelError>>;
  /** Logged events above `after`, oldest first, `limit` at most. */
  history(after: number, limit: number): Promise<readonly ChannelEvent[]>;
  /** Everything up to `seq` was handled by the origin; never goes backwards. */
  acknowledge(seq: number): Promise<void>;
  /** The acknowledged cursor; 0 if nothing was. */
  acknowledged(): number;
  status(): ChannelStatus;
  summary(): ChannelSummary;
  diagnostics(): ChannelDiagnostics;
}

/** Every channel of the profile of the browser. */
export interface ChannelManagerApi {
  /** `already-exists` if it is open. A channel that was closed before comes back with its state. */
  createReliableChannel(
    params: ChannelParams,
    inTransaction?: InTransaction<Result<ChannelApi, ChannelError>>,
  ): Promise<Result<ChannelApi, ChannelError>>;
  /**
   * The channel if it is open and the parameters are the ones of its creation; `mismatch` if they differ;
   * `unknown-channel` if there is none. What the caller leaves out of `params` matches anything. A channel that the person
   * prepared takes the sender id of the first `attach`; resolves once that is durable.
   */
  attach(params: ChannelParams): Promise<Result<ChannelApi, ChannelError>>;
  /** A page holds the channel, as it did before: a channel that nobody asks for is suspended after 30 days. */
  attended(key: ChannelKey): void;
  /** `pages` tells which channels pages hold at that moment. */
  heldBy(pages: () => Iterable<ChannelKey>): void;
  closeChannel(
    key: ChannelKey,
    reason: "page" | "user" | "revoked",
    inTransaction?: InTransaction<Result<void, ChannelError>>,
  ): Promise<Result<void, ChannelError>>;
  send(
    key: ChannelKey,
    payload: Bytes,
    options?: ChannelSendOptions,
    inTransaction?: InTransaction<Result<RequestId, ChannelError>>,
  ): Promise<Result<RequestId, ChannelError>>;
  /** Requests of an origin without an outcome, those of its closed channels included. */
  pendingRequests(origin: string): number;
  channelExists(key: ChannelKey): boolean;
  /** An open channel. */
  channel(key: ChannelKey): ChannelApi | undefined;
  /** Open channels, of one origin or of all, oldest first. */
  channels(origin?: string): readonly ChannelApi[];
  /** Every channel, open and closed, oldest first. */
  summaries(): readonly ChannelSummary[];
  /** What the person calls a channel, open or closed. */
  rename(key: ChannelKey, label: string): Promise<Result<void, ChannelError>>;
  /** New messages are written with this key; what the channel could read before it can read still. */
  changeKey(key: ChannelKey, keyId: string): Promise<Result<void, ChannelError>>;
  /** Closes the channel if it is open and removes everything that is stored of it. */
  deleteChannel(key: ChannelKey): Promise<Result<void, ChannelError>>;
  /** Tells of every channel from now on, in the order of each channel's log. Returns what ends it. */
  listen(listener: ChannelListener): () => void;
}
