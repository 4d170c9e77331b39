/**
 * The shell around the protocol core: runs one event as one transaction, and its effects after the commit.
 *
 * Nothing here waits for the network inside a transaction, and nothing outside is told before what it is told is durable.
 */
import type { Clock } from "../common/clock.ts";
import type { Journal } from "../common/table.ts";
import type { Transactor } from "../common/transactor.ts";
import { LIMITS } from "../limits.ts";
import type { QueuedMessage, RateLimitManager } from "../rate-limit/rate-limit-manager.ts";
import type { MessagingClient, Storage, StorageRoom } from "./ports.ts";
import type { ChannelKey, ChannelListener, ChannelNotice } from "./types.ts";

/** Where chance comes from; tests put a seeded source in its place. */
export interface Chance {
  /** A fresh identifier: 128 random bits as a UUID. */
  newId(): string;
  /** Uniform in [0, 1). */
  random(): number;
  /** What a clock of milliseconds does not tell of the time: 0 to 999,999. */
  nanoseconds(): number;
}

export const systemChance: Chance = {
  newId: () => crypto.randomUUID(),
  random,
  nanoseconds: () => Math.floor(random() * 1_000_000),
};

function random(): number {
  return (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32;
}

/** Storage of which nobody says how full it is. */
export const ENDLESS_ROOM: StorageRoom = { isFull: () => false, listen: () => () => {} };

/** What the shell needs of a channel. */
export interface ShellMember {
  readonly key: ChannelKey;
  /** What the rate limiter let go would only wait in the outbox for now. */
  readonly holdsOutgoing: boolean;
  /** Inside a transaction: the rate limiter let this message go. */
  onReleased(message: QueuedMessage, now: number): void;
  /** Inside a transaction: the rate limiter will not let this message go any more. */
  onRefused(message: QueuedMessage): void;
  /** After a commit: something may be ready to be dispatched. */
  onReadyToSend(): void;
  /** Something that waits may be able to go on. */
  resume(): void;
  /** Inside a transaction: time passed. */
  onTick(now: number): void;
  /** Milliseconds since the Unix epoch at which `onTick` has something to do. */
  nextDeadline(): number | undefined;
}

export interface ShellParts {
  readonly journal: Journal;
  readonly transactor: Transactor;
  readonly storage: Storage;
  readonly room: StorageRoom;
  readonly messaging: MessagingClient;
  readonly rateLimit: RateLimitManager;
  readonly clock: Clock;
  readonly chance: Chance;
}

export class Shell {
  readonly parts: ShellParts;
  readonly #members = new Map<string, ShellMember>();
  readonly #listeners = new Set<ChannelListener>();
  #notices: [ChannelKey, ChannelNotice][] = [];
  #timer: { readonly at: number; readonly cancel: () => void } | undefined;
  /** Milliseconds since the Unix epoch before which no timer fires. */
  #quietUntil = 0;
  #stopped = false;

  constructor(parts: ShellParts) {
    this.parts = parts;
  }

  add(member: ShellMember): void {
    this.#members.set(nameOf(member.key), member);
  }

  remove(key: ChannelKey): void {
    this.#members.delete(nameOf(key));
  }

  listen(listener: ChannelListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Inside a transaction: to be told once it is committed. */
  tell(key: ChannelKey, notice: ChannelNotice): void {
    this.#notices.push([key, notice]);
  }

  /** What is in memory only: there is no commit to wait for. */
  tellNow(key: ChannelKey, notice: ChannelNotice): void {
    for (const listener of this.#listeners) listener(key, notice);
  }

  /** One event, one transaction: what it decides, what the rate limiter then lets go, and after the commit the effects. */
  async transact<T>(event: (now: number) => T): Promise<T> {
    const touched = new Set<ShellMember>();
    let notices: readonly [ChannelKey, ChannelNotice][] = [];
    const result = await this.parts.transactor.run(() => {
      const now = this.parts.clock.now();
      this.#notices = [];
      const value = event(now);
      this.#release(now, touched);
      notices = this.#notices;
      return value;
    });
    for (const [key, notice] of notices) this.tellNow(key, notice);
    for (const member of touched) member.onReadyToSend();
    this.arm();
    return result;
  }

  /** Resolves when everything that events have changed so far is durable. */
  async durable(): Promise<void> {
    await this.parts.transactor.run(() => {});
  }

  /** Sleeps until something is due. */
  arm(): void {
    if (this.#stopped) return;
    const now = this.parts.clock.now();
    let due = now + LIMITS.shell.longestSleepMs;
    for (const member of this.#members.values()) due = Math.min(due, member.nextDeadline() ?? due);
    due = Math.max(now + 1, this.#quietUntil, Math.min(due, this.parts.rateLimit.nextDeadline(now) ?? due));
    if (this.#timer && this.#timer.at <= due && this.#timer.at >= now) return;
    this.#timer?.cancel();
    const cancel = this.parts.clock.after(due - now, () => void this.#onTimer());
    this.#timer = { at: due, cancel };
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** Everything that is due, in one transaction. */
  async tick(): Promise<void> {
    await this.transact((now) => {
      for (const member of this.#members.values()) {
        if ((member.nextDeadline() ?? Number.POSITIVE_INFINITY) <= now) member.onTick(now);
      }
    });
  }

  async #onTimer(): Promise<void> {
    this.#timer = undefined;
    if (this.#stopped) return;
    try {
      await this.tick().catch(() => this.#tickApart());
    } catch {
      // A broken transactor has told its owner, who starts again from storage; this shell is then at its end.
      this.stop();
    }
    // What could not be read when its turn came still waits.
    if (!this.#stopped) for (const member of this.#members.values()) member.resume();
  }

  /** Something choked on what is due. Whatever it is must not hold up the others, nor be tried again at once. */
  async #tickApart(): Promise<void> {
    for (const member of this.#members.values()) {
      const ticked = this.transact((now) => {
        this.#quietUntil = now + LIMITS.shell.pauseMs;
        member.onTick(now);
      });
      await ticked.catch((thrown) => {
        if (this.parts.transactor.broken) throw thrown;
      });
    }
    this.arm();
  }

  #release(now: number, touched: Set<ShellMember>): void {
    const { rateLimit, messaging } = this.parts;
    const mayGo = (message: QueuedMessage) =>
      messaging.peers().lightpush > 0 && !this.#members.get(nameOf(message))?.holdsOutgoing;
    const { ready, refused } = rateLimit.release(now, mayGo);
    for (const message of ready) {
      const member = this.#members.get(nameOf(message));
      member?.onReleased(message, now);
      if (member) touched.add(member);
    }
    for (const message of refused) this.#members.get(nameOf(message))?.onRefused(message);
  }
}

/** One string per channel; a newline cannot stand in an origin. */
export function nameOf(key: ChannelKey): string {
  return `${key.origin}\n${key.channelId}`;
}
