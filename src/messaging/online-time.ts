import { LIMITS } from "../limits.ts";

/**
 * How long there was somebody to talk to: the time that the windows of the send service are made of. A machine that slept
 * was not online, whatever its connections looked like; so no two readings count for more than they may lie apart.
 */
export class OnlineTime {
  #total = 0;
  #since: number | undefined;

  /** Notes whether a usable peer is there from `now` on. To be called every `onlineStepMs` at least. */
  update(online: boolean, now: number): void {
    this.#total = this.total(now);
    this.#since = online ? now : undefined;
  }

  /** Milliseconds online since this object was made. */
  total(now: number): number {
    if (this.#since === undefined) return this.#total;
    return this.#total + Math.min(Math.max(0, now - this.#since), 2 * LIMITS.messaging.onlineStepMs);
  }
}
