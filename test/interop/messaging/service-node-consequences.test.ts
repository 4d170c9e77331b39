/**
 * What a real service node does (logos-delivery 0.38.1, as captured in `test/vectors/logos-delivery`), and what this layer
 * makes of it. The nodes of these tests have the captured limits switched on.
 */
import { generateKeyPair, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type LocalNetwork, startLocalNetwork } from "../../../dev/network/local-network.ts";
import type { SeenRequest } from "../../../dev/network/request-log.ts";
import type { ServiceNode } from "../../../dev/network/service-node.ts";
import { hashOf } from "../../../dev/network/waku-message.ts";
import { MemoryStorage } from "../../../packages/reliable-channel/mock/memory-storage.ts";
import { EMPTY, ownBytes, toHex, utf8 } from "../../../src/common/bytes.ts";
import { type Clock, systemClock } from "../../../src/common/clock.ts";
import { LIMITS } from "../../../src/limits.ts";
import { pubsubTopicOf, shardOf } from "../../../src/messaging/content-topic.ts";
import { messageHash, nanoseconds } from "../../../src/messaging/waku-message.ts";
import { encodedBytes } from "../../../src/messaging/waku-message-codec.ts";
import { WakuServiceNodes } from "../../../src/messaging/waku-service-nodes.ts";
import { AcceleratedClock } from "../../support/accelerated-clock.ts";
import { WakuClient, type WakuClientOptions } from "./waku-client.ts";

const SPEED = 10;
const clock = new AcceleratedClock(SPEED);
let network: LocalNetwork;
let clients: WakuClient[] = [];
let topics = 0;

async function client(storage = new MemoryStorage(), options: WakuClientOptions = {}): Promise<WakuClient> {
  const started = await WakuClient.start(network, storage, { clock, ...options });
  clients.push(started);
  return started;
}

async function connected(storage?: MemoryStorage, options?: WakuClientOptions): Promise<WakuClient> {
  const started = await client(storage, options);
  await started.until(() => started.client.connectionStatus() === "Connected");
  return started;
}

function freshTopic(): string {
  return `/consequence/1/topic${++topics}/proto`;
}

function pubsubTopic(contentTopic: string): string {
  const shard = shardOf(contentTopic, network.shards);
  if (!shard.ok) throw new Error(shard.error);
  return pubsubTopicOf(network.clusterId, shard.value);
}

function node(index: number): ServiceNode {
  const found = network.nodes[index];
  if (!found) throw new Error(`there is no node ${index}`);
  return found;
}

function pushes(): readonly SeenRequest[] {
  return network.nodes.flatMap((each) => each.requests.of("lightpush")).sort((a, b) => a.at - b.at);
}

const statusesOf = (requests: readonly SeenRequest[]) => requests.map(({ statusCode }) => statusCode);

beforeAll(async () => {
  network = await startLocalNetwork({ limits: "real", clock });
});

afterEach(async () => {
  await Promise.all(clients.map((each) => each.stop()));
  clients = [];
  await network.reset();
});

afterAll(async () => {
  await network.stop();
});

describe("lightpush is limited per peer", () => {
  test("paced: 100 messages at once through both nodes, not one rejected, no stream opened ahead of need", async () => {
    const [alice, topic] = [await connected(), freshTopic()];
    const ids = await Promise.all(Array.from({ length: 100 }, (_, i) => alice.send(topic, `message ${i}`)));
    for (const id of ids) expect((await alice.final(id)).map(({ type }) => type)).toEqual(["propagated", "sent"]);
    expect(statusesOf(pushes())).toEqual(Array(100).fill(200));
    for (const each of network.nodes) {
      const at = each.requests.of("lightpush").map((request) => request.at);
      expect(at.length).toBeGreaterThan(30);
      // Answers are logged a little after the pushes were paced.
      for (const start of at) expect(at.filter((t) => t >= start && t < start + 9_000).length).toBeLessThanOrEqual(37);
    }
  });

  test("429: nodes that reject are left alone for the rest of their window, then asked again", async () => {
    const alice = await connected();
    for (const each of network.nodes)
      each.faults.set("lightpush", { kind: "refuse", status: { code: 429, desc: "too many requests" } }, 1);
    const events = await alice.final(await alice.send(freshTopic(), "throttled"));
    expect(events.map(({ type }) => type)).toEqual(["propagated", "sent"]);
    const [first, second, third] = pushes();
    expect([first, second, third].map((push) => push?.statusCode)).toEqual([429, 429, 200]);
    expect((third?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(LIMITS.messaging.lightpushWindowMs - 500);
  });
});

describe("streams", () => {
  test("yamux is offered first: 260 pushes at once, most of them rejected, and the connection holds", async () => {
    const privateKey = ownBytes(privateKeyToProtobuf(await generateKeyPair("Ed25519")));
    // In real time: the flood is work for the machine, which a fast clock would take for a node that does not answer.
    await using own = await startLocalNetwork({ limits: "real" });
    const config = { ...own, name: "flood", bootstrap: own.multiaddrs.slice(0, 1) };
    const nodes = new WakuServiceNodes({ network: config, privateKey, clock: systemClock });
    const disconnected: string[] = [];
    const there = new Promise<string>((resolve) => {
      nodes.listen({
        onPush: () => {},
        onTrouble: (what) => disconnected.push(what),
        onPeersChanged: () => {
          const [peer] = nodes.peers("lightpush");
          if (peer === undefined) disconnected.push("gone");
          else resolve(peer);
        },
      });
    });
    await nodes.start();
    const peer = await there;
    const topic = freshTopic();
    const flood = await Promise.all(
      Array.from({ length: 260 }, (_, i) =>
        nodes.lightpush(peer, pubsubTopic(topic), {
          contentTopic: topic,
          payload: utf8(`flood ${i}`),
          meta: EMPTY,
          ephemeral: true,
          timestamp: nanoseconds(systemClock.now()) + BigInt(i),
        }),
      ),
    );
    const statuses = flood.map((answer) => (answer.ok ? answer.value.status : answer.error));
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(200);
    expect((await nodes.storeQuery(peer, { hashes: [], includeData: false })).ok).toBe(true);
    expect(disconnected).toEqual([]);
    await nodes.stop();
  });
});

describe("505 never means lost", () => {
  test("the same bytes again are answered 505: the store is asked first, and has them", async () => {
    const alice = await connected();
    for (const each of network.nodes) each.faults.set("lightpush", { kind: "cut", processed: true });
    const events = await alice.final(await alice.send(freshTopic(), "pushed once"));
    expect(events.map(({ type }) => type)).toEqual(["propagated", "sent"]);
    expect(pushes()).toHaveLength(1);
  });

  test("with no store to ask, the same bytes are answered 505 until they are stamped anew and relayed", async () => {
    const storage = new MemoryStorage();
    for (const each of network.nodes) await each.withdraw("store");
    const alice = await client(storage);
    await alice.until(() => alice.client.peers().lightpush === 2);
    for (const each of network.nodes) each.faults.set("lightpush", { kind: "cut", processed: true }, 1);
    const events = await alice.final(await alice.send(freshTopic(), "must travel anew"));
    expect(events.map(({ type }) => type)).toEqual(["propagated", "sent"]);
    const seen = pushes();
    expect(seen.at(-1)?.statusCode).toBe(200);
    expect(statusesOf(seen)).toContain(505);
    expect(new Set(seen.flatMap(({ hashes }) => hashes)).size).toBe(2);
    for (const each of network.nodes) await each.offer("store");
  });

  test("a lone node answers 505, archives and delivers", async () => {
    const alice = await connected();
    for (const each of network.nodes) each.faults.noRelayPeers = true;
    const topic = freshTopic();
    const events = await alice.final(await alice.send(topic, "alone"));
    expect(events.map(({ type }) => type)).toEqual(["propagated", "sent"]);
    expect(statusesOf(pushes())).toEqual([505]);
    await alice.until(() => alice.received().length === 1);
  });
});

describe("messages", () => {
  test("S14 O6 the largest is taken to the byte; what is larger, or has too much meta, is not sent to be refused", async () => {
    const [alice, topic] = [await connected(), freshTopic()];
    const meta = utf8("RELIABLE-CHANNEL-API/1");
    const sized = (bytes: number) =>
      encodedBytes({
        contentTopic: topic,
        payload: new Uint8Array(bytes),
        meta,
        ephemeral: false,
        timestamp: nanoseconds(clock.now()),
      });
    const largest = LIMITS.messaging.messageBytes - (sized(150_000) - 150_000);
    const fits = await alice.final(await alice.send(topic, new Uint8Array(largest), meta));
    expect(fits.map(({ type }) => type)).toEqual(["propagated", "sent"]);
    const refused = await alice.final(await alice.send(topic, new Uint8Array(largest + 1), meta));
    expect(refused.map(({ type }) => type)).toEqual(["error"]);
    const envelope = { contentTopic: topic, payload: utf8("x"), ephemeral: false };
    expect(await alice.client.send({ ...envelope, meta: new Uint8Array(65) }, "65")).toMatchObject({ ok: false });
    expect(statusesOf(pushes())).toEqual([200]);
  });

  test("always stamped: the archived message is the one whose hash was told", async () => {
    const [alice, topic] = [await connected(), freshTopic()];
    const events = await alice.final(await alice.send(topic, "stamped"));
    const [archived] = node(0).archive.messages(topic);
    expect(archived?.message.timestamp).toBeGreaterThan(0n);
    expect(events.at(-1)).toMatchObject({ type: "sent", messageHash: archived?.hash });
    const message = { contentTopic: topic, payload: utf8("stamped"), meta: EMPTY, ephemeral: false };
    const hash = messageHash(pubsubTopic(topic), { ...message, timestamp: archived?.message.timestamp ?? 0n });
    expect(toHex(hash)).toBe(archived?.hash);
  });

  test("O5 a sender whose clock is 30 s off is heard, but no store has it: an error, never a false sent", async () => {
    const slow: Clock = { now: () => clock.now() - 30_000, after: (ms, callback) => clock.after(ms, callback) };
    const topic = freshTopic();
    const bob = await connected();
    await bob.subscribe(topic);
    const alice = await connected(undefined, { clock: slow });
    const events = await alice.final(await alice.send(topic, "from the past"));
    expect(events.map(({ type }) => type)).toEqual(["propagated", "error"]);
    expect(bob.received()).toEqual(["from the past"]);
    expect(node(0).archive.messages(topic)).toEqual([]);
  });

  test("A06 S24 ephemeral messages are received and never stored; the others are there as soon as they are pushed", async () => {
    const [alice, topic] = [await connected(), freshTopic()];
    await alice.subscribe(topic);
    const envelope = { contentTopic: topic, payload: utf8("now or never"), meta: EMPTY, ephemeral: true };
    const sent = await alice.client.send(envelope, "ephemeral");
    if (!sent.ok) throw new Error(sent.error.error);
    expect((await alice.final(sent.value)).map(({ type }) => type)).toEqual(["propagated", "sent"]);
    await alice.until(() => alice.received().length === 1);
    expect(node(0).archive.messages(topic)).toEqual([]);
    const kept = await alice.final(await alice.send(topic, "kept"));
    expect(kept.at(-1)).toMatchObject({ type: "sent", messageHash: node(0).archive.hashes(topic)[0] });
  });
});

/** Puts messages of the last hour into the archives of both nodes; `spacingNs` apart. */
function fill(topic: string, count: number, spacingNs: bigint): readonly string[] {
  const from = nanoseconds(clock.now() - 3_600_000);
  return Array.from({ length: count }, (_, i) => {
    const text = `archived ${String(i).padStart(4, "0")}`;
    const timestamp = from + BigInt(i) * spacingNs;
    const message = { payload: utf8(text), contentTopic: topic, version: 0, timestamp, meta: EMPTY, proof: EMPTY };
    const entry = { ...message, ephemeral: false };
    for (const each of network.nodes)
      each.archive.insert({ hash: hashOf(pubsubTopic(topic), entry), pubsubTopic: pubsubTopic(topic), message: entry });
    return text;
  });
}

describe("store", () => {
  test("250 archived messages come in order through pages of 100, none twice", async () => {
    const topic = freshTopic();
    const texts = fill(topic, 250, 1_000_000n);
    const bob = await client();
    await bob.client.subscribe(topic);
    await bob.until(() => bob.received().length === texts.length);
    expect(bob.received()).toEqual(texts);
    const refused = network.nodes
      .flatMap((each) => each.requests.of("store"))
      .filter((each) => each.statusCode !== 200);
    expect(refused).toEqual([]);
  });

  test("a cursor that the store no longer knows (300) ends the walk as an error, and the rest comes later", async () => {
    const topic = freshTopic();
    const texts = fill(topic, 250, 1_000_000n);
    let pages = 0;
    for (const each of network.nodes) {
      each.faults.tamperStore = (page) =>
        page.cursor !== undefined && ++pages <= 2 ? { ...page, cursor: "ab".repeat(32) } : page;
    }
    const bob = await client();
    await bob.client.subscribe(topic);
    await bob.until(() => bob.received().length === texts.length);
    expect(bob.received()).toEqual(texts);
    const statuses = network.nodes.flatMap((each) => statusesOf(each.requests.of("store")));
    expect(statuses).toContain(300);
  });

  test("both ends of a time are inclusive, so nothing falls between two windows", async () => {
    const topic = freshTopic();
    const at = nanoseconds(clock.now() - 3_600_000);
    const message = { payload: utf8("on the edge"), contentTopic: topic, version: 0, timestamp: at, meta: EMPTY };
    const entry = { ...message, proof: EMPTY, ephemeral: false };
    node(0).archive.insert({
      hash: hashOf(pubsubTopic(topic), entry),
      pubsubTopic: pubsubTopic(topic),
      message: entry,
    });
    const privateKey = ownBytes(privateKeyToProtobuf(await generateKeyPair("Ed25519")));
    const config = { ...network, name: "edge", bootstrap: [node(0).multiaddr] };
    const nodes = new WakuServiceNodes({ network: config, privateKey, clock });
    const there = new Promise<string>((resolve) => {
      nodes.listen({
        onPush: () => {},
        onTrouble: () => {},
        onPeersChanged: () => resolve(nodes.peers("store")[0] ?? ""),
      });
    });
    await nodes.start();
    const peer = await there;
    const ms = Number(at / 1_000_000n);
    const found = [];
    for (const [from, to] of [
      [ms - 1000, ms],
      [ms, ms + 1000],
    ] as const) {
      const range = { pubsubTopic: pubsubTopic(topic), contentTopic: topic, from, to };
      const answer = await nodes.storeQuery(peer, { topic: range, includeData: false });
      found.push(answer.ok ? answer.value.messages.length : answer.error);
    }
    expect(found).toEqual([1, 1]);
    await nodes.stop();
  });
});

describe("filter", () => {
  test("F11 a worker that restarts is the same peer to its nodes, which still hold its subscription", async () => {
    const [storage, topic] = [new MemoryStorage(), freshTopic()];
    const bob = await connected(storage);
    await bob.subscribe(topic);
    const peers = new Set(
      node(0)
        .requests.of("filter")
        .map(({ peer }) => peer),
    );
    await bob.stop();
    for (const peer of peers) expect(node(0).criteria(peer)).toBe(1);
    const again = await connected(storage);
    await again.subscribe(topic);
    expect(
      new Set(
        node(0)
          .requests.of("filter")
          .map(({ peer }) => peer),
      ),
    ).toEqual(peers);
  });

  test("pushes come before the answer of the lightpush, one's own too, and make no second event", async () => {
    const [alice, topic] = [await connected(), freshTopic()];
    await alice.subscribe(topic);
    const id = await alice.send(topic, "own");
    await alice.final(id);
    await alice.until(() => alice.received().length === 1);
    expect(alice.events.map(({ type }) => type).toSorted()).toEqual(["propagated", "received", "sent"]);
  });

  test("F12 250 topics of one shard go in requests of 100 and are all served", async () => {
    const bob = await connected();
    const many = Array.from({ length: 250 }, (_, i) => `/consequence/1/many${i}/proto`);
    await Promise.all(many.map((topic) => bob.client.subscribe(topic)));
    await bob.until(() => many.every((topic) => bob.client.topicHealth(topic) === "SUFFICIENTLY_HEALTHY"));
    const requests = network.nodes.flatMap((each) => each.requests.of("filter"));
    expect(new Set(statusesOf(requests))).toEqual(new Set([200]));
  });

  test("a second connection of one peer is dropped: it is never made, and the first one serves", async () => {
    const [alice, topic] = [await connected(), freshTopic()];
    const seen: string[] = [];
    alice.onEvent(() => seen.push(alice.client.connectionStatus()));
    alice.client.networkChanged();
    alice.client.networkChanged();
    expect((await alice.final(await alice.send(topic, "one connection"))).at(-1)?.type).toBe("sent");
    expect(seen).not.toContain("Disconnected");
    expect(seen).not.toContain("PartiallyConnected");
  });
});

test("a client of this cluster that speaks metadata stays connected; one of another cluster is disconnected at once", async () => {
  const alice = await connected();
  const stranger = await WakuClient.start({ ...network, clusterId: 7 }, undefined, { clock });
  clients.push(stranger);
  await expect
    .poll(() => stranger.client.diagnostics().lastErrors.map(({ what }) => what))
    .toContainEqual(expect.stringContaining("cluster"));
  expect(stranger.client.peers()).toEqual({ lightpush: 0, filter: 0, store: 0 });
  expect(alice.client.connectionStatus()).toBe("Connected");
});
