import { describe, expect, test } from "vitest";
import { concat, fromHex, toHex } from "../../../src/common/bytes.ts";
import { keccak256 } from "../../../src/common/keccak.ts";
import { ProtobufWriter } from "../../../src/common/protobuf.ts";
import {
  decodeSegment,
  encodeSegment,
  type SegmentMessage,
  shardLength,
} from "../../../src/segmentation/segment-message.ts";
import { segmentWireCases, sha256, xorshiftPayload } from "./vectors.ts";

const HASH = Uint8Array.from({ length: 32 }, (_, i) => i);
const HASH_HEX = toHex(HASH);

const segment = {
  originalPayloadHash: HASH,
  originalPayloadLength: 500,
  index: 1,
  dataSegmentCount: 3,
  paritySegmentCount: 0,
  isParity: false,
  segmentPayload: Uint8Array.of(0xaa, 0xbb, 0xcc),
};

describe("G15 the published vectors", () => {
  const published = [
    ["data", segment, `0a20${HASH_HEX}10f403180120033a03aabbcc`],
    [
      "parity",
      { ...segment, index: 0, paritySegmentCount: 1, isParity: true, segmentPayload: Uint8Array.of(0x11, 0x22) },
      `0a20${HASH_HEX}10f4032003280130013a021122`,
    ],
    [
      "minimal",
      { ...segment, originalPayloadLength: 0, index: 0, dataSegmentCount: 1, segmentPayload: new Uint8Array(0) },
      `0a20${HASH_HEX}2001`,
    ],
  ] as const;

  test.each(published)("%s, both ways", (_, message, hex) => {
    expect(toHex(encodeSegment(message))).toBe(hex);
    expect(decodeSegment(bytesOf(hex))).toEqual({ ok: true, value: message });
  });
});

describe("segment-wire vectors", () => {
  for (const vector of segmentWireCases) {
    const { generation, payloadLength, seed, chunkSize, dataCount, parityCount } = vector;
    test(`${generation}: ${payloadLength} bytes in ${dataCount}+${parityCount}, data segments exactly`, () => {
      const payload = xorshiftPayload(payloadLength, seed);
      expect(toHex(keccak256(payload))).toBe(vector.payloadKeccak256);
      for (let index = 0; index < dataCount; index++) {
        const message = {
          originalPayloadHash: keccak256(payload),
          originalPayloadLength: payloadLength,
          index,
          dataSegmentCount: dataCount,
          paritySegmentCount: parityCount,
          isParity: false,
          segmentPayload: payload.subarray(index * chunkSize, (index + 1) * chunkSize),
        };
        const encoded = generation === "r3" ? encodeSegment(message) : encodeEarlier(message);
        expect(encoded.length).toBe(vector.segmentLengths[index]);
        expect(sha256(encoded)).toBe(vector.segmentSha256[index]);
        const originalPayloadLength = generation === "r3" ? payloadLength : undefined;
        expect(decodeSegment(encoded)).toEqual({ ok: true, value: { ...message, originalPayloadLength } });
        const shard = dataCount === 1 ? payloadLength : chunkSize;
        expect(shardLength({ ...message, originalPayloadLength })).toEqual({
          ok: true,
          value: generation === "r3" ? shard : undefined,
        });
      }
    });

    if (vector.segmentHex === undefined) continue;
    const published = vector.segmentHex;
    test(`${generation}: ${payloadLength} bytes in ${dataCount}+${parityCount}, as published`, () => {
      for (const [slot, hex] of published.entries()) {
        const decoded = decodeSegment(bytesOf(hex));
        const value = decoded.ok ? decoded.value : expect.unreachable(decoded.error);
        expect(value.isParity).toBe(slot >= dataCount);
        expect(value.index).toBe(slot % dataCount);
        expect(shardLength(value).ok).toBe(true);
        expect(toHex(encodeSegment({ ...value, originalPayloadLength: payloadLength }))).toBe(hex);
      }
    });
  }
});

describe("validation", () => {
  const encode = (changes: Partial<typeof segment>) => encodeSegment({ ...segment, ...changes });

  test.each([
    ["hash of 31 bytes", encode({ originalPayloadHash: HASH.subarray(1) }), "hash is not 32 bytes"],
    ["hash of 33 bytes", encode({ originalPayloadHash: concat(HASH, HASH.subarray(0, 1)) }), "hash is not 32 bytes"],
    ["data count 0", encode({ dataSegmentCount: 0, index: 0 }), "no data segments"],
    ["no field 4", bytesOf(`0a20${HASH_HEX}`), "no data segments"],
    ["totals 256/257: 257", encode({ dataSegmentCount: 200, paritySegmentCount: 57 }), "too many segments"],
    ["index = count", encode({ index: 3 }), "index out of range"],
    ["index = parity count", encode({ index: 2, paritySegmentCount: 2, isParity: true }), "index out of range"],
    ["parity with count 0", encode({ index: 0, isParity: true }), "index out of range"],
    ["oversized payload", encode({ segmentPayload: new Uint8Array(102_401) }), "oversized segment"],
    ["oversized message", encode({ segmentPayload: new Uint8Array(200_000) }), "oversized segment"],
    ["no protobuf (G07)", bytesOf("ffffffff"), "malformed protobuf"],
    ["truncated", encode({}).subarray(0, -1), "malformed protobuf"],
    ["truncated and overlong varints: truncated", concat(encode({}), bytesOf("1880")), "malformed protobuf"],
    ["varint of eleven bytes", concat(encode({}), bytesOf(`18${"80".repeat(10)}01`)), "malformed protobuf"],
    ["a varint where bytes belong", concat(encode({}), bytesOf("0801")), "field 1 has the wrong type"],
    ["bytes where a varint belongs", concat(encode({}), bytesOf("1a00")), "field 3 has the wrong type"],
    ["both kinds of field 4", concat(encode({}), bytesOf("220101")), "field 7 has the wrong type"],
  ])("refuses %s", (_, bytes, error) => {
    expect(decodeSegment(bytes)).toEqual({ ok: false, error });
  });

  test.each([2, 3, 4, 5])("varints over 2³²: refuses field %i", (field) => {
    const message = (value: bigint) => concat(encode({ index: 0 }), new ProtobufWriter().varint(field, value).finish());
    expect(decodeSegment(message(2n ** 32n + 2n))).toEqual({ ok: false, error: `field ${field} exceeds 32 bits` });
    expect(decodeSegment(message(2n ** 64n - 1n))).toEqual({ ok: false, error: `field ${field} exceeds 32 bits` });
  });

  test("totals 256/257: takes a total of 256", () => {
    expect(decodeSegment(encode({ dataSegmentCount: 200, paritySegmentCount: 56 })).ok).toBe(true);
    expect(decodeSegment(encode({ dataSegmentCount: 256 })).ok).toBe(true);
  });

  test("unknown fields: skips them and takes the last of a repeated one", () => {
    const bytes = concat(encode({}), new ProtobufWriter().varint(3, 2).varint(8, 9).string(99, "later").finish());
    expect(decodeSegment(bytes)).toEqual({ ok: true, value: { ...segment, index: 2 } });
  });

  test("truncated and overlong varints: takes overlong ones", () => {
    expect(decodeSegment(concat(encode({}), bytesOf("18828000")))).toEqual({
      ok: true,
      value: { ...segment, index: 2 },
    });
  });

  test("reads parity of the earlier text", () => {
    const parity = { ...segment, index: 4, paritySegmentCount: 5, isParity: true };
    expect(decodeSegment(encodeEarlier(parity))).toEqual({
      ok: true,
      value: { ...parity, originalPayloadLength: undefined },
    });
  });

  test("maximal fields fit the reserve", () => {
    const most = 2 ** 32 - 1;
    const encoded = encode({
      originalPayloadLength: most,
      index: most,
      dataSegmentCount: most,
      paritySegmentCount: most,
      isParity: true,
      segmentPayload: new Uint8Array(102_272),
    });
    expect(encoded.length).toBeLessThanOrEqual(102_400);
  });
});

describe("shard length", () => {
  const of = (
    originalPayloadLength: number,
    index: number,
    dataSegmentCount: number,
    bytes: number,
    isParity = false,
  ) =>
    shardLength({
      ...segment,
      originalPayloadLength,
      index,
      dataSegmentCount,
      paritySegmentCount: 2,
      isParity,
      segmentPayload: new Uint8Array(bytes),
    });
  const misfit = { ok: false, error: "length does not fit the segment" };

  test("is the same for every segment of a payload", () => {
    expect([of(300, 0, 3, 128), of(300, 1, 3, 128), of(300, 2, 3, 44), of(300, 0, 3, 128, true)]).toEqual(
      Array.from({ length: 4 }, () => ({ ok: true, value: 128 })),
    );
    expect([of(100, 0, 1, 100), of(100, 0, 1, 128, true)]).toEqual([
      { ok: true, value: 100 },
      { ok: true, value: 100 },
    ]);
  });

  test.each([
    ["more than the segments can hold", of(385, 0, 3, 128)],
    ["less than would need them all", of(256, 0, 3, 128)],
    ["a last segment of nothing", of(256, 2, 3, 0)],
    ["a last segment longer than the others", of(300, 2, 3, 140)],
    ["a last segment that leaves no even split", of(300, 2, 3, 45)],
    ["an empty segment of several", of(300, 0, 3, 0)],
    ["a single segment of another length", of(100, 0, 1, 99)],
    ["parity of a single segment, too short", of(100, 0, 1, 99, true)],
    ["parity of another payload", of(300, 0, 3, 64, true)],
    ["2³² − 1", of(2 ** 32 - 1, 0, 256, 102_272)],
  ])("refuses a length that is %s", (_, result) => {
    expect(result).toEqual(misfit);
  });
});

function encodeEarlier(message: SegmentMessage): Uint8Array {
  const writer = new ProtobufWriter().bytes(1, message.originalPayloadHash);
  if (!message.isParity && message.index > 0) writer.varint(2, message.index);
  writer.varint(3, message.dataSegmentCount).bytes(4, message.segmentPayload);
  if (message.isParity && message.index > 0) writer.varint(5, message.index);
  if (message.paritySegmentCount > 0) writer.varint(6, message.paritySegmentCount);
  if (message.isParity) writer.varint(7, 1);
  return writer.finish();
}

function bytesOf(hex: string): Uint8Array {
  return fromHex(hex) ?? expect.unreachable(`not hexadecimal: ${hex}`);
}
