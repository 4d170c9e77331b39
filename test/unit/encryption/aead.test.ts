import { createCipheriv } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Bytes, concat, fromHex, toHex, utf8 } from "../../../src/common/bytes.ts";
import { KEY_BYTES, lengthPrefixed, NONCE_BYTES, open, SEAL_BYTES, seal } from "../../../src/encryption/aead.ts";
import { systemRandom } from "../../../src/encryption/random.ts";
import published from "../../vectors/encryption/xchacha20-poly1305.json" with { type: "json" };
import { bytes, fixedRandom, flipBit } from "../keys/support.ts";

const hex = (text: string): Bytes => fromHex(text) ?? new Uint8Array(0);

describe("XChaCha20-Poly1305", () => {
  test.each(published.aead)("published vector: $name", (vector) => {
    const [key, nonce, aad] = [hex(vector.key), hex(vector.nonce), hex(vector.aad)];
    const sealed = seal(key, hex(vector.plaintext), aad, fixedRandom(nonce));
    expect(toHex(sealed)).toBe(vector.nonce + vector.ciphertext + vector.tag);
    expect(open(key, sealed, aad)).toEqual(hex(vector.plaintext));
  });

  test.each(published.hchacha)("published vector: $name, which the check below rests on", (vector) => {
    expect(toHex(hchacha20(hex(vector.key), hex(vector.nonce)))).toBe(vector.subkey);
  });

  test("agrees with OpenSSL's ChaCha20-Poly1305 under the subkey of HChaCha20", () => {
    fc.assert(
      fc.property(bytes(KEY_BYTES), bytes(NONCE_BYTES), bytes(0, 300), bytes(0, 100), (key, nonce, plaintext, aad) => {
        const inner = concat(new Uint8Array(4), nonce.subarray(16));
        const openssl = createCipheriv("chacha20-poly1305", hchacha20(key, nonce.subarray(0, 16)), inner, {
          authTagLength: 16,
        });
        openssl.setAAD(aad, { plaintextLength: plaintext.length });
        const expected = concat(nonce, openssl.update(plaintext), openssl.final(), openssl.getAuthTag());
        expect(toHex(seal(key, plaintext, aad, fixedRandom(nonce)))).toBe(toHex(expected));
      }),
      { numRuns: 60 },
    );
  });

  test("any flipped bit, any other key, any other associated data: nothing", () => {
    fc.assert(
      fc.property(bytes(KEY_BYTES), bytes(0, 64), bytes(0, 32), fc.nat(), (key, plaintext, aad, position) => {
        const sealed = seal(key, plaintext, aad, systemRandom);
        expect(sealed.length).toBe(plaintext.length + SEAL_BYTES);
        expect(open(key, sealed, aad)).toEqual(plaintext);
        expect(open(key, flipBit(sealed, position), aad)).toBeUndefined();
        expect(open(flipBit(key, position), sealed, aad)).toBeUndefined();
        expect(open(key, sealed, concat(aad, Uint8Array.of(0)))).toBeUndefined();
      }),
    );
  });

  test("what is shorter than nonce and tag opens to nothing", () => {
    for (let length = 0; length < SEAL_BYTES; length++) {
      expect(open(new Uint8Array(KEY_BYTES), new Uint8Array(length), utf8("a"))).toBeUndefined();
    }
  });

  test("two lists of parts never have the same prefixed bytes", () => {
    const parts = fc.array(bytes(0, 5), { maxLength: 4 });
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        const same = toHex(lengthPrefixed(...a)) === toHex(lengthPrefixed(...b));
        expect(same).toBe(JSON.stringify(a.map(toHex)) === JSON.stringify(b.map(toHex)));
      }),
    );
    expect(() => lengthPrefixed(new Uint8Array(0x1_0000))).toThrow(RangeError);
  });
});

/** HChaCha20, draft-irtf-cfrg-xchacha-03 §2.2: the subkey from a key and the first 16 bytes of the nonce. */
function hchacha20(key: Uint8Array, nonce: Uint8Array): Bytes {
  const words = (data: Uint8Array) => {
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    return Array.from({ length: data.length / 4 }, (_, i) => view.getUint32(4 * i, true));
  };
  const state = new Uint32Array([...words(utf8("expand 32-byte k")), ...words(key), ...words(nonce)]);
  const at = (i: number) => state[i] ?? 0;
  const mix = (target: number, added: number, rotated: number, by: number) => {
    state[target] = at(target) + at(added);
    const word = at(rotated) ^ at(target);
    state[rotated] = (word << by) | (word >>> (32 - by));
  };
  const quarter = (a: number, b: number, c: number, d: number) => {
    mix(a, b, d, 16);
    mix(c, d, b, 12);
    mix(a, b, d, 8);
    mix(c, d, b, 7);
  };
  for (let round = 0; round < 20; round += 2) {
    for (let i = 0; i < 4; i++) quarter(i, 4 + i, 8 + i, 12 + i);
    for (let i = 0; i < 4; i++) quarter(i, 4 + ((i + 1) % 4), 8 + ((i + 2) % 4), 12 + ((i + 3) % 4));
  }
  const subkey = new Uint8Array(32);
  const view = new DataView(subkey.buffer);
  [0, 1, 2, 3, 12, 13, 14, 15].forEach((word, i) => {
    view.setUint32(4 * i, at(word), true);
  });
  return subkey;
}
