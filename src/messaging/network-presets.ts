import { LIMITS } from "../limits.ts";
import type { NetworkConfig, NetworkTraits } from "./network-config.ts";

const SANDBOX_FLEET = "enrtree://AIRVQ5DDA4FFWLRBCHJWUWOO6X6S4ZTZ5B667LQ6AJU6PEYDLRD5O@sandbox.waku.nodes.status.im";
const TEST_FLEET = "enrtree://AOGYWMBYOUIMOENHXCHILPKY3ZRFEULMFI4DOM442QSZ73TT2A7VI@test.waku.nodes.status.im";

/** Of a fleet that runs store nodes and whose nodes name each other. */
const FLEET = { confirmation: "expected", peerExchange: true } as const satisfies Partial<NetworkTraits>;

/** The networks that are offered by name. Every field can be changed by the person. */
export const NETWORK_PRESETS = {
  "the-waku-network": {
    name: "The Waku Network",
    clusterId: 1,
    shards: 8,
    bootstrap: [SANDBOX_FLEET, TEST_FLEET],
    traits: FLEET,
  },
  "logos.test": { name: "logos.test", clusterId: 2, shards: 8, bootstrap: [], traits: FLEET },
  "logos.dev": { name: "logos.dev", clusterId: 3, shards: 8, bootstrap: [], traits: FLEET },
  "status.prod": {
    name: "status.prod",
    clusterId: 16,
    shards: 1,
    bootstrap: [],
    traits: { ...FLEET, messageBytes: LIMITS.messaging.statusMessageBytes },
  },
  /** The service nodes that `npm run network` starts. */
  local: {
    name: "local",
    clusterId: 42,
    shards: 8,
    bootstrap: ["/ip4/127.0.0.1/tcp/8645/ws", "/ip4/127.0.0.1/tcp/8646/ws"],
  },
} as const satisfies Record<string, NetworkConfig>;

export const DEFAULT_NETWORK: NetworkConfig = NETWORK_PRESETS["the-waku-network"];

const DEFAULT_TRAITS: NetworkTraits = {
  confirmation: "if-seen",
  peerExchange: false,
  messageBytes: LIMITS.messaging.messageBytes,
};

/** What holds for a network: what it says of itself, then what is known of its cluster, whatever name it was given. */
export function traitsOf(network: NetworkConfig): NetworkTraits {
  const presets: readonly NetworkConfig[] = Object.values(NETWORK_PRESETS);
  const preset = presets.find(({ clusterId }) => clusterId === network.clusterId);
  return { ...DEFAULT_TRAITS, ...preset?.traits, ...network.traits };
}
