/** Heap that each message of the log holds: 1 KiB of content each, received and delivered. */
import { OurParticipant } from "../our-sds.ts";
import { atMost, type Row } from "../row.ts";
import { PEER, WakuParticipant, wakuMessage } from "../waku-sds.ts";

const OUR_MESSAGES = 8_000;
const PEER_MESSAGES = 1_000;
const CONTENT = new Uint8Array(1024).fill(7);

export async function rows(): Promise<readonly Row[]> {
  const alice = new OurParticipant("alice", 0);
  const bob = new OurParticipant("bob", 0);
  // The first ones bring what is there once, whatever the history.
  for (let i = 0; i < 100; i++) alice.receive(bob.send(CONTENT));
  const wires = Array.from({ length: OUR_MESSAGES }, () => bob.send(CONTENT));
  const ours = await growth(OUR_MESSAGES, (i) => {
    const wire = wires[i];
    // A copy, as every message from the network is one of its own.
    if (wire) alice.receive(new Uint8Array(wire));
  });

  const waku = new WakuParticipant("alice", 0);
  const ids = Array.from({ length: PEER_MESSAGES }, (_, i) => `message ${i}`.padEnd(64, "0"));
  const peer = await growth(PEER_MESSAGES, (i) =>
    waku.receive(wakuMessage(ids[i] ?? "", 0, ids.slice(Math.max(0, i - 200), i), CONTENT)),
  );
  return [
    {
      what: "Memory per logged message",
      ours,
      unit: "B",
      peer: { name: PEER, value: peer },
      ratio: peer / ours,
      ...atMost(ours, 600, "B"),
    },
  ];
}

/** Bytes that each of `count` steps leaves behind, on the heap and in buffers. */
async function growth(count: number, step: (index: number) => unknown): Promise<number> {
  const before = await held();
  for (let i = 0; i < count; i++) await step(i);
  return ((await held()) - before) / count;
}

async function held(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
