/** SDS: one message of 1 KiB decoded, reviewed and delivered, after histories of different lengths. */
import { type Contender, compare } from "../compare.ts";
import { HISTORIES } from "../history.ts";
import { OurParticipant } from "../our-sds.ts";
import { atLeast, type Row } from "../row.ts";
import { PEER, WakuParticipant, wakuMessage } from "../waku-sds.ts";

const OUR_TIMES = 200;
const PEER_TIMES: Readonly<Record<number, number>> = { 0: 20, 1000: 10, 10000: 4, 100000: 2 };
const GOALS: Readonly<Record<number, number>> = { 0: 5, 1000: 5, 10000: 5, 100000: 300 };
/** How much more the longest history may cost than the one of 1,000 messages. */
const FLATNESS = 1.2;
const CONTENT = new Uint8Array(1024).fill(7);

export async function rows(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const history of HISTORIES) {
    const { ours, peer, ratio } = await compare(ourReceive(history), peerReceive(history));
    rows.push({
      what: `SDS receive, 1 KiB, history ${history.toLocaleString("en")}`,
      ours,
      unit: "µs",
      peer: { name: PEER, value: peer },
      ...atLeast(ratio, GOALS[history] ?? 1),
    });
  }
  const { ours, peer, ratio } = await compare(ourReceive(1_000), ourReceive(100_000));
  rows.push({
    what: "SDS receive at history 100,000, against 1,000",
    ours: peer,
    unit: "µs",
    peer: { name: "ours at 1,000", value: ours },
    ratio,
    goal: `≤ ${FLATNESS}×`,
    met: ratio <= FLATNESS,
  });
  return rows;
}

/** Two participants with the same history, one of which sends. */
function ourReceive(history: number): Contender {
  const sender = new OurParticipant("bob", history);
  const lasting = new OurParticipant("alice", history);
  return {
    times: OUR_TIMES,
    prepare(times) {
      const fresh = history === 0;
      const receivers = fresh ? Array.from({ length: times }, () => new OurParticipant("alice", 0)) : [lasting];
      const wires = Array.from({ length: times }, () => (fresh ? new OurParticipant("bob", 0) : sender).send(CONTENT));
      return () => {
        for (const [at, wire] of wires.entries()) {
          const outcome = receivers[at % receivers.length]?.receive(wire);
          if (outcome?.delivered.length !== 1) throw new Error(`Not delivered: ${outcome?.dropped}`);
        }
      };
    },
  };
}

let made = 0;

function peerReceive(history: number): Contender {
  const lasting = new WakuParticipant("alice", history);
  return {
    times: PEER_TIMES[history] ?? 1,
    prepare(times) {
      const receivers = history > 0 ? [lasting] : Array.from({ length: times }, () => new WakuParticipant("alice", 0));
      const wires = Array.from({ length: times }, () => wakuMessage(`received ${made++}`.padEnd(64, "0"), history));
      return async () => {
        for (const [at, wire] of wires.entries()) await receivers[at % receivers.length]?.receive(wire);
      };
    },
  };
}
