/**
 * The encryption hook of the Reliable Channel API (LIP-173): encrypt and decrypt, one message at a time, no scheme
 * imposed. A new scheme is one file that implements `Cipher`.
 */
import type { Bytes } from "../common/bytes.ts";
import { err, ok, type Result } from "../common/result.ts";

/**
 * What the cipher is given, fixed when a channel is created.
 * - `envelope`: the whole SDS message. Nobody without the key learns or forges anything of SDS.
 * - `content`: the segment inside the SDS message. Ids, history and filter travel in clear and can be forged.
 */
export type Placement = "envelope" | "content";

/** What a ciphertext is bound to. */
export interface CipherContext {
  readonly channelId: string;
  readonly contentTopic: string;
}

export interface CipherTraits {
  /**
   * Each message may take it as long as somebody else likes. What others wait for must not wait for such a cipher, so what
   * it is to decrypt is parked first.
   */
  readonly slow?: boolean;
}

export interface Cipher extends CipherTraits {
  /** The ciphertext, or why there is none. Plain text never leaves in its place. */
  encrypt(plaintext: Bytes, context: CipherContext): Promise<Result<Bytes>>;
  /** The plaintext, or why these bytes are not for us. */
  decrypt(ciphertext: Bytes, context: CipherContext): Promise<Result<Bytes>>;
  /**
   * Why it can do neither for now, in words; `undefined` while it can. What is to be encrypted or decrypted meanwhile
   * waits; it is not failed and not dropped. A cipher without this is always ready.
   *
   * It may end in the middle of a call, whose error then says nothing about the message: the message waits like any other.
   * So this is asked once more as soon as a call has failed, before anything else is awaited.
   */
  unavailable?(): string | undefined;
}

/** Encrypts the segments of one message, in order. All of them, or nothing: the first failure is the outcome. */
export async function encryptAll(
  cipher: Cipher,
  segments: readonly Bytes[],
  context: CipherContext,
): Promise<Result<readonly Bytes[]>> {
  const ciphertexts: Bytes[] = [];
  for (const segment of segments) {
    const ciphertext = await cipher.encrypt(segment, context);
    if (!ciphertext.ok) return err(ciphertext.error);
    ciphertexts.push(ciphertext.value);
  }
  return ok(ciphertexts);
}
