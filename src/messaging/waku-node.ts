/**
 * The Waku node: libp2p as `@waku/sdk` sets it up, for one network.
 *
 * The SDK's own lightpush, filter and store clients are left out. They lose status codes, push again after success, and
 * open lightpush streams ahead of need, each of which a service node counts as a request; `waku-service-nodes.ts`
 * speaks these protocols itself. What the SDK gives is the transport, the metadata protocol and the connection manager.
 */
import { yamux } from "@chainsafe/libp2p-yamux";
import { privateKeyFromProtobuf } from "@libp2p/crypto/keys";
import { mplex } from "@libp2p/mplex";
import type { CreateNodeOptions, Libp2p } from "@waku/interfaces";
import { createLibp2pAndUpdateOptions, WakuNode } from "@waku/sdk";
import type { Bytes } from "../common/bytes.ts";
import type { NetworkConfig } from "./network-config.ts";

type Libp2pKey = NonNullable<NonNullable<CreateNodeOptions["libp2p"]>["privateKey"]>;

/** A node of `network` with the libp2p identity `privateKey` (protobuf), not yet started. */
export async function createWakuNode(network: NetworkConfig, privateKey: Bytes): Promise<WakuNode> {
  const key: unknown = privateKeyFromProtobuf(privateKey);
  const options: CreateNodeOptions = {
    networkConfig: { clusterId: network.clusterId, numShardsInCluster: network.shards },
    defaultBootstrap: false,
    // Peers are found by `peer-discovery.ts`, which asks again where the SDK asks once, and remembered by `peer-cache.ts`.
    discovery: { dns: false, peerExchange: false, peerCache: false },
    connectionManager: { dialCooldown: 1, failedDialCooldown: 2 },
    libp2p: {
      // The types of the package that makes keys are newer than those of the one that takes them; it is the same key.
      privateKey: key as Libp2pKey,
      // Under mplex a rejected stream leaks on the service node, so yamux is offered first.
      streamMuxers: [yamux(), mplex()],
      // Plain ws:// is how a local node is reached; a browser refuses it for everything else by itself.
      filterMultiaddrs: false,
      hideWebSocketInfo: true,
    },
  };
  const libp2p: Libp2p = await createLibp2pAndUpdateOptions(options);
  return new WakuNode(options, libp2p, {});
}
