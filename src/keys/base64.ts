/** RFC 4648 base64, both alphabets. Decoding is strict: one text for each sequence of bytes, padding apart. */
import type { Bytes } from "../common/bytes.ts";

const SHARED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const ALPHABETS = { base64: `${SHARED}+/`, base64url: `${SHARED}-_` } as const;

export type Base64Alphabet = keyof typeof ALPHABETS;

/** `base64` is padded with `=`, `base64url` is not, as either is usually met. */
export function toBase64(bytes: Uint8Array, alphabet: Base64Alphabet = "base64"): string {
  const characters = ALPHABETS[alphabet];
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const [a = 0, b, c] = bytes.subarray(i, i + 3);
    const group = (a << 16) | ((b ?? 0) << 8) | (c ?? 0);
    text += characters.charAt(group >> 18) + characters.charAt((group >> 12) & 63);
    if (b !== undefined) text += characters.charAt((group >> 6) & 63);
    if (c !== undefined) text += characters.charAt(group & 63);
  }
  return alphabet === "base64" ? text.padEnd(4 * Math.ceil(text.length / 4), "=") : text;
}

/** The bytes, or `undefined` where the text is not base64 of that alphabet. Padding may be left out. */
export function fromBase64(text: string, alphabet: Base64Alphabet = "base64"): Bytes | undefined {
  const body = text.replace(/={1,2}$/, "");
  const padding = text.length - body.length;
  if (body.length % 4 === 1 || (padding > 0 && text.length % 4 !== 0)) return undefined;
  const characters = ALPHABETS[alphabet];
  const bytes = new Uint8Array(Math.floor((body.length * 3) / 4));
  let [bits, held, at] = [0, 0, 0];
  for (const character of body) {
    const value = characters.indexOf(character);
    if (value < 0) return undefined;
    bits = ((bits << 6) | value) & 0xffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes[at++] = (bits >> held) & 0xff;
  }
  // Bits that belong to no byte are zero, or two texts would mean the same.
  return (bits & ((1 << held) - 1)) === 0 ? bytes : undefined;
}
