/** `npm run network -- [--port N] [--cluster N] [--shards N] [--nodes N] [--limits]`: the local network alone. */
import { parseArgs } from "node:util";
import { reasonOf } from "../../src/common/result.ts";
import { LOCAL_CLUSTER, LOCAL_SHARDS, startLocalNetwork } from "./local-network.ts";

const PORT = 8645;

const { values } = parseArgs({
  options: {
    port: { type: "string", default: String(PORT) },
    cluster: { type: "string", default: String(LOCAL_CLUSTER) },
    shards: { type: "string", default: String(LOCAL_SHARDS) },
    nodes: { type: "string", default: "2" },
    limits: { type: "boolean", default: false },
  },
});

function wholeNumber(name: string, text: string, smallest: number, largest: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= smallest && value <= largest) return value;
  fail(`--${name} takes a whole number from ${smallest} to ${largest}, not "${text}"`);
}

function fail(reason: string): never {
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}

const nodes = wholeNumber("nodes", values.nodes, 1, 16);
const port = wholeNumber("port", values.port, 0, 65_536 - nodes);
const starting = startLocalNetwork({
  port,
  clusterId: wholeNumber("cluster", values.cluster, 0, 65_535),
  shards: wholeNumber("shards", values.shards, 1, 1_024),
  nodes,
  limits: values.limits ? "real" : "none",
  // The same addresses at every start, so that a client can be configured once.
  identitySeed: "local-waku-network",
});
// Before anything is printed: whoever reads the addresses may be done with them at once.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void starting.then((network) => network.stop()).then(() => process.exit(0)));
}
const network = await starting.catch((reason: unknown) => {
  const words = reasonOf(reason);
  fail(
    words.includes("EADDRINUSE")
      ? `The local Waku network could not start: port ${port} or one of the ${nodes - 1} after it is taken. --port takes another.`
      : `The local Waku network could not start: ${words}`,
  );
});

for (const address of network.multiaddrs) process.stdout.write(`${address}\n`);
process.stdout.write(
  `Local Waku network: ${network.nodes.length} service nodes, cluster ${network.clusterId}, ${network.shards} shards, ` +
    `${values.limits ? "real" : "no"} rate limits. Ctrl-C ends it.\n`,
);
