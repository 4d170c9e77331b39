import type { Connection } from "@libp2p/interface";
import { proto_lightpush } from "@waku/proto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalNetwork } from "../../../dev/network/local-network.ts";
import { startLocalNetwork } from "../../../dev/network/local-network.ts";
import { CODEC } from "../../../dev/network/protocols.ts";
import { utf8 } from "../../../src/common/bytes.ts";
import { newRequestId, RawClient } from "./raw-client.ts";

const SHARD = "/waku/2/rs/42/1";

let network: LocalNetwork;
let client: RawClient;
let connection: Connection;

beforeAll(async () => {
  network = await startLocalNetwork();
  client = await RawClient.start({ metadata: { clusterId: 42, shards: [] } });
  connection = await client.connect(network.multiaddrs[0] ?? "");
});

afterAll(async () => {
  await client.stop();
  await network.stop();
});

const message = () => ({
  payload: utf8(newRequestId()),
  contentTopic: "/legacy/1/topic/proto",
  timestamp: BigInt(Date.now()) * 1_000_000n,
});

async function push(rpc: Partial<proto_lightpush.PushRpc>): Promise<proto_lightpush.PushRpc> {
  const answer = await client.ask(connection, CODEC.lightpushLegacy, proto_lightpush.PushRpc.encode(rpc));
  return proto_lightpush.PushRpc.decode(answer ?? new Uint8Array(0));
}

describe("lightpush, version 2", () => {
  test("relays, archives and says OK", async () => {
    const sent = message();
    const answer = await push({ requestId: "id", request: { pubsubTopic: SHARD, message: sent } });
    expect(answer).toEqual({ requestId: "id", response: { isSuccess: true, info: "OK" } });
    expect(network.nodes[0]?.archive.messages().map((entry) => entry.message.timestamp)).toEqual([sent.timestamp]);
  });

  test("does not tell why a message was not relayed", async () => {
    const answer = await push({ requestId: "id", request: { pubsubTopic: "/waku/2/rs/42/99", message: message() } });
    expect(answer.response).toEqual({ isSuccess: false, info: "not_published_to_any_peer" });
  });

  test("refuses what is too large", async () => {
    const large = { ...message(), payload: new Uint8Array(150 * 1024).fill(1) };
    const answer = await push({ requestId: "id", request: { pubsubTopic: SHARD, message: large } });
    expect(answer.response).toEqual({ isSuccess: false, info: "Message size exceeded maximum of 153600 bytes" });
  });

  test("refuses requests that it cannot decode", async () => {
    expect((await push({ requestId: "id" })).response?.info).toBe("empty_request_body_failure");
    expect((await push({ request: { pubsubTopic: SHARD, message: message() } })).response?.info).toBe(
      'decode_rpc_failure: (kind: MissingRequiredField, field: "request_id")',
    );
  });
});
