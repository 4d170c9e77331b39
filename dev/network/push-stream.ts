import type { Connection, Stream } from "@libp2p/interface";
import { lengthPrefixed } from "../../src/messaging/length-prefix.ts";
import { CODEC } from "./protocols.ts";

interface Queued {
  readonly bytes: Uint8Array;
  readonly written: () => void;
}

/** The one stream of a connection that carries all pushes to its peer, one frame each. */
export class PushStream {
  readonly #queue: Queued[] = [];
  #wake: (() => void) | undefined;
  readonly #onClose: () => void;
  #closed = false;

  static async open(connection: Connection, onClose: () => void): Promise<PushStream> {
    return new PushStream(await connection.newStream(CODEC.filterPush), onClose);
  }

  private constructor(stream: Stream, onClose: () => void) {
    this.#onClose = onClose;
    stream.sink(this.#frames()).then(
      () => this.#close(),
      () => this.#close(),
    );
    // The peer says nothing here, but its closing has to be read.
    drain(stream).then(
      () => this.#close(),
      () => this.#close(),
    );
  }

  /** Resolves when the push has been handed to the connection, or when the stream is gone. */
  write(push: Uint8Array): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((written) => {
      this.#queue.push({ bytes: lengthPrefixed(push), written });
      this.#wake?.();
    });
  }

  async *#frames(): AsyncGenerator<Uint8Array> {
    while (!this.#closed) {
      const next = this.#queue.shift();
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      yield next.bytes;
      next.written();
    }
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose();
    for (const { written } of this.#queue.splice(0)) written();
    this.#wake?.();
  }
}

async function drain(stream: Stream): Promise<void> {
  for await (const _ of stream.source);
}
