/** The licences of the packages whose code went into the mock's bundle: they ask to be named wherever it goes. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

const PACKAGE_OF = /^(.*\/node_modules\/((?:@[^/]+\/)?[^/]+))\//;

/** Writes `file` beside the bundle. Fails the build where a package came without a licence. */
export function bundledLicences(file: string): Plugin {
  return {
    name: "bundled-licences",
    generateBundle(_, bundle) {
      const folders = new Map<string, string>();
      for (const chunk of Object.values(bundle)) {
        for (const module of chunk.type === "chunk" ? chunk.moduleIds : []) {
          const [, folder, name] = PACKAGE_OF.exec(module) ?? [];
          if (folder !== undefined && name !== undefined) folders.set(name, folder);
        }
      }
      const named = [...folders].sort().map(([name, folder]) => `${name}\n\n${licenceIn(folder)}`);
      this.emitFile({ type: "asset", fileName: file, source: named.join("\n\n────────\n\n") });
    },
  };
}

function licenceIn(folder: string): string {
  const files = readdirSync(folder).filter((name) => /^licen[cs]e/i.test(name));
  if (files.length > 0) return files.map((name) => readFileSync(join(folder, name), "utf8").trim()).join("\n\n");
  const manifest: { license?: unknown } = existsSync(join(folder, "package.json"))
    ? JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
    : {};
  if (typeof manifest.license !== "string") throw new Error(`${folder} names no licence`);
  return manifest.license;
}
