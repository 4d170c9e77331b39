/** What comes in with a call, besides the message: the time, and chance. */
import type { Part } from "./message.ts";

/** What goes with a message of ours. */
export interface OutgoingContext {
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** What the clock does not tell of the time, drawn: 0 to 999,999. */
  readonly nanoseconds: number;
  readonly ephemeral: boolean;
  /** Where it is one of several parts of a message. */
  readonly part?: Part;
}

/** What came with a message. */
export interface IncomingContext {
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** Hash of the Waku message that carried it, lower-case hexadecimal. */
  readonly messageHash: string;
  /** Store nodes did not keep that Waku message: its hash is no retrieval hint. */
  readonly ephemeral?: boolean;
  /** Uniform in [0, 1). */
  readonly random: number;
  /** Whether a content is a part of a longer message, other than the last. */
  readonly isInner?: (content: Uint8Array) => boolean;
}

/** What time finds. */
export interface TickContext {
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** Uniform in [0, 1). */
  readonly random: number;
  readonly online: boolean;
}
