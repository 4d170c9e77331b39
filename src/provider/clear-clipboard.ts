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

/** The part of the page's window that is used. */
export interface ClearingView extends Pick<EventTarget, "addEventListener"> {
  getSelection(): Pick<Selection, "isCollapsed" | "toString"> | null;
}

/** Only the extension itself can send what arrives here. */
export function clearClipboardOnRequest(
  runtime: ClearingRuntime,
  write: (text: string) => Promise<void>,
  view: ClearingView,
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
    const at = (name: string, act: (event: Event) => void, capture = true): void =>
      view.addEventListener(name, (event) => event.isTrusted && act(event), { capture, signal });
    at("pointerdown", () => {
      disarm();
      void clear().then((done) => done && cleared());
    });
    for (const name of ["copy", "cut"]) {
      at(name, (event) => hasSelection(view, event) && cleared());
      // What the page made of it is known once the page has heard of it.
      at(name, (event) => hasOwnContent(event) && cleared(), false);
    }
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

/** Whether there is something to copy: keys that copy are told of all the same where nothing is selected. */
function hasSelection(view: ClearingView, event: Event): boolean {
  // What is selected in a field is no part of the window's selection in every browser.
  const [field] = event.composedPath();
  if (field && "selectionStart" in field && "selectionEnd" in field && typeof field.selectionStart === "number") {
    return field.selectionStart !== field.selectionEnd;
  }
  const selection = view.getSelection();
  return selection !== null && (!selection.isCollapsed || selection.toString() !== "");
}

/** Whether the page copies something of its own instead, as an editor does with the line of the cursor. */
function hasOwnContent(event: Event): boolean {
  return event.defaultPrevented && ((event as ClipboardEvent).clipboardData?.types.length ?? 0) > 0;
}
