import type { Clock } from "../../src/common/clock.ts";
import { systemClock } from "../../src/common/clock.ts";
import { identityFrom } from "./identity.ts";
import { ServiceNode } from "./service-node.ts";

/** The cluster and the shards of the local network, where nothing else is asked for. */
export const LOCAL_CLUSTER = 42;
export const LOCAL_SHARDS = 8;

export interface LocalNetworkOptions {
  /** TCP port of the first node on 127.0.0.1; the others follow it. 0, the default, takes free ones. */
  readonly port?: number;
  readonly clusterId?: number;
  readonly shards?: number;
  /** Whether nodes refuse as many requests as real ones. Off by default. */
  readonly limits?: "none" | "real";
  /** How many service nodes: 2 by default. */
  readonly nodes?: number;
  /** The same seed gives the same peer ids at every start. */
  readonly identitySeed?: string;
  /** Whether nodes name each other to clients that ask, as nodes with discv5 do. Off by default. */
  readonly peerExchange?: boolean;
  /** What the nodes take for the time. */
  readonly clock?: Clock;
}

export interface LocalNetwork extends AsyncDisposable {
  /** One address a node, with its peer id. */
  readonly multiaddrs: readonly string[];
  readonly nodes: readonly ServiceNode[];
  readonly clusterId: number;
  readonly shards: number;
  /** As at the start, but for what was archived: every node runs, without faults, and none was asked anything. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts service nodes that relay to each other. Resolves when a message pushed to any of them reaches all. */
export async function startLocalNetwork(options: LocalNetworkOptions = {}): Promise<LocalNetwork> {
  const { port = 0, clusterId = LOCAL_CLUSTER, shards = LOCAL_SHARDS, limits = "none", clock = systemClock } = options;
  const identitySeed = options.identitySeed ?? crypto.randomUUID();
  const nodes: ServiceNode[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  const reset = async (): Promise<void> => {
    for (const node of nodes) {
      node.faults.clear();
      node.requests.clear();
      await node.start();
    }
  };
  for (let i = 0; i < (options.nodes ?? 2); i++) {
    const node: ServiceNode = new ServiceNode({
      sharding: { clusterId, shards },
      clock,
      privateKey: await identityFrom(`${identitySeed}/${i}`),
      port: port === 0 ? 0 : port + i,
      limits,
      peerExchange: options.peerExchange ?? false,
      neighbours: () => nodes.filter((other) => other !== node && other.running),
    });
    nodes.push(node);
    try {
      await node.start();
    } catch (reason) {
      await stop();
      throw reason;
    }
  }
  const multiaddrs = nodes.map((node) => node.multiaddr);
  return { multiaddrs, nodes, clusterId, shards, reset, stop, [Symbol.asyncDispose]: stop };
}
