/**
 * One member of a simulated channel: SDS, segmentation and the send state machine on rows, and what a channel does around
 * them. What it hands over, and what it is told of that, goes by messaging requests as it does in a channel.
 */
import type { MessagingRequestId, SendFailure } from "../../../src/channel/ports.ts";
import { type ChannelTables, openChannelTables } from "../../../src/channel/rows.ts";
import { type Outcome, SendState } from "../../../src/channel/send-state.ts";
import type { RequestId } from "../../../src/channel/types.ts";
import type { Bytes } from "../../../src/common/bytes.ts";
import { Journal } from "../../../src/common/table.ts";
import type { SdsLayout } from "../../../src/sds/layout.ts";
import {
  type Missing,
  openSdsTables,
  Participant,
  type SdsConfig,
  type SdsOutcome,
} from "../../../src/sds/participant.ts";
import { openReassemblerTables, Reassembler } from "../../../src/segmentation/reassembler.ts";
import { performSegmentation, SegmentationConfig } from "../../../src/segmentation/segmenter.ts";

export type Kind = "message" | "retransmission" | "sync" | "repair";

/** One message for the network. */
export interface Departure {
  readonly request: MessagingRequestId;
  readonly kind: Kind;
  readonly messageId: string;
  readonly wire: Bytes;
  readonly ephemeral: boolean;
}

/** What the member's event log has, in order. */
export type LogEvent =
  | { readonly type: "received"; readonly messageId: string; readonly senderId: string; readonly payload: Bytes }
  | { readonly type: "lost"; readonly messageId: string }
  | { readonly type: Outcome["type"]; readonly requestId: RequestId };

/** What one call to a member brought about. */
export interface Effects {
  readonly departures: readonly Departure[];
  readonly missing: readonly Missing[];
}

const KEY = { origin: "https://simulation.example", channelId: "simulation" };
const GIVEN_UP: SendFailure = { kind: "unreachable", error: "given up" };

/** Small segments, so that small payloads have several: chunks of 128 bytes. */
const SEGMENT_BYTES = 256;

export class Member {
  readonly name: string;
  readonly #events: LogEvent[] = [];
  readonly #arrived = new Set<string>();
  readonly #config: SdsConfig;
  readonly #segmentation: SegmentationConfig;
  readonly #rows = new Map<string, Map<string | number, unknown>>();
  #journal = new Journal();
  #sds: Participant;
  #reassembler: Reassembler;
  #tables: ChannelTables;
  #sendState: SendState;
  #requests = 0;
  #handedOver = 0;
  #failed: RequestId[] = [];

  constructor(name: string, layout: SdsLayout, startedAt: number) {
    this.name = name;
    this.#config = { participantId: name, channelId: KEY.channelId, layout, startedAt };
    const segmentation = SegmentationConfig.create(SEGMENT_BYTES);
    if (!segmentation.ok) throw new Error(segmentation.error);
    this.#segmentation = segmentation.value;
    [this.#sds, this.#reassembler, this.#tables, this.#sendState] = this.#open();
  }

  /** The process dies, and another one starts from the rows. */
  restart(): void {
    [this.#sds, this.#reassembler, this.#tables, this.#sendState] = this.#open();
  }

  get nextDeadline(): number | undefined {
    return this.#sds.nextDeadline();
  }

  get events(): readonly LogEvent[] {
    return this.#events;
  }

  /** Whether these messages came, delivered or parked. */
  hasAll(messageIds: readonly string[]): boolean {
    return messageIds.every((messageId) => this.#arrived.has(messageId));
  }

  /** Ids of the log that every member is to have in the end. */
  get logIds(): readonly string[] {
    return this.#sds.logIds();
  }

  send(payload: Bytes, now: number): { readonly requestId: RequestId; readonly departures: readonly Departure[] } {
    const segments = performSegmentation(payload, this.#segmentation);
    if (!segments.ok) throw new Error(segments.error.message);
    const requestId = `${this.name} request ${++this.#requests}`;
    const total = segments.value.length;
    const wrapped = segments.value.map((content, index) => {
      const part = total === 1 ? {} : { part: { whole: requestId, index, total } };
      return this.#sds.wrapOutgoing(content, { now, nanoseconds: 0, ephemeral: false, ...part });
    });
    const messageIds = wrapped.map(({ messageId }) => messageId);
    const entries = this.#sendState.accept({
      requestId,
      createdAt: now,
      bytes: payload.length,
      ephemeral: false,
      messageIds,
    });
    const departures = wrapped.flatMap(({ messageId, wire }, index) => this.#dispatch(entries[index], messageId, wire));
    this.#commit();
    return { requestId, departures };
  }

  /** Sends again what failed of a request; nothing where it has not failed. */
  retry(requestId: RequestId, now: number): readonly Departure[] {
    const retried = this.#sendState.retry(requestId);
    if (!retried.ok) return [];
    const leaving = new Set(retried.value.entries.map(({ messageId }) => messageId));
    for (const messageId of this.#sendState.awaited(requestId)) {
      this.#sds.resume(messageId, now, leaving.has(messageId));
    }
    this.#conclude(retried.value.outcomes);
    // Its bytes are in storage, as they are only dropped once everyone has had the time to ask for them.
    const departures = retried.value.entries.flatMap(({ entry, messageId }) =>
      this.#dispatch(entry, messageId, this.#keptWire(messageId)),
    );
    this.#commit();
    return departures;
  }

  /** The messaging layer relayed it. */
  onPropagated(request: MessagingRequestId, hash: string, now: number): void {
    const messageId = this.#messageIdOf(request);
    if (messageId === undefined) return;
    const { kind = "segment" } = this.#tables.upkeep.get(request) ?? {};
    if (kind === "segment") this.#sds.onPropagated(messageId, hash, now);
    else this.#onCopyLeft(request, hash, now);
    this.#commit();
  }

  /** The network has it. */
  onSent(request: MessagingRequestId, hash: string, now: number): void {
    const messageId = this.#messageIdOf(request);
    if (messageId === undefined) return;
    this.#onCopyLeft(request, hash, now);
    if (!this.#tables.upkeep.get(request)?.ephemeral) this.#sds.onStored(messageId, hash);
    this.#tables.upkeep.delete(request);
    this.#conclude(this.#sendState.onMessageSent(request));
    this.#commit();
  }

  /** The messaging layer gave it up. */
  onFailed(request: MessagingRequestId, now: number): void {
    const copy = this.#tables.upkeep.get(request);
    if (copy?.kind === "retransmission" && !copy.left) this.#sds.onGivenUp(copy.messageId, now);
    this.#tables.upkeep.delete(request);
    this.#conclude(this.#sendState.onMessageError(request, GIVEN_UP));
    this.#commit();
  }

  #onCopyLeft(request: MessagingRequestId, hash: string, now: number): void {
    const copy = this.#tables.upkeep.get(request);
    if (copy?.kind !== "retransmission" || copy.left) return;
    this.#tables.upkeep.put(request, { ...copy, left: true });
    this.#sds.onPropagated(copy.messageId, copy.ephemeral ? undefined : hash, now);
  }

  /** Takes out the requests that failed since the last time, those that failed again among them. */
  takeFailed(): readonly RequestId[] {
    const failed = this.#failed;
    this.#failed = [];
    return failed;
  }

  receive(wire: Bytes, context: { now: number; messageHash: string; ephemeral: boolean; random: number }): Effects {
    const isInner = (content: Uint8Array) => this.#reassembler.isInner(content);
    return this.#follow(this.#sds.handleIncoming(wire, { ...context, isInner }), context.now);
  }

  tick(now: number, random: number): Effects {
    const effects = this.#follow(this.#sds.tick({ now, random, online: true }), now);
    for (const { messageId } of this.#reassembler.expire()) this.#events.push({ type: "lost", messageId });
    this.#commit();
    return effects;
  }

  /** Carries an outcome out. */
  #follow(outcome: SdsOutcome, now: number): Effects {
    if (outcome.arrived) {
      this.#arrived.add(outcome.arrived.messageId);
      for (const { messageId } of this.#reassembler.add(outcome.arrived).lost) {
        this.#events.push({ type: "lost", messageId });
      }
    }
    for (const lost of outcome.lost) {
      const told = this.#reassembler.giveUp(lost);
      if (told !== undefined) this.#events.push({ type: "lost", messageId: told.messageId });
    }
    for (const id of outcome.delivered) {
      const { lost, message } = this.#reassembler.release(id, outcome.late.includes(id));
      if (lost !== undefined) this.#events.push({ type: "lost", messageId: lost.messageId });
      if (message !== undefined) this.#events.push({ type: "received", ...message });
    }
    for (const messageId of outcome.acknowledged) {
      const request = this.#sendState.messagingIdOf(messageId);
      if (request !== undefined) this.#tables.upkeep.put(request, { messageId, kind: "segment" });
      this.#conclude(this.#sendState.onAcknowledged(messageId));
    }
    for (const requestId of outcome.whole) this.#conclude(this.#sendState.onWhole(requestId));
    for (const messageId of outcome.exhausted) this.#conclude(this.#sendState.onExhausted(messageId));
    const departures = outcome.outgoing.flatMap((sent) => {
      const { kind } = sent;
      const ephemeral = kind !== "sync" && sent.ephemeral;
      // Nothing limits it, so a sync message is made at once.
      const { messageId, wire: bytes } =
        kind === "sync" ? this.#sds.wrapSync(now) : { messageId: sent.messageId, wire: this.#keptWire(sent.messageId) };
      if (bytes === undefined) return [];
      const request = this.#nextRequest();
      this.#tables.upkeep.put(request, { messageId, kind, ...(ephemeral ? { ephemeral } : {}) });
      return [{ request, kind, messageId, ephemeral, wire: bytes }];
    });
    this.#commit();
    return { departures, missing: outcome.missing };
  }

  /** Logs what became of a request, as a channel does. */
  #conclude(outcomes: readonly Outcome[]): void {
    for (const { type, requestId, silent } of outcomes) {
      if (type === "send-error") {
        for (const id of this.#sendState.awaited(requestId)) this.#sds.abandon(id);
        this.#failed.push(requestId);
      }
      if (!silent) this.#events.push({ type, requestId });
    }
  }

  #dispatch(entry: number | undefined, messageId: string, wire: Bytes | undefined): readonly Departure[] {
    if (entry === undefined || wire === undefined) throw new Error(`${this.name} has no bytes of ${messageId}`);
    const request = this.#nextRequest();
    this.#sendState.onDispatched(entry, request);
    return [{ request, kind: "message", messageId, wire, ephemeral: false }];
  }

  /** Ids are the messaging layer's, and outlive us. */
  #nextRequest(): MessagingRequestId {
    return `${this.name} ${++this.#handedOver}`;
  }

  #messageIdOf(request: MessagingRequestId): string | undefined {
    return this.#sendState.messageIdOf(request) ?? this.#tables.upkeep.get(request)?.messageId;
  }

  #open(): [Participant, Reassembler, ChannelTables, SendState] {
    this.#journal = new Journal();
    const stored = (table: string) => this.#rows.get(table) ?? [];
    const tables = openChannelTables(KEY, this.#journal, stored);
    const config = { ...this.#config, otherDueMs: () => reassembler.nextDueMs() };
    const sds = new Participant(config, openSdsTables(this.#journal, ["channel"], stored));
    const reassembler: Reassembler = new Reassembler(
      openReassemblerTables(this.#journal, ["channel"], stored),
      "segments",
      sds.clock,
    );
    return [sds, reassembler, tables, new SendState(tables)];
  }

  #keptWire(messageId: string): Bytes | undefined {
    const row = this.#rows.get("sdsWires")?.get(messageId) as { readonly wire: Bytes } | undefined;
    return row?.wire;
  }

  #commit(): void {
    for (const { table, key, row } of this.#journal.take()) {
      const rows = this.#rows.get(table) ?? new Map<string | number, unknown>();
      this.#rows.set(table, rows);
      const own = key.at(-1);
      if (own === undefined) continue;
      if (row === undefined) rows.delete(own);
      else rows.set(own, row);
    }
  }
}
