import type { ReliableChannelError } from "../../src/provider/provider-api.ts";

/** Whether it is an error of the provider, whose `code` says what to do. `instanceof` does not hold across worlds. */
export function isReliableChannelError(error: unknown): error is ReliableChannelError {
  return (
    typeof error === "object" &&
    error !== null &&
    "name" in error &&
    error.name === "ReliableChannelError" &&
    "code" in error &&
    typeof error.code === "number"
  );
}
