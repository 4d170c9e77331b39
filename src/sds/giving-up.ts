import type { CausalDelivery } from "./causal-delivery.ts";
import { factsOfLost } from "./lost-facts.ts";
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
    const { incoming, meta, seen } = this.#state;
    // All of them are still missing while what is known of each is put together.
    const known = factsOfLost(this.#state, messageIds);
    for (const [messageId, { mayPredateUs, facts, followers }] of known) {
      const { wholeUntil: _, ...told } = facts;
      if (!mayPredateUs) outcome.lost.push({ messageId, reason, ...told, followers });
    }
    incoming.giveUp(new Set(messageIds), meta.nextSequence());
    for (const [messageId, { facts }] of known) seen.lose(messageId, facts);
    this.#delivery.first(outcome);
  }
}
