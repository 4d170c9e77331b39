/** The epoch budget (LIP-173) as channels use it. */
import { beforeEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { ORIGIN, Peer } from "../../support/peer.ts";

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

describe("what waits of a channel that is deleted", () => {
  test("goes with it, and is not charged to another one of its name", async () => {
    await alice.open("other");
    for (let i = 0; i < MESSAGES_PER_EPOCH; i++) await alice.send(`${i}`);
    await network.settle();
    const kept = await alice.send("of another channel", "other");
    for (let i = 0; i < 2 * MESSAGES_PER_EPOCH; i++) await alice.send("not to be sent");
    await alice.manager.deleteChannel({ origin: ORIGIN, channelId: "room" });
    const queued = await alice.storage.scan("rateLimitQueue", []);
    expect(queued.map(({ row }) => row)).toMatchObject([{ channelId: "other" }]);

    await alice.open();
    const fresh = await alice.send("the first of a new channel");
    await pass(EPOCH_MS);
    expect(alice.channel("other").request(kept)?.state).toBe("sent");
    expect(alice.channel().request(fresh)?.state).toBe("sent");
    expect(await alice.outcomes(fresh)).toEqual(["sent"]);
  });
});
