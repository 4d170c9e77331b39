/** How large the scripts of a build are, and may be. What every page or every start of the worker has to load counts. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ROOT } from "./paths.mjs";

const KB = 1000;
/** What an entry that uses a light node of `@waku/sdk` 0.0.36 and nothing else takes: bytes, minified, gzip. */
export const SDK_BYTES = 253 * KB;

/** @type {readonly { readonly name: string, readonly file: string, readonly limit: number }[]} bytes after gzip */
export const BUDGETS = [
  { name: "page script", file: "content-scripts/provider.js", limit: 8 * KB },
  { name: "bridge", file: "content-scripts/bridge.js", limit: 6 * KB },
  { name: "background", file: "background.js", limit: 1.25 * SDK_BYTES },
];

/**
 * Throws where a build is not there.
 * @param {string} build its folder in `.output`
 */
export function bundleSizes(build) {
  return BUDGETS.map((budget) => {
    const script = readFileSync(join(ROOT, ".output", build, budget.file));
    return { ...budget, bytes: gzipSync(script, { level: 9 }).length };
  });
}
