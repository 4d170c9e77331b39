/** What a site may make a channel, and the extension, remember. */
import { beforeEach, describe, expect, test, vi } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { utf8 } from "../../../src/common/bytes.ts";
import { err } from "../../../src/common/result.ts";
import { LIMITS } from "../../../src/limits.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { ORIGIN, Peer, TOPIC } from "../../support/peer.ts";

// Bounds that tests reach with few messages.
vi.mock("../../../src/limits.ts", async (original) => {
  const { LIMITS } = await original<typeof import("../../../src/limits.ts")>();
  return {
    LIMITS: {
      ...LIMITS,
      eventLog: { ...LIMITS.eventLog, events: 6 },
      finalRequests: { most: 8, trim: 2 },
      origin: { ...LIMITS.origin, channels: 2, storedChannels: 4 },
    },
  };
});

const KEY = { origin: ORIGIN, channelId: "room" };
const REFUSED = { ok: false, error: { kind: "limit" } };

let clock: VirtualClock;
let network: FakeNetwork;

beforeEach(() => {
  clock = new VirtualClock();
  network = new FakeNetwork(clock);
});

/** Whose sends all fail: their cipher throws. */
async function failing(): Promise<Peer> {
  const cipher = { encrypt: async () => err("no"), decrypt: async () => err("no") };
  const peer = await Peer.start("failing", network, { cipher });
  await peer.open();
  return peer;
}

async function handle(peer: Peer): Promise<void> {
  await peer.channel().acknowledge((await peer.log()).at(-1)?.seq ?? 0);
}

describe("a page whose messages all fail", () => {
  test("can send no more once the log is full of failures that it did not handle, and again once it did", async () => {
    const peer = await failing();
    const first = await peer.manager.send(KEY, utf8("0"), { idempotencyKey: "0" });
    await network.settle();
    for (let i = 1; i < LIMITS.eventLog.events; i++) {
      await peer.send(`${i}`);
      await network.settle();
    }
    expect(await peer.log()).toHaveLength(LIMITS.eventLog.events);
    expect(await peer.manager.send(KEY, utf8("one too many"))).toMatchObject(REFUSED);
    // What was accepted is known all the same.
    expect(await peer.manager.send(KEY, utf8("0"), { idempotencyKey: "0" })).toEqual(first);
    await network.settle();
    expect(await peer.log()).toHaveLength(LIMITS.eventLog.events);
    await handle(peer);
    expect(await peer.manager.send(KEY, utf8("once more"))).toMatchObject({ ok: true });
  });

  test("that handles them all the same fills no memory: the oldest are forgotten, after a restart too", async () => {
    const peer = await failing();
    const ids: string[] = [];
    const sendOne = async () => {
      ids.push(await peer.send(`${ids.length}`));
      await network.settle();
      await clock.advance(1);
      await handle(peer);
    };
    while (ids.length < LIMITS.finalRequests.most) await sendOne();
    await peer.restart();
    expect(peer.channel().requests()).toHaveLength(LIMITS.finalRequests.most);
    for (let i = 0; i < 20; i++) {
      await sendOne();
      const known = peer.channel().requests();
      expect(known.length).toBeLessThanOrEqual(LIMITS.finalRequests.most);
      // Without a gap from the newest on.
      expect(known.map(({ requestId }) => requestId)).toEqual(ids.toReversed().slice(0, known.length));
    }
    const { most, trim } = LIMITS.finalRequests;
    expect(await peer.storage.scan("requests", [])).toHaveLength(peer.channel().requests().length);
    expect(peer.channel().requests().length).toBeGreaterThanOrEqual(most - trim);
  });
});

describe("a page that creates and closes channels", () => {
  const { channels, storedChannels } = LIMITS.origin;

  const create = (peer: Peer, channelId: string, origin = ORIGIN) =>
    peer.manager.createReliableChannel({ origin, channelId, contentTopic: TOPIC, encryption: "none" });

  /** Of whom one origin has as many channels as it may, all closed. */
  async function full(): Promise<Peer> {
    const peer = await Peer.start("full", network);
    for (let i = 0; i < storedChannels; i++) {
      await peer.open(`c${i}`);
      await peer.manager.closeChannel({ origin: ORIGIN, channelId: `c${i}` }, "page");
    }
    return peer;
  }

  test("has closed ones counted too, is told what to do, and takes nothing from others", async () => {
    const peer = await full();
    for (const restarted of [false, true]) {
      if (restarted) await peer.restart();
      const refused = await create(peer, "one too many");
      expect(refused).toMatchObject({ ok: false, error: { kind: "limit", limit: storedChannels } });
      expect(refused.ok ? "" : refused.error.message).toContain("delete some in the popup");
    }
    expect(peer.manager.summaries()).toHaveLength(storedChannels);
    expect(await create(peer, "c", "https://other.example")).toMatchObject({ ok: true });
  });

  test("can open those that are there, as many at once as may be open, and another one once one was deleted", async () => {
    const peer = await full();
    for (let i = 0; i < channels; i++) {
      expect(await create(peer, `c${i}`)).toMatchObject({ ok: true });
    }
    expect(await create(peer, `c${channels}`)).toMatchObject({ ok: false, error: { kind: "limit", limit: channels } });
    await peer.manager.deleteChannel({ origin: ORIGIN, channelId: "c0" });
    expect(await create(peer, "another")).toMatchObject({ ok: true });
  });
});
