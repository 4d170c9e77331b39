/** Encryption of mode `page` in the page: its functions stay here, and what the background asks of them is done here. */
import { PAGE_LIMITS } from "../limits.ts";
import { invalidParams } from "./errors.ts";
import type { CipherFrame, CipherOperation } from "./frames.ts";
import { copyBytes } from "./page-bytes.ts";
import type { Encryption } from "./provider-api.ts";

const { cipherOutputBytes, cipherReasonChars } = PAGE_LIMITS;

const NAMES = ["encrypt", "decrypt"] as const;

/**
 * The two functions of `encryption`, which stays their `this`. Read once: a page that changes its object later changes
 * nothing. Throws `InvalidParams` where one is missing or no function.
 */
export function functionsOf(encryption: object): Encryption {
  const { encrypt, decrypt }: { encrypt?: unknown; decrypt?: unknown } = encryption;
  if (!isFunction(encrypt) || !isFunction(decrypt)) throw invalidParams(missing({ encrypt, decrypt }));
  return {
    encrypt: (content) => Reflect.apply(encrypt, encryption, [content]),
    decrypt: (payload) => Reflect.apply(decrypt, encryption, [payload]),
  };
}

/** Whether it is what it claims to be, as far as that matters here. */
export function isOperation({ operationId, operation, input }: CipherOperation): boolean {
  return typeof operationId === "string" && NAMES.includes(operation) && isBytes(input);
}

/** Calls the function that is asked for, with bytes that the page may keep. Never rejects. */
export async function perform(
  functions: Encryption,
  { operationId, operation, input }: CipherOperation,
): Promise<CipherFrame> {
  const refused = (reason: string): CipherFrame => ({ type: "cipher", operationId, ok: false, reason });
  try {
    const output: unknown = await functions[operation](input);
    const problem = problemOf(output);
    if (problem !== undefined) return refused(`the page's ${operation} ${problem}`);
    return { type: "cipher", operationId, ok: true, output: copyBytes(output) };
  } catch (thrown) {
    return refused(wordsOf(thrown) ?? `the page's ${operation} failed`);
  }
}

function problemOf(output: unknown): string | undefined {
  if (!isBytes(output)) return "returned no Uint8Array";
  if (output.byteLength === 0) return "returned no bytes";
  if (output.byteLength <= cipherOutputBytes) return undefined;
  return `returned ${output.byteLength} bytes, and ${cipherOutputBytes} are the most that fit`;
}

/** What the page threw may be anything: an error without words, as those of WebCrypto are, goes by its name. */
function wordsOf(thrown: unknown): string | undefined {
  try {
    const words = thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
    return words.slice(0, cipherReasonChars).toWellFormed() || undefined;
  } catch {
    return undefined;
  }
}

function missing(functions: Readonly<Record<(typeof NAMES)[number], unknown>>): string {
  const problems = NAMES.filter((name) => !isFunction(functions[name])).map((name) =>
    functions[name] === undefined ? `encryption.${name} is missing` : `encryption.${name} is no function`,
  );
  return `${problems.join(", and ")}: with mode "page", pass both encrypt(content) and decrypt(payload), which return a Uint8Array.`;
}

/** What it takes and returns, nobody knows before it was called. */
function isFunction(value: unknown): value is Encryption["encrypt"] {
  return typeof value === "function";
}

/** By what it is, not by whose constructor made it: see `frame-schema.ts`. */
function isBytes(value: unknown): value is ArrayBufferView {
  return ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === "[object Uint8Array]";
}
