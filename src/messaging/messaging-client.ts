/** The Messaging API, LIP-168: the send service and the receive service over one set of service nodes. */

import type {
  ConnectionStatus,
  MessageEnvelope,
  MessageReceiver,
  MessagingClient,
  MessagingDiagnostics,
  MessagingListener,
  MessagingRequestId,
  SendFailure,
  TopicHealth,
  Wanted,
} from "../channel/ports.ts";
import type { Clock } from "../common/clock.ts";
import { err, type Result } from "../common/result.ts";
import type { Transactor } from "../common/transactor.ts";
import { LIMITS } from "../limits.ts";
import { pubsubTopicOf, shardOf } from "./content-topic.ts";
import type { MessagingTables } from "./messaging-tables.ts";
import type { NetworkConfig } from "./network-config.ts";
import { ReceiveService } from "./receive-service.ts";
import { RecentErrors } from "./recent-errors.ts";
import { SendService } from "./send-service.ts";
import type { Service, ServiceNodes } from "./service-nodes.ts";
import { Teller } from "./teller.ts";

/** Peers of each service that make a connection whole, and filter nodes that make a topic's health sufficient. */
const ENOUGH = 2;
/** What connection health is told under: no request and no topic has this name. */
const HEALTH_SUBJECT = "health";
const SERVICES = ["lightpush", "filter", "store"] as const satisfies readonly Service[];

export interface MessagingClientParts {
  readonly tables: MessagingTables;
  readonly transactor: Transactor;
  readonly nodes: ServiceNodes;
  readonly clock: Clock;
  readonly network: NetworkConfig;
  /** A new identifier, unique across restarts. */
  readonly newId: () => string;
}

class Client implements MessagingClient {
  readonly #nodes: ServiceNodes;
  readonly #network: NetworkConfig;
  readonly #teller = new Teller();
  readonly #errors: RecentErrors;
  /** Topics that are not wanted any more: sending to them does not subscribe them again. */
  readonly #unsubscribed = new Set<string>();
  readonly #sending: SendService;
  readonly #receiving: ReceiveService;
  readonly #sends: boolean;
  #toldHealth = "";
  #running = false;

  constructor(parts: MessagingClientParts, { sends }: { readonly sends: boolean }) {
    this.#sends = sends;
    this.#errors = new RecentErrors(parts.clock);
    this.#nodes = this.#errors.watching(parts.nodes);
    this.#network = parts.network;
    const common = { ...parts, nodes: this.#nodes, teller: this.#teller };
    this.#sending = new SendService(common);
    this.#receiving = new ReceiveService({ ...common, onHealth: () => this.#tellHealth() });
    this.#nodes.listen({
      onPush: (_, pubsubTopic, message) => this.#receiving.onPush(pubsubTopic, message),
      onPeersChanged: () => {
        this.#sending.step();
        this.#receiving.peersChanged();
        this.#tellHealth();
      },
      onTrouble: (what) => this.#errors.note(what),
    });
  }

  listen(listener: MessagingListener): void {
    this.#teller.listen(listener);
  }

  async start(): Promise<void> {
    this.#running = true;
    await this.#nodes.start();
    if (this.#sends) this.#sending.start();
    this.#receiving.start();
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#sending.stop();
    this.#receiving.stop();
    await this.#nodes.stop();
  }

  async send(envelope: MessageEnvelope, idempotencyKey: string): Promise<Result<MessagingRequestId, SendFailure>> {
    const topic = this.#pubsubTopic(envelope.contentTopic);
    if (!topic.ok) {
      return err({
        kind: "refused",
        error: `Failed to auto-subscribe to content topic before sending: ${topic.error}`,
      });
    }
    if (envelope.meta.length > LIMITS.messaging.metaBytes) {
      return err({
        kind: "too-large",
        error: `meta of ${envelope.meta.length} bytes exceeds the maximum of ${LIMITS.messaging.metaBytes}`,
      });
    }
    const subscribed = this.#unsubscribed.has(envelope.contentTopic)
      ? undefined
      : this.#receiving.subscribe(envelope.contentTopic, topic.value);
    const [sent] = await Promise.all([this.#sending.send(envelope, topic.value, idempotencyKey), subscribed]);
    return sent;
  }

  async subscribe(contentTopic: string): Promise<void> {
    const topic = this.#pubsubTopic(contentTopic);
    if (!topic.ok) throw new Error(topic.error);
    this.#unsubscribed.delete(contentTopic);
    await this.#receiving.subscribe(contentTopic, topic.value);
  }

  async unsubscribe(contentTopic: string): Promise<void> {
    this.#unsubscribed.add(contentTopic);
    this.#receiving.unsubscribe(contentTopic);
  }

  async retrieve(contentTopic: string, wanted: Wanted): Promise<void> {
    await this.#receiving.retrieve(contentTopic, wanted);
  }

  async rewind(contentTopic: string, to: number): Promise<void> {
    await this.#receiving.rewind(contentTopic, to);
  }

  /** As the reference tells it for an edge node: by the services that it needs. */
  connectionStatus(): ConnectionStatus {
    const { lightpush, filter, store } = this.peers();
    const fewest = Math.min(lightpush, filter, store);
    if (fewest === 0) return "Disconnected";
    return fewest >= ENOUGH ? "Connected" : "PartiallyConnected";
  }

  topicHealth(contentTopic: string): TopicHealth {
    const nodes = this.#receiving.filterNodes(contentTopic);
    if (nodes === undefined) return "NOT_SUBSCRIBED";
    if (nodes === 0) return "UNHEALTHY";
    return nodes >= ENOUGH ? "SUFFICIENTLY_HEALTHY" : "MINIMALLY_HEALTHY";
  }

  peers(): { readonly lightpush: number; readonly filter: number; readonly store: number } {
    return {
      lightpush: this.#nodes.peers("lightpush").length,
      filter: this.#nodes.peers("filter").length,
      store: this.#nodes.peers("store").length,
    };
  }

  networkChanged(): void {
    if (!this.#running) return;
    this.#nodes.networkChanged();
    this.#sending.step();
    this.#receiving.networkChanged();
  }

  diagnostics(): MessagingDiagnostics {
    const peers = {
      lightpush: this.#nodes.peers("lightpush"),
      filter: this.#nodes.peers("filter"),
      store: this.#nodes.peers("store"),
    };
    return {
      network: this.#network.name,
      status: this.connectionStatus(),
      peers,
      lacks: SERVICES.filter((service) => peers[service].length < ENOUGH).map((service) => ({
        service,
        peers: peers[service].length,
      })),
      subscriptions: [...this.#receiving.topics()].map((contentTopic) => ({
        contentTopic,
        health: this.topicHealth(contentTopic),
        filterNodes: this.#receiving.filterNodes(contentTopic) ?? 0,
      })),
      queue: this.#sending.queue(),
      lastErrors: this.#errors.list(),
    };
  }

  #pubsubTopic(contentTopic: string): Result<string> {
    const shard = shardOf(contentTopic, this.#network.shards);
    return shard.ok ? { ok: true, value: pubsubTopicOf(this.#network.clusterId, shard.value) } : shard;
  }

  #tellHealth(): void {
    if (!this.#running) return;
    const topics = [...this.#receiving.topics()].map((topic) => [topic, this.topicHealth(topic)]);
    const health = JSON.stringify([this.connectionStatus(), this.peers(), topics]);
    if (health === this.#toldHealth) return;
    this.#toldHealth = health;
    void this.#teller.tell(HEALTH_SUBJECT, { type: "health" });
  }
}

/** The client over given service nodes. `tables` hold what earlier runs left. */
export function createMessagingClient(parts: MessagingClientParts): MessagingClient {
  return new Client(parts, { sends: true });
}

/** Receives, and leaves every task as it is: for a time in which their payloads cannot be read. */
export function createMessageReceiver(parts: MessagingClientParts): MessageReceiver {
  return new Client(parts, { sends: false });
}
