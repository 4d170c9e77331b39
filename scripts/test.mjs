/** `npm test`: sets everything up, then runs every check and every suite, and counts. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ensureChromium, ensureFirefox } from "./lib/browsers.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { runMain, say } from "./lib/log.mjs";
import { ROOT } from "./lib/paths.mjs";
import { endAllOnSignal, run } from "./lib/process.mjs";

/**
 * @typedef {object} Suite
 * @property {string} name
 * @property {string} command in node_modules/.bin, or the Node.js there
 * @property {readonly string[]} args
 * @property {number} [minutes] the budget; a suite that takes longer has failed
 * @property {boolean} [counted] true when it is a vitest project, whose tests are counted one by one
 *
 * @typedef {{ passed: number, failed: number }} Count
 */

/** A suite that exceeds its budget may still finish and show its results, up to this many times the budget. */
const PATIENCE = 2;
const CHECK_MINUTES = 2;

/**
 * @param {string} project
 * @param {number} minutes
 * @returns {Suite}
 */
const vitest = (project, minutes) => ({
  name: project,
  command: "vitest",
  args: ["run", "--project", project, "--reporter=default", "--reporter=json", `--outputFile.json=${report(project)}`],
  minutes,
  counted: true,
});

/** @param {string} project */
const report = (project) => join(ROOT, ".output", "test-results", `${project}.json`);

/** @type {readonly Suite[]} */
const SUITES = [
  { name: "format and lint", command: "biome", args: ["check", "--error-on-warnings", "."] },
  { name: "generated types", command: "wxt", args: ["prepare"] },
  { name: "types", command: "tsc", args: ["--noEmit"] },
  { name: "types of components", command: "svelte-check", args: ["--tsconfig", "tsconfig.json", "--fail-on-warnings"] },
  vitest("unit", 4),
  vitest("interop", 4),
  { name: "build for Chromium", command: "wxt", args: ["build"] },
  { name: "build for Firefox", command: "wxt", args: ["build", "-b", "firefox"] },
  { name: "sizes", command: "node", args: [join("scripts", "check-sizes.mjs")] },
  vitest("chromium", 12),
  vitest("firefox", 2),
];

/**
 * What a vitest report says. A file that did not load, or a skipped test, is a failure: neither has shown anything.
 * @param {string} path
 * @returns {Count}
 */
function countTests(path) {
  try {
    const { numPassedTests, numTotalTests, testResults } = JSON.parse(readFileSync(path, "utf8"));
    const unloaded = testResults.filter(
      (/** @type {{ status: string, assertionResults: unknown[] }} */ { status, assertionResults }) =>
        status === "failed" && assertionResults.length === 0,
    ).length;
    return { passed: numPassedTests, failed: numTotalTests - numPassedTests + unloaded };
  } catch {
    return { passed: 0, failed: 0 };
  }
}

/**
 * @param {Suite} suite
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Count & { name: string, ms: number, note: string }>}
 */
async function runSuite(suite, env) {
  say(`\n── ${suite.name}`);
  const minutes = suite.minutes ?? CHECK_MINUTES;
  if (suite.counted) rmSync(report(suite.name), { force: true });
  const { code, ms, timedOut } = await run(join(ROOT, "node_modules", ".bin", suite.command), suite.args, {
    cwd: ROOT,
    env,
    stdio: ["ignore", "inherit", "inherit"],
    timeoutMs: minutes * 60_000 * PATIENCE,
  });
  const late = ms > minutes * 60_000;
  const count = suite.counted
    ? countTests(report(suite.name))
    : { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1 };
  // An error outside any test, or a suite past its budget, counts once.
  const failed = count.failed + (late || (code !== 0 && count.failed === 0) ? 1 : 0);
  const note = timedOut ? "ended after twice its budget" : late ? `over its budget of ${minutes} min` : "";
  return { name: suite.name, passed: count.passed, failed, ms, note };
}

await runMain(async () => {
  endAllOnSignal();
  await ensureInstalled();
  const env = {
    ...process.env,
    // Colours are for a person who watches, not for a log that somebody reads or a program counts in.
    ...(process.stdout.isTTY ? {} : { NO_COLOR: "1", FORCE_COLOR: undefined }),
    PATH: `${join(ROOT, "node_modules", ".bin")}:${process.env["PATH"] ?? ""}`,
    CHROMIUM_PATH: await ensureChromium(),
    FIREFOX_PATH: await ensureFirefox(),
  };
  const results = [];
  for (const suite of SUITES) results.push(await runSuite(suite, env));

  process.stdout.write("\n");
  for (const { name, passed, failed, ms, note } of results) {
    const line = [
      failed === 0 ? "ok  " : "FAIL",
      name.padEnd(20),
      `${passed} passed, ${failed} failed`.padEnd(24),
      `${(ms / 1000).toFixed(1)} s`,
      note,
    ];
    process.stdout.write(`${line.join("  ").trimEnd()}\n`);
  }
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failed = results.reduce((sum, result) => sum + result.failed, 0);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
});
