import type { Connection } from "@libp2p/interface";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { LocalNetwork } from "../../../dev/network/local-network.ts";
import { startLocalNetwork } from "../../../dev/network/local-network.ts";
import { CODEC } from "../../../dev/network/protocols.ts";
import type { ServiceNode } from "../../../dev/network/service-node.ts";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { toHex, utf8 } from "../../../src/common/bytes.ts";
import { RawClient } from "./raw-client.ts";

const SHARD = "/waku/2/rs/42/0";
const TOPIC = "/faults/1/topic/proto";
const clock = new VirtualClock();

let network: LocalNetwork;
let node: ServiceNode;
let client: RawClient;
let connection: Connection;

beforeAll(async () => {
  network = await startLocalNetwork({ clock });
  const [first] = network.nodes;
  if (first === undefined) throw new Error("no node");
  node = first;
  client = await RawClient.start({ metadata: { clusterId: 42, shards: [] } });
  connection = await client.connect(node.multiaddr);
  await client.filter(connection, "SUBSCRIBE", SHARD, [TOPIC]);
});

afterAll(async () => {
  await client.stop();
  await network.stop();
});

afterEach(() => {
  node.faults.clear();
});

let messages = 0;

/** A message that no other test has sent, and its push. */
function send() {
  const text = `message ${++messages}`;
  const message = { contentTopic: TOPIC, payload: utf8(text), timestamp: BigInt(clock.now() + messages) * 1_000_000n };
  return { text, answer: client.lightpush(connection, message, SHARD) };
}

const pushed = (): readonly string[] =>
  client.pushed.all.map(({ message }) => new TextDecoder().decode(message.payload));
const isArchived = (text: string): boolean =>
  node.archive.messages(TOPIC).some(({ message }) => new TextDecoder().decode(message.payload) === text);

describe("faults of requests", () => {
  test("refuse: the next requests get this status, and nothing happens", async () => {
    node.faults.set("lightpush", { kind: "refuse", status: { code: 503, desc: "not now" } }, 2);
    for (let i = 0; i < 2; i++) {
      const refused = send();
      const { statusCode, statusDesc } = await refused.answer;
      expect([statusCode, statusDesc]).toEqual([503, "not now"]);
      expect(isArchived(refused.text)).toBe(false);
    }
    expect((await send().answer).statusCode).toBe(200);
  });

  test("refuse: other protocols are not touched, and refuse in their own words", async () => {
    node.faults.set("store", { kind: "refuse", status: { code: 503, desc: "SERVICE_UNAVAILABLE" } });
    node.faults.set("filter", { kind: "refuse", status: { code: 429, desc: "slow down" } });
    expect((await client.query(connection, {})).statusCode).toBe(503);
    expect((await client.filter(connection, "SUBSCRIBER_PING")).statusCode).toBe(429);
    expect((await send().answer).statusCode).toBe(200);
    node.faults.clear("store");
    expect((await client.query(connection, {})).statusCode).toBe(200);
    expect((await client.filter(connection, "SUBSCRIBER_PING")).statusCode).toBe(429);
  });

  test("drop: no answer; what was asked is done only if told so", async () => {
    for (const processed of [false, true]) {
      node.faults.set("lightpush", { kind: "drop", processed }, 1);
      const seen = node.requests.next("lightpush");
      const dropped = send();
      expect((await seen).statusCode).toBeUndefined();
      expect(isArchived(dropped.text)).toBe(processed);
      // The node leaves the stream open: it is the client that gives up.
      const [open] = connection.streams.filter(({ protocol }) => protocol === CODEC.lightpush);
      open?.abort(new Error("no patience left"));
      await expect(dropped.answer).rejects.toThrow();
    }
  });

  test("cut: the stream is reset in the middle of the answer", async () => {
    for (const processed of [false, true]) {
      node.faults.set("lightpush", { kind: "cut", processed }, 1);
      const cut = send();
      await expect(cut.answer).rejects.toThrow();
      expect(isArchived(cut.text)).toBe(processed);
    }
  });

  test("delay: the work is done later", async () => {
    node.faults.set("lightpush", { kind: "delay", ms: 30 }, 1);
    const struck = node.faults.struck("lightpush");
    const slow = send();
    await struck;
    expect((await send().answer).statusCode).toBe(200);
    expect(isArchived(slow.text)).toBe(false);
    await clock.advance(30);
    expect((await slow.answer).statusCode).toBe(200);
  });

  test("hold: stands still until it is cleared", async () => {
    node.faults.set("lightpush", { kind: "hold" }, 1);
    const struck = node.faults.struck("lightpush");
    const held = send();
    await struck;
    expect((await send().answer).statusCode).toBe(200);
    expect(isArchived(held.text)).toBe(false);
    node.faults.clear();
    expect((await held.answer).statusCode).toBe(200);
  });

  test("store down: peers learn that the node no longer has it, and later that it has", async () => {
    const offered = async (wanted: boolean): Promise<void> =>
      new Promise((resolve) => {
        client.libp2p.addEventListener("peer:update", function update({ detail: { peer } }) {
          if (peer.id.toString() !== node.peerId || peer.protocols.includes(CODEC.store) !== wanted) return;
          client.libp2p.removeEventListener("peer:update", update);
          resolve();
        });
      });
    const gone = offered(false);
    await node.withdraw("store");
    await gone;
    await expect(client.query(connection, {})).rejects.toThrow();
    const back = offered(true);
    await node.offer("store");
    await back;
    expect((await client.query(connection, {})).statusCode).toBe(200);
  });

  test("tamperStore: pages are changed before they are sent", async () => {
    const sent = send();
    await sent.answer;
    node.faults.tamperStore = (page) => ({
      ...page,
      messages: page.messages.map((entry) => ({ ...entry, message: { ...entry.message, payload: utf8("forged") } })),
    });
    const forged = await client.query(connection, { contentTopics: [TOPIC], includeData: true });
    expect(forged.messages.map(({ message }) => new TextDecoder().decode(message?.payload))).toContain("forged");
    node.faults.clear();
    const honest = await client.query(connection, { contentTopics: [TOPIC], includeData: true });
    expect(honest.messages.map(({ message }) => new TextDecoder().decode(message?.payload))).not.toContain("forged");
  });

  test("noRelayPeers: 505, archived and pushed all the same, unknown to the other node", async () => {
    node.faults.noRelayPeers = true;
    const alone = send();
    const { statusCode, statusDesc } = await alone.answer;
    expect([statusCode, statusDesc]).toEqual([505, "No peers for topic, skipping publish"]);
    expect(isArchived(alone.text)).toBe(true);
    expect(pushed()).toContain(alone.text);
    node.faults.clear();
    await send().answer;
    const last = node.archive.hashes(TOPIC).at(-1) ?? "";
    await network.nodes[1]?.archive.waitFor(last);
    const there = network.nodes[1]?.archive.messages(TOPIC).map(({ message }) => toHex(message.payload));
    expect(there).not.toContain(toHex(utf8(alone.text)));
  });
});

describe("faults of pushes", () => {
  test("drop: the message is archived but not pushed", async () => {
    node.faults.setPushes({ kind: "drop" }, 1);
    const lost = send();
    await lost.answer;
    const next = send();
    await client.pushed.until(1, ({ message }) => new TextDecoder().decode(message.payload) === next.text);
    expect(pushed()).not.toContain(lost.text);
    expect(isArchived(lost.text)).toBe(true);
  });

  test("duplicate: the message is pushed several times", async () => {
    node.faults.setPushes({ kind: "duplicate", copies: 3 }, 1);
    const { text } = send();
    await client.pushed.until(3, ({ message }) => new TextDecoder().decode(message.payload) === text);
    await send().answer;
    expect(pushed().filter((each) => each === text)).toHaveLength(3);
  });

  test("reorder: newest first", async () => {
    node.faults.setPushes({ kind: "reorder", window: 3 });
    const texts: string[] = [];
    for (let i = 0; i < 3; i++) {
      const { text, answer } = send();
      await answer;
      texts.push(text);
    }
    await client.pushed.until(3, ({ message }) => texts.includes(new TextDecoder().decode(message.payload)));
    expect(pushed().slice(-3)).toEqual(texts.toReversed());
  });

  test("reorder: what was gathered goes out when the fault is cleared", async () => {
    node.faults.setPushes({ kind: "reorder", window: 10 });
    const [first, second] = [send(), send()];
    await Promise.all([first.answer, second.answer]);
    expect(pushed()).not.toContain(first.text);
    node.faults.clear();
    await client.pushed.until(1, ({ message }) => new TextDecoder().decode(message.payload) === first.text);
    expect(pushed().slice(-2)).toEqual([second.text, first.text]);
  });

  test("a client that resets its push stream is pushed to on a new one", async () => {
    const before = send();
    const [{ streamId } = { streamId: "" }] = await client.pushed.until(
      1,
      ({ message }) => new TextDecoder().decode(message.payload) === before.text,
    );
    connection.streams.find(({ id }) => id === streamId)?.abort(new Error("reset"));
    // The reset travels before this request does.
    await client.filter(connection, "SUBSCRIBER_PING");
    const after = send();
    const [next] = await client.pushed.until(
      1,
      ({ message }) => new TextDecoder().decode(message.payload) === after.text,
    );
    expect(next?.streamId).not.toBe(streamId);
  });

  test("delay: others overtake it", async () => {
    node.faults.setPushes({ kind: "delay", ms: 30 }, 1);
    const slow = send();
    await slow.answer;
    const fast = send();
    await fast.answer;
    expect(pushed()).not.toContain(slow.text);
    await clock.advance(30);
    await client.pushed.until(1, ({ message }) => new TextDecoder().decode(message.payload) === slow.text);
    expect(pushed().slice(-2)).toEqual([fast.text, slow.text]);
  });
});

describe("inspection", () => {
  test("the request log knows each request with its status and its hashes", async () => {
    node.requests.clear();
    const { text, answer } = send();
    await answer;
    const hash = node.archive.messages(TOPIC).find(({ message }) => toHex(message.payload) === toHex(utf8(text)))?.hash;
    await client.query(connection, { messageHashes: [new Uint8Array(32).fill(0xab)] });
    expect(node.requests.of("lightpush")).toEqual([
      {
        service: "lightpush",
        codec: CODEC.lightpush,
        peer: client.peerId,
        at: clock.now(),
        statusCode: 200,
        hashes: [hash],
      },
    ]);
    expect(node.requests.of("store").map(({ hashes }) => hashes)).toEqual([["ab".repeat(32)]]);
    expect(node.requests.count("filter")).toBe(0);
  });

  test("disconnect ends the connections to clients, not those between the nodes", async () => {
    const other = await RawClient.start({ metadata: { clusterId: 42, shards: [] } });
    const toNode = await other.connect(node.multiaddr);
    expect((await other.query(toNode, {})).statusCode).toBe(200);
    await node.disconnect(other.peerId);
    await other.untilClosed(toNode);
    expect((await send().answer).relayPeerCount).toBe(1);
    await other.stop();
  });
});
