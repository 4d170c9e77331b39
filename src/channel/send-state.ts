/**
 * The send state machine of the seed: one pending messaging request per segment, and one outcome per channel request.
 *
 *     AwaitingRateLimit → InFlight → Confirmed | Failed          AwaitingRateLimit → Failed
 *
 * Nothing of a request is pruned before all its segments are final, so that the outcome is decided from a complete picture.
 * Rows are the state; the indexes here are derived from them and follow every write and every undo.
 */
import { err, ok, type Result } from "../common/result.ts";
import { LIMITS } from "../limits.ts";
import type { MessagingRequestId } from "./ports.ts";
import type { ChannelTables, PendingMessagingRequest, RequestRow } from "./rows.ts";
import type { RequestFailure, RequestId, RequestInfo } from "./types.ts";

/** What became of a channel request: decided by the network first, then by the peers. Each at most once. */
export type Outcome = {
  readonly requestId: RequestId;
  /** Pages hear of it no second time: it is the outcome of a retry, and shows in `info` only. */
  readonly silent?: true;
} & ({ readonly type: "sent" | "delivered" } | ({ readonly type: "send-error" | "delivery-error" } & RequestFailure));

/** What a retry sends again. */
interface Retried {
  /** New entries, in segment order. */
  readonly entries: readonly { readonly entry: number; readonly messageId: string }[];
  readonly outcomes: readonly Outcome[];
}

const NOTHING: readonly Outcome[] = [];
const NO_REASON: RequestFailure = { kind: "internal", error: "no reason was given" };
const UNACKNOWLEDGED: RequestFailure = {
  kind: "unacknowledged",
  error: "no other participant acknowledged the message",
};

interface NewRequest {
  readonly requestId: RequestId;
  readonly createdAt: number;
  readonly bytes: number;
  readonly ephemeral: boolean;
  readonly idempotencyKey?: string;
  /** SDS message ids, one per segment, in sending order. */
  readonly messageIds: readonly string[];
}

function isFinal({ state }: PendingMessagingRequest): boolean {
  return state === "Confirmed" || state === "Failed";
}

export class SendState {
  readonly #tables: Pick<ChannelTables, "requests" | "pending" | "segments">;
  /** Keys of the pending entries of each request, ascending by insertion. */
  readonly #entriesOf = new Map<RequestId, Set<number>>();
  /** How many of them are not final. */
  readonly #openOf = new Map<RequestId, number>();
  readonly #byMessagingId = new Map<MessagingRequestId, number>();
  readonly #byMessageId = new Map<string, number>();
  readonly #segmentsOf = new Map<RequestId, Set<string>>();
  readonly #byIdempotencyKey = new Map<string, RequestId>();
  #nextEntry = 1;
  #open = 0;
  #openBytes = 0;
  #openRequests = 0;
  #finalRequests = 0;

  constructor(tables: Pick<ChannelTables, "requests" | "pending" | "segments">) {
    this.#tables = tables;
    tables.pending.observe((key, before, after) => this.#indexEntry(key, before, after));
    tables.segments.observe((messageId, before, after) => {
      if (after) at(this.#segmentsOf, after.channelReqId, () => new Set<string>()).add(messageId);
      else if (before) this.#dropSegment(before.channelReqId, messageId);
    });
    tables.requests.observe((requestId, before, after) => {
      if (before?.idempotencyKey !== undefined) this.#byIdempotencyKey.delete(before.idempotencyKey);
      if (after?.idempotencyKey !== undefined) this.#byIdempotencyKey.set(after.idempotencyKey, requestId);
      this.#openRequests += Number(after?.outcome === "pending") - Number(before?.outcome === "pending");
      this.#finalRequests += Number(isDecided(after)) - Number(isDecided(before));
      this.#openBytes += openBytes(after) - openBytes(before);
    });
  }

  /** Segments that are not final. */
  get pending(): number {
    return this.#open;
  }

  /** Requests without an outcome, and the bytes of their payloads. */
  get openRequests(): { readonly count: number; readonly bytes: number } {
    return { count: this.#openRequests, bytes: this.#openBytes };
  }

  requestOf(idempotencyKey: string): RequestId | undefined {
    return this.#byIdempotencyKey.get(idempotencyKey);
  }

  /** Takes a request on: one entry per segment, awaiting the rate limiter. Returns their keys, in sending order. */
  accept(request: NewRequest): readonly number[] {
    const { requestId, createdAt, bytes, ephemeral, idempotencyKey, messageIds } = request;
    this.#tables.requests.put(requestId, {
      createdAt,
      bytes,
      ephemeral,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      total: messageIds.length,
      outcome: "pending",
      delivery: "pending",
      acknowledged: 0,
      confirmed: 0,
      failed: 0,
      failedMessageIds: [],
      messagingRequestIds: [],
    });
    return messageIds.map((messageId, index) => {
      if (!ephemeral) this.#tables.segments.put(messageId, { channelReqId: requestId, index, acknowledged: false });
      return this.#await(requestId, messageId, ephemeral);
    });
  }

  /** Takes the failed segments of a request up again, or says why not. */
  retry(requestId: RequestId): Result<Retried> {
    const request = this.#tables.requests.get(requestId);
    if (request === undefined) return err(`unknown request: ${requestId}`);
    if (request.outcome !== "send-error") return err("only a request that failed can be sent again");
    if (request.ephemeral) return err("an ephemeral message is not kept, so it cannot be sent again");
    const { failure: _, failedMessageIds, ...rest } = request;
    this.#tables.requests.put(requestId, { ...rest, outcome: "pending", failedMessageIds: [], retried: true });
    // What another participant acknowledged meanwhile has evidently been sent, and its bytes may be gone.
    const entries = failedMessageIds
      .filter((messageId) => this.#isUnacknowledged(messageId))
      .map((messageId) => ({ messageId, entry: this.#await(requestId, messageId, false) }));
    return ok({ entries, outcomes: this.#pruneIfComplete(requestId) });
  }

  #isUnacknowledged(messageId: string): boolean {
    const segment = this.#tables.segments.get(messageId);
    return segment !== undefined && !segment.acknowledged;
  }

  #await(requestId: RequestId, messageId: string, ephemeral: boolean): number {
    const entry = this.#nextEntry++;
    this.#tables.pending.put(entry, {
      channelReqId: requestId,
      persistence: ephemeral ? "Ephemeral" : "Persistent",
      state: "AwaitingRateLimit",
      messageId,
    });
    return entry;
  }

  /**
   * Whether a release belongs to an entry that still waits; a surplus release has none. Its key may by now be that of another
   * message: keys of entries that are gone are given again after a restart.
   */
  isAwaiting(entry: number, messageId: string | undefined): boolean {
    const row = this.#tables.pending.get(entry);
    return row?.state === "AwaitingRateLimit" && row.messageId === messageId;
  }

  /** The messaging layer took the segment on. */
  onDispatched(entry: number, messagingReqId: MessagingRequestId): void {
    const row = this.#tables.pending.get(entry);
    if (row?.state !== "AwaitingRateLimit") return;
    this.#tables.pending.put(entry, { ...row, state: "InFlight", messagingReqId });
  }

  /** It failed before the messaging layer minted an id, so no event from there will ever name it. */
  onDispatchFailed(entry: number, failure: RequestFailure): readonly Outcome[] {
    const row = this.#tables.pending.get(entry);
    if (row?.state !== "AwaitingRateLimit") return NOTHING;
    return this.#finish(entry, { ...row, state: "Failed", failure });
  }

  onMessageSent(messagingReqId: MessagingRequestId): readonly Outcome[] {
    return this.#finishInFlight(this.#byMessagingId.get(messagingReqId), "Confirmed");
  }

  onMessageError(messagingReqId: MessagingRequestId, failure: RequestFailure): readonly Outcome[] {
    return this.#finishInFlight(this.#byMessagingId.get(messagingReqId), "Failed", failure);
  }

  /**
   * Another participant has this SDS message. If it was in flight, it has then evidently been sent. The only one of a request
   * is the whole of it.
   */
  onAcknowledged(messageId: string): readonly Outcome[] {
    const segment = this.#tables.segments.get(messageId);
    const request = segment && this.#tables.requests.get(segment.channelReqId);
    if (segment === undefined || request === undefined || segment.acknowledged) return NOTHING;
    this.#tables.segments.put(messageId, { ...segment, acknowledged: true });
    this.#tables.requests.put(segment.channelReqId, { ...request, acknowledged: request.acknowledged + 1 });
    const outcomes = this.#finishInFlight(this.#byMessageId.get(messageId), "Confirmed");
    return request.total === 1 ? [...outcomes, ...this.onWhole(segment.channelReqId)] : outcomes;
  }

  /** One other participant has all segments of this request: once it is sent, it is delivered. */
  onWhole(requestId: RequestId): readonly Outcome[] {
    const request = this.#tables.requests.get(requestId);
    if (request === undefined) return NOTHING;
    this.#dropSegments(requestId);
    this.#tables.requests.put(requestId, { ...request, whole: true });
    const retried = request.retried ? [...(this.#entriesOf.get(requestId) ?? [])] : [];
    const finished = retried.flatMap((entry) => this.#finishWaiting(entry));
    return [...finished, ...this.#deliverIfComplete(requestId)];
  }

  /** The copy that left at first is with somebody: this one need not leave, and its bytes may be gone before it could. */
  #finishWaiting(entry: number): readonly Outcome[] {
    const row = this.#tables.pending.get(entry);
    return row?.state === "AwaitingRateLimit" ? this.#finish(entry, { ...row, state: "Confirmed" }) : NOTHING;
  }

  /** Retransmissions of one of its segments are exhausted. */
  onExhausted(messageId: string): readonly Outcome[] {
    const requestId = this.#tables.segments.get(messageId)?.channelReqId;
    const request = requestId === undefined ? undefined : this.#tables.requests.get(requestId);
    if (requestId === undefined || request?.delivery !== "pending") return NOTHING;
    this.#tables.requests.put(requestId, { ...request, delivery: "delivery-error", failure: UNACKNOWLEDGED });
    return [{ type: "delivery-error", requestId, ...UNACKNOWLEDGED }];
  }

  /** The request that an SDS message is a segment of, while something is still expected of it. */
  requestOfSegment(messageId: string): RequestId | undefined {
    const entry = this.#byMessageId.get(messageId);
    const pending = entry === undefined ? undefined : this.#tables.pending.get(entry);
    return pending?.channelReqId ?? this.#tables.segments.get(messageId)?.channelReqId;
  }

  /** SDS message ids of a request that no other participant has the whole of yet, in segment order. */
  awaited(requestId: RequestId): readonly string[] {
    const index = (messageId: string) => this.#tables.segments.get(messageId)?.index ?? 0;
    return [...(this.#segmentsOf.get(requestId) ?? [])].sort((a, b) => index(a) - index(b));
  }

  /** Whether nobody is known to have the message that this SDS message is a segment of. */
  isAwaited(messageId: string): boolean {
    return this.#tables.segments.has(messageId);
  }

  /** SDS message id behind a messaging request, while its segment is pending. */
  messageIdOf(messagingReqId: MessagingRequestId): string | undefined {
    const entry = this.#byMessagingId.get(messagingReqId);
    return entry === undefined ? undefined : this.#tables.pending.get(entry)?.messageId;
  }

  /** Messaging request of a segment that is in flight. */
  messagingIdOf(messageId: string): MessagingRequestId | undefined {
    const entry = this.#byMessageId.get(messageId);
    const pending = entry === undefined ? undefined : this.#tables.pending.get(entry);
    return pending?.state === "InFlight" ? pending.messagingReqId : undefined;
  }

  info(requestId: RequestId): RequestInfo | undefined {
    const request = this.#tables.requests.get(requestId);
    if (request === undefined) return undefined;
    const entries = this.#entries(requestId);
    const count = (state: PendingMessagingRequest["state"]) => entries.filter((entry) => entry.state === state).length;
    const decided = request.outcome !== "pending";
    return {
      requestId,
      state: stateOf(request, count("AwaitingRateLimit") === entries.length),
      segments: {
        total: request.total,
        confirmed: decided ? request.confirmed : request.total - entries.length + count("Confirmed"),
        failed: decided ? request.failed : count("Failed"),
        acknowledged: request.acknowledged,
      },
      bytes: request.bytes,
      createdAt: request.createdAt,
      ...(request.ephemeral ? { ephemeral: true } : {}),
      ...(request.failure === undefined ? {} : { error: request.failure.error, failure: request.failure.kind }),
    };
  }

  /** Messaging-layer requests of a channel request, in segment order. */
  messagingRequestIds(requestId: RequestId): readonly MessagingRequestId[] {
    const request = this.#tables.requests.get(requestId);
    return [...(request?.messagingRequestIds ?? []), ...messagingIdsOf(this.#entries(requestId))];
  }

  /**
   * Drops final requests that were made before `horizon`, milliseconds since the Unix epoch. Returns the SDS message ids of
   * their segments whose acknowledgement was still awaited.
   */
  forgetBefore(horizon: number): readonly string[] {
    return this.#forget(this.#final().filter(([, { createdAt }]) => createdAt < horizon));
  }

  /** The same for the oldest ones, where more are kept than may be. Several at once: finding them looks at all. */
  forgetSurplus(): readonly string[] {
    const { most, trim } = LIMITS.finalRequests;
    if (this.#finalRequests <= most) return [];
    const oldestFirst = this.#final().sort(([, a], [, b]) => a.createdAt - b.createdAt);
    return this.#forget(oldestFirst.slice(0, this.#finalRequests - most + trim));
  }

  #final(): [RequestId, RequestRow][] {
    return [...this.#tables.requests.entries()].filter(([, request]) => isDecided(request));
  }

  #forget(requests: readonly [RequestId, RequestRow][]): readonly string[] {
    return requests.flatMap(([requestId]) => {
      this.#tables.requests.delete(requestId);
      return this.#dropSegments(requestId);
    });
  }

  /** Returns what it drops. */
  #dropSegments(requestId: RequestId): readonly string[] {
    const messageIds = [...(this.#segmentsOf.get(requestId) ?? [])];
    for (const messageId of messageIds) this.#tables.segments.delete(messageId);
    return messageIds;
  }

  #entries(requestId: RequestId): PendingMessagingRequest[] {
    return [...(this.#entriesOf.get(requestId) ?? [])]
      .sort((a, b) => a - b)
      .flatMap((entry) => this.#tables.pending.get(entry) ?? []);
  }

  #finishInFlight(
    entry: number | undefined,
    state: "Confirmed" | "Failed",
    failure?: RequestFailure,
  ): readonly Outcome[] {
    const row = entry === undefined ? undefined : this.#tables.pending.get(entry);
    if (entry === undefined || row?.state !== "InFlight") return NOTHING;
    return this.#finish(entry, { ...row, state, ...(failure === undefined ? {} : { failure }) });
  }

  #finish(entry: number, row: PendingMessagingRequest): readonly Outcome[] {
    this.#tables.pending.put(entry, row);
    return this.#pruneIfComplete(row.channelReqId);
  }

  /** The seed's `pruneCompletedChannelReqs`, for the one request that the event touched. */
  #pruneIfComplete(requestId: RequestId): readonly Outcome[] {
    const request = this.#tables.requests.get(requestId);
    if (request === undefined || (this.#openOf.get(requestId) ?? 0) > 0) return NOTHING;
    const entries = this.#entries(requestId);
    const failed = entries.filter((entry) => entry.state === "Failed");
    const failure = failed.length === 0 ? undefined : segmentsFailed(failed[0]?.failure ?? NO_REASON);
    this.#tables.requests.put(requestId, {
      ...request,
      outcome: failure === undefined ? "sent" : "send-error",
      confirmed: request.total - failed.length,
      failed: failed.length,
      failedMessageIds: failed.map(({ messageId }) => messageId),
      messagingRequestIds: [...request.messagingRequestIds, ...messagingIdsOf(entries)],
      ...(failure === undefined ? {} : { failure }),
    });
    for (const entry of [...(this.#entriesOf.get(requestId) ?? [])]) this.#tables.pending.delete(entry);
    // Pages hear of each outcome at most once, and of sent and send-error never both.
    const silent = request.retried ? { silent: true as const } : {};
    if (failure !== undefined) return [{ type: "send-error", requestId, ...failure, ...silent }];
    return [{ type: "sent", requestId, ...silent }, ...this.#deliverIfComplete(requestId)];
  }

  /** After the outcome, never before it: what is delivered has been sent. */
  #deliverIfComplete(requestId: RequestId): readonly Outcome[] {
    const request = this.#tables.requests.get(requestId);
    if (request?.outcome !== "sent" || request.delivery === "delivered" || !request.whole) return NOTHING;
    const { failure: _, ...rest } = request;
    this.#tables.requests.put(requestId, { ...rest, delivery: "delivered" });
    return [{ type: "delivered", requestId }];
  }

  #dropSegment(requestId: RequestId, messageId: string): void {
    const segments = this.#segmentsOf.get(requestId);
    segments?.delete(messageId);
    if (segments?.size === 0) this.#segmentsOf.delete(requestId);
  }

  #indexEntry(
    key: number,
    before: PendingMessagingRequest | undefined,
    after: PendingMessagingRequest | undefined,
  ): void {
    if (before) {
      if (before.messagingReqId !== undefined) this.#byMessagingId.delete(before.messagingReqId);
      this.#byMessageId.delete(before.messageId);
      this.#entriesOf.get(before.channelReqId)?.delete(key);
      this.#count(before, -1);
    }
    if (after) {
      this.#nextEntry = Math.max(this.#nextEntry, key + 1);
      if (after.messagingReqId !== undefined) this.#byMessagingId.set(after.messagingReqId, key);
      this.#byMessageId.set(after.messageId, key);
      at(this.#entriesOf, after.channelReqId, () => new Set<number>()).add(key);
      this.#count(after, +1);
    }
    const requestId = (after ?? before)?.channelReqId;
    if (requestId !== undefined && this.#entriesOf.get(requestId)?.size === 0) {
      this.#entriesOf.delete(requestId);
      this.#openOf.delete(requestId);
    }
  }

  #count(entry: PendingMessagingRequest, by: number): void {
    if (isFinal(entry)) return;
    this.#open += by;
    this.#openOf.set(entry.channelReqId, (this.#openOf.get(entry.channelReqId) ?? 0) + by);
  }
}

/** The first reason stands for all. */
function segmentsFailed({ kind, error }: RequestFailure): RequestFailure {
  return { kind, error: `one or more segments failed: ${error}` };
}

function openBytes(request: RequestRow | undefined): number {
  return request?.outcome === "pending" ? request.bytes : 0;
}

function isDecided(request: RequestRow | undefined): boolean {
  return request !== undefined && request.outcome !== "pending";
}

function messagingIdsOf(entries: readonly PendingMessagingRequest[]): readonly MessagingRequestId[] {
  return entries.flatMap((entry) => entry.messagingReqId ?? []);
}

function stateOf(request: RequestRow, allWaiting: boolean): RequestInfo["state"] {
  if (request.outcome === "send-error") return "send-error";
  if (request.delivery === "delivered") return "delivered";
  if (request.delivery === "delivery-error") return "delivery-error";
  if (request.outcome === "sent") return "sent";
  return allWaiting ? "queued" : "sending";
}

function at<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const there = map.get(key);
  if (there !== undefined) return there;
  const made = make();
  map.set(key, made);
  return made;
}
