import type { LIMITS } from "../limits.ts";
import type { SdsLayout } from "./layout.ts";

/** The bounds of a participant; LIMITS says what each means. */
export type Bounds = { readonly [K in keyof typeof LIMITS.sds]: number };

export interface SdsConfig {
  /** Who we are: at most 256 bytes, as is the channel id. Read at each use: it may change before the first message. */
  readonly participantId: string;
  readonly channelId: string;
  readonly layout: SdsLayout;
  /** Milliseconds since the Unix epoch at which the channel was created here. Default: its first event. */
  readonly startedAt?: number;
  /** How far before that the channel looks back for messages, in milliseconds. Default: 24 hours. */
  readonly lookBackMs?: number;
  /** The earliest timer of others that runs by our clock, as a reading of it. */
  readonly otherDueMs?: () => number | undefined;
  /** In place of `LIMITS.sds`. */
  readonly limits?: Partial<Bounds>;
}
