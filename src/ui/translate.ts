/**
 * The words of the visible parts, from `public/_locales`. English is the complete set: its file types every key.
 * Whole sentences are translated; a sentence is never put together from parts.
 */
type Messages = typeof import("../../public/_locales/en/messages.json");

export type MessageKey = keyof Messages;

/** Keys that exist once per plural form, named without the form. */
export type PluralKey = MessageKey extends infer K ? (K extends `${infer Stem}_other` ? Stem : never) : never;

type Substitutions<K extends MessageKey> = Messages[K] extends { placeholders: infer P }
  ? P extends Record<string, unknown>
    ? [string, ...string[]]
    : []
  : [];

/** The part of `browser.i18n` that is used. */
export interface MessageSource {
  /** An empty string where no locale has the key. */
  getMessage(key: string, substitutions: string[]): string;
}

export interface Translator {
  /** BCP 47 tag of the language that the words are in, which need not be the browser's. */
  readonly locale: string;
  /** Substitutions stand in the order `$1`, `$2`, … of the key's placeholders. */
  t<K extends MessageKey>(key: K, ...substitutions: Substitutions<K>): string;
  /** The form for `count` in the words' language; the number is written as that language writes it. */
  plural(key: PluralKey, count: number): string;
}

export function createTranslator(source: MessageSource): Translator {
  const locale = source.getMessage("localeTag", []) || "en";
  const rules = new Intl.PluralRules(locale);
  const numbers = new Intl.NumberFormat(locale);
  return {
    locale,
    t: (key, ...substitutions) => source.getMessage(key, substitutions),
    plural(key, count) {
      const words = [numbers.format(count)];
      // A language file need not have a form that reads like `other`, such as the French `many` for millions.
      return source.getMessage(`${key}_${rules.select(count)}`, words) || source.getMessage(`${key}_other`, words);
    },
  };
}

/** OBJECT REPLACEMENT CHARACTER: it stands for something that is no text, and so nothing that is text has it. */
const IN_PLACE = "\ufffc";

/** What of a sentence stands before a name and after it, so that the name can be shown as an element of its own. */
export function aroundName(sentence: (name: string) => string): readonly [string, string] {
  const [before = "", ...after] = sentence(IN_PLACE).split(IN_PLACE);
  return [before, after.join("")];
}
