/**
 * The order in which members received. LIP-109 orders the log by Lamport time and id, and only once everything is there;
 * what a member is told as it arrives is in causal order. That is partial: of two messages whose senders knew nothing of
 * each other's, one member may receive this one first, and another member that one.
 */
import type { SimulationRun } from "./simulation.ts";

/** Where in a member's events the messages are that it received, by their place in the run. */
export type Places = ReadonlyMap<number, number>;

export function placesOf({ messages, members }: SimulationRun, member: number): Places {
  const byFirstId = new Map(messages.map(({ messageIds }, index) => [messageIds[0] ?? "", index]));
  const places = new Map<number, number>();
  for (const [place, event] of (members[member]?.events ?? []).entries()) {
    const index = event.type === "received" ? byFirstId.get(event.messageId) : undefined;
    if (index !== undefined && !places.has(index)) places.set(index, place);
  }
  return places;
}

/** Of each message what it depends on, one bit for each message of the run: all that its sender had, and all that that had. */
export function ancestorsOf(run: SimulationRun): readonly bigint[] {
  const ancestors: bigint[] = [];
  const known = run.members.map((_, member) => {
    const received = [...placesOf(run, member)].sort(([, a], [, b]) => a - b);
    return { received, taken: 0, set: 0n };
  });
  for (const [index, { sender, after }] of run.messages.entries()) {
    const own = known[sender];
    if (own === undefined) continue;
    for (; own.taken < own.received.length; own.taken++) {
      const [cause, place] = own.received[own.taken] ?? [];
      if (cause === undefined || place === undefined || place >= after) break;
      own.set |= (ancestors[cause] ?? 0n) | (1n << BigInt(cause));
    }
    ancestors.push(own.set);
    own.set |= 1n << BigInt(index);
  }
  return ancestors;
}

export interface ConcurrentOrder {
  /** Pairs of messages of which neither depends on the other, and that two members or more received both. */
  readonly pairs: number;
  /** Those that all who received both received in the same order. */
  readonly alike: number;
}

/** The two senders are no part of it: each has its own message first, so those always differ. */
export function concurrentOrder(run: SimulationRun): ConcurrentOrder {
  const ancestors = ancestorsOf(run);
  const places = run.members.map((_, member) => placesOf(run, member));
  let [pairs, alike] = [0, 0];
  for (let later = 0; later < run.messages.length; later++) {
    for (let earlier = 0; earlier < later; earlier++) {
      const isConcurrent = ((ancestors[later] ?? 0n) & (1n << BigInt(earlier))) === 0n;
      if (!isConcurrent) continue;
      const orders = places.flatMap((of) => {
        const [a, b] = [of.get(earlier), of.get(later)];
        return a === undefined || b === undefined ? [] : [a < b];
      });
      if (orders.length < 2) continue;
      pairs++;
      if (orders.every((order) => order === orders[0])) alike++;
    }
  }
  return { pairs, alike };
}
