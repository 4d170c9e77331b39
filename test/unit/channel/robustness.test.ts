/** What must not happen when something around the channel fails, or somebody asks for too much. */
import { beforeEach, describe, expect, test, vi } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { utf8 } from "../../../src/common/bytes.ts";
import { ok } from "../../../src/common/result.ts";
import { LIMITS } from "../../../src/limits.ts";
import { RateLimitManager } from "../../../src/rate-limit/rate-limit-manager.ts";
import { Participant } from "../../../src/sds/participant.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { ORIGIN, Peer, TOPIC } from "../../support/peer.ts";

const KEY = { origin: ORIGIN, channelId: "room" };
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

let clock: VirtualClock;
let network: FakeNetwork;

beforeEach(() => {
  clock = new VirtualClock();
  network = new FakeNetwork(clock);
});

async function opened(name: string): Promise<Peer> {
  const peer = await Peer.start(name, network);
  await peer.open();
  await network.settle();
  return peer;
}

describe("what an origin may have under way", () => {
  test("is bounded, and a message that was taken on before is known again all the same", async () => {
    const alice = await opened("alice");
    alice.messaging.automatic = false;
    const first = await alice.manager.send(KEY, utf8("0"), { idempotencyKey: "0" });
    for (let i = 1; i < LIMITS.origin.pendingRequests; i++) await alice.send(`${i}`);
    expect(await alice.manager.send(KEY, utf8("one too many"))).toMatchObject({ ok: false, error: { kind: "limit" } });
    expect(await alice.manager.send(KEY, utf8("0"), { idempotencyKey: "0" })).toEqual(first);
    expect(alice.manager.pendingRequests(ORIGIN)).toBe(LIMITS.origin.pendingRequests);
  });

  test("is bounded for whoever holds the channel itself, and counts closed channels", async () => {
    const alice = await opened("alice");
    alice.messaging.automatic = false;
    for (let i = 0; i < LIMITS.origin.pendingRequests; i++) await alice.send(`${i}`);
    await alice.manager.closeChannel(KEY, "page");
    const other = await alice.open("other");
    expect(await other.send(utf8("x"))).toMatchObject({ ok: false, error: { kind: "limit" } });
    expect(alice.manager.pendingRequests(ORIGIN)).toBe(LIMITS.origin.pendingRequests);
    expect(alice.manager.pendingRequests("https://other.example")).toBe(0);
  });
});

describe("storage that cannot be read for a moment", () => {
  test("fails no segment: it is dispatched later", async () => {
    const alice = await opened("alice");
    const bob = await opened("bob");
    const { storage } = alice;
    const get = storage.get.bind(storage);
    storage.get = async (table, key) => {
      if (table === "sdsWires") throw new Error("the disk is busy");
      return get(table, key);
    };
    const id = await alice.send("patience");
    await network.settle();
    expect(alice.channel().request(id)?.state).toBe("queued");
    storage.get = get;
    await clock.advance(2 * MINUTE);
    await network.settle();
    expect(await alice.outcomes(id)).toContain("sent");
    expect(await bob.received()).toEqual(["patience"]);
  });
});

describe("a message that the core cannot take", () => {
  test("is passed over, so that the ones behind it arrive", async () => {
    const alice = await opened("alice");
    const bob = await opened("bob");
    const { handleIncoming } = Participant.prototype;
    Participant.prototype.handleIncoming = function (...args) {
      // Also when it is fetched from the store, because "bread" depends on it.
      if (Buffer.from(args[0]).includes("poison")) throw new Error("choked");
      return Reflect.apply(handleIncoming, this, args);
    };
    try {
      await alice.send("poison");
      await network.settle();
      await alice.send("bread");
      await network.settle();
    } finally {
      Participant.prototype.handleIncoming = handleIncoming;
    }
    expect(bob.channel().diagnostics().unreadable).toBe(1);
    // It depends on what bob could not take, which is then looked for in the store, and taken.
    await clock.advance(2 * MINUTE);
    await network.settle();
    expect(await bob.received()).toEqual(["poison", "bread"]);
  });

  test("stays where it is while storage fails: nothing that was not stored is passed over", async () => {
    const alice = await opened("alice");
    const bob = await opened("bob");
    bob.storage.beforeCommit = () => {
      throw new Error("disk full");
    };
    await alice.send("keep");
    await expect(network.settle()).rejects.toThrow("disk full");
  });
});

describe("a channel whose timer fails", () => {
  test("does not stop the timers of the others", async () => {
    const alice = await opened("alice");
    const bob = await opened("bob");
    const broken = await bob.open("broken");
    broken.nextDeadline = () => clock.now();
    broken.onTick = () => {
      throw new Error("choked");
    };
    const id = await alice.send("hello");
    await network.settle();
    for (let i = 0; i < 60; i++) {
      await clock.advance(1_000);
      await network.settle();
    }
    expect(await alice.outcomes(id)).toEqual(["sent", "delivered"]);
    expect(await bob.received()).toEqual(["hello"]);
  });
});

describe("requests of long ago", () => {
  test("are forgotten while the background lives on", async () => {
    const alice = await opened("alice");
    const id = await alice.send("old", "room", true);
    await network.settle();
    await clock.sleep(LIMITS.keptResultsMs + DAY);
    expect(alice.channel().request(id)).toBeUndefined();
    expect(await alice.manager.closeChannel(KEY, "page")).toEqual(ok(undefined));
  });
});

describe("rows that belong to no channel", () => {
  test("do not keep the others from starting", async () => {
    const alice = await opened("alice");
    const row = { messageId: "m", kind: "sync" };
    await alice.storage.commit([{ table: "upkeep", key: [ORIGIN, "deleted", "r"], row }]);
    await alice.restart();
    expect(alice.manager.channels().map((channel) => channel.getChannelId())).toEqual(["room"]);
  });
});

describe("an event that is undone", () => {
  const choke = () => {
    throw new Error("choked");
  };
  const params = { ...KEY, contentTopic: TOPIC, encryption: "none" } as const;
  const stored = async (peer: Peer) => (await peer.storage.scan("channels", [])).length;

  test("has created no channel", async () => {
    const alice = await Peer.start("alice", network);
    await expect(alice.manager.createReliableChannel(params, choke)).rejects.toThrow("choked");
    expect(alice.manager.channelExists(KEY)).toBe(false);
    expect(alice.manager.summaries()).toEqual([]);
    expect(alice.manager.shareOf(ORIGIN)).toBeUndefined();
    // What runs for every channel finds none, and one can be made.
    await clock.advance(MINUTE);
    expect(await stored(alice)).toBe(0);
    await alice.open();
    expect(await stored(alice)).toBe(1);
  });

  test("has opened no closed channel", async () => {
    const alice = await opened("alice");
    await alice.manager.closeChannel(KEY, "page");
    await expect(alice.manager.createReliableChannel(params, choke)).rejects.toThrow("choked");
    expect(alice.manager.channelExists(KEY)).toBe(false);
    expect((await alice.manager.createReliableChannel(params)).ok).toBe(true);
  });

  test("has closed no channel", async () => {
    const alice = await opened("alice");
    await expect(alice.manager.closeChannel(KEY, "page", choke)).rejects.toThrow("choked");
    expect(alice.channel().status().state).toBe("open");
  });

  test("has deleted no channel: it goes on, and can be deleted afterwards", async () => {
    const [alice, bob] = [await opened("alice"), await opened("bob")];
    const forget = vi.spyOn(RateLimitManager.prototype, "forget").mockImplementationOnce(choke);
    await expect(alice.manager.deleteChannel(KEY)).rejects.toThrow("choked");
    forget.mockRestore();
    expect(alice.channel().status().state).toBe("open");
    const id = await alice.send("still here");
    await network.settle();
    expect(await bob.received()).toEqual(["still here"]);
    for (let s = 0; s < 5; s++) {
      await clock.advance(1000);
      await network.settle();
    }
    expect(await alice.outcomes(id)).toEqual(["sent", "delivered"]);
    expect(await alice.manager.deleteChannel(KEY)).toMatchObject({ ok: true });
    expect(alice.manager.summaries()).toEqual([]);
    expect(await stored(alice)).toBe(0);
  });
});

describe("a channel that is there", () => {
  test.each(["open", "closed"])("is not to be had with encryption in another place: %s", async (state) => {
    const alice = await Peer.start("alice", network);
    const params = { ...KEY, contentTopic: TOPIC, encryption: "none" } as const;
    await alice.manager.createReliableChannel({ ...params, placement: "content" });
    const take = (named: object) =>
      state === "open"
        ? alice.manager.attach({ ...params, ...named })
        : alice.manager.createReliableChannel({ ...params, ...named });
    if (state === "closed") await alice.manager.closeChannel(KEY, "page");
    expect(await take({ placement: "envelope" })).toMatchObject({
      error: { kind: "mismatch", message: "channel room exists with another placement" },
    });
    // As pages do, who cannot name it.
    expect(await take({})).toMatchObject({ ok: true });
    expect(alice.channel().row.placement).toBe("content");
  });
});
