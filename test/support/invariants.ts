/**
 * What holds in every run of a channel, whatever crashed, was lost, came twice or came late:
 *
 * I1 every event carries an id that `send` returned
 * I2 per request at most one each of sent, send-error, delivered, delivery-error; sent and send-error exclude each other
 * I3 delivered never precedes sent; where the outcome was a send-error, a retry may still deliver
 * I4 each message is emitted exactly once into the receiver's event log, with its channel, sender and exact payload
 * I5 messages of one sender are logged in the order sent, and every message after what it causally depends on, except one
 *    first reported lost that arrives late
 */
import type { ChannelEvent, RequestId } from "../../src/channel/types.ts";
import { equalBytes } from "../../src/common/bytes.ts";

/** One `send` that was answered. */
export interface Sent {
  readonly requestId: RequestId;
  readonly payload: Uint8Array;
  /** Position of the sender's newest logged event when it sent: what it had received up to there, it depends on. */
  readonly afterSeq?: number;
}

/** One member of a channel: what it sent, in order, and the whole event log of its channel. */
export interface MemberRecord {
  readonly senderId: string;
  readonly sent: readonly Sent[];
  readonly log: readonly ChannelEvent[];
}

export interface InvariantOptions {
  /** Everything has arrived everywhere by now: each message is in the log of every other member. */
  readonly complete?: boolean;
}

type ReceivedEvent = Extract<ChannelEvent, { type: "reliable:message:received" }>;

/** One message, as the whole channel sees it. */
interface Message extends Sent {
  readonly senderId: string;
  readonly position: number;
}

/** Throws with words that name the invariant. */
export function assertInvariants(members: readonly MemberRecord[], { complete = false }: InvariantOptions = {}): void {
  const messages = members.flatMap(({ senderId, sent }) =>
    sent.map((one, position): Message => ({ ...one, senderId, position })),
  );
  const logged = new Map(members.map((member) => [member.senderId, receivedOf(member, messages)]));
  for (const member of members) {
    assertPositions(member);
    assertRequests(member);
    assertOrder(member, logged);
    if (complete) assertComplete(member, messages, logged.get(member.senderId) ?? []);
  }
}

/** Cursors: 1, 2, 3, … */
function assertPositions({ senderId, log }: MemberRecord): void {
  let before = 0;
  for (const { seq } of log) {
    holds(seq > before, "cursors ascend", senderId, `${seq} follows ${before}`);
    before = seq;
  }
}

/** I1, I2, I3. */
function assertRequests({ senderId, sent, log }: MemberRecord): void {
  const known = new Set(sent.map(({ requestId }) => requestId));
  const seen = new Map<RequestId, string[]>();
  for (const event of log) {
    if (!("requestId" in event)) continue;
    const { requestId, type } = event;
    holds(known.has(requestId), "I1", senderId, `${type} of ${requestId}, which no send returned`);
    const types = seen.get(requestId) ?? [];
    holds(!types.includes(type), "I2", senderId, `${type} of ${requestId} twice`);
    seen.set(requestId, [...types, type]);
    const excluded =
      (type === "reliable:message:sent" && types.includes("reliable:message:send-error")) ||
      (type === "reliable:message:send-error" && types.includes("reliable:message:sent"));
    holds(!excluded, "I2", senderId, `${requestId} is both sent and failed`);
    const decided = types.includes("reliable:message:sent") || types.includes("reliable:message:send-error");
    const early = type === "reliable:message:delivered" && !decided;
    holds(!early, "I3", senderId, `${requestId} is delivered before it is sent`);
  }
}

/** I4: what was received and what was sent, one to one. */
function receivedOf({ senderId, log }: MemberRecord, messages: readonly Message[]) {
  const taken = new Set<Message>();
  const ids = new Set<string>();
  return log.filter(isReceived).map((event) => {
    holds(!ids.has(event.messageId), "I4", senderId, `message ${event.messageId} is logged twice`);
    ids.add(event.messageId);
    holds(event.senderId !== senderId, "I4", senderId, "its own message is logged as received");
    const message = messages.find(
      (one) => !taken.has(one) && one.senderId === event.senderId && equalBytes(one.payload, event.message),
    );
    if (message === undefined) {
      throw new Error(
        `I4 (${senderId}): a message of ${event.message.length} bytes came from ${event.senderId} more often than it was sent`,
      );
    }
    taken.add(message);
    return { event, message };
  });
}

/** I5. */
function assertOrder(
  { senderId, log }: MemberRecord,
  logged: ReadonlyMap<string, ReturnType<typeof receivedOf>>,
): void {
  const lostAt = new Map<string, number>();
  for (const event of log) if (event.type === "reliable:message:lost") lostAt.set(event.messageId, event.seq);
  const isLate = ({ messageId, seq }: ReceivedEvent) => (lostAt.get(messageId) ?? Number.POSITIVE_INFINITY) < seq;
  const here = logged.get(senderId) ?? [];
  const newest = new Map<string, number>();
  for (const { event, message } of here) {
    if (isLate(event)) continue;
    const before = newest.get(message.senderId) ?? -1;
    holds(
      message.position > before,
      "I5",
      senderId,
      `${message.requestId} is logged after a later message of its sender`,
    );
    newest.set(message.senderId, message.position);
    const { afterSeq } = message;
    if (afterSeq === undefined) continue;
    for (const cause of logged.get(message.senderId) ?? []) {
      if (cause.event.seq > afterSeq) continue;
      const effect = here.find((one) => one.message === cause.message);
      const fine = effect === undefined || effect.event.seq < event.seq || isLate(effect.event);
      holds(
        fine,
        "I5",
        senderId,
        `${message.requestId} is logged before ${cause.message.requestId}, on which it depends`,
      );
    }
  }
}

/** I4: each message is there. */
function assertComplete(
  { senderId, log }: MemberRecord,
  messages: readonly Message[],
  received: readonly { readonly message: Message }[],
): void {
  const here = new Set(received.map(({ message }) => message));
  for (const message of messages) {
    if (message.senderId === senderId) continue;
    holds(
      here.has(message),
      "I4",
      senderId,
      `${message.requestId} of ${message.senderId} is not in the log of ${log.length}`,
    );
  }
}

function isReceived(event: ChannelEvent): event is ReceivedEvent {
  return event.type === "reliable:message:received";
}

function holds(condition: boolean, invariant: string, member: string, what: string): void {
  if (!condition) throw new Error(`${invariant} (${member}): ${what}`);
}
