/**
 * What page, bridge and background say to each other.
 *
 * A page posts `PageFrame`s over its private port to the bridge, which carries them over one `runtime.connect` port to
 * the background; `BackgroundFrame`s travel the other way. The bridge itself understands `reset` and says `link`.
 *
 * Nothing is lost in silence: a call is answered by `accepted` at once and by `answer` when it is done, a pushed frame
 * by `received`, and `hello` by `welcome`. A call that is sent again keeps its `callId`, so that the background does
 * the work once however often it hears of it.
 *
 * The background parses every `PageFrame` with `frame-schema.ts`; these types are what comes out.
 */
import type { Bytes } from "../common/bytes.ts";
import type {
  ChannelEventMap,
  ChannelInfo,
  ChannelStatus,
  ConnectionStatus,
  ErrorCode,
  Grant,
  LoggedEvent,
  Quota,
  RequestInfo,
  Scope,
  Session,
} from "./provider-api.ts";

/** Raised with every change that an older page script would misread. */
export const PROTOCOL_VERSION = 1;
/** The name of the port between bridge and background. */
export const BRIDGE_PORT = "bridge";
/** Dispatched on `document` by the bridge, with the page's port; cancelled by the page script that takes it. */
export const OFFER_EVENT = "reliable-channel:offer";
/** Dispatched on `document` by a page script that was there before the bridge. */
export const ASK_EVENT = "reliable-channel:ask";

/** A failure as it crosses the border. */
export interface CallError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly data?:
    | {
        readonly retryAfterMs?: number | undefined;
        readonly limit?: number | undefined;
        readonly requestId?: string | undefined;
      }
    | undefined;
}

export interface OpenedChannel {
  readonly channelId: string;
  readonly contentTopic: string;
  readonly senderId: string;
  readonly session: Session;
}

/** A channel that a page holds, as it tells a background that may have forgotten. */
export interface Attachment {
  readonly channelId: string;
  /** Whether the page wants the logged events; progress, status and close it always gets. */
  readonly events: boolean;
  /** The last event that the page has seen in this life of the page. */
  readonly after?: string | undefined;
  /** Whether the page has the functions of mode `page` for it. */
  readonly cipher?: boolean | undefined;
}

/** A call of a page's own function. The answer names the same `operationId`, which no other call ever has. */
export interface CipherOperation {
  readonly operationId: string;
  readonly operation: "encrypt" | "decrypt";
  readonly input: Bytes;
}

/** What a page's own function returned, or why it returned nothing of use, in words. */
export type CipherFrame = { readonly type: "cipher"; readonly operationId: string } & (
  | { readonly ok: true; readonly output: Bytes }
  | { readonly ok: false; readonly reason: string }
);

/** Every call: what goes in and what comes out. */
export interface Methods {
  connect: {
    params: {
      readonly onlyIfTrusted?: boolean | undefined;
      readonly scopes?: readonly Scope[] | undefined;
      readonly contentTopics?: readonly string[] | undefined;
    };
    value: Session;
  };
  disconnect: { params: Record<never, never>; value: undefined };
  permissions: { params: Record<never, never>; value: readonly Grant[] };
  create: {
    params: {
      readonly channelId: string;
      readonly contentTopic: string;
      readonly senderId?: string | undefined;
      readonly encryption?: { readonly mode: "key" | "none" | "page"; readonly keyId?: string | undefined } | undefined;
      readonly profile?: "logos" | "logos-raw" | "waku-sdk" | undefined;
      readonly parityRate?: number | undefined;
    };
    value: OpenedChannel;
  };
  attach: { params: Attachment; value: undefined };
  close: { params: { readonly channelId: string }; value: undefined };
  send: {
    params: {
      readonly channelId: string;
      readonly message: Bytes;
      readonly ephemeral?: boolean | undefined;
      readonly idempotencyKey?: string | undefined;
    };
    value: string;
  };
  request: { params: { readonly channelId: string; readonly requestId: string }; value: RequestInfo | undefined };
  history: {
    params: { readonly channelId: string; readonly after?: string | undefined; readonly limit: number };
    value: { readonly events: readonly LoggedEvent[]; readonly more: boolean };
  };
  ack: { params: { readonly channelId: string; readonly cursor: string }; value: undefined };
  channelStatus: { params: { readonly channelId: string }; value: ChannelStatus };
  exists: { params: { readonly channelId: string }; value: boolean };
  list: { params: Record<never, never>; value: readonly ChannelInfo[] };
  status: { params: Record<never, never>; value: NetworkState };
  quota: { params: Record<never, never>; value: Quota };
}
export type Method = keyof Methods;
export type Params<M extends Method> = Methods[M]["params"];
export type Value<M extends Method> = Methods[M]["value"];

/** The part of `ProviderStatus` that the background knows. */
export interface NetworkState {
  readonly network: ConnectionStatus;
  readonly locked: boolean;
}

export type CallFrame = {
  [M in Method]: {
    readonly type: "call";
    /** A UUID that the page made. */
    readonly callId: string;
    /** Whether this call was sent before. */
    readonly retry: boolean;
    readonly method: M;
    readonly params: Params<M>;
  };
}[Method];

export type PageFrame =
  | {
      readonly type: "hello";
      readonly version: number;
      /** A UUID for this life of the page. */
      readonly pageId: string;
      readonly attached: readonly Attachment[];
      /** When the person last came to this page, milliseconds since the Unix epoch. */
      readonly focusedAt?: number | undefined;
    }
  | CallFrame
  /** The page no longer waits for this call. */
  | { readonly type: "cancel"; readonly callId: string }
  /** Every pushed frame up to this one arrived. */
  | { readonly type: "received"; readonly push: number }
  /** The person came to this page, `at` milliseconds since the Unix epoch. */
  | { readonly type: "focused"; readonly at: number }
  | CipherFrame;

/** What a page says to the bridge alone: drop the port to the background, it may be dead without knowing. */
export interface ResetFrame {
  readonly type: "reset";
}

type ChannelPush =
  | { readonly kind: "event"; readonly event: LoggedEvent }
  | { readonly kind: "progress"; readonly progress: ChannelEventMap["progress"] }
  | { readonly kind: "channelStatus"; readonly status: ChannelStatus }
  | ({ readonly kind: "cipher" } & CipherOperation)
  | { readonly kind: "close"; readonly reason: ChannelEventMap["close"]["reason"] };

/** What the background tells a page without having been asked. */
export type Push =
  | (ChannelPush & { readonly channelId: string })
  | { readonly kind: "permissions"; readonly grants: readonly Grant[] }
  | { readonly kind: "status"; readonly status: NetworkState };

export type BackgroundFrame =
  | { readonly type: "welcome"; readonly version: number; readonly session: Session; readonly status: NetworkState }
  | { readonly type: "accepted"; readonly callId: string }
  | { readonly type: "answer"; readonly callId: string; readonly ok: true; readonly value: unknown }
  | { readonly type: "answer"; readonly callId: string; readonly ok: false; readonly error: CallError }
  | { readonly type: "push"; readonly push: number; readonly body: Push };

/** What the bridge says by itself: the port to the background died, or the extension is gone for good. */
export interface LinkFrame {
  readonly type: "link";
  readonly state: "down" | "gone";
}
