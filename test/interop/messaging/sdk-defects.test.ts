/**
 * Defects of `@waku/sdk` 0.0.36, and the tests that show this layer is not affected by them.
 *
 * | defect | test |
 * | --- | --- |
 * | `autoRetry` pushes again after success, each time with another timestamp and hash | here, 1; L07 in `send-service.test.ts` |
 * | every status but 200 is one generic error, and the relay peer count is lost | here, 2; L01, L02, L05 in `send-service.test.ts` |
 * | store ranges over 24 h lose their newest part | here, 3; R08 in `receive-service.test.ts` |
 * | `includeData: false` loses the hashes | here, 4; R04 in `receive-service.test.ts` |
 * | a disconnect in the middle of a query ends like success | here, 5; R09 in `receive-service.test.ts` |
 * | cursors are computed anew from millisecond timestamps | here, 6 |
 * | a refused filter subscribe is not retried for minutes | here, 7; F10 in `receive-service.test.ts` |
 * | `waitForPeers` may return before identify | here, 8 |
 * | `waku:health` ignores the store | here, 9; H01 in `receive-service.test.ts` |
 * | the peer cache needs `localStorage` | here, 10; "peer cache" in `finding-peers.test.ts` |
 * | `bootstrapPeers` delays by a second | here, 11 |
 * | reconnecting takes up to a minute | here, 12 |
 * | `ws://` needs `filterMultiaddrs: false` | here, 11: every address of the local network is `ws://` |
 */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type LocalNetwork, startLocalNetwork } from "../../../dev/network/local-network.ts";
import type { ServiceNode } from "../../../dev/network/service-node.ts";
import { hashOf } from "../../../dev/network/waku-message.ts";
import { MemoryStorage } from "../../../packages/reliable-channel/mock/memory-storage.ts";
import { EMPTY, utf8 } from "../../../src/common/bytes.ts";
import type { Clock } from "../../../src/common/clock.ts";
import { pubsubTopicOf, shardOf } from "../../../src/messaging/content-topic.ts";
import { nanoseconds } from "../../../src/messaging/waku-message.ts";
import { WakuClient, type WakuClientOptions } from "./waku-client.ts";

const HOUR = 3_600_000;
let network: LocalNetwork;
let clients: WakuClient[] = [];
let topics = 0;

async function client(storage = new MemoryStorage(), options: WakuClientOptions = {}): Promise<WakuClient> {
  const started = await WakuClient.start(network, storage, options);
  clients.push(started);
  return started;
}

async function connected(): Promise<WakuClient> {
  const started = await client();
  await started.until(() => started.client.connectionStatus() === "Connected");
  return started;
}

function freshTopic(): string {
  return `/defect/1/topic${++topics}/proto`;
}

function node(index: number): ServiceNode {
  const found = network.nodes[index];
  if (!found) throw new Error(`there is no node ${index}`);
  return found;
}

/** Puts a message into the archives of both nodes. */
function archive(contentTopic: string, text: string, timestamp: bigint): void {
  const shard = shardOf(contentTopic, network.shards);
  if (!shard.ok) throw new Error(shard.error);
  const pubsubTopic = pubsubTopicOf(network.clusterId, shard.value);
  const fixed = { contentTopic, version: 0, meta: EMPTY, proof: EMPTY, ephemeral: false };
  const message = { ...fixed, payload: utf8(text), timestamp };
  for (const each of network.nodes) each.archive.insert({ hash: hashOf(pubsubTopic, message), pubsubTopic, message });
}

const pushes = () => network.nodes.flatMap((each) => each.requests.of("lightpush"));

beforeAll(async () => {
  network = await startLocalNetwork();
});

afterEach(async () => {
  await Promise.all(clients.map((each) => each.stop()));
  clients = [];
  await network.reset();
});

afterAll(async () => {
  await network.stop();
});

test("1 after a success nothing is pushed again; retries before it carry one hash", async () => {
  const alice = await connected();
  for (const each of network.nodes)
    each.faults.set("lightpush", { kind: "refuse", status: { code: 503, desc: "busy" } }, 1);
  const [topic, bob] = [freshTopic(), await connected()];
  await bob.subscribe(topic);
  const events = await alice.final(await alice.send(topic, "once"));
  expect(events.map(({ type }) => type)).toEqual(["propagated", "sent"]);
  // Refused requests were not read, so only the successful push shows its hash.
  expect(pushes().flatMap(({ hashes }) => hashes)).toHaveLength(1);
  expect(node(0).archive.hashes(topic)).toHaveLength(1);
  await bob.until(() => bob.received().length === 1);
});

test("2 the node's own words reach the caller", async () => {
  const alice = await connected();
  for (const each of network.nodes)
    each.faults.set("lightpush", { kind: "refuse", status: { code: 421, desc: "unsupported pubsub topic" } });
  const id = await alice.send(freshTopic(), "refused");
  expect(await alice.final(id)).toEqual([
    { type: "error", requestId: id, kind: "refused", error: "unsupported pubsub topic" },
  ]);
});

test.each([25, 30, 48])("3 %i h away: the message of ten minutes ago is among what returns", async (hours) => {
  const [storage, topic] = [new MemoryStorage(), freshTopic()];
  const past: Clock = {
    now: () => Date.now() - hours * HOUR,
    after: (ms, callback) => {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
  };
  const before = await client(storage, { clock: past });
  await before.subscribe(topic);
  await before.stop();
  archive(topic, "old", nanoseconds(Date.now() - (hours - 0.5) * HOUR));
  archive(topic, "new", nanoseconds(Date.now() - HOUR / 6));
  const after = await client(storage);
  await after.client.subscribe(topic);
  await after.until(() => after.received().length === 2);
  expect(after.received()).toEqual(["old", "new"]);
});

test("4 a message is found in the store by its hash alone", async () => {
  const [alice, topic] = [await connected(), freshTopic()];
  const events = await alice.final(await alice.send(topic, "by hash"));
  expect(events.at(-1)).toMatchObject({ type: "sent", messageHash: node(0).archive.hashes(topic)[0] });
});

test("5 a store that goes in the middle of a walk is no end of it", async () => {
  const topic = freshTopic();
  const texts = Array.from({ length: 150 }, (_, i) => `message ${i}`);
  texts.forEach((text, i) => {
    archive(topic, text, nanoseconds(Date.now() - HOUR) + BigInt(i));
  });
  let queries = 0;
  for (const each of network.nodes) each.faults.choose = () => (++queries === 3 ? { kind: "cut" } : undefined);
  const bob = await client();
  await bob.client.subscribe(topic);
  await bob.until(() => bob.received().length === texts.length);
  expect(bob.received()).toEqual(texts);
});

test("6 250 messages of one and the same timestamp are walked page by page, none left out, none twice", async () => {
  const topic = freshTopic();
  const at = nanoseconds(Date.now() - HOUR);
  const texts = Array.from({ length: 250 }, (_, i) => `message ${i}`);
  for (const text of texts) archive(topic, text, at);
  const bob = await client();
  await bob.client.subscribe(topic);
  await bob.until(() => bob.received().length >= texts.length);
  expect([...bob.received()].sort()).toEqual([...texts].sort());
});

test("7 a subscription that is refused once is there a moment later", async () => {
  for (const each of network.nodes)
    each.faults.set("filter", { kind: "refuse", status: { code: 503, desc: "SERVICE_UNAVAILABLE" } }, 1);
  const [bob, topic] = [await client(), freshTopic()];
  await bob.subscribe(topic);
  expect(bob.client.topicHealth(topic)).toBe("SUFFICIENTLY_HEALTHY");
});

test("8 a send right after the start waits for who can take it, and no peer counts before it said what it offers", async () => {
  for (const each of network.nodes) each.faults.set("metadata", { kind: "hold" });
  const alice = await client();
  const id = await alice.send(freshTopic(), "early");
  await Promise.race(network.nodes.map((each) => each.faults.struck("metadata")));
  expect(alice.client.peers()).toEqual({ lightpush: 0, filter: 0, store: 0 });
  for (const each of network.nodes) each.faults.clear();
  expect((await alice.final(id)).map(({ type }) => type)).toEqual(["propagated", "sent"]);
});

test("9 without a store peer the health says so", async () => {
  for (const each of network.nodes) await each.withdraw("store");
  const alice = await client();
  await alice.until(() => alice.client.peers().filter === 2);
  expect(alice.client.connectionStatus()).toBe("Disconnected");
  expect(alice.client.diagnostics().lacks).toEqual([{ service: "store", peers: 0 }]);
  for (const each of network.nodes) await each.offer("store");
});

test("10 it runs where there is no localStorage", async () => {
  const descriptor = Object.getOwnPropertyDescriptor(globalThis, "localStorage");
  Reflect.deleteProperty(globalThis, "localStorage");
  try {
    const alice = await connected();
    expect(alice.client.connectionStatus()).toBe("Connected");
  } finally {
    if (descriptor) Object.defineProperty(globalThis, "localStorage", descriptor);
  }
});

test("11 known addresses are dialled at the start: connected without any timer having fired", async () => {
  const still: Clock = { now: () => Date.now(), after: () => () => {} };
  const alice = await client(undefined, { clock: still });
  await alice.until(() => alice.client.connectionStatus() === "Connected");
  expect(alice.client.peers().store).toBe(2);
});

test("12 both nodes restart: connected again within a few attempts, the first of them after a second", async () => {
  const alice = await connected();
  const gone = alice.until(() => alice.client.connectionStatus() === "Disconnected");
  await Promise.all(network.nodes.map((each) => each.stop()));
  await gone;
  for (const each of network.nodes) await each.start();
  const startedAt = Date.now();
  await alice.until(() => alice.client.connectionStatus() === "Connected");
  expect(Date.now() - startedAt).toBeLessThan(20_000);
});
