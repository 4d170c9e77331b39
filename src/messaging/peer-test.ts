/**
 * What the popup asks before a person relies on an address: whether a service node of the network answers there, and what
 * it offers. A node of its own asks, under an identity of its own, so the connections in use are not disturbed: service
 * nodes drop a second connection of the same peer.
 */
import { multiaddr } from "@multiformats/multiaddr";
import type { DnsClient } from "@waku/interfaces";
import type { Clock } from "../common/clock.ts";
import { systemClock } from "../common/clock.ts";
import { err, ok, type Result, reasonOf } from "../common/result.ts";
import { LIMITS } from "../limits.ts";
import type { NetworkConfig } from "./network-config.ts";
import { currentIdentity } from "./node-identity.ts";
import { DNS_LIST, listedAddresses } from "./peer-discovery.ts";
import type { Service } from "./service-nodes.ts";
import { WakuServiceNodes } from "./waku-service-nodes.ts";

const SERVICES = ["lightpush", "filter", "store"] as const satisfies readonly Service[];

/** What an address turned out to be. */
export type TestedPeer =
  | {
      readonly kind: "peer";
      readonly peerId: string;
      /** None of them: it is a node of the network that serves nobody. */
      readonly services: readonly Service[];
      /** Milliseconds until it had answered. */
      readonly ms: number;
    }
  /** A DNS list, and how many addresses it names that a browser can reach. */
  | { readonly kind: "list"; readonly addresses: number };

/** Why an address is of no use. */
export interface PeerTestFailure {
  readonly kind: /** Nobody answered in time. */
    | "no-answer"
    /** It is no address. */
    | "no-address"
    /** The list names no node that a browser can reach. */
    | "empty-list"
    /** It could not be reached, or what is there is of no use. */
    | "unusable";
  /** In words. */
  readonly message: string;
}

const NO_ANSWER: PeerTestFailure = { kind: "no-answer", message: "no answer in time" };
const EMPTY_LIST: PeerTestFailure = {
  kind: "empty-list",
  message: "the list names no node that a browser can reach",
};
const unusable = (message: string): PeerTestFailure => ({ kind: "unusable", message });

export interface PeerTestOptions {
  readonly clock?: Clock;
  readonly dns?: DnsClient;
}

/** Resolves within `LIMITS.messaging.peerTestMs`; the error says why the address is of no use. */
export async function testPeer(
  address: string,
  network: NetworkConfig,
  { clock = systemClock, dns }: PeerTestOptions = {},
): Promise<Result<TestedPeer, PeerTestFailure>> {
  const abort = new AbortController();
  const cancel = clock.after(LIMITS.messaging.peerTestMs, () => abort.abort());
  const late = new Promise<Result<TestedPeer, PeerTestFailure>>((resolve) => {
    abort.signal.addEventListener("abort", () => resolve(err(NO_ANSWER)));
  });
  try {
    const tested = address.startsWith(DNS_LIST)
      ? testList(address, network, dns)
      : testAddress(address, network, clock, abort.signal);
    return await Promise.race([tested, late]);
  } finally {
    cancel();
    abort.abort();
  }
}

async function testList(
  list: string,
  network: NetworkConfig,
  dns?: DnsClient,
): Promise<Result<TestedPeer, PeerTestFailure>> {
  try {
    let addresses = 0;
    for await (const _ of listedAddresses([list], network.clusterId, dns)) addresses++;
    return addresses > 0 ? ok({ kind: "list", addresses }) : err(EMPTY_LIST);
  } catch (thrown) {
    return err(unusable(reasonOf(thrown)));
  }
}

async function testAddress(
  address: string,
  network: NetworkConfig,
  clock: Clock,
  signal: AbortSignal,
): Promise<Result<TestedPeer, PeerTestFailure>> {
  try {
    multiaddr(address);
  } catch (thrown) {
    return err({ kind: "no-address", message: `not an address: ${reasonOf(thrown)}` });
  }
  const { privateKey } = await currentIdentity(undefined, clock.now());
  const only = { ...network, bootstrap: [address], traits: { ...network.traits, peerExchange: false } };
  const nodes = new WakuServiceNodes({ network: only, privateKey, clock });
  const startedAt = clock.now();
  const result = new Promise<Result<TestedPeer, PeerTestFailure>>((resolve) => {
    signal.addEventListener("abort", () => resolve(err(NO_ANSWER)));
    nodes.listen({
      onPush: () => {},
      onTrouble: (what) => resolve(err(unusable(what))),
      onPeersChanged: () => {
        const [peerId] = nodes.connected();
        if (peerId === undefined) return;
        const services = SERVICES.filter((service) => nodes.peers(service).length > 0);
        resolve(ok({ kind: "peer", peerId, services, ms: clock.now() - startedAt }));
      },
    });
  });
  try {
    await nodes.start();
    return await result;
  } finally {
    await nodes.stop();
  }
}
