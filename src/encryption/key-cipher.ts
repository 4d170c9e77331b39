/**
 * The cipher of mode `key`: everyone who holds the channel's 32-byte key reads and writes.
 *
 *     0x01 ‖ nonce(24) ‖ ciphertext ‖ tag(16)
 *
 * XChaCha20-Poly1305 over one message of the hook (LIP-173), bound by its associated data to the layer's marker, the
 * channel and the content topic. So a ciphertext that is replayed into another channel or topic is not readable there.
 *
 * A shared key proves that the sender is a member. It does not prove which one: any member can write as any other.
 */
import { type Bytes, concat, utf8 } from "../common/bytes.ts";
import { err, ok, type Result } from "../common/result.ts";
import { KEY_BYTES, lengthPrefixed, open, SEAL_BYTES, seal } from "./aead.ts";
import type { Cipher, CipherContext } from "./cipher.ts";
import { type RandomBytes, systemRandom } from "./random.ts";

/** The only framing there is; another number is another scheme. */
const VERSION = 1;
/** Bytes that encryption adds to a message. */
export const KEY_CIPHER_OVERHEAD = 1 + SEAL_BYTES;

/** The keys of one channel, as they are at the moment of the call: locking and changing a key take effect at once. */
export interface ChannelKeys {
  /** Writes and reads. The error says in words why there is none. */
  current(): Result<Bytes>;
  /** Only read: keys that the channel had before, newest first. */
  earlier(): readonly Bytes[];
  /** Why no key can be had for now although there is one; `undefined` while keys can be had. */
  unavailable(): string | undefined;
}

export interface KeyCipherParts {
  readonly keys: ChannelKeys;
  /** The wire-format marker of the layer. */
  readonly marker: Bytes;
  readonly random?: RandomBytes;
}

export class KeyCipher implements Cipher {
  readonly #keys: ChannelKeys;
  readonly #marker: Bytes;
  readonly #random: RandomBytes;

  constructor({ keys, marker, random = systemRandom }: KeyCipherParts) {
    this.#keys = keys;
    this.#marker = marker;
    this.#random = random;
  }

  unavailable(): string | undefined {
    return this.#keys.unavailable();
  }

  async encrypt(plaintext: Bytes, context: CipherContext): Promise<Result<Bytes>> {
    const key = this.#keys.current();
    if (!key.ok) return key;
    if (key.value.length !== KEY_BYTES) return err(`a channel key has ${KEY_BYTES} bytes, not ${key.value.length}`);
    const sealed = seal(key.value, plaintext, this.#associatedData(context), this.#random);
    return ok(concat(Uint8Array.of(VERSION), sealed));
  }

  async decrypt(ciphertext: Bytes, context: CipherContext): Promise<Result<Bytes>> {
    const [version] = ciphertext;
    if (ciphertext.length < KEY_CIPHER_OVERHEAD) return err("too short to be encrypted with a channel key");
    if (version !== VERSION) return err(`not encrypted with a channel key: version ${version} is unknown`);
    const current = this.#keys.current();
    const sealed = ciphertext.subarray(1);
    const associatedData = this.#associatedData(context);
    for (const key of [...(current.ok ? [current.value] : []), ...this.#keys.earlier()]) {
      if (key.length !== KEY_BYTES) continue;
      const plaintext = open(key, sealed, associatedData);
      if (plaintext !== undefined) return ok(plaintext);
    }
    return current.ok ? err("encrypted with another key, or changed on its way") : current;
  }

  #associatedData({ channelId, contentTopic }: CipherContext): Bytes {
    return lengthPrefixed(this.#marker, utf8(channelId), utf8(contentTopic));
  }
}
