import { describe, expect, test } from "vitest";
import { utf8 } from "../../../src/common/bytes.ts";
import { err, ok } from "../../../src/common/result.ts";
import { LIMITS } from "../../../src/limits.ts";
import { MessagingBench, TOPIC } from "./messaging-bench.ts";

const SECRET = "a payload that nobody else may see";

async function bench(): Promise<MessagingBench> {
  return new MessagingBench().start();
}

describe("diagnostics", () => {
  test("peers by service, subscriptions, queue and the last errors; no content", async () => {
    const b = await bench();
    const [a, s] = [b.network.node("a", ["lightpush", "filter"]), b.network.node("s", ["store"])];
    a.answerLightpush = () => ok({ status: 503, statusText: "busy", relayPeerCount: 0 });
    s.answerStore = () => err("connection reset");
    b.nodes.connect(a, s);
    await b.send({ payload: utf8(SECRET), meta: utf8("marker") });
    await b.clock.advance(500);
    const diagnostics = b.client.diagnostics();
    expect(diagnostics).toMatchObject({
      network: "local",
      status: "PartiallyConnected",
      peers: { lightpush: ["a"], filter: ["a"], store: ["s"] },
      subscriptions: [{ contentTopic: TOPIC, health: "MINIMALLY_HEALTHY", filterNodes: 1 }],
      queue: { queued: 1, propagated: 0, pushing: 0, oldestMs: 500 },
    });
    expect(diagnostics.lastErrors.map(({ what }) => what)).toEqual(
      expect.arrayContaining(["lightpush a: 503 busy", "store s: connection reset"]),
    );
    expect(JSON.stringify(diagnostics)).not.toContain(SECRET);
  });

  test("only the latest errors are kept", async () => {
    const b = await bench();
    const node = b.network.node("a", ["lightpush"]);
    node.answerLightpush = () => ok({ status: 503, statusText: "busy", relayPeerCount: 0 });
    b.nodes.connect(node);
    await b.send();
    await b.clock.advance(50_000);
    expect(b.client.diagnostics().lastErrors).toHaveLength(LIMITS.messaging.lastErrors);
    expect(b.client.diagnostics().lastErrors.at(-1)?.at).toBe(b.clock.now());
  });
});

describe("a network with less works with what it has, and says what it lacks", () => {
  test("no store: sent and received, the store is what is missing", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a", ["lightpush", "filter"]), b.network.node("b", ["lightpush", "filter"]));
    const id = await b.send({ payload: utf8("hello") });
    await b.clock.advance(2 * LIMITS.messaging.storeGraceMs);
    expect(b.outcome(id)).toEqual(["propagated", "sent"]);
    expect(b.received()).toEqual(["hello"]);
    expect(b.client.diagnostics()).toMatchObject({ status: "Disconnected", lacks: [{ service: "store", peers: 0 }] });
  });

  test("one peer for everything: sent, confirmed and received; a second one of each is missing", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("only"));
    const id = await b.send({ payload: utf8("hello") });
    await b.clock.advance(10_000);
    expect(b.outcome(id)).toEqual(["propagated", "sent"]);
    expect(b.received()).toEqual(["hello"]);
    expect(b.client.diagnostics().lacks).toEqual([
      { service: "lightpush", peers: 1 },
      { service: "filter", peers: 1 },
      { service: "store", peers: 1 },
    ]);
  });

  test("no filter: messages come by the looks in the store", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a", ["lightpush", "store"]));
    await b.client.subscribe(TOPIC);
    await b.clock.settle();
    b.network.publish(b.pubsubTopic(), b.message("by the store"));
    await b.clock.advance(LIMITS.messaging.catchUpEveryMs);
    expect(b.received()).toEqual(["by the store"]);
    expect(b.client.diagnostics().lacks).toContainEqual({ service: "filter", peers: 0 });
  });

  test("a whole network lacks nothing", async () => {
    const b = await bench();
    b.nodes.connect(b.network.node("a"), b.network.node("b"));
    expect(b.client.diagnostics()).toMatchObject({ status: "Connected", lacks: [] });
  });
});
