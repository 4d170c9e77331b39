import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

interface Message {
  readonly message: string;
  readonly description?: string;
  readonly placeholders?: Readonly<Record<string, { readonly content: string }>>;
}

const ROOT = join(import.meta.dirname, "../../..");
const LOCALES = join(ROOT, "public/_locales");

function read(locale: string): Readonly<Record<string, Message>> {
  return JSON.parse(readFileSync(join(LOCALES, locale, "messages.json"), "utf8"));
}

const english = read("en");
const others = readdirSync(LOCALES).filter((locale) => locale !== "en");

describe("the words", () => {
  it("exist in English and two more languages", () => {
    expect(others).toEqual(["de", "fr"]);
  });

  it.each(others)("have the same keys in %s as in English", (locale) => {
    expect(Object.keys(read(locale)).sort()).toEqual(Object.keys(english).sort());
  });

  it.each(["en", ...others])(
    "declare every placeholder that they use in %s, and use every one they declare",
    (locale) => {
      for (const [key, { message, placeholders = {} }] of Object.entries(read(locale))) {
        const used = [...message.matchAll(/\$([a-z]+)\$/g)].map((match) => match[1]);
        expect([...new Set(used)].sort(), `${locale} ${key}`).toEqual(Object.keys(placeholders).sort());
      }
    },
  );

  it.each(others)("number their placeholders in %s as in English", (locale) => {
    const words = read(locale);
    for (const [key, { placeholders = {} }] of Object.entries(english)) {
      const contents = (of: Message["placeholders"] = {}): unknown =>
        Object.fromEntries(Object.entries(of).map(([name, { content }]) => [name, content]));
      expect(contents(words[key]?.placeholders), `${locale} ${key}`).toEqual(contents(placeholders));
    }
  });

  it.each(["en", ...others])("are never empty in %s and name their own language", (locale) => {
    const words = read(locale);
    expect(Object.entries(words).filter(([, { message }]) => message.trim() === "")).toEqual([]);
    expect(words["localeTag"]?.message).toBe(locale);
  });

  it("keep together in French what must not be broken: signs with a space before them, and quotes", () => {
    const breaking = Object.entries(read("fr")).filter(([, { message }]) => / [?!;:»]|« /.test(message));
    expect(breaking.map(([key]) => key)).toEqual([]);
  });

  it("tell the translator what each is for", () => {
    expect(Object.entries(english).filter(([, { description = "" }]) => description === "")).toEqual([]);
  });

  it("are all used somewhere", () => {
    const sources = ["src", "entrypoints"].flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
        .filter((path) => /\.(ts|svelte)$/.test(path))
        .map((path) => readFileSync(join(ROOT, folder, path), "utf8")),
    );
    sources.push(readFileSync(join(ROOT, "wxt.config.ts"), "utf8"));
    const named = new Set(
      sources.flatMap((source) => [...source.matchAll(/"(?:__MSG_)?(\w+?)(?:__)?"/g)].map(([, key]) => key)),
    );
    const unused = Object.keys(english).filter(
      (key) => !named.has(key) && !named.has(key.replace(/_(zero|one|two|few|many|other)$/, "")),
    );
    expect(unused).toEqual([]);
  });

  it("have every plural form that their language tells whole numbers apart by", () => {
    const stems = Object.keys(english).flatMap((key) =>
      key.endsWith("_other") ? [key.slice(0, -"_other".length)] : [],
    );
    expect(stems.length).toBeGreaterThan(0);
    for (const locale of ["en", ...others]) {
      const rules = new Intl.PluralRules(locale);
      const forms = new Set([0, 1, 2, 3, 5, 11, 21, 101].map((count) => rules.select(count)));
      for (const stem of stems) for (const form of forms) expect(read(locale)).toHaveProperty(`${stem}_${form}`);
    }
  });

  it("fit the manifest: 75 characters of name, 132 of description", () => {
    for (const locale of ["en", ...others]) {
      const words = read(locale);
      expect(words["extensionName"]?.message.length).toBeLessThanOrEqual(75);
      expect(words["extensionDescription"]?.message.length).toBeLessThanOrEqual(132);
    }
  });
});
