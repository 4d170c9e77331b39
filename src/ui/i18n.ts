import { browser } from "wxt/browser";
import { createFormats } from "./formats.ts";
import { createTranslator } from "./translate.ts";

const translator = createTranslator(browser.i18n);

export const { t, plural, locale } = translator;
export const formats = createFormats(locale);
