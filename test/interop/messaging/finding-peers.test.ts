/** How service nodes are found, remembered, tested and checked. */
import { once } from "node:events";
import { createServer } from "node:net";
import { generateKeyPair } from "@libp2p/crypto/keys";
import { keccak256, sign } from "@waku/enr";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type LocalNetwork, startLocalNetwork } from "../../../dev/network/local-network.ts";
import type { ServiceNode } from "../../../dev/network/service-node.ts";
import { MemoryStorage } from "../../../packages/reliable-channel/mock/memory-storage.ts";
import { utf8 } from "../../../src/common/bytes.ts";
import { type Clock, systemClock } from "../../../src/common/clock.ts";
import { err } from "../../../src/common/result.ts";
import { LIMITS } from "../../../src/limits.ts";
import { testPeer } from "../../../src/messaging/peer-test.ts";
import { WakuClient, type WakuClientNetwork, type WakuClientOptions } from "./waku-client.ts";

let network: LocalNetwork;
let clients: WakuClient[] = [];

async function client(
  bootstrap: readonly string[],
  storage = new MemoryStorage(),
  options: WakuClientOptions = {},
): Promise<WakuClient> {
  const on: WakuClientNetwork = { ...network, multiaddrs: bootstrap };
  const started = await WakuClient.start(on, storage, options);
  clients.push(started);
  return started;
}

const status = (of: WakuClient) => of.client.connectionStatus();

function node(index: number): ServiceNode {
  const found = network.nodes[index];
  if (!found) throw new Error(`there is no node ${index}`);
  return found;
}

function config(clusterId = network.clusterId) {
  return { name: "tested", clusterId, shards: network.shards, bootstrap: [] };
}

beforeAll(async () => {
  network = await startLocalNetwork({ nodes: 3, peerExchange: true });
});

afterEach(async () => {
  await Promise.all(clients.map((each) => each.stop()));
  clients = [];
  await network.reset();
});

afterAll(async () => {
  await network.stop();
});

test("peer exchange: from one address, the others are found, where the network has it", async () => {
  const [only] = network.multiaddrs;
  const alice = await client([only ?? ""], undefined, { traits: { peerExchange: true } });
  await alice.until(() => alice.client.peers().store === 3);
  expect(alice.client.peers()).toEqual({ lightpush: 3, filter: 3, store: 3 });
});

test("without peer exchange one address is one peer, all that is sent goes through it, and the rest is missing", async () => {
  const [only] = network.multiaddrs;
  const alice = await client([only ?? ""]);
  await alice.until(() => status(alice) === "PartiallyConnected");
  const events = await alice.final(await alice.send("/poor/1/topic/proto", "one peer"));
  expect(events.map(({ type }) => type)).toEqual(["propagated", "sent"]);
  expect(alice.client.diagnostics().lacks.map(({ service }) => service)).toEqual(["lightpush", "filter", "store"]);
  expect(node(0).requests.count("peerExchange")).toBe(0);
});

test("peer cache: what was found is dialled at the next start, though nothing names it any more", async () => {
  const storage = new MemoryStorage();
  const first = await client(network.multiaddrs, storage);
  await first.until(() => first.client.peers().store === 3);
  await first.stop();
  const second = await client([], storage);
  await second.until(() => second.client.peers().store === 3);
  expect(status(second)).toBe("Connected");
});

test("a node that comes back at another place of the list is one peer, not two", async () => {
  const [address = ""] = network.multiaddrs;
  const alice = await client([address, address.replace(/\/p2p\/.*$/, "")]);
  await alice.until(() => alice.client.peers().lightpush === 1);
  const events = await alice.final(await alice.send("/twice/1/topic/proto", "still connected"));
  expect(events.map(({ type }) => type)).toEqual(["propagated", "sent"]);
  expect(alice.client.peers()).toEqual({ lightpush: 1, filter: 1, store: 1 });
});

test("when the network changes, a connection that only looks alive is ended and made anew", async () => {
  const [address = ""] = network.multiaddrs;
  const alice = await client([address]);
  await alice.until(() => status(alice) === "PartiallyConnected");
  const seen: string[] = [];
  alice.onEvent(() => seen.push(status(alice)));
  // It answers nothing, as a node at the other end of a network that is gone.
  node(0).faults.set("metadata", { kind: "drop" }, 1);
  alice.client.networkChanged();
  await alice.until(() => status(alice) === "Disconnected");
  await alice.until(() => status(alice) === "PartiallyConnected");
  expect(seen).toContain("Disconnected");
});

test("when the network changes, a connection that is alive stays, and what was given up for a while is dialled at once", async () => {
  await node(1).stop();
  const alice = await client(network.multiaddrs.slice(0, 2));
  await alice.until(() => status(alice) === "PartiallyConnected");
  await node(1).start();
  alice.client.networkChanged();
  await alice.until(() => status(alice) === "Connected");
  expect(alice.client.diagnostics().peers.store).toContain(node(0).peerId);
});

test("an address with another peer's id is not trusted", async () => {
  const [first = "", second = ""] = network.multiaddrs;
  const impostor = `${first.split("/p2p/")[0]}/p2p/${second.split("/p2p/")[1]}`;
  expect(await testPeer(impostor, config())).toMatchObject({
    ok: false,
    error: { kind: "unusable", message: expect.stringContaining("another peer answers there") },
  });
});

describe("the test of an address", () => {
  test("says which services a node offers", async () => {
    await node(2).withdraw("store");
    const tested = await testPeer(node(2).multiaddr, config());
    expect(tested).toMatchObject({
      ok: true,
      value: { kind: "peer", peerId: node(2).peerId, services: ["lightpush", "filter"] },
    });
    await node(2).offer("store");
  });

  test("says why there is none", async () => {
    const errors = [];
    for (const [address, cluster] of [
      ["/ip4/127.0.0.1/tcp/1/ws", network.clusterId],
      ["/ip4/127.0.0.1/nonsense", network.clusterId],
      [node(0).multiaddr, 7],
    ] as const) {
      const tested = await testPeer(address, config(cluster));
      errors.push(tested.ok ? "" : tested.error);
    }
    expect(errors).toEqual([
      { kind: "unusable", message: expect.stringContaining("Could not connect") },
      { kind: "no-address", message: expect.stringContaining("not an address") },
      { kind: "unusable", message: expect.stringContaining("cluster") },
    ]);
  });
});

test("the test of an address where somebody takes the call and says nothing ends when its time is up", async () => {
  const silent = createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  const address = silent.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const called = once(silent, "connection");
  let timeIsUp = (): void => {};
  const clock: Clock = {
    now: () => Date.now(),
    after(ms, callback) {
      if (ms !== LIMITS.messaging.peerTestMs) return systemClock.after(ms, callback);
      timeIsUp = callback;
      return () => {};
    },
  };
  const tested = testPeer(`/ip4/127.0.0.1/tcp/${address.port}/ws`, config(), { clock });
  const [socket] = await called;
  timeIsUp();
  expect(await tested).toEqual(err({ kind: "no-answer", message: "no answer in time" }));
  socket.destroy();
  silent.close();
  // Before whoever asked gives up waiting for the answer.
  expect(LIMITS.messaging.peerTestMs).toBeLessThan(LIMITS.ui.answerMs);
});

describe("DNS discovery", () => {
  const DOMAIN = "nodes.example";

  /** A list of two of the nodes, signed as EIP-1459 says, and a DNS that has it. */
  async function list(): Promise<{ readonly url: string; readonly dns: NonNullable<WakuClientOptions["dns"]> }> {
    const key = await generateKeyPair("secp256k1");
    const records = await Promise.all([node(0).record(), node(1).record()]);
    const root = "enrtree-root:v1 e=BRANCH l=LINKS seq=1";
    const signature = await sign(keccak256(utf8(root)), key.raw);
    const texts = new Map([
      [DOMAIN, `${root} sig=${base64url(signature)}`],
      [`BRANCH.${DOMAIN}`, "enrtree-branch:FIRST,SECOND"],
      [`FIRST.${DOMAIN}`, `enr:${base64url(records[0])}`],
      [`SECOND.${DOMAIN}`, `enr:${base64url(records[1])}`],
    ]);
    const resolveTXT = async (domain: string) => {
      const text = texts.get(domain);
      if (text === undefined) throw new Error(`no such name: ${domain}`);
      return [text];
    };
    return { url: `enrtree://${base32(key.publicKey.raw)}@${DOMAIN}`, dns: { resolveTXT } };
  }

  function base64url(bytes: Uint8Array | undefined): string {
    return Buffer.from(bytes ?? []).toString("base64url");
  }

  function base32(bytes: Uint8Array): string {
    const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
    const groups = bits.match(/.{1,5}/g) ?? [];
    return groups.map((group) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[Number.parseInt(group.padEnd(5, "0"), 2)]).join("");
  }

  test("nodes on a signed list are found and used", async () => {
    const { url, dns } = await list();
    const alice = await client([url], undefined, { dns });
    await alice.until(() => status(alice) === "Connected");
    expect([...alice.client.diagnostics().peers.store].sort()).toEqual([node(0).peerId, node(1).peerId].sort());
  });

  test("a list that cannot be read at first is read again when the network changes", async () => {
    const { url, dns } = await list();
    let online = false;
    let refused = () => {};
    const asked = new Promise<void>((resolve) => {
      refused = resolve;
    });
    const alice = await client([url], undefined, {
      dns: {
        resolveTXT: async (domain) => {
          if (online) return dns.resolveTXT(domain);
          refused();
          throw new Error("offline");
        },
      },
    });
    await asked;
    online = true;
    alice.client.networkChanged();
    await alice.until(() => status(alice) === "Connected");
    expect(alice.client.peers().store).toBe(2);
  });

  test("the test of a list says how many of its nodes a browser can reach", async () => {
    const { url, dns } = await list();
    expect(await testPeer(url, config(), { dns })).toEqual({ ok: true, value: { kind: "list", addresses: 2 } });
    expect(await testPeer(url, config(7), { dns })).toMatchObject({ ok: false });
  });
});
