/**
 * The epoch budget of the Reliable Channel API (LIP-173, rate limit manager).
 *
 * Everything a profile of the browser sends passes here, because a rate-limit nullifier belongs to the person and not to
 * a channel. The queue is rows, so what waits survives a restart, and so does what the epoch has used: a restart does not
 * refill the budget.
 */
import { err, ok, type Result } from "../common/result.ts";
import type { Table } from "../common/table.ts";
import { LIMITS } from "../limits.ts";

/** What the upkeep of a channel sends, beside its segments. */
export type UpkeepKind = "retransmission" | "sync" | "repair";

/** What a queued message is for. Only segments move the send state machine. */
export type Owner = { readonly kind: "segment"; readonly entry: number } | { readonly kind: UpkeepKind };

export interface QueuedMessage {
  readonly origin: string;
  readonly channelId: string;
  readonly owner: Owner;
  /** SDS message id; absent for a sync message, which is made when it is released and says what is known then. */
  readonly messageId?: string;
  readonly ephemeral: boolean;
  /** Milliseconds since the Unix epoch. */
  readonly enqueuedAt: number;
}

type Channel = Pick<QueuedMessage, "origin" | "channelId">;

export interface RateLimitConfig {
  readonly enabled: boolean;
  readonly epochSeconds: number;
  readonly messagesPerEpoch: number;
}

export const UNLIMITED: RateLimitConfig = {
  enabled: false,
  epochSeconds: LIMITS.rateLimit.epochSeconds,
  messagesPerEpoch: 0,
};

/** What the current epoch has used, in all and by origin, and whose turn was last. */
export interface BudgetRow {
  readonly epoch: number;
  /** The period by which epochs were counted when this was written. */
  readonly epochSeconds: number;
  readonly used: number;
  readonly usedBy: Readonly<Record<string, number>>;
  readonly lastOrigin: string;
}

/** A budget as it stands. */
export interface BudgetQuota {
  /** Messages per epoch. */
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds since the Unix epoch. */
  readonly resetsAt: number;
}

export interface RateLimitTables {
  readonly queue: Table<number, QueuedMessage>;
  readonly budget: Table<string, BudgetRow>;
}

export interface Released {
  /** Cleared for transmission, in sending order within each channel. */
  readonly ready: readonly QueuedMessage[];
  /** Ephemeral messages that waited too long to be worth sending. */
  readonly refused: readonly QueuedMessage[];
}

const BUDGET = "budget";
const NOTHING: BudgetRow = { epoch: -1, epochSeconds: 0, used: 0, usedBy: {}, lastOrigin: "" };

export class RateLimitManager {
  readonly #config: RateLimitConfig;
  readonly #queue: Table<number, QueuedMessage>;
  readonly #budget: Table<string, BudgetRow>;
  /** By channel, the upkeep that waits: its key in the queue by what it is. */
  readonly #upkeep = new Map<string, Map<string, number>>();
  #nextKey = 1;

  /** Refuses an epoch of no length: its index would be undefined. A budget of 0 is fine and admits nothing. */
  static create(config: RateLimitConfig, tables: RateLimitTables): Result<RateLimitManager> {
    if (config.enabled && !(config.epochSeconds > 0))
      return err("rate limit: the epoch period must be longer than 0 s");
    return ok(new RateLimitManager(config, tables));
  }

  private constructor(config: RateLimitConfig, tables: RateLimitTables) {
    this.#config = config;
    this.#queue = tables.queue;
    this.#budget = tables.budget;
    for (const key of this.#queue.keys()) this.#nextKey = Math.max(this.#nextKey, key + 1);
    this.#queue.observe((key, before, after) => this.#indexUpkeep(key, before, after));
  }

  /**
   * What upkeep is to send is read when it is released, so to queue it twice would send the same twice. And others decide
   * how much they ask to have repaired: beyond the bound, somebody else may answer, or they ask again.
   *
   * @returns whether it was queued; false where the same waits already, or there are too many
   */
  enqueueToSend(message: QueuedMessage): boolean {
    const { owner, messageId } = message;
    if (owner.kind !== "segment") {
      const waiting = this.#upkeep.get(nameOf(message));
      if (waiting?.has(upkeepName(owner.kind, messageId))) return false;
      if (owner.kind === "repair" && (waiting?.size ?? 0) >= LIMITS.rateLimit.upkeep) return false;
    }
    this.#queue.put(this.#nextKey++, message);
    return true;
  }

  /** There is no reason any more to send this, if it waits. */
  withdraw(channel: Channel, kind: UpkeepKind, messageId?: string): void {
    const key = this.#upkeep.get(nameOf(channel))?.get(upkeepName(kind, messageId));
    if (key !== undefined) this.#queue.delete(key);
  }

  /** The channel is deleted. What waits of it would be charged to whoever opens one of its name. */
  forget({ origin, channelId }: Channel): void {
    for (const [key, queued] of [...this.#queue.entries()]) {
      if (queued.origin === origin && queued.channelId === channelId) this.#queue.delete(key);
    }
  }

  #indexUpkeep(key: number, before: QueuedMessage | undefined, after: QueuedMessage | undefined): void {
    const message = after ?? before;
    if (message === undefined || message.owner.kind === "segment") return;
    const channel = nameOf(message);
    const waiting = this.#upkeep.get(channel) ?? new Map<string, number>();
    const name = upkeepName(message.owner.kind, message.messageId);
    if (after) waiting.set(name, key);
    else if (waiting.get(name) === key) waiting.delete(name);
    if (waiting.size > 0) this.#upkeep.set(channel, waiting);
    else this.#upkeep.delete(channel);
  }

  /**
   * Takes out what the budget admits at `now`, taking turns between origins, first in first out within a channel. What is
   * released is charged to this epoch, so it has to go out in it: what cannot (`mayGo`) is to stay, or the shares of several
   * epochs would go out in one. Where nothing is limited, everything is released.
   */
  release(now: number, mayGo: (message: QueuedMessage) => boolean = () => true): Released {
    this.#countInOurEpoch(now);
    if (this.#queue.size === 0) return { ready: [], refused: [] };
    const refused = this.#refuseStaleEphemerals(now);
    if (!this.#config.enabled) return { ready: [...this.#takeAll()], refused };
    const ready: QueuedMessage[] = [];
    let budget = this.#budgetAt(now);
    const turns = this.#turns(budget.lastOrigin, mayGo);
    while (budget.used < this.#config.messagesPerEpoch) {
      const next = turns.next();
      if (next.done) break;
      const [key, message] = next.value;
      this.#queue.delete(key);
      const { origin } = message;
      const usedBy = { ...budget.usedBy, [origin]: (budget.usedBy[origin] ?? 0) + 1 };
      budget = { ...budget, used: budget.used + 1, usedBy, lastOrigin: origin };
      ready.push(message);
    }
    if (ready.length > 0) this.#budget.put(BUDGET, budget);
    return { ready, refused };
  }

  /** When something that waits now may go or must be refused; milliseconds since the Unix epoch. */
  nextDeadline(now: number): number | undefined {
    if (!this.#config.enabled || this.#queue.size === 0) return undefined;
    let deadline = endOf(this.#budgetAt(now));
    for (const message of this.#queue.values()) {
      if (!mayGoStale(message)) continue;
      deadline = Math.min(deadline, message.enqueuedAt + LIMITS.rateLimit.ephemeralWaitMs);
    }
    return deadline;
  }

  /** The whole budget of the epoch at `now`, or `undefined` where nothing is limited. */
  quota(now: number): BudgetQuota | undefined {
    return this.#quota(now, ({ used }) => used);
  }

  /** The same, with what `origin` alone has used: no origin learns from it what others do. */
  shareOf(origin: string, now: number): BudgetQuota | undefined {
    return this.#quota(now, ({ usedBy }) => usedBy[origin] ?? 0);
  }

  #quota(now: number, used: (budget: BudgetRow) => number): BudgetQuota | undefined {
    if (!this.#config.enabled) return undefined;
    const limit = this.#config.messagesPerEpoch;
    const budget = this.#budgetAt(now);
    return { limit, remaining: Math.max(0, limit - used(budget)), resetsAt: endOf(budget) };
  }

  /** RLN derives the epoch this way (17/WAKU2-RLN-RELAY); the same clock gives every client the same epochs. */
  #epoch(now: number): number {
    return Math.floor(now / 1000 / this.#config.epochSeconds);
  }

  #budgetAt(now: number): BudgetRow {
    const stored = this.#budget.get(BUDGET) ?? NOTHING;
    const { epochSeconds } = this.#config;
    const epoch = this.#epoch(now);
    const ended = now >= endOf(stored);
    if (ended) return { ...stored, epoch, epochSeconds, used: 0, usedBy: {} };
    // A clock that was set back must not refill the budget, and no more must another period.
    return this.#isOfOurEpochs(stored, now) ? stored : { ...stored, epoch, epochSeconds };
  }

  /**
   * Counted by our period, and at most in the epoch after this one, as where a clock is set right by seconds. One from a
   * clock that was far ahead would hold everything back until that date.
   */
  #isOfOurEpochs({ epoch, epochSeconds }: BudgetRow, now: number): boolean {
    return epochSeconds === this.#config.epochSeconds && epoch <= this.#epoch(now) + 1;
  }

  /** The period is another one, or the clock was wrong: what was used counts in the running epoch, and ends with it. */
  #countInOurEpoch(now: number): void {
    const stored = this.#budget.get(BUDGET);
    if (!this.#config.enabled || !stored || this.#isOfOurEpochs(stored, now)) return;
    this.#budget.put(BUDGET, this.#budgetAt(now));
  }

  *#takeAll(): Generator<QueuedMessage> {
    for (const [key, message] of this.#inOrder()) {
      this.#queue.delete(key);
      yield message;
    }
  }

  #refuseStaleEphemerals(now: number): QueuedMessage[] {
    if (!this.#config.enabled) return [];
    const refused: QueuedMessage[] = [];
    for (const [key, message] of this.#inOrder()) {
      if (!mayGoStale(message)) continue;
      if (now - message.enqueuedAt <= LIMITS.rateLimit.ephemeralWaitMs) continue;
      this.#queue.delete(key);
      refused.push(message);
    }
    return refused;
  }

  #inOrder(): [number, QueuedMessage][] {
    return [...this.#queue.entries()].sort(([a], [b]) => a - b);
  }

  /** Round-robin over origins, beginning after the one whose turn was last; segments before everything else. */
  *#turns(lastOrigin: string, mayGo: (message: QueuedMessage) => boolean): Generator<[number, QueuedMessage], void> {
    const waiting = this.#inOrder().filter(([, message]) => mayGo(message));
    for (const segments of [true, false]) {
      const byOrigin = new Map<string, [number, QueuedMessage][]>();
      for (const item of waiting) {
        if ((item[1].owner.kind === "segment") !== segments) continue;
        const line = byOrigin.get(item[1].origin);
        if (line) line.push(item);
        else byOrigin.set(item[1].origin, [item]);
      }
      const origins = [...byOrigin.keys()].sort();
      const lines = [...origins.filter((o) => o > lastOrigin), ...origins.filter((o) => o <= lastOrigin)].map((o) =>
        (byOrigin.get(o) ?? []).values(),
      );
      while (lines.length > 0) {
        const line = lines.shift();
        const item = line?.next();
        if (line === undefined || item === undefined || item.done) continue;
        yield item.value;
        lines.push(line);
      }
    }
  }
}

/** Whether somebody is told that it waited too long: nobody asked for a synchronisation or a repair. */
function mayGoStale({ ephemeral, owner }: QueuedMessage): boolean {
  return ephemeral && owner.kind === "segment";
}

/** One string per channel; a newline cannot stand in an origin. */
function nameOf({ origin, channelId }: Channel): string {
  return `${origin}\n${channelId}`;
}

/** One string for each thing that upkeep sends. */
function upkeepName(kind: UpkeepKind, messageId = ""): string {
  return `${kind} ${messageId}`;
}

/** Milliseconds since the Unix epoch at which the epoch of the budget is over. */
function endOf({ epoch, epochSeconds }: BudgetRow): number {
  return (epoch + 1) * epochSeconds * 1000;
}
