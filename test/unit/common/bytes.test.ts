import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, equalBytes, fromHex, fromUtf8, toHex, utf8 } from "../../../src/common/bytes.ts";

describe("bytes", () => {
  it("encodes texts of any length as UTF-8, each on a buffer of its own", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 600 }), fc.nat(2_000), (text, filling) => {
        const whole = text + "x".repeat(filling);
        const bytes = utf8(whole);
        expect(bytes).toEqual(new Uint8Array(Buffer.from(whole, "utf8")));
        expect(bytes.buffer.byteLength).toBe(bytes.length);
        utf8("something else, which must not change it");
        expect(fromUtf8(bytes)).toBe(whole);
      }),
    );
  });

  it("encodes texts of three bytes per unit on both sides of what counts as short", () => {
    for (const length of [340, 341, 342, 343]) expect(fromUtf8(utf8("€".repeat(length)))).toBe("€".repeat(length));
  });

  it("refuses bytes that are not UTF-8, and keeps a byte order mark", () => {
    expect(fromUtf8(new Uint8Array([0xff]))).toBeUndefined();
    expect(fromUtf8(utf8("\ufeffa"))).toBe("\ufeffa");
  });

  it("writes and reads hexadecimal", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const hex = toHex(bytes);
        expect(hex).toBe(Buffer.from(bytes).toString("hex"));
        expect(fromHex(hex)).toEqual(bytes);
        expect(fromHex(hex.toUpperCase())).toEqual(bytes);
      }),
    );
  });

  it.each(["a", "abc", "0g", "0x11", " ab", "ab ", "é1", "-1"])("reads no bytes from %j", (text) => {
    expect(fromHex(text)).toBeUndefined();
  });

  it("joins and compares", () => {
    const [a, b] = [new Uint8Array([1, 2]), new Uint8Array([3])];
    expect(concat(a, b)).toEqual(new Uint8Array([1, 2, 3]));
    expect(equalBytes(concat(a, b), new Uint8Array([1, 2, 3]))).toBe(true);
    expect(equalBytes(a, new Uint8Array([1, 3]))).toBe(false);
    expect(equalBytes(a, b)).toBe(false);
  });
});
