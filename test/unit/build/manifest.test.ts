import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { build } from "wxt";

const ROOT = join(import.meta.dirname, "../../..");

/** What a browser or a store reads first; a change here is a change that people are asked about. */
describe.each([
  { browser: "chrome", manifestVersion: 3 },
  { browser: "firefox", manifestVersion: 2 },
] as const)("the $browser build", ({ browser, manifestVersion }) => {
  let directory: string;
  let manifest: unknown;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "reliable-channel-build-"));
    await build({ root: ROOT, browser, manifestVersion, outDir: directory, logger: silent });
    manifest = JSON.parse(await readFile(join(directory, `${browser}-mv${manifestVersion}`, "manifest.json"), "utf8"));
  }, 120_000);

  afterAll(() => rm(directory, { recursive: true, force: true }));

  test("has the manifest that was agreed on", () => {
    expect(manifest).toMatchSnapshot();
  });
});

const quiet = (): void => undefined;
const silent = {
  debug: quiet,
  log: quiet,
  info: quiet,
  warn: quiet,
  error: quiet,
  fatal: quiet,
  success: quiet,
  level: 0,
};
