/** What the vault keeps in storage and in the session, and how it is read back. Either may be damaged. */
import * as v from "valibot";
import type { Bytes } from "../common/bytes.ts";
import { KEY_BYTES } from "../encryption/aead.ts";
import { fromBase64, toBase64 } from "./base64.ts";
import type { KeyRing } from "./data-keys.ts";

const bytes = v.custom<Bytes>((value) => value instanceof Uint8Array && value.buffer instanceof ArrayBuffer);
const dataKey = v.pipe(
  bytes,
  v.check((key) => key.length === KEY_BYTES),
);
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(1));

const vault = v.object({
  /** Random, so that a session of another database is not taken for one of this. */
  id: v.string(),
  /** The number of the data key that seals. */
  dataKeyNumber: count,
  protection: v.variant("kind", [
    /** No password: the data key as it is, as safe as the profile of the browser and no more. */
    v.object({ kind: v.literal("none"), dataKey }),
    /** The data key behind a password; read by `password-seal.ts`. */
    v.object({ kind: v.literal("password"), wrapped: v.optional(v.unknown()) }),
  ]),
  /** Data keys that something may still be sealed with, each sealed with the current one. */
  earlier: v.array(v.object({ number: count, sealed: bytes })),
  /** Milliseconds without use until it locks; `null`: when the browser ends. */
  autoLockMs: v.nullable(v.number()),
});

export type VaultRow = v.InferOutput<typeof vault>;

export function readVaultRow(row: unknown): VaultRow | undefined {
  const parsed = v.safeParse(vault, row);
  return parsed.success ? parsed.output : undefined;
}

/** What `storage.session` holds while the vault is unlocked: in memory of the browser, never on disk. */
export interface UnlockedSession {
  readonly vaultId: string;
  /** Milliseconds since the Unix epoch; `null` ends with the browser. */
  readonly until: number | null;
  readonly ring: KeyRing;
}

const session = v.object({
  vaultId: v.string(),
  until: v.nullable(v.number()),
  ring: v.array(v.tuple([count, v.string()])),
});

/** Session areas store JSON. */
export function writeSession({ vaultId, until, ring }: UnlockedSession): v.InferInput<typeof session> {
  return { vaultId, until, ring: ring.map(([number, key]) => [number, toBase64(key)]) };
}

export function readSession(stored: unknown): UnlockedSession | undefined {
  const parsed = v.safeParse(session, stored);
  if (!parsed.success) return undefined;
  const ring: [number, Bytes][] = [];
  for (const [number, text] of parsed.output.ring) {
    const key = fromBase64(text);
    if (key?.length !== KEY_BYTES) return undefined;
    ring.push([number, key]);
  }
  return { ...parsed.output, ring };
}
