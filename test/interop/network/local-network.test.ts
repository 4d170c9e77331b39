import type { Server } from "node:net";
import { createServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import type { LocalNetwork, LocalNetworkOptions } from "../../../dev/network/local-network.ts";
import { startLocalNetwork } from "../../../dev/network/local-network.ts";
import { utf8 } from "../../../src/common/bytes.ts";
import { RawClient } from "./raw-client.ts";

const opened: { stop(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each.stop();
});

async function start(options: LocalNetworkOptions): Promise<LocalNetwork> {
  const network = await startLocalNetwork(options);
  opened.push(network);
  return network;
}

describe("the local network", () => {
  test("three nodes: what is pushed to one reaches all, also after one was away", async () => {
    const network = await start({ nodes: 3, clusterId: 5, shards: 1 });
    const client = await RawClient.start({ metadata: { clusterId: 5, shards: [] } });
    opened.push(client);
    const push = async (node: number, text: string): Promise<number | undefined> => {
      const connection = await client.connect(network.multiaddrs[node] ?? "");
      const timestamp = BigInt(Date.now()) * 1_000_000n;
      const message = { payload: utf8(text), contentTopic: "/three/1/nodes/proto", timestamp };
      const { relayPeerCount } = await client.lightpush(connection, message);
      const hash = network.nodes[node]?.archive.hashes().at(-1) ?? "";
      await Promise.all(network.nodes.filter(({ running }) => running).map(({ archive }) => archive.waitFor(hash)));
      return relayPeerCount;
    };
    expect(await push(0, "to the first")).toBe(2);
    expect(await push(2, "to the third")).toBe(2);
    await network.nodes[1]?.stop();
    expect(await push(0, "without the second")).toBe(1);
    await network.nodes[1]?.start();
    expect(await push(1, "to the second")).toBe(2);
    expect(network.nodes.map(({ archive }) => archive.size)).toEqual([4, 3, 4]);
  });

  test("the same seed and port give the same addresses, one port after the other", async () => {
    const pair = await twoPorts();
    await Promise.all([pair.first, pair.second].map(release));
    const { port } = pair;
    const options = { port, identitySeed: "always the same" };
    const first = await startLocalNetwork(options);
    await first.stop();
    const second = await start(options);
    expect(second.multiaddrs).toEqual(first.multiaddrs);
    expect(second.multiaddrs.map((address) => address.split("/")[4])).toEqual([`${port}`, `${port + 1}`]);
  });

  test("a port that is taken is an error, and nothing is left running", async () => {
    const { port, first, second } = await twoPorts();
    await release(first);
    // The second node is the one that finds its port taken.
    await expect(startLocalNetwork({ port })).rejects.toThrow();
    const freed = await listen(port);
    expect(freed).toBeDefined();
    for (const server of [freed, second]) if (server) await release(server);
  });
});

function listen(port: number): Promise<Server | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

function release(server: Server): Promise<unknown> {
  return new Promise((resolve) => server.close(resolve));
}

/** Two ports in a row, taken. They lie below those that the system hands out by itself. */
async function twoPorts(): Promise<{ readonly port: number; readonly first: Server; readonly second: Server }> {
  for (let port = 20_000; port < 32_000; port += 2) {
    const [first, second] = [await listen(port), await listen(port + 1)];
    if (first && second) return { port, first, second };
    for (const server of [first, second]) if (server) await release(server);
  }
  throw new Error("no two ports are free");
}
