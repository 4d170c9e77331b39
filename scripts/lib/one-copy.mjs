/**
 * A plugin that takes one copy of each version of a package.
 *
 * Where the root has another version, npm puts the same one beside each package that asks for it, and the bundler takes
 * them all. What the copies depend on may differ, but satisfies the same ranges.
 */
import { readFileSync } from "node:fs";

const IN_A_PACKAGE = /^(?<folder>.*\/node_modules\/(?<name>(?:@[^/]+\/)?[^/]+))(?<file>\/.*)$/;

/** @returns {import("vite").Plugin} */
export function oneCopyOfEachVersion() {
  /** @type {Map<string, string>} by name and version, the folder that stands for all */
  const folders = new Map();
  /** @type {Map<string, string>} by folder, the one that is taken instead */
  const taken = new Map();

  /** @param {string} folder @param {string} name */
  function takenFor(folder, name) {
    const known = taken.get(folder);
    if (known !== undefined) return known;
    const { version } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
    const first = folders.get(`${name}@${version}`) ?? folder;
    folders.set(`${name}@${version}`, first);
    taken.set(folder, first);
    return first;
  }

  return {
    name: "one-copy-of-each-version",
    apply: "build",
    enforce: "pre",
    async resolveId(source, importer, options) {
      const resolved = await this.resolve(source, importer, { ...options, skipSelf: true });
      const { folder, name, file } = IN_A_PACKAGE.exec(resolved?.id ?? "")?.groups ?? {};
      if (!resolved || resolved.external || !folder || !name || !file) return resolved;
      return { ...resolved, id: takenFor(folder, name) + file };
    },
  };
}
