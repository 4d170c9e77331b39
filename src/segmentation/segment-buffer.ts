/** The segments held at the moment, indexed by set and slot. Derived from the rows, so it follows every undo. */
import type { Bytes } from "../common/bytes.ts";
import type { Table } from "../common/table.ts";
import type { Usage } from "./buffer-quota.ts";
import { BufferQuota } from "./buffer-quota.ts";

/** A segment that arrived and is not yet part of a message. Keyed by its SDS message id. */
export interface SegmentRow {
  readonly setKey: string;
  readonly senderId: string;
  readonly dataSegmentCount: number;
  /** Data segments have the slots from 0, parity segments those after them. */
  readonly slot: number;
  /** Numbers the segments of a set in the order of their arrival. */
  readonly arrival: number;
  readonly payload: Bytes;
  /** Of the second segment: the SDS message id of the first, which it comes right after. */
  readonly follows?: string;
}

export interface HeldSegment extends SegmentRow {
  readonly messageId: string;
}

/** How many slots hold how many segments. */
class SlotSizes {
  readonly #slots: number[] = [];
  #largest = 0;

  get largest(): number {
    return this.#largest;
  }

  /** A slot holds `is` segments, and held `was`. */
  change(was: number, is: number): void {
    if (was > 0) this.#slots[was] = this.of(was) - 1;
    if (is > 0) this.#slots[is] = this.of(is) + 1;
    this.#largest = Math.max(this.#largest, is);
    while (this.#largest > 0 && this.of(this.#largest) === 0) this.#largest--;
  }

  /** Slots that hold this many. */
  of(size: number): number {
    return this.#slots[size] ?? 0;
  }
}

export class HeldSet {
  readonly senderId: string;
  readonly dataSegmentCount: number;
  readonly #slots = new Map<number, HeldSegment[]>();
  readonly #byArrival = new Map<number, HeldSegment>();
  readonly #dataSizes = new SlotSizes();
  readonly #paritySizes = new SlotSizes();
  #bytes = 0;

  constructor(senderId: string, dataSegmentCount: number) {
    this.senderId = senderId;
    this.dataSegmentCount = dataSegmentCount;
  }

  get usage(): Usage {
    return { sets: this.#byArrival.size === 0 ? 0 : 1, bytes: this.#bytes, segments: this.#byArrival.size };
  }

  /** Nothing is missing: every data slot holds a segment of every copy, so the set waits for nothing but SDS. */
  get isComplete(): boolean {
    const copies = this.#dataSizes.largest;
    return copies > 0 && this.#dataSizes.of(copies) === this.dataSegmentCount;
  }

  /** Of how many messages with this very payload something is held. */
  get copies(): number {
    return Math.max(this.#dataSizes.largest, this.#paritySizes.largest);
  }

  /** Whether one of them lacks its segment in a slot. */
  lacks(slot: number): boolean {
    return this.at(slot).length < this.copies;
  }

  /** Slots that hold something, ascending. */
  slots(): readonly number[] {
    return [...this.#slots.keys()].toSorted((a, b) => a - b);
  }

  /** What a slot holds, in the order of arrival: one segment for each message with this very payload. */
  at(slot: number): readonly HeldSegment[] {
    return this.#slots.get(slot) ?? [];
  }

  byArrival(arrival: number): HeldSegment | undefined {
    return this.#byArrival.get(arrival);
  }

  segments(): IterableIterator<HeldSegment> {
    return this.#byArrival.values();
  }

  add(segment: HeldSegment): void {
    const slot = this.#slots.get(segment.slot) ?? [];
    this.#slots.set(segment.slot, slot);
    const last = slot.at(-1);
    slot.push(segment);
    // Only an undo and a restart bring segments back out of turn.
    if (last !== undefined && last.arrival > segment.arrival) slot.sort((a, b) => a.arrival - b.arrival);
    this.#sizesOf(segment).change(slot.length - 1, slot.length);
    this.#byArrival.set(segment.arrival, segment);
    this.#bytes += segment.payload.length;
  }

  remove(segment: SegmentRow): void {
    const slot = this.#slots.get(segment.slot) ?? [];
    const at = slot.findIndex((other) => other.arrival === segment.arrival);
    if (at < 0) return;
    slot.splice(at, 1);
    this.#sizesOf(segment).change(slot.length + 1, slot.length);
    if (slot.length === 0) this.#slots.delete(segment.slot);
    this.#byArrival.delete(segment.arrival);
    this.#bytes -= segment.payload.length;
  }

  #sizesOf({ slot }: SegmentRow): SlotSizes {
    return slot < this.dataSegmentCount ? this.#dataSizes : this.#paritySizes;
  }
}

export class SegmentBuffer {
  /** Sets that lack a segment. */
  readonly incomplete: BufferQuota;
  /** Sets that lack nothing, and wait for SDS to deliver them. */
  readonly heldBack: BufferQuota;
  readonly #sets = new Map<string, HeldSet>();

  constructor(segments: Table<string, SegmentRow>, limits: { readonly incomplete: Usage; readonly heldBack: Usage }) {
    this.incomplete = new BufferQuota(limits.incomplete);
    this.heldBack = new BufferQuota(limits.heldBack);
    segments.observe((messageId, before, after) => {
      if (before !== undefined) this.#change(before, (set) => set.remove(before));
      if (after !== undefined) this.#change(after, (set) => set.add({ ...after, messageId }));
    });
  }

  get(setKey: string): HeldSet | undefined {
    return this.#sets.get(setKey);
  }

  /** What a set counts against. */
  quotaOf(set: HeldSet): BufferQuota {
    return set.isComplete ? this.heldBack : this.incomplete;
  }

  #change(row: SegmentRow, change: (set: HeldSet) => void): void {
    const set = this.#sets.get(row.setKey) ?? new HeldSet(row.senderId, row.dataSegmentCount);
    this.quotaOf(set).remove(set.senderId, set.usage);
    change(set);
    this.quotaOf(set).add(set.senderId, set.usage);
    if (set.usage.segments > 0) this.#sets.set(row.setKey, set);
    else this.#sets.delete(row.setKey);
  }
}
