/**
 * Gives the focus to the beginning of a view that appeared. Not while the person walks through the tabs with arrow keys:
 * each tab shows its view, and the focus has to stay on the tabs for the next arrow.
 */
export function takeFocus(element: HTMLElement | null | undefined): void {
  if (document.activeElement?.getAttribute("role") !== "tab") element?.focus();
}
