import { type Ordered, SortedEntries } from "./sorted-entries.ts";
import type { Table } from "./table.ts";

/**
 * The keys of a table in ascending order of a number that each row gives, then of the key. Rows that give none are left
 * out. Derived from the table, and so right after a restart and after an event that was undone.
 */
export class OrderedIndex<V> {
  readonly #table: Table<string, V>;
  readonly #sorted: SortedEntries;

  constructor(table: Table<string, V>, orderOf: (row: V) => number | undefined) {
    this.#table = table;
    const loaded: Ordered[] = [];
    let sorted: SortedEntries | undefined;
    table.observe((_key, before, after, entry) => {
      const was = before === undefined ? undefined : orderOf(before);
      const is = after === undefined ? undefined : orderOf(after);
      if (sorted === undefined) {
        if (is !== undefined) loaded.push({ order: is, entry });
      } else if (was !== is) {
        if (was !== undefined) sorted.remove(was, entry);
        if (is !== undefined) sorted.insert(is, entry);
      }
    });
    // Taken out: the observer would keep them for as long as the table lives.
    sorted = new SortedEntries(loaded.splice(0));
    this.#sorted = sorted;
  }

  get size(): number {
    return this.#sorted.size;
  }

  first(): { readonly order: number; readonly key: string } | undefined {
    const [entry, order] = [this.#sorted.first(), this.#sorted.lowest()];
    return entry && order !== undefined ? { order, key: entry.key } : undefined;
  }

  /** Deletes the first row of the table, without looking it up. False where there is none. */
  deleteFirst(): boolean {
    const first = this.#sorted.first();
    if (first) this.#table.deleteEntry(first);
    return first !== undefined;
  }

  /** The highest number. */
  last(): number | undefined {
    return this.#sorted.highest();
  }

  /** Ascending; the table may be changed meanwhile only after the last step. */
  ascending(): Iterable<string> {
    return this.#sorted.ascending();
  }

  /** Descending; the table may be changed meanwhile only after the last step. */
  descending(): Iterable<string> {
    return this.#sorted.descending();
  }
}
