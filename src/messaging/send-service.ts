/**
 * The send service: LIP-168 "Send", with the store-based reliability of P2P-RELIABILITY.
 *
 *     queued ──lightpush──▶ propagated ──found in a store──▶ sent
 *        └────────────── window used up, or refused ───────▶ error
 *
 * The bytes of a task, its timestamp and so its hash, are fixed and stored before they are first pushed. Retries push
 * exactly those; store nodes refuse timestamps that are too old, so a task that takes longer is stamped anew, and the
 * earlier hashes stay candidates: whichever a store has confirms the task. A push whose fate is unknown, and a node that
 * says it has no peers for bytes that it may have seen before, are both settled by asking a store before pushing again.
 *
 * Everything that decides is in the rows; what is kept beside them (`Attempt`) only paces, and is made anew at a start.
 */
import type {
  MessageEnvelope,
  MessageHash,
  MessagingEvent,
  MessagingRequestId,
  SendFailure,
} from "../channel/ports.ts";
import { toHex } from "../common/bytes.ts";
import type { Clock } from "../common/clock.ts";
import { err, ok, type Result } from "../common/result.ts";
import type { Transactor } from "../common/transactor.ts";
import { LIMITS } from "../limits.ts";
import { verdictOf } from "./lightpush-status.ts";
import type { MessagingTables, TaskRow } from "./messaging-tables.ts";
import type { NetworkConfig, NetworkTraits } from "./network-config.ts";
import { traitsOf } from "./network-presets.ts";
import { OnlineTime } from "./online-time.ts";
import { PeerHealth } from "./peer-health.ts";
import { PushPace } from "./push-pace.ts";
import type { PeerName, ServiceNodes } from "./service-nodes.ts";
import type { Teller } from "./teller.ts";
import { messageHash, nanoseconds, type WakuMessage } from "./waku-message.ts";
import { encodedBytes } from "./waku-message-codec.ts";

export const NOT_SENT: SendFailure = { kind: "unreachable", error: "Unable to send within retry time window" };
export const NOT_CONFIRMED: SendFailure = {
  kind: "unreachable",
  error: "Propagated but not confirmed by a store node within the store validation window",
};
export const QUEUE_FULL: SendFailure = { kind: "queue-full", error: "Send queue full, retry later" };
const PAYLOAD_GONE: SendFailure = { kind: "internal", error: "the stored payload is gone" };
const NO_REASON: SendFailure = { kind: "internal", error: "no reason was kept" };
/** Lightpush nodes in use at a time. */
const NODES_IN_USE = 2;
const STORE_OK = 200;

/** The pace of one task. */
interface Attempt {
  pushing: boolean;
  asking: boolean;
  pushAt: number;
  askAt: number;
  /** Stores asked so far: each look goes to the next one. */
  asked: number;
  /** It may be out: ask a store before pushing again. */
  uncertain: boolean;
  /** The node whose last push failed. */
  avoid: PeerName | undefined;
  /** Reading of the online time up to which `onlineMs` of the row counts. */
  countedTo: number;
}

export interface SendServiceParts {
  readonly tables: MessagingTables;
  readonly transactor: Transactor;
  readonly nodes: ServiceNodes;
  readonly clock: Clock;
  readonly teller: Teller;
  readonly network: NetworkConfig;
  readonly newId: () => string;
}

/** What waits, for diagnostics. */
export interface SendQueue {
  /** Not propagated yet, and propagated but not confirmed. */
  readonly queued: number;
  readonly propagated: number;
  /** Pushes under way. */
  readonly pushing: number;
  /** Milliseconds since the oldest of them was taken on; 0 where there is none. */
  readonly oldestMs: number;
}

export class SendService {
  readonly #tables: MessagingTables;
  readonly #transactor: Transactor;
  readonly #nodes: ServiceNodes;
  readonly #clock: Clock;
  readonly #teller: Teller;
  readonly #clusterId: number;
  readonly #traits: NetworkTraits;
  readonly #newId: () => string;
  /** Tasks that are not final, in the order of the calls. */
  readonly #attempts = new Map<MessagingRequestId, Attempt>();
  /** Calls that are being committed count against the queue already. */
  #reserved = 0;
  readonly #byKey = new Map<string, MessagingRequestId>();
  /** Final tasks, oldest first. */
  readonly #final: MessagingRequestId[] = [];
  readonly #online = new Map<string, OnlineTime>();
  readonly #paces = new Map<PeerName, PushPace>();
  readonly #usedAt = new Map<PeerName, number>();
  readonly #lightpushHealth = new PeerHealth();
  readonly #storeHealth = new PeerHealth();
  readonly #storesAsked = new Set<PeerName>();
  #uses = 0;
  #pushes = 0;
  #lastStamp = 0n;
  #order = 0;
  #running = false;
  #cancelTimer: (() => void) | undefined;

  constructor(parts: SendServiceParts) {
    this.#tables = parts.tables;
    this.#transactor = parts.transactor;
    this.#nodes = parts.nodes;
    this.#clock = parts.clock;
    this.#teller = parts.teller;
    this.#clusterId = parts.network.clusterId;
    this.#traits = traitsOf(parts.network);
    this.#newId = parts.newId;
    this.#tables.tasks.observe((_, before, after) => {
      if (before && !after) this.#byKey.delete(before.idempotencyKey);
      if (after) this.#byKey.set(after.idempotencyKey, after.requestId);
    });
  }

  /** Resumes every stored task. */
  start(): void {
    this.#running = true;
    const rows = [...this.#tables.tasks.values()].toSorted((a, b) => a.order - b.order);
    for (const row of rows) {
      this.#order = Math.max(this.#order, row.order);
      if (row.stamp !== undefined && row.stamp > this.#lastStamp) this.#lastStamp = row.stamp;
      if (isFinal(row)) {
        if (!row.told) this.#background(this.#tellOutcome(row.requestId));
        continue;
      }
      this.#attempts.set(row.requestId, this.#newAttempt(row));
      // The listener may have died before it made this durable.
      if (row.state === "propagated") void this.#tell(row, "propagated");
    }
    this.#final.push(
      ...rows
        .filter(isFinal)
        .toSorted((a, b) => a.finalAt - b.finalAt)
        .map(({ requestId }) => requestId),
    );
    this.step();
  }

  stop(): void {
    this.#running = false;
    this.#cancelTimer?.();
  }

  /** Tasks that are not final. */
  queue(): SendQueue {
    const rows = [...this.#attempts.keys()].flatMap((requestId) => this.#tables.tasks.get(requestId) ?? []);
    const now = this.#clock.now();
    return {
      queued: rows.filter(({ state }) => state === "queued").length,
      propagated: rows.filter(({ state }) => state === "propagated").length,
      pushing: this.#pushes,
      oldestMs: rows.reduce((oldest, { createdAt }) => Math.max(oldest, now - createdAt), 0),
    };
  }

  async send(
    envelope: MessageEnvelope,
    pubsubTopic: string,
    idempotencyKey: string,
  ): Promise<Result<MessagingRequestId, SendFailure>> {
    const known = this.#byKey.get(idempotencyKey);
    if (known !== undefined) {
      // The first call may still be committing; an empty event resolves after it.
      await this.#transactor.run(() => {});
      const row = this.#tables.tasks.get(known);
      if (row && isFinal(row)) this.#background(this.#tellOutcome(known));
      return ok(known);
    }
    if (this.#attempts.size + this.#reserved >= LIMITS.messaging.queuedTasks) return err(QUEUE_FULL);
    const requestId = this.#newId();
    const row: TaskRow = {
      requestId,
      idempotencyKey,
      order: ++this.#order,
      contentTopic: envelope.contentTopic,
      pubsubTopic,
      meta: envelope.meta,
      ephemeral: envelope.ephemeral,
      createdAt: this.#clock.now(),
      state: "queued",
      stamp: undefined,
      stampedAt: 0,
      hashes: [],
      hash: undefined,
      propagatedAt: 0,
      through: undefined,
      onlineMs: 0,
      failure: undefined,
      finalAt: 0,
      told: false,
    };
    this.#reserved++;
    try {
      await this.#transactor.run(() => {
        this.#tables.tasks.put(requestId, row);
        this.#tables.putPayload(requestId, envelope.payload);
      });
    } finally {
      this.#reserved--;
    }
    this.#attempts.set(requestId, this.#newAttempt(row));
    this.step();
    return ok(requestId);
  }

  /** Does everything that is due, and wakes up again when something else is. Call it whenever peers may have changed. */
  step(): void {
    if (!this.#running) return;
    this.#cancelTimer?.();
    const now = this.#clock.now();
    this.#noteOnline(now);
    let wakeAt = Number.POSITIVE_INFINITY;
    for (const [requestId, attempt] of this.#attempts) {
      const row = this.#tables.tasks.get(requestId);
      if (!row || attempt.pushing || attempt.asking) continue;
      wakeAt = Math.min(
        wakeAt,
        row.state === "queued" ? this.#stepQueued(row, attempt, now) : this.#stepPropagated(row, attempt, now),
      );
    }
    this.#askStores(now);
    // While windows run, their clock is read often enough to tell time online from sleep.
    if (this.#attempts.size > 0 && this.#nodes.peers("lightpush").length > 0)
      wakeAt = Math.min(wakeAt, now + LIMITS.messaging.onlineStepMs);
    if (wakeAt < Number.POSITIVE_INFINITY)
      this.#cancelTimer = this.#clock.after(Math.max(0, wakeAt - now), () => this.step());
  }

  /** When to look at the task again, if nothing happens before. */
  #stepQueued(row: TaskRow, attempt: Attempt, now: number): number {
    const expiresAt = row.createdAt + LIMITS.messaging.offlineMs;
    const onlineMs = this.#onlineMs(row, attempt, now);
    const tried = row.hashes.length > 0;
    if (now >= expiresAt || (tried && onlineMs >= LIMITS.messaging.sendWindowMs)) {
      this.#background(this.#finish(row.requestId, { state: "error", failure: NOT_SENT }));
      return Number.POSITIVE_INFINITY;
    }
    const peers = this.#nodes.peers("lightpush", row.pubsubTopic);
    if (peers.length === 0) return expiresAt;
    const windowEndsAt = tried ? now + LIMITS.messaging.sendWindowMs - onlineMs : expiresAt;
    if (attempt.uncertain && tried && this.#stores(row).length > 0)
      return Math.min(windowEndsAt, later(attempt.askAt, now));
    if (now < attempt.pushAt) return Math.min(windowEndsAt, attempt.pushAt);
    // A push that ends takes the next one on.
    if (this.#pushes >= LIMITS.messaging.parallelSends) return windowEndsAt;
    const choice = this.#chooseLightpushNode(peers, attempt, now);
    if (choice.readyAt > now) return Math.min(windowEndsAt, choice.readyAt);
    attempt.pushing = true;
    this.#pushes++;
    this.#background(this.#push(row.requestId, attempt, choice.peer), () => {
      this.#pace(choice.peer).ended(this.#clock.now());
      attempt.pushing = false;
      this.#pushes--;
      this.step();
    });
    return Number.POSITIVE_INFINITY;
  }

  #stepPropagated(row: TaskRow, attempt: Attempt, now: number): number {
    const onlineMs = this.#onlineMs(row, attempt, now);
    const online = this.#onlineTime(row.pubsubTopic).total(now);
    if (!this.#storeExpected()) {
      // Where no store ever showed up, there is nobody to confirm: being relayed is all that can be known.
      const graceMs = LIMITS.messaging.storeGraceMs - Math.min(online, onlineMs);
      if (graceMs > 0) return this.#isOnline(row) ? now + graceMs : Number.POSITIVE_INFINITY;
      this.#background(this.#finish(row.requestId, { state: "sent", hash: row.hash }));
      return Number.POSITIVE_INFINITY;
    }
    if (onlineMs >= LIMITS.messaging.storeWindowMs) {
      this.#background(this.#finish(row.requestId, { state: "error", failure: NOT_CONFIRMED }));
      return Number.POSITIVE_INFINITY;
    }
    // What a worker that dies has used of the window must not be given to it again.
    if (onlineMs - row.onlineMs >= LIMITS.messaging.restampMs)
      this.#background(this.#change(row.requestId, (task) => task));
    const windowEndsAt = this.#isOnline(row)
      ? now + LIMITS.messaging.storeWindowMs - onlineMs
      : Number.POSITIVE_INFINITY;
    return this.#stores(row).length > 0 ? Math.min(windowEndsAt, later(attempt.askAt, now)) : windowEndsAt;
  }

  /** Of the two healthiest nodes, the one that rested longest among those that may be asked now. */
  #chooseLightpushNode(
    peers: readonly PeerName[],
    attempt: Attempt,
    now: number,
  ): { readonly peer: PeerName; readonly readyAt: number } {
    const healthy = peers.filter((peer) => this.#lightpushHealth.healthy(peer, now));
    const usable = healthy.length > 0 ? healthy : this.#lightpushHealth.order(peers, now);
    const others = usable.filter((peer) => peer !== attempt.avoid);
    const inUse = (others.length > 0 ? others : usable).slice(0, NODES_IN_USE);
    const [first] = inUse
      .map((peer) => ({ peer, readyAt: this.#pace(peer).readyAt(now), usedAt: this.#usedAt.get(peer) ?? 0 }))
      .toSorted((a, b) => a.readyAt - b.readyAt || a.usedAt - b.usedAt);
    if (!first) throw new Error("there is no lightpush node to choose from");
    if (first.readyAt <= now) {
      this.#pace(first.peer).start(now);
      this.#usedAt.set(first.peer, ++this.#uses);
    }
    return first;
  }

  async #push(requestId: MessagingRequestId, attempt: Attempt, peer: PeerName): Promise<void> {
    const payload = await this.#tables.payload(requestId);
    if (!payload) return this.#finish(requestId, { state: "error", failure: PAYLOAD_GONE });
    const message = await this.#stamped(requestId, payload);
    if (!message || !this.#running) return;
    const { messageBytes } = this.#traits;
    if (encodedBytes(message) > messageBytes)
      return this.#finish(requestId, {
        state: "error",
        failure: { kind: "too-large", error: `Message size exceeded maximum of ${messageBytes} bytes` },
      });
    const row = this.#tables.tasks.get(requestId);
    if (!row) return;

    const answer = await this.#nodes.lightpush(peer, row.pubsubTopic, message);
    if (!this.#running) return;
    const now = this.#clock.now();
    attempt.pushAt = now + LIMITS.messaging.retryMs;
    attempt.avoid = undefined;
    if (!answer.ok) {
      // The push may have arrived before the answer was lost.
      this.#lightpushHealth.failed(peer, now);
      attempt.avoid = peer;
      this.#makeUncertain(attempt, now);
      return;
    }
    this.#lightpushHealth.answered(peer);
    const verdict = verdictOf(answer.value);
    if (verdict === "throttled") this.#pace(peer).rejected(now);
    else this.#pace(peer).admitted();
    switch (verdict) {
      case "propagated":
        return this.#propagated(requestId, attempt, peer);
      case "refused":
      case "too-large":
        return this.#finish(requestId, {
          state: "error",
          failure: { kind: verdict, error: answer.value.statusText || `status ${answer.value.status}` },
        });
      case "no-relay-peers":
        attempt.avoid = peer;
        this.#makeUncertain(attempt, now);
        return;
      case "throttled":
      case "unavailable":
        attempt.avoid = peer;
    }
  }

  #makeUncertain(attempt: Attempt, now: number): void {
    attempt.uncertain = true;
    attempt.askAt = Math.max(attempt.askAt, now + LIMITS.messaging.retryMs);
  }

  /** The message to push, its stamp and hash durable before anybody sees it. */
  async #stamped(requestId: MessagingRequestId, payload: WakuMessage["payload"]): Promise<WakuMessage | undefined> {
    const row = this.#tables.tasks.get(requestId);
    if (!row) return undefined;
    const now = this.#clock.now();
    const current = row.stamp !== undefined && now - row.stampedAt < LIMITS.messaging.restampMs ? row.stamp : undefined;
    const stamp = current ?? this.#newStamp(now);
    const message: WakuMessage = {
      contentTopic: row.contentTopic,
      payload,
      meta: row.meta,
      ephemeral: row.ephemeral,
      timestamp: stamp,
    };
    if (current === undefined) {
      const hash = toHex(messageHash(row.pubsubTopic, message));
      await this.#change(requestId, (task) => ({
        ...task,
        stamp,
        stampedAt: now,
        hashes: [...task.hashes, hash],
        // The window begins with the first push: waiting for a turn is no failure of the network.
        onlineMs: task.hashes.length === 0 ? 0 : task.onlineMs,
      }));
    }
    return message;
  }

  /** No two stamps are the same, so that equal payloads still have hashes of their own. */
  #newStamp(now: number): bigint {
    const stamp = nanoseconds(now);
    this.#lastStamp = stamp > this.#lastStamp ? stamp : this.#lastStamp + 1n;
    return this.#lastStamp;
  }

  async #propagated(requestId: MessagingRequestId, attempt: Attempt, peer: PeerName): Promise<void> {
    const now = this.#clock.now();
    attempt.uncertain = false;
    attempt.askAt = now + LIMITS.messaging.storeCheckMs;
    await this.#change(requestId, (row) => ({
      ...row,
      state: "propagated",
      hash: row.hashes.at(-1),
      propagatedAt: now,
      through: peer,
      onlineMs: 0,
    }));
    const row = this.#tables.tasks.get(requestId);
    if (!row) return;
    void this.#tell(row, "propagated");
    // Stores keep no ephemeral message, so nothing could confirm it.
    if (row.ephemeral || this.#traits.confirmation === "off")
      await this.#finish(requestId, { state: "sent", hash: row.hash });
  }

  /** Looks for everything that is due, in as few queries as there are stores to ask. */
  #askStores(now: number): void {
    const batches = new Map<PeerName, Map<MessageHash, MessagingRequestId>>();
    for (const [requestId, attempt] of this.#attempts) {
      const row = this.#tables.tasks.get(requestId);
      if (!row || attempt.pushing || attempt.asking || attempt.askAt > now || row.hashes.length === 0) continue;
      if (row.state === "queued" && !attempt.uncertain) continue;
      const stores = this.#stores(row);
      const store = stores[attempt.asked % Math.max(1, stores.length)];
      if (store === undefined || this.#storesAsked.has(store)) continue;
      const batch = batches.get(store) ?? new Map<MessageHash, MessagingRequestId>();
      if (batch.size + row.hashes.length > LIMITS.messaging.storeHashes) continue;
      batches.set(store, batch);
      for (const hash of row.hashes) batch.set(hash, requestId);
      attempt.asking = true;
      attempt.asked++;
    }
    for (const [store, batch] of batches) {
      this.#storesAsked.add(store);
      this.#background(this.#ask(store, batch), () => {
        this.#storesAsked.delete(store);
        this.step();
      });
    }
  }

  async #ask(store: PeerName, batch: ReadonlyMap<MessageHash, MessagingRequestId>): Promise<void> {
    const found = await this.#presentIn(store, [...batch.keys()]);
    const now = this.#clock.now();
    if (found) this.#storeHealth.answered(store);
    else this.#storeHealth.failed(store, now);
    const confirmed = new Map<MessagingRequestId, MessageHash>();
    for (const hash of found ?? []) {
      const requestId = batch.get(hash);
      if (requestId !== undefined) confirmed.set(requestId, hash);
    }
    const finishing: Promise<void>[] = [];
    for (const requestId of new Set(batch.values())) {
      const attempt = this.#attempts.get(requestId);
      if (!attempt) continue;
      attempt.asking = false;
      attempt.askAt = now + LIMITS.messaging.storeCheckMs;
      attempt.uncertain = false;
      const hash = confirmed.get(requestId);
      if (hash !== undefined && this.#running) finishing.push(this.#finish(requestId, { state: "sent", hash }));
    }
    await Promise.all(finishing);
  }

  /** Which of the hashes the store has, or `undefined` where it did not say. */
  async #presentIn(store: PeerName, hashes: readonly MessageHash[]): Promise<ReadonlySet<MessageHash> | undefined> {
    const found = new Set<MessageHash>();
    let answer = await this.#nodes.storeQuery(store, { hashes, includeData: false });
    for (;;) {
      if (!answer.ok || answer.value.status !== STORE_OK) return undefined;
      for (const { hash } of answer.value.messages) found.add(hash);
      const { cursor, messages } = answer.value;
      if (!cursor || messages.length === 0 || found.size >= hashes.length) return found;
      answer = await this.#nodes.storeQuery(store, { hashes, includeData: false, cursor });
    }
  }

  /** Healthy store nodes first, and last the one that the message was pushed through: it confirms least. */
  #stores(row: TaskRow): readonly PeerName[] {
    const now = this.#clock.now();
    const stores = this.#storeHealth.order(this.#nodes.peers("store", row.pubsubTopic), now);
    const others = stores.filter((store) => store !== row.through && this.#storeHealth.healthy(store, now));
    return others.length > 0 ? others : stores;
  }

  async #finish(
    requestId: MessagingRequestId,
    outcome:
      | { readonly state: "sent"; readonly hash: MessageHash | undefined }
      | { readonly state: "error"; readonly failure: SendFailure },
  ): Promise<void> {
    const before = this.#tables.tasks.get(requestId);
    if (!this.#attempts.delete(requestId) || !before) return;
    await this.#change(requestId, (row) => ({
      ...row,
      state: outcome.state,
      hash: outcome.state === "sent" ? outcome.hash : row.hash,
      failure: outcome.state === "error" ? outcome.failure : undefined,
      finalAt: this.#clock.now(),
    }));
    this.#final.push(requestId);
    const row = this.#tables.tasks.get(requestId);
    // A store may have it before any node said that it was relayed; what the store has, was.
    if (row && outcome.state === "sent" && before.state === "queued") void this.#tell(row, "propagated");
    this.#background(this.#tellOutcome(requestId));
  }

  async #tellOutcome(requestId: MessagingRequestId): Promise<void> {
    const row = this.#tables.tasks.get(requestId);
    if (!row) return;
    const told = row.state === "error" ? await this.#tell(row, "error") : await this.#tell(row, "sent");
    if (!told || row.told) return;
    await this.#change(requestId, (task) => ({ ...task, told: true }));
  }

  #tell(row: TaskRow, type: "propagated" | "sent" | "error"): Promise<boolean> {
    const { requestId } = row;
    const event: MessagingEvent =
      type === "error"
        ? { type, requestId, ...(row.failure ?? NO_REASON) }
        : { type, requestId, messageHash: row.hash ?? "" };
    return this.#teller.tell(requestId, event);
  }

  async #change(requestId: MessagingRequestId, change: (row: TaskRow) => TaskRow): Promise<void> {
    await this.#transactor.run(() => {
      const row = this.#tables.tasks.get(requestId);
      if (!row) return;
      const counted = this.#attempts.get(requestId);
      const now = this.#clock.now();
      const after = change(counted ? { ...row, onlineMs: this.#onlineMs(row, counted, now) } : row);
      if (counted) counted.countedTo = this.#onlineTime(row.pubsubTopic).total(now);
      this.#tables.tasks.put(requestId, after);
      if (isFinal(after)) this.#tables.deletePayload(requestId);
      this.#forgetOldest(now);
    });
  }

  /** Final tasks stay for their idempotency keys, for as long as `LIMITS` says. */
  #forgetOldest(now: number): void {
    for (;;) {
      const oldest = this.#final[0];
      if (oldest === undefined) return;
      const row = this.#tables.tasks.get(oldest);
      const tooMany = this.#final.length > LIMITS.messaging.finalTasks;
      if (row && !(row.told && (tooMany || now - row.finalAt > LIMITS.keptResultsMs))) return;
      this.#final.shift();
      this.#tables.tasks.delete(oldest);
    }
  }

  /** Work that nobody awaits. It fails only with its transactor; memory is then ahead of storage, and nothing goes on from it. */
  #background(work: Promise<unknown>, afterwards: () => void = () => {}): void {
    work.then(afterwards, () => this.stop());
  }

  #newAttempt(row: TaskRow): Attempt {
    const now = this.#clock.now();
    return {
      pushing: false,
      asking: false,
      pushAt: now,
      askAt: row.state === "propagated" ? row.propagatedAt + LIMITS.messaging.storeCheckMs : now,
      asked: 0,
      // A push may have been under way when the worker died.
      uncertain: row.hashes.length > 0,
      avoid: undefined,
      countedTo: this.#onlineTime(row.pubsubTopic).total(now),
    };
  }

  #noteOnline(now: number): void {
    for (const [pubsubTopic, time] of this.#online)
      time.update(this.#nodes.peers("lightpush", pubsubTopic).length > 0, now);
    const learned = this.#tables.learned(this.#clusterId);
    if (learned.storeSeen || this.#nodes.peers("store").length === 0) return;
    this.#background(
      this.#transactor.run(() => this.#tables.putLearned(this.#clusterId, { ...learned, storeSeen: true })),
    );
  }

  #storeExpected(): boolean {
    return this.#traits.confirmation === "expected" || this.#tables.learned(this.#clusterId).storeSeen;
  }

  #onlineTime(pubsubTopic: string): OnlineTime {
    let time = this.#online.get(pubsubTopic);
    if (!time) {
      time = new OnlineTime();
      time.update(this.#nodes.peers("lightpush", pubsubTopic).length > 0, this.#clock.now());
      this.#online.set(pubsubTopic, time);
    }
    return time;
  }

  #isOnline(row: TaskRow): boolean {
    return this.#nodes.peers("lightpush", row.pubsubTopic).length > 0;
  }

  #onlineMs(row: TaskRow, attempt: Attempt, now: number): number {
    return row.onlineMs + this.#onlineTime(row.pubsubTopic).total(now) - attempt.countedTo;
  }

  #pace(peer: PeerName): PushPace {
    let pace = this.#paces.get(peer);
    if (!pace) {
      pace = new PushPace();
      this.#paces.set(peer, pace);
    }
    return pace;
  }
}

function isFinal(row: TaskRow): boolean {
  return row.state === "sent" || row.state === "error";
}

/** A time that is due already is left to the event that is under way: waiting for it would spin. */
function later(at: number, now: number): number {
  return at > now ? at : Number.POSITIVE_INFINITY;
}
