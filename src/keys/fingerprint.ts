/**
 * The fingerprint of a key: what two people read to each other to see that they hold the same one. It is a hash of the
 * key under a name of its own, so it reveals nothing of the key and stands for nothing else.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { concat, toHex, utf8 } from "../common/bytes.ts";
import { FINGERPRINT_WORDS } from "./fingerprint-words.ts";

const DOMAIN = utf8("reliable-channel key fingerprint 1\n");
const WORD_COUNT = 6;
const HEX_BYTES = 4;

export interface Fingerprint {
  /** Six words, 48 bits: enough to notice every mistake. */
  readonly words: readonly string[];
  /** Eight lower-case hexadecimal digits of other bits of the hash, for those who want to compare more. */
  readonly hex: string;
}

export function fingerprintOf(key: Uint8Array): Fingerprint {
  const hash = sha256(concat(DOMAIN, key));
  const words = [...hash.subarray(0, WORD_COUNT)].map((byte) => FINGERPRINT_WORDS[byte] ?? "");
  return { words, hex: toHex(hash.subarray(WORD_COUNT, WORD_COUNT + HEX_BYTES)) };
}
