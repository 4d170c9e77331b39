import type { Table } from "../common/table.ts";

interface Timed {
  readonly senderId: string;
  readonly lamport: number;
}

/** The Lamport times of each sender's messages in a table, ascending. Derived from the rows, so it follows every undo. */
export class SenderTimes<V extends Timed> {
  readonly #times = new Map<string, number[]>();

  constructor(table: Table<string, V>) {
    table.observe((_key, before, after) => {
      if (before?.senderId === after?.senderId && before?.lamport === after?.lamport) return;
      if (before) this.#remove(before);
      if (after) this.#insert(after);
    });
  }

  /** That of the newest message of a sender that is older than `lamport`. */
  newestBefore(senderId: string, lamport = Number.POSITIVE_INFINITY): number | undefined {
    const times = this.#times.get(senderId) ?? [];
    return times[positionOf(times, lamport) - 1];
  }

  #insert({ senderId, lamport }: Timed): void {
    const times = this.#times.get(senderId);
    if (times === undefined) this.#times.set(senderId, [lamport]);
    else times.splice(positionOf(times, lamport), 0, lamport);
  }

  #remove({ senderId, lamport }: Timed): void {
    const times = this.#times.get(senderId);
    const position = times === undefined ? -1 : positionOf(times, lamport);
    if (times?.[position] !== lamport) return;
    if (times.length === 1) this.#times.delete(senderId);
    else times.splice(position, 1);
  }
}

/** The place of the first that is not below `lamport`. */
function positionOf(times: readonly number[], lamport: number): number {
  // Most often at the end.
  if ((times.at(-1) ?? Number.NEGATIVE_INFINITY) < lamport) return times.length;
  let [low, high] = [0, times.length - 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] ?? 0) < lamport) low = middle + 1;
    else high = middle;
  }
  return low;
}
