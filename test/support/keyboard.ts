/** A page used with the keyboard alone. */
import type { Locator, Page } from "playwright-core";

/** More stops than any view has. */
const MOST_STOPS = 40;

/** What has the focus, as a screen reader tells it: its role, its name and its value. */
export async function focused(page: Page): Promise<string> {
  const element = page.locator(":focus");
  return (await element.count()) === 0 ? "nothing" : element.ariaSnapshot();
}

/** What the person finds in the clipboard: pasted into a field that has nothing else. */
export async function pasted(field: Locator): Promise<string> {
  await field.fill("");
  await field.press("Control+V");
  return field.inputValue();
}

/** Goes on with Tab until the element has the focus; throws where something on the way has no name, or it never comes. */
export async function tabTo(page: Page, testid: string): Promise<void> {
  const stops: string[] = [];
  while (stops.length < MOST_STOPS) {
    await page.keyboard.press("Tab");
    const stop = await focused(page);
    stops.push(stop);
    if (stop !== "nothing" && !/^- \w+ "[^"]/.test(stop)) throw new Error(`It has no name: ${stop}`);
    if (await page.getByTestId(testid).evaluate((element) => element === document.activeElement)) return;
  }
  throw new Error(`Tab does not come to ${testid}:\n${stops.join("\n")}`);
}
