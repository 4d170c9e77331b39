import type { NetworkConfig } from "./network-config.ts";

const SANDBOX_FLEET = "enrtree://AIRVQ5DDA4FFWLRBCHJWUWOO6X6S4ZTZ5B667LQ6AJU6PEYDLRD5O@sandbox.waku.nodes.status.im";
const TEST_FLEET = "enrtree://AOGYWMBYOUIMOENHXCHILPKY3ZRFEULMFI4DOM442QSZ73TT2A7VI@test.waku.nodes.status.im";

/** The networks that are offered by name. Every field can be changed by the person. */
export const NETWORK_PRESETS = {
  "the-waku-network": {
    name: "The Waku Network",
    clusterId: 1,
    shards: 8,
    bootstrap: [SANDBOX_FLEET, TEST_FLEET],
  },
  "logos.test": { name: "logos.test", clusterId: 2, shards: 8, bootstrap: [] },
  "logos.dev": { name: "logos.dev", clusterId: 3, shards: 8, bootstrap: [] },
  "status.prod": { name: "status.prod", clusterId: 16, shards: 1, bootstrap: [] },
  /** The service nodes that `npm run network` starts. */
  local: {
    name: "local",
    clusterId: 42,
    shards: 8,
    bootstrap: ["/ip4/127.0.0.1/tcp/8645/ws", "/ip4/127.0.0.1/tcp/8646/ws"],
  },
} as const satisfies Record<string, NetworkConfig>;

export const DEFAULT_NETWORK: NetworkConfig = NETWORK_PRESETS["the-waku-network"];
