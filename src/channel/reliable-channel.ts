/**
 * One reliable channel: segmentation, SDS (end-to-end reliability), rate limit, encryption and dispatch over the
 * Messaging API, and back.
 *
 *     outgoing   Segment → SDS → Rate limit → Encrypt → Dispatch
 *     incoming   Decrypt → SDS → Reassemble → Emit
 *
 * `send` runs the first three stages in one transaction; what the rate limiter lets go stands in the outbox, from which
 * `onReadyToSend` runs the last two, now or after a restart. `onMessageReceived` decrypts first and runs the rest in one
 * transaction. While the cipher is away, what comes is parked and what goes waits in the outbox, and no timer runs; when it
 * is back, `resume` sends both on their way. Source: LIP-173 (RELIABLE-CHANNEL-API).
 */
import { type Bytes, equalBytes } from "../common/bytes.ts";
import { OrderedIndex } from "../common/ordered-index.ts";
import { err, ok, type Result, reasonOf } from "../common/result.ts";
import type { Table } from "../common/table.ts";
import type { Cipher } from "../encryption/cipher.ts";
import { InTurn } from "../encryption/in-turn.ts";
import { LIMITS } from "../limits.ts";
import type { QueuedMessage, UpkeepKind } from "../rate-limit/rate-limit-manager.ts";
import type { SdsOutcome } from "../sds/outcome.ts";
import type { Participant } from "../sds/participant.ts";
import type { SdsTables } from "../sds/tables.ts";
import type { Reassembler, Release } from "../segmentation/reassembler.ts";
import { type Arrival, Diagnostics, type Unread } from "./diagnostics.ts";
import { Drain } from "./drain.ts";
import { type EventBody, EventLog } from "./event-log.ts";
import { Intake } from "./intake.ts";
import { MissingSearch } from "./missing-search.ts";
import { takenUp } from "./parameters.ts";
import { ParkedMessages } from "./parked-messages.ts";
import { type Decrypted, encryptionFailed, PlacedCipher } from "./placed-cipher.ts";
import type { MessageEnvelope, MessageHash, MessagingRequestId, ReceivedMessage, SendFailure } from "./ports.ts";
import { isOtherLayout, type ProfileWire } from "./profiles.ts";
import { type ChannelRow, type ChannelTables, ONLY_ROW, type OutboxRow, readWith } from "./rows.ts";
import { type Outcome, SendState } from "./send-state.ts";
import type { Shell, ShellMember } from "./shell.ts";
import type {
  ChannelApi,
  ChannelDiagnostics,
  ChannelError,
  ChannelEvent,
  ChannelKey,
  ChannelSendOptions,
  ChannelStatus,
  ChannelSummary,
  InTransaction,
  RequestFailure,
  RequestId,
  RequestInfo,
} from "./types.ts";

/** The stages of the pipeline and the state of one channel, as the manager puts them together. */
export interface ChannelParts {
  readonly key: ChannelKey;
  readonly tables: ChannelTables;
  readonly sds: Participant;
  readonly wires: SdsTables["wires"];
  /** SDS message ids of the rows in `wires`. */
  readonly keptWires: () => Iterable<string>;
  /** Every table of the channel that is held in memory. */
  readonly hotTables: readonly Pick<Table<string | number, unknown>, "keys" | "delete">[];
  readonly reassembler: Reassembler;
  readonly cipher: Cipher;
  readonly profile: ProfileWire;
  readonly shell: Shell;
  /** Why the origin may not send `bytes` more now; `undefined` if it may. */
  readonly exceeded: (bytes: number) => ChannelError | undefined;
  /** What became of a message that was parked: `undefined` where it was read, or else why it meant nothing. */
  readonly onUnparked: (messageHash: MessageHash, unread: Unread | undefined) => void;
}

export type CloseReason = "page" | "user" | "revoked" | "error";

const NOT_KEPT: RequestFailure = { kind: "not-kept", error: "the message is no longer kept" };
const WAITED_TOO_LONG: RequestFailure = { kind: "rate-limit", error: "ephemeral message dropped: rate limit" };
/** What is told of a lost message. */
type LostEvent = Pick<SdsOutcome["lost"][number], "messageId" | "senderId" | "reason">;

const CLOSED: ChannelError = { kind: "closed", message: "channel is closed" };

export class ReliableChannel implements ChannelApi, ShellMember {
  readonly key: ChannelKey;
  readonly #parts: Pick<ChannelParts, "keptWires" | "hotTables" | "onUnparked">;
  readonly #tables: ChannelTables;
  readonly #sds: Participant;
  readonly #wires: SdsTables["wires"];
  readonly #reassembler: Reassembler;
  readonly #cipher: PlacedCipher;
  readonly #profile: ProfileWire;
  readonly #shell: Shell;
  readonly #exceeded: ChannelParts["exceeded"];
  readonly #sendState: SendState;
  readonly #log: EventLog;
  readonly #parked: ParkedMessages;
  readonly #intake: Intake;
  readonly #dispatching: Drain<number>;
  readonly #unparking: Drain<MessageHash>;
  readonly #search: MissingSearch;
  readonly #diagnostics = new Diagnostics();
  readonly #outgoingInTurn = new InTurn();
  readonly #incomingInTurn = new InTurn();
  #row: ChannelRow;
  #nextOutboxKey = 1;
  #subscribed = false;
  #stopped = false;
  #toldStatus = "";
  /** Whether timers stood still when time was told last. */
  #stoodStill = true;

  constructor(parts: ChannelParts) {
    this.key = parts.key;
    this.#parts = parts;
    this.#tables = parts.tables;
    this.#sds = parts.sds;
    this.#wires = parts.wires;
    this.#reassembler = parts.reassembler;
    this.#profile = parts.profile;
    this.#shell = parts.shell;
    this.#exceeded = parts.exceeded;
    this.#sendState = new SendState(parts.tables);
    this.#log = new EventLog(parts.key, parts.tables, parts.shell.parts.storage);
    this.#intake = new Intake({
      table: parts.tables.channel,
      log: this.#log,
      messaging: parts.shell.parts.messaging,
      room: parts.shell.parts.room,
      clock: parts.shell.parts.clock,
      hasRoom: () => this.#parked.size === 0,
      transact: (event) => this.#transact(event),
    });
    const row = parts.tables.channel.get(ONLY_ROW);
    if (row === undefined) throw new Error(`channel ${parts.key.channelId} has no row`);
    this.#row = row;
    parts.tables.channel.observe((_key, _before, after) => {
      if (after) this.#row = after;
    });
    for (const key of parts.tables.outbox.keys()) this.#nextOutboxKey = Math.max(this.#nextOutboxKey, key + 1);
    this.#cipher = new PlacedCipher({
      cipher: parts.cipher,
      mode: row.encryption,
      placement: row.placement,
      context: { channelId: parts.key.channelId, contentTopic: row.contentTopic },
      layout: parts.profile.layout,
      senderId: () => this.#row.senderId,
    });
    this.#parked = new ParkedMessages(parts.tables, parts.shell.parts.storage);
    const { outbox } = parts.tables;
    const inTurn = new OrderedIndex(outbox, (_item, key) => key);
    this.#dispatching = new Drain(
      () => (this.holdsOutgoing ? undefined : inTurn.first()?.key),
      async (key) => {
        const item = outbox.get(key);
        if (item) await this.#handOver(key, item);
      },
    );
    this.#unparking = new Drain(
      () => (this.#mayUnpark ? this.#parked.oldest : undefined),
      (messageHash) => this.#unpark(messageHash),
    );
    this.#search = new MissingSearch({
      contentTopic: row.contentTopic,
      messaging: parts.shell.parts.messaging,
      clock: parts.shell.parts.clock,
      // What is parked may be exactly that.
      missing: () => (this.isOpen && !this.#standsStill && this.#parked.size === 0 ? parts.sds.missing() : []),
    });
  }

  get origin(): string {
    return this.key.origin;
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

  get row(): ChannelRow {
    return this.#row;
  }

  get isOpen(): boolean {
    return this.#row.open;
  }

  get #erased(): boolean {
    return !this.#tables.channel.has(ONLY_ROW);
  }

  /** Requests without an outcome, and the bytes of their payloads. */
  get openRequests(): { readonly count: number; readonly bytes: number } {
    return this.#sendState.openRequests;
  }

  /** What stands in the outbox waits for the cipher. */
  get holdsOutgoing(): boolean {
    return this.#cipher.holdsOutgoing;
  }

  /** Effects that are decided and not yet handed to the messaging layer. */
  get undispatched(): number {
    return this.#tables.outbox.size;
  }

  /**
   * Sends `payload`: 1 to 26,181,632 bytes. Resolves once the request is durable. The first three stages of the outgoing
   * pipeline are chained here; `onReadyToSend` runs the others.
   */
  async send(
    payload: Bytes,
    options: ChannelSendOptions = {},
    inTransaction?: InTransaction<Result<RequestId, ChannelError>>,
  ): Promise<Result<RequestId, ChannelError>> {
    const requestId = this.#shell.parts.chance.newId();
    const accept = (encrypted: Result<readonly Bytes[] | undefined, ChannelError>) =>
      this.#transact((now) => {
        const accepted = encrypted.ok ? this.#accept(requestId, payload, encrypted.value, options, now) : encrypted;
        inTransaction?.(accepted);
        return accepted;
      });
    if (this.#row.placement === "envelope") return accept(ok(undefined));
    // One after the other, or a short message would overtake a long one that is still being encrypted.
    return this.#outgoingInTurn.take(
      async () => ok(await this.#encryptContents(payload)),
      (encrypted) => accept(encrypted.ok ? encrypted.value : err(encryptionFailed(encrypted.error))),
    );
  }

  #accept(
    requestId: RequestId,
    payload: Bytes,
    encrypted: readonly Bytes[] | undefined,
    { ephemeral = false, idempotencyKey }: ChannelSendOptions,
    now: number,
  ): Result<RequestId, ChannelError> {
    if (!this.isOpen) return err(CLOSED);
    if (payload.length === 0) return err({ kind: "empty-payload", message: "empty payload" });
    const earlier = idempotencyKey === undefined ? undefined : this.#sendState.requestOf(idempotencyKey);
    if (earlier !== undefined) return ok(earlier);
    // What is encrypted already needs no cipher any more.
    const refused =
      (encrypted === undefined ? this.#cipher.refusal : undefined) ??
      this.#exceeded(payload.length) ??
      this.#logFull() ??
      this.#storageFull();
    if (refused) return err(refused);

    const segments = encrypted === undefined ? this.#segment(payload) : ok(encrypted);
    if (!segments.ok) return segments;
    // From the first message on, the others know the channel's member by its sender id.
    this.takeUp();
    this.attend(now);
    const total = segments.value.length;
    const messageIds = segments.value.map((segment, index) => {
      const nanoseconds = this.#shell.parts.chance.nanoseconds();
      const part = total === 1 ? {} : { part: { whole: requestId, index, total } };
      return this.#sds.wrapOutgoing(segment, { now, nanoseconds, ephemeral, ...part }).messageId;
    });
    // It says all that a sync message would.
    if (!ephemeral) this.#withdraw("sync");
    const entries = this.#sendState.accept({
      requestId,
      createdAt: now,
      bytes: payload.length,
      ephemeral,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      messageIds,
    });
    entries.forEach((entry, index) => {
      this.#enqueueToSend({ owner: { kind: "segment", entry }, messageId: messageIds[index] ?? "", ephemeral }, now);
    });
    this.#touch(now);
    return ok(requestId);
  }

  /** What becomes of a message is logged: where nobody handles what is, there is no room for more. */
  #logFull(): ChannelError | undefined {
    if (this.#log.fullness() < 1) return undefined;
    return { kind: "limit", message: "the channel's log is full of events that nobody handled: handle some first" };
  }

  /** Without the bound: how much others hold is no site's business. */
  #storageFull(): ChannelError | undefined {
    if (!this.#shell.parts.room.isFull()) return undefined;
    const message =
      "the extension's storage is full: ask the person to delete channels that are not needed any more, in its popup";
    return { kind: "limit", message };
  }

  /**
   * With placement `content`: the segments, each encrypted. All of them before any is wrapped, so that a cipher that fails
   * at the last one leaves nothing behind.
   */
  async #encryptContents(payload: Bytes): Promise<Result<readonly Bytes[] | undefined, ChannelError>> {
    if (payload.length === 0) return ok(undefined);
    const segments = this.#segment(payload);
    return segments.ok ? this.#cipher.encryptContents(segments.value) : segments;
  }

  #segment(payload: Bytes): Result<readonly Bytes[], ChannelError> {
    const segments = this.#profile.split(payload);
    if (segments.ok) return segments;
    return err({ kind: "payload-too-large", message: segments.error.message, limit: segments.error.limit });
  }

  /** `rate_limit_manager.enqueueToSend` of the seed: the limiter lets it go in this transaction or in a later one. */
  #enqueueToSend(message: Pick<QueuedMessage, "owner" | "messageId" | "ephemeral">, now: number): boolean {
    return this.#shell.parts.rateLimit.enqueueToSend({ ...this.key, ...message, enqueuedAt: now });
  }

  /** Inside a transaction: what waits for the limiter need not be sent any more. */
  #withdraw(kind: UpkeepKind, messageId?: string): void {
    this.#shell.parts.rateLimit.withdraw(this.key, kind, messageId);
  }

  /** Dispatches the failed segments of a request again: the same SDS messages, under the same request. */
  async retry(requestId: RequestId): Promise<Result<void, ChannelError>> {
    return this.#transact((now) => {
      if (!this.isOpen) return err(CLOSED);
      const retried = this.#sendState.retry(requestId);
      if (!retried.ok) return err({ kind: "invalid", message: retried.error });
      const leaving = new Set(retried.value.entries.map(({ messageId }) => messageId));
      for (const messageId of this.#sendState.awaited(requestId)) {
        this.#sds.resume(messageId, now, leaving.has(messageId));
      }
      for (const { entry, messageId } of retried.value.entries) {
        this.#enqueueToSend({ owner: { kind: "segment", entry }, messageId, ephemeral: false }, now);
      }
      this.#conclude(retried.value.outcomes);
      return ok(undefined);
    });
  }

  /**
   * Inside a transaction. The released message belongs to the first entry that still waits, which it names; one that names
   * none is made now.
   */
  onReleased({ owner, messageId, ephemeral }: QueuedMessage, now: number): void {
    // A surplus release has no waiting entry: drop it rather than send what nobody waits for.
    if (owner.kind === "segment" && !this.#sendState.isAwaiting(owner.entry, messageId)) {
      if (ephemeral && messageId !== undefined) this.#sds.forget(messageId);
      return;
    }
    this.#tables.outbox.put(this.#nextOutboxKey++, {
      owner,
      ...(owner.kind === "sync" || messageId === undefined ? this.#sds.wrapSync(now) : { messageId }),
      ephemeral,
      dispatchId: this.#shell.parts.chance.newId(),
    });
  }

  /** Inside a transaction. Only an ephemeral message is ever refused: one that waited so long is of no use to anyone. */
  onRefused({ owner, messageId }: QueuedMessage): void {
    if (owner.kind !== "segment") return;
    this.#conclude(this.#sendState.onDispatchFailed(owner.entry, WAITED_TOO_LONG));
    if (messageId !== undefined) this.#sds.forget(messageId);
  }

  /**
   * Tail of the outgoing pipeline, after every commit and at every start: what stands in the outbox is encrypted and
   * dispatched, in order, one at a time.
   */
  onReadyToSend(): void {
    void this.#dispatching.run();
  }

  /** Resolves when the hand-over that is under way, if one is, is recorded. */
  async handedOver(): Promise<void> {
    await this.#dispatching.settled();
  }

  async #handOver(key: number, item: OutboxRow): Promise<void> {
    // A retry that is not needed any more: an earlier copy arrived after all.
    if (item.owner.kind === "segment" && !this.#sendState.isAwaiting(item.owner.entry, item.messageId)) {
      return this.#transact(() => this.#tables.outbox.delete(key));
    }
    // What was decided while the last one was under way may still be on its way to storage.
    await this.#shell.durable();
    const wire = item.wire ?? (await this.#storedWire(item.messageId));
    const dispatched = wire === undefined ? err(NOT_KEPT) : await this.#encryptAndDispatch(item, wire);
    if (dispatched) await this.#transact((now) => this.#onDispatched(key, item, dispatched, now));
  }

  /** Nothing where the cipher went away over it. */
  async #encryptAndDispatch(
    item: OutboxRow,
    wire: Bytes,
  ): Promise<Result<MessagingRequestId, RequestFailure> | undefined> {
    try {
      const encrypted = await this.#cipher.encryptWire(wire);
      if (encrypted === undefined) return undefined;
      if (!encrypted.ok) return err({ kind: "encryption", error: `encryption failed: ${encrypted.error}` });
      const envelope: MessageEnvelope = {
        contentTopic: this.#row.contentTopic,
        payload: encrypted.value,
        ephemeral: item.ephemeral,
        meta: this.#profile.marker,
      };
      const sent = await this.#shell.parts.messaging.send(envelope, item.dispatchId);
      return sent.ok ? sent : err({ ...sent.error, error: `dispatch failed: ${sent.error.error}` });
    } catch (thrown) {
      return err({ kind: "internal", error: `dispatch failed: ${reasonOf(thrown)}` });
    }
  }

  /** Inside a transaction. */
  #onDispatched(
    key: number,
    { owner, messageId, ephemeral }: OutboxRow,
    sent: Result<MessagingRequestId, RequestFailure>,
    now: number,
  ): void {
    this.#tables.outbox.delete(key);
    if (this.#erased) return;
    if (owner.kind !== "segment") {
      const copy = { messageId, kind: owner.kind, ...(ephemeral ? { ephemeral } : {}) };
      if (sent.ok) this.#tables.upkeep.put(sent.value, copy);
      else if (owner.kind === "retransmission") this.#sds.onGivenUp(messageId, now);
      return;
    }
    if (sent.ok) this.#sendState.onDispatched(owner.entry, sent.value);
    else this.#conclude(this.#sendState.onDispatchFailed(owner.entry, sent.error));
    if (ephemeral) this.#sds.forget(messageId);
  }

  async #storedWire(messageId: string): Promise<Bytes | undefined> {
    const row = await this.#shell.parts.storage.get(this.#wires.name, this.#wires.storedKey(messageId));
    return (row as { readonly wire: Bytes } | undefined)?.wire;
  }

  /** A service node relayed it: acknowledgements may come from now on. Whether the request is one of ours. */
  async onMessagePropagated(messagingReqId: MessagingRequestId, messageHash: MessageHash): Promise<boolean> {
    const messageId = this.#messageIdOf(messagingReqId);
    if (messageId === undefined) return false;
    await this.#transact((now) => {
      const { kind = "segment" } = this.#tables.upkeep.get(messagingReqId) ?? {};
      if (kind === "segment") this.#sds.onPropagated(messageId, messageHash, now);
      else this.#onCopyLeft(messagingReqId, messageHash, now);
    });
    return true;
  }

  /** The network has it. Ids of other channels are no-ops and answer `false`. */
  async onMessageSent(messagingReqId: MessagingRequestId, messageHash: MessageHash): Promise<boolean> {
    const messageId = this.#messageIdOf(messagingReqId);
    if (messageId === undefined) return false;
    await this.#transact((now) => {
      // A crash may have come before its departure was noted.
      this.#onCopyLeft(messagingReqId, messageHash, now);
      // No store has an ephemeral copy: the hint for its message stays the hash that one knows.
      if (!this.#tables.upkeep.get(messagingReqId)?.ephemeral) this.#sds.onStored(messageId, messageHash);
      this.#tables.upkeep.delete(messagingReqId);
      this.#advance(messageId, () => this.#sendState.onMessageSent(messagingReqId));
    });
    return true;
  }

  /** The messaging layer gave it up. Ids of other channels are no-ops and answer `false`. */
  async onMessageError(messagingReqId: MessagingRequestId, failure: SendFailure): Promise<boolean> {
    if (this.#messageIdOf(messagingReqId) === undefined) return false;
    await this.#transact((now) => {
      const copy = this.#tables.upkeep.get(messagingReqId);
      if (copy?.kind === "retransmission" && !copy.left) this.#sds.onGivenUp(copy.messageId, now);
      this.#tables.upkeep.delete(messagingReqId);
      this.#conclude(this.#sendState.onMessageError(messagingReqId, failure));
    });
    return true;
  }

  #messageIdOf(messagingReqId: MessagingRequestId): string | undefined {
    return this.#sendState.messageIdOf(messagingReqId) ?? this.#tables.upkeep.get(messagingReqId)?.messageId;
  }

  /**
   * Inside a transaction: a message of ours went out once more. Only a retransmission counts, and once, though its departure
   * may be told again when the next one waits already. A repair is an answer to someone else, who may ask for ever.
   */
  #onCopyLeft(messagingReqId: MessagingRequestId, messageHash: MessageHash, now: number): void {
    const copy = this.#tables.upkeep.get(messagingReqId);
    if (copy?.kind !== "retransmission" || copy.left) return;
    this.#tables.upkeep.put(messagingReqId, { ...copy, left: true });
    this.#sds.onPropagated(copy.messageId, copy.ephemeral ? undefined : messageHash, now);
  }

  /**
   * The incoming pipeline: Decrypt → SDS → Reassemble → Emit. Resolves once what the message caused is durable, with why it
   * meant nothing to this channel, if it did, or that its turn comes.
   *
   * Messages are taken in in the order of their arrival, however long each takes to decrypt. No other channel waits for one
   * whose cipher is slow: that one parks everything.
   */
  async onMessageReceived(message: ReceivedMessage): Promise<Arrival> {
    if (!this.isOpen) return undefined;
    if (!equalBytes(message.meta, this.#profile.marker)) return "otherMarker";
    return this.#incomingInTurn.take(
      async () => ok(this.#parks ? undefined : await this.#cipher.decrypt(message)),
      async (decrypted) => {
        // It may have been closed, or deleted, meanwhile.
        if (!this.isOpen) return undefined;
        if (this.#intake.paused !== undefined) return this.#skip(message);
        // Nothing overtakes what is parked.
        const ready = decrypted.ok && !this.#parks ? decrypted.value : undefined;
        return ready === undefined ? this.#park(message) : this.#onDecrypted(message, ready);
      },
    );
  }

  get #parks(): boolean {
    return this.#cipher.isSlow || this.#parked.size > 0;
  }

  /** It comes again once intake goes on. */
  async #skip(message: ReceivedMessage): Promise<Arrival> {
    await this.#transact((now) => this.#intake.skip(message, now));
    return "skipped";
  }

  async #park(message: ReceivedMessage): Promise<Arrival> {
    const parking = await this.#transact((now) => {
      const parking = this.#parked.park(message, now);
      if (parking === "full") this.#intake.skip(message, now);
      return parking;
    });
    // The cipher may have come back just now.
    this.resume();
    if (parking === "full") return "skipped";
    return parking === "refused" ? "unreadable" : parking;
  }

  /**
   * What waits goes on if it can, in the order in which it came: at every start, when the cipher is back, and from time to
   * time, should reading have failed. What comes meanwhile is parked behind it.
   */
  resume(): void {
    void this.#unparking.run().then(() => this.onReadyToSend());
  }

  get #mayUnpark(): boolean {
    return this.isOpen && !this.#stopped && !this.#cipher.isAway && this.#intake.paused === undefined;
  }

  async #unpark(messageHash: MessageHash): Promise<void> {
    await this.#shell.durable();
    const message = await this.#parked.read(messageHash);
    const decrypted = await this.#cipher.decrypt(message);
    if (decrypted === undefined) return;
    const unread = await this.#onDecrypted(message, decrypted);
    if (!this.isOpen) return;
    if (unread !== undefined) await this.#transact(() => this.#parked.remove(messageHash));
    this.#parts.onUnparked(messageHash, unread);
    // Behind a cipher that keeps up, timers run all the time.
    if (this.#stoodStill && !this.#standsStill) await this.#transact((now) => this.onTick(now));
    if (this.#parked.size > 0) return;
    this.#search.look();
    await this.resumeIntake();
  }

  /** The cipher can be used again. */
  onCipherReady(): void {
    // It fails only with its transactor, whose owner begins anew.
    this.resumeIntake().catch(() => {});
    this.#onCipherChanged();
  }

  /** The cipher cannot be used for now. */
  onCipherAway(): void {
    this.#onCipherChanged();
  }

  /** Timers run, or stand still, from now on. */
  #onCipherChanged(): void {
    // It fails only with its transactor, whose owner begins anew.
    this.#transact((now) => this.onTick(now)).catch(() => {});
    this.#search.look();
  }

  async #onDecrypted(message: ReceivedMessage, { wire, content }: Decrypted): Promise<Unread | undefined> {
    if (!wire.ok) return "undecryptable";
    const outcome = await this.#takeIn(message, wire.value, content);
    if (outcome === undefined || outcome === "unreadable") return outcome;
    if (outcome.missing.length > 0) this.#search.look();
    if (outcome.dropped === "foreign channel") return "otherChannel";
    // SDS took it in all the same: its ciphertext is inside.
    if (content?.ok === false) return "undecryptable";
    if (outcome.dropped !== "undecodable") return undefined;
    return isOtherLayout(this.#profile, wire.value) ? "otherLayout" : "unreadable";
  }

  /** SDS → Reassemble → Emit, in one transaction; `undefined` where the channel was closed while the cipher was at work. */
  async #takeIn(
    message: ReceivedMessage,
    wire: Bytes,
    content: Result<Bytes> | undefined,
  ): Promise<SdsOutcome | "unreadable" | undefined> {
    try {
      return await this.#transact((now) => {
        if (!this.isOpen) return undefined;
        this.#parked.remove(message.messageHash);
        const outcome = this.#sds.handleIncoming(wire, {
          now,
          messageHash: message.messageHash,
          ephemeral: message.ephemeral,
          random: this.#shell.parts.chance.random(),
          isInner: (wrapped) => this.#isInner(content ?? ok(wrapped)),
        });
        this.#apply(content === undefined ? outcome : this.#withContent(outcome, content), now);
        return outcome;
      });
    } catch (thrown) {
      if (this.#shell.parts.transactor.broken) throw thrown;
      // The core choked, and would again whenever the message is fetched: nothing behind it would ever arrive.
      return "unreadable";
    }
  }

  /** SDS knows the ciphertext; what is reassembled is its plaintext. Where there is none, the message is lost for us. */
  #withContent({ arrived, ...outcome }: SdsOutcome, content: Result<Bytes>): SdsOutcome {
    if (arrived === undefined) return outcome;
    if (content.ok) return { ...outcome, arrived: { ...arrived, content: content.value } };
    const { messageId, senderId } = arrived;
    this.#append({
      type: "reliable:message:lost",
      messageId,
      senderId,
      reason: `decryption failed: ${content.error}`,
    });
    return outcome;
  }

  /** No open channel on its topic made anything of a message. */
  onUnread(reason: Unread, messageHash: MessageHash): void {
    if (!this.#diagnostics.count(reason, messageHash)) return;
    this.#shell.tellNow(this.key, { type: "diagnostics", diagnostics: this.diagnostics() });
  }

  /** Whether the message waits for its turn. */
  isParked(messageHash: MessageHash): boolean {
    return this.#parked.has(messageHash);
  }

  /** It means nothing to this channel, and another one of the topic has not come to it yet. */
  onSuspected(reason: Unread, messageHash: MessageHash): void {
    this.#diagnostics.suspect(reason, messageHash);
  }

  /** To another channel on its topic, which had to come to it yet, it means nothing. */
  onUnreadElsewhere(messageHash: MessageHash): void {
    if (!this.#diagnostics.unreadElsewhere(messageHash)) return;
    this.#shell.tellNow(this.key, { type: "diagnostics", diagnostics: this.diagnostics() });
  }

  /** Another channel on its topic reads it. */
  onReadElsewhere(messageHash: MessageHash): void {
    if (!this.#diagnostics.readElsewhere(messageHash)) return;
    this.#shell.tellNow(this.key, { type: "diagnostics", diagnostics: this.diagnostics() });
  }

  diagnostics(): ChannelDiagnostics {
    return this.#diagnostics.counts;
  }

  /** Looks in the stores for what others depend on: at every start, and when the network is back. */
  searchMissing(): void {
    this.#search.look();
  }

  /** Begins nothing more by itself. */
  stop(): void {
    this.#stopped = true;
    this.#search.stop();
  }

  /** Nothing can be taken in, or what came before it could is not through yet: as while offline, no timer runs. */
  get #standsStill(): boolean {
    if (this.#cipher.isAway || this.#intake.paused !== undefined) return true;
    return this.#parked.isBehind(this.#shell.parts.clock.now());
  }

  /** Inside a transaction, before anything comes: the time since the last run was none in which anything could come. */
  onStart(now: number): void {
    this.#sds.start(now);
  }

  onTick(now: number): void {
    if (!this.isOpen) return;
    const { messaging, chance } = this.#shell.parts;
    const { lightpush, filter } = messaging.peers();
    this.#stoodStill = this.#standsStill;
    const online = lightpush > 0 && filter > 0 && !this.#stoodStill;
    this.#apply(this.#sds.tick({ now, random: chance.random(), online }), now);
    if (online) this.#logLost(this.#reassembler.expire());
  }

  /** A closed channel hears nobody, so its timers stand still: they would only report what is not the case. */
  nextDeadline(): number | undefined {
    return this.isOpen ? this.#sds.nextDeadline() : undefined;
  }

  /** Inside a transaction: what SDS made of an event, stage by stage. */
  #apply(outcome: SdsOutcome, now: number): void {
    if (outcome.arrived) this.#buffer(outcome.arrived);
    // Before what is delivered without it. Of a message in several segments the loss is told once.
    for (const lost of outcome.lost) {
      const told = this.#reassembler.giveUp(lost);
      if (told !== undefined) this.#logLost([told]);
    }
    for (const messageId of outcome.delivered) {
      this.#emit(this.#reassembler.release(messageId, outcome.late.includes(messageId)), now);
    }
    for (const messageId of outcome.acknowledged) {
      this.#onAcknowledged(messageId);
      // A part of a longer message may still be sent again, for whoever has most of it.
      if (!this.#sendState.isAwaited(messageId)) this.#withdraw("retransmission", messageId);
    }
    for (const requestId of outcome.whole) {
      for (const messageId of this.#sendState.awaited(requestId)) this.#withdraw("retransmission", messageId);
      this.#conclude(this.#sendState.onWhole(requestId));
    }
    for (const messageId of outcome.exhausted) {
      this.#withdraw("retransmission", messageId);
      this.#conclude(this.#sendState.onExhausted(messageId));
    }
    if (outcome.heard !== undefined) this.#withdraw("repair", outcome.heard);
    for (const sent of outcome.outgoing) {
      const { kind, ...named } = sent;
      const queued = this.#enqueueToSend({ owner: { kind }, ephemeral: false, ...named }, now);
      // The one before waits for the budget still: what never left was not sent again.
      if (!queued && sent.kind === "retransmission") this.#sds.onStillWaiting(sent.messageId);
    }
  }

  #isInner(content: Result<Bytes | Uint8Array>): boolean {
    return content.ok && this.#reassembler.isInner(content.value);
  }

  /** The reassembler is fed with every segment as it arrives, whether SDS delivers it now or parks it. */
  #buffer(arrived: NonNullable<SdsOutcome["arrived"]>): void {
    const { outcome, lost } = this.#reassembler.add(arrived);
    this.#logLost(lost);
    if (outcome.kind !== "buffered" || outcome.total === 1) return;
    const { setKey: id, done, total } = outcome;
    this.#shell.tell(this.key, { type: "progress", direction: "in", id, done, total });
  }

  #emit({ lost, message }: Release, now: number): void {
    if (lost !== undefined) this.#logLost([lost]);
    if (message === undefined) return;
    const { payload, messageId, senderId } = message;
    this.#append({ type: "reliable:message:received", message: payload, messageId, senderId }, now);
    this.#touch(now);
  }

  #logLost(lost: readonly LostEvent[]): void {
    for (const message of lost) this.#append({ type: "reliable:message:lost", ...message });
  }

  /**
   * Inside a transaction: that another participant has it makes a segment final. Its messaging request may not be: under which
   * hash the message is to be found will be told yet, and LIP-173 wants that kept.
   */
  #onAcknowledged(messageId: string): void {
    const messagingReqId = this.#sendState.messagingIdOf(messageId);
    if (messagingReqId !== undefined) this.#tables.upkeep.put(messagingReqId, { messageId, kind: "segment" });
    this.#advance(messageId, () => this.#sendState.onAcknowledged(messageId));
  }

  /** Inside a transaction: a segment got further. Of a message in several, listeners hear how many are confirmed. */
  #advance(messageId: string, step: () => readonly Outcome[]): void {
    const id = this.#sendState.requestOfSegment(messageId);
    const before = id && this.#sendState.info(id)?.segments.confirmed;
    const outcomes = step();
    const segments = id && this.#sendState.info(id)?.segments;
    if (this.isOpen && id && segments && segments.total > 1 && segments.confirmed !== before) {
      const { confirmed: done, total } = segments;
      this.#shell.tell(this.key, { type: "progress", direction: "out", id, done, total });
    }
    this.#conclude(outcomes);
  }

  /** Logs what became of a request. */
  #conclude(outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) {
      if (outcome.type === "send-error") {
        // Nobody is told that it arrives any more, so nothing goes on trying to make it arrive.
        for (const id of this.#sendState.awaited(outcome.requestId)) {
          this.#sds.abandon(id);
          this.#withdraw("retransmission", id);
        }
      }
      const { type, silent, ...rest } = outcome;
      if (!silent) this.#append({ type: `reliable:message:${type}`, ...rest } as EventBody);
    }
    for (const id of this.#sendState.forgetSurplus()) this.#forget(id);
  }

  #append(body: EventBody, now = this.#shell.parts.clock.now()): void {
    const event = this.#log.append(body, now);
    // What became of a closed channel's requests is read when it is opened again.
    if (this.isOpen) this.#shell.tell(this.key, { type: "event", event });
  }

  #touch(now: number): void {
    this.#tables.channel.put(ONLY_ROW, { ...this.#row, lastActiveAt: now });
  }

  /** Runs one event of this channel and tells its status if the event changed it. */
  async #transact<T>(event: (now: number) => T): Promise<T> {
    return this.#shell.transact((now) => {
      const result = event(now);
      this.tellStatus();
      return result;
    });
  }

  /** Inside a transaction: tells the status where it differs from what was told last. */
  tellStatus(): void {
    if (!this.isOpen) return;
    const status = this.status();
    const told = JSON.stringify(status);
    if (told === this.#toldStatus) return;
    this.#toldStatus = told;
    this.#shell.tell(this.key, { type: "status", status });
  }

  /** Inside a transaction: nothing more is emitted for its callers; what was accepted is still sent. */
  close(reason: CloseReason): void {
    const { clock, chance } = this.#shell.parts;
    const now = clock.now();
    this.#intake.close(now);
    // Timers stand still until it is open again, as while offline.
    this.#sds.tick({ now, random: chance.random(), online: false });
    this.#withdraw("sync");
    this.#sds.cancelSync();
    this.#tables.channel.put(ONLY_ROW, { ...this.#row, open: false });
    this.#shell.tell(this.key, { type: "close", reason });
  }

  /** Inside a transaction, for a closed channel: nothing of it stays, and what is still under way writes nothing more. */
  erase(): void {
    this.#parked.erase();
    for (const messageId of this.#parts.keptWires()) this.#wires.delete(messageId);
    this.#log.erase();
    for (const table of this.#parts.hotTables) for (const key of [...table.keys()]) table.delete(key);
  }

  /** Inside a transaction: open again, with everything it had. */
  reopen(now: number): void {
    // Here rather than where it was closed: closed, it matters to nobody, and the closing may yet be undone.
    this.#subscribed = false;
    this.#tables.channel.put(ONLY_ROW, { ...this.#row, open: true, attendedAt: now });
    this.onTick(now);
  }

  /** Inside a transaction: a site uses it from now on, under the sender id that it names, if it names one. */
  takeUp(senderId?: string): void {
    if (this.#row.prepared) this.#tables.channel.put(ONLY_ROW, takenUp(this.#row, senderId));
  }

  /** Inside a transaction. */
  rename(label: string): void {
    this.#tables.channel.put(ONLY_ROW, { ...this.#row, label });
  }

  /** Inside a transaction: writes with this key from now on, and goes on reading what the others wrote. */
  changeKey(keyId: string): void {
    const { current, earlier } = this.#row.keys;
    if (current === keyId) return;
    const known = [...(current === undefined ? [] : [current]), ...earlier].filter((id) => id !== keyId);
    this.#tables.channel.put(ONLY_ROW, { ...this.#row, keys: { current: keyId, earlier: readWith(known) } });
  }

  onSubscribed(): void {
    this.#subscribed = true;
  }

  request(requestId: RequestId): RequestInfo | undefined {
    return this.#sendState.info(requestId);
  }

  requests(): readonly RequestInfo[] {
    return [...this.#tables.requests.keys()]
      .flatMap((requestId) => this.#sendState.info(requestId) ?? [])
      .sort((a, b) => b.createdAt - a.createdAt);
  }

  /** The messaging requests of a channel request, in segment order: the seed's `requestIds`. */
  messagingRequestIds(requestId: RequestId): readonly MessagingRequestId[] {
    return this.#sendState.messagingRequestIds(requestId);
  }

  /** Final requests are kept for seven days, unless there are too many. */
  forgetOld(now: number): void {
    for (const messageId of this.#sendState.forgetBefore(now - LIMITS.keptResultsMs)) this.#forget(messageId);
  }

  /** Inside a transaction: its acknowledgement is of no interest any more. */
  #forget(messageId: string): void {
    this.#withdraw("retransmission", messageId);
    this.#sds.forget(messageId);
  }

  history(after: number, limit: number): Promise<readonly ChannelEvent[]> {
    return this.#log.read(after, limit);
  }

  async acknowledge(seq: number): Promise<void> {
    const position = await this.#log.position(seq);
    if (position === undefined) return;
    await this.#transact((now) => {
      if (this.#erased) return;
      this.#log.acknowledge(position);
      this.attend(now);
    });
    if (this.#erased) return;
    const surplus = await this.#log.surplus();
    if (surplus !== undefined) {
      await this.#transact(() => {
        if (!this.#erased) this.#log.trim(surplus);
      });
    }
    await this.resumeIntake();
  }

  /** Inside a transaction: a page asked for the channel. */
  attend(now: number): void {
    this.#intake.attend(now);
  }

  /** What arrived while nothing was taken in is fetched again, if it can be taken in now. */
  async resumeIntake(): Promise<void> {
    if (!this.isOpen) return;
    this.resume();
    await this.#intake.resume();
  }

  /** Nobody has asked for the channel for long: it does nothing but wait for somebody. */
  get isSuspended(): boolean {
    return this.#intake.paused === "unattended";
  }

  acknowledged(): number {
    return this.#row.handled.seq;
  }

  status(): ChannelStatus {
    return {
      state: !this.isOpen ? "closed" : this.#subscribed ? "open" : "opening",
      health:
        this.isOpen && this.#intake.paused === undefined
          ? this.#shell.parts.messaging.topicHealth(this.#row.contentTopic)
          : "NOT_SUBSCRIBED",
      pending: this.#sendState.pending,
    };
  }

  summary(): ChannelSummary {
    const { contentTopic, senderId, profile, encryption, placement, keys, label } = this.#row;
    const { createdAt, lastActiveAt, logged, handled } = this.#row;
    const { paused } = this.#intake;
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
      members: this.#sds.members(),
      ...(paused === undefined ? {} : { paused }),
    };
  }
}
