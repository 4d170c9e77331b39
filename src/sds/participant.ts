/**
 * One participant of one channel, LIP-109 (Scalable Data Sync): what it sends, what it makes of what it receives, and
 * what time asks of it.
 *
 * A pure state machine on tables: the time and random numbers come in with the calls, and what is to be done goes out
 * with the outcomes. Each procedure below is one of LIP-109's protocol steps; the state that they share is in the classes
 * of this folder.
 */
import { type Bytes, EMPTY, fromHex, ownBytes, toHex, utf8 } from "../common/bytes.ts";
import { LIMITS } from "../limits.ts";
import { AwakeClock } from "./awake-clock.ts";
import { IncomingBuffer } from "./incoming-buffer.ts";
import { KeptWires } from "./kept-wires.ts";
import type { SdsLayout } from "./layout.ts";
import { Members } from "./members.ts";
import type { HistoryEntry, SdsMessage, Wrapped } from "./message.ts";
import { messageIdOf } from "./message-id.ts";
import { MessageLog } from "./message-log.ts";
import { Meta } from "./meta.ts";
import { droppedOutcome, emptyOutcome, type OutcomeDraft, type Received, type SdsOutcome } from "./outcome.ts";
import { OutgoingBuffer } from "./outgoing-buffer.ts";
import { ReceivedSummary } from "./received-summary.ts";
import { RepairResponses } from "./repair-responses.ts";
import { isInResponseGroup, requestDelayMs, responseDelayMs } from "./repair-timing.ts";
import { SeenIds } from "./seen-ids.ts";
import { SyncTimers } from "./sync-timers.ts";
import type { IncomingRow, SdsTables } from "./tables.ts";

export type { SdsLayout } from "./layout.ts";
export type { Lost, Missing, Outgoing, Received, SdsOutcome } from "./outcome.ts";
export { openSdsTables, SDS_COLD_TABLES, SDS_TABLES, type SdsTables } from "./tables.ts";

type Bounds = { readonly [K in keyof typeof LIMITS.sds]: number };

export interface SdsConfig {
  /** Who we are: at most 256 bytes, as is the channel id. Read at each use: it may change before the first message. */
  readonly participantId: string;
  readonly channelId: string;
  readonly layout: SdsLayout;
  /** Milliseconds since the Unix epoch at which the channel was created here. Default: its first event. */
  readonly startedAt?: number;
  /** How far before that the channel looks back for messages, in milliseconds. Default: 24 hours. */
  readonly lookBackMs?: number;
  /** In place of `LIMITS.sds`. */
  readonly limits?: Partial<Bounds>;
}

/** What goes with a message of ours. */
export interface OutgoingContext {
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  readonly ephemeral: boolean;
  /** A part of a longer message, other than the last. */
  readonly inner?: true;
}

/** What came with a message. */
export interface IncomingContext {
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** Hash of the Waku message that carried it, lower-case hexadecimal. */
  readonly messageHash: string;
  /** Store nodes did not keep that Waku message: its hash is no retrieval hint. */
  readonly ephemeral?: boolean;
  /** Uniform in [0, 1). */
  readonly random: number;
  /** Whether a content is a part of a longer message, other than the last. */
  readonly isInner?: (content: Uint8Array) => boolean;
}

/** What time finds. */
export interface TickContext {
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** Uniform in [0, 1). */
  readonly random: number;
  readonly online: boolean;
}

/** A message on its way into the log. */
interface Entering {
  readonly messageId: string;
  readonly senderId: string;
  readonly lamport: number;
  readonly history: readonly string[];
  readonly hash?: string;
  readonly inner?: true;
}

/** A message that was parked. */
type Released = IncomingRow & Entering;

/** Bytes of a retrieval hint that are looked at; a message hash has 32. */
const HINT_BYTES = 64;
const NANOSECONDS = 1_000_000n;

export class Participant {
  readonly #config: SdsConfig;
  readonly #limits: Bounds;
  readonly #meta: Meta;
  readonly #clock: AwakeClock;
  readonly #log: MessageLog;
  readonly #seen: SeenIds;
  readonly #summary: ReceivedSummary;
  readonly #outgoing: OutgoingBuffer;
  readonly #incoming: IncomingBuffer;
  readonly #members: Members;
  readonly #wires: KeptWires;
  readonly #sync: SyncTimers;
  readonly #repairs: RepairResponses;

  constructor(config: SdsConfig, tables: SdsTables) {
    const limits: Bounds = { ...LIMITS.sds, ...config.limits };
    this.#config = config;
    this.#limits = limits;
    this.#meta = new Meta(tables.meta);
    this.#clock = new AwakeClock(this.#meta, () => this.#nextDueMs());
    this.#log = new MessageLog(tables.log, limits);
    this.#seen = new SeenIds(tables.seen, this.#meta, limits.seenIds);
    this.#summary = new ReceivedSummary(tables.summary, this.#meta, config.layout, limits);
    this.#wires = new KeptWires(tables, limits);
    this.#outgoing = new OutgoingBuffer(tables.outgoing, config.layout, limits, (id) => this.#wires.drop(id));
    this.#incoming = new IncomingBuffer(tables);
    this.#members = new Members(tables.members, limits.members);
    this.#sync = new SyncTimers(this.#meta, limits);
    this.#repairs = new RepairResponses(tables.repairs, limits);
  }

  /**
   * LIP-109, send message: wraps one segment. Its bytes are kept under its id until it is acknowledged.
   *
   * An ephemeral one carries neither history nor filter and enters no buffer and no log: nobody waits for it.
   */
  wrapOutgoing(content: Uint8Array, context: OutgoingContext): Wrapped {
    return this.#meta.during(() => this.#send(content, context));
  }

  #send(content: Uint8Array, { now, ephemeral, inner }: OutgoingContext): Wrapped {
    this.#clock.advance(now);
    this.#wires.prune(this.#clock.ms);
    const wrapped = this.#wrap(content, now, ephemeral ? "none" : "full");
    const { messageId, lamport, history } = wrapped;
    if (ephemeral) {
      this.#seen.add(messageId, "ephemeral");
      this.#wires.keepForRepair(messageId, wrapped.wire, this.#clock.ms);
    } else {
      this.#wires.keep(messageId, wrapped.wire);
      this.#seen.add(messageId, "own");
      const row = { lamport, senderId: this.#config.participantId, ...(inner ? { inner } : {}) };
      this.#log.add(messageId, row, history);
      this.#outgoing.add(messageId, this.#meta.nextSequence());
      this.#sync.onOwnMessage();
    }
    return { messageId, wire: wrapped.wire };
  }

  /** LIP-109, receive message. Never throws on account of what `wire` holds. */
  handleIncoming(wire: Uint8Array, context: IncomingContext): SdsOutcome {
    const decoded = this.#config.layout.decode(wire);
    if (!decoded.ok) return droppedOutcome("undecodable");
    const message = decoded.value;
    if (message.channelId !== this.#config.channelId) return droppedOutcome("foreign channel");
    if (!this.#isIdentifier(message.messageId)) return droppedOutcome("message id empty or too long");
    if (message.senderId !== "" && !this.#isIdentifier(message.senderId)) return droppedOutcome("sender id too long");
    const stamp = message.lamportTimestamp ?? 0n;
    if (stamp > BigInt(Number.MAX_SAFE_INTEGER)) return droppedOutcome("Lamport timestamp out of range");
    return this.#meta.during(() => this.#hear(message, Number(stamp), wire, context));
  }

  /** @param stamp the Lamport timestamp of the message, or 0 */
  #hear(message: SdsMessage, stamp: number, wire: Uint8Array, context: IncomingContext): SdsOutcome {
    // To hear anything is to be online.
    this.#clock.advance(context.now, true);
    this.#meta.change({ jitter: context.random });
    // LIP-109, SDS-R: whoever sent it, and heard before or not, the message needs no repair by us any more.
    this.#repairs.heard(message.messageId, this.#clock.ms);
    const own = message.senderId === this.#config.participantId;
    if (this.#isDuplicate(message.messageId)) {
      if (!own) this.#onDuplicate(message, context);
      return droppedOutcome(own ? "own message" : "duplicate");
    }
    const lamport = this.#capped(stamp, context.now);
    this.#meta.change({ lamport: Math.max(this.#meta.row.lamport, lamport) });
    return own ? this.#admitOwn(message, lamport, context) : this.#receive(message, lamport, wire, context);
  }

  /** A message of ours left for the network: the timer of its acknowledgement starts. */
  onPropagated(messageId: string, messageHash: string, now: number): void {
    this.#clock.advance(now);
    this.#outgoing.left(messageId, this.#clock.ms);
    this.#log.noteHash(messageId, messageHash, false);
  }

  /** A store node has it. */
  onStored(messageId: string, messageHash: string): void {
    this.#outgoing.stored(messageId, this.#clock.ms);
    this.#log.noteHash(messageId, messageHash, true);
  }

  /** Stops the retransmission of a message of ours; a late acknowledgement still counts. */
  abandon(messageId: string): void {
    this.#outgoing.abandon(messageId);
  }

  /** Starts it again, from the beginning; the timer runs once the message has left again. */
  resume(messageId: string, now: number): void {
    this.#clock.advance(now);
    this.#outgoing.resume(messageId);
    this.#wires.reclaim(messageId);
  }

  /** Nobody asks for an acknowledgement of this message any more, nor will resume it. */
  forget(messageId: string): void {
    this.#outgoing.remove(messageId);
    this.#wires.drop(messageId);
  }

  /**
   * Messages that are here although they were not received, such as segments reconstructed from parity: they satisfy
   * dependencies and are acknowledged like received ones.
   */
  markReceived(messageIds: readonly string[], now: number): SdsOutcome {
    return this.#meta.during(() => this.#markReceived(messageIds, now));
  }

  #markReceived(messageIds: readonly string[], now: number): SdsOutcome {
    this.#clock.advance(now);
    const outcome = emptyOutcome();
    for (const messageId of messageIds) {
      if (this.#isDuplicate(messageId)) continue;
      this.#incoming.stopLookingFor(messageId);
      this.#seen.add(messageId, "content");
      this.#summary.note(messageId);
      this.#cascade(messageId, outcome);
    }
    return outcome;
  }

  /** Everything that is due. While `online` is false nothing is, and no timer runs. */
  tick(context: TickContext): SdsOutcome {
    return this.#meta.during(() => this.#tick(context));
  }

  #tick({ now, random, online }: TickContext): SdsOutcome {
    this.#clock.advance(now, online);
    const outcome = emptyOutcome();
    if (!online) return outcome;
    this.#meta.change({ jitter: random });
    const ms = this.#clock.ms;
    this.#outgoing.sweep(ms, outcome);
    for (const messageId of outcome.exhausted) this.#wires.release(messageId, ms);
    const overdue = this.#incoming.overdue(ms);
    if (overdue.length > 0) this.#giveUp(overdue, "not found in time", outcome);
    for (const messageId of this.#repairs.takeDue(ms)) {
      if (this.#wires.has(messageId)) outcome.outgoing.push({ kind: "repair", messageId, ephemeral: true });
    }
    // LIP-109: a sync message that asks for repairs is sent whatever others have sent meanwhile.
    const asks = (this.#incoming.nextRequestMs() ?? Number.POSITIVE_INFINITY) <= ms;
    if (this.#sync.takeDue() || asks) {
      const { messageId, wire } = this.#wrapSync(now);
      outcome.outgoing.push({ kind: "sync", messageId, ephemeral: false, wire });
    }
    this.#wires.prune(ms);
    return outcome;
  }

  /** Milliseconds since the Unix epoch at which `tick` has something to do. */
  nextDeadline(): number | undefined {
    return this.#clock.wallDeadline();
  }

  /** Other participants heard. */
  members(): number {
    return this.#members.size;
  }

  /** Whether another participant is known to have this message of ours. */
  isAcknowledged(messageId: string): boolean {
    return this.#seen.kindOf(messageId) === "acknowledged";
  }

  /** What is looked for, longest first: after a restart the search goes on with it. */
  missing(): SdsOutcome["missing"] {
    return [...this.#incoming.missingIds()].map((messageId) => {
      const row = this.#incoming.missing(messageId);
      const neededAt = row === undefined ? {} : { neededAt: row.before * this.#config.layout.lamportUnitMs };
      return { messageId, ...neededAt, ...optionalParts(row?.hint, row?.senderId) };
    });
  }

  /** Ids in the order of the log: Lamport timestamp, then id. */
  logIds(): readonly string[] {
    return this.#log.ids();
  }

  #wrap(
    content: Uint8Array,
    now: number,
    metadata: "full" | "none",
  ): Wrapped & { readonly lamport: number; readonly history: readonly string[] } {
    const { participantId, channelId, layout } = this.#config;
    const { lamport: current, lastIdNanoseconds } = this.#meta.row;
    // LIP-109: max(time now, current + 1), in the unit of the layout.
    const lamport = Math.max(Math.floor(now / layout.lamportUnitMs), current + 1);
    const clockNanoseconds = BigInt(Math.floor(now)) * NANOSECONDS;
    // Later than every earlier one, or two equal contents within a millisecond would have one id.
    const nanoseconds = clockNanoseconds > lastIdNanoseconds ? clockNanoseconds : lastIdNanoseconds + 1n;
    this.#meta.change({ lamport, lastIdNanoseconds: nanoseconds });
    const messageId = messageIdOf(participantId, nanoseconds, content);
    const causalHistory = metadata === "full" ? this.#log.causalHistory(participantId) : [];
    const history = causalHistory.map((entry) => entry.messageId);
    const wire = layout.encode({
      senderId: participantId,
      messageId,
      channelId,
      lamportTimestamp: metadata === "none" && !layout.ephemeralLamport ? undefined : BigInt(lamport),
      causalHistory,
      bloomFilter: metadata === "full" ? this.#summary.nextFilter(new Set(history)) : EMPTY,
      content,
      repairRequest: metadata === "full" ? this.#nextRequests() : [],
    });
    return { messageId, wire, lamport, history };
  }

  /**
   * LIP-109, periodic sync message: empty content, history and filter as usual; in no buffer, no log, no filter and no
   * causal history of ours. Its id is remembered, since nim-sds names sync messages in causal histories.
   */
  #wrapSync(now: number): Wrapped {
    const { messageId, wire } = this.#wrap(EMPTY, now, "full");
    this.#seen.add(messageId, "sync");
    return { messageId, wire };
  }

  #isIdentifier(text: string): boolean {
    const limit = this.#limits.identifierBytes;
    // A UTF-16 unit takes at most three bytes: nearly every identifier is decided by its length.
    if (text.length * 3 <= limit) return text !== "";
    return text.length <= limit && utf8(text).length <= limit;
  }

  #isDuplicate(messageId: string): boolean {
    if (this.#incoming.has(messageId)) return true;
    const kind = this.#seen.kindOf(messageId);
    return kind !== undefined && kind !== "lost";
  }

  /** A sender that sends again does not know that its message arrived. */
  #onDuplicate(message: SdsMessage, { messageHash, ephemeral, random }: IncomingContext): void {
    if (!ephemeral) this.#log.noteFirstHash(message.messageId, messageHash);
    if (message.content.length === 0 || !wantsAcknowledgement(message)) return;
    this.#summary.note(message.messageId);
    this.#sync.oweAcknowledgement(undefined, random, this.#members.size);
  }

  /**
   * With our own sender id, and yet not sent by this state: another device with the same identity, or ours before a
   * restore. Others depend on it, so it enters the log; it says nothing about acknowledgements, or anybody could forge
   * them under our name.
   */
  #admitOwn(message: SdsMessage, lamport: number, context: IncomingContext): SdsOutcome {
    const outcome = emptyOutcome();
    outcome.dropped = "own message";
    const { messageId, senderId } = message;
    this.#incoming.stopLookingFor(messageId);
    if (message.content.length === 0) this.#seen.add(messageId, "sync");
    else {
      this.#seen.add(messageId, "own");
      const history = this.#historyOf(message).map((entry) => entry.messageId);
      this.#log.add(messageId, { lamport, senderId, ...hashOf(context) }, history);
    }
    this.#cascade(messageId, outcome);
    return outcome;
  }

  #receive(message: SdsMessage, lamport: number, wire: Uint8Array, context: IncomingContext): SdsOutcome {
    const outcome = emptyOutcome();
    const { messageId, senderId, content } = message;
    this.#members.heard(senderId);
    if (message.lamportTimestamp === undefined) {
      // LIP-109: ephemeral messages are delivered at once, without buffering and without entering log or filter.
      this.#incoming.stopLookingFor(messageId);
      this.#seen.add(messageId, "ephemeral");
      outcome.arrived = { messageId, senderId, content, lamport } satisfies Received;
      outcome.delivered.push(messageId);
      this.#cascade(messageId, outcome);
      return outcome;
    }
    const entries = this.#historyOf(message);
    const history = entries.map((entry) => entry.messageId);
    this.#review(message, history, outcome);
    this.#sync.onHistoryHeard(senderId, history);
    if (history.some((id) => this.#seen.kindOf(id) === "sync")) this.#noteReferenceMembers();
    this.#hearRequests(message);
    this.#incoming.stopLookingFor(messageId);

    const unmet = this.#unmet(message, lamport, entries, outcome);
    if (content.length === 0) {
      // LIP-109: a sync message is processed like any other and never kept.
      this.#seen.add(messageId, "sync");
      this.#sync.onSyncHeard();
      this.#cascade(messageId, outcome);
      this.#boundMissing(outcome);
      return outcome;
    }

    const follows = history.at(-1);
    outcome.arrived = { messageId, senderId, content, lamport, ...(follows === undefined ? {} : { follows }) };
    this.#summary.note(messageId);
    this.#sync.onContentHeard();
    // LIP-109, SDS-R: kept exactly as it came, for whoever asks for it.
    this.#wires.keepForRepair(messageId, onOwnBuffer(wire), this.#clock.ms);
    this.#wires.prune(this.#clock.ms);
    if (wantsAcknowledgement(message)) {
      this.#sync.oweAcknowledgement({ messageId, senderId }, context.random, this.#members.size);
      if (lamport > this.#horizon()) this.#members.spoke(senderId, lamport);
    }
    const inner = context.isInner?.(content) === true ? { inner: true as const } : {};
    const entering: Entering = { messageId, senderId, lamport, history, ...hashOf(context), ...inner };
    if (unmet.length === 0) {
      this.#deliver(entering, outcome);
      this.#cascade(messageId, outcome);
    } else {
      const sequence = this.#meta.nextSequence();
      const { messageId: _, ...row } = entering;
      this.#incoming.park(messageId, { ...row, sequence, bytes: content.length, waitsFor: unmet });
      this.#boundParked(outcome);
    }
    this.#boundMissing(outcome);
    return outcome;
  }

  /** The entries that count: the newest of a history that is too long, without itself, duplicates and nonsense. */
  #historyOf(message: SdsMessage): readonly HistoryEntry[] {
    if (message.causalHistory.length === 0) return [];
    const entries = new Map<string, HistoryEntry>();
    for (const entry of message.causalHistory.slice(-this.#limits.incomingHistory)) {
      if (entry.messageId === message.messageId || !this.#isIdentifier(entry.messageId)) continue;
      entries.set(entry.messageId, entry);
    }
    return [...entries.values()];
  }

  /** LIP-109, review ACK status. */
  #review(message: SdsMessage, history: readonly string[], outcome: OutcomeDraft): void {
    const { layout } = this.#config;
    const filter = message.bloomFilter.length === 0 ? undefined : layout.decodeFilter(message.bloomFilter);
    for (const id of this.#outgoing.review(history, filter)) {
      this.#seen.add(id, "acknowledged");
      this.#wires.release(id, this.#clock.ms);
      outcome.acknowledged.push(id);
    }
  }

  /** LIP-109, SDS-R receive message: what others ask for, we need not ask for, and may have to send. */
  #hearRequests(message: SdsMessage): void {
    const { participantId, layout } = this.#config;
    if (message.repairRequest.length === 0) return;
    const groups = 1 + Math.floor(this.#members.size / this.#limits.responseGroupMembers);
    for (const { messageId, senderId } of message.repairRequest.slice(0, this.#limits.incomingRepairRequest)) {
      this.#incoming.requested(messageId, this.#clock.ms + this.#repeatDelayMs(messageId));
      if (!senderId || !this.#wires.has(messageId)) continue;
      if (!isInResponseGroup(layout.repairHash, participantId, senderId, messageId, groups)) continue;
      const { repairMaxMs } = this.#limits;
      const delay = responseDelayMs(layout.repairHash, participantId, senderId, messageId, repairMaxMs);
      this.#repairs.requested(messageId, this.#clock.ms + delay);
    }
  }

  /** The repair requests that a message of ours carries now. */
  #nextRequests(): readonly HistoryEntry[] {
    const entries: HistoryEntry[] = [];
    for (const messageId of this.#incoming.dueRequests(this.#clock.ms, this.#limits.repairRequest)) {
      const { hint, senderId } = this.#incoming.missing(messageId) ?? {};
      const retrievalHint = hint === undefined ? undefined : fromHex(hint);
      entries.push({ messageId, ...(retrievalHint ? { retrievalHint } : {}), ...(senderId ? { senderId } : {}) });
      this.#incoming.requested(messageId, this.#clock.ms + this.#repeatDelayMs(messageId));
    }
    return entries;
  }

  #noteReferenceMembers(): void {
    if (!this.#meta.row.referenceMembers) this.#meta.change({ referenceMembers: true });
  }

  /** Dependencies that are not met. Those that nobody has seen yet are looked for from now on. */
  #unmet(
    message: SdsMessage,
    lamport: number,
    entries: readonly HistoryEntry[],
    outcome: OutcomeDraft,
  ): readonly string[] {
    // A message is younger than all that it depends on: at the horizon or before it, all of that is older than we are.
    if (lamport <= this.#horizon()) return [];
    const unmet = entries.filter((entry) => !this.#seen.has(entry.messageId));
    if (unmet.length === 0) return [];
    const circular = this.#incoming.circular(
      message.messageId,
      unmet.map((entry) => entry.messageId),
    );
    const mayPredateUs = lamport < this.#start(0) && !this.#members.hasSpokenBefore(message.senderId, lamport);
    const waitsFor: string[] = [];
    for (const entry of unmet) {
      if (circular.has(entry.messageId)) continue;
      waitsFor.push(entry.messageId);
      if (!this.#incoming.has(entry.messageId)) this.#lookFor(entry, lamport, mayPredateUs, outcome);
    }
    return waitsFor;
  }

  #lookFor(entry: HistoryEntry, namedAt: number, mayPredateUs: boolean, outcome: OutcomeDraft): void {
    const { messageId, retrievalHint, senderId } = entry;
    const known = this.#incoming.missing(messageId);
    const hint = retrievalHint && retrievalHint.length <= HINT_BYTES ? toHex(retrievalHint) : undefined;
    const sender = senderId !== undefined && this.#isIdentifier(senderId) ? senderId : undefined;
    const requestable = sender !== undefined && known?.senderId === undefined;
    const requestMs = requestable ? this.#clock.ms + this.#requestDelayMs(messageId) : known?.requestMs;
    const row = {
      ...(requestMs === undefined ? {} : { requestMs }),
      giveUpMs: known?.giveUpMs ?? this.#clock.ms + this.#limits.lostAfterMs,
      before: Math.min(known?.before ?? namedAt, namedAt),
      mayPredateUs: mayPredateUs && (known?.mayPredateUs ?? true),
      ...optionalParts(known?.hint ?? hint, known?.senderId ?? sender),
    };
    const newHint = known !== undefined && known.hint === undefined && hint !== undefined;
    const sameFacts = known?.mayPredateUs === row.mayPredateUs && known.before === row.before;
    if (known && !newHint && !requestable && sameFacts) return;
    this.#incoming.lookFor(messageId, row);
    if (known && !newHint) return;
    outcome.missing.push({ messageId, ...optionalParts(row.hint, row.senderId) });
  }

  #requestDelayMs(messageId: string): number {
    const { participantId, layout } = this.#config;
    const { repairMinMs, repairMaxMs } = this.#limits;
    return requestDelayMs(layout.repairHash, participantId, messageId, repairMinMs, repairMaxMs);
  }

  /**
   * LIP-109, SDS-R: a request that is heard takes the entry out of everyone's buffer. It or its answer may be lost, so
   * whoever still misses the message enters it anew: at another time for each member, and the first to ask spares the rest.
   */
  #repeatDelayMs(messageId: string): number {
    const { participantId, layout } = this.#config;
    const { repairMinMs } = this.#limits;
    return requestDelayMs(layout.repairHash, participantId, messageId, repairMinMs, 2 * repairMinMs);
  }

  /** LIP-109, deliver message. */
  #deliver(message: Entering, outcome: OutcomeDraft): void {
    const { messageId, senderId, lamport, history, hash, inner } = message;
    if (this.#isLate(messageId, lamport)) outcome.late.push(messageId);
    this.#seen.add(messageId, "content");
    this.#seen.pass(history);
    const row = { lamport, senderId, ...(hash === undefined ? {} : { hash }) };
    if (inner) this.#log.addInner(messageId, row, history);
    else this.#log.add(messageId, row, history);
    outcome.delivered.push(messageId);
  }

  /**
   * Whether something that depends on this message may have been delivered before it. On the causal path between the two
   * is then a message that was delivered without the one before it, which was given up. That one is this message, or this
   * message leads to it, and so is older than all that names it: Lamport time ascends along every causal path.
   */
  #isLate(messageId: string, lamport: number): boolean {
    return this.#seen.kindOf(messageId) === "lost" || lamport < this.#seen.passedUntil;
  }

  /** A dependency is met: delivers what waited for it only, and what waited for that, in causal order. */
  #cascade(messageId: string, outcome: OutcomeDraft): void {
    if (!this.#incoming.hasDependants(messageId)) return;
    let ready = this.#released([messageId]);
    for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
      this.#deliver(next, outcome);
      const released = this.#released([next.messageId]);
      if (released.length > 0) ready = inOrder([...ready, ...released]);
    }
  }

  /** Messages that waited for nothing but these dependencies; parked no more. The earliest is last. */
  #released(dependencies: readonly string[]): Released[] {
    const released: Released[] = [];
    for (const dependency of dependencies) {
      for (const messageId of this.#incoming.dependantsOf(dependency)) {
        const row = this.#incoming.meet(messageId, dependency);
        if (row) released.push({ messageId, ...row });
      }
    }
    return inOrder(released);
  }

  /**
   * Dependencies that will not come: irretrievably lost, in the words of LIP-109. What waited for them is delivered; if
   * they come after all, they are delivered late.
   *
   * With a lost message goes the knowledge of what it depended on. So what waited for it now waits for whatever is parked
   * and earlier in the order of the log, which agrees with the causal one.
   *
   * What may be from before our join horizon was never ours to lose. The wire carries no time of a dependency, so that is
   * what messages from before our start name, unless their sender has spoken after the horizon already. What messages
   * since our start name counts as ours.
   */
  #giveUp(messageIds: readonly string[], reason: string, outcome: OutcomeDraft): void {
    for (const messageId of messageIds) {
      const row = this.#incoming.missing(messageId);
      if (row?.mayPredateUs !== false) continue;
      const { senderId, before } = row;
      const followers = this.#incoming.followersOf(messageId, senderId);
      const since = this.#sinceOf(messageId, senderId);
      outcome.lost.push({ messageId, ...optionalParts(undefined, senderId), reason, before, since, followers });
    }
    for (const messageId of messageIds) {
      const row = this.#incoming.missing(messageId);
      this.#incoming.stopLookingFor(messageId);
      this.#seen.lose(messageId, {
        ...optionalParts(undefined, row?.senderId),
        before: row?.before ?? Number.POSITIVE_INFINITY,
      });
    }
    const released = this.#released(messageIds);
    for (let next = released.pop(); next !== undefined; next = released.pop()) {
      const waitsFor = this.#incoming.parkedBefore(next.messageId, next.lamport);
      if (waitsFor.length > 0) {
        const { messageId, ...row } = next;
        this.#incoming.park(messageId, { ...row, waitsFor });
        continue;
      }
      this.#deliver(next, outcome);
      this.#cascade(next.messageId, outcome);
    }
  }

  /**
   * Lamport time up to which messages of its sender are known to precede a missing one: they stand before it in a causal
   * history. Of one that is missing too, that it is older than what names it is all that is known.
   */
  #sinceOf(messageId: string, senderId: string | undefined): number {
    let since = 0;
    if (senderId === undefined) return since;
    for (const id of this.#incoming.namedBefore(messageId)) {
      const here = this.#incoming.get(id) ?? this.#log.get(id);
      const missing = this.#incoming.missing(id) ?? this.#seen.lost(id);
      if (here?.senderId === senderId) since = Math.max(since, here.lamport);
      else if (missing?.senderId === senderId) since = Math.max(since, missing.before);
    }
    return since;
  }

  /** Too many wait: what the longest waiting ones wait for is given up. No content is thrown away. */
  #boundParked(outcome: OutcomeDraft): void {
    const { parkedMessages, parkedBytes } = this.#limits;
    while (this.#incoming.size > parkedMessages || this.#incoming.bytes > parkedBytes) {
      const missing = this.#incoming.missingForOldest();
      if (missing.length === 0) return;
      this.#giveUp(missing, "too many messages wait for others", outcome);
    }
  }

  #boundMissing(outcome: OutcomeDraft): void {
    const excess = this.#incoming.excessMissing(this.#limits.missing);
    if (excess.length > 0) this.#giveUp(excess, "too many messages are missing", outcome);
  }

  /** A stamp from the far future must not carry our clock, or the order of the log, away from the time that it is. */
  #capped(lamport: number, now: number): number {
    return Math.min(lamport, Math.floor((now + this.#limits.skewMs) / this.#config.layout.lamportUnitMs));
  }

  /** Lamport time before which nothing is ours: the first start, less how far the channel looks back. */
  #horizon(): number {
    return this.#start(this.#config.lookBackMs ?? LIMITS.messaging.catchUpNewTopicMs);
  }

  /** Lamport time `beforeMs` before the channel's first start. */
  #start(beforeMs: number): number {
    const startedAt = this.#config.startedAt ?? this.#meta.row.startedAt;
    return Math.floor((startedAt - beforeMs) / this.#config.layout.lamportUnitMs);
  }

  #nextDueMs(): number | undefined {
    const due = [
      this.#outgoing.nextDueMs(),
      this.#incoming.nextDueMs(),
      this.#incoming.nextRequestMs(),
      this.#repairs.nextDueMs(),
      this.#sync.nextDueMs(),
    ];
    const set = due.filter((ms) => ms !== undefined);
    return set.length === 0 ? undefined : Math.min(...set);
  }
}

/** Messages with neither history nor filter are ephemeral ones in all but name: nobody waits for their acknowledgement. */
function wantsAcknowledgement(message: SdsMessage): boolean {
  return message.causalHistory.length > 0 || message.bloomFilter.length > 0;
}

/** By Lamport timestamp and id, the earliest last, where `pop` takes it. */
function inOrder(messages: Released[]): Released[] {
  return messages.sort((a, b) => b.lamport - a.lamport || (a.messageId < b.messageId ? 1 : -1));
}

/** For storage, which keeps the whole buffer that a view looks at: as it is where that is the view's own, or a copy. */
function onOwnBuffer(view: Uint8Array): Bytes {
  return hasOwnBuffer(view) ? view : ownBytes(view);
}

function hasOwnBuffer(view: Uint8Array): view is Bytes {
  return view.buffer instanceof ArrayBuffer && view.byteLength === view.buffer.byteLength;
}

function hashOf({ messageHash, ephemeral }: IncomingContext): { readonly hash?: string } {
  return ephemeral ? {} : { hash: messageHash };
}

function optionalParts(
  hint: string | undefined,
  senderId: string | undefined,
): { readonly hint?: string; readonly senderId?: string } {
  return { ...(hint === undefined ? {} : { hint }), ...(senderId === undefined ? {} : { senderId }) };
}
