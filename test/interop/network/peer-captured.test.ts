/**
 * Identify, metadata, peer exchange and connection rules as captured from a real node.
 *
 * Not replayed, and why:
 *
 * | vector | reason |
 * | --- | --- |
 * | `identify` beyond the Waku protocols | autonat, circuit relay and TCP addresses are no part of what a browser uses |
 * | `peerExchange: UnsupportedProtocolError` | our nodes are like the captured one that was started with peer exchange |
 * | `maxConnections` | a setting other than the default; the default, 150, is more than a test should open |
 * | raw bytes of metadata | the node lists its shards in the order of a hash table: they are compared as a set |
 */
import { proto_metadata, proto_peer_exchange } from "@waku/proto";
import { afterEach, describe, expect, test } from "vitest";
import type { LocalNetwork, LocalNetworkOptions } from "../../../dev/network/local-network.ts";
import { startLocalNetwork } from "../../../dev/network/local-network.ts";
import { CODEC } from "../../../dev/network/protocols.ts";
import { fromHex, toHex } from "../../../src/common/bytes.ts";
import { CAPTURED_METADATA, CAPTURED_NETWORK, peerVectors } from "./captured.ts";
import type { ClientOptions } from "./raw-client.ts";
import { RawClient } from "./raw-client.ts";

const { B: node, metadataBehaviour } = peerVectors.nodes;
const opened: { stop(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each.stop();
});

async function network(options: LocalNetworkOptions = {}): Promise<LocalNetwork> {
  const started = await startLocalNetwork({ ...CAPTURED_NETWORK, ...options });
  opened.push(started);
  return started;
}

async function connect(to: LocalNetwork, options: ClientOptions = { metadata: CAPTURED_METADATA }) {
  const client = await RawClient.start(options);
  opened.push(client);
  return { client, connection: await client.connect(to.multiaddrs[0] ?? "") };
}

describe("peer, captured", () => {
  test("identify lists the Waku protocols that the captured node serves", async () => {
    const { client, connection } = await connect(await network());
    const [identified] = await client.identified.until(1, ({ connectionId }) => connectionId === connection.id);
    const protocols = identified?.protocols ?? [];
    const served = peerVectors.peerExchange.nodeProtocols
      // The node is itself a filter client, whose pushes it would take.
      .filter((protocol) => protocol.startsWith("/vac/waku/") && protocol !== CODEC.filterPush);
    expect(protocols.filter((protocol) => protocol.startsWith("/vac/waku/")).toSorted()).toEqual(served.toSorted());
  });

  test("muxers and encryption are what the client offers first", async () => {
    const started = await network();
    const yamux = await connect(started, { muxer: "yamux", metadata: CAPTURED_METADATA });
    const mplex = await connect(started, { muxer: "mplex", metadata: CAPTURED_METADATA });
    expect(yamux.connection.multiplexer).toBe(node.muxerNegotiated);
    expect(mplex.connection.multiplexer).toBe(node.mplexNegotiated);
    expect(yamux.connection.encryption).toBe(node.encryption);
  });

  test.for(node.metadata)("metadata, asked with $request: answered, connection kept", async (captured) => {
    const { client, connection } = await connect(await network());
    const request = { ...captured.request, shards: [...captured.request.shards] };
    const answer = await client.ask(connection, CODEC.metadata, proto_metadata.WakuMetadataRequest.encode(request));
    const { clusterId, shards } = proto_metadata.WakuMetadataResponse.decode(answer ?? new Uint8Array(0));
    expect(clusterId).toBe(captured.response.clusterId);
    expect(new Set(shards)).toEqual(new Set(captured.response.shards));
    expect(connection.status).toBe(captured.connectionAfter);
  });

  test.for(metadataBehaviour)("metadataBehaviour, $client: $connectionAfter5s", async (captured) => {
    const metadata = captured.client.includes("without")
      ? undefined
      : captured.client.includes("cluster 1")
        ? { clusterId: 1, shards: [0] }
        : { clusterId: 3, shards: [] };
    const { client, connection } = await connect(await network(), { metadata });
    if (captured.nodeAskedMetadata) {
      const [asked] = await client.metadataAsked.until(1);
      const raw = fromHex(captured.nodeRequestRawHex ?? "") ?? new Uint8Array(0);
      // The vector has the length before the message.
      expect(metadataOf(asked ?? new Uint8Array(0))).toEqual(metadataOf(raw.subarray(1)));
    }
    if (captured.connectionAfter5s === "closed") {
      await client.untilClosed(connection);
    } else {
      // Once a request is answered, the node has made up its mind and kept the connection.
      expect((await client.filter(connection, "SUBSCRIBER_PING")).statusCode).toBe(404);
      expect(connection.status).toBe("open");
    }
  });

  test("peerExchange: nobody to name", async () => {
    const { client, connection } = await connect(await network());
    const query = { numPeers: BigInt(peerVectors.peerExchange.request.numPeers) };
    const request = proto_peer_exchange.PeerExchangeRPC.encode({ query });
    const answer = await client.ask(connection, CODEC.peerExchange, request);
    expect(answer && toHex(answer)).toBe(peerVectors.peerExchange.rawHex);
  });

  test("ipColocation: with the sixth peer from one address the oldest have to go", async () => {
    const started = await network({ limits: "real" });
    const { clients } = peerVectors.ipColocation;
    const connected = [];
    for (let i = 0; i < clients.length; i++) connected.push(await connect(started));
    for (const [i, { status }] of clients.entries()) {
      const each = connected[i];
      if (status === "closed" && each) await each.client.untilClosed(each.connection);
    }
    expect(connected.map(({ connection }) => connection.status)).toEqual(clients.map(({ status }) => status));
  });
});

function metadataOf(message: Uint8Array): unknown {
  const { clusterId, shards } = proto_metadata.WakuMetadataRequest.decode(message);
  return { clusterId, shards: [...new Set(shards)].toSorted() };
}
