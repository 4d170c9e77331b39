/**
 * Captured conversations of the reference node (logos-delivery of summer 2026), message by message through a channel of
 * profile `logos-raw`: it gives the events that the node in its place gave.
 *
 * Deviations, all on purpose: a message in our own name that we did not send is no event here, or anybody could speak to a
 * person in that person's name; and a sync message that was heard satisfies dependencies at once, since nothing of it is
 * ever delivered, while the reference parks it.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { EMPTY, fromHex, utf8 } from "../../../src/common/bytes.ts";
import { keccak256 } from "../../../src/common/keccak.ts";
import { ProtobufWriter } from "../../../src/common/protobuf.ts";
import { BloomFilter, filterShape } from "../../../src/sds/bloom-filter.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { Peer } from "../../support/peer.ts";

interface Wire {
  readonly kind: "wire";
  readonly at: number;
  readonly contentTopic: string;
  readonly meta: string;
  /** Nanoseconds since the Unix epoch. */
  readonly timestamp: string;
  readonly ephemeral: boolean;
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
  readonly contentTopic: string;
  readonly timeline: readonly (Wire | Event)[];
}

interface EntryInfo {
  readonly messageId: string;
  readonly retrievalHint?: string;
  readonly senderId?: string;
}

interface Injected {
  readonly fieldsPresent?: readonly number[];
  readonly messageId?: string;
  readonly lamport?: string | null;
  readonly causalHistory?: readonly EntryInfo[];
  readonly channelId?: string;
  readonly senderId?: string | null;
  readonly contentText?: string;
  readonly bloom?: { readonly bytes: number } | null;
}

interface Step {
  readonly step: string;
  readonly injected?: Injected;
  readonly delivered?: readonly { readonly text: string }[];
}

function vector(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../vectors/logos-delivery/${name}.json`, import.meta.url), "utf8"));
}

const { transcripts } = vector("channel-transcripts") as { readonly transcripts: Record<string, Transcript> };
const interplay = vector("interplay") as Record<string, { readonly steps: readonly Step[] }>;
const MARKER = "RELIABLE-CHANNEL-API/1";

/** A channel in the place of `side`, at the time of the capture. */
async function inPlaceOf(side: string, now: number, channelId: string, contentTopic: string) {
  const clock = new VirtualClock(now);
  const network = new FakeNetwork(clock);
  const peer = await Peer.start(side, network, { profile: "logos-raw" });
  await peer.open(channelId, contentTopic);
  await network.settle();
  return { clock, network, peer };
}

function milliseconds(nanoseconds: string): number {
  return Number(BigInt(nanoseconds) / 1_000_000n);
}

describe.each(Object.entries(transcripts))("%s", (_, { channelId, contentTopic, timeline }) => {
  test.each(["nim-alice", "nim-bob"])("in the place of %s", async (side) => {
    const first = timeline.find((step) => step.kind === "wire");
    if (first?.kind !== "wire") throw new Error("the transcript has no messages");
    const began = milliseconds(first.timestamp) - first.at;
    const { clock, network, peer } = await inPlaceOf(side, began, channelId, contentTopic);
    const expected: unknown[] = [];
    for (const step of timeline) {
      if (step.kind === "event") {
        if (step.event !== "channel_message_received" || !step.side.startsWith(side)) continue;
        expected.push([step.sender, step.payload?.text]);
        continue;
      }
      await clock.advance(Math.max(0, began + step.at - clock.now()));
      await network.settle();
      await network.inject({
        contentTopic: step.contentTopic,
        payload: new Uint8Array(gunzipSync(Buffer.from(step.payloadGzipBase64, "base64"))),
        meta: utf8(step.meta),
        ephemeral: step.ephemeral,
        timestamp: milliseconds(step.timestamp),
        messageHash: step.hash,
      });
    }
    const events = (await peer.log(channelId)).map((event) =>
      event.type === "reliable:message:received"
        ? [event.senderId, new TextDecoder().decode(event.message)]
        : [event.type],
    );
    expect(events).toEqual(expected);
    expect(expected.length).toBeGreaterThan(0);
    expect(Object.values(peer.channel(channelId).diagnostics()).every((count) => count === 0)).toBe(true);
  });
});

/** The bytes of a message that was injected by hand, from what is recorded of it. */
function encode(injected: Injected): Uint8Array<ArrayBuffer> {
  const writer = new ProtobufWriter();
  for (const field of injected.fieldsPresent ?? []) {
    if (field === 1) writer.string(1, injected.messageId ?? "");
    if (field === 2) writer.varint(2, BigInt(injected.lamport ?? 0));
    if (field === 3) for (const entry of injected.causalHistory ?? []) writer.bytes(3, encodeEntry(entry));
    if (field === 4) writer.string(4, injected.channelId ?? "");
    if (field === 5) writer.string(5, injected.contentText ?? "");
    // Of the filters only digests are recorded; here they name nothing.
    const empty = nimLayout.encodeFilter(BloomFilter.empty(filterShape(16, 0.001)));
    if (field === 6) writer.bytes(6, injected.bloom?.bytes === 0 ? EMPTY : empty);
    if (field === 7) writer.string(7, injected.senderId ?? "");
    if (field === 99) writer.string(99, "unknown");
  }
  return injected.fieldsPresent === undefined ? new Uint8Array([1, 2, 3]) : writer.finish();
}

function encodeEntry({ messageId, retrievalHint, senderId }: EntryInfo): Uint8Array {
  const writer = new ProtobufWriter().string(1, messageId);
  if (retrievalHint !== undefined) writer.bytes(2, fromHex(retrievalHint) ?? EMPTY);
  if (senderId !== undefined) writer.string(3, senderId);
  return writer.finish();
}

describe("interplay, in the place of nim-alice", () => {
  /** The moment of the first cases; later ones have Lamport times that are far ahead of it. */
  const BEGAN = 1_795_340_150_000;
  const TOPIC = "/reliable-channel/1/interplay/proto";
  const OWN_NAME = "sender id equal to the receiver's own (nim-alice)";

  async function seat(channelId: string) {
    const { network, peer } = await inPlaceOf("nim-alice", BEGAN, channelId, TOPIC);
    const inject = async (payload: Uint8Array<ArrayBuffer>, meta = MARKER) => {
      const messageHash = Buffer.from(keccak256(payload)).toString("hex");
      const envelope = { contentTopic: TOPIC, payload, meta: utf8(meta), ephemeral: false };
      await network.inject({ ...envelope, timestamp: BEGAN, messageHash });
    };
    return { peer, inject };
  }

  test.each([
    ["i2_missing_fields", "cap-i2-y49739"],
    ["i2b_foreign", "cap-i2b-y49739"],
  ])("%s: each step gives what it gave there", async (name, channelId) => {
    const { peer, inject } = await seat(channelId);
    // i2 begins with a message of nim-alice's that a later one names.
    const named = interplay[name]?.steps[0]?.injected?.causalHistory?.[0];
    if (named !== undefined) {
      const own = { ...named, fieldsPresent: [1, 2, 4, 5, 6, 7], lamport: "1795340166", channelId, contentText: "one" };
      await inject(encode({ ...own, bloom: { bytes: 0 } }));
    }
    let compared = 0;
    for (const { step, injected, delivered } of interplay[name]?.steps ?? []) {
      if (delivered === undefined) continue;
      const before = (await peer.received(channelId)).length;
      const meta = step === "right payload, no meta" ? "" : MARKER;
      await inject(injected === undefined ? utf8("?") : encode(injected), meta);
      const expected = step === OWN_NAME ? [] : delivered.map(({ text }) => text);
      expect([step, (await peer.received(channelId)).slice(before)]).toEqual([step, expected]);
      compared++;
    }
    expect(compared).toBeGreaterThan(5);
  });

  test("i5_hints: hints and sender ids of any kind harm nothing", async () => {
    const { peer, inject } = await seat("cap-i5-y49739");
    const { steps = [] } = interplay["i5_hints"] ?? {};
    for (const { injected } of steps) if (injected) await inject(encode(injected));
    const expected = steps.flatMap(({ delivered }) => delivered?.map(({ text }) => text) ?? []);
    expect(expected.length).toBe(4);
    expect(await peer.received("cap-i5-y49739")).toEqual(expected);
  });

  test("i3_sync: syncs give no event, and what names one that was heard is delivered", async () => {
    const { peer, inject } = await seat("cap-i3-y49739");
    const { steps = [] } = interplay["i3_sync"] ?? {};
    for (const { injected } of steps) if (injected) await inject(encode(injected));
    expect(await peer.received("cap-i3-y49739")).toEqual(["bob after parked sync"]);
    expect((await peer.log("cap-i3-y49739")).length).toBe(1);
  });

  test("i8_dependency_on_unseen_sync: what names a sync waits for it", async () => {
    const { peer, inject } = await seat("i8");
    const base = { fieldsPresent: [1, 2, 3, 4, 5, 6, 7], channelId: "i8", senderId: "ts-bob", bloom: { bytes: 0 } };
    const after = "text that names the unseen sync";
    await inject(
      encode({
        ...base,
        messageId: "m",
        lamport: "1795340152",
        causalHistory: [{ messageId: "s" }],
        contentText: after,
      }),
    );
    expect(await peer.received("i8")).toEqual([]);
    await inject(encode({ ...base, messageId: "n", lamport: "1795340153", contentText: "text beside it" }));
    expect(await peer.received("i8")).toEqual(["text beside it"]);
    await inject(encode({ ...base, messageId: "s", lamport: "1795340151", contentText: "" }));
    expect(await peer.received("i8")).toEqual(["text beside it", after]);
  });

  test("i6_history256: 256 dependencies, one of which comes late", async () => {
    const { peer, inject } = await seat("i6");
    const base = { fieldsPresent: [1, 2, 3, 4, 5, 6, 7], channelId: "i6", senderId: "ts-bob", bloom: { bytes: 0 } };
    const ids = Array.from({ length: 256 }, (_, i) => ({ messageId: `id-${i}` }));
    const message = (messageId: string, contentText: string, causalHistory: readonly EntryInfo[] = []) =>
      encode({ ...base, messageId, lamport: "1795340152", contentText, causalHistory });
    for (const { messageId } of ids.slice(1)) await inject(message(messageId, messageId));
    await inject(message("all", "names 255 delivered + 1 missing", ids));
    expect((await peer.received("i6")).length).toBe(255);
    await inject(message("id-0", "late dep"));
    expect((await peer.received("i6")).slice(255)).toEqual(["late dep", "names 255 delivered + 1 missing"]);
  });
});
