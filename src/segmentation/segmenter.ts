/** Splits a payload into encoded segments, LIP-243 "Sending". */
import type { Bytes } from "../common/bytes.ts";
import { keccak256 } from "../common/keccak.ts";
import type { Result } from "../common/result.ts";
import { err, ok } from "../common/result.ts";
import { LIMITS } from "../limits.ts";
import { encodeSegment } from "./segment-message.ts";

export interface SegmentationError {
  readonly kind: "payload-too-large";
  readonly message: string;
  /** Bytes of the largest payload that can be sent. */
  readonly limit: number;
}

/** How payloads are split. Only sizes that make sense become one. */
export class SegmentationConfig {
  static readonly default = new SegmentationConfig(LIMITS.segmentation.segmentBytes, LIMITS.segmentation.totalSegments);

  /** Payload bytes of every segment but the last. */
  readonly chunkBytes: number;
  readonly totalSegments: number;

  private constructor(segmentBytes: number, totalSegments: number) {
    const room = segmentBytes - LIMITS.segmentation.headerReserveBytes;
    // Aligned with or without parity, so that every set could be decoded as Leopard-RS shards.
    this.chunkBytes = room - (room % LIMITS.segmentation.shardAlignBytes);
    this.totalSegments = totalSegments;
  }

  /** Bytes of the largest payload. */
  get payloadBytes(): number {
    return this.chunkBytes * this.totalSegments;
  }

  /**
   * @param segmentBytes Bytes of one serialised segment at most: room for the fields and one aligned chunk, 192, to 102,400.
   * @param totalSegments Segments of one message at most, 1 to 256.
   */
  static create(
    segmentBytes: number = LIMITS.segmentation.segmentBytes,
    totalSegments: number = LIMITS.segmentation.totalSegments,
  ): Result<SegmentationConfig> {
    const smallest = LIMITS.segmentation.headerReserveBytes + LIMITS.segmentation.shardAlignBytes;
    if (!isWithin(segmentBytes, smallest, LIMITS.segmentation.segmentBytes)) {
      return err(`segmentSize is not a whole number from ${smallest} to ${LIMITS.segmentation.segmentBytes}`);
    }
    if (!isWithin(totalSegments, 1, LIMITS.segmentation.totalSegments)) {
      return err(`maxTotalSegments is not a whole number from 1 to ${LIMITS.segmentation.totalSegments}`);
    }
    return ok(new SegmentationConfig(segmentBytes, totalSegments));
  }
}

/** The encoded segments of a payload, in order: at least one, also where the payload is empty or fits a single one. */
export function performSegmentation(
  payload: Bytes,
  config: SegmentationConfig = SegmentationConfig.default,
): Result<readonly Bytes[], SegmentationError> {
  const { chunkBytes, totalSegments } = config;
  const dataSegmentCount = Math.max(1, Math.ceil(payload.length / chunkBytes));
  if (dataSegmentCount > totalSegments) {
    return err({
      kind: "payload-too-large",
      message: `payload of ${payload.length} bytes exceeds ${config.payloadBytes} bytes (maxTotalSegments ${totalSegments})`,
      limit: config.payloadBytes,
    });
  }
  const originalPayloadHash = keccak256(payload);
  const segments: Bytes[] = [];
  for (let index = 0; index < dataSegmentCount; index++) {
    segments.push(
      encodeSegment({
        originalPayloadHash,
        originalPayloadLength: payload.length,
        index,
        dataSegmentCount,
        paritySegmentCount: 0,
        isParity: false,
        segmentPayload: payload.subarray(index * chunkBytes, (index + 1) * chunkBytes),
      }),
    );
  }
  return ok(segments);
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
