import type { CausalDelivery } from "./causal-delivery.ts";
import type { Namer } from "./incoming-buffer.ts";
import type { OutcomeDraft } from "./outcome.ts";
import type { SdsState } from "./state.ts";

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
    const { incoming, seen } = this.#state;
    // All of them are still missing while what is known of each is put together.
    for (const messageId of messageIds) this.#report(messageId, reason, outcome);
    for (const messageId of messageIds) {
      const row = incoming.missing(messageId);
      if (row === undefined) continue;
      const { senderId, before } = row;
      incoming.stopLookingFor(messageId);
      seen.lose(messageId, { before, ...(senderId === undefined ? {} : { senderId }) });
    }
    this.#deliverWithout(messageIds, outcome);
  }

  #report(messageId: string, reason: string, outcome: OutcomeDraft): void {
    const { incoming } = this.#state;
    const row = incoming.missing(messageId);
    if (row === undefined || row.mayPredateUs) return;
    const { senderId, before } = row;
    const namers = incoming.namersOf(messageId);
    const sender = senderId === undefined ? {} : { senderId };
    const since = senderId === undefined ? 0 : Math.max(0, ...namers.map((namer) => this.#sinceOf(senderId, namer)));
    const followers = namers
      .filter((namer) => senderId === undefined || namer.row.senderId === senderId)
      .map((namer) => ({ messageId: namer.messageId, distance: namer.row.history.length - namer.place }));
    outcome.lost.push({ messageId, ...sender, reason, before, since, followers });
  }

  /**
   * With a lost message goes the knowledge of what it depended on. So what waited for it now waits for whatever is parked
   * and earlier in the order of the log, which agrees with the causal one.
   */
  #deliverWithout(messageIds: readonly string[], outcome: OutcomeDraft): void {
    const { incoming } = this.#state;
    const released = this.#delivery.released(messageIds);
    for (let next = released.pop(); next !== undefined; next = released.pop()) {
      const waitsFor = incoming.parkedBefore(next.messageId, next.lamport);
      if (waitsFor.length > 0) {
        const { messageId, ...row } = next;
        incoming.park(messageId, { ...row, waitsFor });
        continue;
      }
      this.#delivery.deliver(next, outcome);
      this.#delivery.met(next.messageId, outcome);
    }
  }

  /**
   * Lamport time up to which messages of its sender precede a missing one, as far as one that names it tells: those that
   * stand before it in that history. And a message of the same sender names the one right before it, so if that is the
   * missing one, every other that is here and older precedes it.
   */
  #sinceOf(senderId: string, { row, place }: Namer): number {
    const { incoming, log } = this.#state;
    const [before, after] = [row.history.slice(0, place), row.history.slice(place + 1)];
    const times = before.flatMap((id) => this.#timeOf(id, senderId) ?? []);
    const isRightBefore = row.senderId === senderId && after.every((id) => this.#timeOf(id, senderId) === undefined);
    if (isRightBefore) {
      times.push(incoming.newestBefore(senderId, row.lamport) ?? 0, log.newestBefore(senderId, row.lamport) ?? 0);
    }
    return Math.max(0, ...times);
  }

  /** Lamport time of a message of this sender; of one that is missing, that of the earliest message that names it. */
  #timeOf(messageId: string, senderId: string): number | undefined {
    const { incoming, log, seen } = this.#state;
    const here = incoming.get(messageId) ?? log.get(messageId);
    const missing = incoming.missing(messageId) ?? seen.lost(messageId);
    if (here?.senderId === senderId) return here.lamport;
    return missing?.senderId === senderId ? missing.before : undefined;
  }
}
