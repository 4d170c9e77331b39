/**
 * A secret behind a password: PBKDF2-SHA-256 makes a key of the password, and XChaCha20-Poly1305 seals with it.
 *
 * Authenticated encryption alone cannot tell a wrong password from a damaged blob. So a checksum stands beside it: it
 * finds damage without the password. It keeps nothing out, whoever changes the blob on purpose can make a new one; that
 * is what the authentication is for, to which the parameters belong.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import * as v from "valibot";
import { type Bytes, concat, equalBytes, utf8 } from "../common/bytes.ts";
import { err, ok, type Result } from "../common/result.ts";
import { lengthPrefixed, open, seal } from "../encryption/aead.ts";
import type { RandomBytes } from "../encryption/random.ts";
import { LIMITS } from "../limits.ts";

const KDF = "PBKDF2-SHA-256";
const SALT_BYTES = 16;
const CHECKSUM_BYTES = 8;

/** 32 bytes from a password. */
export type DeriveKey = (password: string, salt: Bytes, iterations: number) => Promise<Bytes>;

/** RFC 8018 §5.2 by WebCrypto. Equal passwords typed on different keyboards are equal (NFKC). */
export const pbkdf2: DeriveKey = async (password, salt, iterations) => {
  const material = await crypto.subtle.importKey("raw", utf8(password.normalize("NFKC")), "PBKDF2", false, [
    "deriveBits",
  ]);
  const parameters = { name: "PBKDF2", hash: "SHA-256", salt, iterations };
  return new Uint8Array(await crypto.subtle.deriveBits(parameters, material, 256));
};

export interface PasswordKdf {
  readonly random: RandomBytes;
  readonly derive: DeriveKey;
}

export interface PasswordSealed {
  readonly kdf: { readonly name: typeof KDF; readonly iterations: number; readonly salt: Bytes };
  readonly sealed: Bytes;
  readonly checksum: Bytes;
}

export interface PasswordSealError {
  /**
   * - `wrong-password`: everything is in order but the password.
   * - `damaged`: some of its bytes are not the ones that were written.
   * - `lost-parameters`: what a key is derived with is not there, so no password can open it.
   * - `weak-parameters`: it asks for less work than is ever asked for here, as someone would who wants to guess it.
   */
  readonly kind: "wrong-password" | "damaged" | "lost-parameters" | "weak-parameters";
  readonly message: string;
}

const MESSAGES: Readonly<Record<PasswordSealError["kind"], string>> = {
  "wrong-password": "The password is wrong.",
  damaged: "The encrypted data was changed or damaged. Nothing was deleted.",
  "lost-parameters": "The parameters of the password are missing or unreadable. Nothing was deleted.",
  "weak-parameters": "The parameters of the password are not as strong as they must be. Nothing was deleted.",
};

const failed = (kind: PasswordSealError["kind"]) => err<PasswordSealError>({ kind, message: MESSAGES[kind] });

const bytes = v.custom<Bytes>((value) => value instanceof Uint8Array && value.buffer instanceof ArrayBuffer);
const kdfSchema = v.object({
  name: v.literal(KDF),
  iterations: v.pipe(v.number(), v.integer(), v.minValue(1)),
  salt: v.pipe(
    bytes,
    v.check((salt) => salt.length === SALT_BYTES),
  ),
});
const sealedSchema = v.object({ sealed: bytes, checksum: bytes });
const withKdfSchema = v.object({ kdf: kdfSchema });

/** `purpose` names what is sealed; a blob of one purpose is not taken for one of another. */
export async function sealWithPassword(
  plaintext: Uint8Array,
  password: string,
  purpose: string,
  { random, derive }: PasswordKdf,
): Promise<PasswordSealed> {
  const kdf = { name: KDF, iterations: LIMITS.keys.kdfIterations, salt: random(SALT_BYTES) } as const;
  const key = await derive(password, kdf.salt, kdf.iterations);
  const sealed = seal(key, plaintext, associatedData(purpose, kdf), random);
  key.fill(0);
  return { kdf, sealed, checksum: checksumOf(purpose, kdf, sealed) };
}

/** Reads what may have been changed by anyone: never throws, and derives nothing with parameters that it does not accept. */
export async function openWithPassword(
  blob: unknown,
  password: string,
  purpose: string,
  derive: DeriveKey,
): Promise<Result<Bytes, PasswordSealError>> {
  const parsed = v.safeParse(withKdfSchema, blob);
  if (!parsed.success) return failed("lost-parameters");
  const { kdf } = parsed.output;
  const rest = v.safeParse(sealedSchema, blob);
  if (!rest.success) return failed("damaged");
  const { sealed, checksum } = rest.output;
  const { kdfIterations, kdfMaxIterations } = LIMITS.keys;
  if (kdf.iterations < kdfIterations) return failed("weak-parameters");
  if (kdf.iterations > kdfMaxIterations || !equalBytes(checksum, checksumOf(purpose, kdf, sealed))) {
    return failed("damaged");
  }
  const key = await derive(password, kdf.salt, kdf.iterations);
  const plaintext = open(key, sealed, associatedData(purpose, kdf));
  key.fill(0);
  return plaintext === undefined ? failed("wrong-password") : ok(plaintext);
}

/** What is wrong with a new password, in words; `undefined` if nothing is. */
export function passwordProblem(password: string): string | undefined {
  const { passwordMinChars, passwordMaxChars } = LIMITS.keys;
  const { length } = [...password];
  if (length < passwordMinChars) return `A password has at least ${passwordMinChars} characters.`;
  if (length > passwordMaxChars) return `A password has at most ${passwordMaxChars} characters.`;
  return undefined;
}

function associatedData(purpose: string, { name, iterations, salt }: PasswordSealed["kdf"]): Bytes {
  return lengthPrefixed(utf8(purpose), utf8(name), utf8(String(iterations)), salt);
}

function checksumOf(purpose: string, kdf: PasswordSealed["kdf"], sealed: Bytes): Bytes {
  return sha256(concat(associatedData(purpose, kdf), sealed)).slice(0, CHECKSUM_BYTES);
}
