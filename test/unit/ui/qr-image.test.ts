import { afterEach, describe, expect, it, vi } from "vitest";
import { qrCode } from "../../../src/keys/qr.ts";
import { LIMITS } from "../../../src/limits.ts";
import { readQrFile } from "../../../src/ui/qr-image.ts";

const TEXT = "RCI1-K7QX2M4TVA5JWPZ3";
const SCALE = 4;

/** A QR code as the browser would paint it. */
function painted(): { readonly size: number; readonly data: Uint8ClampedArray<ArrayBuffer> } {
  const code = qrCode(TEXT);
  if (!code.ok) throw new Error(code.error);
  const size = code.value.size * SCALE;
  const data = new Uint8ClampedArray(size * size * 4).fill(255);
  for (let at = 0; at < size * size; at++) {
    const dark = code.value.modules[Math.floor(at / size / SCALE)]?.[Math.floor((at % size) / SCALE)];
    if (dark) data.fill(0, at * 4, at * 4 + 3);
  }
  return { size, data };
}

describe("reading a QR code from an image file", () => {
  afterEach(() => vi.unstubAllGlobals());

  /** A browser in which every file is an image of this size, and in which canvases are counted. */
  function browser(width: number, height: number, data = new Uint8ClampedArray()) {
    const seen = { canvases: 0, closed: 0 };
    vi.stubGlobal("createImageBitmap", async () => ({ width, height, close: () => seen.closed++ }));
    vi.stubGlobal(
      "OffscreenCanvas",
      class {
        constructor() {
          seen.canvases++;
        }
        getContext() {
          return { drawImage: () => undefined, getImageData: () => ({ data }) };
        }
      },
    );
    return seen;
  }

  it("finds its text", async () => {
    const { size, data } = painted();
    const seen = browser(size, size, data);
    expect(await readQrFile(new Blob())).toEqual({ ok: true, value: TEXT });
    expect(seen).toEqual({ canvases: 1, closed: 1 });
  });

  it("paints nothing that is too large, and forgets it", async () => {
    const seen = browser(LIMITS.keys.qrPixels / 1_000 + 1, 1_000);
    expect(await readQrFile(new Blob())).toEqual({ ok: false, error: "no-code" });
    expect(seen).toEqual({ canvases: 0, closed: 1 });
  });

  it("says so where the file is no image", async () => {
    vi.stubGlobal("createImageBitmap", () => Promise.reject(new Error("The source image could not be decoded.")));
    expect(await readQrFile(new Blob())).toEqual({ ok: false, error: "no-image" });
  });
});
