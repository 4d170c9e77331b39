/**
 * A channel of many members over a network that loses, reorders and duplicates, on a clock that jumps from event to
 * event. Everything follows from the seed.
 *
 * The network reaches each member on its own: what one misses another may have. A store, where there is one, has
 * everything that is not ephemeral; members ask it for what they miss by retrieval hint, and for everything new from time
 * to time, as the messaging layer does.
 *
 * What becomes of a message is told to its sender as the messaging layer tells it: that a node relayed it, and that the
 * network has it, once a store does or, where there is none, because it was relayed; or that it was given up, relayed or
 * not. Each of these may be told twice, and later than others acknowledge the message.
 */
import type { RequestId } from "../../../src/channel/types.ts";
import { type Bytes, utf8 } from "../../../src/common/bytes.ts";
import { LIMITS } from "../../../src/limits.ts";
import type { SdsLayout } from "../../../src/sds/layout.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import { Agenda } from "./agenda.ts";
import { type Departure, type Effects, type Kind, type LogEvent, Member } from "./member.ts";
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
  /** The share of what is handed over that the messaging layer gives up, 0–1. Its sender tries it again after a while. */
  readonly failures?: number;
  /** The share of events of a member before which its process dies and starts again. */
  readonly restarts?: number;
  /** Milliseconds after the last message at which the network stops losing and failing. Never by default. */
  readonly healedAfterMs?: number;
  /** Milliseconds after the last message at which the run ends at the latest. */
  readonly patienceMs?: number;
  readonly layout?: SdsLayout;
}

/** A message that was sent. */
export interface SimulatedMessage {
  readonly sender: number;
  readonly requestId: RequestId;
  readonly payload: Bytes;
  readonly messageIds: readonly string[];
  /** Events that its sender's log had by then: what was received up to there, it depends on. */
  readonly after: number;
}

/** A member as it was in the end. */
export type SimulatedMember = Pick<Member, "name" | "events">;

export interface SimulationRun {
  readonly messages: readonly SimulatedMessage[];
  readonly members: readonly SimulatedMember[];
  /** The share of (message, other member) pairs that were delivered. */
  readonly delivered: number;
  /**
   * Every member's SDS log is the same. It is ordered by Lamport time and id (LIP-109), so this says no more than that
   * everyone has the same messages. In which order they were received is another matter: `order.ts`.
   */
  readonly sameLog: boolean;
  readonly sent: Readonly<Record<Kind, number>>;
  /** Ids of SDS messages that the messaging layer gave up. */
  readonly givenUp: ReadonlySet<string>;
  /** Requests that were told to be delivered, and the other members that had all of their message by then. */
  readonly holders: ReadonlyMap<RequestId, readonly string[]>;
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
/** From a failure to the next attempt of the person. */
const RETRY_MS = 10_000;

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
  /** The messaging layer's own chance, so that what it tells leaves the network as it was. */
  readonly #messagingRandom: Random;
  readonly #agenda = new Agenda(START);
  readonly #members: readonly Member[];
  readonly #wakeUps: (number | undefined)[];
  readonly #seenHashes: readonly Set<string>[];
  readonly #caughtUp: number[];
  readonly #store: Stored[] = [];
  readonly #byHash = new Map<string, Stored>();
  readonly #messages: SimulatedMessage[] = [];
  readonly #sent: Record<Kind, number> = { message: 0, retransmission: 0, sync: 0, repair: 0 };
  readonly #givenUp = new Set<string>();
  readonly #holders = new Map<RequestId, readonly string[]>();
  #bytes = 0;
  #hashes = 0;
  #received = 0;
  #counted: number[];
  #lastSend = START;
  #convergedAt: number | undefined;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#messagingRandom = seededRandom(~options.seed);
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
      givenUp: this.#givenUp,
      holders: this.#holders,
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
    const after = member.events.length;
    const { requestId, departures } = member.send(payload, this.#agenda.now);
    const messageIds = departures.map(({ messageId }) => messageId);
    this.#messages.push({ sender, requestId, payload, messageIds, after });
    this.#follow(sender, { departures, missing: [] });
  }

  #broadcast(from: number, departure: Departure): void {
    this.#sent[departure.kind]++;
    this.#bytes += departure.wire.length;
    const hash = (this.#hashes++).toString(16).padStart(64, "0");
    if (!this.#handOver(from, departure, hash)) return;
    if (this.#options.store && !departure.ephemeral) {
      const stored = { departure, hash, from };
      this.#store.push(stored);
      this.#byHash.set(hash, stored);
    }
    const { loss, duplication = 0.05, delayMs = [20, 1500] } = this.#options;
    for (let to = 0; to < this.#members.length; to++) {
      const copies = this.#random() < duplication ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) {
        const delay = Math.round(delayMs[0] + this.#random() * (delayMs[1] - delayMs[0]));
        if (!this.#isHealed && this.#random() < loss) continue;
        this.#agenda.at(this.#agenda.now + delay, () => this.#arrive(to, departure, hash));
      }
    }
  }

  get #isHealed(): boolean {
    return this.#agenda.now >= this.#lastSend + (this.#options.healedAfterMs ?? Number.POSITIVE_INFINITY);
  }

  /** What the messaging layer makes of a message, and when it tells its sender. Returns whether the message leaves. */
  #handOver(from: number, { request, messageId, ephemeral }: Departure, hash: string): boolean {
    const { store, failures = 0, duplication = 0.05 } = this.#options;
    const random = this.#messagingRandom;
    const tell = (delay: number, how: (member: Member) => void) => {
      for (let times = random() < duplication ? 2 : 1; times > 0; times--) {
        this.#agenda.at(this.#agenda.now + delay * times, () => this.#tell(from, how));
      }
    };
    const failed = random() < failures && !this.#isHealed;
    if (failed) this.#givenUp.add(messageId);
    const leaves = !failed || random() < 0.5;
    if (leaves) tell(PROPAGATION_MS, (member) => member.onPropagated(request, hash, this.#agenda.now));
    // Found in a store; or else being relayed is all that can be known.
    const confirmedMs = store && !ephemeral ? LIMITS.messaging.storeCheckMs : PROPAGATION_MS;
    if (!failed) tell(confirmedMs, (member) => member.onSent(request, hash, this.#agenda.now));
    else tell(random() * LIMITS.messaging.sendWindowMs, (member) => member.onFailed(request, this.#agenda.now));
    return leaves;
  }

  #tell(to: number, how: (member: Member) => void): void {
    const member = this.#members[to];
    if (member === undefined) return;
    this.#maybeRestart(member, this.#messagingRandom);
    how(member);
    this.#follow(to, { departures: [], missing: [] });
  }

  #retryLater(of: number, requestId: RequestId): void {
    this.#agenda.at(this.#agenda.now + RETRY_MS, () => {
      const departures = this.#members[of]?.retry(requestId, this.#agenda.now) ?? [];
      this.#follow(of, { departures, missing: [] });
    });
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

  #follow(of: number, { departures, missing }: Effects): void {
    for (const departure of departures) this.#broadcast(of, departure);
    if (this.#options.store) for (const { hint } of missing) if (hint !== undefined) this.#lookUpLater(of, hint);
    for (const requestId of this.#members[of]?.takeFailed() ?? []) this.#retryLater(of, requestId);
    this.#count(of);
    this.#wakeLater(of);
  }

  #count(of: number): void {
    const events = this.#members[of]?.events ?? [];
    for (let i = this.#counted[of] ?? 0; i < events.length; i++) {
      const event = events[i];
      if (event?.type === "received") this.#received++;
      if (event?.type === "delivered") this.#holders.set(event.requestId, this.#holdersOf(event.requestId));
    }
    this.#counted[of] = events.length;
    const { messages, members } = this.#options;
    const all = this.#messages.length === messages && this.#received >= messages * (members - 1);
    if (all) this.#convergedAt ??= this.#agenda.now;
  }

  #holdersOf(requestId: RequestId): readonly string[] {
    const message = this.#messages.find((one) => one.requestId === requestId);
    const has = (member: Member, index: number) =>
      index !== message?.sender && member.hasAll(message?.messageIds ?? []);
    return this.#members.filter(has).map(({ name }) => name);
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

  #maybeRestart(member: Member, random = this.#random): void {
    const { restarts = 0 } = this.#options;
    if (restarts > 0 && random() < restarts) member.restart();
  }
}

export function eventsOf(run: SimulationRun, type: LogEvent["type"]): number {
  return run.members.reduce((sum, { events }) => sum + events.filter((event) => event.type === type).length, 0);
}
