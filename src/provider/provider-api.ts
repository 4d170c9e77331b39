/**
 * The page-facing contract of the extension: what `window.reliableChannel` is.
 * It is the public API of this project. Names, event names, error codes and shapes are fixed;
 * doc comments, file placement and internal types are the implementer's.
 */

// ── errors ────────────────────────────────────────────────────────────────────────────────────
/** EIP-1193 / JSON-RPC numbers where one exists, because integrators already know them. */
export const ErrorCode = {
  UserRejected: 4001, // the person said no, or closed the prompt
  Unauthorized: 4100, // no grant for this origin (or this scope)
  Locked: 4110, // keys are locked and `onlyIfTrusted` forbids asking
  KeyRequired: 4120, // an encrypted channel was asked for and no key was chosen
  PayloadTooLarge: 4130,
  ChannelClosed: 4140,
  Unsupported: 4200,
  Disconnected: 4900, // the extension cannot be reached
  ContextInvalidated: 4910, // the extension was updated or removed: reload the page
  InvalidParams: -32602,
  Internal: -32603,
  NotFound: -32001, // unknown channel, request or key
  AlreadyPending: -32002, // a prompt for this origin is open, and this call asks for more than it shows
  LimitExceeded: -32005, // quota or rate limit of this origin
} as const;
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** Always test `error.name` and `error.code`: `instanceof` does not hold across worlds. */
export interface ReliableChannelError extends Error {
  readonly name: "ReliableChannelError";
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly data?: { readonly retryAfterMs?: number; readonly limit?: number; readonly requestId?: RequestId };
}

// ── identifiers ───────────────────────────────────────────────────────────────────────────────
declare const brand: unique symbol;
type Brand<T, B extends string> = T & { readonly [brand]: B };
/** One `send`; groups every segment of its message. */
export type RequestId = Brand<string, "RequestId">;
/** A handle valid for the calling origin only; another origin's is `NotFound`. */
export type KeyId = Brand<string, "KeyId">;
/** Position in a channel's event log, opaque and ordered. */
export type Cursor = Brand<string, "Cursor">;
export type Bytes = Uint8Array<ArrayBuffer>;

// ── events ────────────────────────────────────────────────────────────────────────────────────
/** Events survive page reloads and worker restarts: everything above the last acknowledged cursor is replayed. */
interface Logged {
  readonly cursor: Cursor;
  readonly at: number;
  readonly replayed: boolean;
}

export interface ChannelEventMap {
  "reliable:message:received": Logged & {
    readonly message: Bytes;
    readonly messageId: string;
    readonly senderId: string;
  };
  /** Every segment is confirmed by the network (found in a store node, where one is expected). */
  "reliable:message:sent": Logged & { readonly requestId: RequestId };
  /** Another participant has the message: it acknowledged enough segments, end to end. May follow `delivery-error`, once. */
  "reliable:message:delivered": Logged & { readonly requestId: RequestId };
  "reliable:message:send-error": Logged & {
    readonly requestId: RequestId;
    readonly error: string;
    readonly code: ErrorCode;
  };
  "reliable:message:delivery-error": Logged & {
    readonly requestId: RequestId;
    readonly error: string;
    readonly code: ErrorCode;
  };
  /** A message that is known to exist could not be retrieved before its deadline. */
  "reliable:message:lost": Logged & { readonly messageId: string; readonly senderId?: string; readonly reason: string };
  /** Segments done out of all, for a large message going out or coming in. Not logged, not replayed. */
  progress: { readonly direction: "out" | "in"; readonly id: string; readonly done: number; readonly total: number };
  status: ChannelStatus;
  close: { readonly reason: "page" | "user" | "revoked" | "error" };
}

export interface ProviderEventMap {
  connect: Session;
  disconnect: { readonly code: ErrorCode; readonly message: string; readonly recoverable: boolean };
  permissionsChanged: readonly Grant[];
  status: ProviderStatus;
}

/** The Node.js EventEmitter shape that MESSAGING-API maps `event_emitter` to. `emit` stays inside the page. */
export interface Emitter<M> {
  addListener<K extends keyof M>(event: K, listener: (payload: M[K]) => void): this;
  on<K extends keyof M>(event: K, listener: (payload: M[K]) => void): this;
  once<K extends keyof M>(event: K, listener: (payload: M[K]) => void): this;
  off<K extends keyof M>(event: K, listener: (payload: M[K]) => void): this;
  removeListener<K extends keyof M>(event: K, listener: (payload: M[K]) => void): this;
  removeAllListeners(event?: keyof M): this;
  listenerCount(event: keyof M): number;
  emit<K extends keyof M>(event: K, payload: M[K]): boolean;
}

// ── permission ────────────────────────────────────────────────────────────────────────────────
export type Scope = "channel:create" | "channel:send" | "channel:receive";
export interface Grant {
  readonly scope: Scope;
  readonly channels?: readonly string[];
  readonly contentTopics?: readonly string[];
  readonly expiresAt: number | null;
}
export interface Session {
  readonly sessionId: string;
  readonly grants: readonly Grant[];
  readonly locked: boolean;
}

export interface CallOptions {
  /** Aborting rejects with the signal's reason. What was asked for may still take effect. */
  readonly signal?: AbortSignal;
  /** Milliseconds after which the call rejects with `Disconnected`. What was asked for may still take effect. */
  readonly timeoutMs?: number;
}
export interface ConnectOptions extends CallOptions {
  /** Never prompt: reject with `Unauthorized` (or `Locked`) instead. For calls made at page load. */
  readonly onlyIfTrusted?: boolean;
  readonly scopes?: readonly Scope[];
  readonly contentTopics?: readonly string[];
}

// ── status ────────────────────────────────────────────────────────────────────────────────────
export type ConnectionStatus = "Disconnected" | "PartiallyConnected" | "Connected";
export type TopicHealth = "UNHEALTHY" | "MINIMALLY_HEALTHY" | "SUFFICIENTLY_HEALTHY" | "NOT_SUBSCRIBED";
export interface ProviderStatus {
  readonly bridge: "ready" | "reconnecting" | "dead";
  readonly network: ConnectionStatus;
  readonly locked: boolean;
}
export interface ChannelStatus {
  readonly state: "opening" | "open" | "closed";
  readonly health: TopicHealth;
  /** Segments not yet final. */
  readonly pending: number;
}
/** The calling origin's own share; nothing here depends on other origins. */
export interface Quota {
  readonly maxMessageBytes: number;
  readonly maxChannels: number;
  readonly maxPending: number;
  readonly pending: number;
  readonly epoch: { readonly limit: number; readonly remaining: number; readonly resetsAt: number } | null;
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
  readonly createdAt: number;
  readonly error?: string;
}

// ── channels ──────────────────────────────────────────────────────────────────────────────────
/**
 * The encryption hook of the specification, implemented by the page. Both are called with one message at a time, in the page
 * that the person looked at last, and with bytes that they may keep. They have 10 s, and return 1 to 152,576 bytes; what they
 * throw refuses that message. While no page of the channel is open, messages wait.
 */
export interface Encryption {
  encrypt(content: Bytes): Promise<Uint8Array> | Uint8Array;
  decrypt(payload: Bytes): Promise<Uint8Array> | Uint8Array;
}
/** A channel is (origin, channelId). Attaching with parameters that differ from the first creation is `InvalidParams`. */
export interface CreateChannelParams {
  readonly channelId: string;
  /** `/application/version/name/encoding`, 23/WAKU2-TOPICS. */
  readonly contentTopic: string;
  /** Default: a random identifier, kept for this origin, channel and browser profile. */
  readonly senderId?: string;
  /**
   * Default: a key held by the extension, chosen, made or imported by the person in the prompt.
   * The page never sees that key. `none` and `page` are explicit choices.
   */
  readonly encryption?:
    | { readonly mode: "key"; readonly keyId?: KeyId }
    | { readonly mode: "none" }
    | ({ readonly mode: "page" } & Encryption);
  /**
   * Who the peers are. `logos`, the default: this extension and the newest logos-delivery. `logos-raw`: logos-delivery of
   * summer 2026, messages of 130,000 bytes at most. `waku-sdk`: `ReliableChannel` of `@waku/sdk`.
   */
  readonly profile?: "logos" | "logos-raw" | "waku-sdk";
  /** Parity segments per data segment for messages of several segments, 0 to 1. Default 0. */
  readonly parityRate?: number;
}
export interface SendOptions extends CallOptions {
  /** Not archived by store nodes, not retransmitted, no delivery confirmation. */
  readonly ephemeral?: boolean;
  /** The same key on the same channel never sends twice; it returns the first request's identifier. */
  readonly idempotencyKey?: string;
}

export interface ReliableChannel extends Emitter<ChannelEventMap> {
  readonly channelId: string;
  readonly contentTopic: string;
  readonly senderId: string;
  /** Resolves once the request is durable: from then on it survives reloads, crashes and restarts. Rejects an empty payload with `InvalidParams`. */
  send(message: Uint8Array | ArrayBuffer, options?: SendOptions): Promise<RequestId>;
  request(requestId: RequestId, options?: CallOptions): Promise<RequestInfo | undefined>;
  /** Past events, oldest first. */
  history(
    options?: CallOptions & { readonly after?: Cursor; readonly limit?: number },
  ): AsyncIterableIterator<LoggedEvent>;
  /**
   * Acknowledge everything up to `cursor`; one cursor per origin and channel, shared by its tabs. With `autoAck` (the default)
   * a `received` event is acknowledged once at least one listener ran and every promise that listeners returned resolved.
   */
  ack(cursor: Cursor): Promise<void>;
  autoAck: boolean;
  status(): Promise<ChannelStatus>;
  close(options?: CallOptions): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
export type LoggedEvent = {
  [K in keyof ChannelEventMap]: ChannelEventMap[K] extends Logged ? { readonly type: K } & ChannelEventMap[K] : never;
}[keyof ChannelEventMap];

export interface ChannelInfo {
  readonly channelId: string;
  readonly contentTopic: string;
  readonly senderId: string;
  readonly encryption: "key" | "none" | "page";
  readonly status: ChannelStatus;
  readonly unacknowledged: number;
}

// ── provider ──────────────────────────────────────────────────────────────────────────────────
export interface ReliableChannelProvider extends Emitter<ProviderEventMap> {
  readonly info: ProviderInfo;
  readonly apiVersion: string;
  connect(options?: ConnectOptions): Promise<Session>;
  /** Ends this page's session; grants stay. */
  disconnect(options?: CallOptions): Promise<void>;
  permissions(options?: CallOptions): Promise<readonly Grant[]>;
  /** Connects first where needed, in one prompt. The same channelId again attaches to the same channel. */
  createReliableChannel(params: CreateChannelParams, options?: CallOptions): Promise<ReliableChannel>;
  closeChannel(channel: ReliableChannel | string, options?: CallOptions): Promise<void>;
  send(channel: ReliableChannel | string, message: Uint8Array | ArrayBuffer, options?: SendOptions): Promise<RequestId>;
  channelExists(channelId: string, options?: CallOptions): Promise<boolean>;
  /** Channels of the calling origin only. */
  listChannels(options?: CallOptions): Promise<readonly ChannelInfo[]>;
  status(): Promise<ProviderStatus>;
  quota(): Promise<Quota>;
}

// ── discovery, in the shape of EIP-6963 ───────────────────────────────────────────────────────
export interface ProviderInfo {
  readonly uuid: string;
  readonly name: string;
  readonly icon: `data:image/${string}`;
  readonly rdns: string;
  readonly version: string;
}
declare global {
  interface Window {
    readonly reliableChannel?: ReliableChannelProvider;
  }
  interface WindowEventMap {
    "reliablechannel:announceProvider": CustomEvent<{
      readonly info: ProviderInfo;
      readonly provider: ReliableChannelProvider;
    }>;
    "reliablechannel:requestProvider": Event;
  }
}
