/** The code blocks of our documentation, by page. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");

export interface Example {
  /** Such as `docs/developers/send.md, line 12`. */
  readonly name: string;
  readonly page: string;
  readonly language: string;
  readonly code: string;
}

/** `page`: a path from the repository's root. */
export function readPage(page: string): string {
  return readFileSync(join(ROOT, page), "utf8");
}

export function examplesOf(page: string): readonly Example[] {
  const text = readPage(page);
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(({ index, 1: language = "", 2: code = "" }) => {
    const line = text.slice(0, index).split("\n").length;
    return { name: `${page}, line ${line}`, page, language, code };
  });
}

/** The rows of the table whose head begins so; without the head. */
export function tableOf(page: string, head: string): readonly (readonly string[])[] {
  const [, body] = readPage(page).split(`| ${head} |`);
  if (body === undefined) throw new Error(`${page} has no table that begins with ${head}`);
  const [, , ...lines] = (body.split("\n\n")[0] ?? "").split("\n");
  return lines
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .slice(1, -1)
        .split(" | ")
        .map((cell) => cell.trim()),
    );
}
