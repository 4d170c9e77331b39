/**
 * The seed's send state machine as it stands in `reliable_channel.nim`, procedure by procedure: one list that every event
 * walks from its beginning. It is slow and plainly right; the product's state machine is compared with it.
 *
 * Added to the seed, because LIP-109 sees it and the seed does not: acknowledgements.
 */

export type ModelSegmentState = "AwaitingRateLimit" | "InFlight" | "Confirmed" | "Failed";

export interface ModelSegment {
  readonly channelReqId: string;
  readonly messageId: string;
  readonly ephemeral: boolean;
  messagingReqId: string | undefined;
  segmentSendState: ModelSegmentState;
}

export interface ModelOutcome {
  readonly type: "sent" | "send-error" | "delivered" | "delivery-error";
  readonly requestId: string;
}

interface ModelRequest {
  readonly createdAt: number;
  readonly total: number;
  readonly ephemeral: boolean;
  readonly messageIds: readonly string[];
  readonly unacknowledged: Set<string>;
  /** One other participant has all of it. */
  whole: boolean;
  outcome: "pending" | "sent" | "send-error";
  /** It failed, and was sent again: pages hear of no second outcome. */
  retried: boolean;
  /** Its information names an error. */
  hasError: boolean;
  failedMessageIds: readonly string[];
  /** Segments confirmed and failed when the outcome was decided. */
  confirmed: number;
  failed: number;
  delivery: "pending" | "delivered" | "delivery-error";
}

export class SeedSendModel {
  pendingMessagingRequests: ModelSegment[] = [];
  /** `requestIds` of the seed: channel request to messaging requests. */
  readonly requestIds = new Map<string, string[]>();
  readonly requests = new Map<string, ModelRequest>();
  readonly emitted: ModelOutcome[] = [];

  clone(): SeedSendModel {
    const copy = new SeedSendModel();
    copy.pendingMessagingRequests = structuredClone(this.pendingMessagingRequests);
    for (const [id, ids] of this.requestIds) copy.requestIds.set(id, [...ids]);
    for (const [id, request] of this.requests) copy.requests.set(id, structuredClone(request));
    copy.emitted.push(...this.emitted);
    return copy;
  }

  send(channelReqId: string, messageIds: readonly string[], ephemeral: boolean, createdAt: number): void {
    this.requestIds.set(channelReqId, []);
    for (const messageId of messageIds) this.#push(channelReqId, messageId, ephemeral);
    this.requests.set(channelReqId, {
      createdAt,
      total: messageIds.length,
      ephemeral,
      messageIds,
      unacknowledged: new Set(messageIds),
      whole: false,
      outcome: "pending",
      retried: false,
      hasError: false,
      failedMessageIds: [],
      confirmed: 0,
      failed: 0,
      delivery: "pending",
    });
  }

  #push(channelReqId: string, messageId: string, ephemeral: boolean): void {
    this.pendingMessagingRequests.push({
      channelReqId,
      messageId,
      ephemeral,
      messagingReqId: undefined,
      segmentSendState: "AwaitingRateLimit",
    });
  }

  /** The segment that a message released now belongs to: the first that waits, past those that no longer do. */
  firstAwaiting(): ModelSegment | undefined {
    let idx = 0;
    while (
      idx < this.pendingMessagingRequests.length &&
      this.pendingMessagingRequests[idx]?.segmentSendState !== "AwaitingRateLimit"
    ) {
      idx++;
    }
    return this.pendingMessagingRequests[idx];
  }

  /** One message of a `ReadyToSendEvent`, with what the dispatch made of it: an id, or nothing. */
  onReadyToSend(dispatched: { readonly messagingReqId: string } | "failed"): void {
    const segment = this.firstAwaiting();
    // More messages were released than segments wait: dropped.
    if (segment === undefined) return;
    if (dispatched === "failed") {
      segment.segmentSendState = "Failed";
    } else {
      segment.messagingReqId = dispatched.messagingReqId;
      segment.segmentSendState = "InFlight";
      this.requestIds.get(segment.channelReqId)?.push(dispatched.messagingReqId);
    }
    this.pruneCompletedChannelReqs();
  }

  /** An ephemeral segment that waited for the rate limiter for too long fails where it stands. */
  refuse(messageId: string): void {
    for (const it of this.pendingMessagingRequests) {
      if (it.messageId === messageId && it.segmentSendState === "AwaitingRateLimit") it.segmentSendState = "Failed";
    }
    this.pruneCompletedChannelReqs();
  }

  onMessageSent(messagingReqId: string): void {
    for (const it of this.pendingMessagingRequests) {
      if (it.segmentSendState === "InFlight" && it.messagingReqId === messagingReqId) it.segmentSendState = "Confirmed";
    }
    this.pruneCompletedChannelReqs();
  }

  onMessageError(messagingReqId: string): void {
    for (const it of this.pendingMessagingRequests) {
      if (it.segmentSendState === "InFlight" && it.messagingReqId === messagingReqId) it.segmentSendState = "Failed";
    }
    this.pruneCompletedChannelReqs();
  }

  /** An acknowledgement counts once, as SDS tells it once; what it finds in flight has evidently been sent. */
  onAcknowledged(messageId: string): void {
    const [requestId, request] =
      [...this.requests].find(([, it]) => !it.ephemeral && it.unacknowledged.has(messageId)) ?? [];
    if (requestId === undefined || request === undefined) return;
    request.unacknowledged.delete(messageId);
    for (const it of this.pendingMessagingRequests) {
      if (it.segmentSendState === "InFlight" && it.messageId === messageId) it.segmentSendState = "Confirmed";
    }
    this.pruneCompletedChannelReqs();
    // There is nothing else of it that somebody could lack.
    if (request.total === 1) this.onWhole(requestId);
  }

  /** SDS tells it once all segments are acknowledged, and by one participant. */
  onWhole(requestId: string): void {
    const request = this.requests.get(requestId);
    if (request === undefined || request.ephemeral) return;
    request.whole = true;
    // A retry that waits is of a copy that has arrived after all.
    for (const it of this.segmentsOf(requestId)) {
      if (request.retried && it.segmentSendState === "AwaitingRateLimit") it.segmentSendState = "Confirmed";
    }
    this.pruneCompletedChannelReqs();
  }

  /** Ids that something may still be told of. */
  awaited(requestId: string): readonly string[] {
    const request = this.requests.get(requestId);
    return request === undefined || request.ephemeral || request.whole ? [] : request.messageIds;
  }

  /** The seed has no retry: what failed is pushed again, as `send` does it. Nothing is left to push once all is acknowledged. */
  retry(requestId: string): readonly string[] | "refused" {
    const request = this.requests.get(requestId);
    if (request === undefined || request.outcome !== "send-error" || request.ephemeral) return "refused";
    const again = request.failedMessageIds.filter((messageId) => request.unacknowledged.has(messageId));
    request.retried = true;
    request.hasError = false;
    request.outcome = again.length === 0 ? "sent" : "pending";
    request.confirmed = request.total - again.length;
    request.failed = 0;
    request.failedMessageIds = [];
    for (const messageId of again) this.#push(requestId, messageId, false);
    this.pruneCompletedChannelReqs();
    return again;
  }

  onExhausted(messageId: string): void {
    for (const [requestId, request] of this.requests) {
      if (!this.awaited(requestId).includes(messageId) || request.delivery !== "pending") continue;
      request.delivery = "delivery-error";
      request.hasError = true;
      this.emitted.push({ type: "delivery-error", requestId });
    }
  }

  /** Requests that were decided are forgotten in time; the seed keeps them for ever. */
  forgetBefore(horizon: number): void {
    for (const [requestId, request] of this.requests) {
      if (request.outcome === "pending" || request.createdAt >= horizon) continue;
      this.requests.delete(requestId);
      this.requestIds.delete(requestId);
    }
  }

  /** As in the seed: over every entry, whatever the event was about. */
  pruneCompletedChannelReqs(): void {
    const hasPending = new Set<string>();
    const anyFailed = new Set<string>();
    for (const entry of this.pendingMessagingRequests) {
      if (entry.segmentSendState !== "Confirmed" && entry.segmentSendState !== "Failed") {
        hasPending.add(entry.channelReqId);
      } else if (entry.segmentSendState === "Failed") {
        anyFailed.add(entry.channelReqId);
      }
    }
    const emitted = new Set<string>();
    for (const entry of this.pendingMessagingRequests) {
      if (hasPending.has(entry.channelReqId) || emitted.has(entry.channelReqId)) continue;
      emitted.add(entry.channelReqId);
      const outcome = anyFailed.has(entry.channelReqId) ? "send-error" : "sent";
      const request = this.requests.get(entry.channelReqId);
      if (request) {
        request.outcome = outcome;
        request.hasError ||= outcome === "send-error";
        request.failedMessageIds = this.segmentsOf(entry.channelReqId)
          .filter((it) => it.segmentSendState === "Failed")
          .map((it) => it.messageId);
        request.failed = request.failedMessageIds.length;
        request.confirmed = request.total - request.failed;
      }
      if (!request?.retried) this.emitted.push({ type: outcome, requestId: entry.channelReqId });
    }
    this.pendingMessagingRequests = this.pendingMessagingRequests.filter((it) => hasPending.has(it.channelReqId));
    this.#deliver();
  }

  /** Entries of a request that were not pruned yet, in segment order. */
  segmentsOf(channelReqId: string): readonly ModelSegment[] {
    return this.pendingMessagingRequests.filter((it) => it.channelReqId === channelReqId);
  }

  #deliver(): void {
    for (const [requestId, request] of this.requests) {
      if (request.outcome !== "sent" || request.delivery === "delivered" || !request.whole) continue;
      request.delivery = "delivered";
      request.hasError = false;
      this.emitted.push({ type: "delivered", requestId });
    }
  }
}
