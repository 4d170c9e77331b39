/**
 * The encryption hook of the Reliable Channel API (LIP-173): encrypt and decrypt, one message at a time, no scheme
 * imposed. A new scheme is one file that implements `Cipher`.
 */
import type { Bytes } from "../common/bytes.ts";
import type { Result } from "../common/result.ts";

/** What a ciphertext is bound to. */
export interface CipherContext {
  readonly channelId: string;
  readonly contentTopic: string;
}

export interface Cipher {
  /** The ciphertext, or why there is none. Plain text never leaves in its place. */
  encrypt(plaintext: Bytes, context: CipherContext): Promise<Result<Bytes>>;
  /** The plaintext, or why these bytes are not for us. */
  decrypt(ciphertext: Bytes, context: CipherContext): Promise<Result<Bytes>>;
}
