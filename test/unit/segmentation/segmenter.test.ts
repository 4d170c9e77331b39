import { describe, expect, test } from "vitest";
import { concat } from "../../../src/common/bytes.ts";
import { LIMITS } from "../../../src/limits.ts";
import { decodeSegment } from "../../../src/segmentation/segment-message.ts";
import { performSegmentation, SegmentationConfig } from "../../../src/segmentation/segmenter.ts";
import { configOf, patternPayload, segmentsOf } from "./support.ts";
import { segmentWireCases, sha256, xorshiftPayload } from "./vectors.ts";

describe("segment-wire vectors, r3 without parity", () => {
  const cases = segmentWireCases.filter(({ generation, parityCount }) => generation === "r3" && parityCount === 0);
  test.each(cases)("$payloadLength bytes in $dataCount segments of $segmentSizeBytes", (vector) => {
    const config = configOf(vector.segmentSizeBytes);
    expect(config.chunkBytes).toBe(vector.chunkSize);
    const segments = segmentsOf(xorshiftPayload(vector.payloadLength, vector.seed), config);
    expect(segments.map((segment) => segment.length)).toEqual(vector.segmentLengths);
    expect(segments.map(sha256)).toEqual(vector.segmentSha256);
  });
});

test("a payload that fits one segment is still wrapped", () => {
  const payload = patternPayload(64);
  expect(segmentsOf(payload)).toHaveLength(1);
  expect(segmentsOf(payload)[0]).not.toEqual(payload);
});

test("segments carry the payload in order, unpadded, and fit the segment size", () => {
  const config = configOf(1024);
  const payload = patternPayload(3 * config.chunkBytes + 17);
  const chunks = segmentsOf(payload, config).map((bytes) => {
    expect(bytes.length).toBeLessThanOrEqual(1024);
    const segment = decodeSegment(bytes);
    return segment.ok ? segment.value.segmentPayload : expect.unreachable(segment.error);
  });
  expect(chunks.map((chunk) => chunk.length)).toEqual([896, 896, 896, 17]);
  expect(concat(...chunks)).toEqual(payload);
});

test("G06: what needs more than maxTotalSegments is refused, and the error names the limit", () => {
  const config = configOf(1024, 4);
  const refused = performSegmentation(patternPayload(5 * config.chunkBytes), config);
  expect(refused).toEqual({
    ok: false,
    error: { kind: "payload-too-large", message: expect.stringContaining("maxTotalSegments"), limit: 3584 },
  });
});

test("G09: with segments of 1024 bytes and at most 2, two chunks go and three do not", () => {
  const config = configOf(1024, 2);
  expect(segmentsOf(patternPayload(2 * config.chunkBytes), config)).toHaveLength(2);
  expect(performSegmentation(patternPayload(2 * config.chunkBytes + 1), config).ok).toBe(false);
  expect(performSegmentation(patternPayload(3 * config.chunkBytes), config).ok).toBe(false);
});

test("by default a chunk is 102,272 bytes and a message 26,181,632", () => {
  expect(SegmentationConfig.default.chunkBytes).toBe(102_272);
  expect(SegmentationConfig.default.payloadBytes).toBe(26_181_632);
  expect(performSegmentation(new Uint8Array(26_181_633))).toEqual({
    ok: false,
    error: {
      kind: "payload-too-large",
      message: "payload of 26181633 bytes exceeds 26181632 bytes (maxTotalSegments 256)",
      limit: 26_181_632,
    },
  });
});

test.each([
  ["G12: a segment size of 64", 64, 256],
  ["a segment size without room for a chunk", 191, 256],
  ["a segment size above the limit", 102_401, 256],
  ["a broken segment size", 1024.5, 256],
  ["a segment size that is no number", Number.NaN, 256],
  ["no segments", 1024, 0],
  ["more segments than a set may have", 1024, 257],
  ["a broken number of segments", 1024, 2.5],
])("%s is no configuration", (_, segmentBytes, totalSegments) => {
  expect(SegmentationConfig.create(segmentBytes, totalSegments).ok).toBe(false);
});

test("G12: parity and time-outs are no configuration: there is no parity, and the constants of time fit together", () => {
  const { segmentation, sds } = LIMITS;
  // Until a missing end is named by a periodic sync, and then as long as SDS looks for it.
  expect(segmentation.setIdleMs).toBeGreaterThan(1.25 * sds.syncMaxMs + sds.lostAfterMs);
  expect(segmentation.heldBackMs).toBeGreaterThan(segmentation.setIdleMs);
  expect(segmentation.resumeGraceMs).toBeGreaterThan(0);
  expect(segmentation.resumeGraceMs).toBeLessThan(segmentation.setIdleMs);
  expect(segmentation.lostIds).toBeGreaterThan(sds.missing);
});

test("G04: eight chunks without parity are eight segments", () => {
  const config = configOf(1024);
  expect(segmentsOf(patternPayload(8 * config.chunkBytes), config)).toHaveLength(8);
});

test("the smallest configuration carries one aligned chunk", () => {
  expect(configOf(192, 1).chunkBytes).toBe(64);
});
