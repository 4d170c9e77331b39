/**
 * How many segments SDS gave up in each slot of a set, by slot. It gives each up once, so what comes twice is of two
 * messages: as many losses were told of the set as the most frequent slot counts.
 */
export type GivenUpCounts = readonly number[];

export const NONE_GIVEN_UP: GivenUpCounts = [];

export function oneMore(counts: GivenUpCounts, slot: number): GivenUpCounts {
  const length = Math.max(counts.length, slot + 1);
  return Array.from({ length }, (_, each) => (counts[each] ?? 0) + (each === slot ? 1 : 0));
}

/** What was given up of the other messages of a set, one of which is complete. */
export function oneLessEach(counts: GivenUpCounts): GivenUpCounts {
  return counts.map((count) => Math.max(0, count - 1));
}

/** Losses told of a set's messages. */
export function lossesOf(counts: GivenUpCounts): number {
  return Math.max(0, ...counts);
}
