/** The epoch budget (LIP-173) as channels use it. */
import { beforeEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { Peer } from "../../support/peer.ts";

const SECOND = 1000;
const EPOCH_SECONDS = 600;
const EPOCH_MS = EPOCH_SECONDS * SECOND;
const MESSAGES_PER_EPOCH = 2;

let clock: VirtualClock;
let network: FakeNetwork;
let alice: Peer;

async function pass(ms: number): Promise<void> {
  for (const end = clock.now() + ms; clock.now() < end; ) {
    await clock.advance(Math.min(end, Math.max(clock.now() + 1, clock.next ?? end)) - clock.now());
    await network.settle();
  }
}

beforeEach(async () => {
  // At the beginning of an epoch.
  clock = new VirtualClock(3_000_000 * EPOCH_MS);
  network = new FakeNetwork(clock);
  alice = await Peer.start("alice", network, {
    rateLimit: { enabled: true, epochSeconds: EPOCH_SECONDS, messagesPerEpoch: MESSAGES_PER_EPOCH },
  });
  await alice.open();
});

describe("what waits for the next epoch", () => {
  test("is slept through: a retransmission that waits wakes nothing", async () => {
    let ticks = 0;
    const after = clock.after.bind(clock);
    clock.after = (delayMs, callback) =>
      after(delayMs, () => {
        ticks++;
        callback();
      });
    for (let i = 0; i < MESSAGES_PER_EPOCH; i++) await alice.send(`${i}`);
    // Nobody acknowledges them, so they are to be retransmitted, after what stands in a store as ephemeral ones.
    await pass(60 * SECOND);
    ticks = 0;
    for (let second = 0; second < 60 && ticks < 60; second++) await pass(SECOND);
    expect(ticks).toBeLessThan(20);
  });
});
