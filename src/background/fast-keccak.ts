/**
 * keccak-256 in WebAssembly: about eight times as fast as the plain one, and everything that is sent or received is
 * hashed once.
 */
import { createKeccak } from "hash-wasm";
import { equalBytes, ownBytes, utf8 } from "../common/bytes.ts";
import { computeKeccak256With, type Keccak256, plainKeccak256 } from "../common/keccak.ts";

/** Longer than one block of the sponge, 136 bytes, and in two parts. */
const PROBE = [utf8("Is this keccak-256?"), new Uint8Array(200)];

/** Compiles it and has the core use it. Where WebAssembly is refused or wrong, the plain one stays. Never rejects. */
export async function useFastKeccak(load: () => Promise<Keccak256> = compile): Promise<void> {
  const fast = await load().catch(() => undefined);
  if (fast !== undefined && equalBytes(fast(PROBE), plainKeccak256(PROBE))) computeKeccak256With(fast);
}

async function compile(): Promise<Keccak256> {
  const hasher = await createKeccak(256);
  return (parts) => {
    hasher.init();
    for (const part of parts) hasher.update(part);
    return ownBytes(hasher.digest("binary"));
  };
}
