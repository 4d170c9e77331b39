/** Orders of events in which a crash would lose or double something, one by one. */
import { beforeEach, expect, test } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { ok } from "../../../src/common/result.ts";
import { LIMITS } from "../../../src/limits.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { ORIGIN, Peer } from "../../support/peer.ts";

const SECOND = 1000;

let clock: VirtualClock;
let network: FakeNetwork;

beforeEach(() => {
  clock = new VirtualClock();
  network = new FakeNetwork(clock);
});

function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

test("nothing is dispatched before the transaction that decided it is durable, also while others are dispatched", async () => {
  const alice = await Peer.start("alice", network);
  await alice.open();
  const dispatch = gate();
  alice.messaging.onSend = async () => {
    await dispatch.opened;
    return ok(undefined);
  };
  await alice.send("one");
  const recorded = gate();
  const second = gate();
  alice.storage.beforeCommit = () => recorded.opened;
  dispatch.open();
  await clock.settle();
  // The record of the first dispatch is being committed; what comes now is committed after it.
  const sending = alice.send("two");
  await clock.settle();
  alice.storage.beforeCommit = () => second.opened;
  recorded.open();
  await clock.settle();
  expect(alice.mailbox.tasks).toHaveLength(1);
  second.open();
  const requestId = await sending;
  await network.settle();
  expect(alice.mailbox.tasks).toHaveLength(2);
  expect(await alice.outcomes(requestId)).toEqual(["sent"]);
});

test("an outcome that is told before its identifier is known is not lost", async () => {
  const alice = await Peer.start("alice", network);
  await alice.open();
  // The messaging layer has the task, and its outcome; the record of the hand-over is lost with the worker.
  alice.storage.beforeCommit = () => {
    if (alice.mailbox.tasks.length > 0) throw new Error("killed");
  };
  const requestId = await alice.send("one");
  await clock.settle();
  const [task] = alice.mailbox.tasks;
  if (task) task.state = "sent";
  alice.storage.beforeCommit = () => {};
  await alice.restart();
  await network.settle();
  expect(alice.mailbox.tasks).toHaveLength(1);
  expect(await alice.outcomes(requestId)).toEqual(["sent"]);
});

test("C04 what a closed channel had begun to receive waits for it, however long it is closed", async () => {
  const payload = new Uint8Array(250_000).fill(5);
  const alice = await Peer.start("alice", network);
  await alice.open();
  alice.messaging.automatic = false;
  await alice.send(payload);
  await network.settle();
  const segments = alice.mailbox.tasks.map(({ message }) => message);
  await alice.kill();
  const bob = await Peer.start("bob", network);
  await bob.open();
  const [first, second, third] = segments;
  if (!first || !second || !third) throw new Error("too few segments");
  for (const segment of [first, second]) await network.inject(segment);
  await bob.manager.closeChannel({ origin: ORIGIN, channelId: "room" }, "page");
  await clock.advance(2 * LIMITS.segmentation.setIdleMs);
  await bob.open();
  await clock.advance(SECOND);
  await network.inject(third);
  expect(await bob.log()).toMatchObject([{ type: "reliable:message:received", message: payload }]);
});

test("a retry that fails again is not retransmitted either, and pages hear of the first failure only", async () => {
  const alice = await Peer.start("alice", network);
  alice.messaging.automatic = false;
  await alice.open();
  const requestId = await alice.send("unwanted");
  await network.settle();
  await alice.messaging.fail(0, "refused");
  await alice.channel().retry(requestId);
  await network.settle();
  await alice.messaging.propagate(1);
  await alice.messaging.fail(1, "refused again");
  for (let seconds = 0; seconds < 25; seconds++) {
    await clock.advance(SECOND);
    await network.settle();
  }
  expect(alice.mailbox.tasks).toHaveLength(2);
  expect(await alice.outcomes(requestId)).toEqual(["send-error"]);
  expect(alice.channel().request(requestId)?.error).toContain("refused again");
});
