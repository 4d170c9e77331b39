/**
 * I1–I5 as `test/support/invariants.ts` states them, for simulated members. Everything is checked here: outcomes come from
 * the channel's own send state machine, and what depends on what is known from what a sender had received when it sent.
 */
import type { RequestId } from "../../../src/channel/types.ts";
import { equalBytes } from "../../../src/common/bytes.ts";
import { ancestorsOf, type Places, placesOf } from "./order.ts";
import type { SimulatedMember, SimulatedMessage, SimulationRun } from "./simulation.ts";

/** Breaches of the invariants I1–I5 and of one loss for each message, in words; none if all is well. */
export function breaches(run: SimulationRun): readonly string[] {
  const { messages, members } = run;
  const found: string[] = [];
  const ancestors = ancestorsOf(run);
  const byFirstId = new Map(messages.map((message) => [message.messageIds[0] ?? "", message]));
  for (const [index, member] of members.entries()) {
    requestsOf(member, new Set(messages.flatMap((one) => (one.sender === index ? one.requestId : []))), found);
    failuresOf(member, messages, run.givenUp, found);
    receivedOf(member, index, byFirstId, found);
    orderOf(member, messages, ancestors, placesOf(run, index), found);
    lossesOf(member, index, messages, found);
  }
  return found;
}

/**
 * I1: every outcome is of an own request. I2: each at most once; not both sent and failed to send, and not undelivered once
 * it was delivered. I3: delivered only once it is sent, or after it failed, as it may be tried again.
 */
function requestsOf({ name, events }: SimulatedMember, own: ReadonlySet<RequestId>, found: string[]): void {
  const seen = new Map<RequestId, Set<string>>();
  for (const event of events) {
    if (!("requestId" in event)) continue;
    const { type, requestId } = event;
    if (!own.has(requestId)) found.push(`I1 (${name}): ${type} of ${requestId}, which it never made`);
    const before = seen.get(requestId) ?? new Set();
    seen.set(requestId, before);
    if (before.has(type)) found.push(`I2 (${name}): ${type} of ${requestId} twice`);
    const decided = before.has("sent") || before.has("send-error");
    if ((type === "sent" || type === "send-error") && decided)
      found.push(`I2 (${name}): ${requestId} is decided twice`);
    if (type === "delivery-error" && before.has("delivered")) {
      found.push(`I2 (${name}): ${requestId} is undelivered although it was delivered`);
    }
    if (type === "delivered" && !decided) found.push(`I3 (${name}): ${requestId} is delivered before it is sent`);
    before.add(type);
  }
}

/**
 * What was told delivered although no other member has it whole. Bloom filters are believed where they leave next to no
 * doubt, which is not none: so this is rare, and not never.
 */
export function falselyDelivered({ members, holders }: SimulationRun): readonly RequestId[] {
  return members.flatMap(({ events }) =>
    events.flatMap((event) =>
      event.type === "delivered" && holders.get(event.requestId)?.length === 0 ? [event.requestId] : [],
    ),
  );
}

/** A request fails only where the messaging layer gave something of it up. */
function failuresOf(
  { name, events }: SimulatedMember,
  messages: readonly SimulatedMessage[],
  givenUp: ReadonlySet<string>,
  found: string[],
): void {
  const messageIds = new Map(messages.map((message) => [message.requestId, message.messageIds]));
  for (const event of events) {
    if (event.type !== "send-error" || messageIds.get(event.requestId)?.some((id) => givenUp.has(id))) continue;
    found.push(`send-error (${name}): ${event.requestId}, of which nothing was given up`);
  }
}

/** I4: each message once, from its sender, byte for byte. */
function receivedOf(
  { name, events }: SimulatedMember,
  index: number,
  byFirstId: ReadonlyMap<string, SimulatedMessage>,
  found: string[],
): void {
  const received = new Set<SimulatedMessage>();
  for (const event of events) {
    if (event.type !== "received") continue;
    const message = byFirstId.get(event.messageId);
    if (message === undefined) found.push(`I4 (${name}): ${event.messageId} was never sent`);
    else if (received.has(message)) found.push(`I4 (${name}): ${event.messageId} twice`);
    else if (message.sender === index) found.push(`I4 (${name}): its own ${event.messageId}`);
    else if (event.senderId !== `member-${message.sender}`) found.push(`I4 (${name}): ${event.messageId} of another`);
    else if (!equalBytes(message.payload, event.payload)) found.push(`I4 (${name}): ${event.messageId} is not itself`);
    if (message !== undefined) received.add(message);
  }
}

/**
 * I5: what a member received is in an order that extends the causal one, in which each message comes after all that its
 * sender had sent and received, and after what these come after. Save what was reported lost before it came.
 */
function orderOf(
  { name, events }: SimulatedMember,
  messages: readonly SimulatedMessage[],
  ancestors: readonly bigint[],
  places: Places,
  found: string[],
): void {
  const lostAt = new Map<string, number>();
  for (const [place, event] of events.entries()) {
    if (event.type === "lost" && !lostAt.has(event.messageId)) lostAt.set(event.messageId, place);
  }
  const inTime = [...places].filter(([index, place]) => {
    const ids = messages[index]?.messageIds ?? [];
    return ids.every((id) => (lostAt.get(id) ?? Number.POSITIVE_INFINITY) > place);
  });
  inTime.sort(([, a], [, b]) => a - b);
  /** Of everything that was received up to here: what must not come any more. */
  let passed = 0n;
  for (const [index] of inTime) {
    if ((passed & (1n << BigInt(index))) !== 0n) {
      found.push(`I5 (${name}): ${messages[index]?.requestId} after what depends on it`);
    }
    passed |= ancestors[index] ?? 0n;
  }
}

/** A loss is told of others' messages, once of each, and not of one that is there. */
function lossesOf(
  { name, events }: SimulatedMember,
  index: number,
  messages: readonly SimulatedMessage[],
  found: string[],
): void {
  const byId = new Map(messages.flatMap((message) => message.messageIds.map((id) => [id, message] as const)));
  const received = new Set<SimulatedMessage>();
  const lost = new Set<SimulatedMessage>();
  for (const event of events) {
    if (event.type !== "lost" && event.type !== "received") continue;
    const { messageId } = event;
    const message = byId.get(messageId);
    if (event.type === "received" && message !== undefined) received.add(message);
    if (event.type !== "lost") continue;
    if (message === undefined) found.push(`lost (${name}): ${messageId} was never sent`);
    else if (message.sender === index) found.push(`lost (${name}): its own ${messageId}`);
    else if (received.has(message)) found.push(`lost (${name}): ${messageId}, which it has`);
    else if (lost.has(message)) found.push(`lost (${name}): ${messageId} twice`);
    if (message !== undefined) lost.add(message);
  }
}
