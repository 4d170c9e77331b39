import type { Clock } from "../../src/common/clock.ts";
import type { Result } from "../../src/common/result.ts";
import { err, ok } from "../../src/common/result.ts";

/** Milliseconds that a subscription lives after its last sign of life. */
const LIFETIME_MS = 300_000;
const PEERS = 100;
const CRITERIA_PER_PEER = 1_000;

/** A criterion as one string: pubsub topic and content topic. */
const criterion = (pubsubTopic: string, contentTopic: string): string => JSON.stringify([pubsubTopic, contentTopic]);

interface Subscriber {
  seenAt: number;
  readonly criteria: Set<string>;
}

/** Who wants which messages. Subscriptions belong to a peer id and outlive its connections. */
export class FilterSubscriptions {
  readonly #clock: Clock;
  readonly #peers = new Map<string, Subscriber>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Criteria of a peer, 0 where it has no living subscription. */
  count(peer: string): number {
    return this.#living(peer)?.criteria.size ?? 0;
  }

  /** A sign of life; false where there is no subscription. */
  refresh(peer: string): boolean {
    const subscriber = this.#living(peer);
    if (subscriber === undefined) return false;
    subscriber.seenAt = this.#clock.now();
    return true;
  }

  add(peer: string, pubsubTopic: string, contentTopics: readonly string[]): Result<void> {
    const wanted = new Set(contentTopics.map((contentTopic) => criterion(pubsubTopic, contentTopic)));
    const subscriber = this.#living(peer);
    // Criteria that are there already count again, as they do on a real node.
    if (subscriber !== undefined && subscriber.criteria.size + wanted.size > CRITERIA_PER_PEER) {
      return err("peer has reached maximum number of filter criteria");
    }
    if (subscriber === undefined && this.#peers.size >= PEERS) this.#forgetExpired();
    if (subscriber === undefined && this.#peers.size >= PEERS) {
      return err(`node has reached maximum number of subscriptions: ${PEERS}`);
    }
    const criteria = subscriber?.criteria ?? new Set();
    for (const each of wanted) criteria.add(each);
    this.#peers.set(peer, { seenAt: this.#clock.now(), criteria });
    return ok(undefined);
  }

  /** False where the peer has no subscription, or where nobody at all has one of the criteria. */
  remove(peer: string, pubsubTopic: string, contentTopics: readonly string[]): boolean {
    const subscriber = this.#living(peer);
    if (subscriber === undefined) return false;
    subscriber.seenAt = this.#clock.now();
    const unwanted = new Set(contentTopics.map((contentTopic) => criterion(pubsubTopic, contentTopic)));
    const known = [...unwanted].every((each) => [...this.#peers.values()].some(({ criteria }) => criteria.has(each)));
    for (const each of unwanted) subscriber.criteria.delete(each);
    if (subscriber.criteria.size === 0) this.#peers.delete(peer);
    return known;
  }

  removeAll(peer: string): boolean {
    const had = this.#living(peer) !== undefined;
    this.#peers.delete(peer);
    return had;
  }

  subscribersOf(pubsubTopic: string, contentTopic: string): readonly string[] {
    const wanted = criterion(pubsubTopic, contentTopic);
    return [...this.#peers.keys()].filter((peer) => this.#living(peer)?.criteria.has(wanted) === true);
  }

  #living(peer: string): Subscriber | undefined {
    const subscriber = this.#peers.get(peer);
    if (subscriber === undefined) return undefined;
    if (this.#clock.now() - subscriber.seenAt <= LIFETIME_MS) return subscriber;
    this.#peers.delete(peer);
    return undefined;
  }

  #forgetExpired(): void {
    for (const peer of [...this.#peers.keys()]) this.#living(peer);
  }
}
