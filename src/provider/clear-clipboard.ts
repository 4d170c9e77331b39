/**
 * The content script's part in clearing the clipboard: only what is in front may, and that is mostly a page.
 *
 * Chromium lets a page write to the clipboard for a moment after the person did something there. Where that is not now,
 * the next press of a pointer is waited for, as long as the page stays in front and nothing else is copied.
 */

/** What the background asks the page in front, which answers whether the clipboard is empty now. */
export const CLEAR_CLIPBOARD = "clear clipboard";
/** What the page tells the background later: nothing of ours is in the clipboard any more. */
export const CLIPBOARD_CLEARED = "clipboard cleared";

export interface ClearingRuntime {
  readonly onMessage: {
    /** A listener that answers later returns true. */
    addListener(
      listener: (message: unknown, sender: unknown, answer: (cleared: boolean) => void) => true | undefined,
    ): void;
  };
  /** A promise in Chromium, nothing in Firefox; throws once the extension was updated. */
  sendMessage(message: unknown): unknown;
}

/** Only the extension itself can send what arrives here. `view` is the page's window. */
export function clearClipboardOnRequest(
  runtime: ClearingRuntime,
  write: (text: string) => Promise<void>,
  view: Pick<EventTarget, "addEventListener">,
): void {
  let disarm = (): void => {};
  const clear = (): Promise<boolean> =>
    write("").then(
      () => true,
      () => false,
    );
  const cleared = (): void => {
    disarm();
    void tell().catch(() => {});
  };
  const tell = async (): Promise<unknown> => runtime.sendMessage(CLIPBOARD_CLEARED);
  const arm = (): void => {
    disarm();
    const armed = new AbortController();
    const { signal } = armed;
    disarm = () => armed.abort();
    // Before the page hears of it, and only what the person does: a page could make up both.
    const at = (event: string, act: () => void): void =>
      view.addEventListener(event, ({ isTrusted }) => isTrusted && act(), { capture: true, signal });
    at("pointerdown", () => {
      disarm();
      void clear().then((done) => done && cleared());
    });
    at("copy", cleared);
    at("cut", cleared);
    // Of the window itself: what is in front next may be where something else is copied.
    view.addEventListener("blur", disarm, { signal });
  };
  runtime.onMessage.addListener((message, _sender, answer) => {
    if (message !== CLEAR_CLIPBOARD) return undefined;
    void clear().then((done) => {
      if (!done) arm();
      answer(done);
    });
    return true;
  });
}
