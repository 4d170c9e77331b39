import type { Clock } from "../../../src/common/clock.ts";
import { macrotask } from "./macrotask.ts";

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that stands still until a test moves it. Timers fire in the order of their times. */
export class VirtualClock implements Clock {
  #now: number;
  readonly #timers = new Set<Timer>();

  constructor(now = 1_800_000_000_000) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, delayMs), callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#timers.size;
  }

  /** When the earliest timer fires, milliseconds since the Unix epoch. */
  get next(): number | undefined {
    return this.#earliest()?.at;
  }

  /** Lets everything that is already possible happen, without any time passing. */
  async settle(): Promise<void> {
    await settle();
  }

  /** Moves on by `ms`, stopping at every timer on the way until what it started has come to rest. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const next = this.#earliest();
      if (!next || next.at > end) break;
      this.#now = Math.max(this.#now, next.at);
      this.#timers.delete(next);
      next.callback();
      await settle();
    }
    this.#now = end;
  }

  /** The machine sleeps: time passes and no timer fires, until all that are due do at once. */
  async sleep(ms: number): Promise<void> {
    this.#now += ms;
    await this.advance(0);
  }

  #earliest(): Timer | undefined {
    let earliest: Timer | undefined;
    for (const timer of this.#timers) if (!earliest || timer.at < earliest.at) earliest = timer;
    return earliest;
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await macrotask();
}
