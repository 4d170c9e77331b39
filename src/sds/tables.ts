/**
 * What a participant keeps: one row per fact, so that a message sent or received touches a few rows, however long the
 * history is. Everything else in memory is an index derived from these rows.
 *
 * Times named `…Ms` of timers are readings of the awake clock (`awake-clock.ts`), not of the wall clock.
 */
import type { Bytes } from "../common/bytes.ts";
import { Entries, Entry } from "../common/entries.ts";
import { ColdTable, type Journal, type StoredKey, type StoredRows, type Table, tableOf } from "../common/table.ts";
import type { Part } from "./message.ts";

export interface MessageRef {
  readonly messageId: string;
  readonly senderId: string;
}

/** The single row of a channel. */
export interface SdsMetaRow {
  /** Lamport timestamp, in the unit of the layout. */
  readonly lamport: number;
  /** The nanoseconds that went into the newest message id of ours: the next one takes later ones. */
  readonly lastIdNanoseconds: bigint;
  /** Wall clock, milliseconds since the Unix epoch: the channel's first event here. */
  readonly startedAt: number;
  /** The awake clock: its reading, the wall clock at which it was read, and whether it runs. */
  readonly awakeMs: number;
  readonly asOf: number;
  readonly online: boolean;
  /** Its reading when it last went on; absent where it never stood still. */
  readonly wentOnMs?: number;
  /** Numbers rows in the order in which they came. */
  readonly sequence: number;
  /** Messages of ours that carried a filter. */
  readonly sends: number;
  /** The random number given last, for the spread of timers that are set without one. */
  readonly jitter: number;
  /** The next periodic sync, and the interval that leads to it; absent while there is nothing to synchronise. */
  readonly sync?: { readonly dueMs: number; readonly intervalMs: number };
  /** An acknowledgement that we owe, and the newest message that it is for; absent where none can stand for all. */
  readonly ackOwed?: { readonly dueMs: number; readonly newest?: MessageRef };
  readonly lastAckSyncMs?: number;
  /** A sync message is decided and not made yet: until it may go, no other one is due. */
  readonly syncWaits?: true;
  /** Members were seen that name sync messages in causal histories, as nim-sds does. */
  readonly referenceMembers: boolean;
}

/** A message of the ordered log. */
export interface LogRow {
  /** Capped to what our clock makes plausible. */
  readonly lamport: number;
  readonly senderId: string;
  /** The retrieval hint: a message hash, lower-case hexadecimal. */
  readonly hash?: string;
  /** A store node confirmed the hash. */
  readonly stored?: true;
  /** It is a part of a longer message, and a later part names it: to name that one is to name this. */
  readonly inner?: true;
  /** No message of the log names this one in its causal history. */
  readonly head?: true;
  /** What only a part of someone else's message names, until the last part names it all by way of this one. */
  readonly names?: readonly string[];
}

export type SeenKind = "content" | "own" | "acknowledged" | "sync" | "ephemeral" | "lost";

/** An id that satisfies dependencies and that is a duplicate when it comes again; `lost` ones may still come. */
export interface SeenRow {
  readonly sequence: number;
  readonly kind: SeenKind;
  /** Of a lost one. */
  readonly lost?: LostFacts;
}

/** What is known of a message that was given up. */
export interface LostFacts {
  readonly senderId?: string;
  /** Lamport times: of the earliest message that named it, and one that it is younger than. */
  readonly before: number;
  readonly since: number;
  /** Lamport time up to which all messages of its sender were here when it was given up. */
  readonly wholeUntil: number;
  /** Something that named it was delivered without it. */
  readonly passed?: true;
}

/** A bloom filter of someone else says that it has a message of ours. */
export interface FilterHit {
  readonly senderId: string;
  /** Parameters of the filter that positions follow from. */
  readonly hashes: number;
  readonly bits: number;
  /** How likely it means nothing, 0–1. */
  readonly doubt: number;
}

/** A message of ours that no other participant is known to have; one in several parts, that none is known to have whole. */
export interface OutgoingRow {
  readonly sequence: number;
  /** Those that leave a doubt, each of them worth something beside the others. */
  readonly hits: readonly FilterHit[];
  readonly state: "waiting" | "abandoned" | "exhausted";
  /** Retransmissions so far. */
  readonly attempts: number;
  /** When the newest transmission left for the network; absent before the first did. */
  readonly leftMs?: number;
  /** The newest retransmission was not reported to have left: `leftMs` is when it counts as made all the same. */
  readonly unreported?: true;
  /** A store node has it: retransmissions need not be stored again. */
  readonly stored: boolean;
  /** Where it is a part of a message. Another participant may have this part. */
  readonly part?: Part;
  readonly acknowledged?: true;
  /** So has the participant that has most of the message. It is not sent again then. */
  readonly held?: true;
}

/** Another participant, and what it has of a message of ours: bit `i` stands for part `i`. */
export interface Holder {
  readonly participantId: string;
  readonly parts: bigint;
}

/** Those that have some of a message of ours in several parts, whoever has most of it first. */
export interface HoldersRow {
  readonly holders: readonly Holder[];
}

/** A message that waits for its dependencies. Its content is with whoever was told that it arrived. */
export interface IncomingRow {
  readonly sequence: number;
  readonly senderId: string;
  readonly lamport: number;
  /** Bytes of its content, and of the ids in `history` and `waitsFor` when it came. */
  readonly bytes: number;
  readonly hash?: string;
  /** Ids of its causal history, and those of them that were not met when it came, without those given up since. */
  readonly history: readonly string[];
  readonly waitsFor: readonly string[];
  /** What it waited for was given up: now it waits for all that is earlier and was parked before this number. */
  readonly behind?: number;
  /** It is a part of a longer message, other than the last. */
  readonly inner?: true;
}

/** A dependency that is looked for. */
export interface MissingRow {
  readonly giveUpMs: number;
  /** When to ask the others for it (T_req), for the first time or again; absent where the original sender is unknown. */
  readonly requestMs?: number;
  /** Message hash, lower-case hexadecimal. */
  readonly hint?: string;
  readonly senderId?: string;
  /** Lamport time of the earliest message that names it. */
  readonly before: number;
  /** It may have been sent before we joined: then it is not reported lost. */
  readonly mayPredateUs: boolean;
}

/** Another participant that was heard. */
export interface MemberRow {
  /** When it was heard last, give or take `LIMITS.sds.memberHeardStepMs`. */
  readonly heardMs: number;
  /** The lowest Lamport timestamp, after the join horizon, of a logged message of this member. */
  readonly firstLamport?: number;
}

/** An id of another's message that our bloom filters still summarise. */
export interface SummaryRow {
  readonly sequence: number;
  /** Our count of messages with a filter when it came (again). */
  readonly sends: number;
}

/** A message that someone asked for. */
export interface RepairRow {
  /** When to send it (T_resp); after that, until when it is not sent again. */
  readonly dueMs: number;
  readonly answered: boolean;
}

/** Size of a wire row, and when it may go; never, while it may have to be sent again. */
export interface WireSizeRow {
  readonly bytes: number;
  readonly untilMs?: number;
}

/** The exact bytes of an SDS message. */
export interface WireRow {
  readonly wire: Bytes;
}

export interface SdsTables {
  readonly meta: Table<string, SdsMetaRow>;
  readonly log: Table<string, LogRow>;
  readonly seen: Table<string, SeenRow>;
  readonly outgoing: Table<string, OutgoingRow>;
  readonly holders: Table<string, HoldersRow>;
  readonly incoming: Table<string, IncomingRow>;
  readonly missing: Table<string, MissingRow>;
  readonly members: Table<string, MemberRow>;
  readonly summary: Table<string, SummaryRow>;
  readonly repairs: Table<string, RepairRow>;
  readonly wireSizes: Table<string, WireSizeRow>;
  readonly wires: ColdTable<string, WireRow>;
}

/** Names in storage of the tables that are held in memory. */
export const SDS_TABLES = [
  "sdsMeta",
  "sdsLog",
  "sdsSeen",
  "sdsOutgoing",
  "sdsHolders",
  "sdsIncoming",
  "sdsMissing",
  "sdsMembers",
  "sdsSummary",
  "sdsRepairs",
  "sdsWireSizes",
] as const;
/** Names in storage of the tables that are only written, and read one row at a time. */
export const SDS_COLD_TABLES = ["sdsWires"] as const;

/** What there is of a message, from its arrival until its id is forgotten. */
class MessageEntry extends Entry<string> {
  seen: SeenRow | undefined = undefined;
  log: LogRow | undefined = undefined;
  wireSize: WireSizeRow | undefined = undefined;
  summary: SummaryRow | undefined = undefined;
}

export function openSdsTables(journal: Journal, scope: StoredKey, stored: StoredRows): SdsTables {
  const messages = new Entries<string, MessageEntry>(MessageEntry);
  return {
    meta: tableOf("sdsMeta", journal, scope, stored),
    log: tableOf("sdsLog", journal, scope, stored, messages.column("log")),
    summary: tableOf("sdsSummary", journal, scope, stored, messages.column("summary")),
    wireSizes: tableOf("sdsWireSizes", journal, scope, stored, messages.column("wireSize")),
    // After those that have far fewer rows: theirs then come first, and are found without a walk through all of these.
    seen: tableOf("sdsSeen", journal, scope, stored, messages.column("seen")),
    outgoing: tableOf("sdsOutgoing", journal, scope, stored),
    holders: tableOf("sdsHolders", journal, scope, stored),
    incoming: tableOf("sdsIncoming", journal, scope, stored),
    missing: tableOf("sdsMissing", journal, scope, stored),
    members: tableOf("sdsMembers", journal, scope, stored),
    repairs: tableOf("sdsRepairs", journal, scope, stored),
    wires: new ColdTable("sdsWires", journal, scope),
  };
}
