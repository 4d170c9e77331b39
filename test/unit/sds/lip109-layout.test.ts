import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { fromHex, toHex, utf8 } from "../../../src/common/bytes.ts";
import { ProtobufWriter } from "../../../src/common/protobuf.ts";
import { BloomFilter, filterBytes, filterShape } from "../../../src/sds/bloom-filter.ts";
import { lip109Layout } from "../../../src/sds/lip109-layout.ts";
import type { HistoryEntry, SdsMessage } from "../../../src/sds/message.ts";
import bloom from "../../vectors/sds/js_bloom.json" with { type: "json" };
import hashes from "../../vectors/sds/js_hashes.json" with { type: "json" };
import vectors from "../../vectors/sds/js_messages.json" with { type: "json" };

interface EntryVector {
  readonly messageId: string;
  readonly retrievalHintHex: string | null;
  readonly senderId: string | null;
}

interface MessageVector {
  readonly messageId: string;
  readonly channelId: string;
  readonly senderId: string;
  readonly lamportTimestamp: string | null;
  readonly contentHex: string | null;
  readonly bloomFilterHex: string | null;
  readonly causalHistory: readonly EntryVector[];
  readonly repairRequest: readonly EntryVector[];
}

interface Case {
  readonly name: string;
  readonly wireHex: string;
  readonly decoded: MessageVector | null;
}

function bytes(hex: string): Uint8Array {
  const parsed = fromHex(hex);
  if (!parsed) throw new Error(`not hexadecimal: ${hex}`);
  return parsed;
}

function entryOf(vector: EntryVector): HistoryEntry {
  return {
    messageId: vector.messageId,
    ...(vector.retrievalHintHex === null ? {} : { retrievalHint: bytes(vector.retrievalHintHex) }),
    ...(vector.senderId === null ? {} : { senderId: vector.senderId }),
  };
}

function messageOf(vector: MessageVector): SdsMessage {
  return {
    messageId: vector.messageId,
    channelId: vector.channelId,
    senderId: vector.senderId,
    lamportTimestamp: vector.lamportTimestamp === null ? undefined : BigInt(vector.lamportTimestamp),
    content: bytes(vector.contentHex ?? ""),
    bloomFilter: bytes(vector.bloomFilterHex ?? ""),
    causalHistory: vector.causalHistory.map(entryOf),
    repairRequest: vector.repairRequest.map(entryOf),
  };
}

const BIG_ENDIAN = { bigEndianWords: true } as const;

function filterOf(capacity: number, errorRate: number, ids: readonly string[]): BloomFilter {
  const filter = BloomFilter.empty({ ...filterShape(capacity, errorRate), ...BIG_ENDIAN });
  for (const id of ids) filter.insert(lip109Layout.hashPair(id));
  return filter;
}

function setBits(filter: BloomFilter): number[] {
  const bits: number[] = [];
  for (let i = 0; i < filter.shape.bits; i++) if (((filter.bytes[(i >> 3) ^ 7] ?? 0) >> (i & 7)) & 1) bits.push(i);
  return bits;
}

const encodeCases: readonly Case[] = vectors.encode;
const decodeCases: readonly Case[] = [...vectors.encode, ...vectors.decodeOnly];

test.each(encodeCases)("js_messages: encodes $name", ({ name, decoded, wireHex }) => {
  if (!decoded) throw new Error("nothing to encode");
  // A filter field without bytes, which makes `@waku/sds` drop the message, is left out.
  const expected = name === "noSender" ? wireHex.replace("6200", "") : wireHex;
  expect(toHex(lip109Layout.encode(messageOf(decoded)))).toBe(expected);
});

test.each(decodeCases)("js_messages: decodes or refuses $name as @waku/sds does", ({ wireHex, decoded }) => {
  const result = lip109Layout.decode(bytes(wireHex));
  if (decoded) expect(result).toEqual({ ok: true, value: messageOf(decoded) });
  else expect(result.ok).toBe(false);
});

test.each(bloom.filters)("js_bloom: filter of $ids.length ids, capacity $capacity", (vector) => {
  const filter = filterOf(vector.capacity, vector.errorRate, vector.ids);
  expect(filter.shape.hashes).toBe(vector.kHashes);
  expect(filter.shape.bits).toBe(vector.mBits);
  expect(filterBytes(filter.shape.bits)).toBe(vector.words64 * 8);
  expect(setBits(filter)).toEqual(vector.setBits);
  expect(toHex(lip109Layout.encodeFilter(filter))).toBe(vector.bytesHex);
});

test.each(bloom.defaultSized)("js_bloom: default-sized filter of $n ids", (vector) => {
  const idOf = (i: number) => createHash("sha256").update(`id-${i}`).digest("hex");
  const ids = Array.from({ length: vector.n }, (_, i) => idOf(i));
  const filter = BloomFilter.empty(lip109Layout.filterShape(ids.length, 1));
  for (const id of ids) filter.insert(lip109Layout.hashPair(id));
  const wire = lip109Layout.encodeFilter(filter);
  expect(wire.length).toBe(vector.len);
  expect(setBits(filter).length).toBe(vector.setBitCount);
  expect(createHash("sha256").update(wire).digest("hex")).toBe(vector.sha256);
  const decoded = lip109Layout.decodeFilter(wire);
  expect(ids.every((id) => decoded?.has(lip109Layout.hashPair(id)))).toBe(true);
});

test("js_hashes: positions follow from the hash pair", () => {
  for (const { input, k10_m150000, k10_m300 } of hashes.vectors) {
    for (const [capacity, positions] of [
      [10_000, k10_m150000],
      [20, k10_m300],
    ] as const) {
      expect(setBits(filterOf(capacity, 0.001, [input]))).toEqual([...new Set(positions)].sort((a, b) => a - b));
    }
  }
});

test("a filter that is too short is ignored, and what follows a whole one too", () => {
  const filter = BloomFilter.empty(lip109Layout.filterShape(1, 1));
  filter.insert(lip109Layout.hashPair("a"));
  const wire = lip109Layout.encodeFilter(filter);
  expect(lip109Layout.decodeFilter(wire.subarray(1))).toBeUndefined();
  expect(lip109Layout.decodeFilter(new Uint8Array())).toBeUndefined();
  const longer = new Uint8Array([...wire, 255, 255]);
  expect(lip109Layout.decodeFilter(longer)?.has(lip109Layout.hashPair("a"))).toBe(true);
  expect(lip109Layout.decodeFilter(longer)?.has(lip109Layout.hashPair("b"))).toBe(false);
});

test("refuses ids that are not text, and history entries that are no message", () => {
  const base = () => new ProtobufWriter().string(1, "s").string(2, "m").string(3, "c").varint(10, 1);
  expect(lip109Layout.decode(base().bytes(20, utf8("x")).finish()).ok).toBe(true);
  for (const field of [1, 2, 3]) {
    const wire = base()
      .bytes(field, new Uint8Array([0xff, 0xfe]))
      .finish();
    expect(lip109Layout.decode(wire)).toEqual({ ok: false, error: "an id is not text" });
  }
  for (const field of [11, 13]) {
    const wire = base()
      .bytes(field, new Uint8Array([0x0a, 0x05, 0x61]))
      .finish();
    expect(lip109Layout.decode(wire)).toEqual({ ok: false, error: "unreadable history entry" });
  }
});
