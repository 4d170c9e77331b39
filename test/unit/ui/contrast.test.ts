import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");

/** WCAG 2.2, 1.4.3: text against its ground. */
const TEXT = 4.5;
/** WCAG 2.2, 1.4.11: what shows that something can be operated. */
const CONTROL = 3;

type Tokens = Readonly<Record<string, string>>;

/** The colour tokens of a style sheet: the first `:root` is light, the one under `prefers-color-scheme` changes it. */
function tokens(file: string): { readonly light: Tokens; readonly dark: Tokens } {
  const css = readFileSync(join(ROOT, file), "utf8");
  const read = (text: string): Tokens =>
    Object.fromEntries(
      [...text.matchAll(/--([a-z0-9-]+): (#[0-9a-f]{6});/g)].map(([, name = "", hex = ""]) => [name, hex]),
    );
  const [light = "", dark = ""] = css.split("@media (prefers-color-scheme: dark)");
  return { light: read(light), dark: { ...read(light), ...read(dark.slice(0, dark.indexOf("\n}\n"))) } };
}

/** Relative luminance, as WCAG 2.2 defines it. */
function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [low = 0, high = 0] = [luminance(a), luminance(b)].toSorted((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

const EXTENSION: readonly (readonly [string, string, number])[] = [
  ...["ground", "surface", "sunken", "accent-soft", "warn-soft", "bad-soft"].map(
    (ground) => ["text", ground, TEXT] as const,
  ),
  // On the last one: the topic and the digits of what was pasted.
  ...["ground", "surface", "sunken", "accent-soft"].map((ground) => ["muted", ground, TEXT] as const),
  ...["good", "warn", "bad", "accent"].flatMap((tone) =>
    ["ground", "surface"].map((ground) => [tone, ground, TEXT] as const),
  ),
  ["bad", "bad-soft", TEXT],
  ["warn", "warn-soft", TEXT],
  ["on-accent", "accent", TEXT],
  ["on-accent", "accent-hover", TEXT],
  ["line-strong", "surface", CONTROL],
  ["line-strong", "ground", CONTROL],
];

const DEMO: readonly (readonly [string, string, number])[] = [
  ...["ground", "surface", "sunken", "own", "warn-soft", "bad-soft"].map((ground) => ["text", ground, TEXT] as const),
  ...["ground", "surface", "own", "sunken"].map((ground) => ["muted", ground, TEXT] as const),
  ...["hue-0", "hue-1", "hue-2", "hue-3", "hue-4", "hue-5", "accent", "warn"].map(
    (tone) => [tone, "surface", TEXT] as const,
  ),
  ["accent", "own", CONTROL],
  ["bad", "own", CONTROL],
  ["on-accent", "accent", TEXT],
  ["on-accent", "accent-hover", TEXT],
  ["line-strong", "surface", CONTROL],
];

describe.each([
  ["src/ui/styles.css", EXTENSION],
  ["dev/demo/style.css", DEMO],
] as const)("the colours of %s", (file, pairs) => {
  const { light, dark } = tokens(file);

  it.each([
    ["light", light],
    ["dark", dark],
  ] as const)("can be told from their ground in %s", (_, scheme) => {
    const weak = pairs.flatMap(([front, ground, least]) => {
      const ratio = contrast(scheme[front] ?? "#000000", scheme[ground] ?? "#000000");
      return ratio < least ? [`${front} on ${ground}: ${ratio.toFixed(2)}`] : [];
    });
    expect(weak).toEqual([]);
  });

  it("differ between light and dark", () => {
    expect(dark["ground"]).not.toBe(light["ground"]);
  });
});
