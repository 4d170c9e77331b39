/** What a channel tells SDS of the copies of its messages, and what it makes of who acknowledges them. */
import { beforeEach, describe, expect, test, vi } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import type { UpkeepRow } from "../../../src/channel/rows.ts";
import { RELIABLE_CHANNEL_MARKER } from "../../../src/channel/wire-marker.ts";
import { EMPTY } from "../../../src/common/bytes.ts";
import type { SdsMessage } from "../../../src/sds/message.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import type { LogRow, OutgoingRow } from "../../../src/sds/tables.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { Peer, TOPIC } from "../../support/peer.ts";

// Small segments, so that small payloads have several: chunks of 128 bytes.
vi.mock("../../../src/limits.ts", async (original) => {
  const { LIMITS } = await original<typeof import("../../../src/limits.ts")>();
  return { LIMITS: { ...LIMITS, segmentation: { ...LIMITS.segmentation, segmentBytes: 256 } } };
});

const SECOND = 1000;
const MINUTE = 60 * SECOND;

let clock: VirtualClock;
let network: FakeNetwork;
let said: number;

beforeEach(() => {
  clock = new VirtualClock();
  network = new FakeNetwork(clock);
  said = 0;
});

async function pass(ms: number, step = SECOND): Promise<void> {
  for (let left = ms; left > 0; left -= step) {
    await clock.advance(Math.min(left, step));
    await network.settle();
  }
}

async function member(name: string): Promise<Peer> {
  const peer = await Peer.start(name, network);
  await peer.open();
  await network.settle();
  return peer;
}

const inParts = (segments: number) => Uint8Array.from({ length: 128 * (segments - 1) + 50 }, (_, i) => (i * 31) & 0xff);

/** A message of somebody else, as they like it. */
async function say(
  senderId: string,
  fields: Partial<SdsMessage> & { readonly has?: readonly string[] },
): Promise<void> {
  const { has = [], ...given } = fields;
  said++;
  const payload = nimLayout.encode({
    senderId,
    messageId: `said-${said}`,
    channelId: "room",
    lamportTimestamp: BigInt(Math.floor(clock.now() / SECOND)),
    causalHistory: has.map((messageId) => ({ messageId })),
    bloomFilter: EMPTY,
    content: EMPTY,
    repairRequest: [],
    ...given,
  });
  const messageHash = said.toString(16).padStart(64, "0");
  const carrier = { contentTopic: TOPIC, meta: RELIABLE_CHANNEL_MARKER, ephemeral: false, timestamp: clock.now() };
  await network.inject({ ...carrier, payload, messageHash });
}

/** What a peer handed over that has content: the index of the task, the SDS message id, and whether it was ephemeral. */
function copies({ mailbox }: Peer) {
  return mailbox.tasks.flatMap(({ message }, index) => {
    const decoded = nimLayout.decode(message.payload);
    if (!decoded.ok || decoded.value.content.length === 0) return [];
    return [{ index, messageId: decoded.value.messageId, ephemeral: message.ephemeral, hash: message.messageHash }];
  });
}

async function rows<V>({ storage }: Peer, table: string): Promise<readonly V[]> {
  return (await storage.scan(table, [])).map(({ row }) => row as V);
}

describe("copies of a message", () => {
  test("a repair of our own message does not make it one that a store has", async () => {
    const alice = await member("alice");
    alice.messaging.automatic = false;
    await alice.send("asked for");
    await network.settle();
    await alice.messaging.propagate(0);
    const [original] = copies(alice);
    const messageId = original?.messageId ?? expect.unreachable();
    await say("bob", { repairRequest: [{ messageId, senderId: "alice" }] });
    await pass(SECOND);
    expect(copies(alice)).toMatchObject([{ ephemeral: false }, { messageId, ephemeral: true }]);
    await alice.messaging.propagate(1);
    await alice.messaging.confirm(1);
    expect(await rows<OutgoingRow>(alice, "sdsOutgoing")).toMatchObject([{ stored: false }]);
    await pass(5 * SECOND);
    expect(copies(alice)).toMatchObject([{ ephemeral: false }, { ephemeral: true }, { messageId, ephemeral: false }]);
    expect(await rows<UpkeepRow>(alice, "upkeep")).toMatchObject([{ kind: "retransmission" }]);
  });

  test("answers to those who ask for a message again and again do not keep it from being exhausted", async () => {
    const alice = await member("alice");
    const id = await alice.send("asked for");
    await network.settle();
    const [original] = copies(alice);
    for (let passed = 0; passed < 10 * MINUTE; passed += 35 * SECOND) {
      await say("bob", { repairRequest: [{ messageId: original?.messageId ?? "", senderId: "alice" }] });
      await pass(35 * SECOND);
    }
    // Five retransmissions, and an answer each time.
    expect(copies(alice).length).toBeGreaterThan(20);
    expect(await alice.outcomes(id)).toEqual(["sent", "delivery-error"]);
  });

  test("the departure of a retransmission counts once, however often it is told", async () => {
    const alice = await member("alice");
    alice.messaging.automatic = false;
    await alice.send("hello");
    await network.settle();
    await alice.messaging.propagate(0);
    await pass(5 * SECOND);
    const [, retransmission] = copies(alice);
    const index = retransmission?.index ?? expect.unreachable();
    await alice.messaging.propagate(index);
    const [left] = await rows<OutgoingRow>(alice, "sdsOutgoing");
    await pass(3 * SECOND);
    await alice.messaging.propagate(index);
    await alice.messaging.confirm(index);
    expect((await rows<OutgoingRow>(alice, "sdsOutgoing"))[0]?.leftMs).toBe(left?.leftMs);
  });

  test.each(["refused at the hand-over", "given up later"])(
    "a retransmission that is %s is followed by the next one",
    async (how) => {
      const alice = await member("alice");
      await alice.send("hello");
      await network.settle();
      if (how === "given up later") alice.mailbox.refusal = () => "no";
      else alice.messaging.onSend = async () => ({ ok: false, error: "queue full" });
      await pass(6 * SECOND);
      alice.mailbox.refusal = () => undefined;
      alice.messaging.onSend = async () => ({ ok: true, value: undefined });
      const before = copies(alice).length;
      await pass(10 * SECOND);
      expect(copies(alice).length).toBe(before + 1);
    },
  );

  test("a retry goes on with all that nobody acknowledged: what did not fail is retransmitted, though it leaves no second time", async () => {
    const alice = await member("alice");
    alice.mailbox.refusal = (index) => (index === 1 ? "no" : undefined);
    const id = await alice.send(inParts(2));
    await network.settle();
    expect(await alice.outcomes(id)).toEqual(["send-error"]);
    expect((await alice.channel().retry(id)).ok).toBe(true);
    await network.settle();
    const [first, second] = copies(alice);
    expect(copies(alice).slice(2)).toMatchObject([{ messageId: second?.messageId }]);
    await pass(6 * SECOND);
    const again = copies(alice).slice(3);
    expect(new Set(again.map(({ messageId }) => messageId))).toEqual(new Set([first?.messageId, second?.messageId]));
  });

  test.each(["propagated", "stored"])(
    "a message that is acknowledged before it is told to be %s: its hash is kept all the same",
    async (told) => {
      const alice = await member("alice");
      alice.messaging.automatic = false;
      const id = await alice.send("hello");
      await network.settle();
      const [original] = copies(alice);
      await say("bob", { has: [original?.messageId ?? ""] });
      expect(await alice.outcomes(id)).toEqual(["sent", "delivered"]);
      await alice.restart();
      alice.messaging.automatic = false;
      await alice.messaging.propagate(0);
      if (told === "stored") await alice.messaging.confirm(0);
      const log = await rows<LogRow>(alice, "sdsLog");
      const stored = told === "stored" ? { stored: true } : {};
      expect(log).toMatchObject([{ senderId: "alice", hash: original?.hash, ...stored }]);
      expect(alice.storage.count("upkeep")).toBe(told === "stored" ? 0 : 1);
    },
  );
});

describe("a message in several segments", () => {
  async function inTwo() {
    const alice = await member("alice");
    const id = await alice.send(inParts(2));
    await network.settle();
    const [first = "", second = ""] = copies(alice).map(({ messageId }) => messageId);
    return { alice, id, first, second };
  }

  test("is delivered once one participant has all of it, not where each segment is with another one", async () => {
    const { alice, id, first, second } = await inTwo();
    await say("bob", { has: [first] });
    await say("carol", { has: [second] });
    expect(await alice.outcomes(id)).toEqual(["sent"]);
    const segments = { total: 2, confirmed: 2, failed: 0, acknowledged: 2 };
    expect(alice.channel().request(id)).toMatchObject({ state: "sent", segments });
    await alice.restart();
    await say("carol", { has: [first] });
    expect(await alice.outcomes(id)).toEqual(["sent", "delivered"]);
    for (const table of ["sdsOutgoing", "sdsHolders", "requestSegments"]) expect(alice.storage.count(table)).toBe(0);
  });

  test("that nobody has whole in time is told undelivered, and delivered when somebody has it after all", async () => {
    const { alice, id, first, second } = await inTwo();
    await say("bob", { has: [first] });
    await say("carol", { has: [second] });
    await pass(10 * MINUTE);
    expect(await alice.outcomes(id)).toEqual(["sent", "delivery-error"]);
    await say("carol", { has: [first] });
    expect(await alice.outcomes(id)).toEqual(["sent", "delivery-error", "delivered"]);
  });
});
