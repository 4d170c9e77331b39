import { bootstrap } from "@libp2p/bootstrap";
import type { IDecodedMessage } from "@waku/interfaces";
import { createLightNode, Protocols } from "@waku/sdk";
import { afterEach, describe, expect, test } from "vitest";
import type { LocalNetwork } from "../../../dev/network/local-network.ts";
import { startLocalNetwork } from "../../../dev/network/local-network.ts";
import { utf8 } from "../../../src/common/bytes.ts";

let network: LocalNetwork;

afterEach(async () => {
  await network.stop();
});

describe("an unmodified @waku/sdk light node", () => {
  test("connects, pushes, is pushed to, and finds its message in the store", async () => {
    network = await startLocalNetwork();
    const { clusterId, shards, multiaddrs } = network;
    const node = await createLightNode({
      networkConfig: { clusterId, numShardsInCluster: shards },
      defaultBootstrap: false,
      discovery: { dns: false, peerExchange: false, peerCache: false },
      connectionManager: { dialCooldown: 1, failedDialCooldown: 2 },
      filter: { keepAliveIntervalMs: 20_000, pingsBeforePeerRenewed: 1 },
      libp2p: {
        filterMultiaddrs: false,
        hideWebSocketInfo: true,
        peerDiscovery: [bootstrap({ list: [...multiaddrs], timeout: 0 })],
      },
    });
    await node.start();
    await node.waitForPeers([Protocols.LightPush, Protocols.Filter, Protocols.Store]);
    const contentTopic = "/smoke/1/sdk/proto";
    const decoder = node.createDecoder({ contentTopic });
    let received: (message: IDecodedMessage) => void = () => {};
    const push = new Promise<IDecodedMessage>((resolve) => {
      received = resolve;
    });
    expect(await node.filter.subscribe([decoder], (message) => received(message))).toBe(true);

    const payload = utf8("from the SDK");
    const encoder = node.createEncoder({ contentTopic });
    const sent = await node.lightPush.send(encoder, { payload, timestamp: new Date() }, { autoRetry: false });
    expect(sent.failures).toEqual([]);
    expect(sent.successes.length).toBeGreaterThan(0);
    const pushed = await push;
    expect([...pushed.payload]).toEqual([...payload]);

    const stored: (IDecodedMessage | undefined)[] = [];
    for await (const page of node.store.queryGenerator([decoder])) {
      for (const message of await Promise.all(page)) stored.push(message);
    }
    expect(stored.map((message) => message?.hashStr)).toEqual([pushed.hashStr]);
    // Both sides compute the same deterministic hash.
    expect(network.nodes[0]?.archive.hashes(contentTopic)).toEqual([pushed.hashStr]);
    await node.stop();
  });
});
