import type { Clock } from "../../src/common/clock.ts";

/** A clock on which time passes `factor` times as fast as outside, for runs that are about hours and have minutes. */
export class AcceleratedClock implements Clock {
  readonly #factor: number;
  readonly #startedAt = Date.now();

  constructor(factor: number) {
    this.#factor = factor;
  }

  now(): number {
    return this.#startedAt + Math.floor((Date.now() - this.#startedAt) * this.#factor);
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = setTimeout(callback, delayMs / this.#factor);
    return () => clearTimeout(timer);
  }

  /** Resolves after `ms` of this clock. */
  pass(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }
}
