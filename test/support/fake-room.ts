import type { StorageRoom } from "../../src/channel/ports.ts";

/** Storage that is full when a test says so. */
export class FakeRoom implements StorageRoom {
  readonly #listeners = new Set<() => void>();
  #isFull = false;

  isFull(): boolean {
    return this.#isFull;
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  fill(): void {
    this.#become(true);
  }

  clear(): void {
    this.#become(false);
  }

  #become(isFull: boolean): void {
    this.#isFull = isFull;
    for (const listener of this.#listeners) listener();
  }
}
