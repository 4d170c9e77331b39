import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromBase32, toBase32 } from "../../../src/keys/base32.ts";
import { fromBase64, toBase64 } from "../../../src/keys/base64.ts";
import { bytes } from "./support.ts";

describe("base64", () => {
  test("writes as Node does, in both alphabets, and reads back", () => {
    fc.assert(
      fc.property(bytes(0, 80), (data) => {
        for (const alphabet of ["base64", "base64url"] as const) {
          const text = toBase64(data, alphabet);
          expect(text).toBe(Buffer.from(data).toString(alphabet));
          expect(fromBase64(text, alphabet)).toEqual(data);
          expect(fromBase64(text.replace(/=+$/, ""), alphabet)).toEqual(data);
        }
      }),
    );
  });

  test.each(["A", "AAAAA", "AB", "A===", "AA=", "AAA==", "A A=", "AA-_", "AAé="])("is strict: %s is none", (text) => {
    expect(fromBase64(text)).toBeUndefined();
  });

  test("whatever it reads, it writes the same way", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."AZaz09+/=-_ "), maxLength: 12 }), (text) => {
        const data = fromBase64(text);
        if (data !== undefined) expect(toBase64(data).replace(/=+$/, "")).toBe(text.replace(/=+$/, ""));
      }),
    );
  });
});

describe("base32", () => {
  test("reads back what it wrote, in either case and with letters that look like digits", () => {
    fc.assert(
      fc.property(bytes(0, 80), (data) => {
        const text = toBase32(data);
        expect(text).toMatch(/^[0-9A-HJKMNP-TV-Z]*$/);
        expect(text.length).toBe(Math.ceil((data.length * 8) / 5));
        expect(fromBase32(text)).toEqual(data);
        expect(fromBase32(text.toLowerCase().replaceAll("0", "o").replaceAll("1", "l"))).toEqual(data);
      }),
    );
  });

  test.each(["U0", "0", "000", "ZZ", "!0"])("is strict: %s is none", (text) => {
    expect(fromBase32(text)).toBeUndefined();
  });

  test("known texts", () => {
    expect(toBase32(Uint8Array.of(0xff, 0x00, 0xff))).toBe("ZW0FY");
    expect(fromBase32("zwofy")).toEqual(Uint8Array.of(0xff, 0x00, 0xff));
  });
});
