/** QR codes: drawn from text, and found in an image. */
import { encodeQR } from "qr";
import { err, ok, type Result, reasonOf } from "../common/result.ts";
import { LIMITS } from "../limits.ts";

/** Modules that stay light around a code, without which readers do not find it (ISO/IEC 18004). */
const QUIET_ZONE = 4;

export interface QrCode {
  /** Modules along each side, the quiet zone included. */
  readonly size: number;
  /** Row by row; true is dark. */
  readonly modules: readonly (readonly boolean[])[];
}

/** Fails only where the text is too long for any QR code: 2,953 bytes, or 4,296 digits and upper-case letters. */
export function qrCode(text: string): Result<QrCode> {
  try {
    const modules = encodeQR(text, "raw", { ecc: "low", border: QUIET_ZONE });
    return ok({ size: modules.length, modules });
  } catch (thrown) {
    return err(reasonOf(thrown));
  }
}

/** The dark modules as the path of an SVG whose view box is `0 0 size size`. */
export function qrPath({ modules }: QrCode): string {
  let path = "";
  modules.forEach((row, y) => {
    for (let x = 0; x < row.length; x++) {
      if (!row[x]) continue;
      let end = x;
      while (row[end]) end++;
      path += `M${x} ${y}h${end - x}v1H${x}z`;
      x = end;
    }
  });
  return path;
}

/** Four bytes per pixel, as `ImageData` has them. */
export interface QrImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** The text of the QR code in an image, or in words why there is none. Its reader is loaded when first asked for. */
export async function readQr(image: QrImage): Promise<Result<string>> {
  const { width, height } = image;
  if (width * height > LIMITS.keys.qrPixels) return err("The image is too large.");
  const { decodeQR } = await import("qr/decode.js");
  try {
    // Not a frame of a camera, for which the reader would give up sooner.
    return ok(decodeQR({ ...image }, { format: "RGBA", timeLimit: LIMITS.keys.qrMs }));
  } catch {
    return err("There is no QR code in the image that can be read.");
  }
}
