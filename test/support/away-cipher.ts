import { type Bytes, concat } from "../../src/common/bytes.ts";
import { err, ok, type Result } from "../../src/common/result.ts";
import type { Cipher } from "../../src/encryption/cipher.ts";

const SIGN = Uint8Array.of(0xc1, 0xb4);

/** A cipher that a test sends away and calls back. It opens what any of its kind made, and nothing else. */
export class AwayCipher implements Cipher {
  away = false;
  /** Whether what it is to decrypt is parked first. */
  slow = false;
  /** How often it was asked to decrypt. */
  decryptions = 0;
  /** Stands before each decryption. */
  beforeDecrypt: () => Promise<void> = async () => {};

  unavailable(): string | undefined {
    return this.away ? "nobody is there" : undefined;
  }

  async encrypt(plaintext: Bytes): Promise<Result<Bytes>> {
    if (this.away) return err("nobody is there");
    return ok(concat(SIGN, flipped(plaintext)));
  }

  async decrypt(ciphertext: Bytes): Promise<Result<Bytes>> {
    this.decryptions++;
    await this.beforeDecrypt();
    if (this.away) return err("nobody is there");
    const isOurs = SIGN.every((byte, index) => ciphertext[index] === byte);
    return isOurs ? ok(flipped(ciphertext.subarray(SIGN.length))) : err("not of this cipher");
  }
}

function flipped(bytes: Uint8Array): Bytes {
  return Uint8Array.from(bytes, (byte) => byte ^ 0x5a);
}
