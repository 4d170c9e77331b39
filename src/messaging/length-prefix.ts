/** Frames with an unsigned varint of their length before them, as every libp2p request and response is sent. */
import { type Bytes, concat } from "../common/bytes.ts";

export function lengthPrefixed(message: Uint8Array): Bytes {
  const prefix: number[] = [];
  let rest = message.length;
  while (rest >= 0x80) {
    prefix.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  prefix.push(rest);
  return concat(Uint8Array.from(prefix), message);
}

/** A length of four bytes reaches 256 MiB, beyond every bound in use. */
const MAX_PREFIX_BYTES = 4;

/**
 * Cuts a stream of bytes into its frames. Throws where a frame claims more than `maxBytes`; nothing is allocated from a
 * claimed length before the bytes are there.
 */
export class FrameReader {
  readonly #maxBytes: number;
  #chunks: Uint8Array[] = [];
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The frames that are complete with `chunk`. */
  push(chunk: Uint8Array): readonly Bytes[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const frames: Bytes[] = [];
    for (;;) {
      const header = this.#header();
      if (!header || this.#length < header.prefix + header.length) return frames;
      const held = this.#chunks.length === 1 && this.#chunks[0] ? this.#chunks[0] : concat(...this.#chunks);
      frames.push(held.slice(header.prefix, header.prefix + header.length));
      const rest = held.subarray(header.prefix + header.length);
      this.#chunks = rest.length > 0 ? [rest] : [];
      this.#length = rest.length;
    }
  }

  #header(): { readonly prefix: number; readonly length: number } | undefined {
    let length = 0;
    let prefix = 0;
    for (const chunk of this.#chunks) {
      for (const byte of chunk) {
        length |= (byte & 0x7f) << (7 * prefix);
        prefix++;
        if (byte < 0x80) {
          if (length > this.#maxBytes) throw new Error(`a frame of ${length} bytes exceeds ${this.#maxBytes}`);
          return { prefix, length };
        }
        if (prefix === MAX_PREFIX_BYTES) throw new Error("a frame claims an absurd length");
      }
    }
    return undefined;
  }
}
