/** SDS: what a message of another member means for each unacknowledged message of ours, where it acknowledges none. */
import { SyncMessage } from "@waku/sds";
import { DefaultBloomFilter } from "../../node_modules/@waku/sds/dist/bloom_filter/bloom.js";
import { type Contender, compare } from "../compare.ts";
import { historyId } from "../history.ts";
import { CHANNEL, OurParticipant } from "../our-sds.ts";
import { atMost, type Row } from "../row.ts";
import { FILTER_OPTIONS, PEER, WakuParticipant } from "../waku-sds.ts";

const UNACKNOWLEDGED = 1_000;
const OUR_TIMES = 50;
const PEER_TIMES = 2;
const CONTENT = new Uint8Array(10);

export async function rows(): Promise<readonly Row[]> {
  const { ours, peer, ratio } = await compare(ourReview(UNACKNOWLEDGED), await peerReview());
  return [
    {
      what: `SDS ack review, per message of ${UNACKNOWLEDGED.toLocaleString("en")} unacknowledged`,
      ours: ours / UNACKNOWLEDGED,
      unit: "µs",
      peer: { name: PEER, value: peer / UNACKNOWLEDGED },
      ratio,
      ...atMost(ours / UNACKNOWLEDGED, 0.2, "µs"),
    },
  ];
}

/** The whole receiving of a message whose filter holds others' messages. */
function ourReview(unacknowledged: number): Contender {
  const alice = new OurParticipant("alice", 0);
  for (let i = 0; i < unacknowledged; i++) alice.send(CONTENT);
  // Its filter summarises what carol wrote, and nothing of alice.
  const bob = new OurParticipant("bob", 0);
  const carol = new OurParticipant("carol", 0);
  return {
    times: OUR_TIMES,
    prepare(times) {
      for (let i = 0; i < 4; i++) {
        const wire = carol.send(CONTENT);
        bob.receive(wire);
        alice.receive(wire);
      }
      const wires = Array.from({ length: times }, () => bob.send(CONTENT));
      return () => {
        for (const wire of wires) {
          const { acknowledged, delivered } = alice.receive(wire);
          // Now and then a filter hits by chance; more would be another review than the one that is measured.
          if (acknowledged.length > 2 || delivered.length !== 1) throw new Error("It acknowledged");
        }
      };
    },
  };
}

async function peerReview(): Promise<Contender> {
  const alice = new WakuParticipant("alice", 0);
  // Sent once each, so that all of them are in the outgoing buffer.
  for (let i = 0; i < UNACKNOWLEDGED; i++) await alice.send(new TextEncoder().encode(`message ${i}`));
  const filter = new DefaultBloomFilter(FILTER_OPTIONS);
  for (let i = 0; i < 8; i++) filter.insert(historyId(i));
  const bytes = filter.toBytes();
  let made = 0;
  return {
    times: PEER_TIMES,
    prepare(times) {
      const wires = Array.from({ length: times }, () =>
        new SyncMessage(`sync ${made++}`, CHANNEL, "bob", [], BigInt(Date.now()), bytes, undefined).encode(),
      );
      return async () => {
        for (const wire of wires) await alice.receive(wire);
      };
    },
  };
}
