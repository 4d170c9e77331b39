/**
 * The receive service: what filter nodes push, and what stores have of the time in between, each message once.
 *
 * A topic's row `{ at }` says up to where everything was handled. It moves only after a look in a store, so a message
 * that the filter lost is found by the next one, and only after the listener made durable what was found; a worker may
 * die anywhere and goes on from there.
 */
import type { MessageHash, ReceivedMessage, Wanted } from "../channel/ports.ts";
import { toHex } from "../common/bytes.ts";
import type { Clock } from "../common/clock.ts";
import type { Transactor } from "../common/transactor.ts";
import { LIMITS } from "../limits.ts";
import { FilterSubscriptions } from "./filter-subscriptions.ts";
import type { MessagingTables } from "./messaging-tables.ts";
import { PeerHealth } from "./peer-health.ts";
import type { PeerName, ServiceNodes } from "./service-nodes.ts";
import { type CatchUp, catchUp, fetchByHash } from "./store-catch-up.ts";
import type { Teller } from "./teller.ts";
import { type Intake, TopicIntake } from "./topic-intake.ts";
import { messageHash, milliseconds, type WakuMessage } from "./waku-message.ts";

interface Topic {
  readonly contentTopic: string;
  readonly pubsubTopic: string;
  readonly intake: TopicIntake;
  /** A look in the store is under way; another one is wanted after it. */
  looking: boolean;
  again: boolean;
  /** How often it was rewound: a look that began before reaches no further for what it found. */
  rewinds: number;
  /** How many filter nodes served it when that last changed. */
  served: number;
  cancelTimer: (() => void) | undefined;
}

interface Seen {
  readonly contentTopic: string;
  readonly at: number;
  readonly outcome: Promise<Intake>;
}

export interface ReceiveServiceParts {
  readonly tables: MessagingTables;
  readonly transactor: Transactor;
  readonly nodes: ServiceNodes;
  readonly clock: Clock;
  readonly teller: Teller;
  /** The number of filter nodes of some topic changed. */
  readonly onHealth: () => void;
}

export class ReceiveService {
  readonly #tables: MessagingTables;
  readonly #transactor: Transactor;
  readonly #nodes: ServiceNodes;
  readonly #clock: Clock;
  readonly #teller: Teller;
  readonly #onHealth: () => void;
  readonly #filter: FilterSubscriptions;
  readonly #topics = new Map<string, Topic>();
  /** By hash, oldest first. */
  readonly #seen = new Map<MessageHash, Seen>();
  readonly #storeHealth = new PeerHealth();
  #stores = 0;
  #running = false;

  constructor(parts: ReceiveServiceParts) {
    this.#tables = parts.tables;
    this.#transactor = parts.transactor;
    this.#nodes = parts.nodes;
    this.#clock = parts.clock;
    this.#teller = parts.teller;
    this.#onHealth = parts.onHealth;
    this.#filter = new FilterSubscriptions(this.#nodes, this.#clock, (contentTopic) => this.#served(contentTopic));
  }

  start(): void {
    this.#running = true;
    this.#filter.start();
    this.peersChanged();
  }

  stop(): void {
    this.#running = false;
    this.#filter.stop();
    for (const topic of this.#topics.values()) topic.cancelTimer?.();
  }

  async subscribe(contentTopic: string, pubsubTopic: string): Promise<void> {
    if (this.#topics.has(contentTopic)) return;
    const topic: Topic = {
      contentTopic,
      pubsubTopic,
      intake: new TopicIntake((message) => this.#teller.tell(contentTopic, { type: "received", message })),
      looking: false,
      again: false,
      rewinds: 0,
      served: 0,
      cancelTimer: undefined,
    };
    this.#topics.set(contentTopic, topic);
    if (!this.#tables.topics.has(contentTopic)) {
      const at = this.#clock.now() - LIMITS.messaging.catchUpNewTopicMs;
      await this.#transactor.run(() => this.#tables.topics.put(contentTopic, { at }));
    }
    // It may have been unsubscribed meanwhile.
    if (this.#topics.get(contentTopic) !== topic) return;
    this.#filter.add(contentTopic, pubsubTopic);
    this.#look(contentTopic);
    this.#onHealth();
  }

  unsubscribe(contentTopic: string): void {
    const topic = this.#topics.get(contentTopic);
    if (!topic) return;
    topic.cancelTimer?.();
    this.#topics.delete(contentTopic);
    this.#filter.remove(contentTopic);
    this.#onHealth();
  }

  /**
   * Receives a subscribed topic again from `to` on (milliseconds since the Unix epoch), as far as the stores have it: also
   * what was told before. Durable once it resolves.
   */
  async rewind(contentTopic: string, to: number): Promise<void> {
    await this.#transactor.run(() => {
      const row = this.#tables.topics.get(contentTopic);
      if (row && row.at > to) this.#tables.topics.put(contentTopic, { at: to });
      const topic = this.#topics.get(contentTopic);
      if (topic) topic.rewinds++;
    });
    for (const [hash, seen] of this.#seen) if (seen.contentTopic === contentTopic) this.#seen.delete(hash);
    this.#look(contentTopic);
  }

  /** Filter nodes that serve the topic, or `undefined` where it is not subscribed. */
  filterNodes(contentTopic: string): number | undefined {
    return this.#topics.has(contentTopic) ? this.#filter.nodesFor(contentTopic) : undefined;
  }

  topics(): IterableIterator<string> {
    return this.#topics.keys();
  }

  onPush(pubsubTopic: string, message: WakuMessage): void {
    const topic = this.#topics.get(message.contentTopic);
    if (!this.#running || !topic || topic.pubsubTopic !== pubsubTopic) return;
    const hash = toHex(messageHash(pubsubTopic, message));
    if (this.#seen.has(hash)) return;
    void this.#take(topic, hash, message).then((outcome) => {
      // It is still in the store, from where it comes once the listener can take it.
      if (outcome !== "handled") this.#lookLater(topic);
    });
  }

  peersChanged(): void {
    if (!this.#running) return;
    this.#filter.step();
    const stores = this.#nodes.peers("store").length;
    const reconnected = stores > 0 && this.#stores === 0;
    this.#stores = stores;
    if (reconnected) for (const contentTopic of this.#topics.keys()) this.#look(contentTopic);
  }

  /** Messages may have been missed without any connection having been seen to end. */
  networkChanged(): void {
    this.#filter.verify();
    for (const contentTopic of this.#topics.keys()) this.#look(contentTopic);
  }

  /** The first filter node is back: what was published meanwhile is in the stores. */
  #served(contentTopic: string): void {
    const topic = this.#topics.get(contentTopic);
    if (topic) {
      const before = topic.served;
      topic.served = this.#filter.nodesFor(contentTopic);
      if (before === 0 && topic.served > 0) this.#look(contentTopic);
    }
    this.#onHealth();
  }

  #take(topic: Topic, hash: MessageHash, message: WakuMessage): Promise<Intake> {
    const received: ReceivedMessage = {
      contentTopic: message.contentTopic,
      payload: message.payload,
      meta: message.meta,
      ephemeral: message.ephemeral,
      timestamp: milliseconds(message.timestamp),
      messageHash: hash,
    };
    const outcome = topic.intake.offer(received).then((intake) => {
      if (intake !== "handled") this.#seen.delete(hash);
      return intake;
    });
    this.#seen.set(hash, { contentTopic: message.contentTopic, at: this.#clock.now(), outcome });
    this.#forgetSeen();
    return outcome;
  }

  #forgetSeen(): void {
    const oldest = this.#clock.now() - LIMITS.messaging.dedupeMs;
    for (const [hash, { at }] of this.#seen) {
      if (at >= oldest && this.#seen.size <= LIMITS.messaging.dedupeHashes) return;
      this.#seen.delete(hash);
    }
  }

  /** Looks in a store now; if that is under way already, once more after it. */
  #look(contentTopic: string): void {
    const topic = this.#topics.get(contentTopic);
    if (!this.#running || !topic) return;
    if (topic.looking) {
      topic.again = true;
      return;
    }
    topic.cancelTimer?.();
    topic.looking = true;
    topic.again = false;
    const finish = (done: boolean) => {
      topic.looking = false;
      if (!this.#running || this.#topics.get(contentTopic) !== topic) return;
      if (topic.again) this.#look(contentTopic);
      else if (done) this.#wake(topic, LIMITS.messaging.catchUpEveryMs);
      else this.#lookLater(topic);
    };
    // It fails only with its transactor; memory is then ahead of storage, and nothing goes on from it.
    this.#catchUp(topic).then(finish, () => this.stop());
  }

  #lookLater(topic: Topic): void {
    if (topic.looking) topic.again = true;
    else this.#wake(topic, LIMITS.messaging.catchUpRetryMs);
  }

  #wake(topic: Topic, delayMs: number): void {
    topic.cancelTimer?.();
    topic.cancelTimer = this.#clock.after(delayMs, () => this.#look(topic.contentTopic));
  }

  /** Whether everything up to now was handled. A store that fails hands over to the next one that did not lately. */
  async #catchUp(topic: Topic): Promise<boolean> {
    const now = this.#clock.now();
    const [first, ...others] = this.#storeHealth.order(this.#nodes.peers("store", topic.pubsubTopic), now);
    if (first === undefined) return false;
    for (const store of [first, ...others.filter((other) => this.#storeHealth.healthy(other, now))]) {
      const result = await this.#catchUpFrom(store, topic, now);
      if (result.ok) this.#storeHealth.answered(store);
      if (result.ok || result.error === "listener") return result.ok;
      this.#storeHealth.failed(store, this.#clock.now());
      if (!this.#running || this.#topics.get(topic.contentTopic) !== topic) return false;
    }
    return false;
  }

  #catchUpFrom(store: PeerName, topic: Topic, now: number): ReturnType<typeof catchUp> {
    const at = this.#tables.topics.get(topic.contentTopic)?.at ?? now;
    const overlap = LIMITS.messaging.catchUpOverlapMs;
    const { rewinds } = topic;
    return catchUp(
      { ...this.#source(store, topic), progress: (at) => this.#progress(topic, Math.min(at, now), rewinds) },
      at - overlap,
      // Senders' clocks may be ahead as far as stores accept it.
      now + overlap,
    );
  }

  #source(store: PeerName, topic: Topic): Omit<CatchUp, "progress"> {
    const { contentTopic, pubsubTopic } = topic;
    return {
      nodes: this.#nodes,
      store,
      pubsubTopic,
      contentTopic,
      known: async (hash) => (await this.#seen.get(hash)?.outcome) === "handled",
      take: async (hash, message) => {
        const outcome = await (this.#seen.get(hash)?.outcome ?? this.#take(topic, hash, message));
        return outcome === "handled";
      },
    };
  }

  /**
   * One store is asked after the other, until everything was found or none is left. What is asked for by hash is told
   * again: when it was received first, there may have been no channel that could read it.
   */
  async retrieve(contentTopic: string, wanted: Wanted): Promise<void> {
    const topic = this.#topics.get(contentTopic);
    if (!this.#running || !topic) return;
    const now = this.#clock.now();
    let hashes = "hashes" in wanted ? wanted.hashes : [];
    for (const store of this.#storeHealth.order(this.#nodes.peers("store", topic.pubsubTopic), now)) {
      const source = this.#source(store, topic);
      const looked =
        "hashes" in wanted
          ? await fetchByHash({ ...source, ...this.#anew(topic) }, hashes)
          : await catchUp({ ...source, progress: async () => {} }, wanted.from, wanted.to);
      if (!looked.ok && looked.error === "store") this.#storeHealth.failed(store, this.#clock.now());
      if (looked.ok) hashes = looked.value ?? [];
      if (looked.ok && hashes.length === 0) return;
      if (!this.#running || this.#topics.get(contentTopic) !== topic) return;
    }
  }

  #anew(topic: Topic): Pick<CatchUp, "known" | "take"> {
    return {
      known: async () => false,
      take: async (hash, message) => (await this.#take(topic, hash, message)) === "handled",
    };
  }

  async #progress(topic: Topic, at: number, rewinds: number): Promise<void> {
    const { contentTopic } = topic;
    const isNews = () => topic.rewinds === rewinds && (this.#tables.topics.get(contentTopic)?.at ?? at) < at;
    if (!isNews()) return;
    await this.#transactor.run(() => {
      if (isNews()) this.#tables.topics.put(contentTopic, { at });
    });
  }
}
