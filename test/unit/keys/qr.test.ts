import { describe, expect, test } from "vitest";
import { writeInvitation } from "../../../src/keys/invitation.ts";
import { type QrCode, type QrImage, qrCode, qrPath, readQr } from "../../../src/keys/qr.ts";
import { LIMITS } from "../../../src/limits.ts";

const CODE = writeInvitation({
  key: Uint8Array.from({ length: 32 }, (_, i) => (i * 41) & 0xff),
  channelId: "friends",
  contentTopic: "/demo/1/friends/proto",
  profile: "logos",
  placement: "envelope",
  name: "Friends",
});

function drawn(text: string): QrCode {
  const code = qrCode(text);
  if (!code.ok) throw new Error(code.error);
  return code.value;
}

function imageOf({ size, modules }: QrCode, scale: number): QrImage {
  const side = size * scale;
  const data = new Uint8ClampedArray(4 * side * side).fill(255);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      if (modules[Math.floor(y / scale)]?.[Math.floor(x / scale)])
        data.fill(0, 4 * (y * side + x), 4 * (y * side + x) + 3);
    }
  }
  return { width: side, height: side, data };
}

describe("QR codes", () => {
  test.each([CODE, "a", "https://example.org/ä?é=ö"])("what is drawn is read back: %s", async (text) => {
    for (const scale of [3, 8]) expect(await readQr(imageOf(drawn(text), scale))).toEqual({ ok: true, value: text });
  });

  test("an invitation is small enough for a popup: its text takes the short form", () => {
    expect(drawn(CODE).size).toBeLessThan(60);
    expect(drawn(CODE).size).toBeLessThan(drawn(CODE.toLowerCase()).size);
  });

  test("light modules surround it, and the path paints exactly the dark ones", () => {
    const code = drawn(CODE);
    const painted = Array.from({ length: code.size }, () => new Array<boolean>(code.size).fill(false));
    for (const [, x = "", y = "", width = ""] of qrPath(code).matchAll(/M(\d+) (\d+)h(\d+)v1H\1z/g)) {
      for (let i = 0; i < Number(width); i++) (painted[Number(y)] ?? [])[Number(x) + i] = true;
    }
    expect(painted).toEqual(code.modules);
    expect(code.modules.slice(0, 4).flat().includes(true)).toBe(false);
    expect(code.modules.every((row) => !row.slice(0, 4).includes(true) && !row.slice(-4).includes(true))).toBe(true);
  });

  test("text that no QR code holds is an error in words", () => {
    expect(qrCode("é".repeat(4000))).toMatchObject({ ok: false, error: expect.stringMatching(/.+/) });
  });

  test("an image without a code, an empty one and an absurdly large one are errors in words", async () => {
    const blank = { width: 64, height: 64, data: new Uint8ClampedArray(4 * 64 * 64).fill(255) };
    expect(await readQr(blank)).toEqual({ ok: false, error: "There is no QR code in the image that can be read." });
    expect((await readQr({ width: 0, height: 0, data: new Uint8ClampedArray(0) })).ok).toBe(false);
    const huge = { width: LIMITS.keys.qrPixels, height: 2, data: new Uint8ClampedArray(0) };
    expect(await readQr(huge)).toEqual({ ok: false, error: "The image is too large." });
  });
});
