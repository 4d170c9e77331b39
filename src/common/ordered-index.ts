import type { Table } from "./table.ts";

/** Entries dropped at the front before the arrays are moved up. */
const COMPACT_AT = 1024;

/**
 * The keys of a table in ascending order of a number that each row gives, then of the key. Rows that give none are left
 * out. Derived from the table, and so right after a restart and after an event that was undone.
 *
 * A sorted array: almost every change is at one of its ends, where it costs nothing.
 */
export class OrderedIndex<V> {
  #orders: number[] = [];
  #keys: string[] = [];
  #head = 0;

  constructor(table: Table<string, V>, orderOf: (row: V) => number | undefined) {
    const loaded: { readonly order: number; readonly key: string }[] = [];
    let loading = true;
    table.observe((key, before, after) => {
      const was = before === undefined ? undefined : orderOf(before);
      const is = after === undefined ? undefined : orderOf(after);
      if (loading) {
        if (is !== undefined) loaded.push({ order: is, key });
      } else if (was !== is) {
        if (was !== undefined) this.#remove(was, key);
        if (is !== undefined) this.#insert(is, key);
      }
    });
    loading = false;
    loaded.sort((a, b) => a.order - b.order || (a.key < b.key ? -1 : 1));
    this.#orders = loaded.map(({ order }) => order);
    this.#keys = loaded.map(({ key }) => key);
  }

  get size(): number {
    return this.#keys.length - this.#head;
  }

  first(): { readonly order: number; readonly key: string } | undefined {
    const [order, key] = [this.#orders[this.#head], this.#keys[this.#head]];
    return order === undefined || key === undefined ? undefined : { order, key };
  }

  /** The highest number. */
  last(): number | undefined {
    return this.size === 0 ? undefined : this.#orders.at(-1);
  }

  /** Ascending; the table may be changed meanwhile only after the last step. */
  ascending(): Iterable<string> {
    return new Walk(this.#keys, this.#head, this.#keys.length);
  }

  /** Descending; the table may be changed meanwhile only after the last step. */
  descending(): Iterable<string> {
    return new Walk(this.#keys, this.#keys.length - 1, this.#head - 1);
  }

  #insert(order: number, key: string): void {
    const position = this.#positionOf(order, key);
    if (position === this.#keys.length) {
      this.#orders.push(order);
      this.#keys.push(key);
    } else {
      this.#orders.splice(position, 0, order);
      this.#keys.splice(position, 0, key);
    }
  }

  #remove(order: number, key: string): void {
    const position = this.#positionOf(order, key);
    if (position === this.#head) {
      this.#head++;
      if (this.#head > COMPACT_AT && this.#head * 2 > this.#keys.length) {
        this.#orders = this.#orders.slice(this.#head);
        this.#keys = this.#keys.slice(this.#head);
        this.#head = 0;
      }
    } else {
      this.#orders.splice(position, 1);
      this.#keys.splice(position, 1);
    }
  }

  /** The place of the first entry that is not below (order, key). */
  #positionOf(order: number, key: string): number {
    let low = this.#head;
    let high = this.#keys.length;
    // Most often at one of the ends: what is new goes to one, and what is forgotten is at the other.
    if (low === high || this.#isBelow(high - 1, order, key)) return high;
    if (!this.#isBelow(low, order, key)) return low;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isBelow(middle, order, key)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isBelow(position: number, order: number, key: string): boolean {
    const its = this.#orders[position] ?? 0;
    return its < order || (its === order && (this.#keys[position] ?? "") < key);
  }
}

/** Over a part of an array, either way. Most walks end after a step or two, and a generator costs more than those. */
class Walk implements IterableIterator<string, undefined> {
  readonly #keys: readonly string[];
  readonly #end: number;
  #next: number;

  /** From `start` to just before `end`, which is above it or below. */
  constructor(keys: readonly string[], start: number, end: number) {
    this.#keys = keys;
    this.#next = start;
    this.#end = end;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<string, undefined> {
    const key = this.#next === this.#end ? undefined : this.#keys[this.#next];
    if (key === undefined) return { done: true, value: undefined };
    this.#next += this.#next < this.#end ? 1 : -1;
    return { done: false, value: key };
  }
}
