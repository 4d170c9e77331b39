/** How the storage seals content, implemented by whoever holds the data keys. */
import type { Bytes } from "../common/bytes.ts";
import type { Result } from "../common/result.ts";
import { isPlain } from "./content-columns.ts";

/** Bytes in a row that only a data key opens. Content is always bytes, so a sealed column is never taken for a plain one. */
export interface Sealed {
  /** The number of the data key. */
  readonly by: number;
  /** `nonce(24) ‖ ciphertext ‖ tag(16)`. */
  readonly sealed: Bytes;
}

export type SealFailure = "locked" | "broken";

export interface ContentSealer {
  /** Content is sealed from now on: a password is set. While nobody knows whether one is, it is. */
  readonly seals: boolean;
  /** The number of the data key that seals now; `undefined` while locked. */
  readonly current: number | undefined;
  seal(plaintext: Uint8Array, associatedData: Bytes): Result<Sealed, SealFailure>;
  unseal(sealed: Sealed, associatedData: Bytes): Result<Bytes, SealFailure>;
}

export function isSealed(value: unknown): value is Sealed {
  return (
    typeof value === "object" &&
    value !== null &&
    "by" in value &&
    typeof value.by === "number" &&
    "sealed" in value &&
    value.sealed instanceof Uint8Array
  );
}

/** Bytes of what stands in a content column, sealed or plain. */
export function contentBytes(content: unknown): number {
  if (isSealed(content)) return content.sealed.length;
  return isPlain(content) ? content.length : 0;
}

/** The data key is not at hand: the person has to unlock first. Nothing is lost by waiting. */
export class LockedError extends Error {
  override readonly name = "LockedError";

  constructor() {
    super("the vault is locked");
  }
}

/** A sealed row does not open: its bytes were changed, or it was moved here from another place. */
export class BrokenSealError extends Error {
  override readonly name = "BrokenSealError";

  constructor(table: string) {
    super(`a row of ${table} was changed or damaged outside of the extension`);
  }
}
