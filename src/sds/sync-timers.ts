import type { Meta } from "./meta.ts";
import type { MessageRef } from "./tables.ts";

export interface SyncBounds {
  readonly ackSyncMinMs: number;
  readonly ackSyncMaxMs: number;
  readonly ackSyncGapMs: number;
  readonly ackSyncReferenceGapMs: number;
  readonly syncMs: number;
  readonly syncMaxMs: number;
}

/** When sync messages are due: those that acknowledge, and the periodic ones of LIP-109. All times are awake times. */
export class SyncTimers {
  readonly #meta: Meta;
  readonly #bounds: SyncBounds;

  constructor(meta: Meta, bounds: SyncBounds) {
    this.#meta = meta;
    this.#bounds = bounds;
  }

  /**
   * Content arrived from someone who waits for an acknowledgement. A member with nothing to say answers by a sync message
   * after a random time, for otherwise every message would be sent again.
   *
   * @param newest what another member may acknowledge in our place; absent if the sender asks once more
   * @param random uniform in [0, 1)
   * @param members how many may answer
   */
  oweAcknowledgement(newest: MessageRef | undefined, random: number, members: () => number): void {
    const { ackOwed } = this.#meta.row;
    const dueMs = ackOwed?.dueMs ?? this.#drawAckSync(random, members());
    const replaceable = newest !== undefined && (ackOwed === undefined || ackOwed.newest !== undefined);
    this.#meta.change({ ackOwed: { dueMs, ...(replaceable ? { newest } : {}) } });
  }

  #drawAckSync(random: number, members: number): number {
    const { awakeMs, lastAckSyncMs, referenceMembers } = this.#meta.row;
    const gap = referenceMembers ? this.#bounds.ackSyncReferenceGapMs : this.#bounds.ackSyncGapMs;
    const { ackSyncMinMs, ackSyncMaxMs } = this.#bounds;
    // Everyone draws, and the earliest of many draws is early: with the root of their number the first answer comes about
    // as soon in a large group as in a small one, and silences most others before their turn.
    const latest = ackSyncMaxMs * Math.sqrt(Math.max(1, members));
    const drawn = awakeMs + ackSyncMinMs + random * (latest - ackSyncMinMs);
    return Math.max(drawn, (lastAckSyncMs ?? Number.NEGATIVE_INFINITY) + gap);
  }

  /** `senderId` names `history`: unless it is its own message, it has acknowledged what we were about to. */
  onHistoryHeard(senderId: string, history: readonly string[]): void {
    const newest = this.#meta.row.ackOwed?.newest;
    if (newest && newest.senderId !== senderId && history.includes(newest.messageId)) this.#meta.clear("ackOwed");
  }

  /** A message of ours left: it acknowledges all that we owe, and no sync message that waits is needed any more. */
  onOwnMessage(): void {
    this.#meta.clear("syncWaits");
    this.#meta.clear("ackOwed");
    this.#restart();
  }

  /** Content of others: the conversation is alive. */
  onContentHeard(): void {
    this.#restart();
  }

  /** LIP-109: sync messages only "if no other messages have been broadcast in the channel". */
  onSyncHeard(): void {
    const { sync } = this.#meta.row;
    if (sync) this.#schedule(sync.intervalMs);
  }

  /** One is decided and not made yet. */
  get waits(): boolean {
    return this.#meta.row.syncWaits === true;
  }

  nextDueMs(): number | undefined {
    const { ackOwed, sync } = this.#meta.row;
    if (this.waits) return undefined;
    if (ackOwed === undefined) return sync?.dueMs;
    return sync === undefined ? ackOwed.dueMs : Math.min(ackOwed.dueMs, sync.dueMs);
  }

  /** A sync message is to be sent, as soon as it may go. */
  decide(): void {
    this.#meta.change({ syncWaits: true });
  }

  /** It is not to be sent after all. */
  cancel(): void {
    this.#meta.clear("syncWaits");
  }

  /** It is made: what is due by now, also what fell due while it waited, is done with, and the timers are set anew. */
  onSyncMade(): void {
    const { awakeMs, ackOwed, sync } = this.#meta.row;
    const acknowledges = ackOwed !== undefined && ackOwed.dueMs <= awakeMs;
    const periodic = sync !== undefined && sync.dueMs <= awakeMs;
    this.#meta.clear("syncWaits");
    if (!acknowledges && !periodic) return;
    this.#meta.clear("ackOwed");
    if (acknowledges) this.#meta.change({ lastAckSyncMs: awakeMs });
    const intervalMs = sync?.intervalMs ?? this.#bounds.syncMs;
    this.#schedule(periodic ? Math.min(2 * intervalMs, this.#bounds.syncMaxMs) : intervalMs);
  }

  #restart(): void {
    this.#schedule(this.#bounds.syncMs);
  }

  /** Spread by a quarter to either side, so that members do not speak at once. */
  #schedule(intervalMs: number): void {
    const { awakeMs, jitter } = this.#meta.row;
    this.#meta.change({ sync: { dueMs: awakeMs + intervalMs * (0.75 + jitter / 2), intervalMs } });
  }
}
