import { OrderedIndex } from "../common/ordered-index.ts";
import type { BloomFilter } from "./bloom-filter.ts";
import { HashedIds } from "./hashed-ids.ts";
import { Holders } from "./holders.ts";
import type { SdsLayout } from "./layout.ts";
import type { Part } from "./message.ts";
import type { OutcomeDraft } from "./outcome.ts";
import type { FilterHit, OutgoingRow, SdsTables } from "./tables.ts";

export interface OutgoingBounds {
  /** From the departure of a message to its first retransmission; doubles each time. */
  readonly acknowledgementMs: number;
  readonly retransmissions: number;
  readonly unreportedMs: number;
  readonly acknowledgementDoubt: number;
  readonly filterHits: number;
  readonly holders: number;
  readonly exhausted: number;
}

/** What becomes of the exact bytes of messages. */
export interface OutgoingWires {
  /** It is not to be sent again. */
  release(messageId: string): void;
  /** It was exhausted, and its acknowledgement is no longer awaited either. */
  forget(messageId: string): void;
}

/**
 * The buffer of unacknowledged outgoing messages of LIP-109, their acknowledgements and their retransmissions.
 *
 * What is a part of a longer message stays until one other participant has all parts of it: each part may be with somebody, and
 * the message with nobody. Meanwhile the participant that has most of it is the one to help: what it has is not sent again, and
 * what it lacks is, though another one has it. That makes it complete, or answer. If it does not, the message is exhausted like
 * any other; if it becomes complete later, as SDS-R may see to, it says so then.
 */
export class OutgoingBuffer {
  readonly #outgoing: SdsTables["outgoing"];
  readonly #bounds: OutgoingBounds;
  readonly #bySequence: OrderedIndex<OutgoingRow>;
  readonly #byDue: OrderedIndex<OutgoingRow>;
  readonly #exhausted: OrderedIndex<OutgoingRow>;
  readonly #hashed: HashedIds<OutgoingRow>;
  readonly #holders: Holders;
  /** Ids of the parts of each message in several. */
  readonly #partsOf = new Map<string, Set<string>>();
  readonly #wires: OutgoingWires;

  constructor(
    { outgoing, holders }: Pick<SdsTables, "outgoing" | "holders">,
    layout: SdsLayout,
    bounds: OutgoingBounds,
    wires: OutgoingWires,
  ) {
    this.#outgoing = outgoing;
    this.#bounds = bounds;
    this.#bySequence = new OrderedIndex(outgoing, ({ sequence }) => sequence);
    this.#byDue = new OrderedIndex(outgoing, (row) => this.#dueMs(row));
    this.#exhausted = new OrderedIndex(outgoing, ({ state, sequence }) =>
      state === "exhausted" ? sequence : undefined,
    );
    this.#hashed = new HashedIds(layout, outgoing);
    this.#holders = new Holders(holders, bounds.holders);
    this.#wires = wires;
    outgoing.observe((messageId, before, after) => {
      if (before?.part && !after) this.#dropPart(before.part.whole, messageId);
      if (after?.part && !before) this.#addPart(after.part.whole, messageId);
    });
  }

  add(messageId: string, sequence: number, part?: Part): void {
    const place = part === undefined ? {} : { part };
    this.#outgoing.put(messageId, { sequence, hits: [], state: "waiting", attempts: 0, stored: false, ...place });
  }

  get size(): number {
    return this.#outgoing.size;
  }

  has(messageId: string): boolean {
    return this.#outgoing.has(messageId);
  }

  remove(messageId: string): void {
    const part = this.#outgoing.get(messageId)?.part;
    this.#outgoing.delete(messageId);
    if (part !== undefined && !this.#partsOf.has(part.whole)) this.#holders.remove(part.whole);
  }

  /**
   * LIP-109, review ACK status: what another participant's message says about ours.
   *
   * Named in a causal history is acknowledged. A bloom filter hit is an ambiguous sign; hits add up until the chance that all
   * of them are false positives is small enough. A replayed message never gets here.
   */
  review(
    senderId: string,
    history: readonly string[],
    filter: BloomFilter | undefined,
    outcome: Pick<OutcomeDraft, "acknowledged" | "whole" | "exhausted">,
  ): void {
    const named = new Set(history.filter((id) => this.#outgoing.has(id)));
    const shown = filter === undefined ? named : [...named, ...this.#shownBy(filter, senderId, named)];
    const parts = new Map<string, Part[]>();
    for (const id of shown) {
      const row = this.#outgoing.get(id);
      if (row === undefined) continue;
      const { part, acknowledged } = row;
      if (acknowledged === undefined) outcome.acknowledged.push(id);
      if (part === undefined) this.#settle(id);
      else {
        if (acknowledged === undefined) this.#outgoing.put(id, { ...row, acknowledged: true });
        parts.set(part.whole, [...(parts.get(part.whole) ?? []), part]);
      }
    }
    for (const [whole, of] of parts) this.#reviewParts(whole, senderId, of, outcome);
  }

  #reviewParts(
    whole: string,
    senderId: string,
    parts: readonly Part[],
    outcome: Pick<OutcomeDraft, "whole" | "exhausted">,
  ): void {
    const indexes = parts.map(({ index }) => index);
    if (this.#holders.add(whole, senderId, indexes, parts[0]?.total ?? 0)) {
      for (const { id } of this.#rowsOf(whole)) this.#settle(id);
      outcome.whole.push(whole);
      return;
    }
    for (const { id, row, index } of this.#rowsOf(whole)) {
      const { held: before, ...rest } = row;
      const held = this.#holders.furthestHas(whole, index);
      if (held !== (before ?? false)) this.#outgoing.put(id, { ...rest, ...(held ? { held } : {}) });
    }
    this.#exhaustHeld(whole, outcome);
  }

  /** It is acknowledged, and awaited no longer. */
  #settle(messageId: string): void {
    this.remove(messageId);
    this.#wires.release(messageId);
  }

  /** Ids that a filter of this sender leaves no doubt about, besides `named`. */
  #shownBy(filter: BloomFilter, senderId: string, named: ReadonlySet<string>): readonly string[] {
    const hits: string[] = [];
    for (const id of this.#bySequence.ascending()) if (filter.has(this.#hashed.pairOf(id))) hits.push(id);
    const { hashes, bits } = filter.shape;
    return hits.filter((id) => {
      const row = this.#outgoing.get(id);
      if (row === undefined || named.has(id) || this.#isKnownToHave(senderId, row.part)) return false;
      const doubt = filter.doubt(this.#hashed.pairOf(id));
      if (doubt >= 1) return false;
      const hit = { senderId, hashes, bits, doubt };
      const hits = this.#withHit(row, hit);
      const relevant = row.part === undefined ? hits : ofOneParticipant(hits, hit);
      if (relevant.reduce((product, one) => product * one.doubt, 1) <= this.#bounds.acknowledgementDoubt) return true;
      if (hits !== row.hits) this.#outgoing.put(id, { ...row, hits });
      return false;
    });
  }

  #isKnownToHave(participantId: string, part: Part | undefined): boolean {
    return part !== undefined && this.#holders.has(part.whole, participantId, part.index);
  }

  /**
   * Of filters of the same shape one counts. They summarise much the same messages at the same positions, so what hits by
   * chance hits in all of them, whoever sends them: `@waku/sds` never even empties its own. Such a hit says something new only
   * where there is less in the filter, as after nim-sds began a new one.
   *
   * A part keeps one of each participant, as those of several do not add up for it.
   */
  #withHit({ hits, part }: OutgoingRow, hit: FilterHit): readonly FilterHit[] {
    const isSame = (one: FilterHit) =>
      one.hashes === hit.hashes && one.bits === hit.bits && (part === undefined || one.senderId === hit.senderId);
    if (hits.some((one) => isSame(one) && one.doubt <= hit.doubt)) return hits;
    const all = [...hits.filter((one) => !isSame(one)), hit].sort((a, b) => a.doubt - b.doubt);
    return all.slice(0, this.#bounds.filterHits);
  }

  /** A transmission left for the network: from now on its acknowledgement is waited for. */
  left(messageId: string, ms: number): void {
    const row = this.#outgoing.get(messageId);
    if (row?.state !== "waiting") return;
    const { unreported: _, ...rest } = row;
    this.#outgoing.put(messageId, { ...rest, leftMs: ms });
  }

  /** The retransmission before the one that is due now waits in the rate limiter still, where time does not count. */
  stillWaiting(messageId: string): void {
    const row = this.#outgoing.get(messageId);
    if (row?.state === "waiting") this.#outgoing.put(messageId, { ...row, attempts: Math.max(0, row.attempts - 1) });
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
    const { leftMs: _, unreported: __, ...rest } = row;
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
      // One that was never reported may still wait in the rate limiter: who is told of another one says so.
      if (row.attempts >= this.#bounds.retransmissions + (row.unreported ? 1 : 0)) {
        this.#exhaust(messageId, row, outcome);
        if (row.part !== undefined) this.#exhaustHeld(row.part.whole, outcome);
      } else {
        // It waits in the rate limiter and in the send queue now; `left` says when it is on its way. Were that never
        // reported, the timer must not stand still for ever.
        const leftMs = ms + this.#bounds.unreportedMs;
        this.#outgoing.put(messageId, { ...row, attempts: row.attempts + 1, leftMs, unreported: true });
        outcome.outgoing.push({ kind: "retransmission", messageId, ephemeral: row.stored });
      }
    }
    while (this.#exhausted.size > this.#bounds.exhausted) {
      const oldest = this.#exhausted.first();
      if (!oldest) return;
      this.remove(oldest.key);
      this.#wires.forget(oldest.key);
    }
  }

  #exhaust(messageId: string, row: OutgoingRow, outcome: Pick<OutcomeDraft, "exhausted">): void {
    this.#outgoing.put(messageId, { ...row, state: "exhausted" });
    this.#wires.release(messageId);
    outcome.exhausted.push(messageId);
  }

  /** What is not sent again for the sake of one participant waits for its other parts. Once they are exhausted, it is too. */
  #exhaustHeld(whole: string, outcome: Pick<OutcomeDraft, "exhausted">): void {
    const rows = this.#rowsOf(whole);
    const isAnyForgotten = rows.length < (rows[0]?.row.part?.total ?? 0);
    const isAnyExhausted = isAnyForgotten || rows.some(({ row }) => row.state === "exhausted");
    if (!isAnyExhausted || rows.some(({ row }) => row.state === "waiting" && !row.held)) return;
    for (const { id, row } of rows) if (row.state === "waiting") this.#exhaust(id, row, outcome);
  }

  /** The parts of a message that are awaited, in their order. */
  #rowsOf(whole: string): readonly { readonly id: string; readonly row: OutgoingRow; readonly index: number }[] {
    const rows = [...(this.#partsOf.get(whole) ?? [])].flatMap((id) => {
      const row = this.#outgoing.get(id);
      return row?.part === undefined ? [] : [{ id, row, index: row.part.index }];
    });
    return rows.sort((a, b) => a.index - b.index);
  }

  #addPart(whole: string, messageId: string): void {
    const parts = this.#partsOf.get(whole) ?? new Set();
    this.#partsOf.set(whole, parts.add(messageId));
  }

  #dropPart(whole: string, messageId: string): void {
    const parts = this.#partsOf.get(whole);
    parts?.delete(messageId);
    if (parts?.size === 0) this.#partsOf.delete(whole);
  }

  /** Waits of 5, 10, 20, 40, 80 and 80 s; LIP-109 asks for distinct periods, so twice that once possibly acknowledged. */
  #dueMs({ state, leftMs, attempts, hits, acknowledged, held }: OutgoingRow): number | undefined {
    if (state !== "waiting" || leftMs === undefined || held) return undefined;
    const doublings = Math.min(attempts, this.#bounds.retransmissions - 1);
    const patience = acknowledged || hits.length > 0 ? 2 : 1;
    return leftMs + this.#bounds.acknowledgementMs * 2 ** doublings * patience;
  }
}

/**
 * That one of two participants has a part says of neither that it has it beside the other parts. Those without a name may be two.
 */
function ofOneParticipant(hits: readonly FilterHit[], hit: FilterHit): readonly FilterHit[] {
  return hit.senderId === "" ? [hit] : hits.filter(({ senderId }) => senderId === hit.senderId);
}
