/** QR codes as image files. */
import { err, type Result } from "../common/result.ts";
import { readQr } from "../keys/qr.ts";
import { LIMITS } from "../limits.ts";

/** The text of the QR code in an image file; an error where it is no image, or has none. */
export async function readQrFile(file: Blob): Promise<Result<string, "no-image" | "no-code">> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return err("no-image");
  }
  const { width, height } = bitmap;
  const pixels = pixelsOf(bitmap);
  bitmap.close();
  const read = pixels === undefined ? undefined : await readQr({ width, height, data: pixels.data });
  return read?.ok === true ? read : err("no-code");
}

/** `undefined` where they are too many: a canvas takes their memory before anybody looks at it. */
function pixelsOf(bitmap: ImageBitmap): ImageData | undefined {
  const { width, height } = bitmap;
  if (width * height > LIMITS.keys.qrPixels) return undefined;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context?.drawImage(bitmap, 0, 0);
  return context?.getImageData(0, 0, width, height);
}

/** A code as a PNG file, sharp: each module is a square of whole pixels. */
export function qrFile(modules: readonly (readonly boolean[])[]): Promise<Blob> {
  const scale = LIMITS.ui.qrModulePixels;
  const canvas = new OffscreenCanvas(modules.length * scale, modules.length * scale);
  const context = canvas.getContext("2d");
  if (context !== null) {
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = "#000000";
    modules.forEach((row, y) => {
      row.forEach((dark, x) => {
        if (dark) context.fillRect(x * scale, y * scale, scale, scale);
      });
    });
  }
  return canvas.convertToBlob({ type: "image/png" });
}
