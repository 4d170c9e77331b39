/** What a reassembler keeps: one row per segment held, per set of segments, and per message that is no more. */
import type { Bytes } from "../common/bytes.ts";
import { type Journal, type StoredKey, type StoredRows, type Table, tableOf } from "../common/table.ts";
import type { GivenUpCounts } from "./given-up-counts.ts";
import type { SegmentRow } from "./segment-buffer.ts";

export type { SegmentRow } from "./segment-buffer.ts";

/** What the segments of one payload have in common, and how far they are. */
export interface SegmentSetRow {
  readonly senderId: string;
  /** `undefined` where messages are not segmented: there is nothing to verify. */
  readonly originalPayloadHash: Bytes | undefined;
  readonly dataSegmentCount: number;
  readonly paritySegmentCount: number;
  /** Reading of the clock at the last news: a segment that was not there before. Absent where another clock was read. */
  readonly updatedMs?: number;
  /** Ascends with every update, over all sets: the least recently updated has the lowest. */
  readonly order: number;
  /** Segments that ever arrived in this set. */
  readonly arrivals: number;
  /** Lamport time of the newest of them. */
  readonly newest: number;
  /** Arrival numbers of the held segments that SDS delivered, in causal order. */
  readonly released: readonly number[];
  readonly givenUp: GivenUpCounts;
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

/** Segments of a lost message that never arrived, as far as those that did tell. */
export interface Unheard {
  readonly senderId: string;
  /** Segments that arrived although the one before them did not: SDS message id and slot. */
  readonly followers: readonly { readonly messageId: string; readonly slot: number }[];
  /** Lamport time of the newest segment that arrived. */
  readonly newest: number;
  /** The last one did not. */
  readonly lacksEnd: boolean;
}

/** A message that was told lost by the id of one of its segments, as nothing else was known of it. */
export interface LostIdRow {
  /** Ascends: the lowest is forgotten first. */
  readonly order: number;
  readonly senderId?: string;
  /** Lamport times: what is known of its sender up to `since` precedes it, and it is older than `before`. */
  readonly since: number;
  readonly before: number;
}

export interface ReassemblerTables {
  readonly sets: Table<string, SegmentSetRow>;
  /** By SDS message id. */
  readonly segments: Table<string, SegmentRow>;
  readonly completed: Table<string, CompletedRow>;
  /** By SDS message id. */
  readonly lostIds: Table<string, LostIdRow>;
}

const SETS = "segmentSets";
const SEGMENTS = "segments";
const COMPLETED = "completedSets";
const LOST_IDS = "lostIds";
/** Names of the tables in storage. */
export const REASSEMBLER_TABLES = [SETS, SEGMENTS, COMPLETED, LOST_IDS] as const;

/** The tables over rows that an earlier run wrote. Storage is inside the border: its schema vouches for their shape. */
export function openReassemblerTables(
  journal: Journal,
  scope: StoredKey,
  stored: StoredRows = () => [],
): ReassemblerTables {
  return {
    sets: tableOf(SETS, journal, scope, stored),
    segments: tableOf(SEGMENTS, journal, scope, stored),
    completed: tableOf(COMPLETED, journal, scope, stored),
    lostIds: tableOf(LOST_IDS, journal, scope, stored),
  };
}
