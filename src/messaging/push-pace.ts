import { LIMITS } from "../limits.ts";

/** Share of the full rate below which it never falls. */
const SLOWEST = 1 / 8;
/** Share of the full rate that each admitted request gives back after a rejection. */
const RECOVERY = 1 / 64;

const { lightpushBurst, lightpushPerSecond, lightpushRequests, lightpushWindowMs } = LIMITS.messaging;

/**
 * Paces the requests to one lightpush node below what it admits: a token bucket, and no more requests than a window of
 * the node has. A rejection empties the bucket for the rest of that window and halves the rate; every request that is
 * admitted raises it a little again.
 *
 * What counts is when requests arrive, and that is only known to be between their start and their end. Some may be
 * slower than others and arrive together, so each counts from its start until a window after its end.
 */
export class PushPace {
  #tokens: number = lightpushBurst;
  #rate = 1;
  /** When the tokens were counted; absent until the first request ended, as a node's own bucket starts with that one. */
  #at: number | undefined;
  #underWay = 0;
  /** When requests ended, within the last window. */
  #ended: number[] = [];

  /** Takes a token and starts a request, where there is one to take. All times are milliseconds since the Unix epoch. */
  start(now: number): boolean {
    if (this.readyAt(now) > now) return false;
    this.#tokens--;
    this.#underWay++;
    return true;
  }

  /** A request that was started was answered, or failed. */
  ended(now: number): void {
    this.#at ??= now;
    this.#underWay--;
    this.#ended.push(now);
  }

  /** When `start` succeeds next; infinite where a request must end before. */
  readyAt(now: number): number {
    this.#refill(now);
    return Math.max(this.#tokenAt(now), this.#placeAt(now));
  }

  admitted(): void {
    this.#rate = Math.min(1, this.#rate + RECOVERY);
  }

  rejected(now: number): void {
    this.#refill(now);
    this.#rate = Math.max(SLOWEST, this.#rate / 2);
    this.#tokens = 0;
    this.#at = now + lightpushWindowMs;
  }

  #tokenAt(now: number): number {
    if (this.#tokens >= 1) return now;
    return this.#at === undefined ? Number.POSITIVE_INFINITY : Math.ceil(this.#at + (1 - this.#tokens) / this.#perMs());
  }

  /** When the node's window has a place. */
  #placeAt(now: number): number {
    this.#ended = this.#ended.filter((at) => at > now - lightpushWindowMs);
    const tooMany = this.#underWay + this.#ended.length - lightpushRequests;
    if (tooMany < 0) return now;
    const gone = this.#ended[tooMany];
    return gone === undefined ? Number.POSITIVE_INFINITY : gone + lightpushWindowMs;
  }

  #refill(now: number): void {
    if (this.#at === undefined || now <= this.#at) return;
    this.#tokens = Math.min(lightpushBurst, this.#tokens + (now - this.#at) * this.#perMs());
    this.#at = now;
  }

  #perMs(): number {
    return (this.#rate * lightpushPerSecond) / 1000;
  }
}
