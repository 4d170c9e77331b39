/**
 * One segment on the wire, LIP-243.
 *
 * What is sent is the newest text, `SegmentMessage`:
 *
 *     1 original_payload_hash bytes   2 original_payload_length uint32   3 index uint32   4 data_segment_count uint32
 *     5 optional parity_segment_count uint32   6 is_parity bool   7 segment_payload bytes
 *
 * What is read is also the earlier text, `SegmentMessageProto`:
 *
 *     1 entire_message_hash bytes   2 data_segment_index uint32   3 data_segment_count uint32   4 payload bytes
 *     5 parity_segment_index uint32   6 parity_segment_count uint32   7 is_parity bool
 *
 * Field 4 tells them apart: a varint in the newest text, where it is at least 1 and so never left out.
 */
import type { Bytes } from "../common/bytes.ts";
import type { Field } from "../common/protobuf.ts";
import { ProtobufWriter, readFields } from "../common/protobuf.ts";
import type { Result } from "../common/result.ts";
import { err, ok } from "../common/result.ts";
import { LIMITS } from "../limits.ts";

/** Bytes of a keccak-256 digest. */
export const PAYLOAD_HASH_BYTES = 32;

export interface SegmentMessage {
  /** keccak-256 of the original payload, 32 bytes. */
  readonly originalPayloadHash: Uint8Array;
  /** Bytes of the original payload; `undefined` in the earlier text, which does not carry it. */
  readonly originalPayloadLength: number | undefined;
  /** Position within the segment's own class, data or parity, from 0. */
  readonly index: number;
  readonly dataSegmentCount: number;
  /** 0 where the sender made no parity. */
  readonly paritySegmentCount: number;
  readonly isParity: boolean;
  /** A chunk of the payload at its true length, or a parity shard. */
  readonly segmentPayload: Uint8Array;
}

/** Serialises a segment in the newest text. As proto3 says, values that equal the default are left out. */
export function encodeSegment(segment: SegmentMessage & { readonly originalPayloadLength: number }): Bytes {
  const writer = new ProtobufWriter().bytes(1, segment.originalPayloadHash);
  if (segment.originalPayloadLength > 0) writer.varint(2, segment.originalPayloadLength);
  if (segment.index > 0) writer.varint(3, segment.index);
  writer.varint(4, segment.dataSegmentCount);
  if (segment.paritySegmentCount > 0) writer.varint(5, segment.paritySegmentCount);
  if (segment.isParity) writer.varint(6, 1);
  if (segment.segmentPayload.length > 0) writer.bytes(7, segment.segmentPayload);
  return writer.finish();
}

/**
 * Reads a segment of either text and applies the validation of LIP-243 "Wire Format". The hash and the payload are views
 * of `bytes`. Whether length, counts and payload fit each other is the question of {@link shardLength}.
 */
export function decodeSegment(bytes: Uint8Array): Result<SegmentMessage> {
  // The earlier text measures a segment before its serialisation, so the fields may come on top.
  if (bytes.length > LIMITS.segmentation.segmentBytes + LIMITS.segmentation.headerReserveBytes) {
    return err("oversized segment");
  }
  const fields = readFields(bytes);
  if (fields === undefined) return err("malformed protobuf");
  const segment = fields.some((field) => field.number === 4 && field.kind === "bytes")
    ? readEarlierText(fields)
    : readNewestText(fields);
  return segment.ok ? validate(segment.value) : segment;
}

function readNewestText(fields: readonly Field[]): Result<SegmentMessage> {
  const read = new FieldReader(fields);
  const segment: SegmentMessage = {
    originalPayloadHash: read.bytes(1),
    originalPayloadLength: read.uint32(2),
    index: read.uint32(3),
    dataSegmentCount: read.uint32(4),
    paritySegmentCount: read.uint32(5),
    isParity: read.bool(6),
    segmentPayload: read.bytes(7),
  };
  return read.error === undefined ? ok(segment) : err(read.error);
}

function readEarlierText(fields: readonly Field[]): Result<SegmentMessage> {
  const read = new FieldReader(fields);
  const isParity = read.bool(7);
  const dataIndex = read.uint32(2);
  const parityIndex = read.uint32(5);
  const segment: SegmentMessage = {
    originalPayloadHash: read.bytes(1),
    originalPayloadLength: undefined,
    index: isParity ? parityIndex : dataIndex,
    dataSegmentCount: read.uint32(3),
    paritySegmentCount: read.uint32(6),
    isParity,
    segmentPayload: read.bytes(4),
  };
  return read.error === undefined ? ok(segment) : err(read.error);
}

function validate(segment: SegmentMessage): Result<SegmentMessage> {
  const { index, dataSegmentCount, paritySegmentCount, isParity } = segment;
  if (segment.originalPayloadHash.length !== PAYLOAD_HASH_BYTES) return err("hash is not 32 bytes");
  if (dataSegmentCount < 1) return err("no data segments");
  if (dataSegmentCount + paritySegmentCount > LIMITS.segmentation.totalSegments) return err("too many segments");
  if (index >= (isParity ? paritySegmentCount : dataSegmentCount)) return err("index out of range");
  if (segment.segmentPayload.length > LIMITS.segmentation.segmentBytes) return err("oversized segment");
  return ok(segment);
}

/**
 * Bytes of every chunk but the last, worked out from this segment alone; an error where its length, its counts and its
 * payload contradict each other. `undefined` for the earlier text, which says too little.
 *
 * All chunks but the last are equally long, the last is 1 to that many bytes, and parity shards are as long as a chunk.
 * With a single data segment the chunk is the payload, whatever it would have been padded to for parity.
 */
export function shardLength(segment: SegmentMessage): Result<number | undefined> {
  const { originalPayloadLength: length, dataSegmentCount: count, segmentPayload } = segment;
  if (length === undefined) return ok(undefined);
  const bytes = segmentPayload.length;
  if (count === 1) {
    const fits = segment.isParity ? bytes >= length : bytes === length;
    return fits ? ok(length) : err("length does not fit the segment");
  }
  const isLast = !segment.isParity && segment.index === count - 1;
  const shard = isLast ? (length - bytes) / (count - 1) : bytes;
  // The payload needs every data segment: (count − 1) · shard < length ≤ count · shard.
  if (!Number.isInteger(shard) || (count - 1) * shard >= length || length > count * shard) {
    return err("length does not fit the segment");
  }
  return ok(shard);
}

/** Picks known fields out; unknown ones are skipped, and of a repeated one the last counts, as protobuf says. */
class FieldReader {
  error: string | undefined;
  readonly #fields: readonly Field[];

  constructor(fields: readonly Field[]) {
    this.#fields = fields;
  }

  uint32(number: number): number {
    const value = this.#varint(number);
    if (value <= 0xffff_ffffn) return Number(value);
    this.error = `field ${number} exceeds 32 bits`;
    return 0;
  }

  bool(number: number): boolean {
    return this.#varint(number) !== 0n;
  }

  bytes(number: number): Uint8Array {
    const field = this.#last(number);
    if (field === undefined) return new Uint8Array(0);
    if (field.kind === "bytes") return field.value;
    this.error = `field ${number} has the wrong type`;
    return new Uint8Array(0);
  }

  #varint(number: number): bigint {
    const field = this.#last(number);
    if (field === undefined) return 0n;
    if (field.kind === "varint") return field.value;
    this.error = `field ${number} has the wrong type`;
    return 0n;
  }

  #last(number: number): Field | undefined {
    return this.#fields.findLast((field) => field.number === number);
  }
}
