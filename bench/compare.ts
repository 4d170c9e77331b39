/**
 * Two ways to do the same thing, measured side by side in one run.
 *
 * A shared machine has fast and slow moments. So the two take turns in short rounds, and what is told is the median of
 * the rounds: of each one's time, and of the ratio within a round, in which both met about the same moment.
 */

/** Does the thing `times` times, timed; returns nothing, or what to wait for. */
export type Work = (times: number) => void | Promise<void>;

export interface Contender {
  /** Before each round, not timed: makes what the round uses up, and returns the work on it. */
  readonly prepare: (times: number) => Work | Promise<Work>;
  /** How often a round does the thing. */
  readonly times: number;
}

export interface Comparison {
  /** Microseconds for doing it once, the medians. */
  readonly ours: number;
  readonly peer: number;
  /** How often ours fits into the peer's time: the median of the rounds. */
  readonly ratio: number;
}

/** Milliseconds of rounds that do not count, in which the engine compiles, and how many rounds these are at least. */
const WARM_UP_MS = 1_000;
const WARM_UP_ROUNDS = 2;
/** Milliseconds of rounds that count, and how many these are at least: of short ones many, as a moment disturbs each. */
const MEASURED_MS = 2_000;
const MEASURED_ROUNDS = 7;

export async function compare(ours: Contender, peer: Contender): Promise<Comparison> {
  const times: { readonly ours: number; readonly peer: number }[] = [];
  await repeat(WARM_UP_MS, WARM_UP_ROUNDS, async () => {
    await timed(ours);
    await timed(peer);
  });
  await repeat(MEASURED_MS, MEASURED_ROUNDS, async (round) => {
    // Whoever comes second may find the caches warm or the heap full: the order alternates.
    const first = round % 2 === 0;
    const early = await timed(first ? ours : peer);
    const late = await timed(first ? peer : ours);
    times.push(first ? { ours: early, peer: late } : { ours: late, peer: early });
  });
  return {
    ours: median(times.map((round) => round.ours)),
    peer: median(times.map((round) => round.peer)),
    ratio: median(times.map((round) => round.peer / round.ours)),
  };
}

async function repeat(leastMs: number, least: number, once: (round: number) => Promise<unknown>): Promise<void> {
  const end = performance.now() + leastMs;
  for (let round = 0; round < least || performance.now() < end; round++) await once(round);
}

async function timed({ prepare, times }: Contender): Promise<number> {
  const work = await prepare(times);
  // What preparing left behind is not collected at the cost of the work.
  globalThis.gc?.({ type: "minor" });
  const before = performance.now();
  await work(times);
  return ((performance.now() - before) * 1000) / times;
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor((sorted.length - 1) / 2);
  const upper = Math.ceil((sorted.length - 1) / 2);
  return ((sorted[middle] ?? Number.NaN) + (sorted[upper] ?? Number.NaN)) / 2;
}
