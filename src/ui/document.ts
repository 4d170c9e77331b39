import { locale, t } from "./i18n.ts";

/** The document's language and title follow the words, not the file. */
export function prepareDocument(): void {
  document.documentElement.lang = locale;
  document.title = t("extensionName");
}
