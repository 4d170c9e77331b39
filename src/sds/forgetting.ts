import type { OrderedIndex } from "../common/ordered-index.ts";
import type { Table } from "../common/table.ts";
import { LIMITS } from "../limits.ts";

/**
 * Forgets what comes first in this order once the table holds more rows than `bound`: about a hundred at once.
 *
 * What is forgotten was written long ago, and has to be fetched from memory. Its neighbours come along, but would be gone
 * again by the next message.
 */
export function forgetBeyond<V>(bound: number, table: Table<string, V>, order: OrderedIndex<V>): void {
  if (table.size <= bound) return;
  const left = bound - spare(bound, LIMITS.sds.forgottenRows - 1);
  while (table.size > left && order.deleteFirst());
}

/** How far below a bound to go at once: as far as this, and by a hundredth at most. */
export function spare(bound: number, most: number): number {
  return Math.min(most, Math.floor(bound / 100));
}
