/** Pictures of a page in both colour schemes, for a person to look at. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { tooWide } from "../../dev/gallery/draw.ts";

const OUTPUT = join(import.meta.dirname, "../../.output");

/** Where the pictures of the tests go, and those of `npm start -- --headless`. */
export const TEST_SCREENSHOTS = join(OUTPUT, "screenshots");
export const DEMO_SCREENSHOTS = join(OUTPUT, "demo");

/** CSS pixels of the narrowest popup that is supported. */
const NARROW = 320;

/** Writes `NAME-light.png` and `NAME-dark.png`; leaves the page in the light scheme. */
export async function screenshots(page: Page, directory: string, name: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(directory, `${name}-${colorScheme}.png`), animations: "disabled" });
  }
}

/** The same into the folder of the tests, and `NAME-narrow.png`; fails where something does not fit there. */
export async function popupScreenshots(page: Page, name: string): Promise<void> {
  await screenshots(page, TEST_SCREENSHOTS, name);
  await expectNarrow(page, name, join(TEST_SCREENSHOTS, `${name}-narrow.png`));
}

/**
 * Fails where something does not fit into a popup that is as narrow as one may be, which it draws into `path`; leaves the
 * page as it was.
 */
export async function expectNarrow(page: Page, name: string, path?: string): Promise<void> {
  const size = page.viewportSize();
  if (size === null) throw new Error("The page takes its size from a window");
  await page.setViewportSize({ ...size, width: NARROW });
  if (path !== undefined) await page.screenshot({ path, animations: "disabled" });
  const wide = await tooWide(page);
  if (wide.length > 0) throw new Error(`${name} does not fit into ${NARROW} pixels: ${wide.join("; ")}`);
  await page.setViewportSize(size);
}
