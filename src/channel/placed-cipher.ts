import { type Bytes, ownBytes } from "../common/bytes.ts";
import { err, ok, type Result, reasonOf } from "../common/result.ts";
import { type Cipher, type CipherContext, encryptAll, type Placement } from "../encryption/cipher.ts";
import type { SdsLayout } from "../sds/layout.ts";
import type { ReceivedMessage } from "./ports.ts";
import type { ChannelError, EncryptionMode } from "./types.ts";

/** What decryption made of a message. */
export interface Decrypted {
  /** The SDS message, or why there is none. */
  readonly wire: Result<Bytes>;
  /** The plaintext of what it carries, or why there is none, where that was encrypted by itself and is for us. */
  readonly content?: Result<Bytes>;
}

export interface PlacedCipherParts {
  readonly cipher: Cipher;
  readonly mode: EncryptionMode;
  readonly placement: Placement;
  readonly context: CipherContext;
  readonly layout: SdsLayout;
  readonly senderId: () => string;
}

/** The cipher of a channel where its placement puts it: around each SDS message, or around the segment inside. */
export class PlacedCipher {
  readonly #parts: PlacedCipherParts;

  constructor(parts: PlacedCipherParts) {
    this.#parts = parts;
  }

  /** It can do nothing for now. */
  get isAway(): boolean {
    return this.#parts.cipher.unavailable?.() !== undefined;
  }

  /** Nothing that others wait for may wait for it. */
  get isSlow(): boolean {
    return this.#parts.cipher.slow === true;
  }

  /** What stands in the outbox waits for it. With placement `content`, that was encrypted when it was accepted. */
  get holdsOutgoing(): boolean {
    return this.#parts.placement === "envelope" && this.isAway;
  }

  /** Why nothing can be sent for now. Where a page encrypts envelopes, what is sent waits for it to come back. */
  get refusal(): ChannelError | undefined {
    const { cipher, mode, placement } = this.#parts;
    const message = cipher.unavailable?.();
    if (message === undefined) return undefined;
    if (mode === "key") return { kind: "locked", message };
    return placement === "content" ? encryptionFailed(message) : undefined;
  }

  /** With placement `content`: these segments, each encrypted. */
  async encryptContents(segments: readonly Bytes[]): Promise<Result<readonly Bytes[], ChannelError>> {
    const { cipher, context } = this.#parts;
    if (this.refusal) return err(this.refusal);
    const encrypted = await encryptAll(cipher, segments, context);
    return encrypted.ok ? encrypted : err(this.refusal ?? encryptionFailed(encrypted.error));
  }

  /** What is dispatched of an SDS message; nothing where the cipher is away, or went away over it. */
  async encryptWire(wire: Bytes): Promise<Result<Bytes> | undefined> {
    const { cipher, context, placement } = this.#parts;
    if (placement === "content") return ok(wire);
    const encrypted = await attempt(() => cipher.encrypt(wire, context));
    return !encrypted.ok && this.isAway ? undefined : encrypted;
  }

  /** Nothing where the cipher is away, or went away over it: that is no verdict on the message. */
  async decrypt({ payload }: ReceivedMessage): Promise<Decrypted | undefined> {
    if (this.isAway) return undefined;
    const { cipher, context, placement } = this.#parts;
    const decrypted =
      placement === "envelope"
        ? { wire: await attempt(() => cipher.decrypt(payload, context)) }
        : await this.#decryptContent(payload);
    const { wire, content = wire } = decrypted;
    return !content.ok && this.isAway ? undefined : decrypted;
  }

  /** The cipher comes after the routing: it sees nothing of other channels, of our own messages and of syncs. */
  async #decryptContent(wire: Bytes): Promise<Decrypted> {
    const { cipher, context, layout, senderId: own } = this.#parts;
    const decoded = layout.decode(wire);
    if (!decoded.ok) return { wire: ok(wire) };
    const { channelId, senderId, content } = decoded.value;
    if (channelId !== context.channelId || senderId === own() || content.length === 0) return { wire: ok(wire) };
    return { wire: ok(wire), content: await attempt(() => cipher.decrypt(ownBytes(content), context)) };
  }
}

export function encryptionFailed(reason: string): ChannelError {
  return { kind: "encryption-failed", message: `encryption failed: ${reason}` };
}

/** A cipher that throws has failed. */
async function attempt(work: () => Promise<Result<Bytes>>): Promise<Result<Bytes>> {
  try {
    return await work();
  } catch (thrown) {
    return err(reasonOf(thrown));
  }
}
