import type { Bytes } from "../common/bytes.ts";

/** Where nonces, salts and keys come from: `length` unpredictable bytes, 65,536 at most. Tests put a fixed source here. */
export type RandomBytes = (length: number) => Bytes;

export const systemRandom: RandomBytes = (length) => crypto.getRandomValues(new Uint8Array(length));
