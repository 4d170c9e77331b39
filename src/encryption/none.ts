import { ok } from "../common/result.ts";
import type { Cipher } from "./cipher.ts";

/** No encryption: what a page asks for with `{ mode: "none" }`, and never a fallback for anything else. */
export const none: Cipher = {
  encrypt: async (plaintext) => ok(plaintext),
  decrypt: async (ciphertext) => ok(ciphertext),
};
