/**
 * A channel layer without protocol: channels, requests and an event log, kept in tables like the real one's, so that
 * what a dying worker leaves behind is what it had committed.
 */
import type { Storage } from "../../src/channel/ports.ts";
import type {
  ChannelApi,
  ChannelError,
  ChannelErrorKind,
  ChannelEvent,
  ChannelKey,
  ChannelListener,
  ChannelManagerApi,
  ChannelNotice,
  ChannelParams,
  ChannelSendOptions,
  ChannelStatus,
  ChannelSummary,
  InTransaction,
  RequestId,
  RequestInfo,
} from "../../src/channel/types.ts";
import type { Bytes } from "../../src/common/bytes.ts";
import type { Clock } from "../../src/common/clock.ts";
import type { Result } from "../../src/common/result.ts";
import { err, ok } from "../../src/common/result.ts";
import type { Journal } from "../../src/common/table.ts";
import { Table } from "../../src/common/table.ts";
import type { Transactor } from "../../src/common/transactor.ts";

interface ChannelRow extends ChannelParams {
  readonly senderId: string;
  readonly open: boolean;
  readonly acknowledged: number;
}

interface SendRow extends ChannelKey {
  readonly requestId: RequestId;
  readonly payload: Bytes;
  readonly options: ChannelSendOptions;
  readonly state: RequestInfo["state"];
}

type Loggable = ChannelEvent extends infer E ? (E extends ChannelEvent ? Omit<E, "seq" | "at"> : never) : never;

export interface FakeManagerParts {
  readonly journal: Journal;
  readonly transactor: Transactor;
  readonly storage: Storage;
  readonly clock: Clock;
}

const nameOf = ({ origin, channelId }: ChannelKey): string => `${origin} ${channelId}`;

export class FakeChannelManager implements ChannelManagerApi {
  readonly #parts: FakeManagerParts;
  readonly #channels: Table<string, ChannelRow>;
  readonly #sends: Table<string, SendRow>;
  readonly #events: Table<string, ChannelKey & { readonly event: ChannelEvent }>;
  readonly #listeners = new Set<ChannelListener>();
  /** The failure of every following operation that can fail. */
  failure: ChannelError | undefined;
  /** The channels that pages said to hold, as they attached. */
  readonly attendances: ChannelKey[] = [];
  /** Which channels pages hold at that moment. */
  held: () => Iterable<ChannelKey> = () => [];
  /** Awaited by every read of a log. */
  beforeHistory: () => Promise<void> | void = () => {};

  static async load(parts: FakeManagerParts): Promise<FakeChannelManager> {
    const manager = new FakeChannelManager(parts);
    const rowsOf = async <R>(table: string): Promise<[string, R][]> =>
      (await parts.storage.scan(table, [])).map(({ key, row }) => [String(key[0]), row as R]);
    for (const [key, row] of await rowsOf<ChannelRow>("channels")) manager.#channels.put(key, row);
    for (const [key, row] of await rowsOf<SendRow>("requests")) manager.#sends.put(key, row);
    for (const [key, row] of await rowsOf<ChannelKey & { event: ChannelEvent }>("events"))
      manager.#events.put(key, row);
    parts.journal.take();
    return manager;
  }

  private constructor(parts: FakeManagerParts) {
    this.#parts = parts;
    this.#channels = new Table("channels", parts.journal, []);
    this.#sends = new Table("requests", parts.journal, []);
    this.#events = new Table("events", parts.journal, []);
  }

  /** What was sent and is durable or about to be, oldest first. */
  get sends(): readonly SendRow[] {
    return [...this.#sends.values()];
  }

  /** Logs an event and tells it, as the channel layer does. */
  async log(key: ChannelKey, loggable: Loggable): Promise<ChannelEvent> {
    const { transactor, clock } = this.#parts;
    const event = await transactor.run(() => {
      const seq = this.#eventsOf(key).length + 1;
      const logged = { ...loggable, seq, at: clock.now() } as ChannelEvent;
      this.#events.put(`${nameOf(key)} ${String(seq).padStart(6, "0")}`, { ...key, event: logged });
      return logged;
    });
    this.tell(key, { type: "event", event });
    return event;
  }

  tell(key: ChannelKey, notice: ChannelNotice): void {
    for (const listener of this.#listeners) listener(key, notice);
  }

  fail(kind: ChannelErrorKind, limit?: number): void {
    this.failure = { kind, message: `the ${kind} failure`, ...(limit !== undefined && { limit }) };
  }

  async createReliableChannel(
    params: ChannelParams,
    inTransaction?: InTransaction<Result<ChannelApi, ChannelError>>,
  ): Promise<Result<ChannelApi, ChannelError>> {
    return this.#parts.transactor.run(() => {
      const result = this.#create(params);
      inTransaction?.(result);
      return result;
    });
  }

  #create(params: ChannelParams): Result<ChannelApi, ChannelError> {
    if (this.failure) return err(this.failure);
    const before = this.#channels.get(nameOf(params));
    if (!before && params.encryption === "key" && params.keyId === undefined) {
      return err({ kind: "key-required", message: "an encrypted channel needs a key" });
    }
    if (before?.open) return err({ kind: "already-exists", message: `channel already exists: ${params.channelId}` });
    const senderId = params.senderId ?? before?.senderId ?? `sender of ${params.channelId}`;
    const { prepared: _, ...known } = before ?? {};
    this.#channels.put(nameOf(params), { acknowledged: 0, ...params, ...known, senderId, open: true });
    return ok(this.#api(params));
  }

  /** Nothing is suspended here. */
  attended(key: ChannelKey): void {
    this.attendances.push(key);
  }

  heldBy(pages: () => Iterable<ChannelKey>): void {
    this.held = pages;
  }

  async attach(params: ChannelParams): Promise<Result<ChannelApi, ChannelError>> {
    const row = this.#channels.get(nameOf(params));
    if (!row?.open) return err({ kind: "unknown-channel", message: `unknown channel: ${params.channelId}` });
    if (
      row.contentTopic !== params.contentTopic ||
      row.encryption !== params.encryption ||
      (!row.prepared && (params.senderId ?? row.senderId) !== row.senderId)
    ) {
      return err({ kind: "mismatch", message: "the channel was made with other parameters" });
    }
    if (row.prepared) {
      const { prepared: _, ...settled } = row;
      const senderId = params.senderId ?? row.senderId;
      await this.#parts.transactor.run(() => this.#channels.put(nameOf(params), { ...settled, senderId }));
    }
    return ok(this.#api(params));
  }

  async closeChannel(
    key: ChannelKey,
    reason: "page" | "user" | "revoked",
    inTransaction?: InTransaction<Result<void, ChannelError>>,
  ): Promise<Result<void, ChannelError>> {
    const closed = await this.#parts.transactor.run((): Result<void, ChannelError> => {
      const row = this.#channels.get(nameOf(key));
      const result: Result<void, ChannelError> = row?.open
        ? ok(undefined)
        : err({ kind: "unknown-channel", message: `unknown channel: ${key.channelId}` });
      if (row?.open) this.#channels.put(nameOf(key), { ...row, open: false });
      inTransaction?.(result);
      return result;
    });
    if (closed.ok) this.tell(key, { type: "close", reason });
    return closed;
  }

  async send(
    key: ChannelKey,
    payload: Bytes,
    options: ChannelSendOptions = {},
    inTransaction?: InTransaction<Result<RequestId, ChannelError>>,
  ): Promise<Result<RequestId, ChannelError>> {
    return this.#parts.transactor.run(() => {
      const result = this.#send(key, payload, options);
      inTransaction?.(result);
      return result;
    });
  }

  #send(key: ChannelKey, payload: Bytes, options: ChannelSendOptions): Result<RequestId, ChannelError> {
    if (this.failure) return err(this.failure);
    if (payload.length === 0) return err({ kind: "empty-payload", message: "empty payload" });
    const requestId = `request ${this.#sends.size + 1}`;
    const { origin, channelId } = key;
    this.#sends.put(requestId, { origin, channelId, requestId, payload, options, state: "sending" });
    return ok(requestId);
  }

  pendingRequests(origin: string): number {
    return this.sends.filter((send) => send.origin === origin && send.state === "sending").length;
  }

  channelExists(key: ChannelKey): boolean {
    return this.#channels.get(nameOf(key))?.open === true;
  }

  channel(key: ChannelKey): ChannelApi | undefined {
    return this.channelExists(key) ? this.#api(key) : undefined;
  }

  channels(origin?: string): readonly ChannelApi[] {
    return [...this.#channels.values()]
      .filter((row) => row.open && (origin === undefined || row.origin === origin))
      .map((row) => this.#api(row));
  }

  summaries(): readonly ChannelSummary[] {
    return [...this.#channels.values()].map((row) => this.#api(row).summary());
  }

  rename(key: ChannelKey, label: string): Promise<Result<void, ChannelError>> {
    return this.#change(key, (row) => ({ ...row, label }));
  }

  changeKey(key: ChannelKey, keyId: string): Promise<Result<void, ChannelError>> {
    return this.#change(key, (row) => {
      const earlierKeyIds = [...(row.keyId === undefined ? [] : [row.keyId]), ...(row.earlierKeyIds ?? [])];
      return { ...row, keyId, earlierKeyIds };
    });
  }

  deleteChannel(key: ChannelKey): Promise<Result<void, ChannelError>> {
    return this.#change(key, () => undefined);
  }

  /** The requests of a channel come to this. */
  async settle(key: ChannelKey, state: RequestInfo["state"]): Promise<void> {
    await this.#parts.transactor.run(() => {
      for (const send of this.sends) {
        if (nameOf(send) === nameOf(key)) this.#sends.put(send.requestId, { ...send, state });
      }
    });
  }

  #change(key: ChannelKey, change: (row: ChannelRow) => ChannelRow | undefined): Promise<Result<void, ChannelError>> {
    return this.#parts.transactor.run((): Result<void, ChannelError> => {
      if (this.failure) return err(this.failure);
      const row = this.#channels.get(nameOf(key));
      if (!row) return err({ kind: "unknown-channel", message: `unknown channel: ${key.channelId}` });
      const changed = change(row);
      if (changed) this.#channels.put(nameOf(key), changed);
      else this.#channels.delete(nameOf(key));
      return ok(undefined);
    });
  }

  listen(listener: ChannelListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #retry(requestId: RequestId): Promise<Result<void, ChannelError>> {
    return this.#parts.transactor.run((): Result<void, ChannelError> => {
      const send = this.#sends.get(requestId);
      if (!send?.state.endsWith("-error")) {
        return err({ kind: "invalid", message: "only a request that failed can be sent again" });
      }
      this.#sends.put(requestId, { ...send, state: "sending" });
      return ok(undefined);
    });
  }

  #row(key: ChannelKey): ChannelRow {
    const row = this.#channels.get(nameOf(key));
    if (!row) throw new Error(`no channel ${nameOf(key)}`);
    return row;
  }

  #eventsOf(key: ChannelKey): readonly ChannelEvent[] {
    return [...this.#events.values()].filter((row) => nameOf(row) === nameOf(key)).map(({ event }) => event);
  }

  #api(key: ChannelKey): ChannelApi {
    const { origin, channelId } = key;
    const requests = (): RequestInfo[] =>
      this.sends
        .filter((send) => nameOf(send) === nameOf(key))
        .map(({ requestId, state, payload }) => ({
          requestId,
          state,
          segments: { total: 1, confirmed: 0, failed: 0, acknowledged: 0 },
          bytes: payload.length,
          createdAt: 0,
        }));
    const status = (): ChannelStatus => ({
      state: this.#row(key).open ? "open" : "closed",
      health: "SUFFICIENTLY_HEALTHY",
      pending: requests().length,
    });
    return {
      origin,
      getChannelId: () => channelId,
      getContentTopic: () => this.#row(key).contentTopic,
      getSenderId: () => this.#row(key).senderId,
      send: (payload, options, inTransaction) => this.send(key, payload, options, inTransaction),
      request: (requestId) => requests().find((request) => request.requestId === requestId),
      requests,
      retry: (requestId) => this.#retry(requestId),
      history: async (after, limit) => {
        const events = this.#eventsOf(key);
        await this.beforeHistory();
        return events.filter(({ seq }) => seq > after).slice(0, limit);
      },
      acknowledge: async (seq) => {
        await this.#parts.transactor.run(() => {
          const row = this.#row(key);
          this.#channels.put(nameOf(key), { ...row, acknowledged: Math.max(row.acknowledged, seq) });
        });
      },
      acknowledged: () => this.#row(key).acknowledged,
      diagnostics: () => ({ otherMarker: 0, undecryptable: 0, otherLayout: 0, unreadable: 0, otherChannel: 0 }),
      status,
      summary: (): ChannelSummary => ({
        origin,
        channelId,
        contentTopic: this.#row(key).contentTopic,
        senderId: this.#row(key).senderId,
        profile: this.#row(key).profile ?? "logos",
        encryption: this.#row(key).encryption,
        placement: this.#row(key).placement ?? "envelope",
        ...(this.#row(key).keyId === undefined ? {} : { keyId: this.#row(key).keyId ?? "" }),
        earlierKeyIds: this.#row(key).earlierKeyIds ?? [],
        label: this.#row(key).label ?? channelId,
        createdAt: 0,
        lastActiveAt: 0,
        status: status(),
        unacknowledged: this.#eventsOf(key).length - this.#row(key).acknowledged,
        members: 0,
      }),
    };
  }
}
