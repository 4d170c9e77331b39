/**
 * The contract rows T01 to T07 and T09 to T11 of the interop suites for Waku nodes.
 *
 * Where a row tells of the REST interface (cursor "not found" as 500, "invalid hash length", the empty cursor as the
 * first page, a malformed hash as an error), the protocol itself was seen to answer otherwise, and that is tested.
 */
import type { Connection } from "@libp2p/interface";
import type { proto_store } from "@waku/proto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalNetwork } from "../../../dev/network/local-network.ts";
import { startLocalNetwork } from "../../../dev/network/local-network.ts";
import { EMPTY, equalBytes, toHex, utf8 } from "../../../src/common/bytes.ts";
import type { Draft, Pushed } from "./raw-client.ts";
import { RawClient } from "./raw-client.ts";

const METADATA = { clusterId: 42, shards: [] };
const SHARD = "/waku/2/rs/42/3";

let network: LocalNetwork;
let client: RawClient;
let connection: Connection;
let topics = 0;

const newTopic = (): string => `/rows/1/topic-${++topics}/proto`;
const now = (): bigint => BigInt(Date.now()) * 1_000_000n;
const hashesOf = ({ messages }: proto_store.StoreQueryResponse): readonly string[] =>
  messages.map(({ messageHash }) => toHex(messageHash ?? EMPTY));
const textOf = ({ message }: Pushed): string => new TextDecoder().decode(message.payload);
const onTopic =
  (contentTopic: string) =>
  ({ message }: Pushed): boolean =>
    message.contentTopic === contentTopic;

async function push(draft: Partial<Draft> & { readonly contentTopic: string }, pubsubTopic = SHARD) {
  return client.lightpush(connection, { payload: utf8("payload"), timestamp: now(), ...draft }, pubsubTopic);
}

/** Sends messages one millisecond apart and tells their hashes in the order of the store. */
async function fill(contentTopic: string, count: number, base = now()): Promise<readonly string[]> {
  for (let i = 0; i < count; i++) {
    const timestamp = base + BigInt(i) * 1_000_000n;
    expect((await push({ contentTopic, payload: utf8(`message ${i}`), timestamp })).statusCode).toBe(200);
  }
  return network.nodes[0]?.archive.hashes(contentTopic) ?? [];
}

async function query(contentTopic: string, more: Partial<proto_store.StoreQueryRequest> = {}) {
  return client.query(connection, { contentTopics: [contentTopic], pubsubTopic: SHARD, ...more });
}

async function subscribe(...contentTopics: string[]): Promise<number> {
  return (await client.filter(connection, "SUBSCRIBE", SHARD, contentTopics)).statusCode;
}

async function unsubscribe(...contentTopics: string[]): Promise<number> {
  return (await client.filter(connection, "UNSUBSCRIBE", SHARD, contentTopics)).statusCode;
}

/** Which of the topics a message pushed to it comes back on. */
async function heard(...contentTopics: string[]): Promise<readonly string[]> {
  const marker = newTopic();
  await subscribe(marker);
  for (const contentTopic of [...contentTopics, marker]) await push({ contentTopic, payload: utf8(marker) });
  await client.pushed.until(1, onTopic(marker));
  await unsubscribe(marker);
  return client.pushed
    .where((pushed) => textOf(pushed) === marker && pushed.message.contentTopic !== marker)
    .map(({ message }) => message.contentTopic);
}

beforeAll(async () => {
  network = await startLocalNetwork();
  client = await RawClient.start({ metadata: METADATA });
  connection = await client.connect(network.multiaddrs[0] ?? "");
});

afterAll(async () => {
  await client.stop();
  await network.stop();
});

describe("store", () => {
  test("T01 page size: 20 by default and for 0, 100 at most, otherwise as asked", async () => {
    const topic = newTopic();
    const hashes = await fill(topic, 105);
    const pageOf = async (limit?: bigint) =>
      hashesOf(await query(topic, limit === undefined ? {} : { paginationLimit: limit }));
    expect(await pageOf()).toEqual(hashes.slice(0, 20));
    expect(await pageOf(0n)).toEqual(hashes.slice(0, 20));
    expect(await pageOf(7n)).toEqual(hashes.slice(0, 7));
    expect(await pageOf(100n)).toEqual(hashes.slice(0, 100));
    expect(await pageOf(110n)).toEqual(hashes.slice(0, 100));
  });

  test("T02 cursor: a message hash, not returned again, absent on the last page", async () => {
    const topic = newTopic();
    const hashes = await fill(topic, 10);
    const firstPage = await query(topic, { paginationLimit: 5n });
    expect(hashesOf(firstPage)).toEqual(hashes.slice(0, 5));
    expect(toHex(firstPage.paginationCursor ?? EMPTY)).toBe(hashes[4]);
    const secondPage = await query(topic, {
      paginationLimit: 5n,
      paginationCursor: firstPage.paginationCursor ?? EMPTY,
    });
    expect(hashesOf(secondPage)).toEqual(hashes.slice(5));
    expect(secondPage.paginationCursor).toBeUndefined();
    const at = async (index: number) => {
      const { messages } = await query(topic, { messageHashes: [bytes(hashes[index])] });
      return query(topic, { paginationCursor: messages[0]?.messageHash ?? EMPTY });
    };
    expect(hashesOf(await at(0))).toEqual(hashes.slice(1));
    expect(hashesOf(await at(9))).toEqual([]);
    const never = await query(topic, { paginationCursor: new Uint8Array(32).fill(9) });
    expect([never.statusCode, never.statusDesc]).toEqual([
      300,
      "BAD_RESPONSE: archive error: DRIVER_ERROR: cursor not found",
    ]);
    const short = await query(topic, { paginationCursor: new Uint8Array(5).fill(1) });
    expect([short.statusCode, short.statusDesc]).toEqual([never.statusCode, never.statusDesc]);
    const empty = await query(topic, { paginationCursor: EMPTY });
    expect([empty.statusCode, empty.statusDesc]).toEqual([
      300,
      "BAD_RESPONSE: archive error: INVALID_QUERY: all zeroes cursor hash",
    ]);
  });

  test("T03 time filter: both ends inclusive, an empty range is no error, old timestamps can be asked for", async () => {
    const topic = newTopic();
    const base = now();
    const hashes = await fill(topic, 3, base);
    const range = async (timeStart: bigint, timeEnd: bigint) => query(topic, { timeStart, timeEnd });
    expect(hashesOf(await range(base + 1_000_000n, base + 1_000_000n))).toEqual([hashes[1]]);
    expect(hashesOf(await range(base, base + 2_000_000n))).toEqual(hashes);
    const reversed = await range(base + 2_000_000n, base);
    expect([reversed.statusCode, reversed.messages]).toEqual([200, []]);
    const old = { contentTopic: topic, payload: utf8("old"), version: 0, meta: EMPTY, proof: EMPTY, ephemeral: false };
    for (const [hash, timestamp] of [
      ["01".repeat(32), 1n],
      ["02".repeat(32), 4_102_444_800_000_000_000n],
    ] as const) {
      network.nodes[0]?.archive.insert({ hash, pubsubTopic: SHARD, message: { ...old, timestamp } });
      expect(hashesOf(await range(timestamp, timestamp))).toEqual([hash]);
    }
  });

  test("T04 hashes: one, several, in the order of the store, each once, unknown ones left out", async () => {
    const topic = newTopic();
    const hashes = await fill(topic, 6);
    const byHash = async (...wanted: (string | undefined)[]) =>
      hashesOf(await client.query(connection, { messageHashes: wanted.map(bytes) }));
    expect(await byHash(hashes[2])).toEqual([hashes[2]]);
    expect(await byHash(hashes[5], hashes[0], hashes[3])).toEqual([hashes[0], hashes[3], hashes[5]]);
    expect(await byHash("ab".repeat(32))).toEqual([]);
    expect(await byHash(hashes[1], hashes[1])).toEqual([hashes[1]]);
    expect(await byHash("abcd")).toEqual([]);
  });

  test("T05 sorting: forward is oldest first, backward is the newest page first", async () => {
    const topic = newTopic();
    const hashes = await fill(topic, 10);
    const forward = await query(topic, { paginationForward: true, paginationLimit: 4n });
    expect(hashesOf(forward)).toEqual(hashes.slice(0, 4));
    const backward = await query(topic, { paginationForward: false, paginationLimit: 4n });
    expect(hashesOf(backward)).toEqual(hashes.slice(6));
    const next = await query(topic, {
      paginationForward: false,
      paginationLimit: 4n,
      paginationCursor: backward.paginationCursor ?? EMPTY,
    });
    expect(hashesOf(next)).toEqual(hashes.slice(2, 6));
  });

  test("T06 ephemeral messages are never archived, others are", async () => {
    const topic = newTopic();
    await push({ contentTopic: topic, payload: utf8("ephemeral"), ephemeral: true });
    await push({ contentTopic: topic, payload: utf8("lasting"), ephemeral: false });
    const { messages } = await query(topic, { includeData: true });
    expect(messages.map(({ message }) => new TextDecoder().decode(message?.payload))).toEqual(["lasting"]);
  });

  test("T07 meta and version survive the archive; the same message twice is stored once", async () => {
    const topic = newTopic();
    const message = { contentTopic: topic, meta: Uint8Array.of(1, 2, 3), version: 2, timestamp: now() };
    await push(message);
    await push(message);
    const { messages } = await query(topic, { includeData: true });
    expect(messages).toHaveLength(1);
    expect([...(messages[0]?.message?.meta ?? [])]).toEqual([1, 2, 3]);
    expect(messages[0]?.message?.version).toBe(2);
  });
});

describe("lightpush", () => {
  test("T09 sizes: 140 KiB is taken, 150 KiB of payload and 1 MiB are refused", async () => {
    const sized = async (size: number) => push({ contentTopic: newTopic(), payload: new Uint8Array(size).fill(1) });
    expect((await sized(140 * 1024)).statusCode).toBe(200);
    for (const size of [150 * 1024, 1024 * 1024]) {
      const { statusCode, statusDesc } = await sized(size);
      expect([statusCode, statusDesc]).toEqual([420, "Message size exceeded maximum of 153600 bytes"]);
    }
  });

  test("T09 meta: up to 64 bytes", async () => {
    expect((await push({ contentTopic: newTopic(), meta: new Uint8Array(64) })).statusCode).toBe(200);
    expect((await push({ contentTopic: newTopic(), meta: new Uint8Array(65) })).statusCode).toBe(400);
  });

  test("T09 a pubsub topic that nobody relays: not published to any peer", async () => {
    const { statusCode, statusDesc } = await push({ contentTopic: newTopic() }, "/waku/2/rs/42/99");
    expect([statusCode, statusDesc]).toEqual([505, "No peers for topic, skipping publish"]);
  });

  test("T09 duplicates are suppressed", async () => {
    const topic = newTopic();
    await subscribe(topic);
    const message = { contentTopic: topic, payload: utf8("twice"), timestamp: now() };
    expect((await push(message)).statusCode).toBe(200);
    expect((await push(message)).statusCode).toBe(505);
    await push({ contentTopic: topic, payload: utf8("end") });
    expect((await client.pushed.until(2, onTopic(topic))).map(textOf)).toEqual(["twice", "end"]);
  });

  test("T09 100 in a row all arrive, at both nodes", async () => {
    const topic = newTopic();
    const hashes = await fill(topic, 100);
    expect(hashes).toHaveLength(100);
    const other = network.nodes[1];
    for (const hash of hashes) await other?.archive.waitFor(hash);
    expect(other?.archive.hashes(topic)).toEqual(hashes);
  });

  test("T09 survives a pause of the node, a restart of the node and one of the client", async () => {
    const own = await startLocalNetwork();
    const [node] = own.nodes;
    const another = await RawClient.start({ metadata: METADATA });
    const address = own.multiaddrs[0] ?? "";
    const topic = newTopic();
    const send = async (payload: string) =>
      (
        await another.lightpush(
          await another.connect(address),
          { contentTopic: topic, payload: utf8(payload), timestamp: now() },
          SHARD,
        )
      ).statusCode;
    expect(await send("before")).toBe(200);
    node?.faults.set("lightpush", { kind: "hold" });
    const paused = node?.faults.struck("lightpush");
    const held = send("paused");
    await paused;
    node?.faults.clear();
    expect(await held).toBe(200);
    await node?.stop();
    await expect(send("down")).rejects.toThrow();
    await node?.start();
    expect(own.multiaddrs[0]).toBe(node?.multiaddr);
    expect(await send("restarted")).toBe(200);
    await another.libp2p.stop();
    await node?.untilGone(another.peerId);
    await another.libp2p.start();
    expect(await send("client restarted")).toBe(200);
    expect(node?.archive.messages(topic).map(({ message }) => new TextDecoder().decode(message.payload))).toEqual([
      "before",
      "paused",
      "restarted",
      "client restarted",
    ]);
    await another.stop();
    await own.stop();
  });
});

describe("filter", () => {
  test("T10 payloads, timestamps, version, meta and ephemeral pass through unchanged", async () => {
    const topic = newTopic();
    await subscribe(topic);
    const payloads = [
      utf8("text"),
      utf8('{"json":[1,2]}'),
      Uint8Array.of(0, 255, 128, 0),
      utf8("ünïcødé 🦊"),
      new Uint8Array(1),
    ];
    const base = now();
    for (const [i, payload] of payloads.entries()) {
      const draft = {
        contentTopic: topic,
        payload,
        timestamp: base + BigInt(i),
        version: i,
        meta: new Uint8Array(i).fill(i),
        ephemeral: i % 2 === 1,
      };
      expect((await push(draft)).statusCode).toBe(200);
    }
    const pushed = await client.pushed.until(payloads.length, onTopic(topic));
    for (const [i, { message, pubsubTopic }] of pushed.entries()) {
      expect(pubsubTopic).toBe(SHARD);
      expect(equalBytes(message.payload, payloads[i] ?? EMPTY)).toBe(true);
      expect(message.timestamp).toBe(base + BigInt(i));
      expect(message.version).toBe(i);
      expect([...(message.meta ?? [])]).toEqual(Array.from({ length: i }, () => i));
      expect(message.ephemeral).toBe(i % 2 === 1);
    }
  });

  test("T10 50 in a row all arrive, in order, also from the other node", async () => {
    const topic = newTopic();
    await subscribe(topic);
    const sender = await RawClient.start({ metadata: METADATA });
    const toOther = await sender.connect(network.multiaddrs[1] ?? "");
    const wanted = Array.from({ length: 50 }, (_, i) => `message ${i}`);
    for (const text of wanted) {
      const message = { contentTopic: topic, payload: utf8(text), timestamp: now() };
      expect((await sender.lightpush(toOther, message, SHARD)).statusCode).toBe(200);
    }
    expect((await client.pushed.until(50, onTopic(topic))).map(textOf)).toEqual(wanted);
    await sender.stop();
  });

  test("T10 a message published twice is delivered once", async () => {
    const topic = newTopic();
    await subscribe(topic);
    const message = { contentTopic: topic, payload: utf8("once"), timestamp: now() };
    await push(message);
    await push(message);
    await push({ contentTopic: topic, payload: utf8("end") });
    expect((await client.pushed.until(2, onTopic(topic))).map(textOf)).toEqual(["once", "end"]);
  });

  test("T10 100 KiB are delivered", async () => {
    const topic = newTopic();
    await subscribe(topic);
    const payload = new Uint8Array(100 * 1024).map((_, i) => i % 251);
    await push({ contentTopic: topic, payload });
    const [pushed] = await client.pushed.until(1, onTopic(topic));
    expect(equalBytes(pushed?.message.payload ?? EMPTY, payload)).toBe(true);
  });

  test("T10 delivery goes on after a restart of either side, once subscribed again", async () => {
    const own = await startLocalNetwork();
    const another = await RawClient.start({ metadata: METADATA });
    const address = own.multiaddrs[0] ?? "";
    const topic = newTopic();
    const roundTrip = async (text: string): Promise<void> => {
      const to = await another.connect(address);
      expect((await another.filter(to, "SUBSCRIBE", SHARD, [topic])).statusCode).toBe(200);
      await another.lightpush(to, { contentTopic: topic, payload: utf8(text), timestamp: now() }, SHARD);
      await another.pushed.until(1, (pushed) => textOf(pushed) === text);
    };
    await roundTrip("before");
    await own.nodes[0]?.stop();
    await own.nodes[0]?.start();
    const unsubscribed = await another.filter(await another.connect(address), "SUBSCRIBER_PING");
    expect(unsubscribed.statusCode).toBe(404);
    await roundTrip("node restarted");
    await another.libp2p.stop();
    await own.nodes[0]?.untilGone(another.peerId);
    await another.libp2p.start();
    await roundTrip("client restarted");
    await another.stop();
    await own.stop();
  });

  test("T11 unsubscribe one, some and all; unknown topics are not found; subscribing again works", async () => {
    const [a, b, c] = [newTopic(), newTopic(), newTopic()];
    await client.filter(connection, "UNSUBSCRIBE_ALL");
    expect(await subscribe(a, b, c)).toBe(200);
    expect(await heard(a, b, c)).toEqual([a, b, c]);
    expect(await unsubscribe(a)).toBe(200);
    expect(await heard(a, b, c)).toEqual([b, c]);
    expect(await unsubscribe(newTopic())).toBe(404);
    expect(await unsubscribe(b, c)).toBe(200);
    expect(await heard(a, b, c)).toEqual([]);
    expect(await subscribe(a, b)).toBe(200);
    expect(await heard(a, b, c)).toEqual([a, b]);
    expect((await client.filter(connection, "UNSUBSCRIBE_ALL")).statusCode).toBe(200);
    expect(await heard(a, b)).toEqual([]);
    expect(await subscribe(b)).toBe(200);
    expect(await heard(a, b)).toEqual([b]);
  });
});

function bytes(hash: string | undefined): Uint8Array {
  return Uint8Array.from((hash ?? "").match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
