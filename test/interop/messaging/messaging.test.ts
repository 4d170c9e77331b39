import { multiaddr } from "@multiformats/multiaddr";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type LocalNetwork, startLocalNetwork } from "../../../dev/network/local-network.ts";
import type { ServiceNode } from "../../../dev/network/service-node.ts";
import { MemoryStorage } from "../../../packages/reliable-channel/mock/memory-storage.ts";
import { EMPTY, utf8 } from "../../../src/common/bytes.ts";
import { LIMITS } from "../../../src/limits.ts";
import { currentIdentity } from "../../../src/messaging/node-identity.ts";
import { nanoseconds } from "../../../src/messaging/waku-message.ts";
import { encodedBytes } from "../../../src/messaging/waku-message-codec.ts";
import { createWakuNode } from "../../../src/messaging/waku-node.ts";
import { WakuClient } from "./waku-client.ts";

const MARKER = utf8("RELIABLE-CHANNEL-API/1");
let network: LocalNetwork;
let clients: WakuClient[] = [];
let topics = 0;

async function client(storage?: MemoryStorage, on = network): Promise<WakuClient> {
  const started = await WakuClient.start(on, storage);
  clients.push(started);
  return started;
}

/** A content topic that no other test uses. */
function freshTopic(): string {
  return `/interop/1/topic${++topics}/proto`;
}

function node(index: number, of = network): ServiceNode {
  const found = of.nodes[index];
  if (!found) throw new Error(`there is no node ${index}`);
  return found;
}

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

describe("between two clients", () => {
  test("S11 A01 a push is propagated, received once at the other client, and confirmed by a store", async () => {
    const [alice, bob] = [await client(), await client()];
    const topic = freshTopic();
    await Promise.all([alice.subscribe(topic), bob.subscribe(topic)]);
    expect(alice.client.connectionStatus()).toBe("Connected");
    expect(alice.client.peers()).toEqual({ lightpush: 2, filter: 2, store: 2 });
    const id = await alice.send(topic, "hello", MARKER);
    const events = await alice.final(id);
    expect(events.map(({ type }) => type)).toEqual(["propagated", "sent"]);
    await bob.until(() => bob.received().length > 0);
    const received = bob.events.find((event) => event.type === "received");
    expect(received).toMatchObject({ message: { contentTopic: topic, payload: utf8("hello"), meta: MARKER } });
    const hash = received?.type === "received" ? received.message.messageHash : undefined;
    expect(events).toEqual([
      { type: "propagated", requestId: id, messageHash: hash },
      { type: "sent", requestId: id, messageHash: hash },
    ]);
    expect(bob.received()).toEqual(["hello"]);
    expect(alice.received()).toEqual(["hello"]);
  });

  test("R02 a client that comes back receives what it missed, once, and is the same peer to its nodes", async () => {
    const storage = new MemoryStorage();
    const topic = freshTopic();
    const [alice, bob] = [await client(), await client(storage)];
    await bob.subscribe(topic);
    await bob.stop();
    const ids = [await alice.send(topic, "one"), await alice.send(topic, "two")];
    for (const id of ids) await alice.final(id);
    const peers = () =>
      new Set(
        node(0)
          .requests.of("filter")
          .map(({ peer }) => peer),
      );
    const before = peers();
    const again = await client(storage);
    await again.subscribe(topic);
    await again.until(() => again.received().length === 2);
    await alice.send(topic, "three");
    await again.until(() => again.received().length === 3);
    expect(again.received()).toEqual(["one", "two", "three"]);
    expect(peers()).toEqual(before);
  });

  test("a send that was under way when its worker died is confirmed by the next one", async () => {
    const storage = new MemoryStorage();
    const topic = freshTopic();
    const alice = await client(storage);
    // The node does its work, and the answer never comes.
    for (const each of network.nodes) each.faults.set("lightpush", { kind: "drop", processed: true });
    const seen = Promise.race(network.nodes.map((each) => each.requests.next("lightpush")));
    const id = await alice.send(topic, "survives");
    await seen;
    await alice.stop();
    for (const each of network.nodes) each.faults.clear();
    const again = await client(storage);
    const events = await again.final(id);
    expect(events.map(({ type }) => type)).toEqual(["propagated", "sent"]);
    const pushed = network.nodes.flatMap((each) => each.requests.of("lightpush")).flatMap(({ hashes }) => hashes);
    expect(pushed).toHaveLength(1);
  });

  test("S29 F07 topics on different shards", async () => {
    const [alice, bob] = [await client(), await client()];
    const onShards = ["/app1/1/x/proto", "/app2/1/x/proto", "/app3/1/x/proto", "/app4/1/x/proto"];
    for (const topic of onShards) await bob.subscribe(topic);
    for (const topic of onShards) await alice.send(topic, topic);
    await bob.until(() => bob.received().length === onShards.length);
    expect([...bob.received()].sort()).toEqual(onShards);
  });
});

describe("a service node fails", () => {
  test("S26 F08 one of two nodes stops: sends and pushes go through the other, and it is used again once it is back", async () => {
    const [alice, bob] = [await client(), await client()];
    const topic = freshTopic();
    await Promise.all([alice.subscribe(topic), bob.subscribe(topic)]);
    await node(0).stop();
    const events = await alice.final(await alice.send(topic, "through the other"));
    expect(events.map(({ type }) => type)).toEqual(["propagated", "sent"]);
    await bob.until(() => bob.received().length === 1);
    expect(bob.client.topicHealth(topic)).toBe("MINIMALLY_HEALTHY");
    await node(0).start();
    await bob.until(() => bob.client.topicHealth(topic) === "SUFFICIENTLY_HEALTHY");
    expect(bob.client.connectionStatus()).toBe("Connected");
    expect(bob.received()).toEqual(["through the other"]);
  });

  test("S31 eight sends at once, thrice: in quiet, right after both nodes restarted, and once they are back", async () => {
    const alice = await client();
    await alice.until(() => alice.client.connectionStatus() === "Connected");
    const mixed = [freshTopic(), "/app1/1/x/proto", "/app2/1/x/proto"];
    const eight = (phase: number) =>
      Promise.all(Array.from({ length: 8 }, (_, i) => alice.send(mixed[i % mixed.length] ?? "", `${phase} ${i}`)));
    const ids = await eight(1);
    for (const id of ids) await alice.final(id);
    for (const each of network.nodes) await each.stop();
    const second = eight(2);
    for (const each of network.nodes) await each.start();
    ids.push(...(await second));
    await alice.until(() => alice.client.connectionStatus() === "Connected");
    ids.push(...(await eight(3)));
    const hashes = new Set(network.nodes.flatMap((each) => each.archive.hashes()));
    for (const id of ids) {
      const events = await alice.final(id);
      expect(events.map(({ type }) => type)).toEqual(["propagated", "sent"]);
      for (const each of network.nodes) for (const hash of each.archive.hashes()) hashes.add(hash);
      const last = events.at(-1);
      expect(hashes).toContain(last?.type === "sent" ? last.messageHash : undefined);
    }
    expect(new Set(ids).size).toBe(24);
    for (const event of alice.events) if ("requestId" in event) expect(ids).toContain(event.requestId);
  });

  test("an answer that is cut off: the store is asked, and nothing is pushed twice", async () => {
    const alice = await client();
    for (const each of network.nodes) each.faults.set("lightpush", { kind: "cut", processed: true });
    const events = await alice.final(await alice.send(freshTopic(), "cut"));
    expect(events.map(({ type }) => type)).toEqual(["propagated", "sent"]);
    expect(network.nodes.flatMap((each) => each.requests.of("lightpush"))).toHaveLength(1);
  });

  test("a lone node answers 505 and archives all the same: the store settles it", async () => {
    const alice = await client();
    for (const each of network.nodes) each.faults.noRelayPeers = true;
    const events = await alice.final(await alice.send(freshTopic(), "alone"));
    expect(events.map(({ type }) => type)).toEqual(["propagated", "sent"]);
    const statuses = network.nodes
      .flatMap((each) => each.requests.of("lightpush"))
      .map((request) => request.statusCode);
    expect(statuses).toEqual([505]);
  });

  test("L03 L05 the node's own status decides: 503 is retried elsewhere, 421 is final with its words", async () => {
    const alice = await client();
    await alice.until(() => alice.client.connectionStatus() === "Connected");
    node(0).faults.set("lightpush", { kind: "refuse", status: { code: 503, desc: "busy" } });
    node(1).faults.set("lightpush", { kind: "refuse", status: { code: 503, desc: "busy" } }, 1);
    const retried = await alice.final(await alice.send(freshTopic(), "retried"));
    expect(retried.map(({ type }) => type)).toEqual(["propagated", "sent"]);
    for (const each of network.nodes)
      each.faults.set("lightpush", { kind: "refuse", status: { code: 421, desc: "unsupported topic" } });
    const id = await alice.send(freshTopic(), "refused");
    expect(await alice.final(id)).toEqual([
      { type: "error", requestId: id, kind: "refused", error: "unsupported topic" },
    ]);
  });

  test("R09 a store that resets in the middle of a look loses nothing: the other store is asked", async () => {
    const [alice, topic] = [await client(), freshTopic()];
    await alice.final(await alice.send(topic, "kept"));
    for (const each of network.nodes) each.faults.set("store", { kind: "cut" });
    const cut = Promise.race(network.nodes.map((each) => each.requests.next("store")));
    const bob = await client();
    await bob.client.subscribe(topic);
    await cut;
    for (const each of network.nodes) each.faults.clear("store");
    await bob.until(() => bob.received().length === 1);
    expect(bob.received()).toEqual(["kept"]);
  });
});

describe("the node", () => {
  test("yamux is what is spoken, and addresses without a peer id are enough", async () => {
    const bootstrap = network.multiaddrs.map((address) => address.replace(/\/p2p\/.*$/, ""));
    const { privateKey } = await currentIdentity(undefined, Date.now());
    const waku = await createWakuNode({ name: "local", clusterId: 42, shards: 8, bootstrap }, privateKey);
    await waku.start();
    const connection = await waku.libp2p.dial(multiaddr(bootstrap[0]));
    expect(connection.multiplexer).toBe("/yamux/1.0.0");
    await waku.stop();
    const alice = await client(undefined, { ...network, multiaddrs: bootstrap });
    await alice.until(() => alice.client.connectionStatus() === "Connected");
    await node(1).disconnect();
    await alice.until(() => alice.client.connectionStatus() === "PartiallyConnected");
    await alice.until(() => alice.client.connectionStatus() === "Connected");
  });

  test("a service that a node does not offer is not used, and is once a reconnect tells that it does", async () => {
    await node(0).withdraw("store");
    const alice = await client();
    await alice.until(() => alice.client.peers().lightpush === 2);
    expect(alice.client.peers()).toEqual({ lightpush: 2, filter: 2, store: 1 });
    expect(alice.client.connectionStatus()).toBe("PartiallyConnected");
    await node(0).offer("store");
    await node(0).disconnect();
    await alice.until(() => alice.client.connectionStatus() === "Connected");
  });
});

describe("limits", () => {
  test("S14 T09 the largest message is the one that nodes admit, to the byte", async () => {
    const [alice, topic] = [await client(), freshTopic()];
    const sized = (payload: number) =>
      encodedBytes({
        contentTopic: topic,
        payload: new Uint8Array(payload),
        meta: MARKER,
        ephemeral: false,
        timestamp: nanoseconds(Date.now()),
      });
    const largest = LIMITS.messaging.messageBytes - (sized(150_000) - 150_000);
    expect(sized(largest)).toBe(LIMITS.messaging.messageBytes);
    const fits = await alice.final(await alice.send(topic, new Uint8Array(largest), MARKER));
    expect(fits.map(({ type }) => type)).toEqual(["propagated", "sent"]);
    const id = await alice.send(topic, new Uint8Array(largest + 1), MARKER);
    expect(await alice.final(id)).toEqual([
      { type: "error", requestId: id, kind: "too-large", error: "Message size exceeded maximum of 153600 bytes" },
    ]);
    // The nodes took the largest, and were not troubled with what they would refuse.
    for (const each of network.nodes)
      expect(each.requests.of("lightpush").every(({ statusCode }) => statusCode === 200)).toBe(true);
  });

  test("A07 a burst of 60 through cold nodes with their shipped limits: all sent, not one refused", async () => {
    const real = await startLocalNetwork({ limits: "real" });
    try {
      const [alice, topic] = [await client(undefined, real), freshTopic()];
      await alice.until(() => alice.client.connectionStatus() === "Connected");
      const ids = await Promise.all(Array.from({ length: 60 }, (_, i) => alice.send(topic, `message ${i}`)));
      for (const id of ids) {
        const events = await alice.final(id);
        expect(events.map(({ type }) => type)).toEqual(["propagated", "sent"]);
      }
      const statuses = real.nodes.flatMap((each) => each.requests.of("lightpush")).map(({ statusCode }) => statusCode);
      expect(statuses).toEqual(Array(60).fill(200));
      for (const each of real.nodes) expect(each.requests.count("lightpush")).toBeGreaterThan(20);
    } finally {
      await real.stop();
    }
  });

  test("a client of another cluster is never served", async () => {
    const stranger = await client(undefined, { ...network, clusterId: 7 });
    const peers: unknown[] = [];
    stranger.onEvent(() => peers.push(stranger.client.peers()));
    const alice = await client();
    await alice.until(() => alice.client.connectionStatus() === "Connected");
    for (const served of [...peers, stranger.client.peers()])
      expect(served).toEqual({ lightpush: 0, filter: 0, store: 0 });
  });
});

test("an ephemeral message is received, and is in no store", async () => {
  const [alice, bob] = [await client(), await client()];
  const topic = freshTopic();
  await bob.subscribe(topic);
  await alice.client.send({ contentTopic: topic, payload: utf8("now or never"), meta: EMPTY, ephemeral: true }, "e");
  await bob.until(() => bob.received().length === 1);
  expect(bob.events.find((event) => event.type === "received")).toMatchObject({ message: { ephemeral: true } });
  const late = await client();
  await late.subscribe(topic);
  const looked = Promise.race(network.nodes.map((each) => each.requests.next("store")));
  await alice.send(topic, "to look for");
  await looked;
  await late.until(() => late.received().length > 0);
  expect(late.received()).toEqual(["to look for"]);
});
