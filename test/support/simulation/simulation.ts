/**
 * A channel of many members over a network that loses, reorders and duplicates, on a clock that jumps from event to
 * event. Everything follows from the seed.
 *
 * The network reaches each member on its own: what one misses another may have. A store, where there is one, has
 * everything that is not ephemeral; members ask it for what they miss by retrieval hint, and for everything new from time
 * to time, as the messaging layer does.
 */
import { type Bytes, equalBytes, utf8 } from "../../../src/common/bytes.ts";
import { LIMITS } from "../../../src/limits.ts";
import type { SdsLayout } from "../../../src/sds/layout.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import type { Missing } from "../../../src/sds/outcome.ts";
import { Agenda } from "./agenda.ts";
import { type Departure, type Kind, type LogEvent, Member } from "./member.ts";
import { type Random, seededRandom } from "./random.ts";

export interface SimulationOptions {
  readonly seed: number;
  readonly members: number;
  readonly messages: number;
  /** The share of copies on their way to a member that never arrive, 0–1. */
  readonly loss: number;
  /** The share of copies that arrive twice. */
  readonly duplication?: number;
  /** Milliseconds on the way: uniform between these, so messages overtake each other. */
  readonly delayMs?: readonly [number, number];
  /** Milliseconds between two messages of anybody, on average. */
  readonly gapMs?: number;
  readonly store?: boolean;
  /** The share of events of a member before which its process dies and starts again. */
  readonly restarts?: number;
  /** Milliseconds after the last message at which the network stops losing. Never by default. */
  readonly healedAfterMs?: number;
  /** Milliseconds after the last message at which the run ends at the latest. */
  readonly patienceMs?: number;
  readonly layout?: SdsLayout;
}

/** A message that was sent. */
export interface SimulatedMessage {
  readonly sender: number;
  readonly payload: Bytes;
  readonly messageIds: readonly string[];
  /** Events that its sender's log had by then: what was received up to there, it depends on. */
  readonly after: number;
}

export interface SimulationRun {
  readonly messages: readonly SimulatedMessage[];
  readonly members: readonly Member[];
  /** The share of (message, other member) pairs that were delivered. */
  readonly delivered: number;
  /** Every member's log is the same. */
  readonly sameLog: boolean;
  readonly sent: Readonly<Record<Kind, number>>;
  /** SDS bytes that members handed to the network. */
  readonly bytes: number;
  /** Milliseconds from the last message until everyone had everything; absent where that never came. */
  readonly convergedMs?: number;
}

const START = 1_750_000_000_000;
const MINUTE = 60_000;
const PROPAGATION_MS = 50;
/** Once everyone has everything, for as long nothing more may happen to the logs. */
const AFTERMATH_MS = 2 * MINUTE;
/** How long what is asked from a store takes. */
const LOOKUP_MS = 500;

export function simulate(options: SimulationOptions): SimulationRun {
  return new Simulation(options).run();
}

interface Stored {
  readonly departure: Departure;
  readonly hash: string;
  readonly from: number;
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #random: Random;
  readonly #agenda = new Agenda(START);
  readonly #members: readonly Member[];
  readonly #wakeUps: (number | undefined)[];
  readonly #seenHashes: readonly Set<string>[];
  readonly #caughtUp: number[];
  readonly #store: Stored[] = [];
  readonly #byHash = new Map<string, Stored>();
  readonly #messages: SimulatedMessage[] = [];
  readonly #sent: Record<Kind, number> = { message: 0, retransmission: 0, sync: 0, repair: 0 };
  #bytes = 0;
  #hashes = 0;
  #received = 0;
  #counted: number[];
  #lastSend = START;
  #convergedAt: number | undefined;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    const layout = options.layout ?? nimLayout;
    const indexes = Array.from({ length: options.members }, (_, i) => i);
    this.#members = indexes.map((i) => new Member(`member-${i}`, layout, START - MINUTE));
    this.#wakeUps = indexes.map(() => undefined);
    this.#seenHashes = indexes.map(() => new Set<string>());
    this.#caughtUp = indexes.map(() => 0);
    this.#counted = indexes.map(() => 0);
  }

  run(): SimulationRun {
    const { messages, members, gapMs = 2000, store = false, patienceMs = 60 * MINUTE } = this.#options;
    let at = START;
    for (let i = 0; i < messages; i++) {
      at += Math.round(this.#random() * 2 * gapMs);
      this.#agenda.at(at, () => this.#say(i));
    }
    this.#lastSend = at;
    if (store) for (let i = 0; i < members; i++) this.#catchUpLater(i);
    const end = at + patienceMs;
    while (this.#agenda.step(Math.min(end, (this.#convergedAt ?? end) + AFTERMATH_MS)));
    const pairs = messages * (members - 1);
    const [first, ...rest] = this.#members.map(({ logIds }) => logIds.join());
    return {
      messages: this.#messages,
      members: this.#members,
      delivered: pairs === 0 ? 1 : this.#received / pairs,
      sameLog: rest.every((log) => log === first),
      sent: this.#sent,
      bytes: this.#bytes,
      ...(this.#convergedAt === undefined ? {} : { convergedMs: this.#convergedAt - this.#lastSend }),
    };
  }

  #say(index: number): void {
    const sender = Math.floor(this.#random() * this.#members.length);
    const member = this.#members[sender];
    if (member === undefined) return;
    // One in five has several segments.
    const length = this.#random() < 0.2 ? 200 + Math.floor(this.#random() * 200) : 20;
    const payload = utf8(`message ${index} `.padEnd(length, "."));
    const departures = member.send(payload, this.#agenda.now);
    this.#messages.push({
      sender,
      payload,
      messageIds: departures.map(({ messageId }) => messageId),
      after: member.events.length,
    });
    for (const departure of departures) this.#broadcast(sender, departure);
    this.#wakeLater(sender);
  }

  #broadcast(from: number, departure: Departure): void {
    this.#sent[departure.kind]++;
    this.#bytes += departure.wire.length;
    const hash = (this.#hashes++).toString(16).padStart(64, "0");
    if (this.#options.store && !departure.ephemeral) {
      const stored = { departure, hash, from };
      this.#store.push(stored);
      this.#byHash.set(hash, stored);
    }
    if (departure.kind === "message" || departure.kind === "retransmission") {
      this.#agenda.at(this.#agenda.now + PROPAGATION_MS, () => {
        this.#members[from]?.left(departure.messageId, hash, this.#agenda.now);
        this.#wakeLater(from);
      });
      if (this.#options.store && !departure.ephemeral) {
        this.#agenda.at(this.#agenda.now + LIMITS.messaging.storeCheckMs, () => {
          this.#members[from]?.stored(departure.messageId, hash);
          this.#wakeLater(from);
        });
      }
    }
    const { loss, duplication = 0.05, delayMs = [20, 1500], healedAfterMs = Number.POSITIVE_INFINITY } = this.#options;
    const losing = this.#agenda.now < this.#lastSend + healedAfterMs;
    for (let to = 0; to < this.#members.length; to++) {
      const copies = this.#random() < duplication ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) {
        const delay = Math.round(delayMs[0] + this.#random() * (delayMs[1] - delayMs[0]));
        if (losing && this.#random() < loss) continue;
        this.#agenda.at(this.#agenda.now + delay, () => this.#arrive(to, departure, hash));
      }
    }
  }

  #arrive(to: number, departure: Departure, hash: string): void {
    const member = this.#members[to];
    if (member === undefined) return;
    this.#seenHashes[to]?.add(hash);
    this.#maybeRestart(member);
    const { wire, ephemeral } = departure;
    const context = { now: this.#agenda.now, messageHash: hash, ephemeral, random: this.#random() };
    this.#follow(to, member.receive(wire, context));
  }

  #follow(
    of: number,
    { departures, missing }: { departures: readonly Departure[]; missing: readonly Missing[] },
  ): void {
    for (const departure of departures) this.#broadcast(of, departure);
    if (this.#options.store) for (const { hint } of missing) if (hint !== undefined) this.#lookUpLater(of, hint);
    this.#count(of);
    this.#wakeLater(of);
  }

  #count(of: number): void {
    const events = this.#members[of]?.events ?? [];
    for (let i = this.#counted[of] ?? 0; i < events.length; i++) if (events[i]?.type === "received") this.#received++;
    this.#counted[of] = events.length;
    const { messages, members } = this.#options;
    const all = this.#messages.length === messages && this.#received >= messages * (members - 1);
    if (all) this.#convergedAt ??= this.#agenda.now;
  }

  #lookUpLater(of: number, hint: string): void {
    this.#agenda.at(this.#agenda.now + LOOKUP_MS, () => {
      const found = this.#byHash.get(hint);
      if (found) this.#arrive(of, found.departure, hint);
    });
  }

  /** What the store has and the filter did not bring. */
  #catchUpLater(of: number): void {
    this.#agenda.at(this.#agenda.now + Math.round(LIMITS.messaging.catchUpEveryMs * (0.5 + this.#random())), () => {
      for (let i = this.#caughtUp[of] ?? 0; i < this.#store.length; i++) {
        const stored = this.#store[i];
        if (stored && !this.#seenHashes[of]?.has(stored.hash)) this.#arrive(of, stored.departure, stored.hash);
      }
      this.#caughtUp[of] = this.#store.length;
      this.#catchUpLater(of);
    });
  }

  #wakeLater(index: number): void {
    const member = this.#members[index];
    const next = member?.nextDeadline;
    const planned = this.#wakeUps[index];
    if (member === undefined || next === undefined || (planned !== undefined && planned <= next)) return;
    this.#wakeUps[index] = next;
    this.#agenda.at(next, () => {
      // Something earlier was planned meanwhile.
      if (this.#wakeUps[index] !== next) return;
      this.#wakeUps[index] = undefined;
      this.#maybeRestart(member);
      if ((member.nextDeadline ?? Number.POSITIVE_INFINITY) > this.#agenda.now) this.#wakeLater(index);
      else this.#follow(index, member.tick(this.#agenda.now, this.#random()));
    });
  }

  #maybeRestart(member: Member): void {
    const { restarts = 0 } = this.#options;
    if (restarts > 0 && this.#random() < restarts) member.restart();
  }
}

/** Breaches of the invariants I1–I5, and of one loss for each message, in words; none if all is well. */
export function breaches({ messages, members }: SimulationRun): readonly string[] {
  const found: string[] = [];
  const bySender = members.map((_, sender) => messages.filter((message) => message.sender === sender));
  const byFirstId = new Map(messages.map((message) => [message.messageIds[0] ?? "", message]));
  const positions = members.map((member, index) => positionsOf(member, index, byFirstId, found));
  for (const [index, member] of members.entries()) {
    requestsOf(member, bySender[index] ?? [], found);
    orderOf(members, index, messages, positions, found);
    lossesOf(member, index, messages, found);
  }
  return found;
}

/** I1–I3: outcomes are of own messages, each at most once. */
function requestsOf({ name, events }: Member, own: readonly SimulatedMessage[], found: string[]): void {
  const ids = new Set(own.flatMap(({ messageIds }) => messageIds));
  const seen = new Set<string>();
  for (const { type, messageId } of events) {
    if (type !== "acknowledged" && type !== "exhausted") continue;
    if (!ids.has(messageId)) found.push(`I1 (${name}): ${type} of ${messageId}, which it never sent`);
    const outcome = `${type} ${messageId}`;
    if (seen.has(outcome)) found.push(`I2 (${name}): ${outcome} twice`);
    seen.add(outcome);
    if (type === "exhausted" && seen.has(`acknowledged ${messageId}`)) {
      found.push(`I2 (${name}): ${messageId} exhausted although acknowledged`);
    }
  }
}

/** I4: each message once, from its sender, byte for byte. Returns where each stands in the log. */
function positionsOf(
  { name, events }: Member,
  index: number,
  byFirstId: ReadonlyMap<string, SimulatedMessage>,
  found: string[],
): ReadonlyMap<SimulatedMessage, number> {
  const positions = new Map<SimulatedMessage, number>();
  for (const [position, event] of events.entries()) {
    if (event.type !== "received") continue;
    const message = byFirstId.get(event.messageId);
    if (message === undefined) found.push(`I4 (${name}): ${event.messageId} was never sent`);
    else if (positions.has(message)) found.push(`I4 (${name}): ${event.messageId} twice`);
    else if (message.sender === index) found.push(`I4 (${name}): its own ${event.messageId}`);
    else if (!equalBytes(message.payload, event.payload)) found.push(`I4 (${name}): ${event.messageId} is not itself`);
    if (message !== undefined) positions.set(message, position);
  }
  return positions;
}

/** I5: every message after what it depends on, save what was reported lost before it came. */
function orderOf(
  members: readonly Member[],
  index: number,
  messages: readonly SimulatedMessage[],
  positions: readonly ReadonlyMap<SimulatedMessage, number>[],
  found: string[],
): void {
  const member = members[index];
  const here = positions[index];
  if (member === undefined || here === undefined) return;
  const lostAt = new Map<string, number>();
  for (const [position, { type, messageId }] of member.events.entries()) {
    if (type === "lost" && !lostAt.has(messageId)) lostAt.set(messageId, position);
  }
  /** Where a message stands; before everything, if it is not there or came after it was reported lost. */
  const placeOf = (message: SimulatedMessage): number => {
    const position = here.get(message) ?? -1;
    return message.messageIds.some((id) => (lostAt.get(id) ?? Number.POSITIVE_INFINITY) < position) ? -1 : position;
  };
  for (const [sender, there] of positions.entries()) {
    if (sender === index) continue;
    const received = [...there].sort(([, a], [, b]) => a - b);
    let latest = -1;
    let next = 0;
    for (const message of messages.filter((one) => one.sender === sender)) {
      for (; next < received.length; next++) {
        const [cause, position] = received[next] ?? [];
        if (cause === undefined || position === undefined || position >= message.after) break;
        latest = Math.max(latest, placeOf(cause));
      }
      const place = here.get(message);
      if (place === undefined) continue;
      if (place < latest && placeOf(message) !== -1) {
        found.push(
          `I5 (${member.name}): ${message.messageIds[0]} of ${members[sender]?.name} before what it depends on`,
        );
      }
      latest = Math.max(latest, placeOf(message));
    }
  }
}

/** A loss is told of others' messages, once of each, and not of one that is there. */
function lossesOf(
  { name, events }: Member,
  index: number,
  messages: readonly SimulatedMessage[],
  found: string[],
): void {
  const byId = new Map(messages.flatMap((message) => message.messageIds.map((id) => [id, message] as const)));
  const received = new Set<SimulatedMessage>();
  const lost = new Set<SimulatedMessage>();
  for (const { type, messageId } of events) {
    const message = byId.get(messageId);
    if (type === "received" && message !== undefined) received.add(message);
    if (type !== "lost") continue;
    if (message === undefined) found.push(`lost (${name}): ${messageId} was never sent`);
    else if (message.sender === index) found.push(`lost (${name}): its own ${messageId}`);
    else if (received.has(message)) found.push(`lost (${name}): ${messageId}, which it has`);
    else if (lost.has(message)) found.push(`lost (${name}): ${messageId} twice`);
    if (message !== undefined) lost.add(message);
  }
}

export function eventsOf(run: SimulationRun, type: LogEvent["type"]): number {
  return run.members.reduce((sum, { events }) => sum + events.filter((event) => event.type === type).length, 0);
}
