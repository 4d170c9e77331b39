import { EMPTY, fromHex, toHex } from "../../../src/common/bytes.ts";
import { err, ok, type Result } from "../../../src/common/result.ts";
import { LIMITS } from "../../../src/limits.ts";
import type {
  Answer,
  LightpushAnswer,
  PeerName,
  Service,
  ServiceNodes,
  ServiceNodesListener,
  StoreAnswer,
  StoreQuery,
} from "../../../src/messaging/service-nodes.ts";
import { messageHash, nanoseconds, type WakuMessage } from "../../../src/messaging/waku-message.ts";

const OK: Answer = { status: 200, statusText: "OK" };
export const NO_ANSWER = err("no answer in time");

interface Archived {
  readonly hash: string;
  readonly pubsubTopic: string;
  readonly message: WakuMessage;
}

export interface Pushed {
  readonly peer: PeerName;
  readonly at: number;
  readonly hash: string;
  readonly timestamp: bigint;
}

/** One service node: what it offers, and how it answers. Tests replace the answers. */
export class FakeNode {
  readonly name: PeerName;
  readonly services: ReadonlySet<Service>;
  readonly network: FakeNetwork;
  /** Content topics by subscriber. */
  readonly subscriptions = new Map<FakeServiceNodes, Set<string>>();
  answerLightpush: (
    pubsubTopic: string,
    message: WakuMessage,
  ) => Result<LightpushAnswer> | Promise<Result<LightpushAnswer>>;
  answerStore: (query: StoreQuery) => Result<StoreAnswer> | Promise<Result<StoreAnswer>>;
  answerFilter: (request: "subscribe" | "unsubscribe" | "ping") => Result<Answer> | undefined = () => undefined;

  constructor(network: FakeNetwork, name: PeerName, services: readonly Service[]) {
    this.network = network;
    this.name = name;
    this.services = new Set(services);
    this.answerLightpush = (pubsubTopic, message) => {
      network.publish(pubsubTopic, message);
      return ok({ status: 200, statusText: "", relayPeerCount: 1 });
    };
    this.answerStore = (query) => ok(network.query(query));
  }
}

/** What all service nodes share: the archive, and who is subscribed. */
export class FakeNetwork {
  readonly nodes: FakeNode[] = [];
  readonly pushes: Pushed[] = [];
  readonly queries: { readonly peer: PeerName; readonly at: number; readonly query: StoreQuery }[] = [];
  /** Oldest timestamp first. */
  archive: Archived[] = [];

  node(name: PeerName, services: readonly Service[] = ["lightpush", "filter", "store"]): FakeNode {
    const node = new FakeNode(this, name, services);
    this.nodes.push(node);
    return node;
  }

  /** Relays: archived, and pushed to every subscriber. */
  publish(pubsubTopic: string, message: WakuMessage): void {
    this.store(pubsubTopic, message);
    this.push(pubsubTopic, message);
  }

  /** Pushed to every subscriber, and in no archive. */
  push(pubsubTopic: string, message: WakuMessage): void {
    for (const node of this.nodes) {
      for (const [subscriber, topics] of node.subscriptions) {
        if (topics.has(message.contentTopic)) subscriber.deliver(node.name, pubsubTopic, message);
      }
    }
  }

  store(pubsubTopic: string, message: WakuMessage): string {
    const hash = toHex(messageHash(pubsubTopic, message));
    if (message.ephemeral || this.archive.some((entry) => entry.hash === hash)) return hash;
    this.archive.push({ hash, pubsubTopic, message });
    this.archive.sort((a, b) => Number(a.message.timestamp - b.message.timestamp));
    return hash;
  }

  query({ hashes, topic, includeData, cursor }: StoreQuery): StoreAnswer {
    const matching = this.archive.filter(({ hash, pubsubTopic, message }) =>
      topic
        ? topic.pubsubTopic === pubsubTopic &&
          topic.contentTopic === message.contentTopic &&
          message.timestamp >= nanoseconds(topic.from) &&
          message.timestamp <= nanoseconds(topic.to)
        : hashes?.includes(hash),
    );
    const start = cursor ? matching.findIndex(({ hash }) => hash === toHex(cursor)) + 1 : 0;
    const page = matching.slice(start, start + LIMITS.messaging.storePage);
    const last = page.at(-1);
    const more = start + page.length < matching.length;
    return {
      ...OK,
      messages: page.map(({ hash, pubsubTopic, message }) => (includeData ? { hash, pubsubTopic, message } : { hash })),
      ...(more && last && { cursor: fromHex(last.hash) ?? EMPTY }),
    };
  }
}

/** One client's view of the network, with the peers that it is connected to. */
export class FakeServiceNodes implements ServiceNodes {
  readonly #network: FakeNetwork;
  readonly #now: () => number;
  readonly #connected = new Map<PeerName, FakeNode>();
  #listener: ServiceNodesListener | undefined;
  networkChanges = 0;
  readonly filterRequests: { readonly peer: PeerName; readonly request: string; readonly topics: readonly string[] }[] =
    [];

  constructor(network: FakeNetwork, now: () => number) {
    this.#network = network;
    this.#now = now;
  }

  connect(...nodes: readonly FakeNode[]): void {
    for (const node of nodes) this.#connected.set(node.name, node);
    this.#listener?.onPeersChanged();
  }

  disconnect(...nodes: readonly FakeNode[]): void {
    for (const node of nodes) this.#connected.delete(node.name);
    this.#listener?.onPeersChanged();
  }

  deliver(peer: PeerName, pubsubTopic: string, message: WakuMessage): void {
    if (this.#connected.has(peer)) this.#listener?.onPush(peer, pubsubTopic, message);
  }

  listen(listener: ServiceNodesListener): void {
    this.#listener = listener;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#connected.clear();
    for (const node of this.#network.nodes) node.subscriptions.delete(this);
  }

  networkChanged(): void {
    this.networkChanges++;
  }

  peers(service: Service): readonly PeerName[] {
    return [...this.#connected.values()].filter((node) => node.services.has(service)).map(({ name }) => name);
  }

  async lightpush(peer: PeerName, pubsubTopic: string, message: WakuMessage): Promise<Result<LightpushAnswer>> {
    const node = this.#connected.get(peer);
    if (!node) return err("not connected");
    const hash = toHex(messageHash(pubsubTopic, message));
    this.#network.pushes.push({ peer, at: this.#now(), hash, timestamp: message.timestamp });
    return node.answerLightpush(pubsubTopic, message);
  }

  async storeQuery(peer: PeerName, query: StoreQuery): Promise<Result<StoreAnswer>> {
    const node = this.#connected.get(peer);
    if (!node) return err("not connected");
    this.#network.queries.push({ peer, at: this.#now(), query });
    return node.answerStore(query);
  }

  async filterSubscribe(peer: PeerName, _: string, topics: readonly string[]): Promise<Result<Answer>> {
    return this.#filter(peer, "subscribe", topics, (held) => {
      for (const topic of topics) held.add(topic);
    });
  }

  async filterUnsubscribe(peer: PeerName, _: string, topics: readonly string[]): Promise<Result<Answer>> {
    return this.#filter(peer, "unsubscribe", topics, (held) => {
      for (const topic of topics) held.delete(topic);
    });
  }

  async filterPing(peer: PeerName): Promise<Result<Answer>> {
    const forgotten = !this.#connected.get(peer)?.subscriptions.has(this);
    return this.#filter(peer, "ping", [], () => {}, forgotten);
  }

  #filter(
    peer: PeerName,
    request: "subscribe" | "unsubscribe" | "ping",
    topics: readonly string[],
    apply: (held: Set<string>) => void,
    forgotten = false,
  ): Result<Answer> {
    this.filterRequests.push({ peer, request, topics });
    const node = this.#connected.get(peer);
    if (!node) return err("not connected");
    const answer = node.answerFilter(request);
    if (answer) return answer;
    if (forgotten) return ok({ status: 404, statusText: "NOT_FOUND: peer has no subscriptions" });
    const held = node.subscriptions.get(this) ?? new Set<string>();
    node.subscriptions.set(this, held);
    apply(held);
    return ok(OK);
  }
}
