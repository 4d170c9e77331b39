/** The first step of every command: the packages that package-lock.json names, and the Node.js among them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SetupError, say } from "./log.mjs";
import { ROOT } from "./paths.mjs";
import { capture, run } from "./process.mjs";

/** The Node.js that the packages bring along: wxt, vitest and libp2p need 22 or newer, this machine's own may be older. */
export const NODE = join(ROOT, "node_modules", ".bin", "node");

/**
 * @typedef {{ version?: string, optional?: boolean, devOptional?: boolean, peer?: boolean }} LockEntry
 * @param {string} path
 * @returns {Record<string, LockEntry> | undefined}
 */
function lockedPackages(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8")).packages;
  } catch {
    return undefined;
  }
}

/** True when node_modules holds what package-lock.json asks for; optional packages of other platforms may be absent. */
export function isInstalled() {
  const wanted = lockedPackages(join(ROOT, "package-lock.json"));
  const present = lockedPackages(join(ROOT, "node_modules", ".package-lock.json"));
  if (wanted === undefined)
    throw new SetupError("package-lock.json is missing or unreadable: this is not a clean copy.");
  if (present === undefined) return false;
  return Object.entries(wanted).every(
    ([path, entry]) =>
      path === "" ||
      (path in present
        ? present[path]?.version === entry.version
        : entry.optional === true || entry.devOptional === true),
  );
}

/**
 * npm as it was started, run by the Node.js that started it: the installation may replace the one in node_modules.
 * @param {readonly string[]} args
 */
function npm(args) {
  const cli = process.env["npm_execpath"];
  const node = process.env["npm_node_execpath"];
  return cli?.endsWith("npm-cli.js") && node !== undefined && node !== ""
    ? run(node, [cli, ...args], { cwd: ROOT, stdio: ["ignore", 2, 2] })
    : run("npm", args, { cwd: ROOT, stdio: ["ignore", 2, 2] });
}

/** Installs the locked packages when they are missing or differ, and makes sure that their Node.js runs. */
export async function ensureInstalled() {
  if (!isInstalled()) {
    say("Installing dependencies (npm ci)…");
    const { code } = await npm(["ci", "--loglevel=error"]);
    if (code !== 0) throw new SetupError("npm ci failed; its output is above.");
  }
  if ((await capture(NODE, ["--version"])) !== undefined) return;
  // An npm that holds install scripts back leaves the binary out.
  await npm(["rebuild", "node"]);
  if ((await capture(NODE, ["--version"])) === undefined) {
    throw new SetupError("The Node.js of the dependencies does not run. Allow its install script: npm rebuild node");
  }
}
