import type { Entry, Key } from "./entries.ts";
import { lowerBound } from "./lower-bound.ts";

/** Entries of a block at most, and where blocks are filled at once: half of that, so that they have room. */
const BLOCK = 512;
const FILLED = BLOCK / 2;

export interface Ordered<K extends Key> {
  readonly order: number;
  readonly entry: Entry<K>;
}

/** Neighbouring entries. What is taken from the front stays until the block is gone: only `start` moves. */
class Block<K extends Key> {
  readonly orders: number[];
  readonly entries: Entry<K>[];
  start = 0;

  constructor(orders: number[], entries: Entry<K>[]) {
    this.orders = orders;
    this.entries = entries;
  }

  isBelow(position: number, order: number, key: K): boolean {
    const its = this.orders[position] ?? 0;
    return its < order || (its === order && this.#keyIsBelow(position, key));
  }

  #keyIsBelow(position: number, key: K): boolean {
    const entry = this.entries[position];
    return entry !== undefined && entry.key < key;
  }

  endsBelow(order: number, key: K): boolean {
    return this.isBelow(this.entries.length - 1, order, key);
  }

  /** The place of the first entry that is not below (order, key). */
  positionOf(order: number, key: K): number {
    const { start, entries } = this;
    return start + lowerBound(entries.length - start, (place) => this.isBelow(start + place, order, key));
  }

  /** False where it is full: then it is to be split. */
  insert(order: number, entry: Entry<K>): boolean {
    if (this.entries.length === BLOCK) this.#compact();
    if (this.entries.length === BLOCK) return false;
    const position = this.positionOf(order, entry.key);
    this.orders.splice(position, 0, order);
    this.entries.splice(position, 0, entry);
    return true;
  }

  remove(order: number, entry: Entry<K>): void {
    if (this.entries[this.start] === entry) this.start++;
    else {
      const position = this.positionOf(order, entry.key);
      this.orders.splice(position, 1);
      this.entries.splice(position, 1);
    }
  }

  /** Takes the upper half out of a full one. */
  split(): Block<K> {
    return new Block(this.orders.splice(FILLED), this.entries.splice(FILLED));
  }

  #compact(): void {
    this.orders.splice(0, this.start);
    this.entries.splice(0, this.start);
    this.start = 0;
  }
}

/**
 * Entries in ascending order of a number, then of their key; each such pair once.
 *
 * In blocks: a change moves the entries of one block, however many there are, and none where it is at either end of all,
 * as almost every change is.
 */
export class SortedEntries<K extends Key> {
  /** None of them is empty. */
  readonly #blocks: Block<K>[] = [];
  #size = 0;

  /** In any order. */
  constructor(all: readonly Ordered<K>[] = []) {
    const sorted = all.toSorted((a, b) => a.order - b.order || (a.entry.key < b.entry.key ? -1 : 1));
    for (let at = 0; at < sorted.length; at += FILLED) {
      const block = new Block<K>([], []);
      for (const { order, entry } of sorted.slice(at, at + FILLED)) {
        block.orders.push(order);
        block.entries.push(entry);
      }
      this.#blocks.push(block);
    }
    this.#size = sorted.length;
  }

  get size(): number {
    return this.#size;
  }

  first(): Entry<K> | undefined {
    const block = this.#blocks[0];
    return block?.entries[block.start];
  }

  /** The lowest number. */
  lowest(): number | undefined {
    const block = this.#blocks[0];
    return block?.orders[block.start];
  }

  /** The highest number. */
  highest(): number | undefined {
    return this.#blocks.at(-1)?.orders.at(-1);
  }

  /** One that is not there yet. */
  insert(order: number, entry: Entry<K>): void {
    this.#size++;
    const at = this.#blockOf(order, entry.key);
    const block = this.#blocks[at];
    if (block === undefined) this.#append(order, entry);
    else if (!block.insert(order, entry)) {
      const upper = block.split();
      this.#blocks.splice(at + 1, 0, upper);
      (block.endsBelow(order, entry.key) ? upper : block).insert(order, entry);
    }
  }

  /** One that is there. */
  remove(order: number, entry: Entry<K>): void {
    this.#size--;
    // Most often the first: what is forgotten is what came first.
    const at = entry === this.first() ? 0 : this.#blockOf(order, entry.key);
    const block = this.#blocks[at];
    if (block === undefined) return;
    block.remove(order, entry);
    if (block.start === block.entries.length) this.#blocks.splice(at, 1);
  }

  /** The keys, ascending. */
  ascending(): Iterable<K> {
    return new Walk(this.#blocks, 1);
  }

  /** The keys, descending. */
  descending(): Iterable<K> {
    return new Walk(this.#blocks, -1);
  }

  /** Above all others. */
  #append(order: number, entry: Entry<K>): void {
    const last = this.#blocks.at(-1);
    if (last === undefined || last.entries.length === BLOCK) this.#blocks.push(new Block([order], [entry]));
    else {
      last.orders.push(order);
      last.entries.push(entry);
    }
  }

  /** The place of the first block that does not end below (order, key). */
  #blockOf(order: number, key: K): number {
    const blocks = this.#blocks;
    // Most often at one of the ends: what is forgotten is at one, and what is new goes to the other.
    if (!blocks[0]?.endsBelow(order, key)) return 0;
    if (blocks.at(-1)?.endsBelow(order, key)) return blocks.length;
    return lowerBound(blocks.length, (place) => blocks[place]?.endsBelow(order, key) === true);
  }
}

/** Through all blocks, either way. Most walks end after a step or two, and a generator costs more than those. */
class Walk<K extends Key> implements IterableIterator<K, undefined> {
  readonly #blocks: readonly Block<K>[];
  readonly #step: 1 | -1;
  #at: number;
  #position: number | undefined;

  constructor(blocks: readonly Block<K>[], step: 1 | -1) {
    this.#blocks = blocks;
    this.#step = step;
    this.#at = step === 1 ? 0 : blocks.length - 1;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<K, undefined> {
    const block = this.#blocks[this.#at];
    if (block === undefined) return { done: true, value: undefined };
    const [first, last] = [block.start, block.entries.length - 1];
    const position = this.#position ?? (this.#step === 1 ? first : last);
    const entry = block.entries[position];
    if (position === (this.#step === 1 ? last : first)) {
      this.#at += this.#step;
      this.#position = undefined;
    } else this.#position = position + this.#step;
    return entry === undefined ? { done: true, value: undefined } : { done: false, value: entry.key };
  }
}
