/** Bare `@waku/sdk` on the local network, in this process. */
import { bootstrap } from "@libp2p/bootstrap";
import type { IWaku } from "@waku/interfaces";
import { createLightNode, Protocols } from "@waku/sdk";
import type { LocalNetwork } from "../../dev/network/local-network.ts";

/** Started and connected to what a light node needs. */
export async function startSdkNode({ clusterId, shards, multiaddrs }: LocalNetwork): Promise<IWaku> {
  const node = await createLightNode({
    networkConfig: { clusterId, numShardsInCluster: shards },
    defaultBootstrap: false,
    discovery: { dns: false, peerExchange: false, peerCache: false },
    connectionManager: { dialCooldown: 1, failedDialCooldown: 2 },
    libp2p: {
      filterMultiaddrs: false,
      hideWebSocketInfo: true,
      peerDiscovery: [bootstrap({ list: [...multiaddrs], timeout: 0 })],
    },
  });
  await node.start();
  await node.waitForPeers([Protocols.LightPush, Protocols.Filter, Protocols.Store]);
  // A light node is what the SDK's channel takes, but its types leave out that optional parts may be undefined.
  return node as unknown as IWaku;
}
