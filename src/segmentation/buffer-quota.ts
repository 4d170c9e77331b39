/** What a buffer may hold in all. When that is exceeded, whoever holds more than an equal share makes room. */

/** One item of the buffer, or the sum of several. */
export interface Usage {
  readonly sets: number;
  readonly bytes: number;
  readonly segments: number;
}

const NOTHING: Usage = { sets: 0, bytes: 0, segments: 0 };
const MEASURES = ["sets", "bytes", "segments"] as const;

/** Keeps count of a buffer: in all, and by sender. */
export class BufferQuota {
  readonly #limit: Usage;
  readonly #usage = new Map<string, Usage>();
  #total = NOTHING;

  constructor(limit: Usage) {
    this.#limit = limit;
  }

  add(senderId: string, usage: Usage): void {
    this.#change(senderId, usage, 1);
  }

  remove(senderId: string, usage: Usage): void {
    this.#change(senderId, usage, -1);
  }

  /**
   * Whether a sender has to make room, or `undefined` while there is no need. As the limit is shared by all senders that
   * hold something, at least one of them always has to, and one that stays within its share never has to: a flood
   * displaces itself (LIP-243 "Denial of Service": per-sender quotas).
   */
  exceeded(): ((senderId: string) => boolean) | undefined {
    const measure = MEASURES.find((name) => this.#total[name] > this.#limit[name]);
    if (measure === undefined) return undefined;
    const share = this.#limit[measure] / this.#usage.size;
    return (senderId) => (this.#usage.get(senderId) ?? NOTHING)[measure] > share;
  }

  #change(senderId: string, usage: Usage, sign: 1 | -1): void {
    this.#total = sum(this.#total, usage, sign);
    const own = sum(this.#usage.get(senderId) ?? NOTHING, usage, sign);
    if (own.sets === 0) this.#usage.delete(senderId);
    else this.#usage.set(senderId, own);
  }
}

function sum(a: Usage, b: Usage, sign: 1 | -1): Usage {
  return { sets: a.sets + sign * b.sets, bytes: a.bytes + sign * b.bytes, segments: a.segments + sign * b.segments };
}
