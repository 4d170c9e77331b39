import { OrderedIndex } from "../common/ordered-index.ts";
import { SenderTimes } from "./sender-times.ts";
import type { IncomingRow, MissingRow, SdsTables } from "./tables.ts";
import { WaitingIndex } from "./waiting-index.ts";

/** A parked message that names missing ones. */
export interface Namer {
  readonly messageId: string;
  readonly row: IncomingRow;
  readonly names: Set<string>;
}

/** Parked messages that come not where their Lamport times put them, but after others: all of them, and after which. */
interface Rank {
  readonly follow: ReadonlySet<string>;
  readonly followers: ReadonlyMap<string, readonly string[]>;
}

/**
 * The buffer of incoming messages with unmet causal dependencies of LIP-109, and the dependencies that are looked for.
 *
 * A reverse index leads from a dependency to what waits for it, so that its arrival costs a step for each of these, and a
 * write for each that it releases, however many messages are parked. Every parked message waits, directly or through
 * other parked ones, for a missing one; so once each missing one has come or is given up, nothing is parked.
 */
export class IncomingBuffer {
  readonly #incoming: SdsTables["incoming"];
  readonly #missing: SdsTables["missing"];
  readonly #bySequence: OrderedIndex<IncomingRow>;
  readonly #byLamport: OrderedIndex<IncomingRow>;
  readonly #byDeadline: OrderedIndex<MissingRow>;
  readonly #byRequest: OrderedIndex<MissingRow>;
  readonly #times: SenderTimes<IncomingRow>;
  /** Those that wait for what is earlier. */
  readonly #byBarrier: OrderedIndex<IncomingRow>;
  readonly #waiting: WaitingIndex;
  /** The order of what is parked. It outlives that some of it is taken out, unless others come after that one. */
  #rank: Rank | undefined;
  #bytes = 0;

  constructor(tables: Pick<SdsTables, "incoming" | "missing">) {
    this.#incoming = tables.incoming;
    this.#missing = tables.missing;
    this.#bySequence = new OrderedIndex(tables.incoming, ({ sequence }) => sequence);
    this.#byLamport = new OrderedIndex(tables.incoming, ({ lamport }) => lamport);
    this.#byBarrier = new OrderedIndex(tables.incoming, ({ behind }) => behind);
    this.#byDeadline = new OrderedIndex(tables.missing, ({ giveUpMs }) => giveUpMs);
    this.#byRequest = new OrderedIndex(tables.missing, ({ requestMs }) => requestMs);
    this.#times = new SenderTimes(tables.incoming);
    this.#waiting = new WaitingIndex(tables);
    tables.incoming.observe((key, before, after) => {
      const stays = after ? before && before.behind === after.behind : !this.#rank?.followers.has(key);
      if (!stays) this.#rank = undefined;
      this.#bytes += (after?.bytes ?? 0) - (before?.bytes ?? 0);
    });
  }

  /** Messages parked, and the bytes of their contents and of the ids that they name. */
  get size(): number {
    return this.#incoming.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  has(messageId: string): boolean {
    return this.#incoming.has(messageId);
  }

  /** A parked message. */
  get(messageId: string): IncomingRow | undefined {
    return this.#incoming.get(messageId);
  }

  missing(messageId: string): MissingRow | undefined {
    return this.#missing.get(messageId);
  }

  /** What is looked for, longest first. */
  *missingIds(): Generator<string> {
    yield* this.#byDeadline.ascending();
  }

  park(messageId: string, row: IncomingRow): void {
    this.#incoming.put(messageId, row);
  }

  lookFor(messageId: string, row: MissingRow): void {
    this.#missing.put(messageId, row);
  }

  /** It came, or is given up. */
  stopLookingFor(messageId: string): void {
    this.#missing.delete(messageId);
  }

  /** What waited for this dependency, which is met, and waits for nothing any more: parked no more, and to be delivered. */
  takeFree(dependency: string): readonly (readonly [messageId: string, row: IncomingRow])[] {
    const free: [string, IncomingRow][] = [];
    for (const messageId of this.#waiting.dependantsOf(dependency)) {
      const row = this.#waiting.isFree(messageId) ? this.#incoming.get(messageId) : undefined;
      if (row) free.push([messageId, row]);
    }
    for (const [messageId] of free) this.#waiting.release(messageId);
    return free;
  }

  /** What was taken out is delivered now. Until then it is among what others wait for. */
  delivered(messageId: string): void {
    this.#waiting.delivered(messageId);
  }

  /** Nothing that was taken out is to be delivered any more. */
  endDelivery(): void {
    this.#waiting.endRelease();
  }

  /**
   * These are given up. Whoever waited for nothing else now waits for all that is parked and earlier in the order of the
   * log: that order agrees with the causal one, and with a lost message goes the knowledge of what it depended on. What is
   * parked after this does not count, or strangers could keep others waiting for as long as they like.
   */
  giveUp(dependencies: ReadonlySet<string>, sequence: number): void {
    const namers = this.namersOf(dependencies);
    for (const dependency of dependencies) this.#missing.delete(dependency);
    for (const { messageId, row } of namers) {
      // Not only met: what is given up may still come, be parked, and would be waited for again.
      const waitsFor = row.waitsFor.filter((id) => !dependencies.has(id));
      const behind = this.#waiting.isFree(messageId) ? { behind: sequence } : {};
      this.#incoming.put(messageId, { ...row, waitsFor, ...behind });
    }
  }

  /** Takes out those that wait for what is earlier, and nothing earlier is left. In the order of the log. */
  takeFirst(): readonly (readonly [messageId: string, row: IncomingRow])[] {
    const least = this.#byBarrier.first()?.order;
    if (least === undefined) return [];
    const free: [string, IncomingRow][] = [];
    let longest = Number.POSITIVE_INFINITY;
    for (const [messageId, row] of this.#inRank()) {
      if (row.behind === undefined || longest < row.behind) longest = Math.min(longest, row.sequence);
      else free.push([messageId, row]);
      if (longest < least) break;
    }
    for (const [messageId] of free) this.#waiting.release(messageId);
    return free;
  }

  /** The parked messages that name some of these missing ones, each once. */
  namersOf(dependencies: Iterable<string>): readonly Namer[] {
    const namers = new Map<string, Namer>();
    for (const dependency of dependencies) {
      for (const messageId of this.#waiting.dependantsOf(dependency)) {
        const known = namers.get(messageId);
        known?.names.add(dependency);
        const row = known ? undefined : this.#incoming.get(messageId);
        if (row) namers.set(messageId, { messageId, row, names: new Set([dependency]) });
      }
    }
    return [...namers.values()];
  }

  /** Lamport time of the newest parked message of a sender that is older than `lamport`. */
  newestOf(senderId: string, lamport: number): number | undefined {
    return this.#times.newestBefore(senderId, lamport);
  }

  /**
   * Those of `dependencies` that themselves wait for `messageId`. Honest messages never do, since an id depends on its
   * content's history; what a forger ties into a circle must not be parked for ever.
   */
  circular(messageId: string, dependencies: readonly string[]): ReadonlySet<string> {
    const dependants = this.#allDependantsOf(messageId);
    return new Set(dependencies.filter((dependency) => dependants.has(dependency)));
  }

  nextDueMs(): number | undefined {
    return this.#byDeadline.first()?.order;
  }

  nextRequestMs(): number | undefined {
    return this.#byRequest.first()?.order;
  }

  /** LIP-109, SDS-R send message: those whose T_req is over, the most overdue first. */
  dueRequests(ms: number, max: number): readonly string[] {
    const due: string[] = [];
    for (const id of this.#byRequest.ascending()) {
      if (due.length >= max || (this.#missing.get(id)?.requestMs ?? Number.POSITIVE_INFINITY) > ms) break;
      due.push(id);
    }
    return due;
  }

  /** It was asked for, by us or by another: nobody need ask before `againMs`. */
  requested(messageId: string, againMs: number): void {
    const row = this.#missing.get(messageId);
    if (row?.requestMs !== undefined) this.#missing.put(messageId, { ...row, requestMs: againMs });
  }

  /** Missing dependencies whose time is over at the awake time `ms`. */
  overdue(ms: number): readonly string[] {
    const overdue: string[] = [];
    for (const id of this.#byDeadline.ascending()) {
      if ((this.#missing.get(id)?.giveUpMs ?? Number.POSITIVE_INFINITY) > ms) break;
      overdue.push(id);
    }
    return overdue;
  }

  /** The missing dependencies that are looked for longest, where there are more than `max`. */
  excessMissing(max: number): readonly string[] {
    if (this.#missing.size <= max) return [];
    const excess: string[] = [];
    for (const id of this.#byDeadline.ascending()) {
      if (this.#missing.size - excess.length <= max) break;
      excess.push(id);
    }
    return excess;
  }

  #allDependantsOf(messageId: string): ReadonlySet<string> {
    const found = new Set<string>();
    const open = [messageId];
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      for (const dependant of this.#waiting.dependantsOf(id)) {
        if (found.has(dependant)) continue;
        found.add(dependant);
        open.push(dependant);
      }
    }
    return found;
  }

  /** Missing dependencies that keep the longest parked message from being delivered. */
  missingForOldest(): readonly string[] {
    for (const oldest of this.#bySequence.ascending()) {
      const found = new Set<string>();
      const visited = new Set([oldest]);
      const open = [oldest];
      for (let id = open.pop(); id !== undefined; id = open.pop()) {
        for (const next of this.#keptBy(id)) {
          if (visited.has(next)) continue;
          visited.add(next);
          if (this.#missing.has(next)) found.add(next);
          else open.push(next);
        }
      }
      return [...found];
    }
    return [];
  }

  /** What a parked message waits for. */
  #keptBy(messageId: string): readonly string[] {
    const row = this.#incoming.get(messageId);
    if (row?.behind === undefined) return row?.waitsFor ?? [];
    const earlier: string[] = [];
    for (const [id, { sequence }] of this.#inRank()) {
      if (id === messageId) break;
      if (sequence < row.behind) earlier.push(id);
    }
    return earlier;
  }

  /**
   * What is parked in the order of the log. Who claims to be earlier than what it waits for, directly or through others,
   * is lying, or its clock is: it is right after that.
   */
  *#inRank(): Generator<readonly [messageId: string, row: IncomingRow]> {
    this.#rank ??= this.#ranked();
    const { follow, followers } = this.#rank;
    for (const id of this.#byLamport.ascending()) {
      if (follow.has(id)) continue;
      for (const each of [id, ...(followers.get(id) ?? [])]) {
        const row = this.#incoming.get(each);
        if (row) yield [each, row];
      }
    }
  }

  #ranked(): Rank {
    const rank = { follow: new Set<string>(), followers: new Map<string, string[]>() };
    const above = new Set<string>();
    // From the last one downwards, so that each follows the last of all that it waits for.
    for (const last of this.#byLamport.descending()) {
      if (!rank.follow.has(last)) {
        const followers: string[] = [];
        const open = [last];
        for (let id = open.pop(); id !== undefined; id = open.pop()) {
          for (const dependant of this.#waiting.dependantsOf(id)) {
            if (dependant === last || above.has(dependant) || rank.follow.has(dependant)) continue;
            rank.follow.add(dependant);
            followers.push(dependant);
            open.push(dependant);
          }
        }
        if (followers.length > 0) rank.followers.set(last, followers);
      }
      above.add(last);
    }
    return rank;
  }
}
