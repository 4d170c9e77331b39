import { utf8 } from "../common/bytes.ts";

/** Whether a text can name a participant, a channel or a message: not empty, and at most so many bytes. */
export function isIdentifier(text: string, maxBytes: number): boolean {
  // A UTF-16 unit takes at most three bytes: nearly every identifier is decided by its length.
  if (text.length * 3 <= maxBytes) return text !== "";
  return text.length <= maxBytes && utf8(text).length <= maxBytes;
}
