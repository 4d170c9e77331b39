/**
 * Filter as captured from a real node.
 *
 * Not replayed, and why:
 *
 * | vector | reason |
 * | --- | --- |
 * | `ttl.plain`: the tick at 309 s | see the test |
 * | `pushLatency` samples | times of one machine; that the push comes before the lightpush answer is a test |
 * | `reconnect.newHostSamePeerIdAfter3s` | the same as after 92 s |
 * | `rateLimit.*.after1100ms`, `tookMs` | counts include what was refilled during the run; the refill is a test by itself |
 * | `rateLimit.with_filter_30_per_1m` | a setting other than the default |
 */
import type { Connection } from "@libp2p/interface";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { identityFrom } from "../../../dev/network/identity.ts";
import type { LocalNetwork } from "../../../dev/network/local-network.ts";
import { startLocalNetwork } from "../../../dev/network/local-network.ts";
import { CODEC } from "../../../dev/network/protocols.ts";
import { FilterLimiter } from "../../../dev/network/rate-limit.ts";
import { fromHex, toHex, utf8 } from "../../../src/common/bytes.ts";
import type { FilterRequest } from "./captured.ts";
import { CAPTURED_METADATA, CAPTURED_NETWORK, capturedForm, expectedForm, filterVectors } from "./captured.ts";
import type { Muxer, Pushed } from "./raw-client.ts";
import { newRequestId, RawClient } from "./raw-client.ts";
import { SettableClock } from "./settable-clock.ts";

const SHARD = "/waku/2/rs/3/5";
const MUXERS = ["yamux", "mplex"] as const;

interface Connected {
  readonly client: RawClient;
  readonly connection: Connection;
}

async function connect(network: LocalNetwork, muxer: Muxer = "yamux", seed?: string): Promise<Connected> {
  const client = await RawClient.start({
    muxer,
    metadata: CAPTURED_METADATA,
    ...(seed === undefined ? {} : { privateKey: await identityFrom(seed) }),
  });
  return { client, connection: await client.connect(network.multiaddrs[0] ?? "") };
}

async function ask({ client, connection }: Connected, { type, pubsubTopic, contentTopics }: FilterRequest) {
  if (typeof contentTopics === "string") throw new Error(`not a list: ${contentTopics}`);
  const requestId = newRequestId();
  return capturedForm(
    await client.filter(connection, type, pubsubTopic ?? undefined, contentTopics, requestId),
    requestId,
  );
}

const textOf = ({ message }: Pushed): string => new TextDecoder().decode(message.payload);

describe("filter, captured", () => {
  let network: LocalNetwork;
  let publisher: Connected;
  let clients: Record<Muxer, Connected>;
  const clock = new SettableClock();
  const opened: Connected[] = [];

  beforeAll(async () => {
    network = await startLocalNetwork({ ...CAPTURED_NETWORK, clock });
    publisher = await connect(network);
    clients = { yamux: await connect(network, "yamux"), mplex: await connect(network, "mplex") };
  });

  afterAll(async () => {
    await Promise.all([publisher, clients.yamux, clients.mplex].map(({ client }) => client.stop()));
    await network.stop();
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map(({ client }) => client.stop()));
  });

  async function another(muxer: Muxer = "yamux", seed?: string): Promise<Connected> {
    const connected = await connect(network, muxer, seed);
    opened.push(connected);
    return connected;
  }

  async function publish(text: string, contentTopic: string, by: Connected = publisher): Promise<void> {
    const message = { payload: utf8(text), contentTopic, timestamp: BigInt(clock.now()) * 1_000_000n };
    expect((await by.client.lightpush(by.connection, message, SHARD)).statusCode).toBe(200);
  }

  describe("cases", () => {
    /** Criteria are added a hundred at a time, each time others. */
    let criteria = 0;

    filterVectors.cases.forEach(({ name, muxer, request, response }, index) => {
      test(`case ${index}, ${muxer}: ${name}`, async () => {
        const contentTopics =
          typeof request.contentTopics === "string"
            ? Array.from(
                { length: Number.parseInt(request.contentTopics, 10) },
                (_, i) => `/cap/1/t${(name.startsWith("criteria per peer") ? criteria : 0) + i + 1}/proto`,
              )
            : request.contentTopics;
        if (name.startsWith("criteria per peer")) criteria += contentTopics.length;
        expect(await ask(clients[muxer], { ...request, contentTopics })).toEqual(expectedForm(response));
      });
    });
  });

  test.for(filterVectors.undecodable)("undecodable, $muxer: $name", async (captured) => {
    const { client, connection } = await another(captured.muxer);
    const request = fromHex(captured.rawRequestHex);
    expect(request && (await client.ask(connection, CODEC.filterSubscribe, request))).toBeUndefined();
    const ping = await ask({ client, connection }, { type: "SUBSCRIBER_PING", pubsubTopic: null, contentTopics: [] });
    expect(ping).toEqual(expectedForm(captured.nextRequestOnSameConnection));
    expect(connection.status).toBe(captured.connection);
  });

  test("duplicateSubscriptionPushes, ownPublishIsPushedBack, pushShape", async () => {
    const { pushShape } = filterVectors;
    const own = await another();
    const { contentTopic } = pushShape.message;
    for (let i = 0; i < 2; i++) await own.client.filter(own.connection, "SUBSCRIBE", SHARD, [contentTopic]);
    const payload = fromHex(pushShape.message.payload) ?? new Uint8Array(0);
    const timestamp = BigInt(pushShape.message.timestamp);
    await own.client.lightpush(own.connection, { payload, contentTopic, timestamp });
    await publish("after", contentTopic, own);
    const pushed = await own.client.pushed.until(filterVectors.ownPublishIsPushedBack + 1);
    expect(pushed.map(textOf)).toEqual([
      ...Array.from({ length: filterVectors.duplicateSubscriptionPushes }, () => "own"),
      "after",
    ]);
    const [first] = pushed;
    expect(first?.pubsubTopic).toBe(pushShape.pubsubTopic);
    expect({
      payload: toHex(first?.message.payload ?? new Uint8Array(0)),
      contentTopic: first?.message.contentTopic,
      version: first?.message.version,
      timestamp: String(first?.message.timestamp),
      meta: toHex(first?.message.meta ?? Uint8Array.of(1)),
      ephemeral: first?.message.ephemeral,
      // The field is there and empty, as the node writes all fields.
      rateLimitProof: Object.values(first?.message.rateLimitProof ?? {}).every((part) => part.length === 0),
    }).toEqual({ ...pushShape.message, rateLimitProof: true });
  });

  test.for(MUXERS)("pushStreams, %s: one stream carries all pushes of a connection", async (muxer) => {
    const { pushes, distinctStreams } = filterVectors.pushStreams[muxer];
    const { client, connection } = await another(muxer);
    const topic = `/cap/1/streams-${muxer}/proto`;
    await client.filter(connection, "SUBSCRIBE", SHARD, [topic]);
    for (let i = 0; i < pushes; i++) await publish(`push ${i}`, topic);
    const pushed = await client.pushed.until(pushes);
    expect(pushed.map(textOf)).toEqual(Array.from({ length: pushes }, (_, i) => `push ${i}`));
    expect(new Set(pushed.map(({ streamId }) => streamId)).size).toBe(distinctStreams);
  });

  test.for(MUXERS)("pushLatency, %s: the push comes before the lightpush answer", async (muxer) => {
    const own = await another(muxer);
    const topic = `/cap/1/order-${muxer}/proto`;
    await own.client.filter(own.connection, "SUBSCRIBE", SHARD, [topic]);
    for (let i = 1; i <= 10; i++) {
      await publish(`order ${i}`, topic, own);
      expect(own.client.pushed.all).toHaveLength(i);
    }
  });

  test("twoConnectionsSamePeerId: the second one is dropped", async () => {
    const captured = filterVectors.twoConnectionsSamePeerId;
    const first = await another("yamux", "two connections");
    const topic = "/cap/1/two/proto";
    await first.client.filter(first.connection, "SUBSCRIBE", SHARD, [topic]);
    const second = await another("yamux", "two connections");
    await second.client.untilClosed(second.connection);
    expect(second.connection.status).toBe(captured.secondStatus);
    expect(first.connection.status).toBe(captured.firstStatus);
    await publish("to one", topic);
    await first.client.pushed.until(captured.firstGot);
    expect(second.client.pushed.all).toHaveLength(captured.secondGot);
  });

  test("reconnect.sameHostAfter1s: still subscribed, what was missed is not pushed", async () => {
    const captured = filterVectors.reconnect.sameHostAfter1s;
    const { client, connection } = await another();
    const topic = "/cap/1/reconnect/proto";
    await client.filter(connection, "SUBSCRIBE", SHARD, [topic]);
    await connection.close();
    await network.nodes[0]?.untilGone(client.peerId);
    await publish("while away", topic);
    clock.advance(1_000);
    const again = { client, connection: await client.connect(network.multiaddrs[0] ?? "") };
    await publish("back", topic);
    const pushed = await client.pushed.until(captured.pushesAfterReconnectWithoutResubscribe);
    expect(pushed.map(textOf)).toEqual(["back"]);
    expect(captured.pushedWhileAwayAndDeliveredLater).toBe(0);
    const ping = await ask(again, { type: "SUBSCRIBER_PING", pubsubTopic: null, contentTopics: [] });
    expect(ping).toEqual(expectedForm(captured.ping));
  });

  test("reconnect.newHostSamePeerIdAfter92s: the subscription belongs to the peer id", async () => {
    const captured = filterVectors.reconnect.newHostSamePeerIdAfter92s;
    const topic = "/cap/1/new-host/proto";
    const before = await connect(network, "yamux", "new host");
    await before.client.filter(before.connection, "SUBSCRIBE", SHARD, [topic]);
    await before.client.stop();
    await network.nodes[0]?.untilGone(before.client.peerId);
    clock.advance(1000 * (captured.reconnectedAt - captured.stoppedAt));
    const after = await another("yamux", "new host");
    await publish("back", topic);
    expect(await after.client.pushed.until(captured.pushesWithoutResubscribe)).toHaveLength(1);
    const ping = await ask(after, { type: "SUBSCRIBER_PING", pubsubTopic: null, contentTopics: [] });
    expect(ping).toEqual(expectedForm(captured.ping));
  });

  test("ttl: 300 s after the last subscribe or ping", async () => {
    const { ttl } = filterVectors;
    const start = clock.now();
    const topic = "/cap/1/ttl/proto";
    const subscribe: FilterRequest = { type: "SUBSCRIBE", pubsubTopic: SHARD, contentTopics: [topic] };
    const ping: FilterRequest = { type: "SUBSCRIBER_PING", pubsubTopic: null, contentTopics: [] };
    const [plain, pinged, resubscribed] = [await another(), await another(), await another()];
    const steps: { readonly at: number; readonly step: () => Promise<unknown> }[] = [
      { at: ttl.plain.subscribe.at, step: () => ask(plain, subscribe) },
      { at: ttl.pingedOnceAt205s.subscribe.at, step: () => ask(pinged, subscribe) },
      { at: ttl.pingedOnceAt205s.ping.at, step: () => ask(pinged, ping) },
      { at: ttl.resubscribedOnceAt205s.subscribe.at, step: () => ask(resubscribed, subscribe) },
      { at: ttl.resubscribedOnceAt205s.resubscribe.at, step: () => ask(resubscribed, subscribe) },
      ...ttl.sentAtSeconds.map((at) => ({ at, step: () => publish(`${at}`, topic) })),
    ];
    for (const { at, step } of steps.toSorted((a, b) => a.at - b.at)) {
      clock.set(start + 1000 * at);
      await step();
    }
    await pinged.client.pushed.until(ttl.pingedOnceAt205s.ticksReceived);
    await resubscribed.client.pushed.until(ttl.resubscribedOnceAt205s.ticksReceived);
    // The setting is 300 s. The capture saw one more tick, 8.5 s beyond it; nothing in the reference explains that, so
    // ours ends where the setting says, and the next tick is missing in both.
    const living = ttl.sentAtSeconds.filter((at) => at <= ttl.plain.subscribe.at + 300);
    expect(plain.client.pushed.all.map(textOf)).toEqual(living.map(String));
    expect(ttl.plain.ticksReceived - living.length).toBeLessThanOrEqual(1);
    expect(living).not.toContain(ttl.plain.firstMissedTickSentAt);
    const { pingAfterExpiry, unsubAfterExpiry, resubscribe } = ttl.plain;
    expect(await ask(plain, ping)).toEqual(expectedForm(pingAfterExpiry));
    expect(await ask(plain, { ...subscribe, type: "UNSUBSCRIBE" })).toEqual(expectedForm(unsubAfterExpiry));
    expect(await ask(plain, subscribe)).toEqual(expectedForm(resubscribe));
  });
});

describe("filter, captured: rate limit", () => {
  let network: LocalNetwork;
  const clock = new SettableClock();

  beforeEach(async () => {
    network = await startLocalNetwork({ ...CAPTURED_NETWORK, limits: "real", clock });
  });

  afterEach(async () => {
    await network.stop();
  });

  test.for(MUXERS)("rateLimit, %s: 100 at once, 100 more a second later", async (muxer) => {
    const { byCode, sample429 } = filterVectors.rateLimit[muxer];
    const { client, connection } = await connect(network, muxer);
    const atOnce = Object.values(byCode).reduce((sum, count) => sum + count, 0);
    const burst = () => Promise.all(Array.from({ length: atOnce }, () => client.filter(connection, "SUBSCRIBER_PING")));
    for (let second = 0; second < 2; second++) {
      clock.advance(FilterLimiter.periodMs);
      const answers = Map.groupBy(await burst(), ({ statusCode }) => statusCode);
      expect(answers.get(404)).toHaveLength(FilterLimiter.peerTokens);
      const refused = answers.get(429) ?? [];
      expect(refused).toHaveLength(atOnce - FilterLimiter.peerTokens);
      const [{ statusCode: code, statusDesc: desc, requestId } = { statusCode: 0, requestId: "" }] = refused;
      expect({ code, desc, requestId }).toEqual(sample429);
    }
    // What was admitted beyond that in the capture came in while the requests were under way.
    expect((byCode["404"] ?? 0) - FilterLimiter.peerTokens).toBeLessThanOrEqual(1);
    await client.stop();
  });
});
