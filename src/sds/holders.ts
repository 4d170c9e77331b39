import type { Holder, SdsTables } from "./tables.ts";

/**
 * Which participants have how much of our messages in several parts. Such a message is delivered when one of them has all its
 * parts: that each part is with somebody does not mean that anybody has the message.
 *
 * Of each message those few are remembered that have most of it. Whoever shows later that it has all needs no memory.
 */
export class Holders {
  readonly #rows: SdsTables["holders"];
  readonly #most: number;

  constructor(rows: SdsTables["holders"], most: number) {
    this.#rows = rows;
    this.#most = most;
  }

  /** Whether the participant is known to have that part. */
  has(whole: string, participantId: string, index: number): boolean {
    return hasPart(this.#of(whole, participantId)?.parts ?? 0n, index);
  }

  /** It has these parts too. Returns whether it has all now. */
  add(whole: string, participantId: string, indexes: readonly number[], total: number): boolean {
    const known = this.#of(whole, participantId);
    const parts = indexes.reduce((bits, index) => bits | (1n << BigInt(index)), known?.parts ?? 0n);
    if (countOf(parts) === total) return true;
    // Without a name it cannot be told from others without one.
    if (participantId === "" || parts === known?.parts) return false;
    const others = this.#holders(whole).filter((holder) => holder !== known);
    const holders = [...others, { participantId, parts }].sort((a, b) => countOf(b.parts) - countOf(a.parts));
    this.#rows.put(whole, { holders: holders.slice(0, this.#most) });
    return false;
  }

  /** Whether the participant that has most of the message has that part: of several that have as much, the one that was first. */
  furthestHas(whole: string, index: number): boolean {
    return hasPart(this.#holders(whole)[0]?.parts ?? 0n, index);
  }

  remove(whole: string): void {
    this.#rows.delete(whole);
  }

  #holders(whole: string): readonly Holder[] {
    return this.#rows.get(whole)?.holders ?? [];
  }

  #of(whole: string, participantId: string): Holder | undefined {
    return this.#holders(whole).find((holder) => holder.participantId === participantId);
  }
}

function hasPart(parts: bigint, index: number): boolean {
  return (parts & (1n << BigInt(index))) !== 0n;
}

function countOf(parts: bigint): number {
  let count = 0;
  for (let rest = parts; rest > 0n; rest &= rest - 1n) count++;
  return count;
}
