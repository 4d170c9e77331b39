/** What browsers load: the scripts of the Chromium build, and a bundle of bare `@waku/sdk` as the same bundler makes it by itself. */
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { bundleSizes } from "../../scripts/lib/bundle-sizes.mjs";
import { atMost, type Row } from "../row.ts";

const ENTRY = "bare-sdk";
/** What the background of an extension would do at the least. */
const BARE = `
  import { createLightNode } from "@waku/sdk";
  globalThis.node = createLightNode().then((node) => node.start());
`;

export async function rows(): Promise<readonly Row[]> {
  const sdk = kilobytes(await bareSdk());
  return bundleSizes("chrome-mv3").map(({ name, bytes, limit }) => {
    const ours = kilobytes(bytes);
    const row = { what: `Size of the ${name}, gzip`, ours, unit: "kB" };
    if (name !== "background") return { ...row, ...atMost(ours, kilobytes(limit), "kB") };
    const ratio = ours / sdk;
    return { ...row, peer: { name: "bare @waku/sdk", value: sdk }, ratio, goal: "≤ 1.25×", met: ratio <= 1.25 };
  });
}

/** Bytes after gzip. */
async function bareSdk(): Promise<number> {
  const result = await build({
    root: join(import.meta.dirname, "../.."),
    configFile: false,
    logLevel: "silent",
    plugins: [
      {
        name: ENTRY,
        resolveId: (id) => (id === ENTRY ? ENTRY : null),
        load: (id) => (id === ENTRY ? BARE : null),
      },
    ],
    build: { write: false, minify: true, rollupOptions: { input: ENTRY, output: { format: "iife" } } },
  });
  const [output] = Array.isArray(result) ? result : [result];
  if (output === undefined || !("output" in output)) throw new Error("Nothing was built");
  return gzipSync(output.output[0].code, { level: 9 }).length;
}

function kilobytes(bytes: number): number {
  return bytes / 1000;
}
