/** What a site needs to use the Reliable Channel extension: the types of its contract, its error codes, and detection. */

export type * from "../../src/provider/provider-api.ts";
export { ErrorCode } from "../../src/provider/provider-api.ts";
export { type DetectOptions, detectReliableChannel } from "./detect.ts";
export { isReliableChannelError } from "./errors.ts";
