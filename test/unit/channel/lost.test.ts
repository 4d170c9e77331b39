/** One `lost` for each message that never comes, however many segments it has, and none for what comes after all. */
import { beforeEach, describe, expect, test, vi } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { LIMITS } from "../../../src/limits.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { passTime } from "../../support/passing-time.ts";
import { Peer } from "../../support/peer.ts";

vi.mock("../../../src/limits.ts", async (original) => {
  const { LIMITS } = await original<typeof import("../../../src/limits.ts")>();
  return { LIMITS: { ...LIMITS, segmentation: { ...LIMITS.segmentation, segmentBytes: 256 } } };
});

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const LOST = "reliable:message:lost";

let clock: VirtualClock;
let network: FakeNetwork;
let alice: Peer;
let bob: Peer;

beforeEach(async () => {
  clock = new VirtualClock();
  network = new FakeNetwork(clock);
  alice = await Peer.start("alice", network);
  bob = await Peer.start("bob", network);
  await alice.open();
  await bob.open();
  await network.settle();
});

const pass = (ms: number) => passTime(clock, () => network.settle(), ms);

/** What alice sends in order, her worker dead after it: nobody repairs what does not arrive. */
async function wires(payloads: readonly (string | Uint8Array<ArrayBuffer>)[]) {
  alice.messaging.automatic = false;
  const groups = [];
  for (const payload of payloads) {
    const before = alice.mailbox.tasks.length;
    await alice.send(payload);
    await network.settle();
    groups.push(alice.mailbox.tasks.slice(before).map(({ message }) => message));
    await clock.advance(SECOND);
  }
  await alice.kill();
  return groups;
}

async function arrive(messages: readonly ({ readonly messageHash: string } | undefined)[]): Promise<void> {
  for (const message of messages) {
    const task = alice.mailbox.tasks.find((each) => each.message.messageHash === message?.messageHash);
    if (task === undefined) throw new Error("no such message");
    bob.messaging.push(task.message);
    await network.settle();
  }
}

function payload(seed: number, segments: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: 128 * (segments - 1) + 50 }, (_, i) => (i * 31 + seed) & 0xff);
}

async function lostIds(): Promise<string[]> {
  return (await bob.log()).flatMap((event) => (event.type === LOST ? [event.messageId] : []));
}

const SEGMENTS = 4;

describe.each([
  ["the first", [1, 2, 3]],
  ["one in the middle", [0, 1, 3]],
  ["two in the middle", [0, 3]],
  ["the last", [0, 1, 2]],
  ["the last two", [0, 1]],
  ["all but the last", [3]],
  ["all but the first", [0]],
  ["the first and the last", [1, 2]],
  ["all", []],
] as const)("of a message in several segments, %s never came", (_, arrived) => {
  test("it is reported lost once, and what comes after it is delivered", async () => {
    const [before = [], cut = [], after = []] = await wires(["before", payload(7, SEGMENTS), "after"]);
    expect(cut.length).toBe(SEGMENTS);
    await arrive([...before, ...arrived.map((slot) => cut[slot]), ...after]);
    await pass(2 * LIMITS.sds.lostAfterMs);
    expect((await lostIds()).length).toBe(1);
    expect(await bob.received()).toEqual(["before", "after"]);
  });

  test("also where the receiver is restarted in between", async () => {
    const [before = [], cut = [], after = []] = await wires(["before", payload(7, SEGMENTS), "after"]);
    await arrive([...before, ...arrived.map((slot) => cut[slot]), ...after]);
    await pass(LIMITS.segmentation.setIdleMs + 30 * SECOND);
    await bob.restart();
    await pass(2 * LIMITS.sds.lostAfterMs);
    expect((await lostIds()).length).toBe(1);
    expect(await bob.received()).toEqual(["before", "after"]);
  });
});

test("two lost messages are two losses, whatever they are made of", async () => {
  const [first = [], one = [], two = [], after = []] = await wires([
    "first",
    payload(1, SEGMENTS),
    payload(2, SEGMENTS),
    "after",
  ]);
  await arrive([...first, ...one.slice(0, 2), ...two.slice(0, 3), ...after]);
  await pass(2 * LIMITS.sds.lostAfterMs);
  expect((await lostIds()).length).toBe(2);
});

test("a single message that is lost beside a cut one has a loss of its own", async () => {
  const [cut = [], single = [], after = []] = await wires([payload(3, SEGMENTS), "single", "after"]);
  await arrive([...cut.slice(0, 3), ...after]);
  await pass(2 * LIMITS.sds.lostAfterMs);
  expect(single.length).toBe(1);
  expect((await lostIds()).length).toBe(2);
});

test("a message that was reported lost and arrives late is delivered", async () => {
  const [before = [], single = [], after = []] = await wires(["before", "single", "after"]);
  await arrive([...before, ...after]);
  await pass(LIMITS.sds.lostAfterMs + MINUTE);
  expect((await lostIds()).length).toBe(1);
  await arrive(single);
  expect(await bob.received()).toEqual(["before", "after", "single"]);
  await pass(2 * LIMITS.sds.lostAfterMs);
  expect((await lostIds()).length).toBe(1);
});

test("a segment that comes before its message is given up completes it, and nothing is lost", async () => {
  const [cut = [], after = []] = await wires([payload(9, SEGMENTS), "after"]);
  await arrive([...cut.slice(1), ...after]);
  await pass(LIMITS.sds.lostAfterMs - 10 * SECOND);
  await arrive(cut.slice(0, 1));
  await pass(2 * LIMITS.sds.lostAfterMs);
  expect(await lostIds()).toEqual([]);
  expect((await bob.received()).length).toBe(2);
});

/** SDS gives a segment up while others still come, so that the rest of its message is kept. */
describe.each([
  ["the first", 0],
  ["one in the middle", 1],
  ["the last", 3],
] as const)("of a message that is still held, %s is given up", (_, missing) => {
  async function giveUp() {
    const [cut = [], after = []] = await wires([payload(5, SEGMENTS), "after"]);
    const slots = [0, 1, 2, 3].filter((slot) => slot !== missing);
    const [early, late] = [slots.slice(0, -1), slots.slice(-1)];
    await arrive([...early.map((slot) => cut[slot]), ...after]);
    await pass(LIMITS.sds.lostAfterMs - 20 * SECOND);
    await arrive(late.map((slot) => cut[slot]));
    await pass(40 * SECOND);
    return cut[missing];
  }

  async function told(): Promise<string[]> {
    return (await bob.log()).map(({ type }) => type.replace("reliable:message:", ""));
  }

  test("its loss is told before what waited for it, and only once", async () => {
    await giveUp();
    expect(await told()).toEqual(["lost", "received"]);
    await bob.restart();
    await pass(2 * LIMITS.sds.lostAfterMs);
    expect(await told()).toEqual(["lost", "received"]);
  });

  test("and it is delivered late if it is completed after all", async () => {
    const late = await giveUp();
    await bob.restart();
    await arrive([late]);
    await pass(2 * LIMITS.sds.lostAfterMs);
    expect(await told()).toEqual(["lost", "received", "received"]);
    const [lost, , completed] = await bob.log();
    expect(completed).toMatchObject({ messageId: lost !== undefined && "messageId" in lost && lost.messageId });
  });
});
