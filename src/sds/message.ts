import type { Bytes } from "../common/bytes.ts";
import type { BloomFilter } from "./bloom-filter.ts";

/** A message as another one refers to it, LIP-109 `HistoryEntry`. */
export interface HistoryEntry {
  readonly messageId: string;
  /** What helps to retrieve it: the deterministic hash of the Waku message that carried it, 32 bytes. */
  readonly retrievalHint?: Uint8Array;
  /** Who sent it; the SDS-R extension. */
  readonly senderId?: string;
}

/** An SDS message, LIP-109 `Message`, whatever its layout on the wire. */
export interface SdsMessage {
  readonly senderId: string;
  readonly messageId: string;
  readonly channelId: string;
  /** In the unit of the layout. `lip-109` leaves it out of ephemeral messages. */
  readonly lamportTimestamp: bigint | undefined;
  /** Oldest first. */
  readonly causalHistory: readonly HistoryEntry[];
  /** Serialised; empty where there is none. */
  readonly bloomFilter: Uint8Array;
  /** Empty in sync messages. */
  readonly content: Uint8Array;
  readonly repairRequest: readonly HistoryEntry[];
}

/** An SDS message on its way to the wire: its filter may still be one, which spares the layout a buffer. */
export interface UnencodedMessage extends Omit<SdsMessage, "bloomFilter"> {
  readonly bloomFilter: Uint8Array | BloomFilter;
}

/** The place of a message of ours in a longer one, whose parts are sent in one go. */
export interface Part {
  /** What we call the longer message. */
  readonly whole: string;
  /** From 0. */
  readonly index: number;
  readonly total: number;
}

/** An SDS message with its exact bytes. */
export interface Wrapped {
  readonly messageId: string;
  readonly wire: Bytes;
}
