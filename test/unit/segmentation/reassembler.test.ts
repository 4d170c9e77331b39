import { describe, expect, test } from "vitest";
import { ownBytes, utf8 } from "../../../src/common/bytes.ts";
import { keccak256 } from "../../../src/common/keccak.ts";
import { LIMITS as ALL } from "../../../src/limits.ts";
import { encodeSegment } from "../../../src/segmentation/segment-message.ts";
import {
  configOf,
  earlierSegmentsOf,
  forgedSegment,
  Harness,
  type Message,
  messagesOf,
  patternPayload,
} from "./support.ts";
import { segmentWireCases, xorshiftPayload } from "./vectors.ts";

const CHUNK = configOf(192).chunkBytes;
const LIMITS = {
  sets: 100,
  bufferedBytes: 32 * 1024 * 1024,
  setIdleMs: ALL.segmentation.setIdleMs,
  completedSets: 1_000,
  lostIds: 1_000,
};
const first = (id: string, sender: string, n = 0): Message => ({
  senderId: sender,
  messageId: id,
  content: forgedSegment(n),
});

/** The same messages, each of which follows the one before it, as those of a sender do. */
function parts(messages: readonly Message[]): readonly Message[] {
  return messages.map((message, i) => ({ ...message, follows: messages[i - 1]?.messageId ?? "before" }));
}

describe("scenarios", () => {
  test("G01: a payload of one segment", () => {
    const h = new Harness();
    const payload = patternPayload(64);
    h.take(...messagesOf(payload));
    expect(h.delivered).toEqual([{ senderId: "alice", messageId: "m0", payload }]);
    expect(h.storedRows).toEqual({ segmentSets: 0, segments: 0, completedSets: 0, lostIds: 0 });
  });

  test("G02: nothing until the last of four segments, then the payload, and nothing pending", () => {
    const h = new Harness();
    const payload = patternPayload(3 * CHUNK + 17);
    const messages = messagesOf(payload);
    expect(messages).toHaveLength(4);
    h.take(...messages.slice(0, 3));
    expect(h.delivered).toEqual([]);
    h.take(...messages.slice(3));
    expect(h.delivered).toEqual([{ senderId: "alice", messageId: "m0", payload }]);
    expect(h.pending).toBe(0);
  });

  test("G03: segments in reverse", () => {
    const h = new Harness();
    const payload = patternPayload(4 * CHUNK);
    h.take(...messagesOf(payload).toReversed());
    expect(h.delivered).toEqual([{ senderId: "alice", messageId: "m0", payload }]);
  });

  test("G07: bytes that are no segment are discarded", () => {
    const h = new Harness();
    const content = Uint8Array.of(0xff, 0xff, 0xff, 0xff);
    expect(h.add({ senderId: "alice", messageId: "x", content })).toEqual({
      kind: "ignored",
      reason: "malformed protobuf",
    });
    expect([h.pending, h.lost]).toEqual([0, []]);
  });

  test("G08: exact duplicate: it changes nothing that is held", () => {
    const h = new Harness();
    const [message = expect.unreachable()] = messagesOf(patternPayload(2 * CHUNK));
    h.add(message);
    const before = h.bufferedBytes;
    expect(h.add(message)).toEqual({ kind: "ignored", reason: "duplicate" });
    expect(h.bufferedBytes).toBe(before);
  });

  test("G10: with room for one set, a second one evicts the first for good", () => {
    const h = new Harness({ limits: { ...LIMITS, sets: 1 } });
    const [a0, a1] = messagesOf(patternPayload(2 * CHUNK), { name: "a" });
    const [b0] = messagesOf(patternPayload(2 * CHUNK).toReversed(), { name: "b" });
    if (!(a0 && a1 && b0)) expect.unreachable();
    h.take(a0, b0);
    expect(h.lost).toEqual([{ senderId: "alice", messageId: "a0", reason: "reassembly buffer full" }]);
    h.take(a1);
    expect(h.delivered).toEqual([]);
    expect(h.pending).toBe(1);
  });

  test("G11: a message that exceeds the buffer never completes, and the bound holds at every moment", () => {
    const config = configOf(1024);
    const h = new Harness({ limits: { ...LIMITS, bufferedBytes: 1024 } });
    for (const message of messagesOf(patternPayload(4 * config.chunkBytes), { config })) {
      h.take(message);
      expect(h.bufferedBytes).toBeLessThanOrEqual(1024);
    }
    expect(h.delivered).toEqual([]);
    expect(h.lost).toHaveLength(1);
  });

  test("G13: a set without news for its time is dropped and reported lost", () => {
    const h = new Harness({ limits: { ...LIMITS, setIdleMs: 1_000 } });
    h.take(...messagesOf(patternPayload(3 * CHUNK)).slice(0, 1));
    h.now += 999;
    h.expire();
    expect(h.pending).toBe(1);
    h.now += 501;
    h.expire();
    expect([h.pending, h.bufferedBytes]).toEqual([0, 0]);
    expect(h.lost).toEqual([{ senderId: "alice", messageId: "m0", reason: "segments missing" }]);
  });

  test("G14: a message of several segments comes out exactly once", () => {
    const h = new Harness();
    const payload = patternPayload(3 * CHUNK + 5);
    h.take(...messagesOf(payload));
    expect(h.delivered.map((message) => message.payload)).toEqual([payload]);
  });
});

describe("segment-wire vectors, as a receiver", () => {
  test.each(segmentWireCases.filter(({ segmentHex }) => segmentHex))(
    "$generation: $payloadLength bytes in $dataCount+$parityCount",
    ({ payloadLength, seed, segmentHex = [] }) => {
      const h = new Harness();
      const payload = xorshiftPayload(payloadLength, seed);
      const contents = segmentHex.map((hex) => ownBytes(Buffer.from(hex, "hex")));
      h.take(...contents.map((content, i) => ({ senderId: "bob", messageId: `v${i}`, content })));
      expect(h.delivered).toEqual([{ senderId: "bob", messageId: "v0", payload }]);
      // Parity that comes after delivery is late: neither a second message nor a loss.
      expect([h.pending, h.lost]).toEqual([0, []]);
    },
  );

  test.each([100, 63, 65, 1])("shard not a multiple of 64: three segments of %i bytes reassemble", (shardBytes) => {
    // Senders that make parity need a multiple of 64; one that makes none may cut as it likes, and the last may be shorter.
    for (const last of new Set([shardBytes, Math.ceil(shardBytes / 2)])) {
      const payload = patternPayload(2 * shardBytes + last);
      const messages = [0, 1, 2].map((index) => ({
        senderId: "bob",
        messageId: `v${index}`,
        content: encodeSegment({
          originalPayloadHash: keccak256(payload),
          originalPayloadLength: payload.length,
          index,
          dataSegmentCount: 3,
          paritySegmentCount: 0,
          isParity: false,
          segmentPayload: payload.subarray(index * shardBytes, (index + 1) * shardBytes),
        }),
      }));
      for (const order of [messages, messages.toReversed()]) {
        const h = new Harness();
        h.take(...order.slice(0, 2));
        expect([h.delivered, h.pending]).toEqual([[], 1]);
        h.take(...order.slice(2));
        expect(h.delivered).toEqual([{ senderId: "bob", messageId: "v0", payload }]);
        expect([h.pending, h.lost]).toEqual([0, []]);
      }
    }
  });

  test("r1 without parity", () => {
    const h = new Harness();
    const payload = patternPayload(1000);
    const contents = earlierSegmentsOf(payload, 192);
    h.take(...contents.map((content, i) => ({ senderId: "bob", messageId: `v${i}`, content })).toReversed());
    expect(h.delivered).toEqual([{ senderId: "bob", messageId: "v0", payload }]);
  });
});

describe("causal order", () => {
  test("a complete message waits until SDS delivered its last segment", () => {
    const h = new Harness();
    const payload = patternPayload(3 * CHUNK);
    for (const message of messagesOf(payload)) h.add(message);
    h.release("m0");
    h.release("m1");
    expect(h.delivered).toEqual([]);
    h.release("m2");
    expect(h.delivered).toEqual([{ senderId: "alice", messageId: "m0", payload }]);
  });

  test("releasing twice, or what is unknown, delivers nothing", () => {
    const h = new Harness();
    h.take(...messagesOf(patternPayload(2 * CHUNK)).slice(0, 1));
    for (const id of ["m0", "m0", "unknown"]) expect(h.reassembler.release(id)).toEqual({});
    expect(h.journal.take()).toEqual([]);
    h.take(...messagesOf(patternPayload(2 * CHUNK)).slice(1));
    h.release("m1");
    expect(h.delivered).toHaveLength(1);
  });

  test("two messages with one payload come out at their own places, however their segments mixed on the way", () => {
    const h = new Harness();
    const payload = patternPayload(2 * CHUNK);
    const between = messagesOf(utf8("between"), { name: "x" });
    const [a0, a1, b0, b1] = [...messagesOf(payload, { name: "a" }), ...messagesOf(payload, { name: "b" })];
    if (!(a0 && a1 && b0 && b1)) expect.unreachable();
    for (const message of [b1, a0, b0, a1, ...between]) h.add(message);
    for (const id of ["a0", "a1", "x0", "b0", "b1"]) h.release(id);
    expect(h.delivered.map(({ messageId }) => messageId)).toEqual(["a0", "x0", "b0"]);
    expect(h.storedRows).toEqual({ segmentSets: 0, segments: 0, completedSets: 0, lostIds: 0 });
  });
});

describe("the same payload", () => {
  test("sent again while a segment of the first is missing: what was released first is used first", () => {
    const h = new Harness();
    const payload = patternPayload(2 * CHUNK);
    const [a0, a1, b0, b1] = [...messagesOf(payload, { name: "a" }), ...messagesOf(payload, { name: "b" })];
    if (!(a0 && a1 && b0 && b1)) expect.unreachable();
    h.take(a0, b0);
    h.add(b1);
    expect(h.reassembler.release("b1")).toEqual({
      message: { senderId: "alice", messageId: "a0", payload },
    });
    // What remains of the set is the second message's first segment, the second that arrived.
    expect(h.journal.take().at(-1)).toMatchObject({ table: "segmentSets", row: { released: [1] } });
    h.take(a1);
    expect(h.delivered).toEqual([{ senderId: "alice", messageId: "b0", payload }]);
  });

  test("same payload from two senders: it is two messages", () => {
    const h = new Harness();
    const payload = patternPayload(2 * CHUNK);
    const [a0, a1] = messagesOf(payload, { name: "a", senderId: "alice" });
    const [b0, b1] = messagesOf(payload, { name: "b", senderId: "bob" });
    if (!(a0 && a1 && b0 && b1)) expect.unreachable();
    h.take(a0, b0, b1, a1);
    expect(h.delivered).toEqual([
      { senderId: "bob", messageId: "b0", payload },
      { senderId: "alice", messageId: "a0", payload },
    ]);
  });

  test("sent again after it was delivered is another message", () => {
    const h = new Harness();
    const payload = patternPayload(2 * CHUNK);
    h.take(...messagesOf(payload, { name: "a" }), ...messagesOf(payload, { name: "b" }));
    expect(h.delivered.map(({ messageId }) => messageId)).toEqual(["a0", "b0"]);
  });

  test("a hundred times in one segment, all parked, is a hundred messages", () => {
    const h = new Harness();
    const ids = Array.from({ length: 150 }, (_, i) => `p${i}`);
    const [message = expect.unreachable()] = messagesOf(utf8("ok"));
    for (const messageId of ids) h.add({ ...message, messageId });
    for (const id of ids) h.release(id);
    expect(h.delivered.map(({ messageId }) => messageId)).toEqual(ids);
    expect(h.lost).toEqual([]);
  });

  test("lost twice is reported twice", () => {
    const h = new Harness();
    const [a0] = messagesOf(patternPayload(2 * CHUNK), { name: "a" });
    const [b0] = messagesOf(patternPayload(2 * CHUNK), { name: "b" });
    if (!(a0 && b0)) expect.unreachable();
    h.take(a0, b0);
    h.now += LIMITS.setIdleMs;
    h.expire();
    expect(h.lost.map(({ messageId }) => messageId)).toEqual(["a0", "b0"]);
  });

  describe("begun too often at once", () => {
    const payload = patternPayload(3 * CHUNK);

    /** As often as is kept at once: the first segment of the same payload. */
    function begun(messages: readonly Message[]): Harness {
      const h = new Harness();
      const [first = expect.unreachable()] = messages;
      for (let i = 0; i < ALL.segmentation.copies; i++) h.take({ ...first, messageId: `p${i}` });
      return h;
    }

    test("finds no room, which is told, and keeps nobody from completing what was begun", () => {
      const messages = messagesOf(payload);
      const h = begun(messages);
      expect(h.add(messages[0] ?? expect.unreachable())).toEqual({
        kind: "ignored",
        reason: "too many messages with the same payload at once",
      });
      expect(h.lost).toEqual([
        { senderId: "alice", messageId: "m0", reason: "too many messages with the same payload at once" },
      ]);
      h.take(...messages.slice(1));
      expect(h.delivered).toEqual([{ senderId: "alice", messageId: "p0", payload }]);
    });

    test("also where the real one is among it: replays of a captured segment lock nothing", () => {
      const messages = messagesOf(payload);
      const h = new Harness();
      h.take(...messages.slice(0, -1));
      for (let i = 0; i < 100; i++) h.add({ ...(messages[0] ?? expect.unreachable()), messageId: `forged${i}` });
      h.take(...messages.slice(-1));
      expect(h.delivered).toEqual([{ senderId: "alice", messageId: "m0", payload }]);
    });

    test.each([
      ["in order", [0, 1, 2]],
      ["in reverse", [2, 1, 0]],
      ["from the middle", [1, 0, 2]],
    ])("is one loss, however many of its segments come, and in whatever order: %s", (_, order) => {
      const chain = parts(messagesOf(payload));
      const h = new Harness();
      for (let i = 0; i < ALL.segmentation.copies; i++) {
        for (const message of messagesOf(payload, { name: `p${i}.` })) h.add(message);
      }
      for (const slot of order) {
        h.restart();
        h.add(chain[slot] ?? expect.unreachable());
      }
      expect(h.lost).toHaveLength(1);
    });

    test("in a later segment only is told with what is held of it, once", () => {
      const h = new Harness();
      const [first, second] = parts(messagesOf(payload));
      if (!(first && second)) expect.unreachable();
      for (let i = 0; i < ALL.segmentation.copies; i++) h.add({ ...second, messageId: `p${i}` });
      h.add(first);
      h.add(second);
      expect(h.lost).toEqual([]);
      h.now += LIMITS.setIdleMs;
      h.expire();
      expect(h.lost).toHaveLength(ALL.segmentation.copies);
    });
  });
});

describe("segments that contradict each other", () => {
  const payload = patternPayload(3 * CHUNK);
  const segment = {
    originalPayloadHash: keccak256(payload),
    originalPayloadLength: payload.length,
    index: 1,
    dataSegmentCount: 3,
    paritySegmentCount: 0,
    isParity: false,
    segmentPayload: new Uint8Array(CHUNK),
  };

  test("same slot with other bytes: the first writer keeps it", () => {
    const h = new Harness();
    const [m0, m1, m2] = messagesOf(payload);
    if (!(m0 && m1 && m2)) expect.unreachable();
    h.take(m0, m1);
    const forged = { senderId: "alice", messageId: "f", content: encodeSegment(segment) };
    expect(h.add(forged)).toEqual({ kind: "ignored", reason: "contested" });
    h.release("f");
    h.take(m2);
    expect(h.delivered).toEqual([{ senderId: "alice", messageId: "m0", payload }]);
  });

  test("bad data without spare: it is discarded and reported once", () => {
    const h = new Harness();
    const [m0, m1, m2] = messagesOf(payload);
    if (!(m0 && m1 && m2)) expect.unreachable();
    h.take(m0, { senderId: "alice", messageId: "f", content: encodeSegment(segment) }, m1, m2);
    expect(h.delivered).toEqual([]);
    expect(h.lost).toEqual([
      { senderId: "alice", messageId: "m0", reason: "payload does not match its hash: contested" },
    ]);
    expect(h.storedRows).toEqual({ segmentSets: 0, segments: 0, completedSets: 0, lostIds: 0 });
  });

  test.each([
    ["counts", { dataSegmentCount: 3, paritySegmentCount: 1 }],
    ["length", { originalPayloadLength: payload.length - 1 }],
    ["shard length", { segmentPayload: new Uint8Array(CHUNK + 1) }],
  ])("same hash with other %s: it opens a set of its own and does not lock the real one", (_, changes) => {
    const h = new Harness();
    const content = encodeSegment({ ...segment, ...changes });
    h.take({ senderId: "alice", messageId: "f", content }, ...messagesOf(payload));
    expect(h.delivered).toEqual([{ senderId: "alice", messageId: "m0", payload }]);
    expect(h.pending).toBe(1);
  });

  test("length outside its range: it is refused", () => {
    const h = new Harness();
    const content = encodeSegment({ ...segment, originalPayloadLength: 2 ** 32 - 1 });
    expect(h.add({ senderId: "alice", messageId: "f", content })).toEqual({
      kind: "ignored",
      reason: "length does not fit the segment",
    });
  });
});

describe("time", () => {
  const [m0, m1] = messagesOf(patternPayload(3 * CHUNK));
  if (!(m0 && m1)) expect.unreachable();

  test("every new segment gives a set its whole time again; duplicates and contested ones do not", () => {
    const h = new Harness();
    expect(h.reassembler.nextDueMs()).toBeUndefined();
    h.take(m0);
    expect(h.reassembler.nextDueMs()).toBe(h.now + LIMITS.setIdleMs);
    h.now += 200_000;
    h.take(m1);
    expect(h.reassembler.nextDueMs()).toBe(h.now + LIMITS.setIdleMs);
    const deadline = h.now + LIMITS.setIdleMs;
    h.now += 100_000;
    const broken = Uint8Array.from(m1.content, (byte, i) => (i === m1.content.length - 1 ? byte ^ 1 : byte));
    h.take(m1, { ...m1, messageId: "f", content: broken });
    expect(h.reassembler.nextDueMs()).toBe(deadline);
  });

  test("a set that is about to go has the time that catching up takes, once the clock goes on", () => {
    const h = new Harness();
    h.take(m0);
    h.now += LIMITS.setIdleMs - 1;
    h.clock.wentOnMs = h.now;
    const { resumeGraceMs } = ALL.segmentation;
    expect(h.reassembler.nextDueMs()).toBe(h.now + resumeGraceMs);
    h.now += resumeGraceMs - 1;
    h.expire();
    expect(h.pending).toBe(1);
    h.now += 1;
    h.expire();
    expect(h.pending).toBe(0);
  });

  test("a message that lacks nothing outlives the deadlines of SDS", () => {
    const h = new Harness();
    for (const message of messagesOf(patternPayload(3 * CHUNK))) h.add(message);
    h.now += 3_599_999;
    h.expire();
    expect(h.lost).toEqual([]);
    h.now += 1;
    h.expire();
    expect(h.lost).toEqual([{ senderId: "alice", messageId: "m0", reason: "never delivered by SDS" }]);
  });

  test("the rest of a message that was reported lost is no second loss", () => {
    const h = new Harness();
    h.take(m0);
    h.now += LIMITS.setIdleMs;
    h.expire();
    h.restart();
    h.take(m1);
    h.now += LIMITS.setIdleMs;
    h.expire();
    expect(h.lost.map(({ messageId }) => messageId)).toEqual(["m0"]);
    expect(h.pending).toBe(0);
  });

  test("a message that follows the rest of a lost one and is lost too is reported", () => {
    const h = new Harness();
    for (const message of [m0, m1, { ...m0, messageId: "n0" }]) {
      h.take(message);
      h.now += LIMITS.setIdleMs;
      h.expire();
    }
    expect(h.lost.map(({ messageId }) => messageId)).toEqual(["m0", "n0"]);
  });

  test("losses are told in the order of the last news, also after a restart", () => {
    const h = new Harness();
    h.take(first("z", "alice", 2), first("y", "alice", 2), first("b", "alice", 1), first("a", "alice", 1));
    h.restart();
    h.now += LIMITS.setIdleMs;
    h.expire();
    h.now += 60_000;
    h.expire();
    expect(h.lost.map(({ messageId }) => messageId)).toEqual(["z", "y", "b", "a"]);
  });

  test("a message that was lost can be sent again", () => {
    const h = new Harness();
    const payload = patternPayload(3 * CHUNK);
    h.take(m0);
    h.now += LIMITS.setIdleMs;
    h.expire();
    h.take(...messagesOf(payload, { name: "again" }));
    expect(h.delivered).toEqual([{ senderId: "alice", messageId: "again0", payload }]);
  });
});

describe("restart", () => {
  test("at every instruction, a message is delivered once all the same", () => {
    const payload = patternPayload(3 * CHUNK + 1);
    const h = new Harness();
    const messages = messagesOf(payload).toReversed();
    for (const message of messages) {
      h.add(message);
      h.restart();
    }
    for (const { messageId } of messages.toReversed()) {
      expect(h.delivered).toEqual([]);
      h.release(messageId);
      h.restart();
    }
    expect(h.delivered).toEqual([{ senderId: "alice", messageId: "m0", payload }]);
    expect(h.pending).toBe(0);
  });

  test("the least recently updated set is still known", () => {
    const h = new Harness({ limits: { ...LIMITS, sets: 2 } });
    h.take(first("z", "alice", 2), first("a", "alice", 1));
    h.restart();
    h.take(first("m", "alice", 0));
    expect(h.lost.map(({ messageId }) => messageId)).toEqual(["z"]);
  });

  test("a set of an earlier schema, which says nothing of this clock, has its time too", () => {
    const h = new Harness();
    const messages = messagesOf(patternPayload(2 * CHUNK));
    h.take(...messages.slice(0, 1));
    h.changeStored("segmentSets", (row) => {
      const { updatedMs: _, ...rest } = row;
      return { ...rest, updatedAt: 1_750_000_000_000, givenUp: [0, 1, 1] };
    });
    h.clock.ms = LIMITS.setIdleMs;
    h.clock.wentOnMs = h.clock.ms;
    h.restart();
    h.expire();
    expect(h.reassembler.nextDueMs()).toBe(h.clock.ms + ALL.segmentation.resumeGraceMs);
    h.take(...messages.slice(1));
    expect(h.delivered).toHaveLength(1);
  });

  test("late parity is known for what it is, and a new message with the same payload still opens a set", () => {
    const h = new Harness();
    const payload = patternPayload(10);
    const segment = {
      originalPayloadHash: keccak256(payload),
      originalPayloadLength: 10,
      index: 0,
      dataSegmentCount: 1,
      paritySegmentCount: 1,
      isParity: false,
      segmentPayload: payload,
    };
    const data = encodeSegment(segment);
    const parity = encodeSegment({ ...segment, isParity: true, segmentPayload: ownBytes(payload) });
    h.take({ senderId: "alice", messageId: "d", content: data });
    h.restart();
    expect(h.add({ senderId: "alice", messageId: "p", content: parity })).toEqual({
      kind: "ignored",
      reason: "late parity",
    });
    h.take({ senderId: "alice", messageId: "e", content: data });
    expect(h.delivered.map(({ messageId }) => messageId)).toEqual(["d", "e"]);
  });
});

test("an event that is rolled back never happened", () => {
  const h = new Harness({ limits: { ...LIMITS, sets: 1 } });
  const payload = patternPayload(2 * CHUNK);
  const [m0, m1] = messagesOf(payload);
  if (!(m0 && m1)) expect.unreachable();
  h.take(m0);
  const before = h.reassembler.progress();
  h.reassembler.add({ ...m1, lamport: 1 });
  h.reassembler.release("m1");
  h.reassembler.add({ ...first("x", "alice", 1), lamport: 1 });
  h.reassembler.add({ ...first("y", "alice", 2), lamport: 1 });
  h.journal.rollback();
  expect(h.reassembler.progress()).toEqual(before);
  h.take(m1);
  expect(h.delivered).toEqual([{ senderId: "alice", messageId: "m0", payload }]);
  expect(h.lost).toEqual([]);
});

describe("floods", () => {
  test("10,000 forged first segments from as many senders stay within the bounds", () => {
    const h = new Harness();
    for (let i = 0; i < 10_000; i++) h.take(first(`f${i}`, `mallory${i}`, i));
    expect(h.pending).toBe(100);
    expect(h.storedRows).toEqual({ segmentSets: 100, segments: 100, completedSets: 1_000, lostIds: 0 });
    expect(h.lost).toHaveLength(9_900);
  });

  test("one flooding sender: it displaces only itself", () => {
    const h = new Harness();
    const payload = patternPayload(2 * CHUNK);
    const [m0, m1] = messagesOf(payload);
    if (!(m0 && m1)) expect.unreachable();
    h.take(m0);
    for (let i = 0; i < 1_000; i++) h.take(first(`f${i}`, "mallory", i));
    h.take(m1);
    expect(h.delivered).toEqual([{ senderId: "alice", messageId: "m0", payload }]);
    expect(new Set(h.lost.map(({ senderId }) => senderId))).toEqual(new Set(["mallory"]));
  });

  test("one sender's bytes displace only its own", () => {
    const h = new Harness({ limits: { ...LIMITS, bufferedBytes: 1_000 } });
    const payload = patternPayload(2 * CHUNK);
    const [m0, m1] = messagesOf(payload);
    if (!(m0 && m1)) expect.unreachable();
    h.take(m0);
    for (let i = 0; i < 20; i++) {
      const segmentPayload = new Uint8Array(200);
      const content = forgedSegment(i, { segmentPayload, originalPayloadLength: 600 });
      h.take({ senderId: "mallory", messageId: `f${i}`, content });
      expect(h.bufferedBytes).toBeLessThanOrEqual(1_000);
    }
    h.take(m1);
    expect(h.delivered).toHaveLength(1);
  });

  test("counts that a segment claims allocate nothing", () => {
    const h = new Harness();
    const content = forgedSegment(1, { dataSegmentCount: 256, originalPayloadLength: 1024 });
    h.add({ senderId: "mallory", messageId: "f", content });
    expect(h.bufferedBytes).toBe(4);
  });

  test("a thousand parked messages of one sender are all delivered", () => {
    const h = new Harness();
    const ids = Array.from({ length: 1_000 }, (_, i) => `p${i}`);
    for (const id of ids) h.add({ ...(messagesOf(utf8(id))[0] ?? expect.unreachable()), messageId: id });
    for (const id of ids) h.release(id);
    expect(h.delivered.map(({ messageId }) => messageId)).toEqual(ids);
  });
});

describe("raw: profiles without segmentation", () => {
  test("the content is the message, delivered when SDS delivers it", () => {
    const h = new Harness({ codec: "raw" });
    const buffer = utf8("..hello..");
    const content = buffer.subarray(2, 7);
    expect(h.add({ senderId: "bob", messageId: "r", content })).toMatchObject({ kind: "buffered", done: 1, total: 1 });
    h.restart();
    expect(h.delivered).toEqual([]);
    h.release("r");
    expect(h.delivered).toEqual([{ senderId: "bob", messageId: "r", payload: utf8("hello") }]);
    expect(h.storedRows).toEqual({ segmentSets: 0, segments: 0, completedSets: 0, lostIds: 0 });
  });

  test("empty content is no message", () => {
    const h = new Harness({ codec: "raw" });
    expect(h.add({ senderId: "bob", messageId: "r", content: new Uint8Array(0) }).kind).toBe("ignored");
  });

  test("the same content under two ids is two messages", () => {
    const h = new Harness({ codec: "raw" });
    for (const messageId of ["r", "s"]) h.take({ senderId: "bob", messageId, content: utf8("ok") });
    expect(h.delivered.map(({ messageId }) => messageId)).toEqual(["r", "s"]);
  });
});

test("what is stored owns its bytes, not the whole message that they came in", () => {
  const h = new Harness();
  const [message = expect.unreachable()] = messagesOf(patternPayload(64));
  h.reassembler.add({ ...message, lamport: 1 });
  const row = h.journal.take().find(({ table }) => table === "segments")?.row;
  expect(row).toMatchObject({ payload: patternPayload(64) });
  const { payload } = row as { readonly payload: Uint8Array };
  expect(payload.buffer.byteLength).toBe(64);
});

test("progress tells what is held of each message", () => {
  const h = new Harness();
  const [m0, m1] = messagesOf(patternPayload(3 * CHUNK));
  if (!(m0 && m1)) expect.unreachable();
  expect(h.add(m1)).toMatchObject({ kind: "buffered", done: 1, total: 3 });
  expect(h.add(m0)).toMatchObject({ kind: "buffered", done: 2, total: 3 });
  expect(h.reassembler.progress()).toMatchObject([{ senderId: "alice", done: 2, total: 3, bytes: 2 * CHUNK }]);
});
