import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { fromHex, toHex } from "../../../src/common/bytes.ts";
import { LIMITS } from "../../../src/limits.ts";
import { BloomFilter, filterBytes, filterShape } from "../../../src/sds/bloom-filter.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import vectors from "../../vectors/sds/nim_bloom.json" with { type: "json" };
import hashes from "../../vectors/sds/nim_hashes.json" with { type: "json" };

function filterOf(capacity: number, errorRate: number, ids: readonly string[]): BloomFilter {
  const filter = BloomFilter.empty(filterShape(capacity, errorRate));
  for (const id of ids) filter.insert(nimLayout.hashPair(id));
  return filter;
}

function setBits(filter: BloomFilter): number[] {
  const bits: number[] = [];
  for (let i = 0; i < filter.shape.bits; i++) if (((filter.bytes[i >> 3] ?? 0) >> (i & 7)) & 1) bits.push(i);
  return bits;
}

test.each(vectors.params)("nim_bloom: parameters for $capacity at $errorRate", (vector) => {
  const shape = filterShape(vector.capacity, vector.errorRate);
  expect(shape.hashes).toBe(vector.kHashes);
  expect(shape.bits).toBe(vector.mBits);
  expect(filterBytes(shape.bits)).toBe(vector.words64 * 8);
  const wire = toHex(nimLayout.encodeFilter(BloomFilter.empty(shape)));
  expect(wire.length / 2).toBe(vector.serializedLen);
  expect(wire.endsWith(vector.serializedTailHexAfterBits)).toBe(true);
});

test.each(vectors.filters)("nim_bloom: filter of $ids.length ids, capacity $capacity", (vector) => {
  const filter = filterOf(vector.capacity, vector.errorRate, vector.ids);
  expect(setBits(filter)).toEqual(vector.setBits);
  expect(toHex(nimLayout.encodeFilter(filter))).toBe(vector.serializedHex);
  const decoded = nimLayout.decodeFilter(fromHex(vector.serializedHex) ?? new Uint8Array());
  for (const id of vector.ids) expect(decoded?.has(nimLayout.hashPair(id))).toBe(true);
});

test.each(vectors.defaultSized)("nim_bloom: default-sized filter of $n ids", (vector) => {
  const id = (i: number) => createHash("sha256").update(`id-${i}`).digest("hex");
  const filter = filterOf(
    vector.capacity,
    vector.errorRate,
    Array.from({ length: vector.n }, (_, i) => id(i)),
  );
  const wire = nimLayout.encodeFilter(filter);
  expect(wire.length).toBe(vector.serializedLen);
  expect(createHash("sha256").update(wire).digest("hex")).toBe(vector.serializedSha256);
  expect(setBits(filter).length).toBe(vector.setBitCount);
});

test("nim_hashes: positions follow from the hash pair", () => {
  for (const { inputHex, k10_m150000, k10_m300 } of hashes.vectors) {
    const text = Buffer.from(inputHex, "hex").toString("utf8");
    // Inputs that are not text cannot be identifiers here.
    if (Buffer.from(text).toString("hex") !== inputHex) continue;
    for (const [capacity, positions] of [
      [10_000, k10_m150000],
      [20, k10_m300],
    ] as const) {
      const filter = filterOf(capacity, 0.001, [text]);
      expect(setBits(filter)).toEqual([...new Set(positions)].sort((a, b) => a - b));
    }
  }
});

test("a filter of the size that its ids ask for acknowledges by a single hit", () => {
  for (const count of [1, 2, 5, 10, 16, 50, 100, 256, 1000]) {
    const ids = Array.from({ length: count }, (_, i) => createHash("sha256").update(`${count}:${i}`).digest("hex"));
    const filter = BloomFilter.empty(nimLayout.filterShape(count, 0));
    for (const id of ids) filter.insert(nimLayout.hashPair(id));
    const doubts = ids.map((id) => filter.doubt(nimLayout.hashPair(id)));
    const trusted = doubts.filter((doubt) => doubt <= LIMITS.sds.acknowledgementDoubt).length;
    // The few ids whose step divides the bits need a second message.
    expect(trusted / count).toBeGreaterThan(0.9);
  }
});

test("the doubt about a hit is about the measured rate of false positives, small filters included", () => {
  for (const count of [1, 4, 16, 64]) {
    let [hits, doubted] = [0, 0];
    const rounds = 40;
    const probes = 500;
    for (let round = 0; round < rounds; round++) {
      const filter = BloomFilter.empty(filterShape(count, 1e-5));
      for (let i = 0; i < count; i++) filter.insert(nimLayout.hashPair(`in-${round}-${count}-${i}`));
      for (let i = 0; i < probes; i++) {
        const pair = nimLayout.hashPair(`out-${round}-${count}-${i}`);
        if (filter.has(pair)) hits++;
        doubted += filter.doubt(pair);
      }
    }
    // Doubt may err to the safe side, hardly to the other.
    expect(hits).toBeLessThan(3 * doubted + 5);
  }
});

const senseless: readonly (readonly [string, Uint8Array])[] = [
  ["no bytes", new Uint8Array()],
  ["garbage", new Uint8Array([0xff, 0xff, 0xff, 0xff])],
  ["one byte", new Uint8Array([1])],
  ["no bits", nimLayout.encodeFilter(BloomFilter.empty({ capacity: 0, errorRate: 0.001, hashes: 10, bits: 0 }))],
  ["an array too short", fromHex("0a0101100a18e807200a289601") ?? new Uint8Array()],
  ["no hash function", fromHex("0a0801010101010101011001200028" + "20") ?? new Uint8Array()],
  ["a thousand hash functions", fromHex("0a080101010101010101100120e8072820") ?? new Uint8Array()],
  ["2⁶⁴ − 1 bits", fromHex("0a080101010101010101200a28ffffffffffffffffff01") ?? new Uint8Array()],
];

test.each(senseless)("a filter with %s is ignored", (_, bytes) => {
  expect(nimLayout.decodeFilter(bytes)).toBeUndefined();
});

test("a hit in a filter of ones says nothing", () => {
  const shape = filterShape(10, 0.001);
  const ones = BloomFilter.of(shape, new Uint8Array(filterBytes(shape.bits)).fill(0xff));
  expect(ones?.has(nimLayout.hashPair("any"))).toBe(true);
  expect(ones?.doubt(nimLayout.hashPair("any"))).toBe(1);
});
