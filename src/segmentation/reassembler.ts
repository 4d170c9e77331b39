/**
 * Puts messages back together, LIP-243 "Receiving".
 *
 * It is fed twice. Every SDS message's content is added when it arrives, parked by SDS or not, so that what is there can
 * be used. Every SDS message is released when SDS delivers it, in causal order. A message is handed out when its last
 * data segment is released: at its causal place.
 *
 * A set holds the segments of one payload. Its key contains everything that the segments of a payload have in common, so
 * a forged segment that differs in any of it opens a set of its own. A sender may send the same payload again while the
 * first message is still incomplete; the set then holds several segments for a slot. As they are interchangeable, what is
 * released first is used first, and as many messages come out as went in.
 */
import type { Bytes } from "../common/bytes.ts";
import { concat, equalBytes, ownBytes, toHex } from "../common/bytes.ts";
import { keccak256 } from "../common/keccak.ts";
import type { Result } from "../common/result.ts";
import { err, ok } from "../common/result.ts";
import type { Journal, StoredKey } from "../common/table.ts";
import { Table } from "../common/table.ts";
import { LIMITS } from "../limits.ts";
import type { BufferQuota } from "./buffer-quota.ts";
import type { HeldSegment, HeldSet, SegmentRow } from "./segment-buffer.ts";
import { SegmentBuffer } from "./segment-buffer.ts";
import { decodeSegment, shardLength } from "./segment-message.ts";

/** What the segments of one payload have in common, and how far they are. */
export interface SegmentSetRow {
  readonly senderId: string;
  /** `undefined` where messages are not segmented: there is nothing to verify. */
  readonly originalPayloadHash: Bytes | undefined;
  readonly dataSegmentCount: number;
  readonly paritySegmentCount: number;
  /** Milliseconds since the Unix epoch of the last news: a segment that was not there before. */
  readonly updatedAt: number;
  /** Ascends with every update, over all sets: the least recently updated has the lowest. */
  readonly order: number;
  /** Segments that ever arrived in this set. */
  readonly arrivals: number;
  /** Arrival numbers of the held segments that SDS delivered, in causal order. */
  readonly released: readonly number[];
  /** Slots that SDS gave up, once for each message: as many losses were told as the most frequent of them is there. */
  readonly givenUp: readonly number[];
  /** Slots for which different bytes arrived too: one or the other is wrong, so they are the first to be doubted. */
  readonly contested: readonly number[];
}

/** What is remembered of a set that is no more. */
export interface CompletedRow {
  /** Ascends: the lowest is forgotten first. */
  readonly order: number;
  /** The payload was delivered: parity that comes now is late. */
  readonly delivered: boolean;
  /** Slots of a message that was reported lost. What comes later for the others only is the rest of it, and no new loss. */
  readonly lostSlots: readonly number[];
  /** What SDS may still give up of it; absent where it was not reported lost. */
  readonly unheard?: Unheard;
}

/** Segments of a lost message that never arrived, as far as their neighbours tell. */
export interface Unheard {
  readonly senderId: string;
  /** Segments that arrived although the one before them did not: SDS message id and slot. */
  readonly followers: readonly { readonly messageId: string; readonly slot: number }[];
  /** Segments after the last one that arrived. */
  readonly tail: number;
}

/** How SDS knows of a message that never came: a parked one named it. The same as `Naming` of SDS. */
export interface Named {
  readonly messageId: string;
  readonly senderId: string;
  /** Place in the causal history counted from its end. */
  readonly distance: number;
  readonly missingBefore: number;
}

/** A message that SDS gave up. */
export interface GivenUp {
  readonly messageId: string;
  readonly senderId?: string;
  readonly reason: string;
  readonly namedBy: readonly Named[];
}

/** A segment of a held message that SDS gave up. */
interface GivenUpSegment {
  readonly setKey: string;
  readonly slot: number;
}

export type { SegmentRow } from "./segment-buffer.ts";

export interface ReassemblerTables {
  readonly sets: Table<string, SegmentSetRow>;
  /** By SDS message id. */
  readonly segments: Table<string, SegmentRow>;
  readonly completed: Table<string, CompletedRow>;
}

const SETS = "segmentSets";
const SEGMENTS = "segments";
const COMPLETED = "completedSets";
/** Names of the tables in storage. */
export const REASSEMBLER_TABLES = [SETS, SEGMENTS, COMPLETED] as const;

/** The tables over rows that an earlier run wrote. Storage is inside the border: its schema vouches for their shape. */
export function openReassemblerTables(
  journal: Journal,
  scope: StoredKey,
  stored: (table: string) => Iterable<readonly [string | number, unknown]> = () => [],
): ReassemblerTables {
  return {
    sets: new Table(SETS, journal, scope, stored(SETS) as Iterable<readonly [string, SegmentSetRow]>),
    segments: new Table(SEGMENTS, journal, scope, stored(SEGMENTS) as Iterable<readonly [string, SegmentRow]>),
    completed: new Table(COMPLETED, journal, scope, stored(COMPLETED) as Iterable<readonly [string, CompletedRow]>),
  };
}

/** The content of an SDS message that was never seen before. */
export interface ArrivedContent {
  readonly senderId: string;
  /** The SDS message id. */
  readonly messageId: string;
  readonly content: Uint8Array;
}

export type AddOutcome =
  /** `done` of `total` segments that the message needs are there. */
  | { readonly kind: "buffered"; readonly setKey: string; readonly done: number; readonly total: number }
  | { readonly kind: "ignored"; readonly reason: string };

export interface Reassembled {
  readonly senderId: string;
  /** The SDS id of the message's first data segment. */
  readonly messageId: string;
  readonly payload: Bytes;
}

export interface LostMessage {
  readonly senderId: string;
  /** The SDS id of the message's first data segment; of the first that arrived, where that one did not. */
  readonly messageId: string;
  readonly reason: string;
}

export interface SetProgress {
  readonly setKey: string;
  readonly senderId: string;
  readonly done: number;
  readonly total: number;
  /** Payload bytes held. */
  readonly bytes: number;
}

/** The bounds of a reassembler; LIMITS says what each means. */
export interface ReassemblerLimits {
  readonly sets: number;
  readonly bufferedBytes: number;
  readonly setIdleMs: number;
  readonly completedSets: number;
}

/** A segment, or a whole message where none are segmented, with the key of its set. */
interface Piece extends Pick<SegmentSetRow, "originalPayloadHash" | "dataSegmentCount" | "paritySegmentCount"> {
  readonly setKey: string;
  readonly slot: number;
  readonly payload: Uint8Array;
}

export class Reassembler {
  readonly #tables: ReassemblerTables;
  readonly #codec: "segments" | "raw";
  readonly #limits: ReassemblerLimits;
  readonly #buffer: SegmentBuffer;
  /** When this run began, as far as it was told. The time before it is not held against what is stored. */
  #resumedAt: number | undefined;
  #lastOrder = 0;

  /** @param codec `raw` for profiles without segmentation: the content is the message, a set of one. */
  constructor(tables: ReassemblerTables, codec: "segments" | "raw", limits: ReassemblerLimits = LIMITS.segmentation) {
    this.#tables = tables;
    this.#codec = codec;
    this.#limits = limits;
    for (const table of [tables.sets, tables.completed]) {
      table.observe((_key, _before, after) => {
        this.#lastOrder = Math.max(this.#lastOrder, after?.order ?? 0);
      });
    }
    const { totalSegments } = LIMITS.segmentation;
    const { parkedMessages, parkedBytes } = LIMITS.sds;
    this.#buffer = new SegmentBuffer(tables.segments, {
      incomplete: { sets: limits.sets, bytes: limits.bufferedBytes, segments: limits.sets * totalSegments },
      // What SDS parks is bounded there. Here it must not be bounded more tightly, and what SDS is about to deliver, or
      // has delivered of a message that is not yet through, comes on top.
      heldBack: { sets: 2 * parkedMessages, bytes: 2 * parkedBytes, segments: limits.sets * totalSegments },
    });
  }

  /** Takes in a message's content on arrival. `lost`: what had to go to make room. */
  add(arrived: ArrivedContent, now: number): { readonly outcome: AddOutcome; readonly lost: readonly LostMessage[] } {
    this.#resumedAt ??= now;
    const { sets, segments, completed } = this.#tables;
    const { messageId, senderId } = arrived;
    if (segments.has(messageId)) return ignored("duplicate");
    const read = this.#codec === "raw" ? readWhole(arrived) : readSegment(arrived);
    if (!read.ok) return ignored(read.error);
    const { setKey, slot, dataSegmentCount, paritySegmentCount, originalPayloadHash } = read.value;

    let set = sets.get(setKey);
    if (set === undefined && slot >= dataSegmentCount && completed.get(setKey)?.delivered) {
      return ignored("late parity");
    }
    this.#hearTail(setKey, slot);
    const others = this.#buffer.get(setKey)?.at(slot) ?? [];
    const same = others[0]?.payload;
    if (set !== undefined && same !== undefined && !equalBytes(same, read.value.payload)) {
      // The first writer keeps the slot; doubt is noted once, and refreshes nothing.
      if (!set.contested.includes(slot)) sets.put(setKey, { ...set, contested: [...set.contested, slot] });
      return ignored("contested");
    }
    const lost: LostMessage[] = [];
    if (dataSegmentCount > 1 && others.length >= LIMITS.segmentation.copies) {
      lost.push(...this.#giveUp(setKey, "too many messages with the same payload at once"));
      set = undefined;
    }

    const arrival = set?.arrivals ?? 0;
    sets.put(setKey, {
      senderId,
      originalPayloadHash,
      dataSegmentCount,
      paritySegmentCount,
      released: set?.released ?? [],
      givenUp: set?.givenUp ?? [],
      contested: set?.contested ?? [],
      updatedAt: now,
      order: this.#lastOrder + 1,
      arrivals: arrival + 1,
    });
    // A buffer of its own, or storing the row would store the whole message that it is a view of.
    const payload = same ?? ownBytes(read.value.payload);
    segments.put(messageId, { setKey, senderId, dataSegmentCount, slot, arrival, payload });
    lost.push(...this.#makeRoom(this.#buffer.incomplete), ...this.#makeRoom(this.#buffer.heldBack));

    const held = this.#buffer.get(setKey);
    if (held === undefined) return { ...ignored("no room"), lost };
    return { outcome: { kind: "buffered", setKey, done: done(held), total: dataSegmentCount }, lost };
  }

  /**
   * SDS delivered this message: its dependencies are met. Returns the payload that is complete with it, or its loss where
   * the payload is not what its hash says.
   */
  release(messageId: string, now: number): Reassembled | { readonly lost: LostMessage } | undefined {
    this.#resumedAt ??= now;
    const segment = this.#tables.segments.get(messageId);
    if (segment === undefined) return undefined;
    const { setKey, senderId } = segment;
    const set = this.#tables.sets.get(setKey);
    const held = this.#buffer.get(setKey);
    if (set === undefined || held === undefined || set.released.includes(segment.arrival)) return undefined;

    const released = { ...set, released: [...set.released, segment.arrival] };
    const copy = firstReleasedCopy(released, held);
    if (copy === undefined) {
      this.#tables.sets.put(setKey, released);
      return undefined;
    }
    const message = { senderId, messageId: copy.data[0]?.messageId ?? messageId };
    const payload = assemble(copy.data, set.originalPayloadHash);
    this.#remove(setKey, { ...released, givenUp: withoutOneEach(set.givenUp) }, [...copy.data, ...copy.parity]);
    if (payload === undefined) {
      if (set.givenUp.length > 0) return undefined;
      const reason =
        set.contested.length > 0 ? "payload does not match its hash: contested" : "payload does not match its hash";
      return { lost: { ...message, reason } };
    }
    if (set.paritySegmentCount > 0) {
      const lostSlots = this.#tables.completed.get(setKey)?.lostSlots ?? [];
      this.#remember(setKey, { delivered: true, lostSlots });
    }
    return { ...message, payload };
  }

  /** Segments may come again from `now` on: the time before is not held against what is stored, as after a restart. */
  resume(now: number): void {
    this.#resumedAt = now;
  }

  /** Gives up what had no news for too long: LIP-243 "Denial of Service". */
  expire(now: number): readonly LostMessage[] {
    this.#resumedAt ??= now;
    const expired = [...this.#tables.sets.entries()]
      .filter(([setKey, set]) => this.#deadline(setKey, set) <= now)
      .toSorted(([, a], [, b]) => a.order - b.order);
    return expired.flatMap(([setKey]) => {
      const reason = this.#buffer.get(setKey)?.isComplete ? "never delivered by SDS" : "segments missing";
      return this.#giveUp(setKey, reason);
    });
  }

  /** Milliseconds since the Unix epoch at which {@link expire} has something to do. */
  nextDeadline(): number | undefined {
    let next: number | undefined;
    for (const [setKey, set] of this.#tables.sets.entries()) {
      const deadline = this.#deadline(setKey, set);
      if (next === undefined || deadline < next) next = deadline;
    }
    return next;
  }

  /** Whether a held segment is one of several, and not the last. */
  isInner(messageId: string): boolean {
    const segment = this.#tables.segments.get(messageId);
    const set = segment && this.#tables.sets.get(segment.setKey);
    return set !== undefined && segment !== undefined && segment.slot < totalOf(set) - 1;
  }

  /**
   * What is to be told of a message that SDS gave up, before what waited for it is released: nothing where it is a segment
   * of a message whose loss was told, so that each message has one. A held message is kept, as it may still be completed.
   *
   * The content of what is lost never came, so its neighbours must tell: the segments of a message are sent one right
   * after the other, and each names the one before. And the first that is missed from a sender whose last message lacks
   * its end is that end.
   */
  lossToTell({ namedBy, ...lost }: GivenUp): Omit<GivenUp, "namedBy"> | undefined {
    const named = namedBy.filter(({ senderId }) => lost.senderId === undefined || lost.senderId === senderId);
    for (const each of named) {
      const segment = this.#heldFollowerOf(each) ?? this.#heldTail(each);
      if (segment !== undefined) return this.#noteGivenUp(segment, lost);
      if (this.#followsUnheard(each) || this.#isUnheardTail(each)) return undefined;
    }
    return lost;
  }

  #heldFollowerOf({ messageId, distance }: Named): GivenUpSegment | undefined {
    const segment = this.#tables.segments.get(messageId);
    const held = segment && this.#buffer.get(segment.setKey);
    if (segment === undefined || held === undefined) return undefined;
    const slot = segment.slot - distance;
    return slot >= 0 && held.at(slot).length < held.copies ? { setKey: segment.setKey, slot } : undefined;
  }

  #heldTail({ messageId, senderId, missingBefore }: Named): GivenUpSegment | undefined {
    for (const [setKey, set] of this.#tables.sets.entries()) {
      if (set.senderId !== senderId || this.#tables.segments.get(messageId)?.setKey === setKey) continue;
      // Where SDS is not past its beginning, what is missing may be of an earlier message: rather two losses than none.
      if (set.released.length === 0 && set.givenUp.length === 0) continue;
      const last = this.#buffer.get(setKey)?.slots().at(-1);
      if (last === undefined || missingBefore >= totalOf(set) - 1 - last) continue;
      // Each is missed once. What is missed after it is another message.
      for (let slot = last + 1; slot < totalOf(set); slot++) if (!set.givenUp.includes(slot)) return { setKey, slot };
    }
    return undefined;
  }

  #noteGivenUp({ setKey, slot }: GivenUpSegment, lost: Omit<GivenUp, "namedBy">): LostMessage | undefined {
    const set = this.#tables.sets.get(setKey);
    const held = this.#buffer.get(setKey);
    if (set === undefined || held === undefined) return undefined;
    const givenUp = [...set.givenUp, slot];
    this.#tables.sets.put(setKey, { ...set, givenUp });
    const told = lossesOf(set.givenUp);
    if (lossesOf(givenUp) === told || this.#isRest(setKey, held.slots())) return undefined;
    const copies = held.at(held.slots()[0] ?? 0);
    const first = slot === 0 ? lost : (copies[told] ?? copies[0] ?? lost);
    return { messageId: first.messageId, senderId: set.senderId, reason: lost.reason };
  }

  #followsUnheard({ messageId, distance }: Named): boolean {
    if (this.#tables.segments.has(messageId)) return false;
    for (const { unheard, lostSlots } of this.#tables.completed.values()) {
      const follower = unheard?.followers.find((each) => each.messageId === messageId);
      if (follower) return follower.slot >= distance && !lostSlots.includes(follower.slot - distance);
    }
    return false;
  }

  #isUnheardTail({ senderId, missingBefore }: Named): boolean {
    for (const [setKey, row] of this.#tables.completed.entries()) {
      const { unheard } = row;
      if (unheard === undefined || unheard.senderId !== senderId || missingBefore >= unheard.tail) continue;
      // Each is missed once. What is missed after it is another message.
      this.#tables.completed.put(setKey, { ...row, unheard: { ...unheard, tail: unheard.tail - 1 } });
      return true;
    }
    return false;
  }

  /** The end of a message that was reported lost comes after all: SDS will not give it up. */
  #hearTail(setKey: string, slot: number): void {
    const row = this.#tables.completed.get(setKey);
    if (row?.unheard === undefined || row.unheard.tail === 0 || slot <= Math.max(...row.lostSlots)) return;
    this.#tables.completed.put(setKey, { ...row, unheard: { ...row.unheard, tail: 0 } });
  }

  /** Every set that is held. */
  progress(): readonly SetProgress[] {
    return [...this.#tables.sets.entries()].flatMap(([setKey, { senderId, dataSegmentCount }]) => {
      const held = this.#buffer.get(setKey);
      if (held === undefined) return [];
      return [{ setKey, senderId, done: done(held), total: dataSegmentCount, bytes: held.usage.bytes }];
    });
  }

  /** A set that was stored by an earlier run also gets the time that catching up takes. */
  #deadline(setKey: string, set: SegmentSetRow): number {
    const idleMs = this.#buffer.get(setKey)?.isComplete ? LIMITS.segmentation.heldBackMs : this.#limits.setIdleMs;
    const graceMs = Math.min(idleMs, LIMITS.segmentation.resumeGraceMs);
    return Math.max(set.updatedAt + idleMs, (this.#resumedAt ?? 0) + graceMs);
  }

  #makeRoom(quota: BufferQuota): readonly LostMessage[] {
    const lost: LostMessage[] = [];
    for (let mustGo = quota.exceeded(); mustGo !== undefined; mustGo = quota.exceeded()) {
      const oldest = this.#leastRecentlyUpdated(quota, mustGo);
      if (oldest === undefined) break;
      lost.push(...this.#giveUp(oldest, "reassembly buffer full"));
    }
    return lost;
  }

  #leastRecentlyUpdated(quota: BufferQuota, mustGo: (senderId: string) => boolean): string | undefined {
    let oldest: { readonly setKey: string; readonly order: number } | undefined;
    for (const [setKey, { senderId, order }] of this.#tables.sets.entries()) {
      if (oldest !== undefined && order > oldest.order) continue;
      const held = this.#buffer.get(setKey);
      if (held === undefined || this.#buffer.quotaOf(held) !== quota || !mustGo(senderId)) continue;
      oldest = { setKey, order };
    }
    return oldest?.setKey;
  }

  /** Drops a set. One loss for each of its messages, save for the rest of one that was reported before. */
  #giveUp(setKey: string, reason: string): readonly LostMessage[] {
    const set = this.#tables.sets.get(setKey);
    const held = this.#buffer.get(setKey);
    if (set === undefined || held === undefined) return [];
    const slots = held.slots();
    const remembered = this.#tables.completed.get(setKey);
    const lost: LostMessage[] = [];
    const isRest = this.#isRest(setKey, slots);
    for (let copy = lossesOf(set.givenUp); copy < held.copies && !isRest; copy++) {
      const first = slots.flatMap((slot) => held.at(slot)[copy] ?? [])[0];
      if (first !== undefined) lost.push({ senderId: set.senderId, messageId: first.messageId, reason });
    }
    const unheardNow = unheardOf(set, held);
    this.#remove(setKey, set, [...held.segments()]);
    // Of a message of one segment no rest can come.
    if (set.dataSegmentCount + set.paritySegmentCount > 1) {
      const lostSlots = isRest ? [...slots, ...(remembered?.lostSlots ?? [])] : slots;
      const unheard = isRest ? remembered?.unheard : unheardNow;
      this.#remember(setKey, {
        delivered: remembered?.delivered ?? false,
        lostSlots,
        ...(unheard === undefined ? {} : { unheard }),
      });
    }
    return lost;
  }

  /** Whether what is held is only the rest of a message that was reported lost. */
  #isRest(setKey: string, slots: readonly number[]): boolean {
    const lostSlots = this.#tables.completed.get(setKey)?.lostSlots ?? [];
    return lostSlots.length > 0 && isDisjoint(slots, lostSlots);
  }

  /** Takes segments out of a set, and the set away with its last one. */
  #remove(setKey: string, set: SegmentSetRow, segments: readonly HeldSegment[]): void {
    for (const { messageId } of segments) this.#tables.segments.delete(messageId);
    if (this.#buffer.get(setKey) === undefined) {
      this.#tables.sets.delete(setKey);
      return;
    }
    const gone = new Set(segments.map(({ arrival }) => arrival));
    this.#tables.sets.put(setKey, { ...set, released: set.released.filter((arrival) => !gone.has(arrival)) });
  }

  #remember(setKey: string, row: Omit<CompletedRow, "order">): void {
    const { completed } = this.#tables;
    completed.put(setKey, { ...row, order: this.#lastOrder + 1 });
    while (completed.size > this.#limits.completedSets) {
      let oldest: readonly [string, CompletedRow] | undefined;
      for (const entry of completed.entries())
        if (oldest === undefined || entry[1].order < oldest[1].order) oldest = entry;
      if (oldest === undefined) return;
      completed.delete(oldest[0]);
    }
  }
}

function ignored(reason: string): { readonly outcome: AddOutcome; readonly lost: readonly LostMessage[] } {
  return { outcome: { kind: "ignored", reason }, lost: [] };
}

function readWhole({ messageId, content }: ArrivedContent): Result<Piece> {
  if (content.length === 0) return err("empty content");
  return ok({
    setKey: `raw/${messageId}`,
    originalPayloadHash: undefined,
    dataSegmentCount: 1,
    paritySegmentCount: 0,
    slot: 0,
    payload: content,
  });
}

function readSegment({ senderId, content }: ArrivedContent): Result<Piece> {
  const segment = decodeSegment(content);
  if (!segment.ok) return segment;
  const shard = shardLength(segment.value);
  if (!shard.ok) return shard;
  const { originalPayloadHash, originalPayloadLength, dataSegmentCount, paritySegmentCount } = segment.value;
  const shape = [originalPayloadLength ?? "-", dataSegmentCount, paritySegmentCount, shard.value ?? "-"].join("/");
  return ok({
    // The sender comes last, because it may contain anything.
    setKey: `${toHex(originalPayloadHash)}/${shape}/${senderId}`,
    originalPayloadHash: ownBytes(originalPayloadHash),
    dataSegmentCount,
    paritySegmentCount,
    slot: segment.value.isParity ? dataSegmentCount + segment.value.index : segment.value.index,
    payload: segment.value.segmentPayload,
  });
}

/** Segments of the message, of those that are there: any slot counts, as parity may stand in for data. */
function done(held: HeldSet): number {
  return Math.min(held.slots().length, held.dataSegmentCount);
}

/**
 * The segment that was released first for each data slot, where there is one for every slot, and the parity that goes
 * with them. SDS releases a sender's segments in the order sent, so these are the segments of one message.
 */
function firstReleasedCopy(
  set: SegmentSetRow,
  held: HeldSet,
): { readonly data: readonly HeldSegment[]; readonly parity: readonly HeldSegment[] } | undefined {
  const firsts = new Map<number, HeldSegment>();
  for (const arrival of set.released) {
    const segment = held.byArrival(arrival);
    if (segment !== undefined && !firsts.has(segment.slot)) firsts.set(segment.slot, segment);
  }
  const data: HeldSegment[] = [];
  for (let slot = 0; slot < set.dataSegmentCount; slot++) {
    const first = firsts.get(slot);
    if (first === undefined) return undefined;
    data.push(first);
  }
  const paritySlots = held.slots().filter((slot) => slot >= set.dataSegmentCount);
  return { data, parity: paritySlots.flatMap((slot) => firsts.get(slot) ?? held.at(slot)[0] ?? []) };
}

/** The payload, or `undefined` where it is not what the hash says. Its size is that of the segments held. */
function assemble(data: readonly HeldSegment[], hash: Bytes | undefined): Bytes | undefined {
  const parts = data.map(({ payload }) => payload);
  if (hash !== undefined && !equalBytes(keccak256(...parts), hash)) return undefined;
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : concat(...parts);
}

function unheardOf(set: SegmentSetRow, held: HeldSet): Unheard {
  const slots = held.slots();
  const followers = slots
    .filter((slot) => slot > 0 && !slots.includes(slot - 1))
    .flatMap((slot) => held.at(slot).map(({ messageId }) => ({ messageId, slot })));
  const last = slots.at(-1) ?? 0;
  const givenUpTail = new Set(set.givenUp.filter((slot) => slot > last)).size;
  return { senderId: set.senderId, followers, tail: totalOf(set) - 1 - last - givenUpTail };
}

/** Losses told of a set's messages: SDS gives each segment up once, so what comes twice is of two messages. */
function lossesOf(givenUp: readonly number[]): number {
  return Math.max(0, ...givenUp.map((slot) => givenUp.filter((other) => other === slot).length));
}

/** What was given up of the other messages of a set, one of which is complete. */
function withoutOneEach(givenUp: readonly number[]): readonly number[] {
  return givenUp.filter((slot, index) => givenUp.indexOf(slot) !== index);
}

function totalOf(set: Pick<SegmentSetRow, "dataSegmentCount" | "paritySegmentCount">): number {
  return set.dataSegmentCount + set.paritySegmentCount;
}

function isDisjoint(a: readonly number[], b: readonly number[]): boolean {
  return a.every((element) => !b.includes(element));
}
