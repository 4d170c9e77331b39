/**
 * Knows whether the extension may store more: as the browser tells how much is used, and as it refuses to write.
 *
 * What is stored in all is bounded, or one site could take the extension away from all others. Only the browser knows how
 * much it is: rows that go do not say how large they were, and their room is free when it tidies up. So it is read from
 * time to time, and in between the bound may be passed by a little. A browser that does not tell is not bounded but by its
 * refusals: what we would guess grows with every error, and in the end would stop every channel for good.
 *
 * A refusal ends the engine (`Transactor`), and so a meter belongs to the worker. It is not stored: there is no room. The
 * next worker is refused once more, and then knows it as well.
 */
import type { StorageRoom } from "../channel/ports.ts";
import type { Clock } from "../common/clock.ts";
import { LIMITS } from "../limits.ts";

const { bytes: MOST_BYTES, ofQuota, readAfterBytes, readEveryMs, refusedMs, restMs, resumeBelow } = LIMITS.storage;

export interface MeterParts {
  /** `navigator.storage.estimate`, in bytes. May reject. */
  readonly estimate: () => Promise<{ readonly usage?: number; readonly quota?: number }>;
  readonly clock: Clock;
}

export class StorageMeter implements StorageRoom {
  readonly #parts: MeterParts;
  readonly #listeners = new Set<() => void>();
  #isFull = false;
  /** What fraction of the bound was used when it was read last: 1 and more is full. */
  #fullness = 0;
  /** Bytes written since. */
  #written = 0;
  /** Milliseconds since the Unix epoch. */
  #readAt = 0;
  #cancelReading: () => void = () => {};
  /** It is to be read as soon as may be. */
  #isDue = false;
  /** While a refusal counts: ends its time. */
  #cancelRefusal: (() => void) | undefined;

  /** Knows nothing before the first `read`, after which it reads by itself. */
  constructor(parts: MeterParts) {
    this.#parts = parts;
  }

  isFull(): boolean {
    return this.#isFull;
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Never rejects: what is not told is as it was. */
  async read(): Promise<void> {
    this.#isDue = false;
    this.#written = 0;
    this.#readAt = this.#parts.clock.now();
    this.#readAfter(readEveryMs);
    const { usage, quota } = await this.#parts.estimate().catch(() => ({ usage: undefined, quota: undefined }));
    if (usage !== undefined) {
      const granted = quota === undefined ? MOST_BYTES : quota * ofQuota;
      this.#fullness = usage / Math.min(MOST_BYTES, granted);
    }
    this.#judge();
  }

  /** So many bytes of content were written. Where it is full, what was written may be that something is gone. */
  onWritten(bytes: number): void {
    this.#written += bytes;
    if (this.#isDue || (!this.#isFull && this.#written < readAfterBytes)) return;
    this.#isDue = true;
    const restedMs = this.#parts.clock.now() - this.#readAt;
    this.#readAfter(Math.min(restMs, Math.max(0, restMs - restedMs)));
  }

  /** The browser wrote nothing of a commit, for want of room. The disk may be full of other things. */
  onRefused(): void {
    this.#cancelRefusal?.();
    this.#cancelRefusal = this.#parts.clock.after(refusedMs, () => {
      this.#cancelRefusal = undefined;
      void this.read();
    });
    this.#judge();
  }

  #readAfter(delayMs: number): void {
    this.#cancelReading();
    this.#cancelReading = this.#parts.clock.after(delayMs, () => void this.read());
  }

  #judge(): void {
    const isFull = this.#cancelRefusal !== undefined || this.#fullness >= (this.#isFull ? resumeBelow : 1);
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    for (const listener of this.#listeners) listener();
  }
}
