/**
 * A plugin that takes one copy of packages that are the same thing again.
 *
 * Where the root has another version of a package, npm puts a copy beside each of those that ask for it, and the bundler takes
 * them all. The lock file says which ones are the same: they have the same contents, and so has all that they depend on.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./paths.mjs";

/** @typedef {{ integrity?: string, dependencies?: object, optionalDependencies?: object, peerDependencies?: object }} Locked */
/** @typedef {Readonly<Record<string, Locked>>} LockedPackages by folder, from the root of the project */

const FOLDER = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/;

/** @returns {import("vite").Plugin} */
export function oneCopyOfEach() {
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const taken = takenCopies(packages);
  return {
    name: "one-copy-of-each",
    apply: "build",
    enforce: "pre",
    async resolveId(source, importer, options) {
      const resolved = await this.resolve(source, importer, { ...options, skipSelf: true });
      if (!resolved?.id.startsWith(`${ROOT}/`)) return resolved;
      const path = resolved.id.slice(ROOT.length + 1);
      const [folder = ""] = FOLDER.exec(path) ?? [];
      const instead = taken.get(folder);
      return instead === undefined ? resolved : { ...resolved, id: join(ROOT, instead) + path.slice(folder.length) };
    },
  };
}

/**
 * Which folder is taken in place of which other one: of those that are the same, the first in the lock file.
 * @param {LockedPackages} packages
 * @returns {ReadonlyMap<string, string>}
 */
export function takenCopies(packages) {
  /** @type {Map<string, string>} */
  const firsts = new Map();
  /** @type {Map<string, string>} */
  const taken = new Map();
  for (const [folder, { integrity }] of Object.entries(packages)) {
    if (integrity === undefined) continue;
    const contents = contentsOf(packages, folder);
    const first = firsts.get(contents);
    if (first === undefined) firsts.set(contents, folder);
    else taken.set(folder, first);
  }
  return taken;
}

/**
 * What a package is, with all that it depends on: the same text for the same things.
 * @param {LockedPackages} packages
 * @param {string} folder
 */
function contentsOf(packages, folder) {
  /** @type {Set<string>} */
  const links = new Set();
  const visited = new Set([folder]);
  // A set yields what is added to it meanwhile, too.
  for (const at of visited) {
    const { integrity, ...locked } = packages[at] ?? {};
    const names = { ...locked.dependencies, ...locked.optionalDependencies, ...locked.peerDependencies };
    for (const name of Object.keys(names)) {
      const dependency = resolved(packages, at, name);
      links.add(`${integrity} ${name} ${dependency === undefined ? "" : packages[dependency]?.integrity}`);
      if (dependency !== undefined) visited.add(dependency);
    }
  }
  return [packages[folder]?.integrity, ...[...links].sort()].join("\n");
}

/**
 * Where Node.js finds a package that one of this folder asks for: in the nearest `node_modules` from there to the root.
 * @param {LockedPackages} packages
 * @param {string} folder
 * @param {string} name
 */
function resolved(packages, folder, name) {
  for (let at = folder; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    const candidate = at === "" ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (packages[candidate] !== undefined) return candidate;
    if (at === "") return undefined;
  }
}
