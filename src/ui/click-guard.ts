/**
 * Buttons that allow something take no click in the first moment that they can be seen: it was meant for what was there
 * before. A site can choose that moment, as its call opens the window or brings it to the front.
 */
import { type Clock, systemClock } from "../common/clock.ts";
import { LIMITS } from "../limits.ts";

/** Says whether clicks count: not yet, now that it is called, and not yet whenever the window comes to the front. Returns what ends it. */
export function guardClicks(
  tell: (armed: boolean) => void,
  view: Pick<EventTarget, "addEventListener" | "removeEventListener"> = window,
  clock: Pick<Clock, "after"> = systemClock,
): () => void {
  let cancel = (): void => {};
  const guard = (): void => {
    cancel();
    tell(false);
    cancel = clock.after(LIMITS.ui.promptGuardMs, () => tell(true));
  };
  guard();
  view.addEventListener("focus", guard);
  return () => {
    cancel();
    view.removeEventListener("focus", guard);
  };
}
