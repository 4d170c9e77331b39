import { OrderedIndex } from "../common/ordered-index.ts";
import { BloomFilter } from "./bloom-filter.ts";
import { forgetBeyond } from "./forgetting.ts";
import { HashedIds } from "./hashed-ids.ts";
import type { SdsLayout } from "./layout.ts";
import type { Meta } from "./meta.ts";
import type { SdsTables, SummaryRow } from "./tables.ts";

export interface SummaryBounds {
  /** Ids in one filter. */
  readonly filterIds: number;
  /** Messages of ours that summarise an id. */
  readonly filterRepeats: number;
}

/**
 * What our bloom filters say: ids of other participants' content that arrived, parked or delivered.
 *
 * LIP-109 summarises everything received. Only the original sender makes use of it, to learn that its message arrived;
 * so an id is summarised in a few messages, and again when it comes again, which says that its sender has not learnt it.
 * The reference's filter of everything takes 18.8 kB in every message; this one tens of bytes.
 */
export class ReceivedSummary {
  readonly #summary: SdsTables["summary"];
  readonly #meta: Meta;
  readonly #layout: SdsLayout;
  readonly #bounds: SummaryBounds;
  readonly #bySequence: OrderedIndex<SummaryRow>;
  readonly #hashed: HashedIds<SummaryRow>;

  constructor(summary: SdsTables["summary"], meta: Meta, layout: SdsLayout, bounds: SummaryBounds) {
    this.#summary = summary;
    this.#meta = meta;
    this.#layout = layout;
    this.#bounds = bounds;
    this.#bySequence = new OrderedIndex(summary, ({ sequence }) => sequence);
    this.#hashed = new HashedIds(layout, summary);
  }

  /** Content arrived, for the first time or once more. */
  note(messageId: string): void {
    this.#summary.put(messageId, { sequence: this.#meta.nextSequence(), sends: this.#meta.row.sends });
    forgetBeyond(this.#bounds.filterIds, this.#summary, this.#bySequence);
  }

  /** The filter for a message of ours; `named` stands in its causal history and needs no filter. */
  nextFilter(named: ReadonlySet<string>): BloomFilter {
    this.#forgetRepeated();
    const ids = [...this.#bySequence.ascending()].filter((id) => !named.has(id));
    const sends = this.#meta.row.sends + 1;
    this.#meta.change({ sends });
    const filter = BloomFilter.empty(this.#layout.filterShape(ids.length, sends));
    for (const id of ids) filter.insert(this.#hashed.pairOf(id));
    return filter;
  }

  #forgetRepeated(): void {
    const { sends } = this.#meta.row;
    for (;;) {
      const oldest = this.#bySequence.first();
      const row = oldest && this.#summary.get(oldest.key);
      if (!oldest || !row || sends - row.sends < this.#bounds.filterRepeats) return;
      this.#bySequence.deleteFirst();
    }
  }
}
