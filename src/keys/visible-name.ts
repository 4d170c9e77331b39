/**
 * A name as one line of what can be seen. A character that cannot could make two names look alike, or turn the words
 * around it the other way round.
 */
export function visibleName(given: string): string {
  return given.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "").trim();
}
