import type { Meta } from "./meta.ts";
import { OrderedIndex } from "./ordered-index.ts";
import type { SdsTables, SeenKind, SeenRow } from "./tables.ts";

/** Every id that was dealt with, beyond what the log keeps: it satisfies dependencies, and coming again is a duplicate. */
export class SeenIds {
  readonly #seen: SdsTables["seen"];
  readonly #meta: Meta;
  readonly #bound: number;
  readonly #bySequence: OrderedIndex<SeenRow>;

  constructor(seen: SdsTables["seen"], meta: Meta, bound: number) {
    this.#seen = seen;
    this.#meta = meta;
    this.#bound = bound;
    this.#bySequence = new OrderedIndex(seen, ({ sequence }) => sequence);
  }

  kindOf(messageId: string): SeenKind | undefined {
    return this.#seen.get(messageId)?.kind;
  }

  has(messageId: string): boolean {
    return this.#seen.has(messageId);
  }

  /** Remembers an id, or what has become of it. The oldest beyond the bound are forgotten. */
  add(messageId: string, kind: SeenKind): void {
    const sequence = this.#seen.get(messageId)?.sequence ?? this.#meta.nextSequence();
    this.#seen.put(messageId, { sequence, kind });
    while (this.#seen.size > this.#bound) {
      const oldest = this.#bySequence.first();
      if (!oldest) return;
      this.#seen.delete(oldest.key);
    }
  }
}
