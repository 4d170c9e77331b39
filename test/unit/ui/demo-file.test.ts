import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeChatMessage, encodeChatMessage } from "../../../dev/demo/chat-message.ts";
import {
  decodeFileMessage,
  encodeFileMessage,
  MAX_FILE_BYTES,
  MAX_FILE_NAME_CHARS,
  plainFileName,
} from "../../../dev/demo/file-message.ts";
import { imageType } from "../../../dev/demo/image-type.ts";

const bytes = new Uint8Array([1, 2, 3]);
const MESSAGE = { id: "m1", name: "Ada", at: 1_800_000_000_000, file: { fileName: "Grüße 🌱.png", bytes } };

describe("the demo's file message", () => {
  it("comes out as it went in, also from the middle of a larger buffer", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.string({ maxLength: 40 }), (content, name) => {
        const message = { ...MESSAGE, name, file: { fileName: "a.bin", bytes: new Uint8Array(content) } };
        const wire = encodeFileMessage(message);
        expect(decodeFileMessage(wire)).toEqual(message);
        const around = new Uint8Array(wire.length + 10);
        around.set(wire, 5);
        expect(decodeFileMessage(around.subarray(5, 5 + wire.length))).toEqual(message);
      }),
    );
    expect(decodeFileMessage(encodeFileMessage(MESSAGE))).toEqual(MESSAGE);
  });

  it("carries 10 MiB and no more", () => {
    const file = (size: number) => ({ ...MESSAGE, file: { fileName: "big", bytes: new Uint8Array(size) } });
    expect(decodeFileMessage(encodeFileMessage(file(MAX_FILE_BYTES)))?.file.bytes.length).toBe(MAX_FILE_BYTES);
    expect(decodeFileMessage(encodeFileMessage(file(MAX_FILE_BYTES + 1)))).toBeUndefined();
  });

  it("is never taken for text, nor text for a file", () => {
    expect(decodeChatMessage(encodeFileMessage(MESSAGE))).toBeUndefined();
    expect(decodeFileMessage(encodeChatMessage({ id: "m", name: "Ada", text: "hello", at: 1 }))).toBeUndefined();
  });

  it("is nothing where it is cut short, lengthened or somebody else's", () => {
    const wire = encodeFileMessage(MESSAGE);
    for (let length = 0; length < wire.length; length++) {
      expect(decodeFileMessage(wire.subarray(0, length)), String(length)).toBeUndefined();
    }
    expect(decodeFileMessage(new Uint8Array([...wire, 0]))).toBeUndefined();
    fc.assert(
      fc.property(fc.uint8Array(), (noise) => {
        expect(decodeFileMessage(new Uint8Array([2, ...noise]))).toBeUndefined();
      }),
    );
  });

  it("has a file name that is no path and reads in one direction", () => {
    expect(plainFileName("../../etc/passwd")).toBe(".._.._etc_passwd");
    expect(plainFileName("C:\\secret.txt")).toBe("C_secret.txt");
    expect(plainFileName("photo\u202egnp.exe")).toBe("photognp.exe");
    expect(plainFileName("\n")).toBe("file");
    const long = plainFileName(`${"x".repeat(500)}.tar.gz`);
    expect(Array.from(long)).toHaveLength(MAX_FILE_NAME_CHARS);
    expect(long.endsWith(".tar.gz")).toBe(true);
  });
});

describe("the demo's images", () => {
  const text = (content: string): Uint8Array => new TextEncoder().encode(content);
  const latin1 = (content: string): Uint8Array => Uint8Array.from(content, (char) => char.charCodeAt(0));

  it.each([
    ["\x89PNG\r\n\x1a\n....", "image/png"],
    ["\xff\xd8\xff\xe0....", "image/jpeg"],
    ["GIF89a....", "image/gif"],
    ["RIFF....WEBPVP8 ", "image/webp"],
    ["....ftypavif....", "image/avif"],
  ])("%j is %s", (beginning, type) => {
    expect(imageType(latin1(beginning))).toBe(type);
  });

  it.each(["", "<svg xmlns='http://www.w3.org/2000/svg'/>", "<!doctype html><script>", "GIF8", "RIFF....WAVE", "PNG"])(
    "%j is none",
    (content) => {
      expect(imageType(text(content))).toBeUndefined();
    },
  );
});
