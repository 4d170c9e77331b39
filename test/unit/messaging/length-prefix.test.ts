import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concat, ownBytes } from "../../../src/common/bytes.ts";
import { FrameReader, lengthPrefixed } from "../../../src/messaging/length-prefix.ts";

describe("length-prefixed frames", () => {
  test("frames come out as they went in, however the stream is cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
        (frames, cuts) => {
          const stream = concat(...frames.map(lengthPrefixed));
          const reader = new FrameReader(300);
          const read = [];
          for (let at = 0, i = 0; at < stream.length; i++) {
            const size = cuts[i % cuts.length] ?? 1;
            read.push(...reader.push(stream.subarray(at, at + size)));
            at += size;
          }
          expect(read).toEqual(frames.map(ownBytes));
        },
      ),
    );
  });

  test("a frame beyond the bound is refused by its length alone", () => {
    expect(() => new FrameReader(100).push(lengthPrefixed(new Uint8Array(101)).subarray(0, 1))).toThrow("exceeds");
    expect(() => new FrameReader(100).push(Uint8Array.of(0xff, 0xff, 0xff, 0xff))).toThrow("absurd");
  });
});
