/**
 * Takes a copied secret out of the clipboard when the window that copied it is gone.
 *
 * Browsers let only what is in front write to the clipboard, unless the extension may change whatever people copy, and
 * says so when it is installed. So the page in front is asked, by way of our content script. Where none is in front, as
 * while another application is, or where nobody has touched it for a while, it is asked again; after some minutes the
 * clipboard belongs to something else.
 */
import type { Clock } from "../common/clock.ts";
import { LIMITS } from "../limits.ts";
import { CLEAR_CLIPBOARD } from "../provider/clear-clipboard.ts";
import { CLIPBOARD_ALARM, clipboardDeadline, type DeadlineBrowser } from "../ui/clipboard-deadline.ts";

/** The part of `browser` that is used. */
export interface ClearingBrowser extends DeadlineBrowser {
  readonly tabs: {
    query(info: {
      readonly active: true;
      readonly lastFocusedWindow: true;
    }): Promise<readonly { readonly id?: number | undefined }[]>;
    /** Rejects where nobody listens. */
    sendMessage(tabId: number, message: unknown): Promise<unknown>;
  };
}

/** To be called at the alarm. */
export async function clearClipboardWhenDue(browser: ClearingBrowser, clock: Pick<Clock, "now">): Promise<void> {
  const { clipboardRetryMs, clipboardTryMs } = LIMITS.ui;
  const deadline = clipboardDeadline(browser);
  const at = await deadline.get();
  if (at === undefined) return;
  const late = clock.now() - at;
  if (late >= 0 && (late >= clipboardTryMs || (await clearedInFront(browser)))) return deadline.clear();
  browser.alarms.create(CLIPBOARD_ALARM, { when: late < 0 ? at : clock.now() + clipboardRetryMs });
}

async function clearedInFront({ tabs }: ClearingBrowser): Promise<boolean> {
  const [front] = await tabs.query({ active: true, lastFocusedWindow: true });
  if (front?.id === undefined) return false;
  return tabs.sendMessage(front.id, CLEAR_CLIPBOARD).then(
    (cleared) => cleared === true,
    () => false,
  );
}
