import type { CausalDelivery } from "./causal-delivery.ts";
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
    const sender = senderId === undefined ? {} : { senderId };
    const since = this.#sinceOf(messageId, senderId);
    const followers = incoming.followersOf(messageId, senderId);
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
   * Lamport time up to which messages of its sender are known to precede a missing one: they stand before it in a causal
   * history. Of one that is missing too, that it is older than what names it is all that is known.
   */
  #sinceOf(messageId: string, senderId: string | undefined): number {
    const { incoming, log, seen } = this.#state;
    let since = 0;
    if (senderId === undefined) return since;
    for (const id of incoming.namedBefore(messageId)) {
      const here = incoming.get(id) ?? log.get(id);
      const missing = incoming.missing(id) ?? seen.lost(id);
      if (here?.senderId === senderId) since = Math.max(since, here.lamport);
      else if (missing?.senderId === senderId) since = Math.max(since, missing.before);
    }
    return since;
  }
}
