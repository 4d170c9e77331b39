/**
 * The data keys while they are in memory: what seals channel keys and content at rest.
 *
 * There is one that seals, and for a while earlier ones that only open. A data key is replaced when a password is set for
 * the first time, because the one before lay in the database unprotected; until everything is sealed anew, both are needed.
 */
import type { Bytes } from "../common/bytes.ts";
import { err, ok, type Result } from "../common/result.ts";
import { open, seal } from "../encryption/aead.ts";
import { type RandomBytes, systemRandom } from "../encryption/random.ts";
import type { ContentSealer, Sealed, SealFailure } from "../storage/content-sealer.ts";

/** Numbers of data keys and the keys, the one that seals last. */
export type KeyRing = readonly (readonly [number, Bytes])[];

export class DataKeys implements ContentSealer {
  readonly #random: RandomBytes;
  #keys = new Map<number, Bytes>();
  #current: number | undefined;
  // Until the vault was read, nobody knows whether a password is set.
  #seals = true;

  constructor(random: RandomBytes = systemRandom) {
    this.#random = random;
  }

  get seals(): boolean {
    return this.#seals;
  }

  get current(): number | undefined {
    return this.#current;
  }

  get ring(): KeyRing {
    return [...this.#keys];
  }

  /** Holds exactly these from now on. `seals` says whether content is sealed too, which it is with a password. */
  hold(ring: KeyRing, seals: boolean): void {
    this.#keys = new Map(ring);
    this.#current = ring.at(-1)?.[0];
    this.#seals = seals;
  }

  /** Holds nothing from now on, and overwrites what it held. */
  lock(): void {
    for (const key of this.#keys.values()) key.fill(0);
    this.hold([], true);
  }

  seal(plaintext: Uint8Array, associatedData: Bytes): Result<Sealed, SealFailure> {
    const key = this.#current === undefined ? undefined : this.#keys.get(this.#current);
    if (this.#current === undefined || key === undefined) return err("locked");
    return ok({ by: this.#current, sealed: seal(key, plaintext, associatedData, this.#random) });
  }

  unseal({ by, sealed }: Sealed, associatedData: Bytes): Result<Bytes, SealFailure> {
    if (this.#current === undefined) return err("locked");
    const key = this.#keys.get(by);
    const plaintext = key && open(key, sealed, associatedData);
    return plaintext === undefined ? err("broken") : ok(plaintext);
  }
}
