/**
 * Crockford's base32 (https://www.crockford.com/base32.html): upper case only, so that it is short in a QR code, and
 * without letters that are mistaken for digits. Read back in either case, with O as 0 and I and L as 1.
 */
import type { Bytes } from "../common/bytes.ts";

const CHARACTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

export function toBase32(bytes: Uint8Array): string {
  let text = "";
  let [bits, held] = [0, 0];
  for (const byte of bytes) {
    bits = ((bits << 8) | byte) & 0xfff;
    for (held += 8; held >= 5; held -= 5) text += CHARACTERS.charAt((bits >> (held - 5)) & 31);
  }
  return held === 0 ? text : text + CHARACTERS.charAt((bits << (5 - held)) & 31);
}

/** The bytes, or `undefined` where a character means nothing or bits are left over. */
export function fromBase32(text: string): Bytes | undefined {
  const bytes = new Uint8Array(Math.floor((text.length * 5) / 8));
  let [bits, held, at] = [0, 0, 0];
  for (const character of text.toUpperCase().replaceAll("O", "0").replaceAll(/[IL]/g, "1")) {
    const value = CHARACTERS.indexOf(character);
    if (value < 0) return undefined;
    bits = ((bits << 5) | value) & 0xfff;
    held += 5;
    if (held < 8) continue;
    held -= 8;
    bytes[at++] = (bits >> held) & 0xff;
  }
  return held < 5 && (bits & ((1 << held) - 1)) === 0 ? bytes : undefined;
}
