/**
 * The channels while the vault is locked: what they are called and what state they are in, and nothing that people wrote.
 *
 * Nothing runs: no timer, no subscription, no dispatch. What is sent meanwhile waits in the stores of the network, and what
 * was accepted before waits in storage; unlocking starts everything from there. Pages stay attached and hear nothing.
 */
import { err, ok, type Result } from "../common/result.ts";
import { type Journal, Table } from "../common/table.ts";
import type { Transactor } from "../common/transactor.ts";
import { mismatch, parameterProblem, takenUp } from "./parameters.ts";
import type { Storage } from "./ports.ts";
import { type ChannelRow, channelScope, ONLY_ROW } from "./rows.ts";
import type {
  ChannelApi,
  ChannelError,
  ChannelKey,
  ChannelManagerApi,
  ChannelParams,
  ChannelStatus,
  ChannelSummary,
} from "./types.ts";

const LOCKED: ChannelError = { kind: "locked", message: "The extension is locked: unlock it first." };
const NOTHING_READ = { undecryptable: 0, otherLayout: 0, otherMarker: 0, otherChannel: 0, unreadable: 0 };

export interface LockedParts {
  readonly storage: Storage;
  readonly journal: Journal;
  readonly transactor: Transactor;
}

class LockedChannel implements ChannelApi {
  readonly #key: ChannelKey;
  readonly #table: Table<string, ChannelRow>;
  #row: ChannelRow;

  constructor(key: ChannelKey, row: ChannelRow, journal: Journal) {
    this.#key = key;
    this.#table = new Table("channels", journal, channelScope(key), [[ONLY_ROW, row]]);
    this.#row = row;
    this.#table.observe((_key, _before, after) => {
      if (after) this.#row = after;
    });
  }

  get row(): ChannelRow {
    return this.#row;
  }

  get origin(): string {
    return this.#key.origin;
  }

  get isOpen(): boolean {
    return this.#row.open;
  }

  getChannelId(): string {
    return this.#key.channelId;
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
    return this.#row.acknowledgedSeq;
  }

  status(): ChannelStatus {
    return { state: this.#row.open ? "opening" : "closed", health: "NOT_SUBSCRIBED", pending: 0 };
  }

  diagnostics(): ReturnType<ChannelApi["diagnostics"]> {
    return NOTHING_READ;
  }

  summary(): ChannelSummary {
    const { contentTopic, senderId, profile, encryption, placement, keys, label } = this.#row;
    const { createdAt, lastActiveAt, lastSeq, acknowledgedSeq } = this.#row;
    return {
      ...this.#key,
      contentTopic,
      senderId,
      profile,
      encryption,
      placement,
      ...(keys.current === undefined ? {} : { keyId: keys.current }),
      earlierKeyIds: keys.earlier,
      label: label ?? this.#key.channelId,
      createdAt,
      lastActiveAt,
      status: this.status(),
      unacknowledged: lastSeq - acknowledgedSeq,
      members: 0,
    };
  }
}

export class LockedChannels implements ChannelManagerApi {
  readonly #channels: readonly LockedChannel[];
  readonly #transactor: Transactor;

  /** Reads the channels' rows, which hold no content. */
  static async load({ storage, journal, transactor }: LockedParts): Promise<LockedChannels> {
    const rows = await storage.scan("channels", []);
    const channels = rows.flatMap(({ key: [origin, channelId], row }) =>
      typeof origin === "string" && typeof channelId === "string"
        ? [new LockedChannel({ origin, channelId }, row as ChannelRow, journal)]
        : [],
    );
    return new LockedChannels(channels, transactor);
  }

  private constructor(channels: readonly LockedChannel[], transactor: Transactor) {
    this.#channels = channels;
    this.#transactor = transactor;
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

  /** Nothing happens while it is locked. */
  listen(): () => void {
    return () => {};
  }
}
