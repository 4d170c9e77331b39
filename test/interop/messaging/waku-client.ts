import type { DnsClient } from "@waku/interfaces";
import type { LocalNetwork } from "../../../dev/network/local-network.ts";
import { MemoryStorage } from "../../../packages/reliable-channel/mock/memory-storage.ts";
import type { MessageEnvelope, MessagingClient, MessagingEvent } from "../../../src/channel/ports.ts";
import { EMPTY, fromUtf8, utf8 } from "../../../src/common/bytes.ts";
import { type Clock, systemClock } from "../../../src/common/clock.ts";
import { Journal } from "../../../src/common/table.ts";
import { Transactor } from "../../../src/common/transactor.ts";
import type { NetworkTraits } from "../../../src/messaging/network-config.ts";
import { createWakuMessaging } from "../../../src/messaging/waku-messaging.ts";

export type WakuClientNetwork = Pick<LocalNetwork, "clusterId" | "shards" | "multiaddrs">;

export interface WakuClientOptions {
  readonly clock?: Clock;
  readonly traits?: Partial<NetworkTraits>;
  readonly dns?: DnsClient;
}

/** A messaging client on the local network, with all that it told. */
export class WakuClient {
  readonly events: MessagingEvent[] = [];
  readonly client: MessagingClient;
  #watchers: (() => void)[] = [];
  #keys = 0;

  private constructor(client: MessagingClient) {
    this.client = client;
    client.listen(async (event) => {
      if (event.type !== "health") this.events.push(event);
      for (const watcher of this.#watchers) watcher();
      return true;
    });
  }

  static async start(
    network: WakuClientNetwork,
    storage = new MemoryStorage(),
    { clock = systemClock, traits = {}, dns }: WakuClientOptions = {},
  ): Promise<WakuClient> {
    const journal = new Journal();
    const client = await createWakuMessaging({
      storage,
      journal,
      transactor: new Transactor(journal, storage),
      clock,
      ...(dns && { dns }),
      network: {
        name: "local",
        clusterId: network.clusterId,
        shards: network.shards,
        bootstrap: network.multiaddrs,
        traits,
      },
    });
    const started = new WakuClient(client);
    await client.start();
    return started;
  }

  /** Resolves at the first event after which `condition` holds, or at once. */
  async until(condition: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      const watcher = () => {
        if (!condition()) return;
        this.#watchers = this.#watchers.filter((other) => other !== watcher);
        resolve();
      };
      this.#watchers.push(watcher);
      watcher();
    });
  }

  onEvent(watcher: () => void): void {
    this.#watchers.push(watcher);
  }

  /** Subscribed, and served by `nodes` filter nodes. */
  async subscribe(contentTopic: string, nodes: 1 | 2 = 2): Promise<void> {
    await this.client.subscribe(contentTopic);
    const health = nodes === 2 ? "SUFFICIENTLY_HEALTHY" : "MINIMALLY_HEALTHY";
    await this.until(() => this.client.topicHealth(contentTopic) === health);
  }

  async send(contentTopic: string, payload: string | MessageEnvelope["payload"], meta = EMPTY): Promise<string> {
    const bytes = typeof payload === "string" ? utf8(payload) : payload;
    const sent = await this.client.send(
      { contentTopic, payload: bytes, meta, ephemeral: false },
      `key ${++this.#keys}`,
    );
    if (!sent.ok) throw new Error(sent.error.error);
    return sent.value;
  }

  outcome(requestId: string): readonly MessagingEvent[] {
    return this.events.filter((event) => "requestId" in event && event.requestId === requestId);
  }

  /** Resolves with everything told of the request once that is final. */
  async final(requestId: string): Promise<readonly MessagingEvent[]> {
    await this.until(() => this.outcome(requestId).some(({ type }) => type === "sent" || type === "error"));
    return this.outcome(requestId);
  }

  received(): readonly string[] {
    return this.events.flatMap((event) => (event.type === "received" ? [fromUtf8(event.message.payload) ?? "?"] : []));
  }

  stop(): Promise<void> {
    return this.client.stop();
  }
}
