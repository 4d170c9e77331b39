import type { Clock } from "../../../src/common/clock.ts";
import { systemClock } from "../../../src/common/clock.ts";

/** A clock that tells what a test sets, for windows and lifetimes that nobody wants to wait for. Timers are real. */
export class SettableClock implements Clock {
  #now: number;

  constructor(now = Date.now()) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  set(ms: number): void {
    this.#now = ms;
  }

  advance(ms: number): void {
    this.#now += ms;
  }

  after(delayMs: number, callback: () => void): () => void {
    return systemClock.after(delayMs, callback);
  }
}
