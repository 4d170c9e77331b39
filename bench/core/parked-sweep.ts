/** SDS: messages that wait for a dependency. Looking after them, and letting them go when it comes. */
import { MessageChannelEvent } from "@waku/sds";
import { nimLayout } from "../../src/sds/nim-layout.ts";
import { type Contender, compare } from "../compare.ts";
import { historyId } from "../history.ts";
import { CHANNEL, NOW, OurParticipant } from "../our-sds.ts";
import { atLeast, atMost, type Row } from "../row.ts";
import { PEER, WakuParticipant, wakuMessage } from "../waku-sds.ts";

const PARKED = 1_000;
const CONTENT = new Uint8Array(100).fill(7);
const LAMPORT = BigInt(Math.floor(NOW / nimLayout.lamportUnitMs));

export async function rows(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const history of [0, 1_000]) {
    const { ours, peer, ratio } = await compare(ourSweep(history), await peerSweep(history));
    rows.push({
      what: `SDS sweep of 1,000 parked, history ${history.toLocaleString("en")}`,
      ours: ours / 1000,
      unit: "ms",
      peer: { name: PEER, value: peer / 1000 },
      ratio,
      ...atMost(ours / 1000, 1, "ms"),
      note: "nothing is due: ours looks at the earliest deadlines, the peer at every message",
    });
  }
  const released = await compare(ourRelease(PARKED), peerRelease(PARKED));
  rows.push({
    what: "SDS release of 1,000 parked",
    ours: released.ours / 1000,
    unit: "ms",
    peer: { name: PEER, value: released.peer / 1000 },
    ...atLeast(released.ratio, 5),
    note: "each is delivered and enters the log",
  });
  const { ours: half, peer: whole, ratio } = await compare(ourRelease(PARKED / 2), ourRelease(PARKED));
  rows.push({
    what: "SDS release of 1,000 parked, against 500",
    ours: whole / 1000,
    unit: "ms",
    peer: { name: "ours of 500", value: half / 1000 },
    ratio,
    goal: "≤ 2.4×",
    met: ratio <= 2.4,
    note: "linear would be 2×",
  });
  return rows;
}

/** A message of `bob` that names these. */
function naming(messageId: string, dependencies: readonly string[]): Uint8Array {
  return nimLayout.encode({
    senderId: "bob",
    messageId,
    channelId: CHANNEL,
    lamportTimestamp: LAMPORT,
    causalHistory: dependencies.map((id) => ({ messageId: id })),
    bloomFilter: new Uint8Array(0),
    content: CONTENT,
    repairRequest: [],
  });
}

function ourSweep(history: number): Contender {
  const alice = new OurParticipant("alice", history);
  for (let i = 0; i < PARKED; i++) alice.receive(naming(`parked ${i}`, [`missing ${i}`]));
  return {
    times: 200,
    prepare: () => (times) => {
      for (let i = 0; i < times; i++) alice.sweep();
    },
  };
}

async function peerSweep(history: number): Promise<Contender> {
  const alice = new WakuParticipant("alice", history);
  for (let i = 0; i < PARKED; i++) {
    await alice.receive(wakuMessage(`parked ${i}`, 0, [`missing ${i}`], CONTENT));
  }
  return {
    times: 2,
    prepare: () => (times) => {
      for (let i = 0; i < times; i++) alice.channel.sweepIncomingBuffer();
    },
  };
}

/** The same at the peer, which looks for what it can release in its sweep. */
function peerRelease(parked: number): Contender {
  return {
    times: 1,
    async prepare() {
      const alice = new WakuParticipant("alice", 0);
      let delivered = 0;
      alice.channel.addEventListener(MessageChannelEvent.InMessageDelivered, () => delivered++);
      const missing = historyId(0);
      for (let i = 1; i <= parked; i++) await alice.receive(wakuMessage(historyId(i), 0, [missing], CONTENT));
      const wire = wakuMessage(missing, 0, [], CONTENT);
      return async () => {
        await alice.receive(wire);
        alice.channel.sweepIncomingBuffer();
        if (delivered !== parked + 1) throw new Error(`${delivered} were delivered by ${PEER}`);
      };
    },
  };
}

/** The one dependency of all that are parked arrives. */
function ourRelease(parked: number): Contender {
  return {
    times: 1,
    prepare() {
      const alice = new OurParticipant("alice", 0);
      const missing = historyId(0);
      for (let i = 1; i <= parked; i++) alice.receive(naming(historyId(i), [missing]));
      const wire = naming(missing, []);
      return () => {
        const { delivered } = alice.receive(wire);
        if (delivered.length !== parked + 1) throw new Error(`${delivered.length} were delivered`);
      };
    },
  };
}
