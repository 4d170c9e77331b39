/**
 * The entries of causal histories and repair requests on the wire: the same three fields in both layouts, whose references
 * make different things of what is missing or is no text.
 *
 * Source: LIP-109 `HistoryEntry`, and `sds/protobuf.nim` of https://github.com/logos-messaging/nim-sds
 */
import { EMPTY, fromUtf8, utf8 } from "../common/bytes.ts";
import { ProtobufWriter, readFields } from "../common/protobuf.ts";
import type { HistoryEntry } from "./message.ts";

/** A tag, and the length of at most 256 bytes, or of the entry as a whole. */
const FIELD_HEADER_BYTES = 3;

/** Text as it was read: `undefined` where the field is missing, `null` where it is not UTF-8. */
type ReadText = string | null | undefined;

export interface ReadEntry {
  readonly messageId: ReadText;
  readonly senderId: ReadText;
  /** Empty where there is none. */
  readonly retrievalHint: Uint8Array;
}

export function writeEntry({ messageId, retrievalHint, senderId }: HistoryEntry): ProtobufWriter {
  const writer = new ProtobufWriter();
  writer.string(1, messageId);
  if (retrievalHint && retrievalHint.length > 0) writer.bytes(2, retrievalHint);
  if (senderId) writer.string(3, senderId);
  return writer;
}

/** `undefined` where the bytes are not a message. As in protobuf generally, the last of several fields with one number counts. */
export function readEntry(bytes: Uint8Array): ReadEntry | undefined {
  const fields = readFields(bytes);
  if (!fields) return undefined;
  let messageId: ReadText;
  let senderId: ReadText;
  let retrievalHint: Uint8Array = EMPTY;
  for (const { kind, number, value } of fields) {
    if (kind !== "bytes") continue;
    if (number === 1) messageId = fromUtf8(value) ?? null;
    if (number === 2) retrievalHint = value;
    if (number === 3) senderId = fromUtf8(value) ?? null;
  }
  return { messageId, senderId, retrievalHint };
}

/** An entry without what is empty. */
export function entryOf(messageId: string, retrievalHint: Uint8Array, senderId: string): HistoryEntry {
  return {
    messageId,
    ...(retrievalHint.length > 0 ? { retrievalHint } : {}),
    ...(senderId === "" ? {} : { senderId }),
  };
}

/** Bytes of an entry on the wire at most: three fields with tags and lengths, in a message with its own. */
export function entryBytes({ messageId, retrievalHint, senderId = "" }: HistoryEntry): number {
  return utf8(messageId).length + utf8(senderId).length + (retrievalHint?.length ?? 0) + 4 * FIELD_HEADER_BYTES;
}
