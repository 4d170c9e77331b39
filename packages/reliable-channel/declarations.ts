/** The package's declaration files: one for each source that its entries lead to, and nothing that leads out of it. */
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { ENTRIES, PACKAGE } from "./entries.ts";

/** Whoever has an older target than the contract is not told to change it. */
const DISPOSABLE = '/// <reference lib="esnext.disposable" />\n';
const RELATIVE_IMPORT = /((?:from|import) ")(\.[^"]+)\.ts(?=")/g;

/** File names in `dist` and texts. Throws where a source cannot be declared without looking into others. */
export function declarations(): ReadonlyMap<string, string> {
  const emitted = new Map<string, string>();
  const waiting = Object.values(ENTRIES).map((entry) => join(PACKAGE, entry));
  for (let source = waiting.pop(); source !== undefined; source = waiting.pop()) {
    const file = fileOf(source);
    if (emitted.has(file)) continue;
    const from = source;
    const text = declare(source).replaceAll(RELATIVE_IMPORT, (_, before: string, path: string) => {
      const to = join(dirname(from), `${path}.ts`);
      waiting.push(to);
      const specifier = relative(dirname(file), fileOf(to)).replace(/\.d\.ts$/, ".js");
      return `${before}${specifier.startsWith(".") ? specifier : `./${specifier}`}`;
    });
    emitted.set(file, text);
  }
  return emitted;
}

/** Sources of the package keep their place; what it takes from elsewhere stands beside its first entry. */
function fileOf(source: string): string {
  const inside = relative(PACKAGE, source);
  const path = inside.startsWith("..") ? inside.replace(/^.*\//, "") : inside;
  return path.replace(/\.ts$/, ".d.ts");
}

function declare(source: string): string {
  const { outputText, diagnostics = [] } = ts.transpileDeclaration(readFileSync(source, "utf8"), {
    fileName: source,
    reportDiagnostics: true,
    compilerOptions: { isolatedDeclarations: true, target: ts.ScriptTarget.ES2024 },
  });
  const [problem] = diagnostics;
  if (problem) throw new Error(`${source}: ${ts.flattenDiagnosticMessageText(problem.messageText, "\n")}`);
  return outputText.includes("Symbol.asyncDispose") ? DISPOSABLE + outputText : outputText;
}
