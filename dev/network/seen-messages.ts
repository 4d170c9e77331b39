import type { Clock } from "../../src/common/clock.ts";

/**
 * What gossipsub has seen, by the network's own clock.
 *
 * It stands in for gossipsub's cache, which only knows the clock of the machine, so that tests can let the duplicate
 * window pass without waiting for it.
 */
export class SeenMessages {
  readonly #clock: Clock;
  readonly #lifetimeMs: number;
  readonly #until = new Map<string, number>();

  constructor(clock: Clock, lifetimeMs: number) {
    this.#clock = clock;
    this.#lifetimeMs = lifetimeMs;
  }

  get size(): number {
    return this.#until.size;
  }

  has(id: string): boolean {
    return (this.#until.get(id) ?? Number.NEGATIVE_INFINITY) >= this.#clock.now();
  }

  /** True where the message is known already. */
  put(id: string): boolean {
    if (this.has(id)) return true;
    this.#until.delete(id);
    this.#until.set(id, this.#clock.now() + this.#lifetimeMs);
    return false;
  }

  prune(): void {
    for (const [id, until] of this.#until) {
      if (until >= this.#clock.now()) break;
      this.#until.delete(id);
    }
  }

  clear(): void {
    this.#until.clear();
  }
}
