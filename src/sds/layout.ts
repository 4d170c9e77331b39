import type { Bytes } from "../common/bytes.ts";
import type { Result } from "../common/result.ts";
import type { BloomFilter, FilterShape, HashPair } from "./bloom-filter.ts";
import type { SdsMessage, UnencodedMessage } from "./message.ts";

/** How SDS messages stand on the wire. A channel uses the one layout of its profile, both ways. */
export interface SdsLayout {
  readonly name: "nim-sds" | "lip-109";
  /** Milliseconds of one unit of Lamport time. */
  readonly lamportUnitMs: number;
  /** Whether ephemeral messages carry a Lamport timestamp. LIP-109 has none in them; nim-sds refuses messages without. */
  readonly ephemeralLamport: boolean;
  encode(message: UnencodedMessage): Bytes;
  /** Never throws. Bytes of the message are views of `wire`. */
  decode(wire: Uint8Array): Result<SdsMessage>;
  /** What the positions of `messageId` in a filter follow from. */
  hashPair(messageId: string): HashPair;
  /** What the timing of SDS-R follows from: a signed 64-bit integer. */
  repairHash(text: string): bigint;
  /** The filter that this layout sends for `identifiers` message ids in the `nth` message with a filter. */
  filterShape(identifiers: number, nth: number): FilterShape;
  /** Bytes of the largest filter that this layout sends. */
  readonly filterBytesMost: number;
  encodeFilter(filter: BloomFilter): Bytes;
  /** `undefined` where the filter makes no sense: the message counts all the same. Never throws. */
  decodeFilter(bytes: Uint8Array): BloomFilter | undefined;
}
