import { OrderedIndex } from "../common/ordered-index.ts";
import { forgetBeyond } from "./forgetting.ts";
import type { Meta } from "./meta.ts";
import type { LostFacts, SdsTables, SeenKind, SeenRow } from "./tables.ts";
import { WholeTimes } from "./whole-times.ts";

/** Every id that was dealt with, beyond what the log keeps: it satisfies dependencies, and coming again is a duplicate. */
export class SeenIds {
  readonly #seen: SdsTables["seen"];
  readonly #meta: Meta;
  readonly #bound: number;
  readonly #bySequence: OrderedIndex<SeenRow>;
  readonly #byPassing: OrderedIndex<SeenRow>;
  readonly #wholeTimes: WholeTimes;

  constructor(seen: SdsTables["seen"], meta: Meta, bound: number) {
    this.#seen = seen;
    this.#meta = meta;
    this.#bound = bound;
    this.#bySequence = new OrderedIndex(seen, ({ sequence }) => sequence);
    this.#byPassing = new OrderedIndex(seen, ({ lost }) => (lost?.passed ? lost.before : undefined));
    this.#wholeTimes = new WholeTimes(seen);
  }

  kindOf(messageId: string): SeenKind | undefined {
    return this.#seen.get(messageId)?.kind;
  }

  has(messageId: string): boolean {
    return this.#seen.has(messageId);
  }

  /** Remembers an id, or what has become of it. The oldest beyond the bound are forgotten. */
  add(messageId: string, kind: Exclude<SeenKind, "lost">): void {
    this.#put(messageId, { kind });
  }

  /** Given up: it satisfies dependencies, and may still come. */
  lose(messageId: string, lost: LostFacts): void {
    this.#put(messageId, { kind: "lost", lost });
  }

  lost(messageId: string): LostFacts | undefined {
    return this.#seen.get(messageId)?.lost;
  }

  /** The least `wholeUntil` of what is lost of this sender, or of nobody known; infinite where nothing is. */
  wholeUntil(senderId: string): number {
    return this.#wholeTimes.leastOf(senderId);
  }

  /** A message with this causal history is delivered, without those of it that are lost. */
  pass(history: readonly string[]): void {
    for (const id of history) {
      const row = this.#seen.get(id);
      if (row?.lost && !row.lost.passed) this.#seen.put(id, { ...row, lost: { ...row.lost, passed: true } });
    }
  }

  /** Lamport time up to which something may be missing that leads to what was delivered. */
  get passedUntil(): number {
    return this.#byPassing.last() ?? Number.NEGATIVE_INFINITY;
  }

  #put(messageId: string, row: Omit<SeenRow, "sequence">): void {
    const sequence = this.#seen.get(messageId)?.sequence ?? this.#meta.nextSequence();
    this.#seen.put(messageId, { sequence, ...row });
    forgetBeyond(this.#bound, this.#seen, this.#bySequence);
  }
}
