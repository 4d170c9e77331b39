/** A message of which a part is here waits for the rest only while that can come: awake, and online. */
import { beforeEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import type { ReceivedMessage } from "../../../src/channel/ports.ts";
import { LIMITS } from "../../../src/limits.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { passTime } from "../../support/passing-time.ts";
import { ORIGIN, Peer } from "../../support/peer.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const { setIdleMs, resumeGraceMs } = LIMITS.segmentation;

let clock: VirtualClock;
let network: FakeNetwork;
let bob: Peer;
/** The second half of a message whose first half bob has. */
let rest: ReceivedMessage;

beforeEach(async () => {
  clock = new VirtualClock();
  network = new FakeNetwork(clock);
  const alice = await Peer.start("alice", network);
  bob = await Peer.start("bob", network);
  await alice.open();
  await bob.open();
  alice.messaging.automatic = false;
  await alice.send(new Uint8Array(150_000).fill(1));
  await network.settle();
  const [first, second] = alice.mailbox.tasks.map(({ message }) => message);
  if (!(first && second)) expect.unreachable();
  rest = second;
  await alice.kill();
  bob.messaging.push(first);
  await network.settle();
});

const pass = (ms: number) => passTime(clock, () => network.settle(), ms);

async function connect(status: "Connected" | "Disconnected"): Promise<void> {
  bob.messaging.status = status;
  await bob.messaging.tell({ type: "health" });
}

/** What bob's page was told, after the rest came. */
async function told(): Promise<readonly string[]> {
  bob.messaging.push(rest);
  await network.settle();
  return (await bob.log()).map(({ type }) => type.replace("reliable:message:", ""));
}

const WAYS = {
  offline: async () => {
    await connect("Disconnected");
    await pass(2 * HOUR);
    await connect("Connected");
  },
  asleep: () => clock.sleep(8 * HOUR),
  "asleep, and offline for a while after it": async () => {
    await clock.sleep(8 * HOUR);
    await connect("Disconnected");
    await pass(MINUTE);
    await connect("Connected");
  },
  "killed, and offline after the next start": async () => {
    await bob.kill();
    await clock.advance(8 * HOUR);
    await bob.restart();
    await connect("Disconnected");
    await pass(HOUR);
    await connect("Connected");
  },
  "killed for less time than it has": async () => {
    await bob.kill();
    await clock.advance(setIdleMs - 3 * MINUTE);
    await bob.restart();
  },
  closed: async () => {
    await bob.manager.closeChannel({ origin: ORIGIN, channelId: "room" }, "page");
    await clock.advance(setIdleMs - 3 * MINUTE);
    await bob.open();
  },
};

describe.each(Object.entries(WAYS))("%s", (_, stand) => {
  test("does not count: the rest may come as long after it as it might have before", async () => {
    await pass(MINUTE);
    await stand();
    await pass(setIdleMs - 5 * MINUTE);
    expect(await told()).toEqual(["received"]);
  });

  test("just before its time is over leaves the time that catching up takes", async () => {
    await pass(setIdleMs - 15 * SECOND);
    await stand();
    await pass(resumeGraceMs - 10 * SECOND);
    expect(await told()).toEqual(["received"]);
  });

  test("does not prolong it for ever", async () => {
    await pass(MINUTE);
    await stand();
    await pass(setIdleMs);
    expect(await told()).toEqual(["lost"]);
  });
});
