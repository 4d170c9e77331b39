/** Conversations of the reference node, as they were captured: a participant in its place delivers what it delivered. */
import { expect, test } from "vitest";
import { type CapturedMessage, capturedTranscripts, payloadOf, stepsOf } from "../../support/captured-transcripts.ts";
import { Peer, runTimers } from "./sds-peer.ts";

const captured = Date.UTC(2026, 10, 22);
const cases = Object.entries(capturedTranscripts).flatMap(([name, transcript]) =>
  ["nim-alice", "nim-bob"].map((side) => ({ name, side, transcript })),
);

/** Everything that falls due until the message comes, and the message. What was sent for repair meanwhile. */
function hear(peer: Peer, message: CapturedMessage): string[] {
  const repaired: string[] = [];
  runTimers(peer, captured + message.at, ({ outgoing }) => {
    for (const { kind, messageId } of outgoing) if (kind === "repair") repaired.push(messageId);
  });
  peer.receive(payloadOf(message), captured + message.at, 0.5, message.hash);
  return repaired;
}

test.each(cases)("$name: in the place of $side, after each message", ({ side, transcript }) => {
  const peer = new Peer(side, { channelId: transcript.channelId, startedAt: captured });
  const steps = stepsOf(transcript, side);
  for (const { message, received } of steps) {
    const before = peer.delivered.length;
    expect(hear(peer, message)).toEqual([]);
    const delivered = peer.delivered.slice(before).map((id) => peer.contents.get(id));
    expect([message.at, delivered]).toEqual([message.at, received.map(([, text]) => text)]);
    expect(peer.lost).toEqual([]);
  }
  expect(steps.flatMap(({ received }) => received).length).toBeGreaterThan(0);
});

test("a_plain_3_plus_3: each message that the reference says acknowledges what we sent before it", () => {
  const transcript = capturedTranscripts["a_plain_3_plus_3"] ?? expect.unreachable();
  const alice = new Peer("nim-alice", { channelId: transcript.channelId });
  const ids: string[] = [];
  let acknowledged = 0;
  for (const { message } of stepsOf(transcript, "nim-alice")) {
    const wire = payloadOf(message);
    const { senderId, messageId } = alice.decoded(wire);
    // As if this state had sent what the reference sent under its name.
    if (senderId === "nim-alice") {
      alice.tables.outgoing.put(messageId, {
        sequence: ids.length,
        hits: [],
        state: "waiting",
        attempts: 0,
        stored: false,
      });
      ids.push(messageId);
    } else acknowledged = ids.length;
    alice.receive(wire, captured + message.at, 0.5, message.hash);
    expect([message.at, alice.acknowledged]).toEqual([message.at, ids.slice(0, acknowledged)]);
  }
  expect(acknowledged).toBe(3);
});
