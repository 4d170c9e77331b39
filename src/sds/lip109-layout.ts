/**
 * The layout that LIP-109 specifies and `@waku/sds` sends: Lamport time in milliseconds, and a bloom filter of one fixed
 * size as raw words.
 *
 * It accepts and refuses what `@waku/sds` does, save for these deviations:
 *
 * | what | `@waku/sds` | here | why |
 * | --- | --- | --- | --- |
 * | empty content or filter | written where it is set, even to nothing | left out | a filter field without bytes makes `@waku/sds` drop the message |
 * | a known field of another wire type | read as if it had the right one | ignored; refused where it is field 2 | it is the layout of nim-sds |
 * | an identifier that is not UTF-8 | replaced letter by letter | refused | two ids might become the same |
 * | neither identifiers nor content | accepted | decoded here, dropped by the participant | no id, no message |
 * | Lamport timestamp beyond 2⁵³ | accepted, carries the clock away | decoded here, dropped by the participant | LIP-109 compares it with a clock |
 * | a filter that is too short | an error while the message is processed | the message without filter | the content is as good |
 *
 * Source: https://github.com/logos-co/logos-lips, LIP-109 (SDS), Message; `@waku/proto`, `sds_message.proto`
 */
import { sha256 } from "@noble/hashes/sha2.js";
import type { Bytes } from "../common/bytes.ts";
import { EMPTY, fromUtf8, utf8 } from "../common/bytes.ts";
import { ProtobufWriter, readFields } from "../common/protobuf.ts";
import { err, ok, type Result } from "../common/result.ts";
import { BloomFilter, type FilterShape, filterBytes, filterShape, type HashPair } from "./bloom-filter.ts";
import { entryOf, readEntry, writeEntry } from "./history-entry.ts";
import type { SdsLayout } from "./layout.ts";
import type { HistoryEntry, SdsMessage, UnencodedMessage } from "./message.ts";
import { murmur3 } from "./murmur3.ts";

/** Parameters do not travel, so everybody uses these: 150,000 bits, 10 positions, 18,752 bytes. */
const SHAPE: FilterShape = { ...filterShape(10_000, 0.001), bigEndianWords: true };
const FILTER_BYTES = filterBytes(SHAPE.bits);

export const lip109Layout: SdsLayout = {
  name: "lip-109",
  lamportUnitMs: 1,
  ephemeralLamport: false,
  encode,
  decode,
  hashPair,
  repairHash,
  filterShape: () => SHAPE,
  filterBytesMost: FILTER_BYTES,
  encodeFilter: (filter) => filter.copyBytes(),
  decodeFilter,
};

function encode(message: UnencodedMessage): Bytes {
  const bloomFilter = message.bloomFilter instanceof BloomFilter ? message.bloomFilter.bytes : message.bloomFilter;
  const writer = new ProtobufWriter();
  if (message.senderId !== "") writer.string(1, message.senderId);
  writer.string(2, message.messageId);
  writer.string(3, message.channelId);
  if (message.lamportTimestamp !== undefined) writer.varint(10, message.lamportTimestamp);
  for (const entry of message.causalHistory) writer.message(11, writeEntry(entry));
  if (bloomFilter.length > 0) writer.bytes(12, bloomFilter);
  for (const entry of message.repairRequest) writer.message(13, writeEntry(entry));
  if (message.content.length > 0) writer.bytes(20, message.content);
  return writer.finish();
}

function decode(wire: Uint8Array): Result<SdsMessage> {
  const fields = readFields(wire);
  if (!fields) return err("not a protobuf message");
  let senderId: string | undefined = "";
  let messageId: string | undefined = "";
  let channelId: string | undefined = "";
  let lamportTimestamp: bigint | undefined;
  let bloomFilter: Uint8Array = EMPTY;
  let content: Uint8Array = EMPTY;
  const causalHistory: HistoryEntry[] = [];
  const repairRequest: HistoryEntry[] = [];
  for (const field of fields) {
    if (field.kind === "varint") {
      if (field.number === 2) return err("the layout of nim-sds");
      if (field.number === 10) lamportTimestamp = field.value;
    }
    if (field.kind !== "bytes") continue;
    switch (field.number) {
      case 1:
        senderId = fromUtf8(field.value);
        break;
      case 2:
        messageId = fromUtf8(field.value);
        break;
      case 3:
        channelId = fromUtf8(field.value);
        break;
      case 11:
      case 13: {
        const entry = decodeEntry(field.value);
        if (!entry) return err("unreadable history entry");
        (field.number === 11 ? causalHistory : repairRequest).push(entry);
        break;
      }
      case 12:
        bloomFilter = field.value;
        break;
      case 20:
        content = field.value;
        break;
    }
  }
  if (senderId === undefined || messageId === undefined || channelId === undefined) return err("an id is not text");
  // LIP-109: a message without content is a sync message, one without Lamport timestamp an ephemeral one.
  if (lamportTimestamp === undefined && content.length === 0) return err("neither Lamport timestamp nor content");
  return ok({ senderId, messageId, channelId, lamportTimestamp, causalHistory, bloomFilter, content, repairRequest });
}

/** What is missing is empty, as in protobuf generally; what is no text is refused. */
function decodeEntry(bytes: Uint8Array): HistoryEntry | undefined {
  const entry = readEntry(bytes);
  if (entry === undefined || entry.messageId === null || entry.senderId === null) return undefined;
  return entryOf(entry.messageId ?? "", entry.retrievalHint, entry.senderId ?? "");
}

/** The magnitudes of two signed 32-bit hashes. */
function hashPair(messageId: string): HashPair {
  const aLow = Math.abs(murmur3(messageId));
  const bLow = Math.abs(murmur3(`${messageId} b`));
  return { aHigh: 0, aLow, bHigh: 0, bLow };
}

/** As `@waku/sds` has it: the first eight bytes of the SHA-256. The signed integer differs in nothing that matters. */
function repairHash(text: string): bigint {
  const digest = sha256(utf8(text));
  return new DataView(digest.buffer, digest.byteOffset).getBigUint64(0);
}

function decodeFilter(bytes: Uint8Array): BloomFilter | undefined {
  return bytes.length < FILTER_BYTES ? undefined : BloomFilter.of(SHAPE, bytes.subarray(0, FILTER_BYTES));
}
