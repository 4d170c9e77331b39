/**
 * Which losses are told: one for each message at most, and of a message that is handed out of its causal place, one
 * before that.
 *
 * There are three occasions. SDS gives up an id that others named. A set of segments goes, because its time is over or
 * its room is needed. And a message comes too late for its place, which nobody knew to be missing.
 *
 * What SDS gives up is known by its id alone, as its content never came. What is known of the message that it belongs to
 * follows from how histories name messages here: a segment names the one before it, and whatever else names a message
 * names its last segment. So an id given up is
 *
 * - the segment before one that arrived, if that one names it;
 * - otherwise the last segment of a message of its sender. That may be one of which a part arrived, if that part is as
 *   old as the last segment must be, and its last segment did not arrive: then its loss is told, if it is not told yet,
 *   and stands for both. Otherwise nothing of the message is here, and the loss is told by the id itself.
 *
 * So no message is told lost twice. Where a whole message is missed beside the end of another one, of the same sender
 * and right after it, and nothing tells the two apart, they have one loss between them until one of them comes.
 */
import { OrderedIndex } from "../common/ordered-index.ts";
import type { Table } from "../common/table.ts";
import { LIMITS } from "../limits.ts";
import { EndlessSets } from "./endless-sets.ts";
import { lossesOf, oneMore } from "./given-up-counts.ts";
import { type ArrivedContent, totalOf } from "./piece.ts";
import type { CompletedRow, LostIdRow, ReassemblerTables, SegmentSetRow, Unheard } from "./reassembler-tables.ts";
import type { HeldSet, SegmentBuffer } from "./segment-buffer.ts";
import { SenderSpans } from "./sender-spans.ts";
import { UnheardSegments, type Whereabouts } from "./unheard-segments.ts";

/** A message that SDS gave up; the same as its `Lost`. */
export interface GivenUp extends Whereabouts {
  readonly messageId: string;
  readonly reason: string;
}

export interface LostMessage {
  readonly senderId: string;
  /** The SDS id of the message's first data segment; of the first that is known, where that one is not. */
  readonly messageId: string;
  readonly reason: string;
}

/** A loss as it is told. Where SDS does not know the sender, nobody does. */
export type ToldLoss = Omit<LostMessage, "senderId"> & { readonly senderId?: string };

/** A segment that arrives. */
export interface Heard {
  readonly messageId: string;
  readonly slot: number;
}

/** A segment of a held message that SDS gave up. */
interface GivenUpSegment {
  readonly setKey: string;
  readonly slot: number;
}

/** What is remembered of losses, in rows. */
export interface LossBounds {
  /** Of sets that are no more. */
  readonly completedSets: number;
  /** Of ids by which losses were told. */
  readonly lostIds: number;
}

export class Losses {
  readonly #tables: ReassemblerTables;
  readonly #buffer: SegmentBuffer;
  readonly #bounds: LossBounds;
  readonly #completedByOrder: OrderedIndex<CompletedRow>;
  readonly #lostIdsByOrder: OrderedIndex<LostIdRow>;
  readonly #lostSpans: SenderSpans<LostIdRow>;
  readonly #unheard: UnheardSegments;
  readonly #endless: EndlessSets;

  constructor(tables: ReassemblerTables, buffer: SegmentBuffer, bounds: LossBounds) {
    this.#tables = tables;
    this.#buffer = buffer;
    this.#bounds = bounds;
    this.#completedByOrder = new OrderedIndex(tables.completed, ({ order }) => order);
    this.#lostIdsByOrder = new OrderedIndex(tables.lostIds, ({ order }) => order);
    this.#lostSpans = new SenderSpans(tables.lostIds);
    this.#unheard = new UnheardSegments(tables.completed);
    this.#endless = new EndlessSets(tables, buffer);
  }

  /** SDS gave this up. What is held of its message is kept, as it may still be completed. */
  tell(givenUp: GivenUp): ToldLoss | undefined {
    const { messageId, senderId, reason, since, before } = givenUp;
    const held = this.#heldSegment(givenUp) ?? this.#heldEnd(givenUp);
    if (held !== undefined) return this.#tellOfHeld(held, givenUp);
    if (this.#unheard.mayInclude(givenUp)) return undefined;
    const sender = senderId === undefined ? {} : { senderId };
    this.#rememberId(messageId, { ...sender, since, before });
    return { messageId, ...sender, reason };
  }

  /** A set goes. Returns a loss for each of its messages that has none yet. */
  tellOfDropped(setKey: string, set: SegmentSetRow, held: HeldSet, reason: string): readonly LostMessage[] {
    const slots = held.slots();
    const remembered = this.#tables.completed.get(setKey);
    const isRest = this.#isRest(setKey, held);
    const lost: LostMessage[] = [];
    if (!isRest && !this.#mayBeToldById(set, held)) {
      for (let copy = lossesOf(set.givenUp); copy < held.copies; copy++) {
        lost.push({ senderId: set.senderId, messageId: idOf(held, copy), reason });
      }
    }
    // Of a message of one segment no rest can come.
    if (totalOf(set) > 1) {
      const lostSlots = isRest ? [...slots, ...(remembered?.lostSlots ?? [])] : slots;
      const unheard = isRest ? remembered?.unheard : unheardOf(set, held);
      this.remember(setKey, {
        delivered: remembered?.delivered ?? false,
        lostSlots,
        ...(unheard === undefined ? {} : { unheard }),
      });
    }
    return lost;
  }

  /** A message is complete, too late for its place. Its loss, if it was not told. */
  tellOfLate(set: SegmentSetRow, messageId: string): LostMessage | undefined {
    if (lossesOf(set.givenUp) > 0) return undefined;
    return { senderId: set.senderId, messageId, reason: "too late for its place" };
  }

  /**
   * There is no room for a segment among those of its slot. Returns the loss of its message, if it has none yet: neither by
   * `isTold`, nor by the segment before it or after it, nor by what is held of it once that goes.
   *
   * @param follows the segment before it, where there is one
   */
  tellOfRefused(
    { messageId, senderId, lamport }: Pick<ArrivedContent, "messageId" | "senderId" | "lamport">,
    follows: string | undefined,
    isTold: boolean,
    reason: string,
  ): readonly LostMessage[] {
    const { lostIds, segments } = this.#tables;
    const isKnown = isTold || (follows !== undefined && (lostIds.has(follows) || segments.has(follows)));
    for (const id of follows === undefined ? [messageId] : [follows, messageId]) {
      // It is the end of nothing that is held.
      this.#rememberId(id, { senderId, since: lamport, before: lamport });
    }
    return isKnown ? [] : [{ messageId: follows ?? messageId, senderId, reason }];
  }

  /** A segment arrives. Returns whether its loss was told by its id. */
  hear(setKey: string, set: Pick<SegmentSetRow, "dataSegmentCount" | "paritySegmentCount">, segment: Heard): boolean {
    const { completed, lostIds } = this.#tables;
    const row = completed.get(setKey);
    // The end of a message that was reported lost comes after all: SDS will not give it up.
    if (row?.unheard?.lacksEnd && segment.slot === totalOf(set) - 1) {
      completed.put(setKey, { ...row, unheard: { ...row.unheard, lacksEnd: false } });
    }
    const isTold = lostIds.has(segment.messageId);
    lostIds.delete(segment.messageId);
    return isTold;
  }

  remember(setKey: string, row: Omit<CompletedRow, "order">): void {
    const { completed } = this.#tables;
    completed.put(setKey, { ...row, order: (this.#completedByOrder.last() ?? 0) + 1 });
    forgetOldest(completed, this.#completedByOrder, this.#bounds.completedSets);
  }

  #rememberId(messageId: string, row: Omit<LostIdRow, "order">): void {
    const { lostIds } = this.#tables;
    lostIds.put(messageId, { ...row, order: (this.#lostIdsByOrder.last() ?? 0) + 1 });
    forgetOldest(lostIds, this.#lostIdsByOrder, this.#bounds.lostIds);
  }

  /** The segment right before one that arrived: that one names it. */
  #heldSegment({ followers }: GivenUp): GivenUpSegment | undefined {
    for (const { messageId, distance } of followers) {
      const segment = this.#tables.segments.get(messageId);
      const held = segment && this.#buffer.get(segment.setKey);
      if (segment === undefined || held === undefined) continue;
      const slot = segment.slot - distance;
      if (slot >= 0 && held.lacks(slot)) return { setKey: segment.setKey, slot };
    }
    return undefined;
  }

  /** The missing end of a held message, of the newest one that may end with it. */
  #heldEnd(givenUp: GivenUp): GivenUpSegment | undefined {
    const setKey = this.#endless.newestFor(givenUp);
    const set = setKey === undefined ? undefined : this.#tables.sets.get(setKey);
    return setKey === undefined || set === undefined ? undefined : { setKey, slot: totalOf(set) - 1 };
  }

  #tellOfHeld({ setKey, slot }: GivenUpSegment, lost: GivenUp): ToldLoss | undefined {
    const set = this.#tables.sets.get(setKey);
    const held = this.#buffer.get(setKey);
    if (set === undefined || held === undefined) return undefined;
    if (this.#isRest(setKey, held) || this.#mayBeToldById(set, held)) return undefined;
    const before = set.givenUp[slot] ?? 0;
    // Which of several is the end nobody knows, so they have one loss between them.
    if (slot === totalOf(set) - 1 && before > 0) return undefined;
    // Whoever names ever more segments of a message tells nothing new, and is not kept.
    if (before >= LIMITS.segmentation.copies) return undefined;
    const told = lossesOf(set.givenUp);
    this.#tables.sets.put(setKey, { ...set, givenUp: oneMore(set.givenUp, slot) });
    if (before < told) return undefined;
    const messageId = slot === 0 ? lost.messageId : idOf(held, told);
    return { messageId, senderId: set.senderId, reason: lost.reason };
  }

  /** Whether the last segment of a held message may be one that was told lost by its id. */
  #mayBeToldById(set: SegmentSetRow, held: HeldSet): boolean {
    return held.lacks(totalOf(set) - 1) && this.#lostSpans.covers(set.senderId, set.newest);
  }

  /** Whether what is held is only the rest of a message that was reported lost. */
  #isRest(setKey: string, held: HeldSet): boolean {
    const lostSlots = this.#tables.completed.get(setKey)?.lostSlots ?? [];
    return lostSlots.length > 0 && lostSlots.every((slot) => held.at(slot).length === 0);
  }
}

function forgetOldest<V>(table: Table<string, V>, byOrder: OrderedIndex<V>, bound: number): void {
  while (table.size > bound && byOrder.deleteFirst());
}

/** The id of one of the messages of a set: that of its first segment, if that one or the next is here. */
function idOf(held: HeldSet, copy: number): string {
  const first = held.at(0)[copy]?.messageId ?? held.at(1)[copy]?.follows;
  if (first !== undefined) return first;
  const slots = held.slots();
  const known = slots.flatMap((slot) => held.at(slot)[copy] ?? [])[0] ?? slots.flatMap((slot) => held.at(slot))[0];
  return known?.messageId ?? "";
}

function unheardOf(set: SegmentSetRow, held: HeldSet): Unheard {
  const followers = held
    .slots()
    .filter((slot) => slot > 0 && held.at(slot - 1).length === 0)
    .flatMap((slot) => held.at(slot).map(({ messageId }) => ({ messageId, slot })))
    .slice(0, LIMITS.segmentation.followers);
  return { senderId: set.senderId, followers, newest: set.newest, lacksEnd: held.lacks(totalOf(set) - 1) };
}
