import type { Table } from "../common/table.ts";

interface Timed {
  readonly senderId: string;
  readonly lamport: number;
}

/** The Lamport times of each sender's messages in a table, ascending. Derived from the rows, so it follows every undo. */
export class SenderTimes<V extends Timed> {
  readonly #times = new Map<string, AscendingTimes>();

  constructor(table: Table<string, V>) {
    table.observe((_key, before, after) => {
      if (before?.senderId === after?.senderId && before?.lamport === after?.lamport) return;
      if (before) this.#remove(before);
      if (after) this.#insert(after);
    });
  }

  /** That of the newest message of a sender that is older than `lamport`. */
  newestBefore(senderId: string, lamport = Number.POSITIVE_INFINITY): number | undefined {
    return this.#times.get(senderId)?.newestBefore(lamport);
  }

  #insert({ senderId, lamport }: Timed): void {
    let times = this.#times.get(senderId);
    if (times === undefined) {
      times = new AscendingTimes();
      this.#times.set(senderId, times);
    }
    times.insert(lamport);
  }

  #remove({ senderId, lamport }: Timed): void {
    const times = this.#times.get(senderId);
    times?.remove(lamport);
    if (times?.size === 0) this.#times.delete(senderId);
  }
}

/** Entries taken away at the front before the array is moved up. */
const COMPACT_AT = 1024;

/** Almost every change is at one of its ends: what is new comes last, and what is forgotten is the oldest. */
class AscendingTimes {
  #times: number[] = [];
  #head = 0;

  get size(): number {
    return this.#times.length - this.#head;
  }

  insert(lamport: number): void {
    const newest = this.#times.at(-1);
    if (newest === undefined || newest <= lamport) this.#times.push(lamport);
    else this.#times.splice(this.#positionOf(lamport), 0, lamport);
  }

  remove(lamport: number): void {
    const position = this.#positionOf(lamport);
    if (this.#times[position] !== lamport) return;
    if (position > this.#head) this.#times.splice(position, 1);
    else {
      this.#head++;
      if (this.#head > COMPACT_AT && this.#head * 2 > this.#times.length) {
        this.#times = this.#times.slice(this.#head);
        this.#head = 0;
      }
    }
  }

  newestBefore(lamport: number): number | undefined {
    const position = this.#positionOf(lamport);
    return position > this.#head ? this.#times[position - 1] : undefined;
  }

  /** The place of the first that is not below `lamport`. */
  #positionOf(lamport: number): number {
    let [low, high] = [this.#head, this.#times.length];
    if (low === high || (this.#times[low] ?? 0) >= lamport) return low;
    if ((this.#times[high - 1] ?? 0) < lamport) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#times[middle] ?? 0) < lamport) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
