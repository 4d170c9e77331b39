/**
 * The provider in the background: serves every page's calls from the channel layer, and pushes events.
 *
 * It is written for restart. Whatever it holds in memory, pages tell it again when they reconnect, and what a repeated
 * call came to is read from storage. A call is one of four that change something (`connect`, `create`, `close`, `send`),
 * whose results are kept, or one that may simply be done again.
 */
import type { ConnectionStatus } from "../channel/ports.ts";
import type {
  ChannelApi,
  ChannelError,
  ChannelKey,
  ChannelManagerApi,
  ChannelParams,
  RequestInfo as ChannelRequestInfo,
  EncryptionMode,
} from "../channel/types.ts";
import type { Clock } from "../common/clock.ts";
import type { Result } from "../common/result.ts";
import { ok } from "../common/result.ts";
import type { KeyStore } from "../keys/key-store.ts";
import { LIMITS } from "../limits.ts";
import type { CallResults } from "./call-results.ts";
import type { CipherPages } from "./cipher-pages.ts";
import { seqOf } from "./cursor.ts";
import type { Outcome } from "./failures.ts";
import { fail, fromChannelError, internal, keyRequired, locked, notFound, unknownKey } from "./failures.ts";
import { parseFrame } from "./frame-schema.ts";
import type { Attachment, CallFrame, NetworkState, OpenedChannel, PageFrame, Params, Value } from "./frames.ts";
import { BRIDGE_PORT, PROTOCOL_VERSION } from "./frames.ts";
import type { LockView } from "./lock-view.ts";
import { PageSession, toLogged } from "./page-session.ts";
import type { Ask, Permissions } from "./permissions.ts";
import { ALL_SCOPES } from "./permissions.ts";
import { pageOrigin } from "./principal.ts";
import type { LoggedEvent, Quota, RequestId, RequestInfo, Scope, Session } from "./provider-api.ts";
import { ErrorCode } from "./provider-api.ts";
import { closeRevokedChannels } from "./revoked-channels.ts";
import type { HeldPort } from "./runtime-port.ts";

/** The network as pages see it. */
export interface NetworkView {
  status(): ConnectionStatus;
  /** Called after the status may have changed. */
  listen(listener: () => void): () => void;
}

/** What pages need of the key store. */
export type PageKeys = Pick<KeyStore, "list" | "resolve">;

export interface ProviderServerParts {
  readonly manager: ChannelManagerApi;
  readonly permissions: Permissions;
  readonly results: CallResults;
  readonly network: NetworkView;
  readonly keys: PageKeys;
  readonly vault: LockView;
  /** Told which pages have functions of mode `page`. */
  readonly cipherPages: CipherPages;
  readonly clock: Clock;
  readonly newId: () => string;
  /** `runtime.id`. */
  readonly extensionId: string;
  /** The origin's share of the epoch budget; left out while the budget is off. */
  readonly epoch?: (origin: string) => Quota["epoch"];
}

/** Bytes of one message at most: as many segments as there may be, each with as much as fits (LIP-243). */
export const MAX_MESSAGE_BYTES = (() => {
  const { segmentBytes, headerReserveBytes, shardAlignBytes, totalSegments } = LIMITS.segmentation;
  return Math.floor((segmentBytes - headerReserveBytes) / shardAlignBytes) * shardAlignBytes * totalSegments;
})();

/** Calls whose results are kept for their repetition. */
const KEPT: ReadonlySet<CallFrame["method"]> = new Set<CallFrame["method"]>(["connect", "create", "close", "send"]);

/** Sweeps old call results and finishes what revocations left behind, then serves. */
export async function createProviderServer(parts: ProviderServerParts): Promise<ProviderServer> {
  await parts.results.sweep();
  await closeRevokedChannels(parts.manager, parts.permissions);
  return new ProviderServer(parts);
}

export class ProviderServer {
  readonly #parts: ProviderServerParts;
  readonly #sessions = new Set<PageSession>();
  /** Calls under way by origin and call id: a call that comes in twice, over two ports, is one call. */
  readonly #underWay = new Map<string, Promise<Outcome<unknown>>>();
  /** For each page, the look into storage that later calls of the page must not overtake. */
  readonly #lookups = new WeakMap<PageSession, Promise<unknown>>();
  #network: NetworkState;

  constructor(parts: ProviderServerParts) {
    this.#parts = parts;
    this.#network = this.#networkState();
    parts.manager.listen(({ origin, channelId }, notice) => {
      for (const session of this.#sessionsOf(origin)) session.noticed(channelId, notice);
    });
    parts.manager.heldBy(() => [...this.#sessions].flatMap((session) => session.held()));
    parts.permissions.listen((origin) => this.#permissionsChanged(origin));
    parts.network.listen(() => this.#networkChanged());
    this.#parts.vault.listen(() => this.#networkChanged());
  }

  /** Serves the port if it is a bridge's; one of a page that may not use the provider is closed. */
  accept(port: HeldPort): boolean {
    if (port.name !== BRIDGE_PORT) return false;
    const origin = pageOrigin(port.sender, this.#parts.extensionId);
    if (origin === undefined) {
      port.close();
      return true;
    }
    const { clock, newId, cipherPages } = this.#parts;
    const session = new PageSession(origin, port, clock, newId);
    this.#sessions.add(session);
    port.serve(
      (frame) => this.#onFrame(session, frame),
      () => {
        this.#sessions.delete(session);
        session.closed();
        cipherPages.remove(session);
      },
    );
    return true;
  }

  #onFrame(session: PageSession, raw: unknown): void {
    const parsed = parseFrame(raw);
    if (!parsed.ok) {
      // A frame that is not even a call comes from no page script of ours: nobody waits for an answer.
      if (parsed.callId === undefined) return;
      const { error } = fail(ErrorCode.InvalidParams, parsed.message);
      session.post({ type: "answer", callId: parsed.callId, ok: false, error });
      return;
    }
    const { frame } = parsed;
    switch (frame.type) {
      case "hello":
        this.#onHello(session, frame);
        break;
      case "received":
        session.received(frame.push);
        break;
      case "focused":
        this.#onFocused(session, frame.at);
        break;
      case "cipher":
        session.functions.answered(frame);
        break;
      case "cancel":
        if (session.calls.has(frame.callId)) session.cancelled.add(frame.callId);
        this.#parts.permissions.withdraw(session.origin, frame.callId).catch(() => {});
        break;
      case "call":
        void this.#onCall(session, frame);
    }
  }

  #onHello(session: PageSession, { pageId, attached, focusedAt = 0 }: Extract<PageFrame, { type: "hello" }>): void {
    const { origin } = session;
    session.pageId = pageId;
    this.#onFocused(session, focusedAt);
    session.post({
      type: "welcome",
      version: PROTOCOL_VERSION,
      session: this.#session(session),
      status: this.#networkState(),
    });
    for (const attachment of attached) {
      const { channelId } = attachment;
      if (this.#parts.permissions.grants(origin).length === 0) {
        session.push({ kind: "close", channelId, reason: "revoked" });
      } else if (!this.#attach(session, attachment).ok) {
        // Closed while the page was away, by another page of its origin or in the popup.
        session.push({ kind: "close", channelId, reason: "user" });
      }
    }
  }

  /** Nobody comes to a page in the future. */
  #onFocused(session: PageSession, at: number): void {
    session.focusedAt = Math.min(at, this.#parts.clock.now());
  }

  async #onCall(session: PageSession, frame: CallFrame): Promise<void> {
    const { callId } = frame;
    if (session.calls.size >= LIMITS.provider.callsPerPage && !session.calls.has(callId)) {
      const limit = LIMITS.provider.callsPerPage;
      const message = `This page has ${limit} calls under way: wait for some of them to finish.`;
      const { error } = fail(ErrorCode.LimitExceeded, message, { retryable: true, data: { limit } });
      session.post({ type: "answer", callId, ok: false, error });
      return;
    }
    session.calls.add(callId);
    session.post({ type: "accepted", callId });
    const outcome = await this.#once(session, frame);
    const isWaitedFor = session.calls.delete(callId) && !session.cancelled.delete(callId);
    if (isWaitedFor) session.post({ type: "answer", callId, ...outcome });
  }

  /** Does the call, or waits for it where it is under way, or tells what it came to before. */
  async #once(session: PageSession, frame: CallFrame): Promise<Outcome<unknown>> {
    const name = `${session.origin} ${frame.callId} ${frame.method}`;
    const work = this.#underWay.get(name) ?? this.#start(session, frame);
    this.#underWay.set(name, work);
    const outcome = await work.finally(() => this.#underWay.delete(name));
    // Whoever did the work, it is this page that holds the channel now.
    return outcome.ok && frame.method === "create" ? this.#opened(session, frame.params.channelId) : outcome;
  }

  async #start(session: PageSession, frame: CallFrame): Promise<Outcome<unknown>> {
    try {
      const known = await this.#lookUp(session, frame);
      return known ?? (await this.#perform(session, frame));
    } catch {
      return internal();
    }
  }

  /**
   * What a repeated call came to the first time. Calls of a page take their turn here, so that a message that is sent
   * again is not overtaken by one that came after it.
   */
  #lookUp(session: PageSession, frame: CallFrame): Promise<Outcome<unknown> | undefined> | undefined {
    const before = this.#lookups.get(session);
    const found =
      frame.retry && KEPT.has(frame.method) ? this.#parts.results.find(session.origin, frame.callId) : undefined;
    if (!before && !found) return undefined;
    const turn = Promise.resolve(before).then(() => found);
    const settled = turn.then(
      () => {},
      () => {},
    );
    this.#lookups.set(session, settled);
    void settled.then(() => {
      if (this.#lookups.get(session) === settled) this.#lookups.delete(session);
    });
    return turn;
  }

  #perform(session: PageSession, frame: CallFrame): Promise<Outcome<unknown>> | Outcome<unknown> {
    const { origin } = session;
    const { callId } = frame;
    switch (frame.method) {
      case "connect":
        return this.#connect(session, callId, frame.params);
      case "disconnect":
        session.detachAll();
        this.#parts.cipherPages.remove(session);
        return ok(undefined);
      case "permissions":
        return ok(this.#parts.permissions.grants(origin));
      case "create":
        return this.#create(origin, frame);
      case "attach":
        return this.#attach(session, frame.params);
      case "close":
        return this.#close(origin, callId, frame.params.channelId);
      case "send":
        return this.#send(origin, callId, frame.params);
      case "request":
        return this.#withChannel(origin, frame.params.channelId, "channel:send", (channel) => {
          const request = channel.request(frame.params.requestId);
          return ok(request && toRequestInfo(request));
        });
      case "history":
        return this.#withChannel(origin, frame.params.channelId, "channel:receive", (channel) =>
          history(channel, frame.params),
        );
      case "ack":
        return this.#withChannel(origin, frame.params.channelId, "channel:receive", async (channel) => {
          await channel.acknowledge(seqOf(frame.params.cursor));
          return ok(undefined);
        });
      case "channelStatus":
        return this.#withChannel(origin, frame.params.channelId, undefined, (channel) => ok(channel.status()));
      case "exists":
        return (
          this.#granted(origin) ?? ok(this.#parts.manager.channelExists({ origin, channelId: frame.params.channelId }))
        );
      case "list":
        return this.#granted(origin) ?? ok(this.#list(origin));
      case "status":
        return ok(this.#networkState());
      case "quota":
        return this.#granted(origin) ?? ok(this.#quota(origin));
    }
  }

  async #connect(session: PageSession, callId: string, params: Params<"connect">): Promise<Outcome<Session>> {
    const { onlyIfTrusted = false, scopes = ALL_SCOPES, contentTopics } = params;
    const ask: Ask = { scopes, onlyIfTrusted, ...(contentTopics && { contentTopics }) };
    const allowed = await this.#parts.permissions.request(session.origin, callId, ask);
    return allowed.ok ? ok(this.#session(session)) : allowed;
  }

  async #create(origin: string, frame: Extract<CallFrame, { method: "create" }>): Promise<Outcome<undefined>> {
    const { callId } = frame;
    const { channelId, contentTopic, senderId, profile, parityRate = 0 } = frame.params;
    const { mode, keyId: handle } = frame.params.encryption ?? { mode: "key" };
    // Before anybody is asked: a prompt for something that cannot be done helps nobody.
    if (parityRate > 0) return unsupportedParity();
    const { permissions, manager, results, vault } = this.#parts;
    const key = await this.#keyFor({ origin, channelId }, frame, mode, handle);
    if (!key.ok) return key;
    let { keyId } = key.value;
    if (key.value.ask || vault.locked || permissions.refusal(origin, "channel:create", contentTopic)) {
      const narrow = permissions.grants(origin).some((grant) => grant.contentTopics !== undefined);
      const allowed = await permissions.request(origin, callId, {
        scopes: ALL_SCOPES,
        ...(narrow && { contentTopics: [contentTopic] }),
        channel: { channelId, contentTopic, encryption: mode, profile: profile ?? "logos" },
        ...(key.value.ask && { keyChoice: key.value.ask }),
      });
      if (!allowed.ok) return allowed;
      keyId ??= allowed.value.keyId;
    }
    if (key.value.ask && keyId === undefined) return keyRequired();
    const wanted: ChannelParams = {
      origin,
      channelId,
      contentTopic,
      encryption: mode,
      ...(keyId !== undefined && { keyId }),
      ...(senderId !== undefined && { senderId }),
      ...(profile !== undefined && { profile }),
    };
    const keep = (created: Result<ChannelApi, ChannelError>): void => {
      if (created.ok) results.put(origin, callId, ok(undefined));
    };
    let channel = await manager.attach(wanted);
    if (!channel.ok && channel.error.kind === "unknown-channel") {
      channel = await manager.createReliableChannel(wanted, keep);
      // Another page of the origin was faster.
      if (!channel.ok && channel.error.kind === "already-exists") channel = await manager.attach(wanted);
    }
    if (!channel.ok) return fromChannelError(channel.error);
    // An invitation made the channel while the person was asked: what they chose after all counts.
    if (key.value.ask && keyId !== undefined && channel.value.summary().keyId !== keyId) {
      const changed = await manager.changeKey({ origin, channelId }, keyId);
      if (!changed.ok) return fromChannelError(changed.error);
    }
    return ok(undefined);
  }

  /**
   * The stored id of the key that a new encrypted channel is made with, or that the person is to be asked for one. A
   * channel that is there already, open or closed, has its key.
   */
  async #keyFor(
    channel: ChannelKey,
    { callId, retry }: CallFrame,
    mode: EncryptionMode,
    handle: string | undefined,
  ): Promise<Outcome<{ readonly keyId?: string; readonly ask?: NonNullable<Ask["keyChoice"]> }>> {
    const { keys, manager, results } = this.#parts;
    const { origin, channelId } = channel;
    const exists = manager.summaries().some((known) => known.origin === origin && known.channelId === channelId);
    if (mode !== "key" || exists) return ok({});
    if (handle !== undefined) {
      const resolved = keys.resolve(origin, handle);
      return resolved.ok ? ok({ keyId: resolved.value }) : unknownKey();
    }
    const chosen = retry ? await results.findChosenKey(origin, callId) : undefined;
    if (chosen) return chosen.keyId === undefined ? keyRequired() : ok({ keyId: chosen.keyId });
    // One that the site may use and no channel does: of an invitation, or of a channel that was deleted.
    const suggested = keys.list().findLast(({ origins, uses }) => origins.includes(origin) && uses.length === 0)?.id;
    return ok({ ask: suggested === undefined ? {} : { suggested } });
  }

  /** The answer to `create`, and the page holds the channel from here on. */
  #opened(session: PageSession, channelId: string): Outcome<OpenedChannel> {
    // The result may be an old one, of a time before the person took the grant away.
    const refused = this.#granted(session.origin);
    if (refused) return refused;
    const channel = this.#parts.manager.channel({ origin: session.origin, channelId });
    if (!channel) return fromChannelError({ kind: "closed", message: "the channel was closed again" });
    session.attach(channel, false, 0);
    return ok({
      channelId,
      contentTopic: channel.getContentTopic(),
      senderId: channel.getSenderId(),
      session: this.#session(session),
    });
  }

  #attach(session: PageSession, { channelId, events, after, cipher = false }: Attachment): Outcome<undefined> {
    // Before anything else: whoever holds a channel is told how it is, keeps it going, and may encrypt what is sent.
    const refused = this.#granted(session.origin);
    if (refused) return refused;
    const { manager, permissions, cipherPages } = this.#parts;
    const channel = manager.channel({ origin: session.origin, channelId });
    if (!channel) return notFound(channelId);
    const mayReceive = !permissions.refusal(session.origin, "channel:receive", channel.getContentTopic());
    session.attach(channel, events && mayReceive, seqOf(after));
    manager.attended({ origin: session.origin, channelId });
    if (cipher && channel.summary().encryption === "page") cipherPages.offer(session, channelId);
    return ok(undefined);
  }

  async #close(origin: string, callId: string, channelId: string): Promise<Outcome<undefined>> {
    const refused = this.#granted(origin);
    if (refused) return refused;
    const closed = await this.#parts.manager.closeChannel({ origin, channelId }, "page", (result) => {
      if (result.ok) this.#parts.results.put(origin, callId, ok(undefined));
    });
    return closed.ok ? ok(undefined) : fromChannelError(closed.error);
  }

  #send(origin: string, callId: string, params: Params<"send">): Promise<Outcome<string>> | Outcome<string> {
    const { channelId, message, ephemeral, idempotencyKey } = params;
    return this.#withChannel(origin, channelId, "channel:send", async () => {
      if (this.#parts.vault.locked) return locked();
      const options = {
        ...(ephemeral !== undefined && { ephemeral }),
        ...(idempotencyKey !== undefined && { idempotencyKey }),
      };
      const sent = await this.#parts.manager.send({ origin, channelId }, message, options, (result) => {
        if (result.ok) this.#parts.results.put(origin, callId, result);
      });
      return sent.ok ? sent : fromChannelError(sent.error);
    });
  }

  #quota(origin: string): Quota {
    return {
      maxMessageBytes: MAX_MESSAGE_BYTES,
      maxChannels: LIMITS.origin.channels,
      maxPending: LIMITS.origin.pendingRequests,
      pending: this.#parts.manager.pendingRequests(origin),
      epoch: this.#parts.epoch?.(origin) ?? null,
    };
  }

  #list(origin: string): Value<"list"> {
    return this.#parts.manager.channels(origin).map((channel) => {
      const { channelId, contentTopic, senderId, encryption, status, unacknowledged } = channel.summary();
      return { channelId, contentTopic, senderId, encryption, status, unacknowledged };
    });
  }

  /** Why the origin may not call at all; `undefined` if it may. */
  #granted(origin: string): Outcome<never> | undefined {
    const { permissions } = this.#parts;
    return permissions.grants(origin).length > 0 ? undefined : permissions.refusal(origin, "channel:create");
  }

  #withChannel<T>(
    origin: string,
    channelId: string,
    scope: Scope | undefined,
    use: (channel: ChannelApi) => Promise<Outcome<T>> | Outcome<T>,
  ): Promise<Outcome<T>> | Outcome<T> {
    const { manager, permissions } = this.#parts;
    const refused = this.#granted(origin);
    if (refused) return refused;
    const channel = manager.channel({ origin, channelId });
    if (!channel) return notFound(channelId);
    const unscoped = scope && permissions.refusal(origin, scope, channel.getContentTopic());
    return unscoped ?? use(channel);
  }

  #session({ origin, pageId = "" }: PageSession): Session {
    const { permissions, vault } = this.#parts;
    return { sessionId: pageId, grants: permissions.grants(origin), locked: vault.locked };
  }

  #networkState(): NetworkState {
    return { network: this.#parts.network.status(), locked: this.#parts.vault.locked };
  }

  #networkChanged(): void {
    const status = this.#networkState();
    if (status.network === this.#network.network && status.locked === this.#network.locked) return;
    this.#network = status;
    for (const session of this.#sessions) session.push({ kind: "status", status });
  }

  #permissionsChanged(origin: string): void {
    const grants = this.#parts.permissions.grants(origin);
    for (const session of this.#sessionsOf(origin)) {
      session.push({ kind: "permissions", grants });
      if (grants.length > 0) continue;
      session.revoked();
      this.#parts.cipherPages.remove(session);
    }
  }

  #sessionsOf(origin: string): PageSession[] {
    return [...this.#sessions].filter((session) => session.origin === origin);
  }
}

/** In the page contract's words. */
function toRequestInfo({ requestId, state, segments, createdAt, error }: ChannelRequestInfo): RequestInfo {
  const failed = error === undefined ? {} : { error };
  return { requestId: requestId as RequestId, state, segments, createdAt, ...failed };
}

/** One answer's worth of history: bounded in bytes, and never empty where there is something. */
async function history(channel: ChannelApi, params: Params<"history">): Promise<Outcome<Value<"history">>> {
  const { historyBytes, historyPage } = LIMITS.provider;
  const events: LoggedEvent[] = [];
  let after = seqOf(params.after);
  let bytes = 0;
  while (events.length < params.limit && bytes < historyBytes) {
    const wanted = Math.min(historyPage, params.limit - events.length);
    const page = await channel.history(after, wanted);
    for (const event of page) {
      events.push(toLogged(event, true));
      after = event.seq;
      if (event.type === "reliable:message:received") bytes += event.message.length;
    }
    if (page.length < wanted) return ok({ events, more: false });
  }
  return ok({ events, more: true });
}

function unsupportedParity(): Outcome<never> {
  return fail(ErrorCode.Unsupported, "This version sends no parity segments: leave parityRate out, or pass 0.");
}
