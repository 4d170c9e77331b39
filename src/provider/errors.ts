/** `ReliableChannelError`s on the page side. */
import type { CallError } from "./frames.ts";
import type { ReliableChannelError } from "./provider-api.ts";
import { ErrorCode } from "./provider-api.ts";

/** The error that a page gets for a failed call. */
export function toError(failure: CallError): ReliableChannelError {
  // `name`, `code` and the rest are own properties: they survive being logged and cloned, unlike a subclass.
  return Object.assign(new Error(failure.message), {
    name: "ReliableChannelError",
    code: failure.code,
    retryable: failure.retryable,
    ...(failure.data === undefined ? {} : { data: failure.data }),
  }) as ReliableChannelError;
}

const failure = (code: ErrorCode, retryable: boolean, message: string): ReliableChannelError =>
  toError({ code, retryable, message });

export const invalidParams = (message: string): ReliableChannelError =>
  failure(ErrorCode.InvalidParams, false, message);

export const channelClosed = (channelId: string): ReliableChannelError =>
  failure(
    ErrorCode.ChannelClosed,
    false,
    `The channel "${channelId}" is closed on this page: call createReliableChannel to open it again.`,
  );

export const disconnected = (): ReliableChannelError =>
  failure(ErrorCode.Disconnected, true, "The Reliable Channel extension does not answer: try again in a moment.");

export const timedOut = (timeoutMs: number): ReliableChannelError =>
  failure(
    ErrorCode.Disconnected,
    true,
    `No answer within ${timeoutMs} ms. The call may still take effect: for send, pass an idempotencyKey and repeat it.`,
  );

export const contextInvalidated = (): ReliableChannelError =>
  failure(
    ErrorCode.ContextInvalidated,
    false,
    "The Reliable Channel extension was updated, disabled or removed: reload the page.",
  );
