import { beforeEach, describe, expect, test, vi } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { utf8 } from "../../../src/common/bytes.ts";
import { ok } from "../../../src/common/result.ts";
import { LIMITS } from "../../../src/limits.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { FakeRoom } from "../../support/fake-room.ts";
import { passTime } from "../../support/passing-time.ts";
import { ORIGIN, Peer, TOPIC } from "../../support/peer.ts";

// A log that tests fill with few messages, and days of ten minutes.
vi.mock("../../../src/limits.ts", async (original) => {
  const { LIMITS } = await original<typeof import("../../../src/limits.ts")>();
  const { intake } = LIMITS;
  const short = (ms: number) => ms / 144;
  return {
    LIMITS: {
      ...LIMITS,
      eventLog: { events: 6, bytes: 1_000, trimEvents: 2 },
      intake: {
        ...intake,
        unattendedMs: short(intake.unattendedMs),
        attendedStepMs: short(intake.attendedStepMs),
        lookBackMs: short(intake.lookBackMs),
      },
    },
  };
});

const SECOND = 1000;
const DAY = LIMITS.intake.unattendedMs / 30;

let clock: VirtualClock;
let network: FakeNetwork;
let alice: Peer;
let bob: Peer;

/** Alice's page handles everything at once. */
async function send(payload: string, channelId = "room"): Promise<void> {
  await alice.send(payload, channelId);
  await network.settle();
  await handle(alice, channelId);
}

async function handle(peer: Peer, channelId = "room"): Promise<void> {
  await peer.channel(channelId).acknowledge((await peer.log(channelId)).at(-1)?.seq ?? 0);
  await network.settle();
}

const pass = (ms: number) => passTime(clock, () => network.settle(), ms);

const paused = (peer: Peer, channelId = "room") => peer.channel(channelId).summary().paused;

beforeEach(async () => {
  clock = new VirtualClock();
  network = new FakeNetwork(clock);
  alice = await Peer.start("alice", network);
  bob = await Peer.start("bob", network);
  for (const peer of [alice, bob]) await peer.open();
});

describe("a log that no page handles", () => {
  test("takes in no more events than its bound, and everything once they are handled", async () => {
    for (let i = 1; i <= 9; i++) await send(`${i}`);
    expect(await bob.received()).toEqual(["1", "2", "3", "4", "5", "6"]);
    expect(paused(bob)).toBe("log-full");
    expect(bob.channel().status().health).toBe("NOT_SUBSCRIBED");
    await handle(bob);
    expect(paused(bob)).toBeUndefined();
    expect((await bob.received()).slice(-3)).toEqual(["7", "8", "9"]);
    expect(bob.channel().status().health).toBe("SUFFICIENTLY_HEALTHY");
  });

  test("takes in no more bytes than its bound", async () => {
    for (const letter of ["a", "b", "c", "d"]) await send(letter.repeat(400));
    expect((await bob.received()).map((text) => text[0])).toEqual(["a", "b", "c"]);
    await handle(bob);
    expect((await bob.received()).at(-1)?.[0]).toBe("d");
  });

  test("goes on only once half of its room is free, as that costs a look in the stores", async () => {
    for (let i = 1; i <= 8; i++) await send(`${i}`);
    await bob.channel().acknowledge(3);
    await network.settle();
    expect(paused(bob)).toBe("log-full");
    await send("9");
    expect(await bob.received()).toHaveLength(6);
    await bob.channel().acknowledge(4);
    await network.settle();
    expect((await bob.received()).slice(-3)).toEqual(["7", "8", "9"]);
  });

  test("is known to be full after a restart, and goes on after another one that came in between", async () => {
    for (let i = 1; i <= 8; i++) await send(`${i}`);
    await bob.restart();
    expect(paused(bob)).toBe("log-full");
    // The worker dies after the page handled everything and before anything was fetched again.
    bob.messaging.rewind = () => new Promise(() => {});
    void bob.channel().acknowledge(6);
    await clock.settle();
    await bob.restart();
    await network.settle();
    expect((await bob.received()).slice(-2)).toEqual(["7", "8"]);
  });

  test("gives up nothing while it is full, and reports what it skipped neither as lost nor twice", async () => {
    for (let i = 1; i <= 8; i++) await send(`${i}`);
    await pass(2 * LIMITS.sds.lostAfterMs);
    await handle(bob);
    await pass(2 * LIMITS.sds.lostAfterMs);
    const types = (await bob.log()).map(({ type }) => type);
    expect(types).not.toContain("reliable:message:lost");
    expect((await bob.received()).slice(-2)).toEqual(["7", "8"]);
  });

  test("does not hold up another channel on its topic", async () => {
    for (const peer of [alice, bob]) await peer.open("kitchen");
    for (let i = 1; i <= 8; i++) await send(`${i}`);
    for (let i = 1; i <= 3; i++) await send(`tea ${i}`, "kitchen");
    expect(await bob.received("kitchen")).toEqual(["tea 1", "tea 2", "tea 3"]);
    expect(paused(bob, "kitchen")).toBeUndefined();
  });

  test("forgets handled events beyond its bounds, the oldest first", async () => {
    for (let i = 1; i <= 20; i++) {
      await send(`${i}`);
      await handle(bob);
    }
    const kept = await bob.received();
    expect(kept.length).toBeLessThanOrEqual(LIMITS.eventLog.events);
    expect(kept.length).toBeGreaterThanOrEqual(LIMITS.eventLog.events - LIMITS.eventLog.trimEvents);
    expect(kept.at(-1)).toBe("20");
    await bob.restart();
    for (const letter of ["a", "b", "c"]) {
      await send(letter.repeat(450));
      await handle(bob);
    }
    expect((await bob.received()).map((text) => text[0])).toEqual(["b", "c"]);
  });

  test("fetches again what it skipped while it was about to be fetched again, also where there is room by then", async () => {
    for (let i = 1; i <= 8; i++) await send(`${i}`);
    const { messaging } = bob;
    const rewind = messaging.rewind.bind(messaging);
    const rewound = Promise.withResolvers<void>();
    const asked: number[] = [];
    messaging.rewind = (topic, to) => {
      asked.push(to);
      return asked.length === 1 ? rewound.promise : rewind(topic, to);
    };
    const acknowledged = bob.channel().acknowledge(6);
    await clock.settle();
    expect(asked).toHaveLength(1);
    for (let i = 1; i <= 6; i++) await bob.send(`from bob ${i}`);
    await network.settle();
    await handle(alice);
    expect(paused(bob)).toBe("log-full");
    await send("9");
    await handle(bob);
    rewound.resolve();
    await acknowledged;
    await network.settle();
    expect(asked).toHaveLength(2);
    expect((await bob.received()).slice(-3)).toEqual(["7", "8", "9"]);
  });

  test("a message that carries an absurd timestamp makes nobody search the whole past", async () => {
    for (let i = 1; i <= 6; i++) await send(`${i}`);
    const captured = network.stored.at(-1);
    if (captured === undefined) throw new Error("nothing was sent");
    const asked: number[] = [];
    const rewind = bob.messaging.rewind.bind(bob.messaging);
    bob.messaging.rewind = (topic, to) => {
      asked.push(to);
      return rewind(topic, to);
    };
    await network.inject({ ...captured, timestamp: 1, messageHash: "ab".repeat(32) });
    await handle(bob);
    expect(asked).toEqual([clock.now() - LIMITS.intake.lookBackMs]);
  });
});

describe("storage that is full", () => {
  const room = new FakeRoom();
  const statuses = (peer: Peer) =>
    peer.notices.flatMap(({ notice }) => (notice.type === "status" ? [notice.status.health] : []));

  beforeEach(async () => {
    room.clear();
    await bob.kill();
    bob = await Peer.start("bob", network, { room });
    await bob.open();
    await network.settle();
  });

  test("takes nothing in on any channel, and everything once there is room", async () => {
    for (const peer of [alice, bob]) await peer.open("kitchen");
    await send("1");
    room.fill();
    for (const channelId of ["room", "kitchen"]) await send("2", channelId);
    expect([await bob.received(), await bob.received("kitchen")]).toEqual([["1"], []]);
    expect([paused(bob), paused(bob, "kitchen")]).toEqual(["storage-full", "storage-full"]);
    room.clear();
    await network.settle();
    expect([await bob.received(), await bob.received("kitchen")]).toEqual([["1", "2"], ["2"]]);
    expect([paused(bob), paused(bob, "kitchen")]).toEqual([undefined, undefined]);
  });

  test("tells pages when it begins and when it ends", async () => {
    bob.notices = [];
    room.fill();
    await network.settle();
    expect(statuses(bob)).toEqual(["NOT_SUBSCRIBED"]);
    room.clear();
    await network.settle();
    expect(statuses(bob)).toEqual(["NOT_SUBSCRIBED", "SUFFICIENTLY_HEALTHY"]);
  });

  test("refuses to send, and says what helps, but sends what was accepted", async () => {
    alice = await Peer.start("alice", network, { room });
    await alice.open();
    const key = { origin: ORIGIN, channelId: "room" };
    const options = { idempotencyKey: "once" };
    const accepted = await alice.manager.send(key, utf8("accepted"), options);
    room.fill();
    expect(await alice.manager.send(key, utf8("too much"))).toMatchObject({
      error: { kind: "limit", message: expect.stringContaining("delete channels") },
    });
    // Nothing more is stored for it.
    expect(await alice.manager.send(key, utf8("accepted"), options)).toEqual(accepted);
    await network.settle();
    expect((await alice.log()).map(({ type }) => type)).toContain("reliable:message:sent");
    expect(alice.channel().status().pending).toBe(0);
    room.clear();
    expect((await alice.manager.send(key, utf8("again"))).ok).toBe(true);
  });

  test("keeps nobody from handling what came, from closing and from deleting", async () => {
    await send("1");
    await bob.open("kitchen");
    room.fill();
    await handle(bob);
    expect(bob.channel().acknowledged()).toBe(1);
    expect(await bob.manager.closeChannel({ origin: ORIGIN, channelId: "kitchen" }, "user")).toEqual(ok(undefined));
    expect(await bob.manager.deleteChannel({ origin: ORIGIN, channelId: "kitchen" })).toEqual(ok(undefined));
    expect(bob.manager.summaries()).toHaveLength(1);
  });

  test("gives up nothing, and reports what it skipped neither as lost nor twice", async () => {
    await send("1");
    room.fill();
    await send("2");
    await send("3");
    await pass(2 * LIMITS.sds.lostAfterMs);
    room.clear();
    await network.settle();
    await pass(2 * LIMITS.sds.lostAfterMs);
    expect((await bob.log()).map(({ type }) => type)).not.toContain("reliable:message:lost");
    expect(await bob.received()).toEqual(["1", "2", "3"]);
  });

  test("is found full by a restart, and what came before it has room again", async () => {
    room.fill();
    await send("meanwhile");
    await bob.restart();
    await network.settle();
    expect([paused(bob), await bob.received()]).toEqual(["storage-full", []]);
    room.clear();
    await network.settle();
    expect(await bob.received()).toEqual(["meanwhile"]);
  });

  test("leaves a channel alone that is suspended, or whose log is full all the same", async () => {
    for (let i = 1; i <= 8; i++) await send(`${i}`);
    room.fill();
    expect(paused(bob)).toBe("storage-full");
    room.clear();
    await network.settle();
    expect(paused(bob)).toBe("log-full");
    await handle(bob);
    expect((await bob.received()).slice(-2)).toEqual(["7", "8"]);
    await clock.advance(31 * DAY);
    room.fill();
    expect(paused(bob)).toBe("unattended");
  });

  test("says nothing to an engine that was stopped", async () => {
    const { manager } = bob;
    await manager.stop();
    const commits = bob.storage.commits;
    room.fill();
    await clock.settle();
    expect(bob.storage.commits).toBe(commits);
  });
});

test("a channel that is deleted while its page acknowledges is gone, and nothing fails", async () => {
  await send("1");
  const { key } = bob.channel();
  const acknowledged = bob.channel().acknowledge(1);
  await bob.manager.deleteChannel(key);
  await expect(acknowledged).resolves.toBeUndefined();
});

describe("a channel that comes to a topic on which another one is open", () => {
  const KEY = { origin: ORIGIN, channelId: "room" };

  /** How often Bob was told of each message. */
  function told(): Map<string, number> {
    const times = new Map<string, number>();
    bob.messaging.beforeTell = (event) => {
      if (event.type !== "received") return;
      const { messageHash } = event.message;
      times.set(messageHash, (times.get(messageHash) ?? 0) + 1);
    };
    return times;
  }

  test("has what came in the 24 hours before it was made, though the other one had been told of it", async () => {
    bob = await Peer.start("bob", network);
    await bob.open("kitchen");
    await send("lately");
    await alice.kill();
    await pass(60 * SECOND);
    const asked: number[] = [];
    const rewind = bob.messaging.rewind.bind(bob.messaging);
    bob.messaging.rewind = (topic, to) => {
      asked.push(clock.now() - to);
      return rewind(topic, to);
    };
    await bob.open("room");
    await network.settle();
    expect(asked).toEqual([LIMITS.messaging.catchUpNewTopicMs]);
    expect(await bob.received()).toEqual(["lately"]);
    expect(await bob.log("kitchen")).toEqual([]);
  });

  test("has what came while it was closed", async () => {
    await bob.open("kitchen");
    await send("before");
    await bob.manager.closeChannel(KEY, "page");
    await send("meanwhile");
    await alice.kill();
    await pass(60 * SECOND);
    await bob.open();
    await network.settle();
    expect(await bob.received()).toEqual(["before", "meanwhile"]);
  });

  test("has it too if it is closed again before it was fetched, and if the worker dies then", async () => {
    await bob.open("kitchen");
    await bob.manager.closeChannel(KEY, "page");
    await send("meanwhile");
    await alice.kill();
    bob.messaging.rewind = () => new Promise(() => {});
    await bob.open();
    await bob.manager.closeChannel(KEY, "page");
    await bob.restart();
    await bob.open();
    await network.settle();
    expect(await bob.received()).toEqual(["meanwhile"]);
  });

  test("may be deleted while it is about to be fetched, and all the others go on", async () => {
    await bob.open("kitchen");
    const rewound = Promise.withResolvers<void>();
    bob.messaging.rewind = () => rewound.promise;
    await bob.open("garden");
    await bob.manager.deleteChannel({ ...KEY, channelId: "garden" });
    rewound.resolve();
    await network.settle();
    await send("still here");
    expect(await bob.received()).toEqual(["still here"]);
    await bob.send("and sending");
    await network.settle();
    expect(await alice.received()).toEqual(["and sending"]);
  });

  test("is told of each message once where it is alone on its topic", async () => {
    await bob.manager.closeChannel(KEY, "page");
    await send("meanwhile");
    await alice.kill();
    const times = told();
    await bob.open();
    await network.settle();
    await pass(60 * SECOND);
    expect(await bob.received()).toEqual(["meanwhile"]);
    expect([...times.values()].every((count) => count === 1)).toBe(true);
  });
});

describe("a channel that no page asks for", () => {
  const attach = () =>
    bob.manager.attach({ origin: ORIGIN, channelId: "room", contentTopic: TOPIC, encryption: "none" });

  test("is suspended after 30 days, and has everything once a page asks for it", async () => {
    await send("before");
    await bob.kill();
    await clock.advance(31 * DAY);
    await bob.restart();
    await network.settle();
    expect(paused(bob)).toBe("unattended");
    expect([...bob.mailbox.topics]).toEqual([]);
    await send("meanwhile");
    await pass(60 * SECOND);
    expect(await bob.received()).toEqual(["before"]);
    expect((await attach()).ok).toBe(true);
    await network.settle();
    expect(paused(bob)).toBeUndefined();
    expect(await bob.received()).toEqual(["before", "meanwhile"]);
  });

  test("is suspended while it runs, too, and what another channel's topic brings is skipped", async () => {
    await bob.open("kitchen");
    await clock.advance(20 * DAY);
    // A page handles something of the other channel: that one is in use.
    await bob.manager.attach({ origin: ORIGIN, channelId: "kitchen", contentTopic: TOPIC, encryption: "none" });
    await clock.advance(11 * DAY);
    expect(paused(bob)).toBe("unattended");
    expect(paused(bob, "kitchen")).toBeUndefined();
    expect([...bob.mailbox.topics]).toEqual([TOPIC]);
    await send("meanwhile");
    expect(await bob.received()).toEqual([]);
    await attach();
    await network.settle();
    expect(await bob.received()).toEqual(["meanwhile"]);
  });

  test("is in use as long as a page holds it, however quiet it is", async () => {
    bob.manager.heldBy(() => [{ origin: ORIGIN, channelId: "room" }]);
    await clock.advance(62 * DAY + LIMITS.forgetEveryMs);
    expect(paused(bob)).toBeUndefined();
    await send("after two quiet months");
    expect(await bob.received()).toEqual(["after two quiet months"]);
  });

  test("is in use again when a page that held it comes back", async () => {
    await bob.kill();
    await clock.advance(31 * DAY);
    await bob.restart();
    await send("meanwhile");
    expect(paused(bob)).toBe("unattended");
    bob.manager.attended({ origin: ORIGIN, channelId: "room" });
    await network.settle();
    expect(await bob.received()).toEqual(["meanwhile"]);
  });

  test("is in use as long as its page sends or handles what came", async () => {
    for (let day = 0; day < 62; day += 20) {
      await clock.advance(20 * DAY);
      await bob.send(`day ${day}`);
      await network.settle();
      await handle(bob);
    }
    expect(paused(bob)).toBeUndefined();
  });
});
