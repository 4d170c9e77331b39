/**
 * The channels while the vault is locked: what they are called and what state they are in, and nothing that people wrote.
 *
 * Nothing is read, written or sent, and no timer runs. Ciphertexts are received and parked, as they come; an ephemeral one
 * would be nowhere else. What was accepted before waits in storage. Unlocking starts everything from there, the parked
 * first. Pages stay attached and hear nothing.
 */
import { equalBytes } from "../common/bytes.ts";
import type { Clock } from "../common/clock.ts";
import { err, ok, type Result } from "../common/result.ts";
import { type Journal, type StoredRows, Table } from "../common/table.ts";
import type { Transactor } from "../common/transactor.ts";
import { skipping } from "./intake.ts";
import { mismatch, parameterProblem, takenUp } from "./parameters.ts";
import { ParkedMessages } from "./parked-messages.ts";
import type { MessageReceiver, MessagingEvent, ReceivedMessage, Storage, StorageRoom } from "./ports.ts";
import { wireOf } from "./profiles.ts";
import { type ChannelRow, channelScope, ONLY_ROW, openParkedTables } from "./rows.ts";
import { ENDLESS_ROOM } from "./shell.ts";
import type {
  ChannelApi,
  ChannelError,
  ChannelKey,
  ChannelListener,
  ChannelManagerApi,
  ChannelParams,
  ChannelStatus,
  ChannelSummary,
} from "./types.ts";

const LOCKED: ChannelError = { kind: "locked", message: "The extension is locked: unlock it first." };
const NOTHING_READ = { undecryptable: 0, otherLayout: 0, otherMarker: 0, otherChannel: 0, unreadable: 0 };

export interface LockedParts {
  /** Must not seal what it is given, which is ciphertext: there is nothing to seal it with. */
  readonly storage: Storage;
  readonly room?: StorageRoom;
  readonly journal: Journal;
  readonly transactor: Transactor;
  readonly messaging: MessageReceiver;
  readonly clock: Clock;
}

class LockedChannel implements ChannelApi {
  readonly key: ChannelKey;
  readonly #table: Table<string, ChannelRow>;
  readonly #parked: ParkedMessages;
  readonly #messaging: MessageReceiver;
  readonly #room: StorageRoom;
  #row: ChannelRow;
  #toldStatus = "";

  constructor(key: ChannelKey, row: ChannelRow, stored: StoredRows, parts: LockedParts) {
    const { journal, storage, messaging, room = ENDLESS_ROOM } = parts;
    this.key = key;
    this.#table = new Table("channels", journal, channelScope(key), [[ONLY_ROW, row]]);
    this.#parked = new ParkedMessages(openParkedTables(key, journal, stored), storage);
    this.#messaging = messaging;
    this.#room = room;
    this.#row = row;
    this.#table.observe((_key, _before, after) => {
      if (after) this.#row = after;
    });
  }

  get row(): ChannelRow {
    return this.#row;
  }

  get origin(): string {
    return this.key.origin;
  }

  get isOpen(): boolean {
    return this.#row.open;
  }

  getChannelId(): string {
    return this.key.channelId;
  }

  getContentTopic(): string {
    return this.#row.contentTopic;
  }

  getSenderId(): string {
    return this.#row.senderId;
  }

  /** Inside a transaction. */
  takeUp(senderId: string | undefined): void {
    if (this.#row.prepared) this.#table.put(ONLY_ROW, takenUp(this.#row, senderId));
  }

  /** Inside a transaction. */
  receive(message: ReceivedMessage, now: number): void {
    if (!equalBytes(message.meta, wireOf(this.#row.profile).marker)) return;
    const hasRoom = !this.#room.isFull() && this.#parked.park(message, now) !== "full";
    if (!hasRoom) this.#table.put(ONLY_ROW, skipping(this.#row, message, now));
  }

  async send(): Promise<Result<never, ChannelError>> {
    return err(LOCKED);
  }

  request(): undefined {
    return undefined;
  }

  requests(): readonly never[] {
    return [];
  }

  async retry(): Promise<Result<never, ChannelError>> {
    return err(LOCKED);
  }

  /** Nothing can be read now; everything above the page's cursor is told once it can. */
  async history(): Promise<readonly never[]> {
    return [];
  }

  async acknowledge(): Promise<void> {}

  acknowledged(): number {
    return this.#row.handled.seq;
  }

  /** Its status, if that is not what it was when this was called last. */
  changedStatus(): ChannelStatus | undefined {
    const status = this.status();
    const before = this.#toldStatus;
    this.#toldStatus = JSON.stringify(status);
    return this.#toldStatus === before ? undefined : status;
  }

  status(): ChannelStatus {
    const { contentTopic, open } = this.#row;
    return { state: open ? "opening" : "closed", health: this.#messaging.topicHealth(contentTopic), pending: 0 };
  }

  diagnostics(): ReturnType<ChannelApi["diagnostics"]> {
    return NOTHING_READ;
  }

  summary(): ChannelSummary {
    const { contentTopic, senderId, profile, encryption, placement, keys, label } = this.#row;
    const { createdAt, lastActiveAt, logged, handled } = this.#row;
    return {
      ...this.key,
      contentTopic,
      senderId,
      profile,
      encryption,
      placement,
      ...(keys.current === undefined ? {} : { keyId: keys.current }),
      earlierKeyIds: keys.earlier,
      label: label ?? this.key.channelId,
      createdAt,
      lastActiveAt,
      status: this.status(),
      unacknowledged: logged.seq - handled.seq,
      members: 0,
    };
  }
}

export class LockedChannels implements ChannelManagerApi {
  readonly #channels: readonly LockedChannel[];
  readonly #transactor: Transactor;
  readonly #clock: Clock;
  readonly #messaging: MessageReceiver;
  readonly #listeners = new Set<ChannelListener>();
  readonly #healthListeners = new Set<() => void>();

  /** Reads the channels' rows, which hold no content. Nothing is received before `start`. */
  static async load(parts: LockedParts): Promise<LockedChannels> {
    const { storage } = parts;
    const channels: LockedChannel[] = [];
    for (const { key, row } of await storage.scan("channels", [])) {
      const [origin, channelId] = key;
      if (typeof origin !== "string" || typeof channelId !== "string") continue;
      const sizes = await storage.scan("parkedSizes", [origin, channelId]);
      const stored: StoredRows = () => sizes.map((size) => [size.key.at(-1) ?? 0, size.row]);
      channels.push(new LockedChannel({ origin, channelId }, row as ChannelRow, stored, parts));
    }
    return new LockedChannels(channels, parts);
  }

  private constructor(channels: readonly LockedChannel[], { transactor, clock, messaging }: LockedParts) {
    this.#channels = channels;
    this.#transactor = transactor;
    this.#clock = clock;
    this.#messaging = messaging;
  }

  async start(): Promise<void> {
    this.#messaging.listen((event) => this.#onMessagingEvent(event));
    await this.#messaging.start();
    // It fails only with its transactor, whose owner begins anew.
    for (const topic of this.#topics()) void this.#messaging.subscribe(topic).catch(() => {});
  }

  async stop(): Promise<void> {
    await this.#messaging.stop();
  }

  /**
   * Those of encrypted channels. Where an unencrypted one is on the same topic, what arrives may be plain text, which must
   * not be written unsealed: that topic stays where it was, and its messages in the stores of the network.
   */
  #topics(): ReadonlySet<string> {
    const topics = new Set(this.channels().map(({ row }) => row.contentTopic));
    // Also of one that is closed: its peers may go on writing.
    for (const { row } of this.#channels) if (row.encryption === "none") topics.delete(row.contentTopic);
    return topics;
  }

  async #onMessagingEvent(event: MessagingEvent): Promise<boolean> {
    switch (event.type) {
      case "received": {
        const { message } = event;
        const addressed = this.channels().filter((channel) => channel.getContentTopic() === message.contentTopic);
        await this.#transactor.run(() => {
          for (const channel of addressed) channel.receive(message, this.#clock.now());
        });
        return true;
      }
      case "health":
        this.#tellStatuses();
        for (const listener of this.#healthListeners) listener();
        return true;
      default:
        // What became of what was sent before is for the one that sent it.
        return false;
    }
  }

  #tellStatuses(): void {
    for (const channel of this.channels()) {
      const status = channel.changedStatus();
      if (status === undefined) continue;
      for (const listener of this.#listeners) listener(channel.key, { type: "status", status });
    }
  }

  /** Called after the health of the connection or of a topic changed. Returns what ends it. */
  onHealth(listener: () => void): () => void {
    this.#healthListeners.add(listener);
    return () => this.#healthListeners.delete(listener);
  }

  async createReliableChannel(): Promise<Result<never, ChannelError>> {
    return err(LOCKED);
  }

  async attach(params: ChannelParams): Promise<Result<ChannelApi, ChannelError>> {
    const channel = this.channel(params);
    if (channel === undefined) return err(LOCKED);
    const refused = parameterProblem(params) ?? mismatch(channel.row, params);
    if (refused) return err(refused);
    if (channel.row.prepared) await this.#transactor.run(() => channel.takeUp(params.senderId));
    return ok(channel);
  }

  /** Once unlocked, the pages that still hold a channel say so. */
  attended(): void {}

  heldBy(): void {}

  async closeChannel(): Promise<Result<never, ChannelError>> {
    return err(LOCKED);
  }

  async send(): Promise<Result<never, ChannelError>> {
    return err(LOCKED);
  }

  pendingRequests(): number {
    return 0;
  }

  channelExists(key: ChannelKey): boolean {
    return this.channel(key) !== undefined;
  }

  channel(key: ChannelKey): LockedChannel | undefined {
    return this.channels(key.origin).find((channel) => channel.getChannelId() === key.channelId);
  }

  channels(origin?: string): readonly LockedChannel[] {
    return this.#channels.filter((channel) => channel.isOpen && (origin ?? channel.origin) === channel.origin);
  }

  summaries(): readonly ChannelSummary[] {
    return this.#channels.map((channel) => channel.summary()).sort((a, b) => a.createdAt - b.createdAt);
  }

  async rename(): Promise<Result<never, ChannelError>> {
    return err(LOCKED);
  }

  async changeKey(): Promise<Result<never, ChannelError>> {
    return err(LOCKED);
  }

  async deleteChannel(): Promise<Result<never, ChannelError>> {
    return err(LOCKED);
  }

  /** Tells of statuses: nothing else can be told. */
  listen(listener: ChannelListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
