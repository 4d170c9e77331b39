import type { Bytes } from "../../src/common/bytes.ts";
import { FrameReader } from "../../src/messaging/length-prefix.ts";

/** Bytes of one frame at most: more than the largest request that a node reads. */
const FRAME_BYTES = 16 * 1024 * 1024;

/** What a libp2p stream yields. */
type Chunks = AsyncIterable<{ subarray(): Uint8Array }>;

/** The length-prefixed frames of one stream, one by one. */
export class FrameStream {
  readonly #chunks: AsyncIterator<{ subarray(): Uint8Array }>;
  readonly #reader = new FrameReader(FRAME_BYTES);
  readonly #ready: Bytes[] = [];

  constructor(chunks: Chunks) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next frame, or `undefined` where the stream ended before one was complete. Throws if the stream was reset. */
  async next(): Promise<Bytes | undefined> {
    while (this.#ready.length === 0) {
      const chunk = await this.#chunks.next();
      if (chunk.done === true) return undefined;
      this.#ready.push(...this.#reader.push(chunk.value.subarray()));
    }
    return this.#ready.shift();
  }

  /** Reads and forgets what is left, until the other side closes. */
  async drain(): Promise<void> {
    while ((await this.#chunks.next()).done !== true);
  }
}
