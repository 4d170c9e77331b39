/**
 * Lightpush as captured from a real node.
 *
 * Not replayed, and why:
 *
 * | vector | reason |
 * | --- | --- |
 * | `latency` | times of one machine |
 * | `clientPitfall_mplex` | what a client must not do, not what a node answers |
 * | `rateLimit.two_peers_at_once`, `mplex_flood_small`, `*_large_bodies`, `until_first_429…` | the same bucket as the runs that are replayed, over tens of seconds of wall time |
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FrameStream } from "../../../dev/network/frames.ts";

import type { LocalNetwork } from "../../../dev/network/local-network.ts";
import { startLocalNetwork } from "../../../dev/network/local-network.ts";
import { CODEC } from "../../../dev/network/protocols.ts";
import { LightpushLimiter } from "../../../dev/network/rate-limit.ts";
import { equalBytes, fromHex, toHex, utf8 } from "../../../src/common/bytes.ts";
import type { LightpushCase, RateSample } from "./captured.ts";
import {
  CAPTURED_METADATA,
  CAPTURED_NETWORK,
  capturedForm,
  expectedForm,
  lightpushVectors,
  payloadOf,
} from "./captured.ts";
import type { Muxer } from "./raw-client.ts";
import { newRequestId, RawClient } from "./raw-client.ts";
import { SettableClock } from "./settable-clock.ts";

const TOPIC = "/cap/1/lp/proto";
const SHARD = "/waku/2/rs/3/5";
const clock = new SettableClock();

async function connected(network: LocalNetwork, muxer: Muxer = "yamux", node = 0) {
  const client = await RawClient.start({ muxer, metadata: CAPTURED_METADATA });
  return { client, connection: await client.connect(network.multiaddrs[node] ?? "") };
}

describe("lightpush, captured", () => {
  let network: LocalNetwork;
  let pushers: Record<Muxer, Awaited<ReturnType<typeof connected>>>;
  let subscriber: Awaited<ReturnType<typeof connected>>;

  beforeAll(async () => {
    network = await startLocalNetwork({ ...CAPTURED_NETWORK, clock });
    pushers = { yamux: await connected(network, "yamux"), mplex: await connected(network, "mplex") };
    subscriber = await connected(network);
    const subscribed = await subscriber.client.filter(subscriber.connection, "SUBSCRIBE", SHARD, [TOPIC]);
    expect(subscribed.statusCode).toBe(200);
  });

  afterAll(async () => {
    await Promise.all([pushers.yamux, pushers.mplex, subscriber].map(({ client }) => client.stop()));
    await network.stop();
  });

  const archived = (node: number, payload: Uint8Array): boolean =>
    network.nodes[node]?.archive.messages().some(({ message }) => equalBytes(message.payload, payload)) ?? false;
  const pushedCount = (payload: Uint8Array): number =>
    subscriber.client.pushed.where(({ message }) => equalBytes(message.payload, payload)).length;

  /** What was sent before is everywhere by now: relay and pushes keep their order. */
  async function flush(): Promise<void> {
    clock.advance(1);
    const payload = utf8(`flush ${newRequestId()}`);
    const { client, connection } = pushers.yamux;
    const message = { payload, contentTopic: TOPIC, timestamp: BigInt(clock.now()) * 1_000_000n };
    expect((await client.lightpush(connection, message, SHARD)).statusCode).toBe(200);
    await subscriber.client.pushed.until(1, (pushed) => equalBytes(pushed.message.payload, payload));
    await relayed(network, payload);
  }

  lightpushVectors.cases.forEach((captured, index) => {
    test(`case ${index}, ${captured.muxer}: ${captured.name}`, async () => {
      const { client, connection } = pushers[captured.muxer ?? "yamux"];
      if ("rawRequestHex" in captured) {
        const answer = await client.ask(connection, CODEC.lightpush, hex(captured.rawRequestHex));
        expect(answer && toHex(answer)).toBe(captured.response.rawHex);
        return;
      }
      const { request } = captured;
      clock.set(sentAt(captured));
      // The first and the second of two duplicates have the same timestamp, and nothing else has.
      const payload = payloadOf(request.payloadBytes, `${request.timestamp ?? "none"} ${captured.muxer}`);
      const requestId = newRequestId();
      const answer = await client.lightpush(
        connection,
        {
          payload,
          contentTopic: request.contentTopic,
          timestamp: request.timestamp === undefined ? undefined : BigInt(request.timestamp),
          meta: request.metaBytes === 0 ? undefined : new Uint8Array(request.metaBytes).fill(7),
          version: request.version ?? undefined,
          ephemeral: request.ephemeral ?? undefined,
        },
        request.pubsubTopic ?? undefined,
        requestId,
      );
      expect(capturedForm(answer, requestId)).toEqual(expectedForm(captured.response));
      await flush();
      // A payload of no bytes is equal to every other one: such a message was refused for it.
      if (payload.length === 0) return;
      if (captured.archivedAtServiceNode !== null) expect(archived(0, payload)).toBe(captured.archivedAtServiceNode);
      if (captured.archivedAtOtherNode !== null) expect(archived(1, payload)).toBe(captured.archivedAtOtherNode);
      if (captured.pushedToFilterSubscriber !== null) {
        expect(pushedCount(payload)).toBe(captured.pushedToFilterSubscriber ? 1 : 0);
      }
    });
  });

  test("maxMessageSize: 153,600 bytes as the node encodes it", async () => {
    const { client, connection } = pushers.yamux;
    const { maxMessageSize } = lightpushVectors;
    const { withMeta22AndLongTopic: long } = maxMessageSize;
    const timestamp = BigInt(clock.now()) * 1_000_000n;
    const status = async (contentTopic: string, bytes: number, meta?: Uint8Array): Promise<number> => {
      const payload = payloadOf(bytes, newRequestId());
      return (await client.lightpush(connection, { payload, contentTopic, timestamp, meta })).statusCode;
    };
    expect(await status(maxMessageSize.contentTopic, maxMessageSize.largestAcceptedPayload)).toBe(200);
    expect(await status(maxMessageSize.contentTopic, maxMessageSize.smallestRejectedPayload)).toBe(420);
    const meta = new Uint8Array(long.metaBytes).fill(1);
    expect(await status(long.contentTopic, long.largestAcceptedPayload, meta)).toBe(200);
    expect(await status(long.contentTopic, long.largestAcceptedPayload + 1, meta)).toBe(420);
  });

  test("duplicates: 505 within 120 s, 200 afterwards, archived and pushed once", async () => {
    const { client, connection } = pushers.yamux;
    const { byDelaySeconds, storeRowsForTheSevenMessages, filterPushesSeenInTotal } = lightpushVectors.duplicates;
    const contentTopic = "/cap/1/duplicates/proto";
    const start = clock.now();
    const timestamp = BigInt(start) * 1_000_000n;
    const send = async (name: string) => {
      const requestId = newRequestId();
      const message = { payload: utf8(name), contentTopic, timestamp };
      return capturedForm(await client.lightpush(connection, message, SHARD, requestId), requestId);
    };
    const byDelay = Object.entries(byDelaySeconds).toSorted(
      ([, a], [, b]) => a.secondAfterSeconds - b.secondAfterSeconds,
    );
    // As in the capture, the first one is pushed before anybody subscribes.
    for (const [delay] of byDelay) {
      expect((await send(`dup${delay}`)).statusCode).toBe(200);
      if (delay === "0") {
        await subscriber.client.filter(subscriber.connection, "SUBSCRIBE", SHARD, [contentTopic]);
      }
    }
    // The duplicate at once comes at once, before the subscription could make a difference.
    for (const [delay, { second, secondAfterSeconds }] of byDelay) {
      clock.set(start + 1000 * secondAfterSeconds);
      if (delay === "0") await subscriber.client.filter(subscriber.connection, "UNSUBSCRIBE", SHARD, [contentTopic]);
      expect([delay, await send(`dup${delay}`)]).toEqual([delay, expectedForm(second)]);
      if (delay === "0") await subscriber.client.filter(subscriber.connection, "SUBSCRIBE", SHARD, [contentTopic]);
    }
    await flush();
    expect(network.nodes[0]?.archive.hashes(contentTopic)).toHaveLength(storeRowsForTheSevenMessages);
    expect(network.nodes[1]?.archive.hashes(contentTopic)).toHaveLength(storeRowsForTheSevenMessages);
    const pushed = subscriber.client.pushed
      .where(({ message }) => message.contentTopic === contentTopic)
      .map(({ message }) => new TextDecoder().decode(message.payload));
    expect(pushed).toEqual(filterPushesSeenInTotal);
  });

  test("timestampSkew: any skew is pushed, up to 20 s is archived", async () => {
    const { client, connection } = pushers.yamux;
    for (const row of lightpushVectors.timestampSkew.rows) {
      const payload = utf8(`skew ${row.offsetSeconds}`);
      const timestamp = BigInt(clock.now() + 1000 * row.offsetSeconds) * 1_000_000n;
      // The capture stamped the message some milliseconds before the node looked at it.
      clock.advance(5);
      const answer = await client.lightpush(connection, { payload, contentTopic: TOPIC, timestamp }, SHARD);
      expect(answer.statusCode).toBe(row.lightpushCode);
      await flush();
      expect([row.offsetSeconds, archived(0, payload)]).toEqual([row.offsetSeconds, row.archived]);
      expect(pushedCount(payload)).toBe(row.filterPushed ? 1 : 0);
    }
  });

  test.for(lightpushVectors.missingTimestamp)("missingTimestamp: $name is replaced by the node", async (captured) => {
    const { client, connection } = pushers.yamux;
    const payload = utf8(`timestamp ${captured.name}`);
    const requestId = newRequestId();
    const timestamp = captured.name === "zero" ? 0n : undefined;
    const answer = await client.lightpush(connection, { payload, contentTopic: TOPIC, timestamp }, SHARD, requestId);
    expect(capturedForm(answer, requestId)).toEqual(expectedForm(captured.response));
    const [pushed] = await subscriber.client.pushed.until(1, ({ message }) => equalBytes(message.payload, payload));
    expect(pushed?.message.timestamp).toBe(BigInt(clock.now()) * 1_000_000n);
    expect(archived(0, payload)).toBe(captured.inStore);
  });
});

describe("lightpush, captured: a node without relay peers", () => {
  test("loneNode: 505, and yet archived and pushed", async () => {
    const { loneNode } = lightpushVectors;
    const network = await startLocalNetwork({ ...CAPTURED_NETWORK, nodes: 1 });
    const { client, connection } = await connected(network);
    await client.filter(connection, "SUBSCRIBE", SHARD, [TOPIC]);
    const message = { payload: utf8("alone"), contentTopic: TOPIC, timestamp: BigInt(Date.now()) * 1_000_000n };
    const send = async () => {
      const requestId = newRequestId();
      return capturedForm(await client.lightpush(connection, message, SHARD, requestId), requestId);
    };
    expect(await send()).toEqual(expectedForm(loneNode.response));
    await client.pushed.until(loneNode.pushedToFilter);
    expect(network.nodes[0]?.archive.size).toBe(loneNode.archived ? 1 : 0);
    expect(await send()).toEqual(expectedForm(loneNode.again));
    const after = { ...message, payload: utf8("after"), timestamp: message.timestamp + 1n };
    await client.lightpush(connection, after, SHARD);
    await client.pushed.until(loneNode.pushedToFilterAfterAgain + 1);
    expect(client.pushed.all).toHaveLength(loneNode.pushedToFilterAfterAgain + 1);
    await client.stop();
    await network.stop();
  });
});

describe("lightpush, captured: rate limits", () => {
  const { rateLimit } = lightpushVectors;

  function replay(limiter: LightpushLimiter, samples: readonly RateSample[], startAt: number): readonly number[] {
    return samples.map(({ at }) => (limiter.admit("one peer", startAt + at) ? 200 : 429));
  }

  test("fresh_node_one_peer_yamux: 5 tokens and 5 more a second", () => {
    const { first60 } = rateLimit.fresh_node_one_peer_yamux;
    expect(replay(new LightpushLimiter(), first60, 0)).toEqual(first60.map(({ code }) => code));
  });

  test("fresh node: 13 requests of one peer within its first 10 s, 37 in each of the next", () => {
    const limiter = new LightpushLimiter();
    const admitted = [0, 0, 0];
    for (let at = 0; at < 30_000; at += 45) {
      if (limiter.admit("one peer", at))
        admitted[Math.floor(at / 10_000)] = (admitted[Math.floor(at / 10_000)] ?? 0) + 1;
    }
    expect(admitted).toEqual([13, 37, 37]);
  });

  test("warm_one_peer_yamux: 37 at once after a rest", () => {
    const limiter = new LightpushLimiter();
    limiter.admit("one peer", 0);
    const { first60 } = rateLimit.warm_one_peer_yamux;
    expect(replay(limiter, first60, 60_000)).toEqual(first60.map(({ code }) => code));
  });

  test("second_peer_after_first_exhausted: each peer has its own window", () => {
    const limiter = new LightpushLimiter();
    limiter.admit("somebody", 0);
    const { p1, p2 } = rateLimit.second_peer_after_first_exhausted;
    const admitted = (peer: string, requests: number, startAt: number): number =>
      Array.from({ length: requests }, (_, i) => limiter.admit(peer, startAt + 33 * i)).filter(Boolean).length;
    expect(admitted("p1", p1.requests, 60_000)).toBe(p1.ok);
    expect(admitted("p2", p2.requests, 63_000)).toBe(p2.ok);
  });

  test.for(["yamux", "mplex"] as const)("countsStreamOpensNotRequests, %s", async (muxer) => {
    const captured = rateLimit.countsStreamOpensNotRequests[muxer];
    const clock = new SettableClock();
    const network = await startLocalNetwork({ ...CAPTURED_NETWORK, limits: "real", clock });
    const { client, connection } = await connected(network, muxer);
    const message = (name: string) => ({
      payload: utf8(name),
      contentTopic: TOPIC,
      timestamp: BigInt(clock.now()) * 1_000_000n,
    });
    expect((await client.lightpush(connection, message("warm-up"))).statusCode).toBe(200);
    clock.advance(60_000);
    const streams = await Promise.all(
      Array.from({ length: captured.opened }, () => connection.newStream(CODEC.lightpush, { maxOutboundStreams: 100 })),
    );
    const requestId = newRequestId();
    const refused = await client.lightpush(connection, message("one more"), undefined, requestId);
    expect(capturedForm(refused, requestId)).toEqual(expectedForm(captured.requestAfterwards));
    const last = streams.at(-1);
    const lastRead = last && (await new FrameStream(last.source).next());
    expect(lastRead && toHex(Uint8Array.of(lastRead.length, ...lastRead))).toBe(captured.lastStreamRead);
    const rejected = network.nodes[0]?.requests.of("lightpush").filter(({ statusCode }) => statusCode === 429).length;
    // Those of the open streams, and the request afterwards.
    expect(rejected).toBe((captured.states["open/closed/writing"] ?? 0) + 1);
    await client.stop();
    await network.stop();
  });

  test.for(rateLimit.through_the_rejections_25_per_second.runs)(
    "through_the_rejections_25_per_second, $muxer: $status",
    async ({ muxer, rejected, status }) => {
      const network = await startLocalNetwork({ ...CAPTURED_NETWORK, limits: "real", clock: new SettableClock() });
      const { client, connection } = await connected(network, muxer);
      const message = { payload: utf8("again"), contentTopic: TOPIC, timestamp: 1n };
      // On a fresh node whose clock stands still, five are admitted and everything after them is refused.
      for (let i = 0; i < 5; i++) await client.lightpush(connection, message);
      for (let i = 1; i < rejected; i++) expect((await client.lightpush(connection, message)).statusCode).toBe(429);
      // The connection breaks under the last one, so that its answer may not arrive.
      await client.lightpush(connection, message).catch(() => undefined);
      if (status === "closed") await client.untilClosed(connection);
      expect(connection.status).toBe(status);
      await client.stop();
      await network.stop();
    },
  );
});

/** Milliseconds at which a case was sent: its timestamp, unless the case is about the timestamp. */
function sentAt({ name, request }: LightpushCase): number {
  if (request.timestamp === undefined || request.timestamp === "0") return clock.now();
  if (name.includes("milliseconds by mistake")) return Number(request.timestamp);
  const offset = Number(/^timestamp (-?\d+) s$/.exec(name)?.[1] ?? 0);
  return Number(BigInt(request.timestamp) / 1_000_000n) - 1000 * offset;
}

async function relayed(network: LocalNetwork, payload: Uint8Array): Promise<void> {
  const hash = network.nodes[0]?.archive.messages().find(({ message }) => equalBytes(message.payload, payload))?.hash;
  if (hash === undefined) throw new Error("the service node did not archive the message");
  await network.nodes[1]?.archive.waitFor(hash);
}

function hex(text: string): Uint8Array {
  const bytes = fromHex(text);
  if (bytes === undefined) throw new Error(`no hexadecimal: ${text}`);
  return bytes;
}
