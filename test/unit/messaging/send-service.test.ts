import { describe, expect, test } from "vitest";
import { LightpushLimiter } from "../../../dev/network/rate-limit.ts";
import { NO_ANSWER } from "../../../packages/reliable-channel/mock/fake-service-nodes.ts";
import { utf8 } from "../../../src/common/bytes.ts";
import { err, ok } from "../../../src/common/result.ts";
import { LIMITS } from "../../../src/limits.ts";
import { NOT_CONFIRMED, NOT_SENT, QUEUE_FULL } from "../../../src/messaging/send-service.ts";
import type { LightpushAnswer } from "../../../src/messaging/service-nodes.ts";
import { nanoseconds } from "../../../src/messaging/waku-message.ts";
import { MessagingBench, TOPIC } from "./messaging-bench.ts";

const SECOND = 1000;
const answers = (status: number, statusText = `status ${status}`, relayPeerCount = 0) =>
  ok<LightpushAnswer>({ status, statusText, relayPeerCount });

async function bench(): Promise<MessagingBench> {
  return new MessagingBench().start();
}

describe("lightpush status handling", () => {
  test("L01 a push that was relayed to a peer is propagated", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a", ["lightpush"]));
    const id = await b.send();
    await b.clock.advance(0);
    expect(b.outcome(id)).toEqual(["propagated"]);
    expect(b.eventsOf(id)[0]).toMatchObject({ messageHash: b.network.pushes[0]?.hash });
  });

  test("L02 200 with no relay peers is 505: retried a second later, never propagated", async () => {
    const b = await bench();
    const node = b.network.node("a", ["lightpush"]);
    node.answerLightpush = () => answers(200, "", 0);
    b.nodes.connect(node);
    const id = await b.send();
    await b.clock.advance(999);
    expect(b.network.pushes).toHaveLength(1);
    await b.clock.advance(1);
    expect(b.network.pushes).toHaveLength(2);
    await b.clock.advance(30 * SECOND);
    expect(b.outcome(id)).toEqual([]);
  });

  test.each([505, 503, 500])("L03 %i is retried every second until the window closes", async (status) => {
    const b = await bench();
    const node = b.network.node("a", ["lightpush"]);
    node.answerLightpush = () => answers(status);
    b.nodes.connect(node);
    const id = await b.send();
    await b.clock.advance(59 * SECOND);
    expect(b.outcome(id)).toEqual([]);
    expect(b.network.pushes.length).toBeGreaterThan(50);
    await b.clock.advance(SECOND);
    expect(b.eventsOf(id)).toEqual([{ type: "error", requestId: id, ...NOT_SENT }]);
  });

  test("L03 429 stops the pushes to a node for the rest of its window", async () => {
    const b = await bench();
    const node = b.network.node("a", ["lightpush"]);
    node.answerLightpush = () => answers(429);
    b.nodes.connect(node);
    const id = await b.send();
    await b.clock.advance(LIMITS.messaging.lightpushWindowMs - 1);
    expect(b.network.pushes).toHaveLength(1);
    await b.clock.advance(60 * SECOND);
    expect(b.network.pushes.length).toBeGreaterThan(2);
    expect(b.eventsOf(id)).toEqual([{ type: "error", requestId: id, ...NOT_SENT }]);
  });

  test.each([
    [504, "RLN proof generation failed"],
    [420, "RLN validation failed"],
  ])("L04 %i %s is retried", async (status, text) => {
    const b = await bench();
    const node = b.network.node("a", ["lightpush"]);
    const relay = node.answerLightpush;
    node.answerLightpush = () => answers(status, text);
    b.nodes.connect(node);
    const id = await b.send();
    await b.clock.advance(500);
    node.answerLightpush = relay;
    await b.clock.advance(500);
    expect(b.outcome(id)).toEqual(["propagated"]);
  });

  test.each([
    [400, "the node's words", "refused"],
    [413, "the node's words", "too-large"],
    [420, "the node's words", "refused"],
    [420, "Message size exceeded maximum of 153600 bytes", "too-large"],
    [421, "the node's words", "refused"],
    [999, "the node's words", "refused"],
  ] as const)("L05 %i fails at once with the node's words: %s", async (status, words, kind) => {
    const b = await bench();
    const node = b.network.node("a", ["lightpush"]);
    node.answerLightpush = () => answers(status, words);
    b.nodes.connect(node);
    const id = await b.send();
    await b.clock.advance(0);
    expect(b.eventsOf(id)).toEqual([{ type: "error", requestId: id, kind, error: words }]);
    expect(b.network.pushes).toHaveLength(1);
  });

  test("L06 a push without an answer goes to another node, with the same bytes", async () => {
    const b = await bench();
    const [first, second] = [b.network.node("a", ["lightpush"]), b.network.node("b", ["lightpush"])];
    first.answerLightpush = () => NO_ANSWER;
    b.nodes.connect(first, second);
    const id = await b.send();
    await b.clock.advance(SECOND);
    expect(b.network.pushes.map(({ peer }) => peer)).toEqual(["a", "b"]);
    expect(new Set(b.network.pushes.map(({ hash }) => hash)).size).toBe(1);
    expect(b.outcome(id)).toEqual(["propagated"]);
  });

  test("L07 however often it is retried, the nodes see one message", async () => {
    const b = await bench();
    const node = b.network.node("a", ["lightpush"]);
    node.answerLightpush = () => answers(503);
    b.nodes.connect(node);
    await b.send();
    await b.clock.advance(14 * SECOND);
    expect(b.network.pushes).toHaveLength(15);
    expect(new Set(b.network.pushes.map(({ hash }) => hash)).size).toBe(1);
  });

  test("a task is stamped anew after 15 s, and the earlier bytes still confirm it", async () => {
    const b = await bench();
    const node = b.network.node("a", ["lightpush"]);
    node.answerLightpush = (pubsubTopic, message) => {
      if (b.network.archive.length === 0) b.network.store(pubsubTopic, message);
      return answers(503);
    };
    b.nodes.connect(node);
    const id = await b.send();
    await b.clock.advance(16 * SECOND);
    const [early, late] = [b.network.pushes.at(0), b.network.pushes.at(-1)];
    expect(late?.hash).not.toBe(early?.hash);
    expect(Number((late?.timestamp ?? 0n) - (early?.timestamp ?? 0n))).toBeGreaterThanOrEqual(15e9);
    node.answerLightpush = () => answers(505);
    b.nodes.connect(b.network.node("s", ["store"]));
    await b.clock.advance(3 * SECOND);
    expect(b.eventsOf(id)).toEqual([
      { type: "propagated", requestId: id, messageHash: early?.hash },
      { type: "sent", requestId: id, messageHash: early?.hash },
    ]);
  });
});

describe("send", () => {
  test("S05 a malformed content topic is refused at the call", async () => {
    const b = await bench();
    for (const contentTopic of ["s05-invalid-no-leading-slash", "", "/app/1/name", "/app//name/proto"]) {
      const sent = await b.client.send(
        { contentTopic, payload: new Uint8Array(1), meta: new Uint8Array(0), ephemeral: false },
        contentTopic,
      );
      expect(sent).toMatchObject({
        ok: false,
        error: { kind: "refused", error: expect.stringContaining("Failed to auto-subscribe") },
      });
    }
    expect(b.told).toEqual([]);
  });

  test("S10 lightpush alone propagates; without any store that counts as sent after a while", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a", ["lightpush"]));
    const id = await b.send();
    await b.clock.advance(5 * SECOND);
    expect(b.outcome(id)).toEqual(["propagated"]);
    await b.clock.advance(LIMITS.messaging.storeGraceMs);
    expect(b.outcome(id)).toEqual(["propagated", "sent"]);
  });

  test("S11 lightpush and store: propagated, then sent with the same hash exactly when the store may be asked", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a", ["lightpush"]), b.network.node("s", ["store"]));
    const id = await b.send();
    await b.clock.advance(LIMITS.messaging.storeCheckMs - 1);
    expect(b.outcome(id)).toEqual(["propagated"]);
    await b.clock.advance(1);
    const hash = b.network.pushes[0]?.hash;
    expect(b.eventsOf(id)).toEqual([
      { type: "propagated", requestId: id, messageHash: hash },
      { type: "sent", requestId: id, messageHash: hash },
    ]);
  });

  test("S11 the store that is asked is another node than the one pushed through", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a"), b.network.node("b"));
    await b.send();
    await b.clock.advance(LIMITS.messaging.storeCheckMs);
    expect(b.network.pushes.map(({ peer }) => peer)).toEqual(["a"]);
    expect(b.confirmations().map(({ peer }) => peer)).toEqual(["b"]);
  });

  test("S12 with no peer at all a request waits, and fails only after days", async () => {
    const b = await bench();
    const id = await b.send();
    await b.clock.advance(70 * SECOND);
    expect(b.outcome(id)).toEqual([]);
    await b.clock.advance(LIMITS.messaging.offlineMs);
    expect(b.eventsOf(id)).toEqual([{ type: "error", requestId: id, ...NOT_SENT }]);
  });

  test("S12 S21 with a peer that never answers the error comes after 60 s online", async () => {
    const b = await bench();
    const node = b.network.node("a", ["lightpush"]);
    node.answerLightpush = () => NO_ANSWER;
    b.nodes.connect(node);
    const id = await b.send();
    await b.clock.advance(59 * SECOND);
    expect(b.outcome(id)).toEqual([]);
    await b.clock.advance(SECOND);
    expect(b.eventsOf(id)).toEqual([
      { type: "error", requestId: id, kind: "unreachable", error: "Unable to send within retry time window" },
    ]);
  });

  test("S21 time offline does not count", async () => {
    const b = await bench();
    const node = b.network.node("a", ["lightpush"]);
    node.answerLightpush = () => answers(503);
    b.nodes.connect(node);
    const id = await b.send();
    await b.clock.advance(40 * SECOND);
    b.nodes.disconnect(node);
    await b.clock.advance(3600 * SECOND);
    b.nodes.connect(node);
    await b.clock.advance(19 * SECOND);
    expect(b.outcome(id)).toEqual([]);
    await b.clock.advance(SECOND);
    expect(b.outcome(id)).toEqual(["error"]);
  });

  test("S21 a machine that sleeps with its connections open does not use up the window", async () => {
    const b = await bench();
    const node = b.network.node("a", ["lightpush"]);
    node.answerLightpush = () => answers(503);
    b.nodes.connect(node);
    const id = await b.send();
    await b.clock.advance(20 * SECOND);
    await b.clock.sleep(8 * 3600 * SECOND);
    await b.clock.advance(29 * SECOND);
    expect(b.outcome(id)).toEqual([]);
    await b.clock.advance(11 * SECOND);
    expect(b.outcome(id)).toEqual(["error"]);
  });

  test("S14 a message beyond the network's size fails in the server's words, without a push", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a"));
    const id = await b.send({ payload: new Uint8Array(200 * 1024) });
    await b.clock.advance(0);
    expect(b.eventsOf(id)).toEqual([
      { type: "error", requestId: id, kind: "too-large", error: "Message size exceeded maximum of 153600 bytes" },
    ]);
    expect(b.network.pushes).toEqual([]);
  });

  test("S15 a node without relay peers that knows the bytes from then on gets a new stamp and relays", async () => {
    const b = await bench();
    const node = b.network.node("a");
    const relay = node.answerLightpush;
    const known = new Set<bigint>();
    let relayPeers = false;
    node.answerLightpush = (pubsubTopic, message) => {
      if (known.has(message.timestamp) || !relayPeers) {
        known.add(message.timestamp);
        return answers(505, "No peers for topic, skipping publish");
      }
      return relay(pubsubTopic, message);
    };
    b.nodes.connect(node);
    const id = await b.send();
    await b.clock.advance(3 * SECOND);
    relayPeers = true;
    await b.clock.advance(42 * SECOND);
    expect(b.outcome(id)).toEqual(["propagated", "sent"]);
  });

  test("S16 A05 accepted without peers, propagated once one is there", async () => {
    const b = await bench();
    const id = await b.send();
    await b.clock.advance(5 * SECOND);
    expect(b.outcome(id)).toEqual([]);
    b.nodes.connect(b.network.node("a", ["lightpush"]));
    await b.clock.advance(0);
    expect(b.outcome(id)).toEqual(["propagated"]);
  });

  test("S02 A05 sending to a topic that nobody subscribed subscribes it, and own messages come back once", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a"), b.network.node("b"));
    const id = await b.send({ payload: utf8("own") });
    await b.clock.advance(5 * SECOND);
    expect(b.outcome(id)).toEqual(["propagated", "sent"]);
    expect(b.client.topicHealth(TOPIC)).toBe("SUFFICIENTLY_HEALTHY");
    expect(b.received()).toEqual(["own"]);
  });

  test("S02 a topic that was unsubscribed stays so: what is still on its way for a closed channel wants no answers", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a"), b.network.node("b"));
    await b.client.subscribe(TOPIC);
    await b.client.unsubscribe(TOPIC);
    const id = await b.send();
    await b.clock.advance(5 * SECOND);
    expect(b.outcome(id)).toEqual(["propagated", "sent"]);
    expect(b.client.topicHealth(TOPIC)).toBe("NOT_SUBSCRIBED");
  });

  test("S17 sent before there is any peer: propagated once one comes, confirmed by the store that came with it", async () => {
    const b = await bench();
    const id = await b.send();
    await b.clock.advance(3 * SECOND);
    b.nodes.connect(b.network.node("a"), b.network.node("b"));
    await b.clock.advance(10 * SECOND);
    expect(b.outcome(id)).toEqual(["propagated", "sent"]);
  });

  test("S18 lightpush first and store later, or store first and lightpush later: sent once both are there", async () => {
    for (const order of [
      ["lightpush", "store"],
      ["store", "lightpush"],
    ] as const) {
      const b = await bench();
      const id = await b.send();
      for (const service of order) {
        expect(b.outcome(id)).not.toContain("sent");
        b.nodes.connect(b.network.node(service, [service]));
        await b.clock.advance(4 * SECOND);
      }
      expect(b.outcome(id)).toEqual(["propagated", "sent"]);
    }
  });

  test("S19 a store is expected, as an earlier session had one: it joins 50 s later and confirms what it got from others", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("s", ["store"]));
    await b.clock.settle();
    await b.restart();
    b.nodes.connect(b.network.node("a", ["lightpush"]));
    const id = await b.send();
    await b.clock.advance(50 * SECOND);
    expect(b.outcome(id)).toEqual(["propagated"]);
    b.nodes.connect(b.network.node("t", ["store"]));
    await b.clock.advance(0);
    expect(b.outcome(id)).toEqual(["propagated", "sent"]);
    expect(b.network.pushes).toHaveLength(1);
  });

  test("S23 no store in 60 s where the network says that it has some: the error says what is missing", async () => {
    const b = await new MessagingBench(undefined, { confirmation: "expected" }).start();
    b.nodes.connect(b.network.node("a", ["lightpush"]));
    const id = await b.send();
    await b.clock.advance(60 * SECOND);
    expect(b.eventsOf(id).at(-1)).toEqual({ type: "error", requestId: id, ...NOT_CONFIRMED });
    expect(b.outcome(id)).toEqual(["propagated", "error"]);
  });

  test("S23 no store ever, and none expected: propagated counts as sent, with no error in 60 s", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a", ["lightpush"]));
    const id = await b.send();
    await b.clock.advance(60 * SECOND);
    expect(b.outcome(id)).toEqual(["propagated", "sent"]);
  });

  test("with confirmation off no store is asked and propagated counts as sent at once", async () => {
    const b = await new MessagingBench(undefined, { confirmation: "off" }).start();
    b.nodes.connect(b.network.node("a"), b.network.node("b"));
    const id = await b.send();
    await b.clock.advance(0);
    expect(b.outcome(id)).toEqual(["propagated", "sent"]);
    expect(b.confirmations()).toEqual([]);
  });

  test("S29 two topics on two shards: each propagated under its own id", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a"));
    const topics = ["/app1/1/x/proto", "/app2/1/x/proto"];
    const ids = [];
    for (const contentTopic of topics) ids.push(await b.send({ contentTopic }));
    await b.clock.advance(30 * SECOND);
    for (const id of ids) expect(b.outcome(id)).toEqual(["propagated", "sent"]);
    expect(new Set(b.network.archive.map(({ pubsubTopic }) => pubsubTopic)).size).toBe(2);
  });

  test("S30 five sends at once to a topic never subscribed: five ids, each propagated, subscribed once at each node", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a"), b.network.node("b"));
    const ids = await Promise.all(Array.from({ length: 5 }, () => b.send()));
    await b.clock.advance(30 * SECOND);
    expect(new Set(ids).size).toBe(5);
    for (const id of ids) expect(b.outcome(id)).toEqual(["propagated", "sent"]);
    const subscribes = b.nodes.filterRequests.filter(({ request }) => request === "subscribe");
    expect(subscribes.map(({ peer }) => peer).sort()).toEqual(["a", "b"]);
  });

  test("A01 lightpush and store: exactly propagated and sent within 10 s", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a"), b.network.node("s", ["store"]));
    const id = await b.send();
    await b.clock.advance(10 * SECOND);
    expect(b.outcome(id)).toEqual(["propagated", "sent"]);
  });

  test("A10 outcomes of two requests (no REST polling here: they are told): each under its own id, until taken, never after", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a"), b.network.node("b"));
    let first = "";
    b.listen = (event) => "requestId" in event && event.requestId === first;
    first = await b.send();
    const second = await b.send();
    await b.clock.advance(5 * SECOND);
    b.told.length = 0;
    await b.restart();
    await b.clock.settle();
    expect(b.outcome(first)).toEqual([]);
    expect(b.outcome(second)).toEqual(["sent"]);
  });

  test("M02 M03 a request pushed two minutes of being online ago and never propagated has failed; one just pushed has not", async () => {
    const b = await bench();
    const node = b.network.node("a", ["lightpush"]);
    node.answerLightpush = () => answers(503);
    b.nodes.connect(node);
    const old = await b.send();
    await b.clock.advance(120 * SECOND);
    const young = await b.send();
    await b.clock.advance(SECOND);
    expect(b.eventsOf(old)).toEqual([{ type: "error", requestId: old, ...NOT_SENT }]);
    expect(b.outcome(young)).toEqual([]);
  });

  test("M04 a propagated request is not failed by the send window: its confirmation has a window of its own", async () => {
    const b = await bench();
    const [node, store] = [b.network.node("a", ["lightpush"]), b.network.node("s", ["store"])];
    const relay = node.answerLightpush;
    node.answerLightpush = () => answers(503);
    store.answerStore = () => ok({ status: 200, statusText: "OK", messages: [] });
    b.nodes.connect(node, store);
    const id = await b.send();
    await b.clock.advance(50 * SECOND);
    node.answerLightpush = relay;
    await b.clock.advance(55 * SECOND);
    expect(b.outcome(id)).toEqual(["propagated"]);
    await b.clock.advance(10 * SECOND);
    expect(b.eventsOf(id).at(-1)).toMatchObject({ ...NOT_CONFIRMED });
  });

  test("M05 the window of a request that waited for two days begins with its first push", async () => {
    const b = await bench();
    const id = await b.send();
    await b.clock.advance(2 * 24 * 3600 * SECOND);
    const node = b.network.node("a", ["lightpush"]);
    node.answerLightpush = () => answers(503);
    b.nodes.connect(node);
    await b.clock.advance(59 * SECOND);
    expect(b.outcome(id)).toEqual([]);
    await b.clock.advance(SECOND);
    expect(b.outcome(id)).toEqual(["error"]);
  });

  test("M05 waiting for its turn behind other requests uses up nothing of a request's window", async () => {
    const b = await bench();
    const node = b.network.node("a", ["lightpush"]);
    const relay = node.answerLightpush;
    b.nodes.connect(node);
    for (let i = 0; i < 250; i++) await b.send();
    const last = await b.send();
    await b.clock.advance(70 * SECOND);
    node.answerLightpush = () => answers(503);
    await b.clock.advance(30 * SECOND);
    expect(b.outcome(last)).toEqual([]);
    node.answerLightpush = relay;
    await b.clock.advance(30 * SECOND);
    expect(b.outcome(last)).toEqual(["propagated", "sent"]);
  });

  test("O3 suspended for more than five minutes in mid-send: nothing is lost, the stamp is fresh, one outcome", async () => {
    const b = await bench();
    const [a, c] = [b.network.node("a"), b.network.node("b")];
    const relays = [a, c].map((node) => {
      const relay = node.answerLightpush;
      node.answerLightpush = () => NO_ANSWER;
      return () => {
        node.answerLightpush = relay;
      };
    });
    b.nodes.connect(a, c);
    const id = await b.send();
    await b.clock.advance(2 * SECOND);
    await b.clock.sleep(6 * 60 * SECOND);
    for (const heal of relays) heal();
    for (const node of [a, c]) node.subscriptions.clear();
    await b.clock.advance(40 * SECOND);
    expect(b.outcome(id)).toEqual(["propagated", "sent"]);
    expect(Number(b.network.archive[0]?.message.timestamp ?? 0n) / 1e6).toBeGreaterThan(b.clock.now() - 60 * SECOND);
    expect(b.client.topicHealth(TOPIC)).toBe("SUFFICIENTLY_HEALTHY");
  });

  test("O5 a clock more than 20 s off: messages arrive, but no store takes them, and that is what the error says", async () => {
    const b = await bench();
    const [a, c] = [b.network.node("a"), b.network.node("b")];
    // The world's clock is 25 s ahead of ours.
    for (const node of [a, c]) {
      node.answerLightpush = (pubsubTopic, message) => {
        const skewMs = Math.abs(Number(message.timestamp / 1_000_000n) - (b.clock.now() + 25 * SECOND));
        if (skewMs <= 20 * SECOND) b.network.publish(pubsubTopic, message);
        else b.network.push(pubsubTopic, message);
        return answers(200, "", 1);
      };
    }
    b.nodes.connect(a, c);
    await b.client.subscribe(TOPIC);
    await b.clock.settle();
    const id = await b.send({ payload: utf8("live") });
    await b.clock.advance(5 * SECOND);
    // What others stamp correctly is caught up on all the same.
    b.network.store(b.pubsubTopic(), b.message("from others", b.clock.now() + 25 * SECOND));
    await b.clock.advance(60 * SECOND);
    expect(b.eventsOf(id).map(({ type }) => type)).toEqual(["propagated", "error"]);
    expect(b.eventsOf(id).at(-1)).toMatchObject({ ...NOT_CONFIRMED });
    expect([...b.received()].sort()).toEqual(["from others", "live"]);
  });

  test("a message beyond 150 KiB goes where the network takes 1 MiB", async () => {
    const messageBytes = LIMITS.messaging.statusMessageBytes;
    const b = await new MessagingBench(undefined, { messageBytes }).start();
    b.nodes.connect(b.network.node("a"), b.network.node("b"));
    const fits = await b.send({ payload: new Uint8Array(messageBytes - 200) });
    const tooLarge = await b.send({ payload: new Uint8Array(messageBytes) });
    await b.clock.advance(5 * SECOND);
    expect(b.outcome(fits)).toEqual(["propagated", "sent"]);
    expect(b.eventsOf(tooLarge)).toEqual([
      {
        type: "error",
        requestId: tooLarge,
        kind: "too-large",
        error: "Message size exceeded maximum of 1048576 bytes",
      },
    ]);
  });

  test("S19 a store that joins within the grace confirms", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a", ["lightpush"]));
    const id = await b.send();
    await b.clock.advance(5 * SECOND);
    b.nodes.connect(b.network.node("s", ["store"]));
    await b.clock.advance(0);
    expect(b.outcome(id)).toEqual(["propagated", "sent"]);
    expect(b.confirmations()).toHaveLength(1);
  });

  test("S20 a store that has it only later is asked again, 3 s apart, and nothing is pushed again", async () => {
    const b = await bench();
    const store = b.network.node("s", ["store"]);
    const answer = store.answerStore;
    store.answerStore = () => ok({ status: 200, statusText: "OK", messages: [] });
    b.nodes.connect(b.network.node("a", ["lightpush"]), store);
    const id = await b.send();
    await b.clock.advance(11 * SECOND);
    expect(b.confirmations().map(({ at }) => at)).toEqual([3, 6, 9].map((s) => b.clock.now() + (s - 11) * SECOND));
    store.answerStore = answer;
    await b.clock.advance(SECOND);
    expect(b.outcome(id)).toEqual(["propagated", "sent"]);
    expect(b.network.pushes).toHaveLength(1);
  });

  test("S24 S25 an ephemeral message is propagated, which is all there is to know, and in no store", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a"), b.network.node("b"));
    const id = await b.send({ ephemeral: true });
    await b.clock.advance(60 * SECOND);
    expect(b.outcome(id)).toEqual(["propagated", "sent"]);
    expect(b.network.archive).toEqual([]);
    expect(b.confirmations()).toEqual([]);
  });

  test("S26 with two lightpush nodes, one of which died, a send goes through the other", async () => {
    const b = await bench();
    const [first, second] = [b.network.node("a", ["lightpush"]), b.network.node("b", ["lightpush"])];
    b.nodes.connect(first, second);
    first.answerLightpush = () => err("connection reset");
    const ids = [await b.send(), await b.send(), await b.send()];
    await b.clock.advance(SECOND);
    for (const id of ids) expect(b.outcome(id)).toEqual(["propagated"]);
    // Once it is known to have failed, it is left alone while there is another.
    const before = b.network.pushes.length;
    await b.send();
    await b.clock.advance(0);
    expect(b.network.pushes.slice(before).map(({ peer }) => peer)).toEqual(["b"]);
  });

  test("two lightpush nodes are alternated", async () => {
    const b = await bench();
    b.nodes.connect(
      b.network.node("a", ["lightpush"]),
      b.network.node("b", ["lightpush"]),
      b.network.node("c", ["lightpush"]),
    );
    for (let i = 0; i < 6; i++) {
      await b.send();
      await b.clock.advance(0);
    }
    expect(b.network.pushes.map(({ peer }) => peer)).toEqual(["a", "b", "a", "b", "a", "b"]);
  });

  test("A03 505 for ever: exactly the error, within 62 s", async () => {
    const b = await bench();
    const node = b.network.node("a");
    node.answerLightpush = () => answers(505);
    b.nodes.connect(node);
    const id = await b.send();
    await b.clock.advance(62 * SECOND);
    expect(b.eventsOf(id)).toEqual([{ type: "error", requestId: id, ...NOT_SENT }]);
  });

  test("A04 a store that never has it: propagated, then the error", async () => {
    const b = await bench();
    const store = b.network.node("s", ["store"]);
    store.answerStore = () => ok({ status: 200, statusText: "OK", messages: [] });
    b.nodes.connect(b.network.node("a", ["lightpush"]), store);
    const id = await b.send();
    await b.clock.advance(59 * SECOND);
    expect(b.outcome(id)).toEqual(["propagated"]);
    await b.clock.advance(SECOND);
    expect(b.eventsOf(id).at(-1)).toEqual({ type: "error", requestId: id, ...NOT_CONFIRMED });
    expect(b.network.pushes).toHaveLength(1);
  });

  test("A07 a burst of 60: all propagated, all sent, in few queries of at most 100 hashes", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a"), b.network.node("b"));
    const ids = [];
    for (let i = 0; i < 60; i++) ids.push(await b.send());
    await b.clock.advance(90 * SECOND);
    for (const id of ids) expect(b.outcome(id)).toEqual(["propagated", "sent"]);
    for (const { query } of b.confirmations()) expect(query.hashes?.length).toBeLessThanOrEqual(100);
    expect(b.network.pushes).toHaveLength(60);
  });

  test("M18 no two queued messages have the same hash: equal payloads sent at once are stamped apart", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a", ["lightpush"]));
    const payload = new Uint8Array([1]);
    await b.send({ payload });
    await b.send({ payload });
    await b.clock.advance(SECOND);
    expect(new Set(b.network.pushes.map(({ hash }) => hash)).size).toBe(2);
  });

  test("a 505 is settled by asking the store before anything is pushed again", async () => {
    const b = await bench();
    const node = b.network.node("a");
    // A lone node says that it has nobody, archives, and delivers.
    node.answerLightpush = (pubsubTopic, message) => {
      b.network.store(pubsubTopic, message);
      return answers(505, "No peers for topic, skipping publish");
    };
    b.nodes.connect(node);
    const id = await b.send();
    await b.clock.advance(LIMITS.messaging.retryMs);
    expect(b.outcome(id)).toEqual(["propagated", "sent"]);
    expect(b.network.pushes).toHaveLength(1);
  });

  test("the 205 segments of 20 MiB pass cold nodes with their shipped limits, 37 in 10 s of a peer, without one rejection", async () => {
    const b = await bench();
    const rejected: number[] = [];
    for (const name of ["a", "b"]) {
      const node = b.network.node(name);
      const [relay, limiter] = [node.answerLightpush, new LightpushLimiter()];
      node.answerLightpush = (pubsubTopic, message) => {
        if (limiter.admit("us", b.clock.now())) return relay(pubsubTopic, message);
        rejected.push(b.clock.now());
        return answers(429);
      };
      b.nodes.connect(node);
    }
    const startedAt = b.clock.now();
    const ids = await Promise.all(Array.from({ length: 205 }, () => b.send()));
    await b.clock.advance(60 * SECOND);
    expect(rejected).toEqual([]);
    for (const id of ids) expect(b.outcome(id)).toEqual(["propagated", "sent"]);
    const tookMs = (b.network.pushes.at(-1)?.at ?? 0) - startedAt;
    expect(tookMs).toBeLessThan(35 * SECOND);
  });

  test("where a node admits less, the pace falls until it fits, and recovers; nothing is lost", async () => {
    const b = await bench();
    const node = b.network.node("a");
    const relay = node.answerLightpush;
    const rejected: number[] = [];
    let perSecond = 1;
    let tokens = 5;
    let at = b.clock.now();
    node.answerLightpush = (pubsubTopic, message) => {
      tokens = Math.min(5, tokens + ((b.clock.now() - at) / SECOND) * perSecond);
      at = b.clock.now();
      if (tokens >= 1) {
        tokens--;
        return relay(pubsubTopic, message);
      }
      rejected.push(b.clock.now());
      return answers(429);
    };
    b.nodes.connect(node, b.network.node("s", ["store"]));
    const slow = await Promise.all(Array.from({ length: 60 }, () => b.send()));
    await b.clock.advance(180 * SECOND);
    for (const id of slow) expect(b.outcome(id)).toEqual(["propagated", "sent"]);
    expect(rejected.length).toBeGreaterThan(0);
    expect(rejected.length).toBeLessThan(20);
    perSecond = 10;
    rejected.length = 0;
    const quick = await Promise.all(Array.from({ length: 100 }, () => b.send()));
    const startedAt = b.clock.now();
    await b.clock.advance(120 * SECOND);
    for (const id of quick) expect(b.outcome(id)).toEqual(["propagated", "sent"]);
    expect(rejected).toEqual([]);
    expect((b.network.pushes.at(-1)?.at ?? 0) - startedAt).toBeLessThan(80 * SECOND);
  });

  test("no more than four pushes are under way", async () => {
    const b = await bench();
    const node = b.network.node("a", ["lightpush"]);
    const waiting: (() => void)[] = [];
    node.answerLightpush = () => new Promise((resolve) => waiting.push(() => resolve(answers(200, "", 1))));
    b.nodes.connect(node);
    for (let i = 0; i < 5; i++) await b.send();
    await b.clock.advance(0);
    expect(waiting).toHaveLength(4);
    waiting[0]?.();
    await b.clock.advance(0);
    expect(waiting).toHaveLength(5);
  });

  test("M17 the 1001st queued task is refused", async () => {
    const b = await bench();
    await Promise.all(Array.from({ length: LIMITS.messaging.queuedTasks }, () => b.send()));
    await expect(b.send()).rejects.toThrow(QUEUE_FULL.error);
  });

  test("the same idempotency key sends nothing new and tells the outcome again", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a"), b.network.node("b"));
    const [first, second] = await Promise.all([b.send({}, "same"), b.send({}, "same")]);
    expect(second).toBe(first);
    await b.clock.advance(5 * SECOND);
    expect(b.outcome(first)).toEqual(["propagated", "sent"]);
    expect(await b.send({}, "same")).toBe(first);
    await b.clock.advance(0);
    expect(b.outcome(first)).toEqual(["propagated", "sent", "sent"]);
    expect(b.network.pushes).toHaveLength(1);
  });
});

describe("restart", () => {
  test("a queued task goes on with the bytes that were pushed, and asks the store first", async () => {
    const b = await bench();
    const node = b.network.node("a");
    node.answerLightpush = (pubsubTopic, message) => {
      b.network.store(pubsubTopic, message);
      return NO_ANSWER;
    };
    b.nodes.connect(node);
    const id = await b.send();
    await b.clock.settle();
    await b.restart();
    b.nodes.connect(node);
    await b.clock.advance(0);
    expect(b.outcome(id)).toEqual(["propagated", "sent"]);
    expect(b.network.pushes).toHaveLength(1);
  });

  test("a task that was never out is pushed with the same stamp while it is fresh", async () => {
    const b = await bench();
    const node = b.network.node("a", ["lightpush"]);
    const relay = node.answerLightpush;
    node.answerLightpush = () => NO_ANSWER;
    b.nodes.connect(node);
    await b.send();
    await b.clock.settle();
    await b.restart();
    node.answerLightpush = relay;
    b.nodes.connect(node);
    await b.clock.advance(SECOND);
    expect(b.network.pushes).toHaveLength(2);
    expect(new Set(b.network.pushes.map(({ timestamp }) => timestamp)).size).toBe(1);
  });

  test("a propagated task is confirmed after a restart, and told to be propagated again", async () => {
    const b = await bench();
    const [a, s] = [b.network.node("a", ["lightpush"]), b.network.node("s", ["store"])];
    b.nodes.connect(a, s);
    const id = await b.send();
    await b.clock.advance(SECOND);
    await b.restart();
    b.nodes.connect(a, s);
    await b.clock.advance(2 * SECOND);
    expect(b.outcome(id)).toEqual(["propagated", "propagated", "sent"]);
  });

  test("an outcome is told after every start until the listener knows the request", async () => {
    const b = await bench();
    b.listen = () => false;
    b.nodes.connect(b.network.node("a"), b.network.node("b"));
    const id = await b.send();
    await b.clock.advance(5 * SECOND);
    expect(b.outcome(id)).toEqual(["propagated", "sent"]);
    await b.restart();
    b.listen = () => true;
    await b.restart();
    await b.clock.settle();
    await b.restart();
    await b.clock.settle();
    expect(b.outcome(id)).toEqual(["propagated", "sent", "sent", "sent"]);
  });

  test("the window that was used up is not given again", async () => {
    const b = await bench();
    const node = b.network.node("a", ["lightpush"]);
    node.answerLightpush = () => answers(503);
    b.nodes.connect(node);
    const id = await b.send();
    for (let i = 0; i < 4; i++) {
      await b.clock.advance(16 * SECOND);
      await b.restart();
      b.nodes.connect(node);
    }
    await b.clock.advance(16 * SECOND);
    expect(b.outcome(id)).toEqual(["error"]);
  });

  test("the payload is kept no longer than it is needed, the key for as long as results are", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a"), b.network.node("b"));
    const id = await b.send({}, "kept");
    expect(b.storage.count("messagingTasks")).toBe(2);
    await b.clock.advance(5 * SECOND);
    expect(b.storage.count("messagingTasks")).toBe(1);
    await b.restart();
    expect(await b.send({}, "kept")).toBe(id);
    await b.clock.advance(LIMITS.keptResultsMs + 1);
    b.nodes.connect(b.network.node("c"), b.network.node("d"));
    const other = await b.send();
    await b.clock.advance(5 * SECOND);
    expect(b.outcome(other)).toEqual(["propagated", "sent"]);
    expect(b.storage.count("messagingTasks")).toBe(1);
  });

  test("a crash at any commit, before or after it is stored, ends in exactly one outcome and one archived message", async () => {
    for (const when of ["beforeCommit", "afterCommit"] as const) {
      for (let fatal = 0; ; fatal++) {
        const b = await bench();
        const [a, c] = [b.network.node("a"), b.network.node("c")];
        let commits = 0;
        b.storage[when] = () => {
          if (commits++ === fatal) throw new Error("the worker died");
        };
        b.nodes.connect(a, c);
        let id = await b.send({}, "once").catch(() => undefined);
        await b.clock.advance(5 * SECOND);
        await b.restart();
        b.nodes.connect(a, c);
        id = await b.send({}, "once");
        await b.clock.advance(10 * SECOND);
        const outcome = b.outcome(id);
        expect(outcome.at(-1)).toBe("sent");
        expect(outcome).not.toContain("error");
        expect(new Set(b.network.pushes.map(({ hash }) => hash)).size).toBe(1);
        expect(b.network.archive).toHaveLength(1);
        if (commits <= fatal) break;
      }
    }
  });

  test("stamps stay unique across restarts", async () => {
    const b = await bench();
    const node = b.network.node("a", ["lightpush"]);
    b.nodes.connect(node);
    await b.send();
    await b.clock.settle();
    await b.restart();
    b.nodes.connect(node);
    await b.send();
    await b.clock.settle();
    const stamps = b.network.pushes.map(({ timestamp }) => timestamp);
    expect(stamps[1]).toBeGreaterThan(stamps[0] ?? nanoseconds(0));
  });
});
