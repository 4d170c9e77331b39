/**
 * Captured conversations of the reference node (logos-delivery of summer 2026), message by message through a channel of
 * profile `logos-raw`: it gives the events that the node in its place gave.
 *
 * Deviations, all on purpose: a message in our own name that we did not send is no event here, or anybody could speak to a
 * person in that person's name; and a sync message that was heard satisfies dependencies at once, since nothing of it is
 * ever delivered, while the reference parks it.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { EMPTY, fromHex, utf8 } from "../../../src/common/bytes.ts";
import { keccak256 } from "../../../src/common/keccak.ts";
import { ProtobufWriter } from "../../../src/common/protobuf.ts";
import { BloomFilter, filterShape } from "../../../src/sds/bloom-filter.ts";
import type { SdsMessage } from "../../../src/sds/message.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import {
  type CapturedMessage,
  capturedTranscripts,
  payloadOf,
  stepsOf,
  type Transcript,
} from "../../support/captured-transcripts.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { Peer } from "../../support/peer.ts";

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

/** A seat in a captured conversation. */
async function inTranscript(transcript: Transcript, side: string) {
  const { channelId, contentTopic } = transcript;
  const steps = stepsOf(transcript, side);
  const [first] = steps;
  if (first === undefined) throw new Error("the transcript has no messages");
  const began = milliseconds(first.message.timestamp) - first.message.at;
  const { clock, network, peer } = await inPlaceOf(side, began, channelId, contentTopic);
  /** Lets time pass until `at` milliseconds after the beginning. */
  const until = async (at: number) => {
    while (clock.now() < began + at) {
      await clock.advance(Math.min(250, began + at - clock.now()));
      await network.settle();
    }
  };
  /** A message of the conversation, at its time. */
  const hear = async (message: CapturedMessage, payload = payloadOf(message)) => {
    await until(message.at);
    await network.inject({
      contentTopic: message.contentTopic,
      payload,
      meta: utf8(message.meta),
      ephemeral: message.ephemeral,
      timestamp: milliseconds(message.timestamp),
      messageHash: message.hash,
    });
  };
  /** The event log: of what was received, sender and text. */
  const events = async () =>
    (await peer.log(channelId)).map((event) =>
      event.type === "reliable:message:received"
        ? [event.senderId, new TextDecoder().decode(event.message)]
        : [event.type],
    );
  return { peer, steps, until, hear, events };
}

describe.each(Object.entries(capturedTranscripts))("%s", (_, transcript) => {
  test.each(["nim-alice", "nim-bob"])("in the place of %s, after each message", async (side) => {
    const { peer, steps, hear, events } = await inTranscript(transcript, side);
    for (const { message, received } of steps) {
      const before = (await events()).length;
      await hear(message);
      expect([message.at, (await events()).slice(before)]).toEqual([message.at, received]);
    }
    expect(steps.flatMap(({ received }) => received).length).toBeGreaterThan(0);
    expect(Object.values(peer.channel(transcript.channelId).diagnostics()).every((count) => count === 0)).toBe(true);
  });
});

describe("e2_repair_request_answered", () => {
  const transcript = capturedTranscripts["e2_repair_request_answered"] ?? expect.unreachable();
  const sds = (bytes: Uint8Array): SdsMessage => {
    const decoded = nimLayout.decode(bytes);
    return decoded.ok ? decoded.value : expect.unreachable(decoded.error);
  };
  /** What the seat sent with content, as SDS messages, and how. */
  const contentsOf = ({ messaging }: Peer) => messaging.sent.filter(({ payload }) => sds(payload).content.length > 0);

  test("in the place of nim-alice, the author: one answer, with the same bytes and ephemeral, and none to a request without sender id", async () => {
    const { peer, steps, until, hear } = await inTranscript(transcript, "nim-alice");
    const [own, request, answer, again] = steps.map(({ message }) => message);
    if (!(own && request && answer && again)) expect.unreachable();
    await until(own.at);
    await peer.send("please repair me", transcript.channelId);
    await until(request.at - 1);
    const [original] = contentsOf(peer);
    expect(contentsOf(peer)).toMatchObject([{ ephemeral: false }]);
    const messageId = sds(original?.payload ?? EMPTY).messageId;
    /** The captured request, for the id that the message has here. */
    const asking = (message: CapturedMessage) => {
      const captured = sds(payloadOf(message));
      expect(captured.repairRequest).toHaveLength(1);
      const repairRequest = captured.repairRequest.map((entry) => ({ ...entry, messageId }));
      return nimLayout.encode({ ...captured, repairRequest });
    };
    // So that no retransmission is taken for the answer, the request acknowledges.
    const asked = { ...sds(asking(request)), causalHistory: [{ messageId }] };
    await hear(request, nimLayout.encode(asked));
    // The author answers at once; the reference did within its sweep.
    await until(answer.at);
    expect(contentsOf(peer)).toMatchObject([{ ephemeral: false }, { ephemeral: true }]);
    expect(contentsOf(peer)[1]?.payload).toEqual(original?.payload);
    // Long enough that another request would be answered again.
    await until(400_000);
    await hear(again, asking(again));
    await until(800_000);
    expect(contentsOf(peer)).toHaveLength(2);
  });

  test("in the place of nim-bob, who only received it: it answers with the bytes that came, ephemeral, where the author does not", async () => {
    const { peer, steps, until, hear } = await inTranscript(transcript, "nim-bob");
    const [original, request] = steps.map(({ message }) => message);
    if (!(original && request)) expect.unreachable();
    await hear(original);
    await hear(request);
    expect(contentsOf(peer)).toEqual([]);
    // T_max of SDS-R.
    await until(request.at + 300_000);
    expect(contentsOf(peer)).toEqual([
      { contentTopic: transcript.contentTopic, payload: payloadOf(original), ephemeral: true, meta: utf8(MARKER) },
    ]);
  });

  test("in the place of nim-bob: where the author answers first, it does not", async () => {
    const { peer, steps, until, hear } = await inTranscript(transcript, "nim-bob");
    for (const { message } of steps) await hear(message);
    await until(400_000);
    expect(contentsOf(peer)).toEqual([]);
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
    const expected = steps.flatMap(({ delivered }) => delivered?.map(({ text }) => text) ?? []);
    const injected = steps.flatMap((step) => step.injected ?? []);
    // What was delivered was noted once, after the last of them: each names the one before it.
    expect(injected.map(({ contentText }) => contentText)).toEqual(expected);
    expect(expected).toHaveLength(4);
    for (const [index, message] of injected.entries()) {
      await inject(encode(message));
      expect(await peer.received("cap-i5-y49739")).toEqual(expected.slice(0, index + 1));
    }
    expect(await peer.log("cap-i5-y49739")).toHaveLength(4);
  });

  test("i3_sync: syncs give no event, and what names one that was heard is delivered", async () => {
    const { peer, inject } = await seat("cap-i3-y49739");
    const { steps = [] } = interplay["i3_sync"] ?? {};
    const told: (readonly string[])[] = [];
    for (const { injected } of steps) {
      if (injected === undefined) continue;
      const before = await peer.log("cap-i3-y49739");
      await inject(encode(injected));
      const events = (await peer.log("cap-i3-y49739")).slice(before.length);
      told.push(events.map((event) => ("message" in event ? new TextDecoder().decode(event.message) : event.type)));
    }
    expect(told).toEqual([[], [], [], [], ["bob after parked sync"]]);
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
