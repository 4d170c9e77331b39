import type { GossipSub } from "@chainsafe/libp2p-gossipsub";
import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { identify, identifyPush } from "@libp2p/identify";
import type { Libp2p, PrivateKey } from "@libp2p/interface";
import { mplex } from "@libp2p/mplex";
import { ping } from "@libp2p/ping";
import { webSockets } from "@libp2p/websockets";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import type { Clock } from "../../src/common/clock.ts";
import { Archive } from "./archive.ts";
import type { Sharding } from "./autosharding.ts";
import { pubsubTopicsOf } from "./autosharding.ts";
import { applyConnectionPolicy } from "./connection-policy.ts";
import { Faults } from "./faults.ts";
import { Filter } from "./filter.ts";
import { LegacyLightpush, Lightpush } from "./lightpush.ts";
import { Metadata } from "./metadata.ts";
import { nodeRecord } from "./node-record.ts";
import { PeerExchange } from "./peer-exchange.ts";
import type { Protocol, ServiceName } from "./protocols.ts";
import { Pusher } from "./pusher.ts";
import type { RateLimiter } from "./rate-limit.ts";
import { FilterLimiter, LightpushLimiter, UNLIMITED } from "./rate-limit.ts";
import { relay, wakuRelay } from "./relay.ts";
import { RequestLog } from "./request-log.ts";
import type { ServeContext } from "./serve.ts";
import { serve } from "./serve.ts";
import { Store } from "./store.ts";
import type { WakuMessage } from "./waku-message.ts";
import { decodeWakuMessage, encodeWakuMessage, hashOf, nanoseconds } from "./waku-message.ts";

/** Streams that one peer may have open at once: more than any test opens, so that only the rate limits refuse. */
const STREAMS = 2_000;

export interface ServiceNodeOptions {
  readonly sharding: Sharding;
  readonly clock: Clock;
  readonly privateKey: PrivateKey;
  /** TCP port on 127.0.0.1; 0 takes a free one at the first start and keeps it. */
  readonly port: number;
  readonly limits: "none" | "real";
  /** Whether it names its neighbours to who asks by peer exchange. */
  readonly peerExchange: boolean;
  /** The running nodes of the same network, this one excepted. */
  readonly neighbours: () => readonly ServiceNode[];
}

interface Running {
  readonly libp2p: Libp2p<{ readonly relay: GossipSub }>;
  readonly protocols: ReadonlyMap<ServiceName, { readonly protocol: Protocol; readonly context: ServeContext }>;
}

/** One service node. Its identity, port, archive and request log outlive a restart; all else is lost, as in a process. */
export class ServiceNode {
  readonly archive: Archive;
  readonly requests = new RequestLog();
  readonly faults = new Faults();
  readonly #options: ServiceNodeOptions;
  readonly #topics: ReadonlySet<string>;
  #port: number;
  #peerId = "";
  #filter: Filter | undefined;
  #running: Running | undefined;

  constructor(options: ServiceNodeOptions) {
    this.#options = options;
    this.#topics = new Set(pubsubTopicsOf(options.sharding));
    this.#port = options.port;
    this.archive = new Archive(options.clock);
  }

  get running(): boolean {
    return this.#running !== undefined;
  }

  /** Known once the node was started for the first time. */
  get peerId(): string {
    return this.#peerId;
  }

  /** Known once the node was started for the first time; the same after every restart. */
  get multiaddr(): string {
    return `/ip4/127.0.0.1/tcp/${this.#port}/ws/p2p/${this.#peerId}`;
  }

  /** Filter criteria that a peer is subscribed to. */
  criteria(peer: string): number {
    return this.#filter?.subscriptions.count(peer) ?? 0;
  }

  async start(): Promise<void> {
    if (this.#running !== undefined) return;
    const { clock, sharding, limits, privateKey, neighbours } = this.#options;
    const libp2p = await createLibp2p({
      privateKey,
      addresses: { listen: [`/ip4/127.0.0.1/tcp/${this.#port}/ws`] },
      transports: [webSockets()],
      streamMuxers: [yamux(), mplex()],
      connectionEncrypters: [noise()],
      // A real node does not ping its peers. If this one did, it would keep service workers alive that die elsewhere.
      connectionMonitor: { enabled: false },
      // All clients come from one address here.
      connectionManager: { inboundConnectionThreshold: 1_000, maxIncomingPendingConnections: 1_000 },
      services: {
        identify: identify({ agentVersion: "local-waku-network" }),
        // Tells peers when a protocol comes or goes.
        identifyPush: identifyPush(),
        ping: ping({ maxInboundStreams: 32 }),
        relay: wakuRelay(clock),
      },
    });
    const real = limits === "real";
    const metadata = new Metadata(sharding);
    const pusher = new Pusher(clock, this.faults);
    const filter = new Filter(clock, (peer, push) => pusher.push(libp2p, peer, push));
    const publisher = { publish: (topic: string, message: WakuMessage) => this.#publish(topic, message) };
    const protocols: readonly (readonly [Protocol, RateLimiter])[] = [
      [metadata, UNLIMITED],
      [new Lightpush(publisher, sharding), real ? new LightpushLimiter() : UNLIMITED],
      [new LegacyLightpush(publisher), real ? new LightpushLimiter() : UNLIMITED],
      [filter, real ? new FilterLimiter() : UNLIMITED],
      [new PeerExchange(() => this.#recordsOfNeighbours()), UNLIMITED],
      [new Store(this.archive, this.faults), UNLIMITED],
    ];
    const isServiceNode = (peer: string): boolean => neighbours().some((node) => node.peerId === peer);
    applyConnectionPolicy(libp2p, { metadata, limitAddresses: real, isServiceNode });
    this.#filter = filter;
    this.#peerId = libp2p.peerId.toString();
    this.#running = {
      libp2p,
      protocols: new Map(
        protocols.map(([protocol, limiter]) => {
          const context = { clock, limiter, faults: this.faults, log: this.requests };
          return [protocol.service, { protocol, context }];
        }),
      ),
    };
    for (const service of this.#running.protocols.keys()) await this.offer(service);
    this.#port = Number(libp2p.getMultiaddrs()[0]?.nodeAddress().port ?? this.#port);
    const { relay: gossip } = libp2p.services;
    gossip.addEventListener("message", ({ detail: { topic, data } }) => void this.#receive(topic, data));
    for (const topic of this.#topics) gossip.subscribe(topic);
    for (const node of neighbours()) await this.#join(node);
  }

  /** What this node says of itself to be found. */
  record(): Promise<Uint8Array> {
    return nodeRecord(this.#options.privateKey, this.multiaddr, this.#options.sharding);
  }

  async #recordsOfNeighbours(): Promise<readonly Uint8Array[]> {
    if (!this.#options.peerExchange) return [];
    return Promise.all(this.#options.neighbours().map((node) => node.record()));
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    this.#filter = undefined;
    await running?.libp2p.stop();
  }

  /** Takes a protocol out of service: peers learn by identify that the node no longer has it. */
  async withdraw(service: ServiceName): Promise<void> {
    const served = this.#running?.protocols.get(service);
    if (served !== undefined) await this.#running?.libp2p.unhandle(served.protocol.codec);
  }

  async offer(service: ServiceName): Promise<void> {
    const served = this.#running?.protocols.get(service);
    if (served === undefined) return;
    const { protocol, context } = served;
    const options = { maxInboundStreams: STREAMS, maxOutboundStreams: STREAMS };
    await this.#running?.libp2p.handle(protocol.codec, serve(protocol, context), options);
  }

  /** Ends all connections of a peer, or all connections to clients. */
  async disconnect(peer?: string): Promise<void> {
    const neighbours = new Set(this.#options.neighbours().map((node) => node.peerId));
    const connections = this.#running?.libp2p.getConnections() ?? [];
    await Promise.all(
      connections
        .filter(({ remotePeer }) => (peer === undefined ? !neighbours.has(`${remotePeer}`) : `${remotePeer}` === peer))
        .map((connection) => connection.close()),
    );
  }

  /** Resolves once no connection to the peer is left: only then may it come back, since there is one a peer. */
  async untilGone(peer: string): Promise<void> {
    const libp2p = this.#running?.libp2p;
    const isThere = (): boolean =>
      libp2p?.getConnections().some(({ remotePeer }) => remotePeer.toString() === peer) ?? false;
    await new Promise<void>((resolve) => {
      const check = (): void => {
        if (isThere()) return;
        libp2p?.removeEventListener("connection:close", check);
        resolve();
      };
      libp2p?.addEventListener("connection:close", check);
      check();
    });
  }

  /** Dials another node and waits until each knows that the other relays every shard. */
  async #join(node: ServiceNode): Promise<void> {
    await this.#running?.libp2p.dial(multiaddr(node.multiaddr));
    await Promise.all([this.#relaysTo(node.peerId), node.#relaysTo(this.#peerId)]);
  }

  #relaysTo(peer: string): Promise<void> {
    const gossip = this.#running?.libp2p.services.relay;
    if (gossip === undefined) return Promise.resolve();
    const knowsAll = (): boolean =>
      [...this.#topics].every((topic) => gossip.getSubscribers(topic).some((each) => each.toString() === peer));
    return new Promise((resolve) => {
      const check = (): void => {
        if (!knowsAll()) return;
        gossip.removeEventListener("subscription-change", check);
        resolve();
      };
      gossip.addEventListener("subscription-change", check);
      check();
    });
  }

  async #publish(pubsubTopic: string, sent: WakuMessage): Promise<number> {
    const timestamp = sent.timestamp === 0n ? nanoseconds(this.#options.clock.now()) : sent.timestamp;
    const message = { ...sent, timestamp };
    // Its own archive and subscribers come first, whatever becomes of the relaying.
    await this.#deliver(pubsubTopic, message);
    const gossip = this.#running?.libp2p.services.relay;
    if (gossip === undefined || this.faults.noRelayPeers) return 0;
    return relay(gossip, pubsubTopic, encodeWakuMessage(message));
  }

  async #receive(pubsubTopic: string, data: Uint8Array): Promise<void> {
    const message = decodeWakuMessage(data);
    if (message.ok && !this.faults.noRelayPeers) await this.#deliver(pubsubTopic, message.value);
  }

  async #deliver(pubsubTopic: string, message: WakuMessage): Promise<void> {
    if (!this.#topics.has(pubsubTopic)) return;
    const entry = { hash: hashOf(pubsubTopic, message), pubsubTopic, message };
    this.archive.offer(entry);
    await this.#filter?.deliver(entry);
  }
}
