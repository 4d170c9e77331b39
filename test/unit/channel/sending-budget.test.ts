/** The epoch budget (LIP-173) as channels use it. */
import { beforeEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { utf8 } from "../../../src/common/bytes.ts";
import { none } from "../../../src/encryption/none.ts";
import type { QueuedMessage } from "../../../src/rate-limit/rate-limit-manager.ts";
import type { SdsMessage } from "../../../src/sds/message.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import { AwayCipher } from "../../support/away-cipher.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { passTime } from "../../support/passing-time.ts";
import { ORIGIN, Peer, TOPIC } from "../../support/peer.ts";

const SECOND = 1000;
const EPOCH_SECONDS = 600;
const EPOCH_MS = EPOCH_SECONDS * SECOND;
const MESSAGES_PER_EPOCH = 2;
const LIMITED = { enabled: true, epochSeconds: EPOCH_SECONDS, messagesPerEpoch: MESSAGES_PER_EPOCH };

let clock: VirtualClock;
let network: FakeNetwork;
let alice: Peer;

const pass = (ms: number) => passTime(clock, () => network.settle(), ms);

beforeEach(async () => {
  // At the beginning of an epoch.
  clock = new VirtualClock(3_000_000 * EPOCH_MS);
  network = new FakeNetwork(clock);
  alice = await Peer.start("alice", network, {
    rateLimit: LIMITED,
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

describe("a member whose budget is used up", () => {
  const MESSAGES = 12;
  const WAIT_MS = 5 * SECOND;
  const HOUR = 3600 * SECOND;
  let bob: Peer;

  beforeEach(async () => {
    bob = await Peer.start("bob", network, { rateLimit: { ...LIMITED, messagesPerEpoch: 1 } });
    await bob.open();
    await bob.send("uses it up");
    await network.settle();
    alice = await Peer.start("alice", network);
    await alice.open();
  });

  /** Alice says something every few seconds. */
  async function hears(): Promise<string[]> {
    const ids: string[] = [];
    for (let i = 0; i < MESSAGES; i++) {
      ids.push(await alice.send(`${i}`));
      await pass(WAIT_MS);
    }
    expect(await bob.received()).toHaveLength(MESSAGES);
    return ids;
  }

  /** Content of a peer that went out, by id, and everything that went out. */
  function sentBy(peer: Peer) {
    const messages = peer.mailbox.tasks.flatMap(({ message: { payload } }) => {
      const decoded = nimLayout.decode(payload);
      return decoded.ok ? [decoded.value] : [];
    });
    const content = messages.filter(({ content }) => content.length > 0).map(({ messageId }) => messageId);
    return { messages, content: [...new Set(content)] };
  }

  test("acknowledges with its next message all that it heard meanwhile", async () => {
    await hears();
    const { content } = sentBy(alice);
    // She sends nothing again, so that nothing reminds him.
    await alice.kill();
    await pass(EPOCH_MS);
    const { messages } = sentBy(bob);
    expect(messages).toHaveLength(2);
    const sync = messages.at(-1);
    const filter = nimLayout.decodeFilter(sync?.bloomFilter ?? new Uint8Array());
    const named = sync?.causalHistory.map(({ messageId }) => messageId) ?? [];
    const left = content.filter((id) => !named.includes(id) && !filter?.has(nimLayout.hashPair(id)));
    expect(left).toEqual([]);
  });

  test("so that every message is delivered, if late", async () => {
    const ids = await hears();
    await pass(EPOCH_MS);
    for (const id of ids) expect((await alice.outcomes(id)).at(-1)).toBe("delivered");
  });

  test("sends no sync message where its own message says the same", async () => {
    await hears();
    const queued = async () => {
      const rows = await bob.storage.scan("rateLimitQueue", []);
      return rows.map(({ row }) => (row as QueuedMessage).owner.kind);
    };
    expect(await queued()).toEqual(["sync"]);
    await bob.send("reply");
    expect(await queued()).toEqual(["segment"]);
  });

  describe("and who is asked for messages", () => {
    const STORED = 16;
    const names = Array.from({ length: STORED }, (_, i) => `m${i}`);
    const ASK_MS = 31 * SECOND;
    let said = 0;

    const say = (fields: Partial<SdsMessage>) =>
      network.inject({
        contentTopic: TOPIC,
        meta: utf8("RELIABLE-CHANNEL-API/1"),
        ephemeral: false,
        timestamp: clock.now(),
        messageHash: `${++said}`.padStart(64, "0"),
        payload: nimLayout.encode({
          senderId: "carol",
          messageId: `said ${said}`,
          channelId: "room",
          lamportTimestamp: BigInt(Math.floor(clock.now() / SECOND)),
          causalHistory: [],
          bloomFilter: new Uint8Array(0),
          content: new Uint8Array(0),
          repairRequest: [],
          ...fields,
        }),
      });
    const original = (messageId: string) => say({ messageId, senderId: "dave", content: utf8("x") });
    const queuedRepairs = async () => {
      const rows = await bob.storage.scan("rateLimitQueue", []);
      const queued = rows.map(({ row }) => row as QueuedMessage).filter(({ owner }) => owner.kind === "repair");
      return queued.map(({ messageId }) => messageId).sort();
    };

    test("queues each once, however often they ask, and none that was heard again", async () => {
      for (const name of names) await original(name);
      for (const end = clock.now() + HOUR / 2; clock.now() < end; ) {
        await say({ repairRequest: names.map((messageId) => ({ messageId, senderId: "bob" })) });
        await pass(ASK_MS);
        expect((await queuedRepairs()).length).toBeLessThanOrEqual(STORED);
      }
      const left = await queuedRepairs();
      expect(left.length).toBeGreaterThan(1);
      expect(new Set(left).size).toBe(left.length);
      const [heard = ""] = left;
      await original(heard);
      expect(await queuedRepairs()).toEqual(left.filter((name) => name !== heard));
    });
  });
});

describe("a retransmission that waits", () => {
  /** Of the first of two messages, which use the budget up. */
  async function waiting(): Promise<string> {
    const id = await alice.send("first");
    await alice.send("second");
    await pass(60 * SECOND);
    expect(await kinds()).toContain("retransmission");
    return id;
  }

  async function kinds(): Promise<string[]> {
    const rows = await alice.storage.scan("rateLimitQueue", []);
    return rows.map(({ row }) => (row as QueuedMessage).owner.kind);
  }

  test("is sent no more once its message was acknowledged", async () => {
    const id = await waiting();
    const bob = await Peer.start("bob", network);
    await bob.open();
    await network.settle();
    await pass(10 * SECOND);
    expect(await alice.outcomes(id)).toEqual(["sent", "delivered"]);
    expect(await kinds()).not.toContain("retransmission");
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

describe("what cannot go out yet", () => {
  const KEY = { origin: ORIGIN, channelId: "room" };
  const MESSAGES = 5 * MESSAGES_PER_EPOCH;
  const texts = () => alice.messaging.sent.filter(({ ephemeral }) => !ephemeral).length;

  /** Lets the epochs go by that it takes, and says how many messages each of them saw go. */
  async function byEpoch(epochs: number): Promise<number[]> {
    const counts: number[] = [];
    for (let epoch = 0; epoch < epochs; epoch++) {
      const before = alice.messaging.sent.length;
      await network.settle();
      await pass(EPOCH_MS - (clock.now() % EPOCH_MS) - 1);
      counts.push(alice.messaging.sent.length - before);
      await clock.advance(1);
    }
    return counts;
  }

  test("while the network is away uses no budget: no epoch after it exceeds its own", async () => {
    alice.messaging.status = "Disconnected";
    await alice.messaging.tell({ type: "health" });
    const ids: string[] = [];
    for (let i = 0; i < MESSAGES; i++) ids.push(await alice.send(`${i}`));
    expect(await byEpoch(5)).toEqual([0, 0, 0, 0, 0]);
    expect(alice.manager.quota()).toMatchObject({ remaining: MESSAGES_PER_EPOCH });
    expect(ids.map((id) => alice.channel().request(id)?.state)).toEqual(ids.map(() => "queued"));

    alice.messaging.status = "Connected";
    await alice.messaging.tell({ type: "health" });
    await network.settle();
    // At once, not with the next epoch.
    expect(texts()).toBe(MESSAGES_PER_EPOCH);
    for (const count of await byEpoch(5)) expect(count).toBeLessThanOrEqual(MESSAGES_PER_EPOCH);
    expect(ids.map((id) => alice.channel().request(id)?.state)).not.toContain("queued");
  });

  test("while the cipher of its channel is away uses no budget, and leaves it to other channels", async () => {
    const cipher = new AwayCipher();
    alice = await Peer.start("alice", network, {
      rateLimit: LIMITED,
      cipherFor: (_mode, _marker, _keys, { channelId }) => (channelId === "room" ? cipher : none),
    });
    await alice.open();
    await alice.open("other");
    cipher.away = true;
    alice.manager.cipherAway(KEY);
    const ids: string[] = [];
    for (let i = 0; i < MESSAGES; i++) ids.push(await alice.send(`${i}`));
    expect(await byEpoch(5)).toEqual([0, 0, 0, 0, 0]);
    const other = await alice.send("of another channel", "other");
    await network.settle();
    expect(alice.channel("other").request(other)?.state).toBe("sent");

    cipher.away = false;
    alice.manager.cipherReady(KEY);
    await network.settle();
    expect(texts()).toBe(MESSAGES_PER_EPOCH);
    for (const count of await byEpoch(6)) expect(count).toBeLessThanOrEqual(MESSAGES_PER_EPOCH);
    expect(ids.map((id) => alice.channel().request(id)?.state)).not.toContain("queued");
  });

  test("waits with the messaging layer where nothing is limited", async () => {
    alice = await Peer.start("alice", network);
    await alice.open();
    alice.messaging.status = "Disconnected";
    await alice.messaging.tell({ type: "health" });
    for (let i = 0; i < MESSAGES; i++) await alice.send(`${i}`);
    await network.settle();
    expect(texts()).toBe(MESSAGES);
    expect(await alice.storage.scan("rateLimitQueue", [])).toEqual([]);
  });
});

test("an ephemeral message that is refused, as it waited too long, leaves no bytes behind", async () => {
  for (let i = 0; i < MESSAGES_PER_EPOCH; i++) await alice.send(`${i}`);
  await network.settle();
  const wires = async () => (await alice.storage.scan("sdsWires", [])).map(({ key }) => key.at(-1));
  const before = new Set(await wires());
  const late = await alice.send("of no use any more", "room", true);
  const [own] = (await wires()).filter((id) => !before.has(id));
  expect(own).toBeDefined();
  await pass(2 * 60 * SECOND);
  expect(await alice.outcomes(late)).toEqual(["send-error"]);
  expect(await wires()).not.toContain(own);
});

describe("what waits for the budget for longer than it is needed", () => {
  const KEY = { origin: ORIGIN, channelId: "room" };
  const HOUR = 60 * 60 * SECOND;
  /** One message in so many seconds. */
  const sparse = (epochSeconds: number) => ({ rateLimit: { enabled: true, epochSeconds, messagesPerEpoch: 1 } });

  test("a retry whose first copy arrived after all: it is delivered, though its bytes are gone before it could leave", async () => {
    const bob = await Peer.start("bob", network);
    alice = await Peer.start("alice", network, sparse(2 * 60 * 60));
    await bob.open();
    await alice.open();
    alice.messaging.automatic = false;
    const id = await alice.send("arrives after all");
    await network.settle();
    const [copy] = alice.mailbox.tasks;
    await alice.messaging.fail(0, "not confirmed");
    expect(await alice.outcomes(id)).toEqual(["send-error"]);
    expect((await alice.channel().retry(id)).ok).toBe(true);
    bob.messaging.push(copy?.message ?? expect.unreachable());
    await network.settle();
    await pass(10 * SECOND);
    alice.messaging.automatic = true;
    for (let half = 0; half < 6; half++) {
      await bob.send(`${half}`);
      await pass(HOUR / 2);
    }
    expect(alice.channel().request(id)?.state).toBe("delivered");
    expect(await alice.outcomes(id)).toEqual(["send-error", "delivered"]);
  });

  test("a retransmission that never left counts as none: nothing is given up on its account", async () => {
    const epochMs = 6 * HOUR;
    alice = await Peer.start("alice", network, sparse(epochMs / SECOND));
    await alice.open();
    await pass(epochMs - (clock.now() % epochMs));
    const id = await alice.send("four a day");
    await pass(epochMs - HOUR);
    expect(alice.mailbox.tasks).toHaveLength(1);
    expect(await alice.outcomes(id)).toEqual(["sent"]);
    // They take turns with sync messages, until all are made and none is answered.
    await pass(16 * epochMs);
    expect(await alice.outcomes(id)).toEqual(["sent", "delivery-error"]);
    const kinds = async () => {
      const queued = await alice.storage.scan("rateLimitQueue", []);
      return queued.map(({ row }) => (row as QueuedMessage).owner.kind);
    };
    expect(await kinds()).not.toContain("retransmission");
  });

  test("a sync message of a channel that is closed is not sent, and is due again once it is open", async () => {
    const carol = await Peer.start("carol", network);
    await carol.open();
    for (let i = 0; i < MESSAGES_PER_EPOCH; i++) await alice.send(`uses it up ${i}`);
    await network.settle();
    const id = await carol.send("to be acknowledged");
    await pass(30 * SECOND);
    const before = alice.mailbox.tasks.length;
    await alice.manager.closeChannel(KEY, "page");
    await pass(2 * EPOCH_MS);
    expect(alice.mailbox.tasks).toHaveLength(before);
    await alice.open();
    await pass(60 * SECOND);
    expect(await carol.outcomes(id)).toContain("delivered");
  });
});
