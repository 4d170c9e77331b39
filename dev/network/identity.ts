import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import type { PrivateKey } from "@libp2p/interface";
import { sha256 } from "@noble/hashes/sha2.js";
import { utf8 } from "../../src/common/bytes.ts";

/** The secp256k1 identity that belongs to a seed, as real nodes have it: the same seed, the same peer id. */
export async function identityFrom(seed: string): Promise<PrivateKey> {
  const key: unknown = privateKeyFromRaw(sha256(utf8(seed)));
  // The package that makes keys is typed against a newer helper than the one that takes them; it is the same key.
  return key as PrivateKey;
}
