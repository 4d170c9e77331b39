/** What went wrong and what to do next, in words, by the code of the error. */
import { ErrorCode, type ReliableChannelError } from "../../packages/reliable-channel/index.ts";

/** `instanceof` does not hold across worlds: name and code tell. */
function isReliableChannelError(error: unknown): error is ReliableChannelError {
  return error instanceof Error && error.name === "ReliableChannelError" && "code" in error;
}

export function errorWords(error: unknown): string {
  if (!isReliableChannelError(error)) return error instanceof Error ? error.message : String(error);
  switch (error.code) {
    case ErrorCode.UserRejected:
      return "You did not allow this site to connect. Press the button to be asked again.";
    case ErrorCode.Unauthorized:
      return "This site is not allowed to use the extension. You can change that in the extension, under Sites.";
    case ErrorCode.AlreadyPending:
      return "The extension is already asking you. Please answer in its window.";
    case ErrorCode.PayloadTooLarge:
      return "This message is too large to be sent.";
    case ErrorCode.LimitExceeded:
      return "Too much at once. Please wait a moment and try again.";
    case ErrorCode.ChannelClosed:
      return "The channel is closed. Join the room again to go on.";
    case ErrorCode.Disconnected:
      return "The extension cannot be reached right now. Please try again.";
    case ErrorCode.ContextInvalidated:
      return "The extension was updated or removed. Please reload this page.";
    default:
      return error.message;
  }
}
