import type { Namer } from "./incoming-buffer.ts";
import type { Follower } from "./outcome.ts";
import type { SdsState } from "./state.ts";
import type { LostFacts } from "./tables.ts";

/** What is known of a message about to be given up, and who waits for it. */
export interface KnownOfLost {
  readonly mayPredateUs: boolean;
  readonly facts: LostFacts;
  readonly followers: readonly Follower[];
}

/**
 * What is known of missing messages, in the order given. What names them may be many messages with long histories, which
 * name many of them: each history is read once.
 */
export function factsOfLost(state: SdsState, messageIds: readonly string[]): ReadonlyMap<string, KnownOfLost> {
  return new LostFactsOf(state, messageIds).known;
}

interface Draft extends KnownOfLost {
  facts: LostFacts;
  readonly followers: Follower[];
}

/** The sender of a message, and the least Lamport time that it has. */
interface Timed {
  readonly senderId: string | undefined;
  readonly least: number;
}

class LostFactsOf {
  readonly known = new Map<string, Draft>();
  readonly #state: SdsState;
  readonly #times = new Map<string, Timed | undefined>();

  constructor(state: SdsState, messageIds: readonly string[]) {
    this.#state = state;
    const { incoming } = state;
    for (const messageId of messageIds) {
      const row = incoming.missing(messageId);
      if (row === undefined) continue;
      const { senderId, before, mayPredateUs } = row;
      const wholeUntil = senderId === undefined ? 0 : this.#wholeUntil(senderId);
      const sender = senderId === undefined ? {} : { senderId };
      this.known.set(messageId, {
        mayPredateUs,
        facts: { ...sender, before, since: wholeUntil, wholeUntil },
        followers: [],
      });
    }
    for (const namer of incoming.namersOf(this.known.keys())) this.#read(namer);
  }

  /**
   * Lamport times that missing messages are younger than, as far as one that names them tells. Each is younger than those
   * of its sender that stand before it in that history. And a message names the one of its sender right before it, so if
   * that is a missing one, it is younger than every other one that is here and older.
   */
  #read({ messageId, row, names }: Namer): void {
    const { incoming, log } = this.#state;
    const { senderId, lamport, history } = row;
    const newest = new Map<string, number>();
    let rightBefore: string | undefined;
    for (const [place, id] of history.entries()) {
      if (names.has(id)) {
        const lost = this.known.get(id);
        const its = lost?.facts.senderId;
        if (its === undefined || its === senderId) {
          lost?.followers.push({ messageId, distance: history.length - place });
        }
        if (its !== undefined) this.#isYounger(id, newest.get(its));
      }
      const timed = this.#timed(id);
      if (timed?.senderId === undefined) continue;
      newest.set(timed.senderId, Math.max(newest.get(timed.senderId) ?? 0, timed.least));
      if (timed.senderId === senderId) rightBefore = id;
    }
    if (rightBefore === undefined || !names.has(rightBefore)) return;
    this.#isYounger(rightBefore, incoming.newestOf(senderId, lamport));
    this.#isYounger(rightBefore, log.newestOf(senderId, lamport));
  }

  #isYounger(messageId: string, than: number | undefined): void {
    const lost = this.known.get(messageId);
    if (lost && than !== undefined && than > lost.facts.since) lost.facts = { ...lost.facts, since: than };
  }

  #timed(messageId: string): Timed | undefined {
    if (!this.#times.has(messageId)) this.#times.set(messageId, this.#timeOf(messageId));
    return this.#times.get(messageId);
  }

  #timeOf(messageId: string): Timed | undefined {
    const { incoming, log, seen } = this.#state;
    const here = incoming.get(messageId) ?? log.get(messageId);
    if (here) return { senderId: here.senderId, least: here.lamport };
    const lost = seen.lost(messageId);
    if (lost) return { senderId: lost.senderId, least: lost.since + 1 };
    const senderId = incoming.missing(messageId)?.senderId;
    return senderId === undefined ? undefined : { senderId, least: this.#wholeUntil(senderId) + 1 };
  }

  /**
   * Lamport time up to which all messages of a sender are here: each names the one before it, so a delivered one has all
   * that its sender sent earlier before it, unless one of these was given up.
   */
  #wholeUntil(senderId: string): number {
    const { log, seen } = this.#state;
    return Math.min(log.newestOf(senderId) ?? 0, seen.wholeUntil(senderId));
  }
}
