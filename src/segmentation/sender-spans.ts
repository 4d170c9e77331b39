import { lowerBound } from "../common/lower-bound.ts";
import type { Table } from "../common/table.ts";

interface Span {
  /** Nobody knows it where it is absent: then it is in nobody's times. */
  readonly senderId?: string;
  /** Lamport times, from the first to just before the second. */
  readonly since: number;
  readonly before: number;
}

interface Reaching {
  readonly since: number;
  readonly before: number;
  /** The latest `before` up to here. */
  reach: number;
}

/** Spans of each sender's Lamport time that the rows of a table give. Derived from them, so it follows every undo. */
export class SenderSpans<V extends Span> {
  /** Ascending by `since`, then by `before`. */
  readonly #ofSender = new Map<string, Reaching[]>();

  constructor(table: Table<string, V>) {
    table.observe((_key, before, after) => {
      if (before !== undefined) this.#remove(before);
      if (after !== undefined) this.#insert(after);
    });
  }

  /** Whether a time of a sender's is within a span. */
  covers(senderId: string, time: number): boolean {
    const spans = this.#ofSender.get(senderId) ?? [];
    const last = spans[lowerBound(spans.length, (place) => (spans[place]?.since ?? 0) <= time) - 1];
    return last !== undefined && time < last.reach;
  }

  #insert({ senderId, since, before }: Span): void {
    if (senderId === undefined) return;
    const spans = this.#ofSender.get(senderId) ?? [];
    this.#ofSender.set(senderId, spans);
    const place = placeOf(spans, since, before);
    spans.splice(place, 0, { since, before, reach: Number.NEGATIVE_INFINITY });
    reachFrom(spans, place);
  }

  #remove({ senderId, since, before }: Span): void {
    const spans = senderId === undefined ? undefined : this.#ofSender.get(senderId);
    if (senderId === undefined || spans === undefined) return;
    const place = placeOf(spans, since, before);
    spans.splice(place, 1);
    if (spans.length === 0) this.#ofSender.delete(senderId);
    else reachFrom(spans, place);
  }
}

function placeOf(spans: readonly Reaching[], since: number, before: number): number {
  return lowerBound(spans.length, (place) => {
    const other = spans[place];
    return other !== undefined && (other.since < since || (other.since === since && other.before < before));
  });
}

/** Brings `reach` up to date from a place on: as far as it differs from what it was. */
function reachFrom(spans: readonly Reaching[], place: number): void {
  let reach = spans[place - 1]?.reach ?? Number.NEGATIVE_INFINITY;
  for (const span of spans.slice(place)) {
    reach = Math.max(reach, span.before);
    if (span.reach === reach) return;
    span.reach = reach;
  }
}
