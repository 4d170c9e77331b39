/** Positions in a channel's event log as pages see them: opaque, and in order when compared as text. */
import type { Cursor } from "./provider-api.ts";

/** Digits of the largest integer that a number holds exactly. */
const DIGITS = 16;

export function cursorOf(seq: number): Cursor {
  return String(seq).padStart(DIGITS, "0") as Cursor;
}

/** The position, 0 for none. Only for cursors that the frame schema let through. */
export function seqOf(cursor: string | undefined): number {
  return cursor === undefined ? 0 : Math.min(Number(cursor), Number.MAX_SAFE_INTEGER);
}
