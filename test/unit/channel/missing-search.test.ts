/** What a channel misses is looked for in the stores at once, by hint or by time, and again after a restart. */
import { beforeEach, expect, test } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import type { ReceivedMessage } from "../../../src/channel/ports.ts";
import { RELIABLE_CHANNEL_MARKER } from "../../../src/channel/wire-marker.ts";
import { fromHex, utf8 } from "../../../src/common/bytes.ts";
import { LIMITS } from "../../../src/limits.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { passTime } from "../../support/passing-time.ts";
import { Peer, TOPIC } from "../../support/peer.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;

let clock: VirtualClock;
let network: FakeNetwork;
let bob: Peer;

beforeEach(async () => {
  clock = new VirtualClock();
  network = new FakeNetwork(clock);
  bob = await Peer.start("bob", network, { profile: "logos-raw" });
  await bob.open();
  await network.settle();
});

const pass = (ms: number) => passTime(clock, () => network.settle(), ms);

interface Crafted {
  readonly after?: readonly { readonly messageId: string; readonly hash?: string }[];
  /** Milliseconds since the Unix epoch. Default: now. */
  readonly at?: number;
}

/** A message of alice's, as the wire and the stores have it. Its hash follows from its id. */
function craft(messageId: string, { after = [], at = clock.now() }: Crafted = {}): ReceivedMessage {
  const payload = nimLayout.encode({
    senderId: "alice",
    messageId,
    channelId: "room",
    lamportTimestamp: BigInt(Math.floor(at / SECOND)),
    causalHistory: after.map(({ messageId, hash }) => {
      const retrievalHint = hash === undefined ? undefined : fromHex(hash);
      return { messageId, ...(retrievalHint ? { retrievalHint } : {}) };
    }),
    bloomFilter: new Uint8Array(),
    content: utf8(`text of ${messageId}`),
    repairRequest: [],
  });
  return {
    contentTopic: TOPIC,
    payload,
    meta: RELIABLE_CHANNEL_MARKER,
    ephemeral: false,
    timestamp: at,
    messageHash: hashOf(messageId),
  };
}

function hashOf(messageId: string): string {
  return Buffer.from(messageId).toString("hex").padStart(64, "0");
}

test("a dependency that was lost live is fetched by its hint at once", async () => {
  network.stored.push(craft("m1"));
  await network.inject(craft("m2", { after: [{ messageId: "m1", hash: hashOf("m1") }] }));
  expect(bob.messaging.retrievals).toEqual([{ hashes: [hashOf("m1")] }]);
  expect(await bob.received()).toEqual(["text of m1", "text of m2"]);
});

test("without a hint it is fetched from the time before its dependant", async () => {
  const now = clock.now();
  network.stored.push(craft("m1", { at: now - MINUTE }));
  await network.inject(craft("m2", { after: [{ messageId: "m1" }] }));
  const to = now - (now % SECOND);
  expect(bob.messaging.retrievals).toEqual([{ from: to - 5 * MINUTE, to: to + LIMITS.messaging.catchUpOverlapMs }]);
  expect(await bob.received()).toEqual(["text of m1", "text of m2"]);
});

test("what is not found soon before is looked for further back", async () => {
  network.stored.push(craft("m1", { at: clock.now() - 30 * MINUTE }));
  await network.inject(craft("m2", { after: [{ messageId: "m1" }] }));
  expect(await bob.received()).toEqual([]);
  await pass(LIMITS.search.retryMs);
  expect(await bob.received()).toEqual(["text of m1", "text of m2"]);
});

test("a hint that leads nowhere is not trusted for ever", async () => {
  network.stored.push(craft("m1", { at: clock.now() - MINUTE }));
  await network.inject(craft("m2", { after: [{ messageId: "m1", hash: hashOf("another") }] }));
  await pass(LIMITS.search.retryMs);
  expect(bob.messaging.retrievals.map((wanted) => "hashes" in wanted)).toEqual([true, true]);
  expect(await bob.received()).toEqual([]);
  await pass(2 * LIMITS.search.retryMs);
  expect(await bob.received()).toEqual(["text of m1", "text of m2"]);
});

test("the search goes on after a restart", async () => {
  await network.inject(craft("m2", { after: [{ messageId: "m1", hash: hashOf("m1") }] }));
  await bob.kill();
  network.stored.length = 0;
  await bob.restart();
  await network.settle();
  expect(bob.messaging.retrievals).toEqual([{ hashes: [hashOf("m1")] }]);
  network.stored.push(craft("m1"));
  await pass(LIMITS.search.retryMs);
  expect(await bob.received()).toEqual(["text of m1", "text of m2"]);
});

test("while no store is there nothing is asked; it is as soon as one is", async () => {
  bob.messaging.status = "Disconnected";
  network.stored.push(craft("m1"));
  await network.inject(craft("m2", { after: [{ messageId: "m1", hash: hashOf("m1") }] }));
  await pass(MINUTE);
  expect(bob.messaging.retrievals).toEqual([]);
  bob.messaging.status = "Connected";
  await bob.messaging.tell({ type: "health" });
  await network.settle();
  expect(await bob.received()).toEqual(["text of m1", "text of m2"]);
});

test("many missing messages are asked for together, in few queries, until they are given up", async () => {
  for (let i = 0; i < 10; i++) {
    const after = Array.from({ length: 25 }, (_, j) => ({ messageId: `gone-${i}-${j}`, hash: hashOf(`g-${i}-${j}`) }));
    await network.inject(craft(`m${i}`, { after }));
  }
  await pass(5 * SECOND);
  expect(bob.messaging.retrievals.length).toBeLessThanOrEqual(4);
  const asked = bob.messaging.retrievals.flatMap((wanted) => ("hashes" in wanted ? wanted.hashes : []));
  expect(new Set(asked).size).toBe(250);
  expect(asked.length).toBe(250);
  await pass(10 * MINUTE);
  expect((await bob.received()).length).toBe(10);
  const count = bob.messaging.retrievals.length;
  expect(count).toBeLessThan(60);
  await pass(5 * MINUTE);
  expect(bob.messaging.retrievals.length).toBe(count);
});

test("a closed channel asks for nothing", async () => {
  await network.inject(craft("m2", { after: [{ messageId: "m1", hash: hashOf("m1") }] }));
  await bob.manager.closeChannel({ origin: "https://site.example", channelId: "room" }, "page");
  const count = bob.messaging.retrievals.length;
  await pass(5 * MINUTE);
  expect(bob.messaging.retrievals.length).toBe(count);
});
