import type { Key } from "./entries.ts";
import { type Ordered, SortedEntries } from "./sorted-entries.ts";
import type { Table } from "./table.ts";

/**
 * The keys of a table in ascending order of a number that follows from each row and its key, then of the key. Rows that have
 * none are left out. Derived from the table, and so right after a restart and after an event that was undone.
 */
export class OrderedIndex<V, K extends Key = string> {
  readonly #table: Table<K, V>;
  readonly #sorted: SortedEntries<K>;

  constructor(table: Table<K, V>, orderOf: (row: V, key: K) => number | undefined) {
    this.#table = table;
    const loaded: Ordered<K>[] = [];
    let sorted: SortedEntries<K> | undefined;
    table.observe((key, before, after, entry) => {
      const was = before === undefined ? undefined : orderOf(before, key);
      const is = after === undefined ? undefined : orderOf(after, key);
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

  first(): { readonly order: number; readonly key: K } | undefined {
    const entry = this.#sorted.first();
    const order = this.#sorted.lowest();
    return entry && order !== undefined ? { order, key: entry.key } : undefined;
  }

  /** Deletes the row that comes first from the table, without looking it up. False where there is none. */
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
  ascending(): Iterable<K> {
    return this.#sorted.ascending();
  }

  /** Descending; the table may be changed meanwhile only after the last step. */
  descending(): Iterable<K> {
    return this.#sorted.descending();
  }
}
