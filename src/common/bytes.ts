/** Bytes that own an ordinary `ArrayBuffer`: what IndexedDB, WebCrypto and message ports accept without a copy. */
export type Bytes = Uint8Array<ArrayBuffer>;

const encoder = new TextEncoder();
// A byte order mark is kept: text without it would be another identifier.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export const EMPTY: Bytes = new Uint8Array(0);

/** Where short texts are encoded: to have a buffer made for it costs several times as much as the encoding. */
const scratch: Bytes = new Uint8Array(1_024);
/** A UTF-16 unit takes at most three bytes. */
const SHORT_CHARS = Math.floor(scratch.length / 3);

export function utf8(text: string): Bytes {
  if (text.length > SHORT_CHARS) return encoder.encode(text);
  return scratch.slice(0, encoder.encodeInto(text, scratch).written);
}

/** The text, or `undefined` where the bytes are not well-formed UTF-8. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/** The bytes of an even-length hexadecimal string, or `undefined` where it is none. */
export function fromHex(hex: string): Bytes | undefined {
  const bytes = new Uint8Array(Math.floor(hex.length / 2));
  try {
    bytes.setFromHex(hex);
    return bytes;
  } catch {
    return undefined;
  }
}

export function concat(...parts: readonly Uint8Array[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** A copy on a buffer of its own, whatever the view was looking at. */
export function ownBytes(view: Uint8Array): Bytes {
  return new Uint8Array(view);
}
