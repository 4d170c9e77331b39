/**
 * A channel key as text: what a person pastes, and what an export gives.
 *
 * A key has 32 bytes, so its formats never collide: hexadecimal has 64 characters, base64 has 43 or 44, a JWK begins with
 * a brace. 64 hexadecimal digits would be base64 of 48 bytes too, which is no key, and so they are read as hexadecimal.
 * Text in which the two base64 alphabets agree is called base64.
 *
 * What was pasted may be a secret even where it cannot be read: no error repeats any of it.
 */
import { type Bytes, fromHex, toHex } from "../common/bytes.ts";
import { err, ok, type Result } from "../common/result.ts";
import { KEY_BYTES } from "../encryption/aead.ts";
import { LIMITS } from "../limits.ts";
import { fromBase64, toBase64 } from "./base64.ts";

export const KEY_FORMATS = ["hex", "base64", "base64url", "jwk"] as const;
export type KeyFormat = (typeof KEY_FORMATS)[number];

export interface PastedKey {
  readonly format: KeyFormat;
  readonly key: Bytes;
}

export interface KeyTextError {
  readonly kind: "empty" | "too-long" | "unknown" | "mistyped" | "wrong-length" | "bad-jwk" | "invitation" | "backup";
  /** The format that it seems to be, where it seems to be one. */
  readonly format?: KeyFormat;
  /** How many bytes it is, where it is some. */
  readonly bytes?: number;
  /** For people; holds nothing of the text. */
  readonly message: string;
}

const FORMAT_NAMES: Readonly<Record<KeyFormat, string>> = {
  hex: "hexadecimal",
  base64: "base64",
  base64url: "base64url",
  jwk: "a JSON Web Key",
};

/** Every invitation and every backup begins so, whatever its version. */
const INVITATION = /^RCI\d+-/i;
const BACKUP = /^\{\s*"format"\s*:\s*"reliable-channel-backup"/;
/** Space at either end, and the invisible characters that copying from a page picks up. */
const AROUND = /^[\s\u200b-\u200d\u2060\ufeff]+|[\s\u200b-\u200d\u2060\ufeff]+$/g;

export const trimPasted = (text: string): string => text.replace(AROUND, "");

/** What was pasted, and in which format; or why it is no key. */
export function parseKey(pasted: string): Result<PastedKey, KeyTextError> {
  if (pasted.length > LIMITS.keys.backupChars) return err(TOO_LONG);
  const text = trimPasted(pasted);
  if (text.length === 0) return err({ kind: "empty", message: "Nothing was pasted." });
  if (INVITATION.test(text)) return err({ kind: "invitation", message: "This is an invitation code, not a key." });
  if (BACKUP.test(text)) return err({ kind: "backup", message: "This is a backup, not a key." });
  if (text.length > LIMITS.keys.pastedChars) return err(TOO_LONG);
  if (text.startsWith("{")) return parseJwk(text);

  const prefixed = /^0x/i.test(text);
  const digits = prefixed ? text.slice(2) : text;
  const hex = fromHex(digits);
  if (hex !== undefined && (prefixed || looksHexadecimal(digits))) return ofLength("hex", hex);
  // One key in two thousand begins with 0x or 0X in base64.
  const inBase64 = prefixed && !looksHexadecimal(digits) && keyBytes(text) !== undefined;
  if (!inBase64 && (prefixed || looksHexadecimal(digits))) {
    return err({
      kind: "mistyped",
      format: "hex",
      message: "This looks like hexadecimal, but a digit is missing, too many or mistyped.",
    });
  }
  for (const format of ["base64", "base64url"] as const) {
    const bytes = fromBase64(text, format);
    if (bytes !== undefined) return ofLength(format, bytes);
  }
  return err({
    kind: "unknown",
    message: "This is no key: neither hexadecimal, nor base64, nor base64url, nor a JSON Web Key.",
  });
}

/** The key in one of the formats; 32 bytes in, text out. */
export function formatKey(key: Uint8Array, format: KeyFormat): string {
  switch (format) {
    case "hex":
      return toHex(key);
    case "base64":
    case "base64url":
      return toBase64(key, format);
    case "jwk":
      return JSON.stringify({ kty: "oct", k: toBase64(key, "base64url") });
  }
}

const TOO_LONG: KeyTextError = { kind: "too-long", message: "This is too long to be a key." };

/** The key that the text is in either base64, if it is one. */
function keyBytes(text: string): Bytes | undefined {
  const bytes = fromBase64(text, "base64") ?? fromBase64(text, "base64url");
  return bytes?.length === KEY_BYTES ? bytes : undefined;
}

/** Digits alone. That a key in base64 has no other character does not happen: one in 10^20. */
function looksHexadecimal(text: string): boolean {
  return /^[0-9a-f]+$/i.test(text);
}

function ofLength(format: KeyFormat, key: Bytes): Result<PastedKey, KeyTextError> {
  if (key.length === KEY_BYTES) return ok({ format, key });
  const message = `This is ${FORMAT_NAMES[format]} of ${key.length} bytes; a channel key has ${KEY_BYTES}.`;
  return err({ kind: "wrong-length", format, bytes: key.length, message });
}

/** RFC 7517, RFC 7518 §6.4: a symmetric key is `kty` "oct" with the bytes in `k`, base64url without padding. */
function parseJwk(text: string): Result<PastedKey, KeyTextError> {
  const bad = (message: string) => err<KeyTextError>({ kind: "bad-jwk", format: "jwk", message });
  let jwk: unknown;
  try {
    jwk = JSON.parse(text);
  } catch {
    return bad("This looks like a JSON Web Key, but it is not valid JSON.");
  }
  if (typeof jwk !== "object" || jwk === null || !("kty" in jwk)) return bad("This is JSON, but no JSON Web Key.");
  if (jwk.kty !== "oct") return bad('This JSON Web Key is not symmetric: its "kty" is not "oct".');
  if (!("k" in jwk) || typeof jwk.k !== "string") return bad('This JSON Web Key has no key: its "k" is missing.');
  const key = fromBase64(jwk.k, "base64url");
  return key === undefined ? bad('The "k" of this JSON Web Key is not base64url.') : ofLength("jwk", key);
}
