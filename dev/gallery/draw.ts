/** Comes to what a picture shows, and measures whether it fits. */
import type { Page } from "playwright-core";
import { ANSWERS, pretendBackground } from "./background.ts";
import type { Shot } from "./shots.ts";
import { VIEWS } from "./views.ts";

/** Opens the shot in `page`, of the extension's browser; resolves when everything that it has to show is there. */
export async function openShot(page: Page, extensionId: string, shot: Shot): Promise<void> {
  const background = await page.addInitScript(pretendBackground, {
    snapshot: shot.snapshot,
    gone: shot.gone ?? null,
    lost: shot.lost ?? false,
    answers: { ...ANSWERS, ...shot.answers },
  });
  await page.goto(`chrome-extension://${extensionId}/${shot.page}`);
  await background.dispose();
  if (shot.snapshot !== null) await page.getByTestId("skeleton").waitFor({ state: "detached" });
  await shot.act?.(page);
  for (const view of shot.shows) await page.getByTestId(VIEWS[view]).first().waitFor();
  // A prompt takes no answer in its first moment, and looks like it.
  const reject = page.getByTestId("prompt-reject");
  if (await reject.isVisible()) await reject.and(page.locator(":enabled")).waitFor();
}

/** What is wider than its place on `page`, so that a person would have to scroll sideways to read it. */
export function tooWide(page: Page): Promise<readonly string[]> {
  return page.evaluate(() =>
    [document.documentElement, ...document.body.querySelectorAll<HTMLElement>("*:not(input, select)")]
      .filter((element) => {
        // The window scrolls whatever its own style says; other elements where they may.
        const window = element === document.documentElement;
        const room = window ? innerWidth : element.clientWidth;
        return (
          element.scrollWidth > room && (window || /auto|scroll/.test(getComputedStyle(element).overflowX)) && room > 0
        );
      })
      .map(
        ({ tagName, className, scrollWidth, clientWidth }) =>
          `${tagName}.${className}: ${scrollWidth} in ${clientWidth}`,
      ),
  );
}
