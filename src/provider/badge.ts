/** The badge on the extension's button: what waits for the person, and else what failed. */
import type { UiSnapshot } from "../ui/background-api.ts";

export interface Badge {
  /** Empty for no badge; four characters at most, which is what fits. */
  readonly text: string;
  /** CSS. Dark enough for white text: 4.5 to 1 (WCAG 1.4.3). */
  readonly colour: string;
}

const WAITING = "#1d4ed8";
const FAILED = "#b91c1c";
const MOST = 99;

/** Prompts first: a site waits for them. Failures until the person has looked at them. */
export function badgeOf({
  prompts,
  unseenFailures,
}: Pick<UiSnapshot, "unseenFailures"> & { readonly prompts: readonly unknown[] }): Badge {
  if (prompts.length > 0) return { text: countText(prompts.length), colour: WAITING };
  return { text: unseenFailures > 0 ? `!${countText(unseenFailures)}` : "", colour: FAILED };
}

const countText = (count: number): string => (count > MOST ? `${MOST}+` : String(count));
