import type { OutcomeDraft } from "./outcome.ts";
import type { SdsState } from "./state.ts";
import type { IncomingRow } from "./tables.ts";

/** A message on its way into the log. */
export interface Entering {
  readonly messageId: string;
  readonly senderId: string;
  readonly lamport: number;
  readonly history: readonly string[];
  readonly hash?: string;
  /** A part of a longer message, other than the last. */
  readonly inner?: true;
}

/** A message that was parked. */
type Released = IncomingRow & Entering;

/** LIP-109, deliver message: once its dependencies are met, and then what waited for it. */
export class CausalDelivery {
  readonly #state: SdsState;

  constructor(state: SdsState) {
    this.#state = state;
  }

  deliver(message: Entering, outcome: OutcomeDraft): void {
    const { seen, log } = this.#state;
    const { messageId, senderId, lamport, history, hash, inner } = message;
    if (this.#isLate(messageId, lamport)) outcome.late.push(messageId);
    seen.add(messageId, "content");
    seen.pass(history);
    const row = { lamport, senderId, ...(hash === undefined ? {} : { hash }) };
    if (inner) log.addInner(messageId, row, history);
    else log.add(messageId, row, history);
    outcome.delivered.push(messageId);
  }

  /** A dependency is met: delivers what waited for it only, and what waited for that, in causal order. */
  met(messageId: string, outcome: OutcomeDraft): void {
    const released = this.#released(messageId);
    if (released.length > 0) this.#flow(released, outcome);
  }

  /** Delivers what waited for nothing but what was given up, or for what is earlier, and nothing earlier is left. */
  first(outcome: OutcomeDraft): void {
    this.#flow(this.#first(), outcome);
  }

  /** Delivers these, the last one first, and what waited for them. */
  #flow(released: Released[], outcome: OutcomeDraft): void {
    const { incoming } = this.#state;
    let ready = released;
    try {
      for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
        this.deliver(next, outcome);
        incoming.delivered(next.messageId);
        const more = this.#released(next.messageId);
        if (more.length > 0) ready = inOrder([...ready, ...more]);
      }
    } finally {
      incoming.endDelivery();
    }
  }

  /** Messages that waited for nothing but this one; parked no more. The earliest is last, where `pop` takes it. */
  #released(dependency: string): Released[] {
    const free = this.#state.incoming.takeFree(dependency).map(toReleased);
    return free.length === 0 ? free : inOrder([...free, ...this.#first()]);
  }

  #first(): Released[] {
    return inOrder(this.#state.incoming.takeFirst().map(toReleased));
  }

  /**
   * Whether something that depends on this message may have been delivered before it. On the causal path between the two
   * is then a message that was delivered without the one before it, which was given up. That one is this message, or this
   * message leads to it, and so is older than all that names it: Lamport time ascends along every causal path.
   */
  #isLate(messageId: string, lamport: number): boolean {
    const { seen } = this.#state;
    return seen.kindOf(messageId) === "lost" || lamport < seen.passedUntil;
  }
}

function toReleased([messageId, row]: readonly [messageId: string, row: IncomingRow]): Released {
  return { messageId, ...row };
}

/** By Lamport timestamp and id, the earliest last. */
function inOrder(messages: Released[]): Released[] {
  return messages.sort((a, b) => b.lamport - a.lamport || (a.messageId < b.messageId ? 1 : -1));
}
