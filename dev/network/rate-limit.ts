/**
 * What logos-delivery admits by default (`--rate-limit=lightpush:5/1s`, `filter:100/1s`, no limit on the store).
 * Opening a stream takes the token, whatever is sent on it.
 */

/** Tells whether a request of `peer` is admitted at `now` milliseconds; a refused one may still cost a token. */
export interface RateLimiter {
  admit(peer: string, now: number): boolean;
}

export const UNLIMITED: RateLimiter = { admit: () => true };

/** Refills by and by. */
class ContinuousBucket {
  readonly #capacity: number;
  readonly #periodMs: number;
  #tokens: number;
  #at: number;

  constructor(capacity: number, periodMs: number, tokens: number, now: number) {
    this.#capacity = capacity;
    this.#periodMs = periodMs;
    this.#tokens = tokens;
    this.#at = now;
  }

  take(now: number): boolean {
    this.#tokens = Math.min(this.#capacity, this.#tokens + ((now - this.#at) * this.#capacity) / this.#periodMs);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

/** Refills in one step when its period is over. */
interface Window {
  startedAt: number;
  usedAt: number;
  tokens: number;
}

/** Lightpush: tokens per second and peer window stretched tenfold, three quarters of it for any one peer. */
export class LightpushLimiter implements RateLimiter {
  static readonly periodMs = 10_000;
  static readonly globalTokens = 50;
  static readonly firstTokens = 5;
  static readonly peerTokens = 37;

  readonly #peers = new Map<string, Window>();
  #global: ContinuousBucket | undefined;

  admit(peer: string, now: number): boolean {
    const { periodMs, globalTokens, firstTokens } = LightpushLimiter;
    this.#global ??= new ContinuousBucket(globalTokens, periodMs, firstTokens, now);
    const window = this.#windowOf(peer, now);
    window.usedAt = now;
    if (window.tokens === 0) return false;
    window.tokens--;
    // A refusal for want of global tokens has cost the peer its own token all the same.
    return this.#global.take(now);
  }

  #windowOf(peer: string, now: number): Window {
    const { periodMs, peerTokens } = LightpushLimiter;
    const known = this.#peers.get(peer);
    if (known === undefined || now - known.usedAt > 2 * periodMs) {
      const fresh = { startedAt: now, usedAt: now, tokens: peerTokens };
      this.#peers.set(peer, fresh);
      return fresh;
    }
    if (now - known.startedAt >= periodMs) {
      known.startedAt = now;
      known.tokens = peerTokens;
    }
    return known;
  }
}

/** Filter: each peer for itself. */
export class FilterLimiter implements RateLimiter {
  static readonly periodMs = 1_000;
  static readonly peerTokens = 100;

  readonly #peers = new Map<string, ContinuousBucket>();

  admit(peer: string, now: number): boolean {
    const { periodMs, peerTokens } = FilterLimiter;
    let bucket = this.#peers.get(peer);
    if (bucket === undefined) {
      bucket = new ContinuousBucket(peerTokens, periodMs, peerTokens, now);
      this.#peers.set(peer, bucket);
    }
    return bucket.take(now);
  }
}
