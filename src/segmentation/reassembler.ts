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
import { concat, equalBytes, ownBytes } from "../common/bytes.ts";
import { keccak256 } from "../common/keccak.ts";
import { OrderedIndex } from "../common/ordered-index.ts";
import { LIMITS } from "../limits.ts";
import type { BufferQuota } from "./buffer-quota.ts";
import { lossesOf, NONE_GIVEN_UP, oneLessEach, oneMore } from "./given-up-counts.ts";
import { type GivenUp, type LossBounds, Losses, type LostMessage, type ToldLoss } from "./losses.ts";
import { type ArrivedContent, type Codec, isInnerPiece, readPiece } from "./piece.ts";
import type { ReassemblerTables, SegmentSetRow } from "./reassembler-tables.ts";
import type { HeldSegment, HeldSet } from "./segment-buffer.ts";
import { SegmentBuffer } from "./segment-buffer.ts";

export type { LostMessage } from "./losses.ts";
export type { ArrivedContent } from "./piece.ts";
export { openReassemblerTables, REASSEMBLER_TABLES, type ReassemblerTables } from "./reassembler-tables.ts";

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

/** What comes of a release: a loss, a message, or one after the other where the message is late. */
export interface Release {
  readonly lost?: LostMessage;
  readonly message?: Reassembled;
}

export interface SetProgress {
  readonly setKey: string;
  readonly senderId: string;
  readonly done: number;
  readonly total: number;
  /** Payload bytes held. */
  readonly bytes: number;
}

/** A clock that stands still while nothing can arrive: asleep, and offline. */
export interface IdleClock {
  /** Milliseconds that it ran. */
  readonly ms: number;
  /** Its reading when it last went on after it had stood still. */
  readonly wentOnMs: number;
}

/** The bounds of a reassembler; LIMITS says what each means. */
export interface ReassemblerLimits extends LossBounds {
  readonly sets: number;
  readonly bufferedBytes: number;
  readonly setIdleMs: number;
}

export class Reassembler {
  readonly #tables: ReassemblerTables;
  readonly #codec: Codec;
  readonly #clock: IdleClock;
  readonly #limits: ReassemblerLimits;
  readonly #buffer: SegmentBuffer;
  readonly #losses: Losses;
  readonly #byOrder: OrderedIndex<SegmentSetRow>;

  constructor(
    tables: ReassemblerTables,
    codec: Codec,
    clock: IdleClock,
    limits: ReassemblerLimits = LIMITS.segmentation,
  ) {
    this.#tables = tables;
    this.#codec = codec;
    this.#clock = clock;
    this.#limits = limits;
    this.#byOrder = new OrderedIndex(tables.sets, ({ order }) => order);
    const { totalSegments } = LIMITS.segmentation;
    const { parkedMessages, parkedBytes } = LIMITS.sds;
    this.#buffer = new SegmentBuffer(tables.segments, {
      incomplete: { sets: limits.sets, bytes: limits.bufferedBytes, segments: limits.sets * totalSegments },
      // What SDS parks is bounded there. Here it must not be bounded more tightly, and what SDS is about to deliver, or
      // has delivered of a message that is not yet through, comes on top.
      heldBack: { sets: 2 * parkedMessages, bytes: 2 * parkedBytes, segments: limits.sets * totalSegments },
    });
    this.#losses = new Losses(tables, this.#buffer, limits);
  }

  /** Takes in a message's content on arrival. `lost`: what had to go to make room. */
  add(arrived: ArrivedContent): { readonly outcome: AddOutcome; readonly lost: readonly LostMessage[] } {
    const { sets, segments, completed } = this.#tables;
    const { messageId, senderId } = arrived;
    if (segments.has(messageId)) return ignored("duplicate");
    const read = readPiece(arrived, this.#codec);
    if (!read.ok) return ignored(read.error);
    const { setKey, slot, dataSegmentCount, paritySegmentCount, originalPayloadHash } = read.value;

    const set = sets.get(setKey);
    if (set === undefined && slot >= dataSegmentCount && completed.get(setKey)?.delivered) {
      return ignored("late parity");
    }
    const isTold = this.#losses.hear(setKey, read.value, { messageId, slot });
    const others = this.#buffer.get(setKey)?.at(slot) ?? [];
    const same = others[0]?.payload;
    if (set !== undefined && same !== undefined && !equalBytes(same, read.value.payload)) {
      // The first writer keeps the slot; doubt is noted once, and refreshes nothing.
      if (!set.contested.includes(slot)) sets.put(setKey, { ...set, contested: [...set.contested, slot] });
      return ignored("contested");
    }
    if (dataSegmentCount > 1 && others.length >= LIMITS.segmentation.copies) {
      // What is held may be the real one, and what comes a replay (LIP-243 "Denial of Service").
      const reason = "too many messages with the same payload at once";
      const follows = slot > 0 ? arrived.follows : undefined;
      return { ...ignored(reason), lost: this.#losses.tellOfRefused(arrived, follows, isTold, reason) };
    }

    const arrival = set?.arrivals ?? 0;
    const givenUp = set?.givenUp ?? NONE_GIVEN_UP;
    sets.put(setKey, {
      senderId,
      originalPayloadHash,
      dataSegmentCount,
      paritySegmentCount,
      released: set?.released ?? [],
      givenUp: isTold ? oneMore(givenUp, slot) : givenUp,
      contested: set?.contested ?? [],
      updatedMs: this.#clock.ms,
      order: (this.#byOrder.last() ?? 0) + 1,
      arrivals: arrival + 1,
      newest: Math.max(set?.newest ?? 0, arrived.lamport),
    });
    // A buffer of its own, or storing the row would store the whole message that it is a view of.
    const payload = same ?? ownBytes(read.value.payload);
    const follows = slot === 1 && arrived.follows !== undefined ? { follows: arrived.follows } : {};
    segments.put(messageId, { setKey, senderId, dataSegmentCount, slot, arrival, payload, ...follows });
    const lost = [...this.#makeRoom(this.#buffer.incomplete), ...this.#makeRoom(this.#buffer.heldBack)];

    const held = this.#buffer.get(setKey);
    if (held === undefined) return { ...ignored("no room"), lost };
    return { outcome: { kind: "buffered", setKey, done: done(held), total: dataSegmentCount }, lost };
  }

  /**
   * SDS delivered this message: its dependencies are met. Returns the payload that is complete with it, or its loss where
   * the payload is not what its hash says.
   *
   * @param isLate something that may depend on it was delivered before: then so does its message come too late, and its
   *   loss is told first, if it was not told before.
   */
  release(messageId: string, isLate = false): Release {
    const segment = this.#tables.segments.get(messageId);
    if (segment === undefined) return {};
    const { setKey, senderId } = segment;
    const set = this.#tables.sets.get(setKey);
    const held = this.#buffer.get(setKey);
    if (set === undefined || held === undefined || set.released.includes(segment.arrival)) return {};

    const released = { ...set, released: [...set.released, segment.arrival] };
    const copy = firstReleasedCopy(released, held);
    if (copy === undefined) {
      this.#tables.sets.put(setKey, released);
      return {};
    }
    const message = { senderId, messageId: copy.data[0]?.messageId ?? messageId };
    const payload = assemble(copy.data, set.originalPayloadHash);
    this.#remove(setKey, { ...released, givenUp: oneLessEach(set.givenUp) }, [...copy.data, ...copy.parity]);
    if (payload === undefined) {
      if (lossesOf(set.givenUp) > 0) return {};
      const reason =
        set.contested.length > 0 ? "payload does not match its hash: contested" : "payload does not match its hash";
      return { lost: { ...message, reason } };
    }
    if (set.paritySegmentCount > 0) {
      const lostSlots = this.#tables.completed.get(setKey)?.lostSlots ?? [];
      this.#losses.remember(setKey, { delivered: true, lostSlots });
    }
    const lost = isLate ? this.#losses.tellOfLate(set, message.messageId) : undefined;
    return { message: { ...message, payload }, ...(lost === undefined ? {} : { lost }) };
  }

  /** Gives up what had no news for too long: LIP-243 "Denial of Service". */
  expire(): readonly LostMessage[] {
    const { ms } = this.#clock;
    const expired = [...this.#byOrder.ascending()].filter((setKey) => {
      const set = this.#tables.sets.get(setKey);
      return set !== undefined && this.#dueMs(setKey, set) <= ms;
    });
    return expired.flatMap((setKey) => {
      const reason = this.#buffer.get(setKey)?.isComplete ? "never delivered by SDS" : "segments missing";
      return this.#drop(setKey, reason);
    });
  }

  /** The reading of the clock at which {@link expire} has something to do. */
  nextDueMs(): number | undefined {
    let next: number | undefined;
    for (const [setKey, set] of this.#tables.sets.entries()) {
      const dueMs = this.#dueMs(setKey, set);
      if (next === undefined || dueMs < next) next = dueMs;
    }
    return next;
  }

  /** Whether a content is one of several segments, and not the last. */
  isInner(content: Uint8Array): boolean {
    return isInnerPiece(content, this.#codec);
  }

  /** SDS gave this up. Returns the loss to tell, before what waited for it is released, if there is one. */
  giveUp(givenUp: GivenUp): ToldLoss | undefined {
    return this.#losses.tell(givenUp);
  }

  /** Every set that is held. */
  progress(): readonly SetProgress[] {
    return [...this.#tables.sets.entries()].flatMap(([setKey, { senderId, dataSegmentCount }]) => {
      const held = this.#buffer.get(setKey);
      if (held === undefined) return [];
      return [{ setKey, senderId, done: done(held), total: dataSegmentCount, bytes: held.usage.bytes }];
    });
  }

  /** When a set is given up. After the clock stood still it has the time that catching up takes. */
  #dueMs(setKey: string, set: SegmentSetRow): number {
    const idleMs = this.#buffer.get(setKey)?.isComplete ? LIMITS.segmentation.heldBackMs : this.#limits.setIdleMs;
    const graceMs = Math.min(idleMs, LIMITS.segmentation.resumeGraceMs);
    return Math.max((set.updatedMs ?? 0) + idleMs, this.#clock.wentOnMs + graceMs);
  }

  #makeRoom(quota: BufferQuota): readonly LostMessage[] {
    const lost: LostMessage[] = [];
    for (let mustGo = quota.exceeded(); mustGo !== undefined; mustGo = quota.exceeded()) {
      const oldest = this.#leastRecentlyUpdated(quota, mustGo);
      if (oldest === undefined) break;
      lost.push(...this.#drop(oldest, "reassembly buffer full"));
    }
    return lost;
  }

  #leastRecentlyUpdated(quota: BufferQuota, mustGo: (senderId: string) => boolean): string | undefined {
    for (const setKey of this.#byOrder.ascending()) {
      const held = this.#buffer.get(setKey);
      if (held !== undefined && this.#buffer.quotaOf(held) === quota && mustGo(held.senderId)) return setKey;
    }
    return undefined;
  }

  /** Drops a set. */
  #drop(setKey: string, reason: string): readonly LostMessage[] {
    const set = this.#tables.sets.get(setKey);
    const held = this.#buffer.get(setKey);
    if (set === undefined || held === undefined) return [];
    const lost = this.#losses.tellOfDropped(setKey, set, held, reason);
    this.#remove(setKey, set, [...held.segments()]);
    return lost;
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
}

function ignored(reason: string): { readonly outcome: AddOutcome; readonly lost: readonly LostMessage[] } {
  return { outcome: { kind: "ignored", reason }, lost: [] };
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
