import type { SdsTables } from "./tables.ts";

/** What is lost of a sender: by id, up to when its messages were all here; and the least of these, where it is known. */
interface LostOfSender {
  readonly times: Map<string, number>;
  least: number | undefined;
}

/** Up to when all messages of each sender were here, before the first that is lost to this day. Derived from the rows. */
export class WholeTimes {
  /** Under the empty name what is lost of nobody known. */
  readonly #lost = new Map<string, LostOfSender>();

  constructor(seen: SdsTables["seen"]) {
    seen.observe((messageId, before, after) => {
      const [was, is] = [before?.lost, after?.lost];
      if (was?.wholeUntil === is?.wholeUntil && was?.senderId === is?.senderId) return;
      if (was) this.#remove(was.senderId ?? "", messageId);
      if (is) this.#add(is.senderId ?? "", messageId, is.wholeUntil);
    });
  }

  /** Lamport time up to which nothing of this sender is lost; infinite where nothing is. What is of nobody known may be of it. */
  leastOf(senderId: string): number {
    return Math.min(this.#least(senderId), this.#least(""));
  }

  #least(senderId: string): number {
    const lost = this.#lost.get(senderId);
    if (lost === undefined) return Number.POSITIVE_INFINITY;
    if (lost.least === undefined) {
      lost.least = Number.POSITIVE_INFINITY;
      for (const time of lost.times.values()) lost.least = Math.min(lost.least, time);
    }
    return lost.least;
  }

  #add(senderId: string, messageId: string, time: number): void {
    const lost = this.#lost.get(senderId) ?? { times: new Map<string, number>(), least: Number.POSITIVE_INFINITY };
    this.#lost.set(senderId, lost);
    lost.times.set(messageId, time);
    if (lost.least !== undefined) lost.least = Math.min(lost.least, time);
  }

  #remove(senderId: string, messageId: string): void {
    const lost = this.#lost.get(senderId);
    if (lost === undefined) return;
    if (lost.times.get(messageId) === lost.least) lost.least = undefined;
    lost.times.delete(messageId);
    if (lost.times.size === 0) this.#lost.delete(senderId);
  }
}
