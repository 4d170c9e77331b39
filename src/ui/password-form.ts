/** A new password, typed twice. */
import { LIMITS } from "../limits.ts";

export type PasswordProblem =
  | { readonly key: "passwordTooShort" | "passwordTooLong"; readonly count: number }
  | { readonly key: "passwordsDiffer" };

/** What is wrong with it, for whoever is about to set it. */
export function passwordProblem(password: string, repeated: string): PasswordProblem | undefined {
  const { passwordMinChars, passwordMaxChars } = LIMITS.keys;
  const { length } = [...password];
  if (length < passwordMinChars) return { key: "passwordTooShort", count: passwordMinChars };
  if (length > passwordMaxChars) return { key: "passwordTooLong", count: passwordMaxChars };
  return password === repeated ? undefined : { key: "passwordsDiffer" };
}

/** Minutes that the choice of auto-lock offers; `null` is the end of the browser. */
export const AUTO_LOCK_MINUTES: readonly (number | null)[] = [1, 5, 15, 60, 240, 1_440, null];

/** What the choice offers, with what is set now where that is something else. */
export function autoLockChoices(current: number | null): readonly (number | null)[] {
  if (AUTO_LOCK_MINUTES.includes(current)) return AUTO_LOCK_MINUTES;
  const minutes = [...AUTO_LOCK_MINUTES, current].filter((choice) => choice !== null);
  return [...minutes.toSorted((a, b) => a - b), null];
}
