/** The histories that both sides of a comparison have. */
import { createHash } from "node:crypto";

/** Messages received before; the last is the longest that ids are remembered for. */
export const HISTORIES: readonly number[] = [0, 1_000, 10_000, 100_000];

const ids: string[] = [];

/** The id of the message at this place of the history: 64 hexadecimal digits, as message ids are. */
export function historyId(at: number): string {
  ids[at] ??= createHash("sha256").update(`message ${at}`).digest("hex");
  return ids[at];
}
