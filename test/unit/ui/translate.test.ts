import { describe, expect, it } from "vitest";
import { aroundName, createTranslator } from "../../../src/ui/translate.ts";

function source(words: Readonly<Record<string, string>>) {
  return {
    getMessage: (key: string, substitutions: string[]) =>
      (words[key] ?? "").replace(/\$(\d)/g, (_, index: string) => substitutions[Number(index) - 1] ?? ""),
  };
}

describe("createTranslator", () => {
  it("puts substitutions where the words want them", () => {
    const { t } = createTranslator(source({ localeTag: "de", promptQueue: "Anfrage $1 von $2" }));
    expect(t("promptQueue", "1", "3")).toBe("Anfrage 1 von 3");
  });

  it("chooses the plural form of the language of the words, and writes the number as that language does", () => {
    const { plural } = createTranslator(
      source({ localeTag: "fr", members_one: "$1 membre", members_other: "$1 membres" }),
    );
    expect(plural("members", 0)).toBe("0 membre");
    expect(plural("members", 1)).toBe("1 membre");
    expect(plural("members", 2)).toBe("2 membres");
    expect(plural("members", 12_345)).toBe("12\u202f345 membres");
  });

  it("falls back to the general form where a language's rarer form was not written", () => {
    const { plural } = createTranslator(source({ localeTag: "fr", members_other: "$1 membres" }));
    expect(plural("members", 1_000_000)).toBe("1\u202f000\u202f000 membres");
  });

  it("speaks English where the words do not say their language", () => {
    expect(createTranslator(source({})).locale).toBe("en");
  });
});

describe("a sentence with a stranger's name in it", () => {
  it("falls into what stands before the name and after it, wherever the language has the name", () => {
    const { t } = createTranslator(source({ localeTag: "de", foundKnown: "Diesen Schlüssel hast du schon: $1." }));
    expect(aroundName((name) => t("foundKnown", name))).toEqual(["Diesen Schlüssel hast du schon: ", "."]);
    expect(aroundName((name) => `${name} ist hier`)).toEqual(["", " ist hier"]);
    expect(aroundName(() => "ohne Namen")).toEqual(["ohne Namen", ""]);
  });
});
