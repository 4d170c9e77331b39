/** A QR code as a picture that somebody sent. */
import type { Page } from "playwright-core";
import { qrCode, qrPath } from "../../src/keys/qr.ts";

/** As a PNG file; `page` is drawn over. */
export async function qrPicture(page: Page, text: string): Promise<Buffer> {
  const qr = qrCode(text);
  if (!qr.ok) throw new Error(qr.error);
  const { size } = qr.value;
  await page.setContent(
    `<svg width="${4 * size}" height="${4 * size}" viewBox="0 0 ${size} ${size}" style="background:#fff"><path d="${qrPath(qr.value)}"/></svg>`,
  );
  return page.locator("svg").screenshot();
}
