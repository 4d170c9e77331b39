/**
 * Service nodes over libp2p: one stream per request, read to its end, with the node's own status.
 *
 * WAKU2-LIGHTPUSH v3, 12/WAKU2-FILTER v2, WAKU2-STORE v3, 66/WAKU2-METADATA.
 */
import { multiaddr } from "@multiformats/multiaddr";
import type { DnsClient, Libp2p } from "@waku/interfaces";
import { proto_filter_v2, proto_lightpush, proto_metadata, proto_store } from "@waku/proto";
import type { WakuNode } from "@waku/sdk";
import { type Bytes, EMPTY, fromHex, ownBytes, toHex } from "../common/bytes.ts";
import type { Clock } from "../common/clock.ts";
import { err, ok, type Result, reasonOf } from "../common/result.ts";
import { LIMITS } from "../limits.ts";
import { shardOfPubsubTopic } from "./content-topic.ts";
import { FrameReader, lengthPrefixed } from "./length-prefix.ts";
import type { NetworkConfig } from "./network-config.ts";
import { traitsOf } from "./network-presets.ts";
import type { PeerCache } from "./peer-cache.ts";
import {
  DNS_LIST,
  decodeExchangeAnswer,
  encodeExchangeRequest,
  exchangedAddresses,
  listedAddresses,
} from "./peer-discovery.ts";
import type {
  Answer,
  LightpushAnswer,
  PeerName,
  Service,
  ServiceNodes,
  ServiceNodesListener,
  StoreAnswer,
  StoredMessage,
  StoreQuery,
} from "./service-nodes.ts";
import { nanoseconds, type WakuMessage } from "./waku-message.ts";
import { fromWire, toWire } from "./waku-message-codec.ts";
import { createWakuNode } from "./waku-node.ts";

const CODECS = {
  lightpush: "/vac/waku/lightpush/3.0.0",
  filter: "/vac/waku/filter-subscribe/2.0.0-beta1",
  store: "/vac/waku/store-query/3.0.0",
} as const satisfies Record<Service, string>;
const FILTER_PUSH = "/vac/waku/filter-push/2.0.0-beta1";
const METADATA = "/vac/waku/metadata/1.0.0";
const PEER_EXCHANGE = "/vac/waku/peer-exchange/2.0.0-alpha1";
const SERVICES = ["lightpush", "filter", "store"] as const satisfies readonly Service[];

type Connection = ReturnType<Libp2p["getConnections"]>[number];
type PeerId = Connection["remotePeer"];

interface ServicePeer {
  readonly protocols: ReadonlySet<string>;
  /** Where the peer named none, it is taken to serve all. */
  readonly shards: ReadonlySet<number> | undefined;
}

/** An address that is kept connected. */
interface KnownAddress {
  readonly address: string;
  /** The configuration names it; others are given up when they fail, and are dialled only while more peers are wanted. */
  readonly configured: boolean;
  failures: number;
  peer: PeerName | undefined;
  retryMs: number;
  cancelRetry: (() => void) | undefined;
}

export interface WakuServiceNodesParts {
  readonly network: NetworkConfig;
  /** The libp2p identity in protobuf form. */
  readonly privateKey: Bytes;
  readonly clock: Clock;
  /** What earlier sessions found. */
  readonly cache?: PeerCache;
  /** How DNS lists are read; DNS over HTTPS by default. */
  readonly dns?: DnsClient | undefined;
}

export class WakuServiceNodes implements ServiceNodes {
  readonly #network: NetworkConfig;
  readonly #privateKey: Bytes;
  readonly #clock: Clock;
  readonly #peers = new Map<PeerName, ServicePeer>();
  readonly #cache: PeerCache | undefined;
  readonly #dns: DnsClient | undefined;
  readonly #lists: readonly string[];
  readonly #addresses: KnownAddress[];
  /** Addresses that somebody named and that were not dialled yet. */
  #candidates: string[] = [];
  #dialling = 0;
  #discovering = false;
  /** It was asked for while it was under way: what it found by then may be old. */
  #discoverAgain = false;
  #cancelDiscovery: (() => void) | undefined;
  #listener: ServiceNodesListener | undefined;
  #node: WakuNode | undefined;
  #stopped = false;

  constructor({ network, privateKey, clock, cache, dns }: WakuServiceNodesParts) {
    this.#network = network;
    this.#privateKey = privateKey;
    this.#clock = clock;
    this.#cache = cache;
    this.#dns = dns;
    this.#lists = network.bootstrap.filter((address) => address.startsWith(DNS_LIST));
    this.#addresses = network.bootstrap
      .filter((address) => address.startsWith("/"))
      .map((address) => knownAddress(address, true));
  }

  listen(listener: ServiceNodesListener): void {
    this.#listener = listener;
  }

  async start(): Promise<void> {
    const node = await createWakuNode(this.#network, this.#privateKey);
    this.#node = node;
    const libp2p = node.libp2p;
    libp2p.addEventListener("peer:identify", ({ detail }) => void this.#assess(detail.peerId, detail.protocols));
    libp2p.addEventListener("peer:update", ({ detail }) => this.#refresh(detail.peer.id, detail.peer.protocols));
    libp2p.addEventListener("peer:disconnect", ({ detail }) => this.#forget(detail));
    await libp2p.handle(
      FILTER_PUSH,
      ({ stream, connection }) => void this.#readPushes(stream.source, connection.remotePeer.toString()),
      { maxInboundStreams: LIMITS.messaging.pushStreams },
    );
    await node.start();
    // Stopped while it was starting.
    if (this.#stopped) return node.stop();
    for (const known of this.#addresses) void this.#dial(known);
    this.#propose(this.#cache?.addresses() ?? []);
    void this.#discover();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelDiscovery?.();
    for (const known of this.#addresses) known.cancelRetry?.();
    this.#peers.clear();
    await this.#node?.stop();
  }

  networkChanged(): void {
    for (const known of this.#addresses) {
      known.retryMs = LIMITS.messaging.dialRetryMs;
      if (known.peer !== undefined && this.#connection(known.peer)) continue;
      known.cancelRetry?.();
      void this.#dial(known);
    }
    for (const peer of this.#peers.keys()) void this.#verify(peer);
    void this.#discover();
  }

  peers(service: Service, pubsubTopic?: string): readonly PeerName[] {
    const shard = pubsubTopic === undefined ? undefined : shardOfPubsubTopic(this.#network.clusterId, pubsubTopic);
    const names: PeerName[] = [];
    for (const [name, peer] of this.#peers) {
      if (!peer.protocols.has(CODECS[service])) continue;
      if (shard !== undefined && peer.shards && !peer.shards.has(shard)) continue;
      names.push(name);
    }
    return names;
  }

  /** Connected peers of this network, whatever they offer. */
  connected(): readonly PeerName[] {
    return [...this.#peers.keys()];
  }

  async lightpush(peer: PeerName, pubsubTopic: string, message: WakuMessage): Promise<Result<LightpushAnswer>> {
    const request = proto_lightpush.LightPushRequestV3.encode({
      requestId: crypto.randomUUID(),
      pubsubTopic,
      message: toWire(message),
    });
    return this.#ask(peer, CODECS.lightpush, request, (bytes) => {
      const answer = proto_lightpush.LightPushResponseV3.decode(bytes);
      return {
        status: answer.statusCode,
        statusText: answer.statusDesc ?? "",
        relayPeerCount: answer.relayPeerCount ?? 0,
      };
    });
  }

  async storeQuery(peer: PeerName, query: StoreQuery): Promise<Result<StoreAnswer>> {
    const request = proto_store.StoreQueryRequest.encode({
      requestId: crypto.randomUUID(),
      includeData: query.includeData,
      contentTopics: query.topic ? [query.topic.contentTopic] : [],
      messageHashes: (query.hashes ?? []).map((hash) => fromHex(hash) ?? EMPTY),
      paginationForward: true,
      paginationLimit: BigInt(LIMITS.messaging.storePage),
      ...(query.topic && {
        pubsubTopic: query.topic.pubsubTopic,
        timeStart: nanoseconds(query.topic.from),
        timeEnd: nanoseconds(query.topic.to),
      }),
      ...(query.cursor && { paginationCursor: query.cursor }),
    });
    return this.#ask(peer, CODECS.store, request, (bytes) => {
      const answer = proto_store.StoreQueryResponse.decode(bytes);
      return {
        status: answer.statusCode ?? 0,
        statusText: answer.statusDesc ?? "",
        messages: answer.messages.map(
          ({ messageHash, pubsubTopic, message }): StoredMessage => ({
            hash: toHex(messageHash ?? EMPTY),
            ...(pubsubTopic !== undefined && { pubsubTopic }),
            ...(message && { message: fromWire(message) }),
          }),
        ),
        ...(answer.paginationCursor?.length && { cursor: ownBytes(answer.paginationCursor) }),
      };
    });
  }

  filterSubscribe(peer: PeerName, pubsubTopic: string, contentTopics: readonly string[]): Promise<Result<Answer>> {
    return this.#filter(peer, "SUBSCRIBE", pubsubTopic, contentTopics);
  }

  filterUnsubscribe(peer: PeerName, pubsubTopic: string, contentTopics: readonly string[]): Promise<Result<Answer>> {
    return this.#filter(peer, "UNSUBSCRIBE", pubsubTopic, contentTopics);
  }

  filterPing(peer: PeerName): Promise<Result<Answer>> {
    return this.#filter(peer, "SUBSCRIBER_PING", undefined, []);
  }

  #filter(
    peer: PeerName,
    type: "SUBSCRIBE" | "UNSUBSCRIBE" | "SUBSCRIBER_PING",
    pubsubTopic: string | undefined,
    contentTopics: readonly string[],
  ): Promise<Result<Answer>> {
    const request = proto_filter_v2.FilterSubscribeRequest.encode({
      requestId: crypto.randomUUID(),
      filterSubscribeType: proto_filter_v2.FilterSubscribeRequest.FilterSubscribeType[type],
      contentTopics: [...contentTopics],
      ...(pubsubTopic !== undefined && { pubsubTopic }),
    });
    return this.#ask(peer, CODECS.filter, request, (bytes) => {
      const answer = proto_filter_v2.FilterSubscribeResponse.decode(bytes);
      return { status: answer.statusCode, statusText: answer.statusDesc ?? "" };
    });
  }

  /** One request on a stream of its own. Anything but a decoded answer in time is an error. */
  async #ask<T>(
    peer: PeerName,
    codec: string,
    request: Uint8Array,
    decode: (bytes: Bytes) => T,
    withinMs: number = LIMITS.messaging.requestMs,
  ): Promise<Result<T>> {
    const connection = this.#connection(peer);
    if (!connection) return err("not connected");
    const abort = new AbortController();
    const cancel = this.#clock.after(withinMs, () => abort.abort(new Error("no answer in time")));
    try {
      const stream = await connection.newStream(codec, { signal: abort.signal });
      abort.signal.addEventListener("abort", () => stream.abort(new Error("no answer in time")));
      const answer = new Promise<Result<T>>((resolve) => {
        void readToEnd(stream.source, (frame) => {
          try {
            resolve(ok(decode(frame)));
          } catch (thrown) {
            resolve(err(`answer not understood: ${reasonOf(thrown)}`));
          }
        }).then(
          () => {
            cancel();
            resolve(err("the stream ended without an answer"));
          },
          (thrown: unknown) => {
            cancel();
            stream.abort(new Error("the answer was cut off"));
            resolve(err(reasonOf(thrown)));
          },
        );
      });
      // A node that refuses may close before it has read the request; its answer is what counts then.
      stream.sink([lengthPrefixed(request)]).catch(() => {});
      return await answer;
    } catch (thrown) {
      cancel();
      return err(reasonOf(thrown));
    }
  }

  async #readPushes(source: ByteSource, peer: PeerName): Promise<void> {
    const frames = new FrameReader(LIMITS.messaging.pushBytes);
    try {
      for await (const chunk of source) {
        for (const frame of frames.push(chunk.subarray())) this.#push(peer, frame);
      }
    } catch {
      // A push stream ends with its connection, or because the node sent what is no frame. Both are lost pushes, which
      // the next look in the store makes good.
    }
  }

  #push(peer: PeerName, frame: Bytes): void {
    let push: proto_filter_v2.MessagePush;
    try {
      push = proto_filter_v2.MessagePush.decode(frame);
    } catch {
      return;
    }
    if (push.wakuMessage && push.pubsubTopic !== undefined)
      this.#listener?.onPush(peer, push.pubsubTopic, fromWire(push.wakuMessage));
  }

  #connection(peer: PeerName): Connection | undefined {
    return this.#node?.libp2p
      .getConnections()
      .find((connection) => connection.status === "open" && connection.remotePeer.toString() === peer);
  }

  /** Takes on a peer that said what it offers, unless its metadata names another cluster. 66/WAKU2-METADATA. */
  async #assess(id: PeerId, protocols: readonly string[]): Promise<void> {
    const name = id.toString();
    let shards: ReadonlySet<number> | undefined;
    if (protocols.includes(METADATA)) {
      const metadata = await this.#metadata(name, LIMITS.messaging.requestMs);
      if (metadata.ok) {
        const { clusterId } = metadata.value;
        if (clusterId !== undefined && clusterId !== this.#network.clusterId) {
          this.#listener?.onTrouble(`${name} is of cluster ${clusterId}, not ${this.#network.clusterId}`);
          await this.#node?.libp2p.hangUp(id).catch(() => {});
          return;
        }
        if (metadata.value.shards.length > 0) shards = new Set(metadata.value.shards);
      }
    }
    if (this.#stopped || !this.#connection(name)) return;
    this.#peers.set(name, { protocols: new Set(protocols), shards });
    this.#remember(name);
    this.#listener?.onPeersChanged();
    if (protocols.includes(PEER_EXCHANGE) && traitsOf(this.#network).peerExchange && this.#wanting())
      void this.#exchange(name);
  }

  #metadata(peer: PeerName, withinMs: number): Promise<Result<proto_metadata.WakuMetadataResponse>> {
    const request = proto_metadata.WakuMetadataRequest.encode({
      clusterId: this.#network.clusterId,
      shards: Array.from({ length: this.#network.shards }, (_, shard) => shard),
    });
    return this.#ask(peer, METADATA, request, (bytes) => proto_metadata.WakuMetadataResponse.decode(bytes), withinMs);
  }

  /** Ends a connection that only looks alive, as one does after the machine changed its network. */
  async #verify(peer: PeerName): Promise<void> {
    const connection = this.#connection(peer);
    const answer = await this.#metadata(peer, LIMITS.messaging.verifyMs);
    if (!answer.ok) connection?.abort(new Error("the connection is dead"));
  }

  /** Keeps the address of a peer that serves something. */
  #remember(peer: PeerName): void {
    const served = SERVICES.some((service) => this.#peers.get(peer)?.protocols.has(CODECS[service]));
    const remote = this.#connection(peer)?.remoteAddr.toString();
    if (!served || remote === undefined) return;
    const address = remote.includes("/p2p/") ? remote : `${remote}/p2p/${peer}`;
    this.#cache?.serves(peer, address, this.#clock.now());
    for (const known of this.#addresses) if (known.peer === peer) known.failures = 0;
  }

  #refresh(id: PeerId, protocols: readonly string[]): void {
    const name = id.toString();
    const peer = this.#peers.get(name);
    if (!peer || protocols.length === 0) return;
    if (protocols.length === peer.protocols.size && protocols.every((protocol) => peer.protocols.has(protocol))) return;
    this.#peers.set(name, { ...peer, protocols: new Set(protocols) });
    this.#listener?.onPeersChanged();
  }

  #forget(id: PeerId): void {
    const name = id.toString();
    const served = this.#peers.delete(name);
    for (const known of this.#addresses) {
      if (known.peer !== name) continue;
      // A node that hung up before it was of any use is tried less and less often.
      if (served) known.retryMs = LIMITS.messaging.dialRetryMs;
      else
        this.#listener?.onTrouble(`${known.address}: hung up before it said what it offers; is it of another cluster?`);
      this.#redial(known);
    }
    if (!served) return;
    this.#listener?.onPeersChanged();
    void this.#discover();
  }

  /** Whether some service has fewer peers than two in use and a spare. */
  #wanting(): boolean {
    return SERVICES.some((service) => this.peers(service).length < LIMITS.messaging.peersWanted);
  }

  /** Asks DNS lists and peers for others, while some are wanted. */
  async #discover(): Promise<void> {
    const exchange = traitsOf(this.#network).peerExchange;
    if (this.#stopped || !this.#wanting() || (this.#lists.length === 0 && !exchange)) return;
    this.#discoverAgain = this.#discovering;
    if (this.#discovering) return;
    this.#discovering = true;
    this.#cancelDiscovery?.();
    await Promise.all([this.#readLists(), ...(exchange ? this.#exchangers().map((peer) => this.#exchange(peer)) : [])]);
    this.#discovering = false;
    if (this.#stopped) return;
    if (this.#discoverAgain) return this.#discover();
    this.#cancelDiscovery = this.#clock.after(LIMITS.messaging.discoverEveryMs, () => void this.#discover());
  }

  async #readLists(): Promise<void> {
    if (this.#lists.length === 0) return;
    try {
      for await (const address of listedAddresses(this.#lists, this.#network.clusterId, this.#dns)) {
        if (this.#stopped || !this.#wanting()) return;
        this.#propose([address]);
      }
    } catch (thrown) {
      this.#listener?.onTrouble(`DNS list: ${reasonOf(thrown)}`);
    }
  }

  #exchangers(): readonly PeerName[] {
    return [...this.#peers].filter(([, { protocols }]) => protocols.has(PEER_EXCHANGE)).map(([name]) => name);
  }

  async #exchange(peer: PeerName): Promise<void> {
    const records = await this.#ask(peer, PEER_EXCHANGE, encodeExchangeRequest(), decodeExchangeAnswer);
    if (records.ok) this.#propose(await exchangedAddresses(records.value, this.#network.clusterId));
    else this.#listener?.onTrouble(`peer exchange: ${records.error}`);
  }

  /** Takes addresses that somebody named, and dials them while peers are wanted. */
  #propose(addresses: readonly string[]): void {
    for (const address of addresses) {
      if (this.#candidates.length >= LIMITS.messaging.candidates) break;
      if (!this.#candidates.includes(address) && !this.#isKnown(address)) this.#candidates.push(address);
    }
    this.#dialCandidates();
  }

  /** A peer is dialled at one address only: a node drops the second connection of a peer. */
  #isKnown(address: string): boolean {
    const peer = address.split("/p2p/")[1];
    return (
      (peer !== undefined && this.#connection(peer) !== undefined) ||
      this.#addresses.some((known) => known.address === address || address.startsWith(`${known.address}/p2p/`))
    );
  }

  #dialCandidates(): void {
    while (!this.#stopped && this.#dialling < LIMITS.messaging.parallelDials && this.#wanting()) {
      const address = this.#candidates.shift();
      if (address === undefined) return;
      if (this.#isKnown(address)) continue;
      const known = knownAddress(address, false);
      this.#addresses.push(known);
      this.#dialling++;
      void this.#dial(known).then(() => {
        this.#dialling--;
        this.#dialCandidates();
      });
    }
  }

  async #dial(known: KnownAddress): Promise<void> {
    const libp2p = this.#node?.libp2p;
    if (!libp2p || this.#stopped) return;
    try {
      const signal = AbortSignal.timeout(LIMITS.messaging.requestMs);
      const connection = await libp2p.dial(multiaddr(known.address), { signal });
      const peer = connection.remotePeer.toString();
      const expected = multiaddr(known.address).getPeerId();
      if (expected !== null && expected !== peer) {
        // libp2p does not insist on the peer id of an address.
        const reason = new Error(`another peer answers there: ${peer}`);
        connection.abort(reason);
        throw reason;
      }
      known.peer = peer;
      if (connection.status !== "open") this.#redial(known);
    } catch (thrown) {
      known.failures++;
      this.#listener?.onTrouble(`${known.address}: ${reasonOf(thrown)}`);
      this.#redial(known);
    }
  }

  #redial(known: KnownAddress): void {
    if (this.#stopped) return;
    known.cancelRetry?.();
    // While nobody answers, the fault is more likely on this side.
    if (!known.configured && known.failures >= LIMITS.messaging.candidateDials && this.#peers.size > 0) {
      this.#addresses.splice(this.#addresses.indexOf(known), 1);
      this.#cache?.forget(known.address);
      return;
    }
    known.cancelRetry = this.#clock.after(known.retryMs, () => {
      // The connection manager may have been quicker.
      if (known.peer === undefined || !this.#connection(known.peer)) void this.#dial(known);
    });
    known.retryMs = Math.min(2 * known.retryMs, LIMITS.messaging.dialRetryMaxMs);
  }
}

function knownAddress(address: string, configured: boolean): KnownAddress {
  return {
    address,
    configured,
    failures: 0,
    peer: undefined,
    retryMs: LIMITS.messaging.dialRetryMs,
    cancelRetry: undefined,
  };
}

type ByteSource = AsyncIterable<{ subarray(): Uint8Array }>;

/**
 * Hands over the first frame and reads on until the node closes: a stream that is closed before the node's own close
 * makes mplex drop the whole connection after a few times.
 */
async function readToEnd(source: ByteSource, onFrame: (frame: Bytes) => void): Promise<void> {
  const frames = new FrameReader(LIMITS.messaging.answerBytes);
  let done = false;
  for await (const chunk of source) {
    if (done) continue;
    const [frame] = frames.push(chunk.subarray());
    if (!frame) continue;
    done = true;
    onFrame(frame);
  }
}
