import { keccak_256 } from "@noble/hashes/sha3.js";
import type { Bytes } from "./bytes.ts";

/** keccak-256 over the concatenation of `parts`: 32 bytes that belong to the caller. */
export type Keccak256 = (parts: readonly Uint8Array[]) => Bytes;

export const plainKeccak256: Keccak256 = (parts) => {
  const hash = keccak_256.create();
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
};

let implementation: Keccak256 = plainKeccak256;

/**
 * From now on keccak-256 is computed by `faster`. The core hashes synchronously and WebAssembly is compiled
 * asynchronously, so whoever starts the core compiles it and puts it here; the digests are the same either way.
 */
export function computeKeccak256With(faster: Keccak256): void {
  implementation = faster;
}

/** keccak-256 (the pre-standard padding of Ethereum, not SHA3-256) over the concatenation of `parts`: 32 bytes. */
export function keccak256(...parts: readonly Uint8Array[]): Bytes {
  return implementation(parts);
}
