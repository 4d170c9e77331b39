import type { CommandError } from "./background-link.ts";
import { plural, t } from "./i18n.ts";
import { refusalWords } from "./refusal-words.ts";

/** What a command did, for the person who gave it. */
export interface NoticeText {
  readonly tone: "done" | "failed";
  readonly text: string;
}

export function errorWords(error: CommandError): string {
  switch (error.kind) {
    case "timeout":
      return t("commandTimeout");
    case "interrupted":
      return t("commandInterrupted");
    case "refused":
      return refusalWords(error.reason, { t, plural });
  }
}
