import { describe, expect, test } from "vitest";
import { err, ok } from "../../../src/common/result.ts";
import { LIMITS } from "../../../src/limits.ts";
import { ERROR_NOT_CONFIRMED, ERROR_NOT_SENT, ERROR_QUEUE_FULL } from "../../../src/messaging/send-service.ts";
import type { LightpushAnswer } from "../../../src/messaging/service-nodes.ts";
import { nanoseconds } from "../../../src/messaging/waku-message.ts";
import { NO_ANSWER } from "./fake-service-nodes.ts";
import { MessagingBench } from "./messaging-bench.ts";

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
    expect(b.eventsOf(id)).toEqual([{ type: "error", requestId: id, error: ERROR_NOT_SENT }]);
  });

  test("L03 429 stops the pushes to a node for the rest of its window", async () => {
    const b = await bench();
    const node = b.network.node("a", ["lightpush"]);
    node.answerLightpush = () => answers(429);
    b.nodes.connect(node);
    const id = await b.send();
    await b.clock.advance(LIMITS.messaging.lightpushPauseMs - 1);
    expect(b.network.pushes).toHaveLength(1);
    await b.clock.advance(60 * SECOND);
    expect(b.network.pushes.length).toBeGreaterThan(2);
    expect(b.eventsOf(id)).toEqual([{ type: "error", requestId: id, error: ERROR_NOT_SENT }]);
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

  test.each([400, 413, 420, 421, 999])("L05 %i fails at once with the node's words", async (status) => {
    const b = await bench();
    const node = b.network.node("a", ["lightpush"]);
    node.answerLightpush = () => answers(status, "the node's words");
    b.nodes.connect(node);
    const id = await b.send();
    await b.clock.advance(0);
    expect(b.eventsOf(id)).toEqual([{ type: "error", requestId: id, error: "the node's words" }]);
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
      expect(sent).toMatchObject({ ok: false, error: expect.stringContaining("Failed to auto-subscribe") });
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
    expect(b.eventsOf(id)).toEqual([{ type: "error", requestId: id, error: ERROR_NOT_SENT }]);
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
      { type: "error", requestId: id, error: "Unable to send within retry time window" },
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
      { type: "error", requestId: id, error: "Message size exceeded maximum of 153600 bytes" },
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

  test("S18 S19 a store that joins within the grace confirms", async () => {
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
    expect(b.eventsOf(id)).toEqual([{ type: "error", requestId: id, error: ERROR_NOT_SENT }]);
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
    expect(b.eventsOf(id).at(-1)).toEqual({ type: "error", requestId: id, error: ERROR_NOT_CONFIRMED });
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

  test("equal payloads sent at once have hashes of their own", async () => {
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

  test("the pace stays below what a node admits: 37 in 10 s of one peer, without one rejection", async () => {
    const b = await bench();
    const windows = new Map<string, { start: number; count: number }>();
    let rejected = 0;
    for (const name of ["a", "b"]) {
      const node = b.network.node(name);
      const relay = node.answerLightpush;
      node.answerLightpush = (pubsubTopic, message) => {
        const now = b.clock.now();
        const window = windows.get(name);
        const current = window && now - window.start < 10 * SECOND ? window : { start: now, count: 0 };
        windows.set(name, current);
        if (++current.count <= 37) return relay(pubsubTopic, message);
        rejected++;
        return answers(429);
      };
      b.nodes.connect(node);
    }
    const ids = [];
    for (let i = 0; i < 256; i++) ids.push(await b.send());
    await b.clock.advance(60 * SECOND);
    expect(rejected).toBe(0);
    for (const id of ids) expect(b.outcome(id)).toEqual(["propagated", "sent"]);
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
    await expect(b.send()).rejects.toThrow(ERROR_QUEUE_FULL);
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
