/**
 * Store as captured from a real node.
 *
 * Not replayed, and why:
 *
 * | vector | reason |
 * | --- | --- |
 * | `latencyLightpushOkToVisible` samples | times of one machine; that the first query after the answer finds the message is a test |
 * | `latencyLightpushOkToVisible.otherNode` | relaying takes a few milliseconds, in which a query may come first |
 * | `rateLimit.with_storev3_2_per_1s` | a setting other than the default |
 *
 * Messages of the capture that are no part of its setup are stood in for: same topics, same place in time, other hash.
 */
import type { Connection } from "@libp2p/interface";
import type { proto_store } from "@waku/proto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalNetwork } from "../../../dev/network/local-network.ts";
import { startLocalNetwork } from "../../../dev/network/local-network.ts";
import { CODEC } from "../../../dev/network/protocols.ts";
import { fromHex, toHex, utf8 } from "../../../src/common/bytes.ts";
import type { StoreCase, StoreQuery } from "./captured.ts";
import { CAPTURED_METADATA, CAPTURED_NETWORK, capturedForm, expectedForm, storeVectors } from "./captured.ts";
import type { Muxer } from "./raw-client.ts";
import { newRequestId, RawClient } from "./raw-client.ts";
import { SettableClock } from "./settable-clock.ts";

const { setup } = storeVectors;
const BASE = BigInt(setup.baseTimestamp);
const timeOf = (index: number): bigint => BASE + BigInt(index * setup.stepNs);
const OTHER_TOPIC = "/cap/1/other19275/proto";

let network: LocalNetwork;
const clients = new Map<Muxer, { readonly client: RawClient; readonly connection: Connection }>();
const clock = new SettableClock(Number(BASE / 1_000_000n));
/** From hashes of the capture to those of the messages that stand in for them. */
const standIns = new Map<string, string>();

function clientOf(muxer: Muxer) {
  const connected = clients.get(muxer);
  if (connected === undefined) throw new Error(`no client for ${muxer}`);
  return connected;
}

/** Sends a message; its hash is what the archive has afterwards and had not before. */
async function publish(text: string, contentTopic: string, timestamp: bigint, ephemeral?: boolean) {
  const { client, connection } = clientOf("yamux");
  const before = new Set(network.nodes[0]?.archive.hashes());
  const requestId = newRequestId();
  const message = { payload: utf8(text), contentTopic, timestamp, ephemeral };
  const answer = await client.lightpush(connection, message, setup.pubsubTopic, requestId);
  const hash = network.nodes[0]?.archive.hashes().find((each) => !before.has(each));
  return { answer: capturedForm(answer, requestId), hash: hash ?? "" };
}

beforeAll(async () => {
  network = await startLocalNetwork({ ...CAPTURED_NETWORK, limits: "none", clock });
  for (const muxer of ["yamux", "mplex"] as const) {
    const client = await RawClient.start({ muxer, metadata: CAPTURED_METADATA });
    clients.set(muxer, { client, connection: await client.connect(network.multiaddrs[0] ?? "") });
  }
  const standIn = (captured: string | number | undefined, hash: string): void => {
    if (typeof captured !== "string") throw new Error("the vectors have changed");
    standIns.set(captured, hash);
  };
  // Three messages were older than all of the setup.
  const oldest = caseNamed("nothing at all (no criteria)").response.indices;
  for (let i = 0; i < 3; i++) {
    standIn(oldest[i], (await publish(`older ${i}`, "/cap/1/lp/proto", timeOf(0) - BigInt(10 - i) * 1_000_000n)).hash);
  }
  const malformed = caseNamed("malformed content topic").response.indices;
  standIn(malformed[0], (await publish("malformed", "nope", timeOf(0) - 1_000_000n)).hash);
  // As in the capture: upwards, and the last ten downwards.
  const order = [...Array.from({ length: 120 }, (_, i) => i), ...Array.from({ length: 10 }, (_, i) => 129 - i)];
  for (const index of order) {
    const { hash } = await publish(`s${index}`, setup.contentTopic, timeOf(index));
    expect(hash).toBe(setup.hashes[index]);
  }
  const between = caseNamed("two content topics").response.indices;
  standIn(between[2], (await publish("between", OTHER_TOPIC, timeOf(10) + 500_000n)).hash);
});

afterAll(async () => {
  for (const { client } of clients.values()) await client.stop();
  await network.stop();
});

function caseNamed(name: string): StoreCase {
  const found = storeVectors.cases.find((each) => each.name === name);
  if (found === undefined || "rawRequestHex" in found) throw new Error(`no case ${name}`);
  return found;
}

describe("store, captured", () => {
  storeVectors.cases.forEach((captured, index) => {
    test(`case ${index}: ${captured.name}`, async () => {
      const { client, connection } = clientOf(captured.muxer ?? "yamux");
      if ("rawRequestHex" in captured) {
        const answer = await client.ask(connection, CODEC.store, bytesOf(captured.rawRequestHex));
        expect(answer && toHex(answer)).toBe(captured.response.rawHex);
        return;
      }
      const requestId = newRequestId();
      const { response } = captured;
      const answer = await client.query(connection, { requestId, ...queryOf(captured.query) });
      expect(capturedForm(answer, requestId)).toEqual(expectedForm(response));
      const hashes = answer.messages.map(({ messageHash }) => toHex(messageHash ?? new Uint8Array(0)));
      expect(hashes).toEqual(expectedHashes(response.indices));
      expect(hashes).toHaveLength(response.count);
      expect(answer.paginationCursor ? toHex(answer.paginationCursor) : null).toBe(
        response.cursor === null ? null : ours(response.cursor),
      );
      const [first] = answer.messages;
      expect(
        first === undefined
          ? null
          : {
              messageHash: first.messageHash !== undefined,
              hasMessage: first.message !== undefined,
              pubsubTopic: first.pubsubTopic ?? null,
            },
      ).toEqual(response.firstEntryShape);
    });
  });

  test("includeDataTrueEntry", async () => {
    const { client, connection } = clientOf("yamux");
    const { messageHash, pubsubTopic, message } = storeVectors.includeDataTrueEntry;
    const answer = await client.query(connection, { messageHashes: [bytesOf(messageHash)], includeData: true });
    const [entry] = answer.messages;
    expect(entry?.pubsubTopic).toBe(pubsubTopic);
    expect({
      payload: toHex(entry?.message?.payload ?? new Uint8Array(0)),
      contentTopic: entry?.message?.contentTopic,
      version: entry?.message?.version,
      timestamp: String(entry?.message?.timestamp),
      meta: toHex(entry?.message?.meta ?? Uint8Array.of(1)),
      ephemeral: entry?.message?.ephemeral,
    }).toEqual(without(message, "rateLimitProof"));
  });

  test("sameTimestamp: equal timestamps are ordered by hash", async () => {
    const { client, connection } = clientOf("yamux");
    const contentTopic = "/cap/1/same-timestamp/proto";
    const count = storeVectors.sameTimestamp.pushed.length;
    expect(storeVectors.sameTimestamp.forward).toEqual(storeVectors.sameTimestamp.pushed.toSorted());
    const pushed: string[] = [];
    for (let i = 0; i < count; i++) pushed.push((await publish(`same ${i}`, contentTopic, timeOf(0))).hash);
    const query = async (more: Partial<proto_store.StoreQueryRequest>) => {
      const answer = await client.query(connection, { contentTopics: [contentTopic], ...more });
      return answer.messages.map(({ messageHash }) => toHex(messageHash ?? new Uint8Array(0)));
    };
    expect(await query({})).toEqual(pushed.toSorted());
    expect(await query({ paginationForward: false, paginationLimit: 3n })).toEqual(pushed.toSorted().slice(-3));
  });

  test("ephemeral: answered 200, never stored", async () => {
    const { client, connection } = clientOf("yamux");
    const contentTopic = "/cap/1/ephemeral/proto";
    const { answer } = await publish("gone", contentTopic, timeOf(0), true);
    expect(answer).toEqual(expectedForm(storeVectors.ephemeral.push));
    const found = await client.query(connection, { contentTopics: [contentTopic] });
    expect(found.messages.length > 0).toBe(storeVectors.ephemeral.inStore);
  });

  test.for(storeVectors.timestampSkew)("timestampSkew: $offsetSeconds s off, archived: $archived", async (row) => {
    const { client, connection } = clientOf("yamux");
    const contentTopic = "/cap/1/skew/proto";
    const timestamp = BigInt(clock.now() + 1000 * row.offsetSeconds) * 1_000_000n;
    // The capture stamped the message some milliseconds before the node looked at it.
    clock.advance(5);
    const { answer } = await publish(`skew ${row.offsetSeconds}`, contentTopic, timestamp);
    expect(answer.statusCode).toBe(row.lightpushCode);
    const found = await client.query(connection, {
      contentTopics: [contentTopic],
      timeStart: timestamp,
      timeEnd: timestamp,
    });
    expect(found.messages.length > 0).toBe(row.archived);
  });

  test("latencyLightpushOkToVisible: the first query after the answer finds the message", async () => {
    const { client, connection } = clientOf("mplex");
    const contentTopic = "/cap/1/visible/proto";
    for (let i = 1; i <= 20; i++) {
      await publish(`visible ${i}`, contentTopic, BigInt(clock.now() + i) * 1_000_000n);
      expect((await client.query(connection, { contentTopics: [contentTopic] })).messages).toHaveLength(i);
    }
  });

  test("rateLimit: 200 queries at once are all answered", async () => {
    const limited = await startLocalNetwork({ ...CAPTURED_NETWORK, limits: "real" });
    const client = await RawClient.start({ metadata: CAPTURED_METADATA });
    const connection = await client.connect(limited.multiaddrs[0] ?? "");
    const { byCode } = storeVectors.rateLimit.burst;
    const answers = await Promise.all(Array.from({ length: byCode["200"] ?? 0 }, () => client.query(connection, {})));
    expect(answers.every(({ statusCode }) => statusCode === 200)).toBe(true);
    await client.stop();
    await limited.stop();
  });
});

/** The hash that stands in for one of the capture, or itself. */
const ours = (hash: string): string => standIns.get(hash) ?? hash;

function expectedHashes(indices: StoreCase["response"]["indices"]): readonly string[] {
  if (typeof indices !== "string") return indices.map((each) => (typeof each === "number" ? hashAt(each) : ours(each)));
  const [, first, last, count] = /^(\d+),.*,(\d+) \((\d+)\)$/.exec(indices) ?? [];
  const numbers = Array.from({ length: Number(count) }, (_, i) => Number(first) + i);
  expect(numbers.at(-1)).toBe(Number(last));
  return numbers.map(hashAt);
}

function hashAt(index: number): string {
  const hash = setup.hashes[index];
  if (hash === undefined) throw new Error(`no message ${index}`);
  return hash;
}

function queryOf(query: StoreQuery): Partial<proto_store.StoreQueryRequest> {
  const { contentTopics, pubsubTopic, includeData, timeStart, timeEnd, messageHashes } = query;
  const { paginationCursor, paginationForward, paginationLimit } = query;
  return {
    ...(contentTopics === undefined ? {} : { contentTopics: [...contentTopics] }),
    ...(pubsubTopic === undefined ? {} : { pubsubTopic }),
    ...(includeData === undefined ? {} : { includeData }),
    ...(timeStart === undefined ? {} : { timeStart: BigInt(timeStart) }),
    ...(timeEnd === undefined ? {} : { timeEnd: BigInt(timeEnd) }),
    ...(messageHashes === undefined ? {} : { messageHashes: expandHashes(messageHashes).map(bytesOf) }),
    ...(paginationCursor === undefined ? {} : { paginationCursor: bytesOf(ours(paginationCursor)) }),
    ...(paginationForward === undefined ? {} : { paginationForward }),
    ...(paginationLimit === undefined ? {} : { paginationLimit: BigInt(paginationLimit) }),
  };
}

/** Long lists are written as their length, their first and their last entry. */
function expandHashes(hashes: readonly string[]): readonly string[] {
  const [length, first = "", last = ""] = hashes;
  const count = Number(/^(\d+) entries$/.exec(length ?? "")?.[1] ?? Number.NaN);
  if (Number.isNaN(count)) return hashes.map(ours);
  const known = setup.hashes.indexOf(first);
  const expanded = Array.from({ length: count }, (_, i) =>
    known >= 0
      ? hashAt(known + i)
      : (i % 256).toString(16).padStart(2, "0") + (i >> 8).toString(16).padStart(2, "0") + first.slice(4),
  );
  expect([expanded[0], known >= 0 ? expanded.at(-1) : last]).toEqual([first, last]);
  return expanded;
}

function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  if (bytes === undefined) throw new Error(`no hexadecimal: ${hex}`);
  return bytes;
}

function without(record: object, key: string): object {
  return Object.fromEntries(Object.entries(record).filter(([name]) => name !== key));
}
