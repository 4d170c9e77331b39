/** Conversations of the reference node, as they were captured: a participant in its place delivers what it delivered. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { Peer, runTimers } from "./sds-peer.ts";

interface Wire {
  readonly kind: "wire";
  readonly at: number;
  readonly hash: string;
  readonly payloadGzipBase64: string;
}

interface Event {
  readonly kind: "event";
  readonly at: number;
  readonly side: string;
  readonly event: string;
  readonly sender?: string;
  readonly payload?: { readonly text: string };
}

interface Transcript {
  readonly channelId: string;
  readonly timeline: readonly (Wire | Event)[];
}

const file = new URL("../../vectors/logos-delivery/channel-transcripts.json", import.meta.url);
const { transcripts } = JSON.parse(readFileSync(file, "utf8")) as { readonly transcripts: Record<string, Transcript> };
const captured = Date.UTC(2026, 10, 22);
const cases = Object.entries(transcripts).flatMap(([name, transcript]) =>
  ["nim-alice", "nim-bob"].map((side) => ({ name, side, transcript })),
);

test.each(cases)("$name: in the place of $side", ({ side, transcript }) => {
  const peer = new Peer(side, { channelId: transcript.channelId, startedAt: captured });
  const expected: string[] = [];
  for (const step of transcript.timeline) {
    if (step.kind === "wire") {
      runTimers(peer, captured + step.at);
      const wire = new Uint8Array(gunzipSync(Buffer.from(step.payloadGzipBase64, "base64")));
      peer.receive(wire, captured + step.at, 0.5, step.hash);
    } else if (step.event === "channel_message_received" && step.side.startsWith(side)) {
      expected.push(step.payload?.text ?? "");
    }
  }
  expect(peer.delivered.map((id) => peer.contents.get(id))).toEqual(expected);
  expect(expected.length).toBeGreaterThan(0);
  expect(peer.lost).toEqual([]);
});

test("a_plain_3_plus_3: what the reference says acknowledges what we sent", () => {
  const transcript = transcripts["a_plain_3_plus_3"];
  const alice = new Peer("nim-alice", { channelId: transcript?.channelId ?? "" });
  const ids: string[] = [];
  for (const step of transcript?.timeline ?? []) {
    if (step.kind !== "wire") continue;
    const wire = new Uint8Array(gunzipSync(Buffer.from(step.payloadGzipBase64, "base64")));
    const { senderId, messageId } = alice.decoded(wire);
    // As if this state had sent what the reference sent under its name.
    if (senderId === "nim-alice") {
      alice.tables.outgoing.put(messageId, {
        sequence: ids.length,
        doubt: 1,
        state: "waiting",
        attempts: 0,
        stored: false,
      });
      ids.push(messageId);
    }
    alice.receive(wire, captured + step.at, 0.5, step.hash);
  }
  expect(alice.acknowledged).toEqual(ids);
});
