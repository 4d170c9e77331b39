/** Pictures of a page in both colour schemes, for a person to look at. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";

const OUTPUT = join(import.meta.dirname, "../../.output");

/** Where the pictures of the tests go, and those of `npm start -- --headless`. */
export const TEST_SCREENSHOTS = join(OUTPUT, "screenshots");
export const DEMO_SCREENSHOTS = join(OUTPUT, "demo");

/** CSS pixels of the narrowest popup that is supported. */
const NARROW = 320;

/** The same, and `NAME-narrow.png` of a popup that is as narrow as one may be; leaves the page as it was. */
export async function popupScreenshots(page: Page, name: string): Promise<void> {
  await screenshots(page, TEST_SCREENSHOTS, name);
  const size = page.viewportSize();
  if (size === null) return;
  await page.setViewportSize({ ...size, width: NARROW });
  await page.screenshot({ path: join(TEST_SCREENSHOTS, `${name}-narrow.png`), animations: "disabled" });
  await page.setViewportSize(size);
}

/** Writes `NAME-light.png` and `NAME-dark.png`; leaves the page in the light scheme. */
export async function screenshots(page: Page, directory: string, name: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(directory, `${name}-${colorScheme}.png`), animations: "disabled" });
  }
}
