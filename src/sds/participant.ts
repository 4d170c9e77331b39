/**
 * One participant of one channel, LIP-109 (Scalable Data Sync): what it sends, what it makes of what it receives, and
 * what time asks of it.
 *
 * A pure state machine on tables: the time and random numbers come in with the calls, and what is to be done goes out
 * with the outcomes. The procedures here are LIP-109's protocol steps in its order; the longer steps, and the state that
 * they share, are in files of their own in this folder.
 */
import { type Bytes, ownBytes, utf8 } from "../common/bytes.ts";
import type { AwakeClock } from "./awake-clock.ts";
import { CausalDelivery, type Entering } from "./causal-delivery.ts";
import type { SdsConfig } from "./config.ts";
import type { IncomingContext, OutgoingContext, TickContext } from "./contexts.ts";
import { Dependencies } from "./dependencies.ts";
import { GivingUp } from "./giving-up.ts";
import { isIdentifier } from "./identifier.ts";
import { joinHorizon } from "./join-horizon.ts";
import type { SdsMessage, Wrapped } from "./message.ts";
import { type Dropped, droppedOutcome, emptyOutcome, type OutcomeDraft, type SdsOutcome } from "./outcome.ts";
import { RepairRequests } from "./repair-requests.ts";
import { openSdsState, type SdsState } from "./state.ts";
import type { SdsTables } from "./tables.ts";
import { Wrapping } from "./wrapping.ts";

export type { SdsConfig } from "./config.ts";
export type { SdsLayout } from "./layout.ts";
export type { Lost, Missing, Outgoing, Received, SdsOutcome } from "./outcome.ts";
export { openSdsTables, SDS_COLD_TABLES, SDS_TABLES, type SdsTables } from "./tables.ts";

/** A message that passed the border, and how it came. */
interface Heard extends IncomingContext {
  readonly message: SdsMessage;
  readonly wire: Uint8Array;
  readonly lamport: number;
}

export class Participant {
  readonly #state: SdsState;
  readonly #wrapping: Wrapping;
  readonly #requests: RepairRequests;
  readonly #dependencies: Dependencies;
  readonly #delivery: CausalDelivery;
  readonly #givingUp: GivingUp;

  constructor(config: SdsConfig, tables: SdsTables) {
    this.#state = openSdsState(config, tables);
    this.#requests = new RepairRequests(this.#state);
    this.#wrapping = new Wrapping(this.#state, this.#requests);
    this.#dependencies = new Dependencies(this.#state, this.#requests);
    this.#delivery = new CausalDelivery(this.#state);
    this.#givingUp = new GivingUp(this.#state, this.#delivery);
  }

  /** LIP-109, send message: wraps one segment. Its bytes are kept under its id until it is acknowledged. */
  wrapOutgoing(content: Uint8Array, context: OutgoingContext): Wrapped {
    return this.#state.meta.during(() => this.#send(content, context));
  }

  #send(content: Uint8Array, context: OutgoingContext): Wrapped {
    const { now, ephemeral, part } = context;
    const { clock, config, log, meta, outgoing, seen, sync, wires } = this.#state;
    clock.advance(now);
    wires.prune(clock.ms);
    const { messageId, wire, lamport, history } = this.#wrapping.wrap(content, context);
    if (ephemeral) {
      // LIP-109, ephemeral messages: in no buffer and no log, as nobody waits for them.
      seen.add(messageId, "ephemeral");
      // Until it left: `forget` is told.
      wires.keep(messageId, wire);
      return { messageId, wire };
    }
    seen.add(messageId, "own");
    const inner = part !== undefined && part.index < part.total - 1 ? { inner: true as const } : {};
    log.add(messageId, { lamport, senderId: config.participantId, ...inner }, history);
    // LIP-109: after broadcasting, it is in the buffer of unacknowledged outgoing messages.
    wires.keep(messageId, wire);
    outgoing.add(messageId, meta.nextSequence(), part);
    sync.onOwnMessage();
    return { messageId, wire };
  }

  /** LIP-109, receive message. Never throws on account of what `wire` holds. */
  handleIncoming(wire: Uint8Array, context: IncomingContext): SdsOutcome {
    const decoded = this.#state.config.layout.decode(wire);
    if (!decoded.ok) return droppedOutcome("undecodable");
    const refused = this.#refusal(decoded.value);
    if (refused !== undefined) return droppedOutcome(refused);
    const outcome = this.#state.meta.during(() => this.#hear(decoded.value, wire, context));
    return { ...outcome, heard: decoded.value.messageId };
  }

  #hear(message: SdsMessage, wire: Uint8Array, context: IncomingContext): SdsOutcome {
    const { clock, config, meta, repairs } = this.#state;
    // To hear anything is to be online.
    clock.advance(context.now, true);
    meta.change({ jitter: context.random });
    // LIP-109, SDS-R: whoever sent it, and heard before or not, the message needs no repair by us any more.
    repairs.heard(message.messageId, clock.ms);
    // LIP-109: ignored if it is our own, and if it was received before.
    const own = message.senderId === config.participantId;
    if (this.#isDuplicate(message.messageId)) {
      if (!own) this.#onDuplicate(message, context);
      return droppedOutcome(own ? "own message" : "duplicate");
    }
    const lamport = this.#capped(Number(message.lamportTimestamp ?? 0n), context.now);
    // LIP-109, deliver message: the Lamport timestamp follows what is received. Here it does not wait for delivery.
    meta.change({ lamport: Math.max(meta.row.lamport, lamport) });
    const heard = { ...context, message, wire, lamport };
    if (own) return this.#admitOwn(heard);
    return message.lamportTimestamp === undefined ? this.#receiveEphemeral(heard) : this.#receive(heard);
  }

  #receive(heard: Heard): SdsOutcome {
    const { clock, incoming, members, seen, sync } = this.#state;
    const { message, lamport } = heard;
    const { messageId, senderId, content } = message;
    const outcome = emptyOutcome();
    members.heard(senderId, clock.ms);
    const entries = this.#dependencies.historyOf(message);
    const history = entries.map((entry) => entry.messageId);
    this.#review(message, history, outcome);
    sync.onHistoryHeard(senderId, history);
    if (history.some((id) => seen.kindOf(id) === "sync")) this.#noteReferenceMembers();
    this.#requests.hear(message);
    incoming.stopLookingFor(messageId);

    // LIP-109: all causal dependencies are met if they appear in the local history.
    const unmet = this.#dependencies.unmet(message, lamport, entries, outcome);
    if (content.length === 0) {
      // LIP-109, periodic sync message: its metadata is processed like any other's, and itself never kept.
      seen.add(messageId, "sync");
      sync.onSyncHeard();
      this.#delivery.met(messageId, outcome);
    } else {
      this.#keep(heard, history, outcome);
      this.#deliverOrPark(heard, history, unmet, outcome);
    }
    this.#givingUp.boundMissing(outcome);
    return outcome;
  }

  /** LIP-109, ephemeral messages: delivered at once, without buffering and without entering log or filter. */
  #receiveEphemeral({ message, lamport }: Heard): SdsOutcome {
    const { clock, incoming, members, seen } = this.#state;
    const { messageId, senderId, content } = message;
    const outcome = emptyOutcome();
    members.heard(senderId, clock.ms);
    incoming.stopLookingFor(messageId);
    seen.add(messageId, "ephemeral");
    outcome.arrived = { messageId, senderId, content, lamport };
    outcome.delivered.push(messageId);
    this.#delivery.met(messageId, outcome);
    return outcome;
  }

  /**
   * With our own sender id, and yet not sent by this state: another device with the same identity, or ours before a
   * restore. Others depend on it, so it enters the log; it says nothing about acknowledgements, or anybody could forge
   * them under our name.
   */
  #admitOwn(heard: Heard): SdsOutcome {
    const { incoming, log, seen } = this.#state;
    const { message, lamport } = heard;
    const { messageId, senderId } = message;
    const outcome = emptyOutcome();
    outcome.dropped = "own message";
    incoming.stopLookingFor(messageId);
    if (message.content.length === 0) seen.add(messageId, "sync");
    // LIP-109, ephemeral messages: in no log, so that no message of ours names one.
    else if (message.lamportTimestamp === undefined) seen.add(messageId, "ephemeral");
    else {
      seen.add(messageId, "own");
      const history = this.#dependencies.historyOf(message).map((entry) => entry.messageId);
      log.add(messageId, { lamport, senderId, ...hashOf(heard) }, history);
    }
    this.#delivery.met(messageId, outcome);
    return outcome;
  }

  /**
   * A message of ours left for the network: the timer of its acknowledgement starts. `messageHash` is absent where no store
   * keeps what left.
   */
  onPropagated(messageId: string, messageHash: string | undefined, now: number): void {
    const { clock, log, outgoing } = this.#state;
    clock.advance(now);
    outgoing.left(messageId, clock.ms);
    if (messageHash !== undefined) log.noteHash(messageId, messageHash, false);
  }

  /** A store node has it, under this hash. */
  onStored(messageId: string, messageHash: string): void {
    const { clock, log, outgoing } = this.#state;
    outgoing.stored(messageId, clock.ms);
    log.noteHash(messageId, messageHash, true);
  }

  /** A retransmission was not queued, as the one before it waits in the rate limiter still: it does not count. */
  onStillWaiting(messageId: string): void {
    this.#state.outgoing.stillWaiting(messageId);
  }

  /** A retransmission will not leave: the next one is due as if it had. */
  onGivenUp(messageId: string, now: number): void {
    const { clock, outgoing } = this.#state;
    clock.advance(now);
    outgoing.left(messageId, clock.ms);
  }

  /** Stops the retransmission of a message of ours; a late acknowledgement still counts. */
  abandon(messageId: string): void {
    this.#state.outgoing.abandon(messageId);
  }

  /** Starts it again, from the beginning. The timer runs from now on, or once the message has left, where it is `leaving`. */
  resume(messageId: string, now: number, leaving: boolean): void {
    const { clock, outgoing, wires } = this.#state;
    clock.advance(now);
    outgoing.resume(messageId, leaving ? undefined : clock.ms);
    wires.reclaim(messageId);
  }

  /** Nobody asks for an acknowledgement of this message any more, nor will resume it. */
  forget(messageId: string): void {
    this.#state.outgoing.remove(messageId);
    this.#state.wires.drop(messageId);
  }

  /**
   * Messages that are here although they were not received, such as segments reconstructed from parity: they satisfy
   * dependencies and are acknowledged like received ones.
   */
  markReceived(messageIds: readonly string[], now: number): SdsOutcome {
    return this.#state.meta.during(() => this.#markReceived(messageIds, now));
  }

  #markReceived(messageIds: readonly string[], now: number): SdsOutcome {
    const { clock, incoming, seen, summary } = this.#state;
    clock.advance(now);
    const outcome = emptyOutcome();
    for (const messageId of messageIds) {
      if (this.#isDuplicate(messageId)) continue;
      incoming.stopLookingFor(messageId);
      seen.add(messageId, "content");
      summary.note(messageId);
      this.#delivery.met(messageId, outcome);
    }
    return outcome;
  }

  /** The process starts, and nothing is due before the first tick. */
  start(now: number): void {
    this.#state.clock.start(now);
  }

  /** Everything that is due. While `online` is false nothing is, and no timer runs. */
  tick(context: TickContext): SdsOutcome {
    return this.#state.meta.during(() => this.#tick(context));
  }

  #tick({ now, random, online }: TickContext): SdsOutcome {
    const { clock, incoming, meta, outgoing, repairs, sync, wires } = this.#state;
    clock.advance(now, online);
    const outcome = emptyOutcome();
    if (!online) return outcome;
    meta.change({ jitter: random });
    const { ms } = clock;
    // LIP-109, periodic incoming buffer sweep: what was not found in time is irretrievably lost.
    this.#givingUp.overdue(outcome);
    // LIP-109, periodic outgoing buffer sweep.
    outgoing.sweep(ms, outcome);
    // LIP-109, SDS-R incoming repair request buffer sweep.
    for (const messageId of repairs.takeDue(ms)) {
      if (wires.has(messageId)) outcome.outgoing.push({ kind: "repair", messageId, ephemeral: true });
    }
    // LIP-109, periodic sync message; one that asks for repairs is sent whatever others have sent meanwhile.
    const isDue = (dueMs: number | undefined) => dueMs !== undefined && dueMs <= ms;
    if (!sync.waits && (isDue(sync.nextDueMs()) || isDue(incoming.nextRequestMs()))) {
      sync.decide();
      outcome.outgoing.push({ kind: "sync" });
    }
    wires.prune(ms);
    return outcome;
  }

  /**
   * LIP-109, periodic sync message: the one that `tick` decided, made now that it may go. It acknowledges, and asks for,
   * what it does at this time: had it waited as bytes, a newer one in its place would have left out what they said.
   */
  wrapSync(now: number): Wrapped {
    return this.#state.meta.during(() => {
      const { clock, sync } = this.#state;
      clock.advance(now);
      const wrapped = this.#wrapping.wrapSync(now);
      sync.onSyncMade();
      return wrapped;
    });
  }

  /** The one that `tick` decided will not be made. What it was for is still due. */
  cancelSync(): void {
    this.#state.sync.cancel();
  }

  /** Milliseconds since the Unix epoch at which `tick` has something to do, or what runs by our clock. */
  nextDeadline(): number | undefined {
    return this.#state.clock.wallDeadline();
  }

  /** For others whose time runs as ours does. */
  get clock(): Pick<AwakeClock, "ms" | "wentOnMs"> {
    return this.#state.clock;
  }

  /** Other participants heard. */
  members(): number {
    return this.#state.members.size;
  }

  /** Whether another participant is known to have this message of ours. */
  isAcknowledged(messageId: string): boolean {
    return this.#state.seen.kindOf(messageId) === "acknowledged";
  }

  /** What is looked for, longest first: after a restart the search goes on with it. */
  missing(): SdsOutcome["missing"] {
    return this.#dependencies.missing();
  }

  /** Ids in the order of the log: Lamport timestamp, then id. */
  logIds(): readonly string[] {
    return this.#state.log.ids();
  }

  /** Why a message creates no state, if it does not. */
  #refusal({ channelId, messageId, senderId, lamportTimestamp = 0n }: SdsMessage): Dropped | undefined {
    const { config, limits } = this.#state;
    if (channelId !== config.channelId) return "foreign channel";
    if (!isIdentifier(messageId, limits.identifierBytes)) return "message id empty or too long";
    if (senderId !== "" && !isIdentifier(senderId, limits.identifierBytes)) return "sender id too long";
    if (lamportTimestamp > BigInt(Number.MAX_SAFE_INTEGER)) return "Lamport timestamp out of range";
    return undefined;
  }

  #isDuplicate(messageId: string): boolean {
    const { incoming, seen } = this.#state;
    if (incoming.has(messageId)) return true;
    const kind = seen.kindOf(messageId);
    return kind !== undefined && kind !== "lost";
  }

  /** A sender that sends again does not know that its message arrived. */
  #onDuplicate(message: SdsMessage, { messageHash, ephemeral, random }: IncomingContext): void {
    const { clock, log, members, summary, sync } = this.#state;
    if (!ephemeral) log.noteFirstHash(message.messageId, messageHash);
    if (message.content.length === 0 || !wantsAcknowledgement(message)) return;
    summary.note(message.messageId);
    sync.oweAcknowledgement(undefined, random, () => members.active(clock.ms));
  }

  /** A stamp from the far future must not carry our clock, or the order of the log, away from the time that it is. */
  #capped(lamport: number, now: number): number {
    const { config, limits } = this.#state;
    return Math.min(lamport, Math.floor((now + limits.skewMs) / config.layout.lamportUnitMs));
  }

  /** LIP-109, review ACK status. */
  #review(message: SdsMessage, history: readonly string[], outcome: OutcomeDraft): void {
    const { config, outgoing, seen } = this.#state;
    // Nothing is awaited, so nothing can be acknowledged, and the filter need not be read.
    if (outgoing.size === 0) return;
    const filter = message.bloomFilter.length === 0 ? undefined : config.layout.decodeFilter(message.bloomFilter);
    outgoing.review(message.senderId, history, filter, outcome);
    for (const id of outcome.acknowledged) seen.add(id, "acknowledged");
  }

  #noteReferenceMembers(): void {
    const { meta } = this.#state;
    if (!meta.row.referenceMembers) meta.change({ referenceMembers: true });
  }

  /** Content that was never seen before: into the filter, among what we can repair, and to be acknowledged. */
  #keep({ message, wire, lamport, random }: Heard, history: readonly string[], outcome: OutcomeDraft): void {
    const { clock, members, summary, sync, wires } = this.#state;
    const { messageId, senderId, content } = message;
    const follows = history.at(-1);
    outcome.arrived = { messageId, senderId, content, lamport, ...(follows === undefined ? {} : { follows }) };
    // LIP-109: a message with content is included in the local bloom filter.
    summary.note(messageId);
    sync.onContentHeard();
    // LIP-109, SDS-R: kept exactly as it came, for whoever asks for it.
    wires.keepForRepair(messageId, onOwnBuffer(wire), clock.ms);
    wires.prune(clock.ms);
    if (!wantsAcknowledgement(message)) return;
    sync.oweAcknowledgement({ messageId, senderId }, random, () => members.active(clock.ms));
    if (lamport > joinHorizon(this.#state)) members.spoke(senderId, lamport);
  }

  /** LIP-109: delivered if all dependencies are met, and else into the incoming buffer. */
  #deliverOrPark(heard: Heard, history: readonly string[], unmet: readonly string[], outcome: OutcomeDraft): void {
    const { incoming, meta } = this.#state;
    const { messageId, senderId, content } = heard.message;
    const inner = heard.isInner?.(content) === true ? { inner: true as const } : {};
    const entering: Entering = { messageId, senderId, lamport: heard.lamport, history, ...hashOf(heard), ...inner };
    if (unmet.length === 0) {
      this.#delivery.deliver(entering, outcome);
      this.#delivery.met(messageId, outcome);
      return;
    }
    const sequence = meta.nextSequence();
    const bytes = content.length + bytesOf(history) + bytesOf(unmet);
    const { messageId: _, ...row } = entering;
    incoming.park(messageId, { ...row, sequence, bytes, waitsFor: unmet });
    // Who waits for all that is earlier need not wait for what now turns out to wait for something later.
    this.#delivery.first(outcome);
    this.#givingUp.boundParked(outcome);
  }
}

/** Messages with neither history nor filter are ephemeral ones in all but name: nobody waits for their acknowledgement. */
function wantsAcknowledgement(message: SdsMessage): boolean {
  return message.causalHistory.length > 0 || message.bloomFilter.length > 0;
}

function bytesOf(ids: readonly string[]): number {
  return ids.reduce((bytes, id) => bytes + utf8(id).length, 0);
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
