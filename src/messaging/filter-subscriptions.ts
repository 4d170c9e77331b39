/**
 * Filter subscriptions that heal: every wanted content topic at two filter nodes, 12/WAKU2-FILTER with the redundancy of
 * P2P-RELIABILITY. A node forgets a subscription that is not refreshed for five minutes, and so is pinged well before;
 * one that does not answer, or answers that it knows nothing, is subscribed to anew or replaced.
 */
import type { Clock } from "../common/clock.ts";
import type { Result } from "../common/result.ts";
import { LIMITS } from "../limits.ts";
import { PeerHealth } from "./peer-health.ts";
import type { Answer, PeerName, ServiceNodes } from "./service-nodes.ts";

const NODES_IN_USE = 2;
const FILTER_OK = 200;

/** What one filter node has confirmed. */
interface Session {
  readonly peer: PeerName;
  /** Content topic → pubsub topic. */
  readonly confirmed: Map<string, string>;
  busy: boolean;
  pingAt: number;
  retryAt: number;
  retryMs: number;
}

export class FilterSubscriptions {
  readonly #nodes: ServiceNodes;
  readonly #clock: Clock;
  readonly #onChange: (contentTopic: string) => void;
  /** Content topic → pubsub topic. */
  readonly #wanted = new Map<string, string>();
  readonly #sessions = new Map<PeerName, Session>();
  readonly #health = new PeerHealth();
  #running = false;
  #cancelTimer: (() => void) | undefined;

  /** `onChange` is told whenever the number of nodes that serve a topic changes. */
  constructor(nodes: ServiceNodes, clock: Clock, onChange: (contentTopic: string) => void) {
    this.#nodes = nodes;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  start(): void {
    this.#running = true;
    this.step();
  }

  stop(): void {
    this.#running = false;
    this.#cancelTimer?.();
  }

  add(contentTopic: string, pubsubTopic: string): void {
    this.#wanted.set(contentTopic, pubsubTopic);
    this.step();
  }

  remove(contentTopic: string): void {
    this.#wanted.delete(contentTopic);
    this.step();
  }

  /** Asks every node now whether it still knows us. */
  verify(): void {
    for (const session of this.#sessions.values()) {
      session.pingAt = 0;
      session.retryAt = 0;
    }
    this.step();
  }

  /** Filter nodes that confirmed the topic and are still there. */
  nodesFor(contentTopic: string): number {
    let count = 0;
    for (const session of this.#sessions.values()) if (session.confirmed.has(contentTopic)) count++;
    return count;
  }

  /** Does everything that is due. Call it whenever peers may have changed. */
  step(): void {
    if (!this.#running) return;
    this.#cancelTimer?.();
    const now = this.#clock.now();
    const inUse = this.#chooseNodes(now);
    for (const [peer, session] of this.#sessions) {
      if (inUse.has(peer)) continue;
      this.#sessions.delete(peer);
      this.#lose(session);
    }
    let wakeAt = Number.POSITIVE_INFINITY;
    for (const [peer, pubsubTopics] of inUse) {
      const session = this.#session(peer, now);
      if (session.busy) continue;
      const work = this.#nextRequest(session, pubsubTopics, now);
      if (typeof work === "number") {
        wakeAt = Math.min(wakeAt, work);
        continue;
      }
      session.busy = true;
      void work().then((lost) => {
        session.busy = false;
        for (const contentTopic of lost) this.#onChange(contentTopic);
        this.step();
      });
    }
    if (wakeAt < Number.POSITIVE_INFINITY)
      this.#cancelTimer = this.#clock.after(Math.max(0, wakeAt - now), () => this.step());
  }

  /** The nodes to use, each with the pubsub topics to use it for. A node in use is kept while it answers. */
  #chooseNodes(now: number): Map<PeerName, Set<string>> {
    const inUse = new Map<PeerName, Set<string>>();
    for (const pubsubTopic of new Set(this.#wanted.values())) {
      const candidates = this.#nodes.peers("filter", pubsubTopic);
      const healthy = candidates.filter((peer) => this.#health.healthy(peer, now));
      const failed = this.#health.order(
        candidates.filter((peer) => !healthy.includes(peer)),
        now,
      );
      const chosen = [
        ...healthy.filter((peer) => this.#sessions.has(peer)),
        ...healthy.filter((peer) => !this.#sessions.has(peer)),
        ...failed,
      ].slice(0, NODES_IN_USE);
      for (const peer of chosen) {
        const pubsubTopics = inUse.get(peer) ?? new Set<string>();
        inUse.set(peer, pubsubTopics.add(pubsubTopic));
      }
    }
    return inUse;
  }

  /** The request that the session needs now, or when to look again. Its result names the topics that changed. */
  #nextRequest(
    session: Session,
    pubsubTopics: ReadonlySet<string>,
    now: number,
  ): (() => Promise<readonly string[]>) | number {
    if (now < session.retryAt) return session.retryAt;
    for (const pubsubTopic of pubsubTopics) {
      const missing = this.#wantedOf(pubsubTopic).filter((contentTopic) => !session.confirmed.has(contentTopic));
      if (missing.length > 0)
        return () => this.#subscribe(session, pubsubTopic, missing.slice(0, LIMITS.messaging.filterTopics));
    }
    for (const [contentTopic, pubsubTopic] of session.confirmed) {
      if (this.#wanted.get(contentTopic) === pubsubTopic) continue;
      const unwanted = [...session.confirmed]
        .filter(([topic, at]) => at === pubsubTopic && !this.#wanted.has(topic))
        .map(([topic]) => topic);
      return () => this.#unsubscribe(session, pubsubTopic, unwanted.slice(0, LIMITS.messaging.filterTopics));
    }
    if (now < session.pingAt) return session.pingAt;
    return () => this.#ping(session);
  }

  async #subscribe(
    session: Session,
    pubsubTopic: string,
    contentTopics: readonly string[],
  ): Promise<readonly string[]> {
    const answer = await this.#nodes.filterSubscribe(session.peer, pubsubTopic, contentTopics);
    if (!this.#accepted(session, answer)) return [];
    for (const contentTopic of contentTopics) session.confirmed.set(contentTopic, pubsubTopic);
    return contentTopics;
  }

  async #unsubscribe(
    session: Session,
    pubsubTopic: string,
    contentTopics: readonly string[],
  ): Promise<readonly string[]> {
    // Whatever the node answers, what it still pushes is nobody's and is dropped.
    await this.#nodes.filterUnsubscribe(session.peer, pubsubTopic, contentTopics);
    for (const contentTopic of contentTopics) session.confirmed.delete(contentTopic);
    return contentTopics;
  }

  async #ping(session: Session): Promise<readonly string[]> {
    const answer = await this.#nodes.filterPing(session.peer);
    session.pingAt = this.#clock.now() + LIMITS.messaging.filterPingMs;
    if (answer.ok && answer.value.status === FILTER_OK) {
      this.#health.answered(session.peer);
      return [];
    }
    const lost = [...session.confirmed.keys()];
    session.confirmed.clear();
    // A node that answers has only forgotten us, and is subscribed to again at once.
    if (!answer.ok) this.#fail(session);
    return lost;
  }

  #accepted(session: Session, answer: Result<Answer>): boolean {
    if (answer.ok && answer.value.status === FILTER_OK) {
      session.retryMs = LIMITS.messaging.retryMs;
      session.pingAt = this.#clock.now() + LIMITS.messaging.filterPingMs;
      this.#health.answered(session.peer);
      return true;
    }
    this.#fail(session);
    return false;
  }

  #fail(session: Session): void {
    const now = this.#clock.now();
    this.#health.failed(session.peer, now);
    session.retryAt = now + session.retryMs;
    session.retryMs = Math.min(2 * session.retryMs, LIMITS.messaging.dialRetryMaxMs);
  }

  #lose(session: Session): void {
    const lost = [...session.confirmed.keys()];
    session.confirmed.clear();
    for (const contentTopic of lost) this.#onChange(contentTopic);
  }

  #wantedOf(pubsubTopic: string): readonly string[] {
    return [...this.#wanted].filter(([, at]) => at === pubsubTopic).map(([contentTopic]) => contentTopic);
  }

  #session(peer: PeerName, now: number): Session {
    let session = this.#sessions.get(peer);
    if (!session) {
      session = {
        peer,
        confirmed: new Map(),
        busy: false,
        pingAt: now + LIMITS.messaging.filterPingMs,
        retryAt: 0,
        retryMs: LIMITS.messaging.retryMs,
      };
      this.#sessions.set(peer, session);
    }
    return session;
  }
}
