import { LIMITS } from "../limits.ts";

/** Share of the full rate below which it never falls. */
const SLOWEST = 1 / 8;
/** Share of the full rate that each admitted request gives back after a rejection. */
const RECOVERY = 1 / 64;

/**
 * Paces the requests to one lightpush node below what it admits. A rejection empties the bucket for the rest of the
 * node's window and halves the rate; every request that is admitted raises it a little again.
 */
export class TokenBucket {
  #tokens: number = LIMITS.messaging.lightpushBurst;
  #rate = 1;
  #at: number;

  /** All times are milliseconds since the Unix epoch. */
  constructor(now: number) {
    this.#at = now;
  }

  take(now: number): boolean {
    this.#refill(now);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** When `take` succeeds next. */
  readyAt(now: number): number {
    this.#refill(now);
    return this.#tokens >= 1 ? now : Math.ceil(this.#at + (1 - this.#tokens) / this.#perMs());
  }

  admitted(): void {
    this.#rate = Math.min(1, this.#rate + RECOVERY);
  }

  rejected(now: number): void {
    this.#refill(now);
    this.#rate = Math.max(SLOWEST, this.#rate / 2);
    this.#tokens = 0;
    this.#at = now + LIMITS.messaging.lightpushPauseMs;
  }

  #refill(now: number): void {
    if (now <= this.#at) return;
    this.#tokens = Math.min(LIMITS.messaging.lightpushBurst, this.#tokens + (now - this.#at) * this.#perMs());
    this.#at = now;
  }

  #perMs(): number {
    return (this.#rate * LIMITS.messaging.lightpushPerSecond) / 1000;
  }
}
