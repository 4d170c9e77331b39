/**
 * Owns every channel of the profile of the browser and offers lifecycle and send operations by channel, as the seed's
 * manager does. Starting is resuming: the rows in storage say what exists, what is under way and what is left to do.
 */

import type { Bytes } from "../common/bytes.ts";
import type { Clock } from "../common/clock.ts";
import { err, ok, type Result } from "../common/result.ts";
import { type Journal, type StoredKey, type StoredRows, Table, tableOf } from "../common/table.ts";
import type { Transactor } from "../common/transactor.ts";
import type { Cipher } from "../encryption/cipher.ts";
import { none } from "../encryption/none.ts";
import { LIMITS } from "../limits.ts";
import {
  type BudgetQuota,
  type RateLimitConfig,
  RateLimitManager,
  type RateLimitTables,
  UNLIMITED,
} from "../rate-limit/rate-limit-manager.ts";
import { Participant, type SdsConfig } from "../sds/participant.ts";
import { openSdsTables, SDS_TABLES } from "../sds/tables.ts";
import { openReassemblerTables, REASSEMBLER_TABLES, Reassembler } from "../segmentation/reassembler.ts";
import type { Arrival, Unread } from "./diagnostics.ts";
import { mismatch, parameterProblem } from "./parameters.ts";
import type { MessageHash, MessagingClient, MessagingEvent, Storage, StorageRoom } from "./ports.ts";
import { wireOf } from "./profiles.ts";
import { type CloseReason, ReliableChannel } from "./reliable-channel.ts";
import {
  CHANNEL_COLD_TABLES,
  CHANNEL_TABLES,
  type ChannelKeyIds,
  type ChannelRow,
  channelScope,
  LOG_START,
  ONLY_ROW,
  openChannelTables,
  readWith,
} from "./rows.ts";
import { type Chance, ENDLESS_ROOM, nameOf, Shell, systemChance } from "./shell.ts";
import type {
  ChannelApi,
  ChannelError,
  ChannelKey,
  ChannelListener,
  ChannelManagerApi,
  ChannelParams,
  ChannelSendOptions,
  ChannelSummary,
  EncryptionMode,
  InTransaction,
  RequestId,
} from "./types.ts";

export interface ManagerParts {
  readonly storage: Storage;
  readonly room?: StorageRoom;
  readonly journal: Journal;
  readonly transactor: Transactor;
  readonly messaging: MessagingClient;
  readonly clock: Clock;
  readonly chance?: Chance;
  readonly rateLimit?: RateLimitConfig;
  /** The cipher of a channel, which asks it for its keys each time; `undefined` for a mode that is not available. */
  readonly cipherFor?: CipherFor;
}

export type CipherFor = (
  mode: EncryptionMode,
  marker: Bytes,
  keys: () => ChannelKeyIds,
  channel: ChannelKey,
) => Cipher | undefined;

/** Tables whose rows belong to one channel and are held in memory while it is. */
const PER_CHANNEL = [
  ...CHANNEL_TABLES.filter((name) => !CHANNEL_COLD_TABLES.includes(name)),
  ...SDS_TABLES,
  ...REASSEMBLER_TABLES,
];

export class ReliableChannelManager implements ChannelManagerApi {
  readonly #parts: ManagerParts;
  readonly #shell: Shell;
  /** Those that have a row. Closed ones are among them: what they had accepted is still sent. */
  readonly #channels = new Map<string, ReliableChannel>();
  readonly #healthListeners = new Set<() => void>();
  readonly #budgetListeners = new Set<() => void>();
  #cancelForgetting: (() => void) | undefined;
  #unlistenRoom: (() => void) | undefined;
  #held: () => Iterable<ChannelKey> = () => [];

  /** Reads everything stored and puts the channels together. Nothing runs before `start`. */
  static async load(parts: ManagerParts): Promise<ReliableChannelManager> {
    const [queue, budget] = await Promise.all(
      ["rateLimitQueue", "rateLimitBudget"].map((name) => readRows(parts.storage, name)),
    );
    const tables: RateLimitTables = {
      queue: tableOf("rateLimitQueue", parts.journal, [], () => queue ?? []),
      budget: tableOf("rateLimitBudget", parts.journal, [], () => budget ?? []),
    };
    const rateLimit = RateLimitManager.create(parts.rateLimit ?? UNLIMITED, tables);
    if (!rateLimit.ok) throw new Error(rateLimit.error);
    const { chance = systemChance, room = ENDLESS_ROOM } = parts;
    const shell = new Shell({ ...parts, chance, room, rateLimit: rateLimit.value });
    const manager = new ReliableChannelManager(parts, shell);
    tables.budget.observe(() => {
      for (const listener of manager.#budgetListeners) listener();
    });
    for (const { key, stored } of await readChannels(parts.storage)) manager.#add(key, stored);
    return manager;
  }

  private constructor(parts: ManagerParts, shell: Shell) {
    this.#parts = parts;
    this.#shell = shell;
  }

  /** Resume: take in what is parked, subscribe, catch up from the store, drain the outbox, and do what fell due meanwhile. */
  async start(): Promise<void> {
    const { clock, messaging, transactor } = this.#parts;
    await transactor.run(() => {
      for (const channel of this.#channels.values()) channel.onStart(clock.now());
    });
    this.#unlistenRoom = this.#shell.parts.room.listen(() => this.#inBackground(() => this.#onRoomChanged()));
    messaging.listen((event) => this.#onMessagingEvent(event));
    await messaging.start();
    for (const channel of this.#channels.values()) {
      if (channel.isOpen && !channel.isSuspended) this.#subscribe(channel);
      // It may have been closed without its topic: a crash came between the two.
      else await this.#unsubscribeIfLast(channel.getContentTopic());
      channel.resume();
    }
    await this.#shell.transact((now) => {
      for (const channel of this.#channels.values()) channel.onTick(now);
    });
    await this.#forgetOld();
    for (const channel of this.#channels.values()) {
      channel.searchMissing();
      await channel.resumeIntake();
    }
  }

  /** Now, and again from time to time, as a background may live for weeks. */
  async #forgetOld(): Promise<void> {
    // First, so that stopping meanwhile ends it.
    this.#cancelForgetting = this.#parts.clock.after(LIMITS.forgetEveryMs, () => {
      // It fails only with its transactor, whose owner begins anew.
      this.#forgetOld().catch(() => this.#shell.stop());
    });
    await this.#shell.transact((now) => {
      for (const channel of this.#channels.values()) channel.forgetOld(now);
      for (const key of this.#held()) this.channel(key)?.attend(now);
    });
    for (const channel of this.channels()) {
      if (channel.isSuspended) await this.#unsubscribeIfLast(channel.getContentTopic());
    }
  }

  async stop(): Promise<void> {
    this.#cancelForgetting?.();
    this.#unlistenRoom?.();
    this.#shell.stop();
    for (const channel of this.#channels.values()) channel.stop();
    await this.#parts.messaging.stop();
  }

  async createReliableChannel(
    params: ChannelParams,
    inTransaction?: InTransaction<Result<ChannelApi, ChannelError>>,
  ): Promise<Result<ChannelApi, ChannelError>> {
    const senderId = params.senderId ?? this.#shell.parts.chance.newId();
    const created = await this.#shell.transact((now) => {
      const result = this.#create(params, senderId, now);
      inTransaction?.(result);
      return result;
    });
    if (created.ok) {
      created.value.resume();
      this.#open(created.value);
    }
    return created;
  }

  #create(params: ChannelParams, senderId: string, now: number): Result<ReliableChannel, ChannelError> {
    const { origin, channelId, contentTopic, profile = "logos", encryption } = params;
    const known = this.#channels.get(nameOf(params));
    if (known?.isOpen) return err({ kind: "already-exists", message: `channel already exists: ${channelId}` });
    const refused =
      parameterProblem(params) ??
      (known ? mismatch(known.row, params) : this.#withoutCipher(params)) ??
      this.#fullFor(origin, known !== undefined);
    if (refused) return err(refused);
    if (known) {
      if (!params.prepared) known.takeUp(params.senderId);
      known.reopen(now);
      return ok(known);
    }
    const key = { origin, channelId };
    const row: ChannelRow = {
      contentTopic,
      senderId,
      ...(params.prepared ? { prepared: params.prepared } : {}),
      profile,
      encryption,
      placement: params.placement ?? "envelope",
      keys: { current: params.keyId, earlier: readWith(params.earlierKeyIds ?? []) },
      ...(params.label === undefined ? {} : { label: params.label }),
      createdAt: now,
      lastActiveAt: now,
      open: true,
      // The topic may be one of other channels, which have come further on it.
      skippedFrom: now - LIMITS.messaging.catchUpNewTopicMs,
      logged: LOG_START,
      handled: LOG_START,
      trimmed: LOG_START,
      attendedAt: now,
    };
    return ok(this.#add(key, () => [], row));
  }

  async attach(params: ChannelParams): Promise<Result<ChannelApi, ChannelError>> {
    const channel = this.#channels.get(nameOf(params));
    if (!channel?.isOpen) return err(unknown(params.channelId));
    const refused = parameterProblem(params) ?? mismatch(channel.row, params);
    if (refused) return err(refused);
    await this.#attend(channel, () => channel.takeUp(params.senderId));
    return ok(channel);
  }

  attended(key: ChannelKey): void {
    const channel = this.#channels.get(nameOf(key));
    // It fails only with its transactor, whose owner begins anew.
    if (channel?.isOpen) this.#attend(channel).catch(() => this.#shell.stop());
  }

  heldBy(pages: () => Iterable<ChannelKey>): void {
    this.#held = pages;
  }

  /** A page asked for the channel: what was suspended is now in use. */
  async #attend(channel: ReliableChannel, alongside: () => void = () => {}): Promise<void> {
    const { isSuspended } = channel;
    await this.#shell.transact((now) => {
      alongside();
      channel.attend(now);
    });
    if (!isSuspended) return;
    this.#subscribe(channel);
    await channel.resumeIntake();
  }

  async closeChannel(
    key: ChannelKey,
    reason: Exclude<CloseReason, "error">,
    inTransaction?: InTransaction<Result<void, ChannelError>>,
  ): Promise<Result<void, ChannelError>> {
    const channel = this.#channels.get(nameOf(key));
    const closed = await this.#shell.transact(() => {
      const result: Result<void, ChannelError> = channel?.isOpen ? ok(undefined) : err(unknown(key.channelId));
      if (result.ok) channel?.close(reason);
      inTransaction?.(result);
      return result;
    });
    if (closed.ok && channel) await this.#unsubscribeIfLast(channel.getContentTopic());
    return closed;
  }

  async send(
    key: ChannelKey,
    payload: Bytes,
    options?: ChannelSendOptions,
    inTransaction?: InTransaction<Result<RequestId, ChannelError>>,
  ): Promise<Result<RequestId, ChannelError>> {
    const channel = this.channel(key);
    if (channel) return channel.send(payload, options, inTransaction);
    const result = err(unknown(key.channelId));
    if (inTransaction) await this.#shell.transact(() => inTransaction(result));
    return result;
  }

  pendingRequests(origin: string): number {
    return this.#openRequests(origin).count;
  }

  channelExists(key: ChannelKey): boolean {
    return this.channel(key) !== undefined;
  }

  channel(key: ChannelKey): ReliableChannel | undefined {
    const channel = this.#channels.get(nameOf(key));
    return channel?.isOpen ? channel : undefined;
  }

  channels(origin?: string): readonly ReliableChannel[] {
    return [...this.#channels.values()]
      .filter((channel) => channel.isOpen && (origin === undefined || channel.origin === origin))
      .sort((a, b) => a.row.createdAt - b.row.createdAt);
  }

  summaries(): readonly ChannelSummary[] {
    return [...this.#channels.values()].map((channel) => channel.summary()).sort((a, b) => a.createdAt - b.createdAt);
  }

  rename(key: ChannelKey, label: string): Promise<Result<void, ChannelError>> {
    return this.#change(key, (channel) => channel.rename(label));
  }

  changeKey(key: ChannelKey, keyId: string): Promise<Result<void, ChannelError>> {
    return this.#change(key, (channel) => channel.changeKey(keyId));
  }

  async #change(key: ChannelKey, change: (channel: ReliableChannel) => void): Promise<Result<void, ChannelError>> {
    const channel = this.#channels.get(nameOf(key));
    if (channel === undefined) return err(unknown(key.channelId));
    await this.#shell.transact(() => change(channel));
    return ok(undefined);
  }

  async deleteChannel(key: ChannelKey): Promise<Result<void, ChannelError>> {
    const channel = this.#channels.get(nameOf(key));
    if (channel === undefined) return err(unknown(key.channelId));
    await this.#shell.transact(() => {
      if (channel.isOpen) channel.close("user");
      channel.erase();
      this.#shell.parts.rateLimit.forget(key);
    });
    channel.stop();
    await this.#unsubscribeIfLast(channel.getContentTopic());
    return ok(undefined);
  }

  /** The cipher of a channel can be used again, such as when a page that encrypts is back. */
  cipherReady(key: ChannelKey): void {
    this.#channels.get(nameOf(key))?.onCipherReady();
  }

  /** The cipher of a channel cannot be used for now. */
  cipherAway(key: ChannelKey): void {
    this.#channels.get(nameOf(key))?.onCipherAway();
  }

  listen(listener: ChannelListener): () => void {
    return this.#shell.listen(listener);
  }

  /** Called after the health of the connection or of a topic changed. Returns what ends it. */
  onHealth(listener: () => void): () => void {
    this.#healthListeners.add(listener);
    return () => this.#healthListeners.delete(listener);
  }

  /** The whole budget of the epoch; `undefined` where nothing is limited. */
  quota(): BudgetQuota | undefined {
    return this.#shell.parts.rateLimit.quota(this.#parts.clock.now());
  }

  /** The same, as far as it concerns one origin. */
  shareOf(origin: string): BudgetQuota | undefined {
    return this.#shell.parts.rateLimit.shareOf(origin, this.#parts.clock.now());
  }

  /** Called after something of the budget was used. Returns what ends it. */
  onBudget(listener: () => void): () => void {
    this.#budgetListeners.add(listener);
    return () => this.#budgetListeners.delete(listener);
  }

  /** `created`: the row of a channel that is not stored yet, inside the transaction that makes it. */
  #add(key: ChannelKey, stored: StoredRows, created?: ChannelRow): ReliableChannel {
    const { journal } = this.#parts;
    const tables = openChannelTables(key, journal, stored);
    if (created) tables.channel.put(ONLY_ROW, created);
    const row = tables.channel.get(ONLY_ROW);
    if (row === undefined) throw new Error(`channel ${key.channelId} has no row`);
    const profile = wireOf(row.profile);
    const keys = () => tables.channel.get(ONLY_ROW)?.keys ?? row.keys;
    const cipher = (this.#parts.cipherFor ?? builtInCipher)(row.encryption, profile.marker, keys, key);
    if (cipher === undefined) throw new Error(`no cipher for encryption ${row.encryption}`);
    const sdsTables = openSdsTables(journal, channelScope(key), stored);
    const reassemblerTables = openReassemblerTables(journal, channelScope(key), stored);
    const config: SdsConfig = {
      // Read anew each time: a channel that was prepared takes the sender id of the site that takes it up.
      get participantId() {
        return tables.channel.get(ONLY_ROW)?.senderId ?? row.senderId;
      },
      channelId: key.channelId,
      layout: profile.layout,
      startedAt: row.createdAt,
      otherDueMs: () => reassembler.nextDueMs(),
    };
    const sds = new Participant(config, sdsTables);
    const reassembler = new Reassembler(reassemblerTables, profile.content, sds.clock);
    const channel = new ReliableChannel({
      key,
      tables,
      sds,
      wires: sdsTables.wires,
      keptWires: () => sdsTables.wireSizes.keys(),
      hotTables: [tables, sdsTables, reassemblerTables]
        .flatMap((of) => Object.values(of))
        .filter((table) => table instanceof Table),
      reassembler,
      profile,
      cipher,
      shell: this.#shell,
      exceeded: (bytes) => this.#exceeded(key.origin, bytes),
      onUnparked: (messageHash, unread) => this.#onUnparked(channel, messageHash, unread),
    });
    // With its row it comes and goes, also where the event that made or deleted it is undone.
    tables.channel.observe((_key, before, after) => {
      if (before === undefined) this.#register(channel);
      else if (after === undefined) this.#unregister(channel);
    });
    return channel;
  }

  #register(channel: ReliableChannel): void {
    this.#channels.set(nameOf(channel.key), channel);
    this.#shell.add(channel);
  }

  #unregister(channel: ReliableChannel): void {
    this.#channels.delete(nameOf(channel.key));
    this.#shell.remove(channel.key);
  }

  /** In the background: a page need not wait for the network, and what it sends meanwhile is durable. */
  #subscribe(channel: ReliableChannel): void {
    this.#inBackground(() => this.#subscribed(channel));
  }

  /** The same, for a channel that was not there or closed, while others of its topic may have been open. */
  #open(channel: ReliableChannel): void {
    this.#inBackground(async () => {
      // First, so that a topic that was left alone is looked through once.
      await channel.resumeIntake();
      await this.#subscribed(channel);
    });
  }

  async #subscribed(channel: ReliableChannel): Promise<void> {
    await this.#parts.messaging.subscribe(channel.getContentTopic());
    if (!channel.isOpen) return this.#unsubscribeIfLast(channel.getContentTopic());
    channel.onSubscribed();
    await this.#shell.transact(() => channel.tellStatus());
  }

  #inBackground(work: () => Promise<void>): void {
    // Subscribing is durable and retried below; what can fail here is storage, and then everything starts again.
    void work().catch(() => this.#shell.stop());
  }

  async #unsubscribeIfLast(contentTopic: string): Promise<void> {
    const needsIt = (channel: ReliableChannel) => channel.getContentTopic() === contentTopic && !channel.isSuspended;
    if (this.channels().some(needsIt)) return;
    await this.#parts.messaging.unsubscribe(contentTopic);
  }

  async #onMessagingEvent(event: MessagingEvent): Promise<boolean> {
    switch (event.type) {
      case "received": {
        const addressed = this.#onTopic(event.message.contentTopic);
        const came = await Promise.all(
          addressed.map(async (channel) => ({ channel, arrival: await channel.onMessageReceived(event.message) })),
        );
        this.#onTakenIn(event.message.messageHash, came);
        return true;
      }
      case "propagated":
        return this.#claimed((channel) => channel.onMessagePropagated(event.requestId, event.messageHash));
      case "sent":
        return this.#claimed((channel) => channel.onMessageSent(event.requestId, event.messageHash));
      case "error": {
        const { requestId, kind, error } = event;
        return this.#claimed((channel) => channel.onMessageError(requestId, { kind, error }));
      }
      case "health":
        await this.#onReachChanged();
        return true;
    }
  }

  /** SDS timers stand still while nothing can come: they are told that it is so from now on, or is so no more. */
  async #onReachChanged(): Promise<void> {
    await this.#shell.transact((now) => {
      for (const channel of this.#channels.values()) {
        channel.onTick(now);
        channel.tellStatus();
      }
    });
    for (const channel of this.#channels.values()) channel.searchMissing();
    for (const listener of this.#healthListeners) listener();
  }

  /** Storage became full, or has room again. */
  async #onRoomChanged(): Promise<void> {
    await this.#onReachChanged();
    for (const channel of this.#channels.values()) await channel.resumeIntake();
  }

  #onTopic(contentTopic: string): readonly ReliableChannel[] {
    return this.channels().filter((channel) => channel.getContentTopic() === contentTopic);
  }

  /** What one channel of a topic reads is nothing strange to the others, and one that parked a message may read it. */
  #onTakenIn(
    messageHash: MessageHash,
    came: readonly { readonly channel: ReliableChannel; readonly arrival: Arrival }[],
  ): void {
    const isRead = came.some(({ arrival }) => arrival === undefined);
    const mayBeRead = came.some(({ channel, arrival }) => arrival === "skipped" || channel.isParked(messageHash));
    for (const { channel, arrival } of came) {
      if (arrival === undefined || arrival === "skipped") continue;
      if (arrival === "parked") {
        if (isRead) channel.onReadElsewhere(messageHash);
        continue;
      }
      if (isRead) continue;
      if (mayBeRead) channel.onSuspected(arrival, messageHash);
      else channel.onUnread(arrival, messageHash);
    }
  }

  /** Channels of one topic come to a message at different times: what one reads is nothing strange to the others. */
  #onUnparked(channel: ReliableChannel, messageHash: MessageHash, unread: Unread | undefined): void {
    if (unread !== undefined) channel.onUnread(unread, messageHash);
    for (const other of this.#onTopic(channel.getContentTopic())) {
      if (other === channel) continue;
      if (unread === undefined) other.onReadElsewhere(messageHash);
      else other.onUnreadElsewhere(messageHash);
    }
  }

  /**
   * Completion events name a messaging request only, so every channel is asked. Where nobody knows it although something
   * stands in an outbox, it may be of exactly that: told before `send` answered, or after a crash cut its hand-over short.
   * In the first case it is known when that is recorded; in the second, the outcome is asked for again.
   */
  async #claimed(handle: (channel: ReliableChannel) => Promise<boolean>): Promise<boolean> {
    const channels = [...this.#channels.values()];
    for (const channel of channels) if (await handle(channel)) return true;
    const dispatching = channels.filter((channel) => channel.undispatched > 0);
    await Promise.all(dispatching.map((channel) => channel.handedOver()));
    for (const channel of dispatching) if (await handle(channel)) return true;
    return dispatching.every((channel) => channel.undispatched === 0);
  }

  #withoutCipher({ origin, channelId, encryption, keyId, profile = "logos" }: ChannelParams): ChannelError | undefined {
    const { cipherFor = builtInCipher } = this.#parts;
    const keys = () => ({ current: keyId, earlier: [] });
    if (cipherFor(encryption, wireOf(profile).marker, keys, { origin, channelId }) === undefined) {
      return { kind: "unsupported", message: `encryption ${encryption} is not available yet` };
    }
    if (encryption !== "key" || keyId !== undefined) return undefined;
    return { kind: "key-required", message: "an encrypted channel needs a key" };
  }

  /** Whether one channel more may be open, and be there at all unless it is already. */
  #fullFor(origin: string, isThere: boolean): ChannelError | undefined {
    const { channels: open, storedChannels: stored } = LIMITS.origin;
    if (this.channels(origin).length >= open) {
      return { kind: "limit", message: `an origin may have ${open} open channels: close one first`, limit: open };
    }
    const isFull = () => [...this.#channels.values()].filter((channel) => channel.origin === origin).length >= stored;
    if (isThere || !isFull()) return undefined;
    const message = `an origin may have ${stored} channels, closed ones included: open one of them, or let the person delete some in the popup`;
    return { kind: "limit", message, limit: stored };
  }

  /** Of closed channels too: what they had accepted is still sent. */
  #openRequests(origin: string): { readonly count: number; readonly bytes: number } {
    let [count, bytes] = [0, 0];
    for (const channel of this.#channels.values()) {
      if (channel.origin !== origin) continue;
      count += channel.openRequests.count;
      bytes += channel.openRequests.bytes;
    }
    return { count, bytes };
  }

  #exceeded(origin: string, bytes: number): ChannelError | undefined {
    const pending = this.#openRequests(origin);
    const { pendingRequests, pendingBytes: limitBytes } = LIMITS.origin;
    if (pending.count >= pendingRequests) {
      return {
        kind: "limit",
        message: `${pendingRequests} messages are still being sent: wait for one`,
        limit: pendingRequests,
      };
    }
    if (pending.bytes + bytes > limitBytes) {
      return { kind: "limit", message: `${limitBytes} bytes are still being sent: wait for some`, limit: limitBytes };
    }
    return undefined;
  }
}

function unknown(channelId: string): ChannelError {
  return { kind: "unknown-channel", message: `unknown channel: ${channelId}` };
}

function builtInCipher(mode: EncryptionMode): Cipher | undefined {
  return mode === "none" ? none : undefined;
}

async function readRows(storage: Storage, table: string): Promise<[string | number, unknown][]> {
  const rows = await storage.scan(table, []);
  return rows.flatMap(({ key, row }) => {
    const own = key.at(-1);
    return own === undefined ? [] : [[own, row]];
  });
}

/** Every stored channel with its rows. A channel's rows begin with its origin and id. */
async function readChannels(storage: Storage): Promise<readonly { key: ChannelKey; stored: StoredRows }[]> {
  const channels = new Map<string, { key: ChannelKey; tables: Map<string, [string | number, unknown][]> }>();
  for (const table of PER_CHANNEL) {
    for (const { key, row } of await storage.scan(table, [])) {
      const parsed = channelOf(key);
      if (parsed === undefined) continue;
      const name = nameOf(parsed.channel);
      const channel = channels.get(name) ?? { key: parsed.channel, tables: new Map() };
      channels.set(name, channel);
      const rows = channel.tables.get(table) ?? [];
      channel.tables.set(table, rows);
      rows.push([parsed.own, row]);
    }
  }
  return [...channels.values()]
    .filter(({ tables }) => tables.has("channels"))
    .map(({ key, tables }) => ({ key, stored: (table) => tables.get(table) ?? [] }));
}

function channelOf(key: StoredKey): { readonly channel: ChannelKey; readonly own: string | number } | undefined {
  const [origin, channelId, own] = key;
  if (typeof origin !== "string" || typeof channelId !== "string" || own === undefined) return undefined;
  return { channel: { origin, channelId }, own };
}
