import { type Entry, SortedKeys } from "./sorted-keys.ts";
import type { Table } from "./table.ts";

/**
 * The keys of a table in ascending order of a number that each row gives, then of the key. Rows that give none are left
 * out. Derived from the table, and so right after a restart and after an event that was undone.
 */
export class OrderedIndex<V> {
  readonly #sorted: SortedKeys;

  constructor(table: Table<string, V>, orderOf: (row: V) => number | undefined) {
    const loaded: Entry[] = [];
    let sorted: SortedKeys | undefined;
    table.observe((key, before, after) => {
      const was = before === undefined ? undefined : orderOf(before);
      const is = after === undefined ? undefined : orderOf(after);
      if (sorted === undefined) {
        if (is !== undefined) loaded.push({ order: is, key });
      } else if (was !== is) {
        if (was !== undefined) sorted.remove(was, key);
        if (is !== undefined) sorted.insert(is, key);
      }
    });
    sorted = new SortedKeys(loaded);
    this.#sorted = sorted;
  }

  get size(): number {
    return this.#sorted.size;
  }

  first(): Entry | undefined {
    return this.#sorted.first();
  }

  /** The highest number. */
  last(): number | undefined {
    return this.#sorted.last();
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
