/** `npm run package`: builds what is published into `dist`. Everything that the mock is made of goes into its bundle. */
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { build } from "vite";
import { bundledLicences } from "./bundled-licences.ts";
import { declarations } from "./declarations.ts";
import { ENTRIES, PACKAGE } from "./entries.ts";

const REPOSITORY = join(PACKAGE, "../..");
const LICENCES = ["LICENSE-MIT", "LICENSE-APACHE"];

export async function buildPackage(outDir: string): Promise<void> {
  await build({
    root: PACKAGE,
    configFile: false,
    logLevel: "warn",
    plugins: [bundledLicences("LICENSES-OF-BUNDLED-PACKAGES.txt")],
    build: {
      outDir,
      emptyOutDir: true,
      target: "es2023",
      minify: false,
      lib: { entry: ENTRIES, formats: ["es"] },
      rolldownOptions: { output: { chunkFileNames: "[name].js" } },
    },
  });
  for (const [file, text] of declarations()) {
    mkdirSync(dirname(join(outDir, file)), { recursive: true });
    writeFileSync(join(outDir, file), text);
  }
  for (const licence of LICENCES) cpSync(join(REPOSITORY, licence), join(outDir, licence));
}

if (import.meta.main) await buildPackage(join(PACKAGE, "dist"));
