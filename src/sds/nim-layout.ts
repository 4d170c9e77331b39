/**
 * The layout of nim-sds, which the reference node sends: the fields of LIP-109 under other numbers, Lamport time in
 * seconds, and a bloom filter that carries its parameters.
 *
 * It accepts and refuses what nim-sds does, except where nim-sds crashes: a Lamport timestamp of 2⁶³ or more is refused.
 *
 * Source: https://github.com/logos-messaging/nim-sds, `sds/protobuf.nim` and `sds/bloom.nim`
 */
import type { Bytes } from "../common/bytes.ts";
import { EMPTY, fromUtf8, utf8 } from "../common/bytes.ts";
import { ProtobufWriter, readFields } from "../common/protobuf.ts";
import { err, ok, type Result } from "../common/result.ts";
import { LIMITS } from "../limits.ts";
import { BloomFilter, type FilterShape, filterBytes, filterShape, type HashPair } from "./bloom-filter.ts";
import { farmHash64, type Hash64 } from "./farm-hash.ts";
import { entryOf, readEntry, writeEntry } from "./history-entry.ts";
import type { SdsLayout } from "./layout.ts";
import type { HistoryEntry, SdsMessage, UnencodedMessage } from "./message.ts";

const LAMPORT_END = 1n << 63n;
/** Below this a Lamport timestamp is written as an ordinary number, which is far quicker. In seconds: until 2106. */
const NUMBER_END = 1n << 32n;
const ERROR_RATE_UNIT = 1_000_000;
/** Sizes that successive filters of equal contents take in turn. */
const FILTER_SIZES = 4;
/** Bytes of a filter's parameters and of what is around its bits, at most. */
const FILTER_FIELDS_BYTES = 32;

export const nimLayout: SdsLayout = {
  name: "nim-sds",
  lamportUnitMs: 1000,
  ephemeralLamport: true,
  encode,
  decode,
  hashPair,
  repairHash,
  filterShape: adaptiveShape,
  filterBytesMost: filterBytes(adaptiveShape(LIMITS.sds.filterIds, FILTER_SIZES - 1).bits) + FILTER_FIELDS_BYTES,
  encodeFilter,
  decodeFilter,
};

function encode(message: UnencodedMessage): Bytes {
  const writer = new ProtobufWriter();
  writer.string(1, message.messageId);
  const lamport = message.lamportTimestamp ?? 0n;
  writer.varint(2, lamport >= 0n && lamport < NUMBER_END ? Number(lamport) : lamport);
  for (const entry of message.causalHistory) writer.message(3, writeEntry(entry));
  writer.string(4, message.channelId);
  // Present even when empty: nim-sds refuses a message without content field.
  writer.bytes(5, message.content);
  if (message.bloomFilter instanceof BloomFilter) writer.message(6, writeFilter(message.bloomFilter));
  else writer.bytes(6, message.bloomFilter);
  if (message.senderId !== "") writer.string(7, message.senderId);
  for (const entry of message.repairRequest) writer.message(13, writeEntry(entry));
  return writer.finish();
}

function decode(wire: Uint8Array): Result<SdsMessage> {
  const fields = readFields(wire);
  if (!fields) return err("not a protobuf message");
  let messageId: string | undefined;
  let channelId: string | undefined;
  let senderId: string | undefined = "";
  let lamportTimestamp: bigint | undefined;
  let content: Uint8Array | undefined;
  let bloomFilter: Uint8Array = EMPTY;
  const causalHistory: HistoryEntry[] = [];
  const repairRequest: HistoryEntry[] = [];
  for (const field of fields) {
    if (field.kind === "varint" && field.number === 2) lamportTimestamp = field.value;
    if (field.kind !== "bytes") continue;
    switch (field.number) {
      case 1:
        messageId = fromUtf8(field.value);
        break;
      case 3:
      case 13: {
        const entry = decodeEntry(field.value);
        if (!entry) return err("history entry without message id");
        (field.number === 3 ? causalHistory : repairRequest).push(entry);
        break;
      }
      case 4:
        channelId = fromUtf8(field.value);
        break;
      case 5:
        content = field.value;
        break;
      case 6:
        bloomFilter = field.value;
        break;
      case 7:
        senderId = fromUtf8(field.value);
        break;
    }
  }
  if (messageId === undefined) return err("no message id");
  if (lamportTimestamp === undefined) return err("no Lamport timestamp");
  if (lamportTimestamp >= LAMPORT_END) return err("Lamport timestamp out of range");
  if (channelId === undefined) return err("no channel id");
  if (content === undefined) return err("no content");
  if (senderId === undefined) return err("sender id is not text");
  return ok({ senderId, messageId, channelId, lamportTimestamp, causalHistory, bloomFilter, content, repairRequest });
}

/** An id is asked for; a sender id that is no text is left out. */
function decodeEntry(bytes: Uint8Array): HistoryEntry | undefined {
  const entry = readEntry(bytes);
  if (typeof entry?.messageId !== "string") return undefined;
  return entryOf(entry.messageId, entry.retrievalHint, entry.senderId ?? "");
}

function hashPair(messageId: string): HashPair {
  const a = absolute(farmHash64(utf8(messageId)));
  const b = absolute(farmHash64(utf8(`${messageId} b`)));
  return { aHigh: a.high, aLow: a.low, bHigh: b.high, bLow: b.low };
}

function repairHash(text: string): bigint {
  const { high, low } = farmHash64(utf8(text));
  return (BigInt(high | 0) << 32n) | BigInt(low);
}

/** The magnitude of a hash read as a signed number. */
function absolute(hash: Hash64): Hash64 {
  if (hash.high < 0x80000000) return hash;
  const low = (0x100000000 - hash.low) % 0x100000000;
  return { high: (0xffffffff - hash.high + (hash.low === 0 ? 1 : 0)) >>> 0, low };
}

/** The parameters travel, so a filter is only as large as what it summarises asks for. */
function adaptiveShape(identifiers: number, nth: number): FilterShape {
  const { filterErrorRate, filterMinCapacity, acknowledgementDoubt } = LIMITS.sds;
  const { bits } = filterShape(1, filterErrorRate);
  // One hit is to suffice as an acknowledgement, also by the second term of `BloomFilter.doubt`; half is kept in reserve.
  const trustworthyBits = Math.sqrt((2 * 6 * identifiers) / acknowledgementDoubt);
  const capacity = Math.max(filterMinCapacity, identifiers, Math.ceil(trustworthyBits / bits));
  // In filters of different sizes an id has unrelated positions: what two of them say is worth more than one said twice.
  return filterShape(capacity + (nth % FILTER_SIZES), filterErrorRate);
}

function encodeFilter(filter: BloomFilter): Bytes {
  return writeFilter(filter).finish();
}

function writeFilter(filter: BloomFilter): ProtobufWriter {
  const { capacity, errorRate, hashes, bits } = filter.shape;
  return new ProtobufWriter()
    .bytes(1, filter.bytes)
    .varint(2, capacity)
    .varint(3, Math.floor(errorRate * ERROR_RATE_UNIT))
    .varint(4, hashes)
    .varint(5, bits);
}

function decodeFilter(bytes: Uint8Array): BloomFilter | undefined {
  const fields = readFields(bytes);
  if (!fields) return undefined;
  let words: Uint8Array | undefined;
  let [capacity, errors, hashes, bits] = [0, 0, 0, 0];
  for (const field of fields) {
    if (field.kind === "bytes" && field.number === 1) words = field.value;
    if (field.kind !== "varint") continue;
    const value = Number(field.value);
    if (field.number === 2) capacity = value;
    if (field.number === 3) errors = value;
    if (field.number === 4) hashes = value;
    if (field.number === 5) bits = value;
  }
  return words && BloomFilter.of({ capacity, errorRate: errors / ERROR_RATE_UNIT, hashes, bits }, words);
}
