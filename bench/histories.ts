/** What a message costs after histories of different lengths, ours beside the peer's. */
import { type Contender, compare } from "./compare.ts";
import { HISTORIES } from "./history.ts";
import { atLeast, type Row } from "./row.ts";
import { PEER } from "./waku-sds.ts";

/** Messages of a round: few enough that neither allocates so much that the system has to find memory for it meanwhile. */
const OUR_TIMES = 50;
const PEER_TIMES: Readonly<Record<number, number>> = { 0: 50, 1000: 10, 10000: 4, 100000: 2 };
const GOALS: Readonly<Record<number, number>> = { 0: 5, 1000: 5, 10000: 5, 100000: 300 };
/** How much more the longest history may cost than the one of 1,000 messages. */
const FLATNESS = 1.2;
/** Messages of a round there: what is forgotten a hundred at once is forgotten in every round. */
const FLATNESS_TIMES = 125;
/** Rounds there until both sides begin anew: so the one of 1,000 messages never has more than 2,000. */
const FLATNESS_ROUNDS = 8;

/**
 * What each side does to one message: returns the work of a round, on participants that have this history. They keep what
 * the rounds add to it, for so many rounds; then there are new ones.
 */
export type Side = (history: number, rounds?: number) => Contender["prepare"];

export async function historyRows(what: string, ours: Side, peer: Side): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const history of HISTORIES) {
    const compared = await compare(
      { times: OUR_TIMES, prepare: ours(history) },
      { times: PEER_TIMES[history] ?? 1, prepare: peer(history) },
    );
    rows.push({
      what: `${what}, 1 KiB, history ${history.toLocaleString("en")}`,
      ours: compared.ours,
      unit: "µs",
      peer: { name: PEER, value: compared.peer },
      ...atLeast(compared.ratio, GOALS[history] ?? 1),
    });
  }
  const [short, long] = [1_000, 100_000].map((history) => ({
    times: FLATNESS_TIMES,
    prepare: ours(history, FLATNESS_ROUNDS),
  }));
  if (short === undefined || long === undefined) return rows;
  const flatness = await compare(short, long);
  rows.push({
    what: `${what} at history 100,000, against 1,000`,
    ours: flatness.peer,
    unit: "µs",
    peer: { name: "ours at 1,000", value: flatness.ours },
    ratio: flatness.ratio,
    goal: `≤ ${FLATNESS}×`,
    met: flatness.ratio <= FLATNESS,
  });
  return rows;
}

/**
 * The participants of a round: one that has the history, and is the same for so many rounds; or a new one for each message
 * without any.
 */
export function participants<P>(
  history: number,
  make: () => P,
  rounds = Number.POSITIVE_INFINITY,
): (times: number) => readonly P[] {
  if (history === 0) return (times) => Array.from({ length: times }, make);
  let lasting = make();
  let round = 0;
  return (times) => {
    if (round === rounds) {
      lasting = make();
      round = 0;
      // What the last ones left behind is not collected at the cost of a round.
      globalThis.gc?.();
    }
    round++;
    return Array<P>(times).fill(lasting);
  };
}
