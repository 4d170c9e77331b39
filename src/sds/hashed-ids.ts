import type { Table } from "../common/table.ts";
import type { HashPair } from "./bloom-filter.ts";
import type { SdsLayout } from "./layout.ts";

/** The hash pairs of a table's keys, computed once: hashing an id costs far more than looking it up in a filter. */
export class HashedIds<V> {
  readonly #layout: SdsLayout;
  readonly #pairs = new Map<string, HashPair>();

  constructor(layout: SdsLayout, table: Table<string, V>) {
    this.#layout = layout;
    table.observe((key, _before, after) => {
      if (after === undefined) this.#pairs.delete(key);
    });
  }

  pairOf(messageId: string): HashPair {
    let pair = this.#pairs.get(messageId);
    if (pair === undefined) {
      pair = this.#layout.hashPair(messageId);
      this.#pairs.set(messageId, pair);
    }
    return pair;
  }
}
