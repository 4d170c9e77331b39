/** Every failure that the background tells a page: one code each, and words that say what to do next. */
import type { ChannelError, ChannelErrorKind, RequestFailureKind } from "../channel/types.ts";
import { err } from "../common/result.ts";
import type { CallError } from "./frames.ts";
import { ErrorCode } from "./provider-api.ts";

/** A call's outcome. */
export type Outcome<T> = { readonly ok: true; readonly value: T } | Failure;
export type Failure = { readonly ok: false; readonly error: CallError };

export function fail(
  code: ErrorCode,
  message: string,
  more: { readonly retryable?: boolean; readonly data?: CallError["data"] } = {},
): Failure {
  return err({
    code,
    message,
    retryable: more.retryable ?? false,
    ...(more.data === undefined ? {} : { data: more.data }),
  });
}

interface Mapping {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  /** What the caller can do about it. */
  readonly advice: string;
}

const CHANNEL_ERRORS: Readonly<Record<ChannelErrorKind, Mapping>> = {
  "empty-payload": { code: ErrorCode.InvalidParams, retryable: false, advice: "Send at least one byte." },
  "payload-too-large": {
    code: ErrorCode.PayloadTooLarge,
    retryable: false,
    advice: "Send smaller parts; quota() tells the largest message.",
  },
  "unknown-channel": {
    code: ErrorCode.NotFound,
    retryable: false,
    advice: "Call createReliableChannel first; listChannels() tells which channels are open.",
  },
  "already-exists": {
    code: ErrorCode.InvalidParams,
    retryable: true,
    advice: "Call createReliableChannel again to attach to it.",
  },
  closed: {
    code: ErrorCode.ChannelClosed,
    retryable: false,
    advice: "Call createReliableChannel to open it again.",
  },
  mismatch: {
    code: ErrorCode.InvalidParams,
    retryable: false,
    advice: "Attach with the parameters of the first creation, or choose another channelId.",
  },
  limit: {
    code: ErrorCode.LimitExceeded,
    retryable: true,
    advice: "Wait until pending requests are done, or close channels; quota() tells this site's share.",
  },
  unsupported: { code: ErrorCode.Unsupported, retryable: false, advice: "This version cannot do it." },
  "key-required": {
    code: ErrorCode.KeyRequired,
    retryable: false,
    advice: "Call createReliableChannel again from a click, and let the person choose a key.",
  },
  "encryption-failed": {
    code: ErrorCode.Internal,
    retryable: false,
    advice: "Nothing was sent, and nothing ever is in plain text: look at the channel's key in the extension's popup.",
  },
  locked: {
    code: ErrorCode.Locked,
    retryable: true,
    advice: "Call connect() from a click, and let the person unlock it.",
  },
  invalid: { code: ErrorCode.InvalidParams, retryable: false, advice: "Correct the parameters." },
};

/** Of a request that failed after it was taken on. */
const REQUEST_FAILURES: Readonly<Record<RequestFailureKind, ErrorCode>> = {
  // As in EIP-1193: the provider is there, and what it is to reach is not.
  unreachable: ErrorCode.Disconnected,
  unacknowledged: ErrorCode.Disconnected,
  "too-large": ErrorCode.PayloadTooLarge,
  refused: ErrorCode.Unsupported,
  "queue-full": ErrorCode.LimitExceeded,
  "rate-limit": ErrorCode.LimitExceeded,
  encryption: ErrorCode.KeyRequired,
  "not-kept": ErrorCode.NotFound,
  internal: ErrorCode.Internal,
};

/** The code of the events `send-error` and `delivery-error`. */
export const failureCode = (kind: RequestFailureKind): ErrorCode => REQUEST_FAILURES[kind];

export function fromChannelError({ kind, message, limit }: ChannelError): Failure {
  const { code, retryable, advice } = CHANNEL_ERRORS[kind];
  const words = `${message.replace(/\.$/, "")}. ${advice}`;
  return fail(code, words, { retryable, ...(limit === undefined ? {} : { data: { limit } }) });
}

export const unauthorized = (what: string): Failure =>
  fail(ErrorCode.Unauthorized, `${what} Call connect() from a click and let the person allow it.`);

export const blocked = (): Failure =>
  fail(
    ErrorCode.Unauthorized,
    "The person blocked this site: it can be unblocked in the extension's popup under Sites.",
  );

export const userRejected = (): Failure =>
  fail(ErrorCode.UserRejected, "The person did not allow this site: ask again only after another click of theirs.");

export const notFound = (channelId: string): Failure =>
  fromChannelError({ kind: "unknown-channel", message: `unknown channel: ${channelId}` });

export const locked = (): Failure => fromChannelError({ kind: "locked", message: "The extension is locked" });

export const keyRequired = (): Failure =>
  fromChannelError({ kind: "key-required", message: "No key was chosen for this encrypted channel" });

export const unknownKey = (): Failure =>
  fail(
    ErrorCode.NotFound,
    "This site has no such key. Leave encryption.keyId out, and the person chooses one in the prompt.",
  );

export const internal = (): Failure =>
  fail(ErrorCode.Internal, "The extension failed to do this. Try again; if it stays, reload the page.", {
    retryable: true,
  });
