/**
 * Authenticated encryption with XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): `nonce(24) ‖ ciphertext ‖ tag(16)`.
 *
 * A nonce of 192 bits may be random for any number of messages under one key, so nothing has to be counted and no state
 * can be lost. Whatever opens it must name the same associated data, byte for byte.
 */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { type Bytes, concat, ownBytes } from "../common/bytes.ts";
import type { RandomBytes } from "./random.ts";

export const KEY_BYTES = 32;
export const NONCE_BYTES = 24;
export const TAG_BYTES = 16;
/** What sealing adds. */
export const SEAL_BYTES = NONCE_BYTES + TAG_BYTES;

/** `key` is `KEY_BYTES` long, or this throws. */
export function seal(key: Uint8Array, plaintext: Uint8Array, associatedData: Uint8Array, random: RandomBytes): Bytes {
  const nonce = random(NONCE_BYTES);
  return concat(nonce, xchacha20poly1305(key, nonce, associatedData).encrypt(plaintext));
}

/** The plaintext; `undefined` if key, associated data or any bit differs from what was sealed. */
export function open(key: Uint8Array, sealed: Uint8Array, associatedData: Uint8Array): Bytes | undefined {
  if (sealed.length < SEAL_BYTES) return undefined;
  const cipher = xchacha20poly1305(key, sealed.subarray(0, NONCE_BYTES), associatedData);
  try {
    return ownBytes(cipher.decrypt(sealed.subarray(NONCE_BYTES)));
  } catch {
    return undefined;
  }
}

/** The parts, each behind its length in 2 bytes, big-endian: no two different lists give the same bytes. */
export function lengthPrefixed(...parts: readonly Uint8Array[]): Bytes {
  return concat(
    ...parts.flatMap((part) => {
      if (part.length > 0xffff) throw new RangeError("a part of associated data has 65,535 bytes at most");
      return [Uint8Array.of(part.length >> 8, part.length & 0xff), part];
    }),
  );
}
