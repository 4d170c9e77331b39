/** SDS: one message of 1 KiB wrapped and encoded, after histories of different lengths. */
import { type Contender, compare } from "../compare.ts";
import { HISTORIES } from "../history.ts";
import { OurParticipant } from "../our-sds.ts";
import { atLeast, type Row } from "../row.ts";
import { PEER, WakuParticipant } from "../waku-sds.ts";

const OUR_TIMES = 200;
const PEER_TIMES: Readonly<Record<number, number>> = { 0: 20, 1000: 10, 10000: 4, 100000: 2 };
const GOALS: Readonly<Record<number, number>> = { 0: 5, 1000: 5, 10000: 5, 100000: 300 };
/** How much more the longest history may cost than the one of 1,000 messages. */
const FLATNESS = 1.2;

export async function rows(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const history of HISTORIES) {
    const { ours, peer, ratio } = await compare(ourWrap(history), peerWrap(history));
    rows.push({
      what: `SDS wrap + encode, 1 KiB, history ${history.toLocaleString("en")}`,
      ours,
      unit: "µs",
      peer: { name: PEER, value: peer },
      ...atLeast(ratio, GOALS[history] ?? 1),
    });
  }
  const { ours, peer, ratio } = await compare(ourWrap(1_000), ourWrap(100_000));
  rows.push({
    what: "SDS wrap at history 100,000, against 1,000",
    ours: peer,
    unit: "µs",
    peer: { name: "ours at 1,000", value: ours },
    ratio,
    goal: `≤ ${FLATNESS}×`,
    met: ratio <= FLATNESS,
  });
  return rows;
}

function ourWrap(history: number): Contender {
  const lasting = new OurParticipant("alice", history);
  return {
    times: OUR_TIMES,
    prepare(times) {
      const participants =
        history > 0 ? [lasting] : Array.from({ length: times }, () => new OurParticipant("alice", 0));
      const contents = differentContents(times);
      return () => {
        for (const [at, content] of contents.entries()) participants[at % participants.length]?.send(content);
      };
    },
  };
}

function peerWrap(history: number): Contender {
  const lasting = new WakuParticipant("alice", history);
  return {
    times: PEER_TIMES[history] ?? 1,
    prepare(times) {
      const participants =
        history > 0 ? [lasting] : Array.from({ length: times }, () => new WakuParticipant("alice", 0));
      const contents = differentContents(times);
      return async () => {
        for (const [at, content] of contents.entries()) await participants[at % participants.length]?.send(content);
      };
    },
  };
}

let made = 0;

/** The peer derives ids from contents alone, so that equal ones would be one message. */
function differentContents(count: number): readonly Uint8Array[] {
  return Array.from({ length: count }, () => {
    const content = new Uint8Array(1024);
    new DataView(content.buffer).setUint32(0, made++);
    return content;
  });
}
