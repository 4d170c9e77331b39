import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromHex, toHex, utf8 } from "../../../src/common/bytes.ts";
import { type Field, ProtobufWriter, readFields } from "../../../src/common/protobuf.ts";

const hex = (text: string) => fromHex(text.replaceAll(" ", "")) ?? expect.unreachable(`not hexadecimal: ${text}`);
const read = (text: string) => readFields(hex(text));

describe("reader", () => {
  test("the examples of the encoding guide", () => {
    expect(read("08 96 01")).toEqual([{ number: 1, kind: "varint", value: 150n }]);
    expect(read("12 07 74 65 73 74 69 6e 67")).toEqual([{ number: 2, kind: "bytes", value: utf8("testing") }]);
    expect(read("0d 01 02 03 04")).toEqual([{ number: 1, kind: "fixed", value: hex("01020304") }]);
    expect(read("09 01 02 03 04 05 06 07 08")).toEqual([{ number: 1, kind: "fixed", value: hex("0102030405060708") }]);
    expect(read("")).toEqual([]);
  });

  test("a bytes field is a view of the input", () => {
    const input = hex("12 02 aa bb");
    const [field] = readFields(input) ?? [];
    expect(field?.kind === "bytes" && field.value.buffer).toBe(input.buffer);
  });

  test.each([
    ["nothing after a tag", "08"],
    ["a varint that ends too early", "08 80"],
    ["a varint of eleven bytes", `08 ${"80 ".repeat(10)}01`],
    ["a varint of 65 bits", `08 ${"ff ".repeat(9)}02`],
    ["a length beyond the end", "12 03 aa bb"],
    ["a length of 2⁶⁴ − 1", `12 ${"ff ".repeat(9)}01`],
    ["a fixed field beyond the end", "09 01 02 03"],
    ["field number 0", "00 01"],
    ["a field number above 2²⁹ − 1", "80 80 80 80 10 01"],
    ["a field number that is 1 modulo 2³²", "88 80 80 80 80 80 80 02 01"],
    ["a group", "0b 0c"],
    ["wire type 6", "0e 01"],
    ["wire type 7", "0f 01"],
  ])("refuses %s", (_, text) => {
    expect(read(text)).toBeUndefined();
  });

  test.each([
    ["overlong zero", "08 80 80 80 80 80 80 80 80 80 00", 0n],
    ["2²⁸", "08 80 80 80 80 01", 2n ** 28n],
    ["2³²", "08 80 80 80 80 10", 2n ** 32n],
    ["2⁶³ − 1", `08 ${"ff ".repeat(8)}7f`, 2n ** 63n - 1n],
    ["2⁶⁴ − 1", `08 ${"ff ".repeat(9)}01`, 2n ** 64n - 1n],
  ])("reads %s", (_, text, value) => {
    expect(read(text)).toEqual([{ number: 1, kind: "varint", value }]);
  });

  test("the largest field number", () => {
    expect(read("f8 ff ff ff 0f 01")).toEqual([{ number: 2 ** 29 - 1, kind: "varint", value: 1n }]);
  });

  test("random bytes never throw, and what is read fits in them", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        let held = 0;
        for (const field of readFields(bytes) ?? []) if (field.kind !== "varint") held += field.value.length;
        expect(held).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });
});

describe("writer", () => {
  test("writes negative numbers as int64 does", () => {
    expect(toHex(new ProtobufWriter().varint(1, -1).finish())).toBe(`08${"ff".repeat(9)}01`);
    expect(toHex(new ProtobufWriter().varint(1, -(2n ** 63n)).finish())).toBe(`08${"80".repeat(9)}01`);
  });

  test("grows for what does not fit its first buffer", () => {
    const large = new Uint8Array(100_000).fill(7);
    const message = new ProtobufWriter().string(1, "ä").bytes(2, large).varint(3, 1).finish();
    expect(readFields(message)).toEqual([
      { number: 1, kind: "bytes", value: utf8("ä") },
      { number: 2, kind: "bytes", value: large },
      { number: 3, kind: "varint", value: 1n },
    ]);
  });

  test("what is written is read back", () => {
    const number = fc.integer({ min: 1, max: 2 ** 29 - 1 });
    const varint = fc.record({ number, kind: fc.constant("varint" as const), value: fc.bigInt(0n, 2n ** 64n - 1n) });
    const bytes = fc.record({ number, kind: fc.constant("bytes" as const), value: fc.uint8Array({ maxLength: 400 }) });
    fc.assert(
      fc.property(fc.array(fc.oneof(varint, bytes)), (fields: readonly Field[]) => {
        const writer = new ProtobufWriter();
        for (const field of fields) {
          if (field.kind === "varint") writer.varint(field.number, field.value);
          else writer.bytes(field.number, field.value);
        }
        expect(readFields(writer.finish())).toEqual(fields);
      }),
    );
  });

  test("writes text as UTF-8, and messages within messages like their bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }), (ascii, text) => {
        const inner = () => new ProtobufWriter().string(1, ascii).string(2, text);
        const outer = new ProtobufWriter().varint(1, 1).message(2, inner()).message(3, inner()).string(4, text);
        const bytes = inner().finish();
        expect(readFields(bytes)).toEqual([
          { number: 1, kind: "bytes", value: utf8(ascii) },
          { number: 2, kind: "bytes", value: utf8(text) },
        ]);
        expect(readFields(outer.finish())).toEqual([
          { number: 1, kind: "varint", value: 1n },
          { number: 2, kind: "bytes", value: bytes },
          { number: 3, kind: "bytes", value: bytes },
          { number: 4, kind: "bytes", value: utf8(text) },
        ]);
      }),
    );
  });

  test("leaves what one writer has finished alone when the next one writes", () => {
    const first = new ProtobufWriter().string(1, "first").finish();
    const before = toHex(first);
    new ProtobufWriter().string(1, "other").finish();
    expect(toHex(first)).toBe(before);
  });

  test("a number and the bigint of the same value are written alike", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const write = (as: number | bigint) => toHex(new ProtobufWriter().varint(9, as).finish());
        expect(write(value)).toBe(write(BigInt(value)));
      }),
    );
  });
});
