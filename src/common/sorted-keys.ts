import { lowerBound } from "./lower-bound.ts";

/** Entries of a block at most, and where blocks are filled at once: half of that, so that they have room. */
const BLOCK = 512;
const FILLED = BLOCK / 2;

export interface Entry {
  readonly order: number;
  readonly key: string;
}

/** Neighbouring entries. What is taken from the front stays until the block is gone: only `start` moves. */
class Block {
  readonly orders: number[];
  readonly keys: string[];
  start = 0;

  constructor(orders: number[], keys: string[]) {
    this.orders = orders;
    this.keys = keys;
  }

  isBelow(position: number, order: number, key: string): boolean {
    const its = this.orders[position] ?? 0;
    return its < order || (its === order && (this.keys[position] ?? "") < key);
  }

  endsBelow(order: number, key: string): boolean {
    return this.isBelow(this.keys.length - 1, order, key);
  }

  /** The place of the first entry that is not below (order, key). */
  positionOf(order: number, key: string): number {
    const { start, keys } = this;
    // Most often the first: what is forgotten is what came first.
    if (start < keys.length && !this.isBelow(start, order, key)) return start;
    return start + lowerBound(keys.length - start, (place) => this.isBelow(start + place, order, key));
  }

  /** False where it is full: then it is to be split. */
  insert(order: number, key: string): boolean {
    if (this.keys.length === BLOCK) this.#compact();
    if (this.keys.length === BLOCK) return false;
    const position = this.positionOf(order, key);
    this.orders.splice(position, 0, order);
    this.keys.splice(position, 0, key);
    return true;
  }

  remove(position: number): void {
    if (position === this.start) this.start++;
    else {
      this.orders.splice(position, 1);
      this.keys.splice(position, 1);
    }
  }

  /** Takes the upper half out of a full one. */
  split(): Block {
    return new Block(this.orders.splice(FILLED), this.keys.splice(FILLED));
  }

  #compact(): void {
    this.orders.splice(0, this.start);
    this.keys.splice(0, this.start);
    this.start = 0;
  }
}

/**
 * Keys in ascending order of a number, then of the key; each such pair once.
 *
 * In blocks: a change moves the entries of one block, however many there are, and none where it is at either end of all,
 * as almost every change is.
 */
export class SortedKeys {
  /** None of them is empty. */
  readonly #blocks: Block[] = [];
  #size = 0;

  /** In any order. */
  constructor(entries: readonly Entry[] = []) {
    const sorted = entries.toSorted((a, b) => a.order - b.order || (a.key < b.key ? -1 : 1));
    for (let at = 0; at < sorted.length; at += FILLED) {
      const block = new Block([], []);
      for (const { order, key } of sorted.slice(at, at + FILLED)) {
        block.orders.push(order);
        block.keys.push(key);
      }
      this.#blocks.push(block);
    }
    this.#size = sorted.length;
  }

  get size(): number {
    return this.#size;
  }

  first(): Entry | undefined {
    const block = this.#blocks[0];
    const [order, key] = [block?.orders[block.start], block?.keys[block.start]];
    return order === undefined || key === undefined ? undefined : { order, key };
  }

  /** The highest number. */
  last(): number | undefined {
    return this.#blocks.at(-1)?.orders.at(-1);
  }

  /** One that is not there yet. */
  insert(order: number, key: string): void {
    this.#size++;
    const at = this.#blockOf(order, key);
    const block = this.#blocks[at];
    if (block === undefined) this.#append(order, key);
    else if (!block.insert(order, key)) {
      const upper = block.split();
      this.#blocks.splice(at + 1, 0, upper);
      (block.endsBelow(order, key) ? upper : block).insert(order, key);
    }
  }

  /** One that is there. */
  remove(order: number, key: string): void {
    this.#size--;
    const at = this.#blockOf(order, key);
    const block = this.#blocks[at];
    if (block === undefined) return;
    block.remove(block.positionOf(order, key));
    if (block.start === block.keys.length) this.#blocks.splice(at, 1);
  }

  /** Ascending. */
  ascending(): Iterable<string> {
    return new Walk(this.#blocks, 1);
  }

  /** Descending. */
  descending(): Iterable<string> {
    return new Walk(this.#blocks, -1);
  }

  /** Above all others. */
  #append(order: number, key: string): void {
    const last = this.#blocks.at(-1);
    if (last === undefined || last.keys.length === BLOCK) this.#blocks.push(new Block([order], [key]));
    else {
      last.orders.push(order);
      last.keys.push(key);
    }
  }

  /** The place of the first block that does not end below (order, key). */
  #blockOf(order: number, key: string): number {
    const blocks = this.#blocks;
    // Most often at one of the ends: what is new goes to one, and what is forgotten is at the other.
    if (blocks.at(-1)?.endsBelow(order, key)) return blocks.length;
    if (!blocks[0]?.endsBelow(order, key)) return 0;
    return lowerBound(blocks.length, (place) => blocks[place]?.endsBelow(order, key) === true);
  }
}

/** Through all blocks, either way. Most walks end after a step or two, and a generator costs more than those. */
class Walk implements IterableIterator<string, undefined> {
  readonly #blocks: readonly Block[];
  readonly #step: 1 | -1;
  #at: number;
  #position: number | undefined;

  constructor(blocks: readonly Block[], step: 1 | -1) {
    this.#blocks = blocks;
    this.#step = step;
    this.#at = step === 1 ? 0 : blocks.length - 1;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<string, undefined> {
    const block = this.#blocks[this.#at];
    if (block === undefined) return { done: true, value: undefined };
    const [first, last] = [block.start, block.keys.length - 1];
    const position = this.#position ?? (this.#step === 1 ? first : last);
    const key = block.keys[position];
    if (position === (this.#step === 1 ? last : first)) {
      this.#at += this.#step;
      this.#position = undefined;
    } else this.#position = position + this.#step;
    return key === undefined ? { done: true, value: undefined } : { done: false, value: key };
  }
}
