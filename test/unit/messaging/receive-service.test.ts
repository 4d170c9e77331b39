import { describe, expect, test } from "vitest";
import type { FakeNode } from "../../../packages/reliable-channel/mock/fake-service-nodes.ts";
import { err, ok } from "../../../src/common/result.ts";
import { LIMITS } from "../../../src/limits.ts";
import { pubsubTopicOf, shardOf } from "../../../src/messaging/content-topic.ts";
import { NETWORK_PRESETS } from "../../../src/messaging/network-presets.ts";
import { MessagingBench, TOPIC } from "./messaging-bench.ts";

const SECOND = 1000;
const HOUR = 3_600_000;

function pubsubTopic(contentTopic = TOPIC): string {
  const { clusterId, shards } = NETWORK_PRESETS.local;
  const shard = shardOf(contentTopic, shards);
  if (!shard.ok) throw new Error(shard.error);
  return pubsubTopicOf(clusterId, shard.value);
}

async function bench(): Promise<MessagingBench> {
  return new MessagingBench().start();
}

/** Subscribed at two filter nodes that are stores too, and at rest. */
async function subscribed(): Promise<{ b: MessagingBench; nodes: [FakeNode, FakeNode] }> {
  const b = await bench();
  const nodes: [FakeNode, FakeNode] = [b.network.node("a"), b.network.node("b")];
  b.nodes.connect(...nodes);
  await b.client.subscribe(TOPIC);
  await b.clock.settle();
  return { b, nodes };
}

describe("filter", () => {
  test("F01 R03 a message pushed by two nodes and found in the store is received once", async () => {
    const { b } = await subscribed();
    b.network.publish(pubsubTopic(), b.message("hello"));
    await b.clock.advance(LIMITS.messaging.catchUpEveryMs * 3);
    expect(b.received()).toEqual(["hello"]);
  });

  test("R03 the same message live, and again from the store 7 minutes later, is one event", async () => {
    const { b } = await subscribed();
    const message = b.message("hello", b.clock.now() + 6.9 * 60 * SECOND);
    b.network.publish(pubsubTopic(), message);
    await b.clock.advance(7 * 60 * SECOND);
    expect(b.network.queries.some(({ query }) => query.topic)).toBe(true);
    expect(b.received()).toEqual(["hello"]);
  });

  test("F02 F03 F05 F06 only what is subscribed is received; subscriptions are a set", async () => {
    const { b } = await subscribed();
    b.network.publish(pubsubTopic("/test/1/other/proto"), b.message("elsewhere", b.clock.now(), "/test/1/other/proto"));
    await b.client.subscribe(TOPIC);
    await b.client.unsubscribe(TOPIC);
    await b.clock.settle();
    b.network.publish(pubsubTopic(), b.message("unsubscribed"));
    await b.clock.settle();
    expect(b.received()).toEqual([]);
    await b.client.subscribe(TOPIC);
    await b.clock.settle();
    b.network.publish(pubsubTopic(), b.message("again"));
    await b.clock.settle();
    expect(b.received()).toContain("again");
  });

  test("F04 F07 topics on one shard and on others are independent", async () => {
    const { b } = await subscribed();
    const others = Array.from({ length: 20 }, (_, i) => `/app${i}/1/name/proto`);
    for (const topic of others) await b.client.subscribe(topic);
    await b.clock.settle();
    await b.client.unsubscribe(others[0] ?? "");
    await b.clock.settle();
    for (const topic of others) b.network.publish(pubsubTopic(topic), b.message(topic, b.clock.now(), topic));
    await b.clock.settle();
    expect(new Set(others.map((topic) => pubsubTopic(topic))).size).toBeGreaterThan(1);
    expect(b.received()).toEqual(others.slice(1));
  });

  test("A08 after unsubscribing a message is not received, one on another topic after it is", async () => {
    const { b } = await subscribed();
    const sentinel = "/sentinel/1/name/proto";
    await b.client.subscribe(sentinel);
    await b.client.unsubscribe(TOPIC);
    await b.clock.settle();
    b.network.publish(pubsubTopic(), b.message("m1"));
    b.network.publish(pubsubTopic(sentinel), b.message("sentinel", b.clock.now(), sentinel));
    await b.clock.advance(2 * LIMITS.messaging.catchUpEveryMs);
    expect(b.received()).toEqual(["sentinel"]);
  });

  test("O3 suspended for more than five minutes: the nodes forgot us, and what was sent meanwhile comes on waking", async () => {
    const { b, nodes } = await subscribed();
    for (const node of nodes) node.subscriptions.clear();
    b.network.store(pubsubTopic(), b.message("while asleep", b.clock.now() + 200 * SECOND));
    await b.clock.sleep(6 * 60 * SECOND);
    await b.clock.settle();
    expect(b.received()).toEqual(["while asleep"]);
    expect(b.client.topicHealth(TOPIC)).toBe("SUFFICIENTLY_HEALTHY");
  });

  test("when the network changed, subscriptions and stores are asked at once", async () => {
    const { b, nodes } = await subscribed();
    await b.clock.advance(5 * SECOND);
    for (const node of nodes) node.subscriptions.clear();
    b.network.store(pubsubTopic(), b.message("missed"));
    b.client.networkChanged();
    await b.clock.settle();
    expect(b.nodes.networkChanges).toBe(1);
    expect(b.received()).toEqual(["missed"]);
    expect(b.client.topicHealth(TOPIC)).toBe("SUFFICIENTLY_HEALTHY");
  });

  test("a push under a pubsub topic that is not the content topic's is dropped", async () => {
    const { b } = await subscribed();
    b.nodes.deliver("a", "/waku/2/rs/42/99", b.message("wrong shard"));
    await b.clock.settle();
    expect(b.received()).toEqual([]);
  });

  test("F08 F09 one of two nodes leaves: messages come through the other, and a spare takes its place", async () => {
    const { b, nodes } = await subscribed();
    const [first] = nodes;
    b.nodes.disconnect(first);
    await b.clock.settle();
    expect(b.client.topicHealth(TOPIC)).toBe("MINIMALLY_HEALTHY");
    b.network.publish(pubsubTopic(), b.message("through the other"));
    await b.clock.settle();
    b.nodes.connect(b.network.node("spare", ["filter"]));
    await b.clock.settle();
    expect(b.client.topicHealth(TOPIC)).toBe("SUFFICIENTLY_HEALTHY");
    expect(b.received()).toEqual(["through the other"]);
  });

  test.each([
    ["503", ok({ status: 503, statusText: "no" })],
    ["429", ok({ status: 429, statusText: "no" })],
    ["a time-out", err("no answer in time")],
  ])("F10 a subscribe that is refused with %s is sent again", async (_, refusal) => {
    const b = await bench();
    const node = b.network.node("a");
    let refusals = 1;
    node.answerFilter = () => (refusals-- > 0 ? refusal : undefined);
    b.nodes.connect(node);
    await b.client.subscribe(TOPIC);
    await b.clock.settle();
    expect(b.client.topicHealth(TOPIC)).toBe("UNHEALTHY");
    await b.clock.advance(LIMITS.messaging.retryMs);
    expect(b.client.topicHealth(TOPIC)).toBe("MINIMALLY_HEALTHY");
  });

  test("F11 subscriptions are pinged at least every 20 s, and made anew where the node forgot them", async () => {
    const { b, nodes } = await subscribed();
    await b.clock.advance(60 * SECOND);
    const pings = b.nodes.filterRequests.filter(({ request, peer }) => request === "ping" && peer === "a");
    expect(pings).toHaveLength(3);
    for (const node of nodes) node.subscriptions.clear();
    await b.clock.advance(LIMITS.messaging.filterPingMs);
    b.network.publish(pubsubTopic(), b.message("after"));
    await b.clock.settle();
    expect(b.received()).toEqual(["after"]);
    expect(b.client.topicHealth(TOPIC)).toBe("SUFFICIENTLY_HEALTHY");
  });

  test("a node that stops answering pings is replaced by one that does", async () => {
    const { b, nodes } = await subscribed();
    b.nodes.connect(b.network.node("spare", ["filter"]));
    nodes[0].answerFilter = () => err("no answer in time");
    await b.clock.advance(LIMITS.messaging.filterPingMs);
    expect(b.network.nodes.find(({ name }) => name === "spare")?.subscriptions.size).toBe(1);
    expect(b.client.topicHealth(TOPIC)).toBe("SUFFICIENTLY_HEALTHY");
  });

  test("F12 many topics go in requests of at most 100", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a", ["filter"]));
    for (let i = 0; i < 250; i++) await b.client.subscribe(`/app/1/name${i}/proto`);
    await b.clock.settle();
    const sizes = b.nodes.filterRequests.map(({ topics }) => topics.length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(LIMITS.messaging.filterTopics);
    expect(b.client.topicHealth("/app/1/name249/proto")).toBe("MINIMALLY_HEALTHY");
  });

  test("the listener is awaited one event at a time per content topic, and topics do not wait for each other", async () => {
    const { b } = await subscribed();
    const other = "/other/1/name/proto";
    await b.client.subscribe(other);
    await b.clock.settle();
    const release: (() => void)[] = [];
    b.listen = (event) =>
      event.type === "received" && event.message.contentTopic === TOPIC
        ? new Promise((resolve) => release.push(() => resolve(true)))
        : true;
    b.network.publish(pubsubTopic(), b.message("one"));
    b.network.publish(pubsubTopic(), b.message("two"));
    b.network.publish(pubsubTopic(other), b.message("three", b.clock.now(), other));
    await b.clock.settle();
    expect(b.received()).toEqual(["one", "three"]);
    release[0]?.();
    await b.clock.settle();
    expect(b.received()).toEqual(["one", "three", "two"]);
  });
});

describe("catch-up", () => {
  test("R01 a message archived before the subscriber connects is received once", async () => {
    const b = await bench();
    b.network.store(pubsubTopic(), b.message("early", b.clock.now() - HOUR));
    await b.client.subscribe(TOPIC);
    b.nodes.connect(b.network.node("s", ["store"]));
    await b.clock.advance(5 * 60 * SECOND);
    expect(b.received()).toEqual(["early"]);
  });

  test("R02 what was archived while offline comes by itself, once, oldest first", async () => {
    const { b, nodes } = await subscribed();
    b.nodes.disconnect(...nodes);
    await b.clock.advance(2 * HOUR);
    for (const minutes of [90, 60, 30])
      b.network.store(pubsubTopic(), b.message(`${minutes} ago`, b.clock.now() - minutes * 60 * SECOND));
    b.nodes.connect(nodes[0]);
    await b.clock.settle();
    expect(b.received()).toEqual(["90 ago", "60 ago", "30 ago"]);
  });

  test("R02 what the filter nodes missed while they were away comes as soon as one is back, the store being there all along", async () => {
    const b = await bench();
    const filter = b.network.node("f", ["filter"]);
    b.nodes.connect(b.network.node("s", ["store"]), filter);
    await b.client.subscribe(TOPIC);
    await b.clock.settle();
    b.nodes.disconnect(filter);
    await b.clock.advance(SECOND);
    b.network.store(pubsubTopic(), b.message("meanwhile"));
    b.nodes.connect(filter);
    await b.clock.settle();
    expect(b.received()).toEqual(["meanwhile"]);
  });

  test("R04 hashes are asked for first, and only unknown messages are fetched", async () => {
    const { b, nodes } = await subscribed();
    b.network.publish(pubsubTopic(), b.message("live"));
    await b.clock.settle();
    b.nodes.disconnect(...nodes);
    const missed = b.network.store(pubsubTopic(), b.message("missed"));
    b.network.queries.length = 0;
    b.nodes.connect(nodes[0]);
    await b.clock.settle();
    const [presence, fetch] = b.network.queries.map(({ query }) => query);
    expect(presence).toMatchObject({ includeData: false, topic: { contentTopic: TOPIC } });
    expect(fetch).toMatchObject({ includeData: true, hashes: [missed] });
    expect(b.received()).toEqual(["live", "missed"]);
  });

  test("R05 R08 after 30 h away the windows are at most 24 h long, and the newest message is among what returns", async () => {
    const { b } = await subscribed();
    await b.restart();
    await b.clock.advance(30 * HOUR);
    b.network.store(pubsubTopic(), b.message("old", b.clock.now() - 29 * HOUR));
    b.network.store(pubsubTopic(), b.message("new", b.clock.now() - 600 * SECOND));
    await b.client.subscribe(TOPIC);
    b.network.queries.length = 0;
    b.nodes.connect(b.network.node("s", ["store"]));
    await b.clock.settle();
    expect(b.received()).toEqual(["old", "new"]);
    const windows = b.network.queries.flatMap(({ query }) => (query.topic ? [query.topic] : []));
    expect(windows).toHaveLength(2);
    for (const { from, to } of windows) expect(to - from).toBeLessThanOrEqual(24 * HOUR);
    expect((windows[0]?.from ?? 0) + 30 * HOUR).toBe(b.clock.now() - LIMITS.messaging.catchUpOverlapMs);
  });

  test("R06 a new topic asks for the last 24 h", async () => {
    const { b } = await subscribed();
    const from = b.network.queries[0]?.query.topic?.from ?? 0;
    expect(b.clock.now() - from).toBe(LIMITS.messaging.catchUpNewTopicMs + LIMITS.messaging.catchUpOverlapMs);
  });

  test("R07 a reconnect during a look makes another one after it, never two at once", async () => {
    const b = await bench();
    const node = b.network.node("s", ["store"]);
    let underWay = 0;
    let most = 0;
    const waiting: (() => void)[] = [];
    const answer = node.answerStore;
    node.answerStore = async (query) => {
      most = Math.max(most, ++underWay);
      await new Promise<void>((resolve) => waiting.push(resolve));
      underWay--;
      return answer(query);
    };
    await b.client.subscribe(TOPIC);
    b.nodes.connect(node);
    await b.clock.settle();
    b.nodes.disconnect(node);
    b.nodes.connect(node);
    await b.clock.settle();
    expect(waiting).toHaveLength(1);
    waiting[0]?.();
    await b.clock.settle();
    expect(waiting).toHaveLength(2);
    expect(most).toBe(1);
  });

  test("R09 a store that goes between two pages is an error: what came is kept, and the rest comes 30 s later", async () => {
    const b = await bench();
    const node = b.network.node("s", ["store"]);
    const texts = Array.from({ length: 250 }, (_, i) => `message ${i}`);
    texts.forEach((text, i) => {
      b.network.store(pubsubTopic(), b.message(text, b.clock.now() - HOUR + i));
    });
    const answer = node.answerStore;
    let broken = true;
    node.answerStore = (query) => (broken && query.cursor ? err("connection reset") : answer(query));
    await b.client.subscribe(TOPIC);
    b.nodes.connect(node);
    await b.clock.settle();
    expect(b.received()).toEqual(texts.slice(0, LIMITS.messaging.storePage));
    broken = false;
    await b.clock.advance(LIMITS.messaging.catchUpRetryMs);
    expect(b.received()).toEqual(texts);
    const resumed =
      b.network.queries.filter(({ query }) => query.topic && !query.cursor).at(-1)?.query.topic?.from ?? 0;
    expect(resumed).toBe(
      b.clock.now() - LIMITS.messaging.catchUpRetryMs - HOUR + 99 - LIMITS.messaging.catchUpOverlapMs,
    );
  });

  test("R09 a store that fails hands over to the next one at once; a listener that refuses does not", async () => {
    const b = await bench();
    const [first, second] = [b.network.node("a", ["store"]), b.network.node("b", ["store"])];
    first.answerStore = () => err("connection reset");
    b.network.store(pubsubTopic(), b.message("kept", b.clock.now() - HOUR));
    let refuse = true;
    b.listen = () => !refuse;
    await b.client.subscribe(TOPIC);
    b.nodes.connect(first, second);
    await b.clock.settle();
    expect(b.received()).toEqual(["kept"]);
    expect(b.network.queries.map(({ peer }) => peer)).toEqual(["a", "b", "b"]);
    refuse = false;
    await b.clock.advance(LIMITS.messaging.catchUpRetryMs);
    expect(b.received()).toEqual(["kept", "kept"]);
  });

  test("unsubscribed while the subscription was being stored", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a"));
    const subscribing = b.client.subscribe(TOPIC);
    await b.client.unsubscribe(TOPIC);
    await subscribing;
    await b.clock.settle();
    expect(b.client.topicHealth(TOPIC)).toBe("NOT_SUBSCRIBED");
    expect(b.nodes.filterRequests).toEqual([]);
  });

  test("a message that the filter lost is found by the next look", async () => {
    const { b } = await subscribed();
    await b.clock.advance(5 * 60 * SECOND);
    b.network.store(pubsubTopic(), b.message("lost"));
    await b.clock.advance(LIMITS.messaging.catchUpEveryMs);
    expect(b.received()).toEqual(["lost"]);
  });

  test("O7 a stored message that was tampered with does not hash to its name and is not used", async () => {
    const b = await bench();
    const node = b.network.node("s", ["store"]);
    const forged = b.message("forged", b.clock.now() - HOUR);
    const honest = b.message("honest", b.clock.now() - HOUR + 1);
    b.network.store(pubsubTopic(), forged);
    b.network.store(pubsubTopic(), honest);
    b.network.archive = b.network.archive.map((entry) =>
      entry.message === forged ? { ...entry, message: b.message("tampered", b.clock.now() - HOUR) } : entry,
    );
    await b.client.subscribe(TOPIC);
    b.nodes.connect(node);
    await b.clock.settle();
    expect(b.received()).toEqual(["honest"]);
  });

  test("what the listener could not make durable comes again, and what is later waits for nothing", async () => {
    const { b } = await subscribed();
    let refuse = true;
    b.listen = () => !refuse;
    b.network.publish(pubsubTopic(), b.message("twice"));
    await b.clock.settle();
    refuse = false;
    await b.clock.advance(LIMITS.messaging.catchUpRetryMs);
    expect(b.received()).toEqual(["twice", "twice"]);
    await b.clock.advance(10 * LIMITS.messaging.catchUpEveryMs);
    expect(b.received()).toHaveLength(2);
  });

  test("A09 a listener that stands still (no REST cache here: the intake is bounded): order kept, the rest from the store, nothing twice", async () => {
    const { b } = await subscribed();
    let release = () => {};
    const still = new Promise<void>((resolve) => {
      release = resolve;
    });
    b.listen = async () => {
      await still;
      return true;
    };
    const texts = Array.from({ length: LIMITS.messaging.intakeMessages + 100 }, (_, i) => `message ${i}`);
    texts.forEach((text, i) => {
      b.network.publish(pubsubTopic(), b.message(text, b.clock.now() + i));
    });
    await b.clock.settle();
    expect(b.received()).toEqual(texts.slice(0, 1));
    release();
    await b.clock.advance(LIMITS.messaging.catchUpRetryMs + SECOND);
    expect(b.received()).toEqual(texts);
  });

  test("a look goes on from where the last worker left it", async () => {
    const { b } = await subscribed();
    await b.clock.advance(5 * 60 * SECOND);
    const leftAt = b.clock.now();
    await b.restart();
    await b.clock.advance(HOUR);
    b.network.store(pubsubTopic(), b.message("meanwhile", leftAt + HOUR / 2));
    b.network.queries.length = 0;
    await b.client.subscribe(TOPIC);
    b.nodes.connect(b.network.node("s", ["store"]));
    await b.clock.settle();
    expect(b.received()).toEqual(["meanwhile"]);
    const from = b.network.queries[0]?.query.topic?.from ?? 0;
    expect(leftAt - from).toBeLessThanOrEqual(LIMITS.messaging.catchUpEveryMs + LIMITS.messaging.catchUpOverlapMs);
  });

  test("a crash at any commit loses no message", async () => {
    for (const when of ["beforeCommit", "afterCommit"] as const) {
      for (let fatal = 0; ; fatal++) {
        const b = await bench();
        const node = b.network.node("s", ["store"]);
        const texts = Array.from({ length: 250 }, (_, i) => `message ${i}`);
        texts.forEach((text, i) => {
          b.network.store(pubsubTopic(), b.message(text, b.clock.now() - HOUR + i));
        });
        let commits = 0;
        b.storage[when] = () => {
          if (commits++ === fatal) throw new Error("the worker died");
        };
        b.nodes.connect(node);
        await b.client.subscribe(TOPIC).catch(() => {});
        await b.clock.settle();
        await b.restart();
        b.nodes.connect(node);
        await b.client.subscribe(TOPIC);
        await b.clock.settle();
        expect([...new Set(b.received())]).toEqual(texts);
        if (commits <= fatal) break;
      }
    }
  });
});

describe("health", () => {
  test("H01 Disconnected, PartiallyConnected and Connected follow the services", async () => {
    const b = await bench();
    expect(b.client.connectionStatus()).toBe("Disconnected");
    b.nodes.connect(b.network.node("l", ["lightpush"]), b.network.node("f", ["filter"]));
    expect(b.client.connectionStatus()).toBe("Disconnected");
    b.nodes.connect(b.network.node("s", ["store"]));
    expect(b.client.connectionStatus()).toBe("PartiallyConnected");
    b.nodes.connect(b.network.node("a"));
    expect(b.client.connectionStatus()).toBe("Connected");
    expect(b.client.peers()).toEqual({ lightpush: 2, filter: 2, store: 2 });
  });

  test("H02 a health event tells of every change, back to Disconnected too", async () => {
    const b = await bench();
    const node = b.network.node("a");
    b.nodes.connect(node);
    await b.clock.settle();
    const before = b.healthEvents;
    expect(before).toBeGreaterThan(0);
    b.nodes.disconnect(node);
    await b.clock.settle();
    expect(b.healthEvents).toBe(before + 1);
    expect(b.client.connectionStatus()).toBe("Disconnected");
  });

  test("H03 the health of a topic follows the filter nodes that serve it", async () => {
    const b = await bench();
    expect(b.client.topicHealth(TOPIC)).toBe("NOT_SUBSCRIBED");
    await b.client.subscribe(TOPIC);
    expect(b.client.topicHealth(TOPIC)).toBe("UNHEALTHY");
    b.nodes.connect(b.network.node("a", ["filter"]));
    await b.clock.settle();
    expect(b.client.topicHealth(TOPIC)).toBe("MINIMALLY_HEALTHY");
    b.nodes.connect(b.network.node("b", ["filter"]));
    await b.clock.settle();
    expect(b.client.topicHealth(TOPIC)).toBe("SUFFICIENTLY_HEALTHY");
    await b.client.unsubscribe(TOPIC);
    expect(b.client.topicHealth(TOPIC)).toBe("NOT_SUBSCRIBED");
  });
});

describe("retrieve", () => {
  test("a message is fetched by its hash from the first store that has it, and again when it is asked for again", async () => {
    const { b, nodes } = await subscribed();
    const wanted = b.message("wanted", b.clock.now() - 30 * HOUR);
    const hash = b.network.store(pubsubTopic(), wanted);
    nodes[0].answerStore = () => ok({ status: 200, statusText: "OK", messages: [] });
    await b.client.retrieve(TOPIC, { hashes: [hash, "00".repeat(32)] });
    expect(b.received()).toEqual(["wanted"]);
    await b.client.retrieve(TOPIC, { hashes: [hash] });
    expect(b.received()).toEqual(["wanted", "wanted"]);
  });

  test("what a store hands out under a hash that is not its own is not received", async () => {
    const { b, nodes } = await subscribed();
    const hash = "11".repeat(32);
    const message = b.message("forged");
    for (const node of nodes) {
      node.answerStore = () => ok({ status: 200, statusText: "OK", messages: [{ hash, message }] });
    }
    await b.client.retrieve(TOPIC, { hashes: [hash] });
    await b.clock.settle();
    expect(b.received()).toEqual([]);
  });

  test("everything of a time is fetched, and nothing else; where the store fails, from the next", async () => {
    const { b, nodes } = await subscribed();
    const at = b.clock.now() - 40 * HOUR;
    for (const [text, time] of [
      ["before", at - 1],
      ["first", at],
      ["last", at + 1000],
      ["after", at + 1001],
    ] as const) {
      b.network.store(pubsubTopic(), b.message(text, time));
    }
    nodes[0].answerStore = () => err("no answer in time");
    await b.client.retrieve(TOPIC, { from: at, to: at + 1000 });
    await b.clock.settle();
    expect(b.received()).toEqual(["first", "last"]);
  });

  test("nothing is asked for a topic that is not subscribed, or without a store", async () => {
    const { b, nodes } = await subscribed();
    const asked = b.network.queries.length;
    await b.client.retrieve("/test/1/other/proto", { hashes: ["22".repeat(32)] });
    b.nodes.disconnect(...nodes);
    await b.client.retrieve(TOPIC, { hashes: ["22".repeat(32)] });
    expect(b.network.queries.length).toBe(asked);
  });
});

describe("rewind", () => {
  /** Subscribed and at rest, with everything received that the stores had: one message per age in milliseconds. */
  async function caughtUp(...ages: readonly number[]): Promise<{ b: MessagingBench; nodes: [FakeNode, FakeNode] }> {
    const b = await bench();
    for (const age of ages) b.network.store(pubsubTopic(), b.message(`${age}`, b.clock.now() - age));
    const nodes: [FakeNode, FakeNode] = [b.network.node("a"), b.network.node("b")];
    b.nodes.connect(...nodes);
    await b.client.subscribe(TOPIC);
    await b.clock.settle();
    expect(b.received()).toEqual(ages.map(String));
    return { b, nodes };
  }

  test("brings again what was told before, from that time on", async () => {
    const { b } = await caughtUp(2 * HOUR, HOUR);
    await b.client.rewind(TOPIC, b.clock.now() - 1.5 * HOUR);
    await b.clock.settle();
    expect(b.received().slice(2)).toEqual([`${HOUR}`]);
  });

  test("is not undone by a look that was under way", async () => {
    const { b, nodes } = await caughtUp(HOUR);
    const waiting: (() => void)[] = [];
    for (const node of nodes) {
      const answer = node.answerStore;
      node.answerStore = async (query) => {
        await new Promise<void>((resolve) => waiting.push(resolve));
        return answer(query);
      };
    }
    await b.clock.advance(LIMITS.messaging.catchUpEveryMs);
    expect(waiting).toHaveLength(1);
    await b.client.rewind(TOPIC, b.clock.now() - 2 * HOUR);
    while (waiting.length > 0) {
      waiting.shift()?.();
      await b.clock.settle();
    }
    expect(b.received().slice(1)).toEqual([`${HOUR}`]);
  });

  test("is remembered through a restart, and never skips ahead", async () => {
    const { b, nodes } = await caughtUp(HOUR);
    b.nodes.disconnect(...nodes);
    await b.client.rewind(TOPIC, b.clock.now() - 2 * HOUR);
    await b.client.rewind(TOPIC, b.clock.now() + HOUR);
    await b.restart();
    await b.client.subscribe(TOPIC);
    b.nodes.connect(b.network.node("s", ["store"]));
    await b.clock.settle();
    expect(b.received().slice(1)).toEqual([`${HOUR}`]);
  });
});
