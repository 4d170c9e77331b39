/**
 * Length-prefixed frames, as all Waku protocols put them on their streams: an unsigned varint, then that many bytes.
 */
import { concat } from "../../src/common/bytes.ts";

/** Bytes of one frame at most: more than the largest request that a node reads. */
const FRAME_BYTES = 16 * 1024 * 1024;

export function frame(message: Uint8Array): Uint8Array {
  const prefix: number[] = [];
  let rest = message.length;
  while (rest >= 0x80) {
    prefix.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  prefix.push(rest);
  return concat(Uint8Array.from(prefix), message);
}

/** What a libp2p stream yields. */
type Chunks = AsyncIterable<{ subarray(): Uint8Array }>;

export class FrameReader {
  readonly #chunks: AsyncIterator<{ subarray(): Uint8Array }>;
  #buffered: Uint8Array = new Uint8Array(0);

  constructor(chunks: Chunks) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next frame, or `undefined` where the stream ended before one was complete. Throws if the stream was reset. */
  async next(): Promise<Uint8Array | undefined> {
    const pending: Uint8Array[] = [this.#buffered];
    let have = this.#buffered.length;
    let need: { readonly start: number; readonly end: number } | undefined = prefixOf(this.#buffered);
    while (need === undefined || have < need.end) {
      const chunk = await this.#chunks.next();
      if (chunk.done === true) return undefined;
      const bytes = chunk.value.subarray();
      pending.push(bytes);
      have += bytes.length;
      need ??= prefixOf(concat(...pending));
    }
    const all = concat(...pending);
    this.#buffered = all.subarray(need.end);
    return all.subarray(need.start, need.end);
  }

  /** Reads and forgets what is left, until the other side closes. */
  async drain(): Promise<void> {
    while ((await this.#chunks.next()).done !== true);
  }
}

/** Where the first frame starts and ends, once its length can be read. */
function prefixOf(bytes: Uint8Array): { readonly start: number; readonly end: number } | undefined {
  let length = 0;
  for (const [i, byte] of bytes.subarray(0, 5).entries()) {
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) {
      if (length > FRAME_BYTES) throw new Error(`frame of ${length} bytes`);
      return { start: i + 1, end: i + 1 + length };
    }
  }
  if (bytes.length >= 5) throw new Error("frame length is no varint");
  return undefined;
}
