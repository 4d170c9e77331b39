/** Finds the browsers, and installs Debian's where that is allowed. */
import { accessSync, constants, existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { SetupError, say } from "./log.mjs";
import { capture, run } from "./process.mjs";

/**
 * @typedef {object} Browser
 * @property {string} title
 * @property {string} variable the environment variable that overrides the search
 * @property {string} debianPackage
 * @property {RegExp} version what `--version` must answer; the first group is the major version
 * @property {number} oldest the oldest major version that the extension supports
 * @property {() => string[]} candidates
 */

/**
 * Builds that browser drivers keep in their cache.
 * @param {string} folder
 * @param {RegExp} name
 * @param {readonly string[]} inside
 */
function cached(folder, name, inside) {
  const base = join(homedir(), ".cache", folder);
  if (!existsSync(base)) return [];
  return readdirSync(base)
    .filter((entry) => name.test(entry))
    .sort()
    .reverse()
    .flatMap((entry) => inside.map((path) => join(base, entry, path)));
}

/**
 * Branded Chrome is left out on purpose: it ignores `--load-extension`.
 * @type {Browser}
 */
const CHROMIUM = {
  title: "Chromium",
  variable: "CHROMIUM_PATH",
  debianPackage: "chromium",
  version: /^(?:Chromium|Google Chrome for Testing) (\d+)\./m,
  oldest: 148,
  candidates: () => [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/local/bin/chromium",
    "/usr/lib/chromium/chromium",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing",
    ...cached("ms-playwright", /^chromium-\d+$/, ["chrome-linux64/chrome", "chrome-linux/chrome"]),
  ],
};

/** @type {Browser} */
const FIREFOX = {
  title: "Firefox",
  variable: "FIREFOX_PATH",
  debianPackage: "firefox-esr",
  version: /^Mozilla Firefox (\d+)\./m,
  oldest: 140,
  candidates: () => [
    "/usr/bin/firefox-esr",
    "/usr/bin/firefox",
    "/usr/local/bin/firefox",
    "/Applications/Firefox.app/Contents/MacOS/firefox",
  ],
};

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {Browser} browser
 * @param {string} path
 */
async function suits(browser, path) {
  const answer = isExecutable(path) ? await capture(path, ["--version"]) : undefined;
  const major = browser.version.exec(answer ?? "")?.[1];
  return major !== undefined && Number(major) >= browser.oldest;
}

/**
 * @param {Browser} browser
 * @returns {Promise<string | undefined>}
 */
async function find(browser) {
  const chosen = process.env[browser.variable];
  if (chosen !== undefined && chosen !== "") {
    if (await suits(browser, chosen)) return chosen;
    throw new SetupError(`${browser.variable} is set, but it is not ${browser.title} ${browser.oldest} or newer.`);
  }
  for (const path of browser.candidates()) if (await suits(browser, path)) return path;
  return undefined;
}

/** The prefix that lets apt-get install, or `undefined` where this machine is not Debian or the person may not. */
async function debianPrivilege() {
  const release = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  if (!/^ID=debian$/m.test(release)) return undefined;
  if (process.getuid?.() === 0) return [];
  return (await capture("sudo", ["-n", "true"])) === undefined ? undefined : ["sudo", "-n"];
}

/**
 * @param {Browser} browser
 * @returns {Promise<string>} the path of the executable
 */
async function ensure(browser) {
  const found = await find(browser);
  if (found !== undefined) return found;
  const help =
    `${browser.title} ${browser.oldest} or newer is needed and was not found. ` +
    `On Debian: apt-get install ${browser.debianPackage}. Elsewhere install ${browser.title} ` +
    `and set ${browser.variable} to its executable.`;
  const privilege = await debianPrivilege();
  if (privilege === undefined) throw new SetupError(help);
  say(`Installing ${browser.title} (apt-get install ${browser.debianPackage})…`);
  const options = {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdio: /** @type {import("node:child_process").StdioOptions} */ (["ignore", 2, 2]),
  };
  for (const args of [["update"], ["install", "--yes", "--no-install-recommends", browser.debianPackage]]) {
    const [command = "apt-get", ...rest] = [...privilege, "apt-get", ...args];
    if ((await run(command, rest, options)).code !== 0) throw new SetupError(`apt-get ${args[0]} failed. ${help}`);
  }
  const installed = await find(browser);
  if (installed === undefined) throw new SetupError(help);
  return installed;
}

/** The path of a Chromium that loads unpacked extensions; throws `SetupError` saying what to install. */
export const ensureChromium = () => ensure(CHROMIUM);
/** The path of a Firefox; throws `SetupError` saying what to install. */
export const ensureFirefox = () => ensure(FIREFOX);
