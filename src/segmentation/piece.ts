/** What the content of an SDS message is to a reassembler: a segment, or a whole message where none are segmented. */
import { ownBytes, toHex } from "../common/bytes.ts";
import { err, ok, type Result } from "../common/result.ts";
import type { SegmentSetRow } from "./reassembler-tables.ts";
import { decodeSegment, shardLength } from "./segment-message.ts";

/** `raw` for profiles without segmentation: the content is the message, a set of one. */
export type Codec = "segments" | "raw";

/** With the key of its set: all that the segments of a payload have in common. */
export interface Piece extends Pick<SegmentSetRow, "originalPayloadHash" | "dataSegmentCount" | "paritySegmentCount"> {
  readonly setKey: string;
  /** Data segments have the slots from 0, parity segments those after them. */
  readonly slot: number;
  readonly payload: Uint8Array;
}

/** The content of an SDS message that was never seen before. */
export interface ArrivedContent {
  readonly senderId: string;
  /** The SDS message id. */
  readonly messageId: string;
  readonly content: Uint8Array;
  /** Lamport time. */
  readonly lamport: number;
  /** The SDS message that it comes right after, as its sender has it. */
  readonly follows?: string;
}

export function readPiece(arrived: ArrivedContent, codec: Codec): Result<Piece> {
  return codec === "raw" ? readWhole(arrived) : readSegment(arrived);
}

/** Whether a content is one of several segments, and not the last. */
export function isInnerPiece(content: Uint8Array, codec: Codec): boolean {
  const segment = codec === "raw" ? undefined : decodeSegment(content);
  if (!segment?.ok || !shardLength(segment.value).ok) return false;
  const { dataSegmentCount, paritySegmentCount, isParity, index } = segment.value;
  return (isParity ? dataSegmentCount + index : index) < dataSegmentCount + paritySegmentCount - 1;
}

/** Segments that a message has in all, data and parity. */
export function totalOf(set: Pick<SegmentSetRow, "dataSegmentCount" | "paritySegmentCount">): number {
  return set.dataSegmentCount + set.paritySegmentCount;
}

function readWhole({ messageId, content }: ArrivedContent): Result<Piece> {
  if (content.length === 0) return err("empty content");
  return ok({
    setKey: `raw/${messageId}`,
    originalPayloadHash: undefined,
    dataSegmentCount: 1,
    paritySegmentCount: 0,
    slot: 0,
    payload: content,
  });
}

function readSegment({ senderId, content }: ArrivedContent): Result<Piece> {
  const segment = decodeSegment(content);
  if (!segment.ok) return segment;
  const shard = shardLength(segment.value);
  if (!shard.ok) return shard;
  const { originalPayloadHash, originalPayloadLength, dataSegmentCount, paritySegmentCount } = segment.value;
  const shape = [originalPayloadLength ?? "-", dataSegmentCount, paritySegmentCount, shard.value ?? "-"].join("/");
  return ok({
    // The sender comes last, because it may contain anything.
    setKey: `${toHex(originalPayloadHash)}/${shape}/${senderId}`,
    originalPayloadHash: ownBytes(originalPayloadHash),
    dataSegmentCount,
    paritySegmentCount,
    slot: segment.value.isParity ? dataSegmentCount + segment.value.index : segment.value.index,
    payload: segment.value.segmentPayload,
  });
}
