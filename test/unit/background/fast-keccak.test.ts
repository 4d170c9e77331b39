import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { compileKeccak256, useFastKeccak } from "../../../src/background/fast-keccak.ts";
import { toHex, utf8 } from "../../../src/common/bytes.ts";
import { computeKeccak256With, type Keccak256, keccak256, plainKeccak256 } from "../../../src/common/keccak.ts";

/** The digest of nothing, as Ethereum knows it. */
const OF_NOTHING = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";

/** An implementation that counts how often it was asked. */
function counting(digest: Keccak256): { readonly keccak: Keccak256; calls(): number } {
  let calls = 0;
  return {
    keccak(parts) {
      calls++;
      return digest(parts);
    },
    calls: () => calls,
  };
}

afterEach(() => computeKeccak256With(plainKeccak256));

describe("the fast keccak-256", () => {
  test("gives the digests of the plain one, however the bytes are cut", async () => {
    const fastKeccak256 = await compileKeccak256();
    expect(toHex(fastKeccak256([]))).toBe(OF_NOTHING);
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 500 }), { maxLength: 4 }), (parts) => {
        expect(toHex(fastKeccak256(parts))).toBe(toHex(plainKeccak256(parts)));
      }),
    );
  });

  test("gives the digests of the plain one for every length around one and two blocks", async () => {
    const fastKeccak256 = await compileKeccak256();
    const bytes = new Uint8Array(300).map((_, at) => (at * 31 + 7) & 0xff);
    for (let length = 0; length <= bytes.length; length++) {
      const part = bytes.subarray(0, length);
      expect(toHex(fastKeccak256([part])), `${length} bytes`).toBe(toHex(plainKeccak256([part])));
    }
  });

  test("gives the digests of the plain one for what fills its memory more than once", async () => {
    const fastKeccak256 = await compileKeccak256();
    const bytes = new Uint8Array(200_000).map((_, at) => at % 251);
    // Its memory takes 478 blocks of 136 bytes.
    for (const length of [65_007, 65_008, 65_009, 65_050, 65_108, 130_016, 200_000]) {
      const [head, tail] = [bytes.subarray(0, 100), bytes.subarray(100, length)];
      expect(toHex(fastKeccak256([head, tail]))).toBe(toHex(plainKeccak256([head, tail])));
    }
  });

  test("gives digests that a later call does not change", async () => {
    await useFastKeccak();
    const first = keccak256(utf8("first"));
    const before = toHex(first);
    keccak256(utf8("second"));
    expect(toHex(first)).toBe(before);
  });

  test("is used once it is there", async () => {
    const fast = counting(plainKeccak256);
    await useFastKeccak(async () => fast.keccak);
    const probed = fast.calls();
    keccak256(utf8("anything"));
    expect(fast.calls()).toBe(probed + 1);
  });

  test("is left out where WebAssembly is refused", async () => {
    await useFastKeccak(() => Promise.reject(new Error("refused by the content security policy")));
    expect(toHex(keccak256())).toBe(OF_NOTHING);
  });

  test("is left out where its digests are wrong", async () => {
    const wrong = counting(() => new Uint8Array(32));
    await useFastKeccak(async () => wrong.keccak);
    expect(toHex(keccak256())).toBe(OF_NOTHING);
    expect(wrong.calls()).toBe(1);
  });
});
