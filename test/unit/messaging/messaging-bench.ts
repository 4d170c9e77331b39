import { FakeNetwork, FakeServiceNodes } from "../../../packages/reliable-channel/mock/fake-service-nodes.ts";
import { MemoryStorage } from "../../../packages/reliable-channel/mock/memory-storage.ts";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import type { MessageEnvelope, MessagingClient, MessagingEvent } from "../../../src/channel/ports.ts";
import { EMPTY, utf8 } from "../../../src/common/bytes.ts";
import { Journal } from "../../../src/common/table.ts";
import { Transactor } from "../../../src/common/transactor.ts";
import { pubsubTopicOf, shardOf } from "../../../src/messaging/content-topic.ts";
import { createMessagingClient } from "../../../src/messaging/messaging-client.ts";
import { MessagingTables } from "../../../src/messaging/messaging-tables.ts";
import type { NetworkConfig, NetworkTraits } from "../../../src/messaging/network-config.ts";
import { NETWORK_PRESETS } from "../../../src/messaging/network-presets.ts";
import { nanoseconds, type WakuMessage } from "../../../src/messaging/waku-message.ts";

export const TOPIC = "/test/1/bench/proto";

export interface Told {
  readonly at: number;
  readonly event: MessagingEvent;
}

/** A client over fake service nodes, on a virtual clock, with storage that outlives it. */
export class MessagingBench {
  readonly clock = new VirtualClock();
  readonly network = new FakeNetwork();
  readonly storage: MemoryStorage;
  /** Everything that any run told, health aside. */
  readonly told: Told[] = [];
  healthEvents = 0;
  /** What the listener answers; it may take its time. */
  listen: (event: MessagingEvent) => boolean | Promise<boolean> = () => true;
  nodes = new FakeServiceNodes(this.network, () => this.clock.now());
  #client: MessagingClient | undefined;
  #ids = 0;
  #keys = 0;

  readonly #network: NetworkConfig;

  constructor(storage = new MemoryStorage(), traits: Partial<NetworkTraits> = {}) {
    this.storage = storage;
    this.#network = { ...NETWORK_PRESETS.local, traits };
  }

  get client(): MessagingClient {
    if (!this.#client) throw new Error("the bench is not started");
    return this.#client;
  }

  async start(): Promise<this> {
    const journal = new Journal();
    const tables = await MessagingTables.load(this.storage, journal);
    const client = createMessagingClient({
      tables,
      transactor: new Transactor(journal, this.storage),
      nodes: this.nodes,
      clock: this.clock,
      network: this.#network,
      newId: () => `id-${++this.#ids}`,
    });
    client.listen(async (event) => {
      if (event.type === "health") {
        this.healthEvents++;
        return true;
      }
      this.told.push({ at: this.clock.now(), event });
      return this.listen(event);
    });
    this.#client = client;
    await client.start();
    return this;
  }

  /** The worker dies and comes back with what is stored, to no peers at first. */
  async restart(): Promise<void> {
    await this.#client?.stop();
    this.nodes = new FakeServiceNodes(this.network, () => this.clock.now());
    await this.start();
  }

  async send(envelope: Partial<MessageEnvelope> = {}, key = `key-${++this.#keys}`): Promise<string> {
    const sent = await this.client.send(
      { contentTopic: TOPIC, payload: utf8(key), meta: EMPTY, ephemeral: false, ...envelope },
      key,
    );
    if (!sent.ok) throw new Error(sent.error.error);
    return sent.value;
  }

  /** The types told of one request, in order. */
  outcome(requestId: string): readonly string[] {
    return this.eventsOf(requestId).map(({ type }) => type);
  }

  eventsOf(requestId: string): readonly MessagingEvent[] {
    return this.told.map(({ event }) => event).filter((event) => "requestId" in event && event.requestId === requestId);
  }

  /** Looks in a store for what was sent. */
  confirmations(): FakeNetwork["queries"] {
    return this.network.queries.filter(({ query }) => query.hashes && !query.includeData);
  }

  /** Payload texts received, in order. */
  received(): readonly string[] {
    return this.told.flatMap(({ event }) =>
      event.type === "received" ? [new TextDecoder().decode(event.message.payload)] : [],
    );
  }

  pubsubTopic(contentTopic = TOPIC): string {
    const { clusterId, shards } = this.#network;
    const shard = shardOf(contentTopic, shards);
    if (!shard.ok) throw new Error(shard.error);
    return pubsubTopicOf(clusterId, shard.value);
  }

  /** A message of somebody else. */
  message(text: string, timestamp = this.clock.now(), contentTopic = TOPIC): WakuMessage {
    return { contentTopic, payload: utf8(text), meta: EMPTY, ephemeral: false, timestamp: nanoseconds(timestamp) };
  }
}
