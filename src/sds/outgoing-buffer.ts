import type { BloomFilter } from "./bloom-filter.ts";
import { HashedIds } from "./hashed-ids.ts";
import type { SdsLayout } from "./layout.ts";
import { OrderedIndex } from "./ordered-index.ts";
import type { OutcomeDraft } from "./outcome.ts";
import type { FilterHit, OutgoingRow, SdsTables } from "./tables.ts";

export interface OutgoingBounds {
  /** From the departure of a message to its first retransmission; doubles each time. */
  readonly acknowledgementMs: number;
  readonly retransmissions: number;
  readonly unreportedMs: number;
  readonly acknowledgementDoubt: number;
  readonly filterHits: number;
  readonly exhausted: number;
}

/** The buffer of unacknowledged outgoing messages of LIP-109, their acknowledgements and their retransmissions. */
export class OutgoingBuffer {
  readonly #outgoing: SdsTables["outgoing"];
  readonly #bounds: OutgoingBounds;
  readonly #bySequence: OrderedIndex<OutgoingRow>;
  readonly #byDue: OrderedIndex<OutgoingRow>;
  readonly #exhausted: OrderedIndex<OutgoingRow>;
  readonly #hashed: HashedIds<OutgoingRow>;
  readonly #forget: (messageId: string) => void;

  /** `forget`: called for an exhausted message whose acknowledgement is no longer awaited. */
  constructor(
    outgoing: SdsTables["outgoing"],
    layout: SdsLayout,
    bounds: OutgoingBounds,
    forget: (messageId: string) => void,
  ) {
    this.#outgoing = outgoing;
    this.#bounds = bounds;
    this.#bySequence = new OrderedIndex(outgoing, ({ sequence }) => sequence);
    this.#byDue = new OrderedIndex(outgoing, (row) => this.#dueMs(row));
    this.#exhausted = new OrderedIndex(outgoing, ({ state, sequence }) =>
      state === "exhausted" ? sequence : undefined,
    );
    this.#hashed = new HashedIds(layout, outgoing);
    this.#forget = forget;
  }

  add(messageId: string, sequence: number): void {
    this.#outgoing.put(messageId, { sequence, hits: [], state: "waiting", attempts: 0, stored: false });
  }

  has(messageId: string): boolean {
    return this.#outgoing.has(messageId);
  }

  remove(messageId: string): void {
    this.#outgoing.delete(messageId);
  }

  /**
   * LIP-109, review ACK status: what another participant's message says about ours. Returns ids acknowledged.
   *
   * Named in a causal history is acknowledged. A bloom filter hit is an ambiguous sign; hits add up until the chance that all
   * of them are false positives is small enough. A replayed message never gets here.
   */
  review(senderId: string, history: readonly string[], filter: BloomFilter | undefined): readonly string[] {
    const acknowledged = history.filter((id) => this.#outgoing.has(id));
    for (const id of acknowledged) this.#outgoing.delete(id);
    if (!filter || this.#outgoing.size === 0) return acknowledged;
    const hits: string[] = [];
    for (const id of this.#bySequence.ascending()) if (filter.has(this.#hashed.pairOf(id))) hits.push(id);
    for (const id of hits) {
      const row = this.#outgoing.get(id);
      const doubt = filter.doubt(this.#hashed.pairOf(id));
      if (!row || doubt >= 1) continue;
      const hits = this.#withHit(row.hits, { senderId, hashes: filter.shape.hashes, bits: filter.shape.bits, doubt });
      if (hits.reduce((product, hit) => product * hit.doubt, 1) <= this.#bounds.acknowledgementDoubt) {
        this.#outgoing.delete(id);
        acknowledged.push(id);
      } else if (hits !== row.hits) {
        this.#outgoing.put(id, { ...row, hits });
      }
    }
    return acknowledged;
  }

  /**
   * The same sender's filter of the same shape is the same filter, with more in it: `@waku/sds` never empties its own, so what
   * hits by chance hits in all of its messages. Such a hit says something new only where there is less in the filter, as after
   * nim-sds began a new one.
   */
  #withHit(hits: readonly FilterHit[], hit: FilterHit): readonly FilterHit[] {
    const isSame = (one: FilterHit) =>
      one.senderId === hit.senderId && one.hashes === hit.hashes && one.bits === hit.bits;
    if (hits.some((one) => isSame(one) && one.doubt <= hit.doubt)) return hits;
    const all = [...hits.filter((one) => !isSame(one)), hit].sort((a, b) => a.doubt - b.doubt);
    return all.slice(0, this.#bounds.filterHits);
  }

  /** A transmission left for the network: from now on its acknowledgement is waited for. */
  left(messageId: string, ms: number): void {
    const row = this.#outgoing.get(messageId);
    if (row?.state === "waiting") this.#outgoing.put(messageId, { ...row, leftMs: ms });
  }

  /** A store node has it, so it has left once, whether that was reported or not. A retransmission may be yet to leave. */
  stored(messageId: string, ms: number): void {
    const row = this.#outgoing.get(messageId);
    if (row && !row.stored) this.#outgoing.put(messageId, { ...row, stored: true, leftMs: row.leftMs ?? ms });
  }

  abandon(messageId: string): void {
    const row = this.#outgoing.get(messageId);
    if (row?.state === "waiting") this.#outgoing.put(messageId, { ...row, state: "abandoned" });
  }

  /** All over again; the timer starts at `leftMs`, or when the message has left again. */
  resume(messageId: string, leftMs: number | undefined): void {
    const row = this.#outgoing.get(messageId);
    if (!row || row.state === "waiting") return;
    const { leftMs: _, ...rest } = row;
    const timer = leftMs === undefined ? {} : { leftMs };
    this.#outgoing.put(messageId, { ...rest, ...timer, state: "waiting", attempts: 0 });
  }

  nextDueMs(): number | undefined {
    return this.#byDue.first()?.order;
  }

  /** LIP-109, periodic outgoing buffer sweep: what is to be sent again at the awake time `ms`, and what never will be. */
  sweep(ms: number, outcome: OutcomeDraft): void {
    const due: string[] = [];
    for (const id of this.#byDue.ascending()) {
      const row = this.#outgoing.get(id);
      if (!row || (this.#dueMs(row) ?? Number.POSITIVE_INFINITY) > ms) break;
      due.push(id);
    }
    for (const messageId of due) {
      const row = this.#outgoing.get(messageId);
      if (!row) continue;
      if (row.attempts >= this.#bounds.retransmissions) {
        this.#outgoing.put(messageId, { ...row, state: "exhausted" });
        outcome.exhausted.push(messageId);
      } else {
        // It waits in the rate limiter and in the send queue now; `left` says when it is on its way. Were that never
        // reported, the timer must not stand still for ever.
        const leftMs = ms + this.#bounds.unreportedMs;
        this.#outgoing.put(messageId, { ...row, attempts: row.attempts + 1, leftMs });
        outcome.outgoing.push({ kind: "retransmission", messageId, ephemeral: row.stored });
      }
    }
    while (this.#exhausted.size > this.#bounds.exhausted) {
      const oldest = this.#exhausted.first();
      if (!oldest) return;
      this.#outgoing.delete(oldest.key);
      this.#forget(oldest.key);
    }
  }

  /** Waits of 5, 10, 20, 40, 80 and 80 s; LIP-109 asks for distinct periods, so twice that once possibly acknowledged. */
  #dueMs({ state, leftMs, attempts, hits }: OutgoingRow): number | undefined {
    if (state !== "waiting" || leftMs === undefined) return undefined;
    const doublings = Math.min(attempts, this.#bounds.retransmissions - 1);
    return leftMs + this.#bounds.acknowledgementMs * 2 ** doublings * (hits.length > 0 ? 2 : 1);
  }
}
