import type { CausalDelivery } from "./causal-delivery.ts";
import type { Namer } from "./incoming-buffer.ts";
import type { Lost, OutcomeDraft } from "./outcome.ts";
import type { SdsState } from "./state.ts";
import type { LostFacts } from "./tables.ts";

/**
 * Dependencies that will not come: irretrievably lost, in the words of LIP-109. What waited for them is delivered; if they
 * come after all, they are delivered late.
 *
 * What may be from before our join horizon was never ours to lose. The wire carries no time of a dependency, so that is
 * what messages from before our start name, unless their sender has spoken after the horizon already. What messages since
 * our start name counts as ours.
 */
export class GivingUp {
  readonly #state: SdsState;
  readonly #delivery: CausalDelivery;

  constructor(state: SdsState, delivery: CausalDelivery) {
    this.#state = state;
    this.#delivery = delivery;
  }

  /** What was looked for long enough. */
  overdue(outcome: OutcomeDraft): void {
    const { incoming, clock } = this.#state;
    const overdue = incoming.overdue(clock.ms);
    if (overdue.length > 0) this.#giveUp(overdue, "not found in time", outcome);
  }

  /** Too many wait: what the longest waiting ones wait for is given up. No content is thrown away. */
  boundParked(outcome: OutcomeDraft): void {
    const { incoming, limits } = this.#state;
    while (incoming.size > limits.parkedMessages || incoming.bytes > limits.parkedBytes) {
      const missing = incoming.missingForOldest();
      if (missing.length === 0) return;
      this.#giveUp(missing, "too many messages wait for others", outcome);
    }
  }

  boundMissing(outcome: OutcomeDraft): void {
    const { incoming, limits } = this.#state;
    const excess = incoming.excessMissing(limits.missing);
    if (excess.length > 0) this.#giveUp(excess, "too many messages are missing", outcome);
  }

  #giveUp(messageIds: readonly string[], reason: string, outcome: OutcomeDraft): void {
    const { incoming, meta, seen } = this.#state;
    // All of them are still missing while what is known of each is put together.
    const facts = messageIds.map((messageId) => this.#factsOf(messageId));
    for (const [index, messageId] of messageIds.entries()) {
      const row = incoming.missing(messageId);
      const lost = facts[index];
      if (row === undefined || lost === undefined) continue;
      if (!row.mayPredateUs) outcome.lost.push({ messageId, reason, ...this.#reportOf(messageId, lost) });
    }
    incoming.giveUp(new Set(messageIds), meta.nextSequence());
    for (const [index, messageId] of messageIds.entries()) {
      const lost = facts[index];
      if (lost !== undefined) seen.lose(messageId, lost);
    }
    this.#delivery.first(outcome);
  }

  #reportOf(messageId: string, { senderId, before, since }: LostFacts): Omit<Lost, "messageId" | "reason"> {
    const followers = this.#state.incoming
      .namersOf(messageId)
      .filter((namer) => senderId === undefined || namer.row.senderId === senderId)
      .map((namer) => ({ messageId: namer.messageId, distance: namer.row.history.length - namer.place }));
    return { ...(senderId === undefined ? {} : { senderId }), before, since, followers };
  }

  #factsOf(messageId: string): LostFacts | undefined {
    const { incoming } = this.#state;
    const row = incoming.missing(messageId);
    if (row === undefined) return undefined;
    const { senderId, before } = row;
    if (senderId === undefined) return { before, since: 0, wholeUntil: 0 };
    const wholeUntil = this.#wholeUntil(senderId);
    const since = incoming.namersOf(messageId).map((namer) => this.#sinceOf(senderId, namer));
    return { senderId, before, since: Math.max(wholeUntil, ...since), wholeUntil };
  }

  /**
   * Lamport time up to which all messages of a sender are here: each names the one before it, so a delivered one has all
   * that its sender sent earlier before it, unless one of these was given up.
   */
  #wholeUntil(senderId: string): number {
    const { log, seen } = this.#state;
    return Math.min(log.newestOf(senderId) ?? 0, seen.wholeUntil(senderId));
  }

  /**
   * Lamport time that a missing message is younger than, as far as one that names it tells. It is younger than those of
   * its sender that stand before it in that history. And a message names the one of its sender right before it, so if
   * that is the missing one, it is younger than every other one that is here and older.
   */
  #sinceOf(senderId: string, { row, place }: Namer): number {
    const { incoming, log } = this.#state;
    const [before, after] = [row.history.slice(0, place), row.history.slice(place + 1)];
    const times = before.flatMap((id) => this.#leastTimeOf(id, senderId) ?? []);
    const isRightBefore =
      row.senderId === senderId && after.every((id) => this.#leastTimeOf(id, senderId) === undefined);
    if (isRightBefore) {
      times.push(incoming.newestOf(senderId, row.lamport) ?? 0, log.newestOf(senderId, row.lamport) ?? 0);
    }
    return Math.max(0, ...times);
  }

  /** The least Lamport time that a message has, if it is of this sender. */
  #leastTimeOf(messageId: string, senderId: string): number | undefined {
    const { incoming, log, seen } = this.#state;
    const here = incoming.get(messageId) ?? log.get(messageId);
    if (here) return here.senderId === senderId ? here.lamport : undefined;
    const lost = seen.lost(messageId);
    if (lost) return lost.senderId === senderId ? lost.since + 1 : undefined;
    return incoming.missing(messageId)?.senderId === senderId ? this.#wholeUntil(senderId) + 1 : undefined;
  }
}
