import { keccak_256 } from "@noble/hashes/sha3.js";
import type { Bytes } from "./bytes.ts";

/** keccak-256 (the pre-standard padding of Ethereum, not SHA3-256) over the concatenation of `parts`: 32 bytes. */
export function keccak256(...parts: readonly Uint8Array[]): Bytes {
  const hash = keccak_256.create();
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}
