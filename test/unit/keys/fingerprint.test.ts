import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concat, toHex, utf8 } from "../../../src/common/bytes.ts";
import { fingerprintOf } from "../../../src/keys/fingerprint.ts";
import { FINGERPRINT_WORDS } from "../../../src/keys/fingerprint-words.ts";
import { bytes, flipBit } from "./support.ts";

describe("the words of fingerprints", () => {
  test("are 256 short ones", () => {
    expect(FINGERPRINT_WORDS).toHaveLength(256);
    for (const word of FINGERPRINT_WORDS) expect(word).toMatch(/^[a-z]{4,9}$/);
  });

  test("cannot be taken for each other: three letters differ, and the first four do", () => {
    expect(new Set(FINGERPRINT_WORDS.map((word) => word.slice(0, 4))).size).toBe(256);
    const near = FINGERPRINT_WORDS.flatMap((word, index) =>
      FINGERPRINT_WORDS.slice(index + 1).filter((other) => distance(word, other) < 3),
    );
    expect(near).toEqual([]);
  });
});

describe("a fingerprint", () => {
  test("stays what it is: people compare it across versions", () => {
    expect(fingerprintOf(new Uint8Array(32))).toMatchInlineSnapshot(`
      {
        "hex": "033e7332",
        "words": [
          "diamond",
          "mirror",
          "basil",
          "lynx",
          "ruby",
          "apron",
        ],
      }
    `);
  });

  test("is a hash under a name of its own, six words and eight digits", () => {
    fc.assert(
      fc.property(bytes(32), (key) => {
        const named = concat(utf8("reliable-channel key fingerprint 1\n"), key);
        const hash = createHash("sha256").update(named).digest();
        const { words, hex } = fingerprintOf(key);
        expect(words).toEqual([...hash.subarray(0, 6)].map((byte) => FINGERPRINT_WORDS[byte]));
        expect(hex).toBe(toHex(hash.subarray(6, 10)));
      }),
    );
  });

  test("differs for keys that differ in one bit", () => {
    fc.assert(
      fc.property(bytes(32), fc.nat(255), (key, bit) => {
        expect(fingerprintOf(flipBit(key, bit))).not.toEqual(fingerprintOf(key));
      }),
    );
  });
});

/** Levenshtein. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, replaced));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
