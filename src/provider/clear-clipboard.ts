/** The content script's part in clearing the clipboard: only what is in front may, and that is mostly a page. */

/** What the background asks the page in front, which answers whether the clipboard is empty now. */
export const CLEAR_CLIPBOARD = "clear clipboard";

export interface ClearingRuntime {
  readonly onMessage: {
    /** A listener that answers later returns true. */
    addListener(
      listener: (message: unknown, sender: unknown, answer: (cleared: boolean) => void) => true | undefined,
    ): void;
  };
}

/** Only the extension itself can send what arrives here. */
export function clearClipboardOnRequest(runtime: ClearingRuntime, write: (text: string) => Promise<void>): void {
  runtime.onMessage.addListener((message, _sender, answer) => {
    if (message !== CLEAR_CLIPBOARD) return undefined;
    write("").then(
      () => answer(true),
      () => answer(false),
    );
    return true;
  });
}
