import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { takenCopies } from "../../../scripts/lib/one-copy.mjs";
import { ROOT } from "../../../scripts/lib/paths.mjs";

const A = "node_modules/a/node_modules/same";
const B = "node_modules/b/node_modules/same";
/** Two packages that bring one of their own each. */
const FOLDERS = {
  "": {},
  "node_modules/a": { integrity: "a" },
  [A]: { integrity: "same" },
  "node_modules/b": { integrity: "b" },
  [B]: { integrity: "same" },
};

test("of packages with the same contents the first is taken", () => {
  expect([...takenCopies(FOLDERS)]).toEqual([[B, A]]);
});

test("one with other contents, or none that are known, is left alone", () => {
  expect([...takenCopies({ ...FOLDERS, [B]: { integrity: "other" } })]).toEqual([]);
  expect([...takenCopies({ ...FOLDERS, [A]: {}, [B]: {} })]).toEqual([]);
});

test.each(["dependencies", "optionalDependencies", "peerDependencies"])(
  "they are the same only where their %s are, and what these depend on",
  (kind) => {
    const needy = { integrity: "same", [kind]: { helper: "*" } };
    const folders = (helper: object) => ({
      ...FOLDERS,
      [A]: needy,
      [B]: needy,
      "node_modules/helper": { integrity: "helper", dependencies: { deep: "*" } },
      "node_modules/deep": { integrity: "deep" },
      ...helper,
    });
    expect([...takenCopies(folders({}))]).toEqual([[B, A]]);
    const ofB = "node_modules/b/node_modules";
    const otherHelper = { [`${ofB}/helper`]: { integrity: "older" } };
    expect([...takenCopies(folders(otherHelper))]).toEqual([]);
    const otherDeep = {
      [`${ofB}/helper`]: { integrity: "helper", dependencies: { deep: "*" } },
      [`${ofB}/deep`]: { integrity: "older" },
    };
    expect([...takenCopies(folders(otherDeep))]).toEqual([]);
  },
);

test("what is the same in two places is looked at in both: what it finds from there may differ", () => {
  const helper = { integrity: "helper", dependencies: { deep: "*" } };
  const needy = { integrity: "same", dependencies: { q: "*", p: "*" } };
  const p = { integrity: "p", dependencies: { other: "*" } };
  const q = { integrity: "q", dependencies: { other: "*" } };
  const other = { integrity: "other", dependencies: { helper: "*" } };
  const ofB = "node_modules/b/node_modules/q";
  const folders = {
    ...FOLDERS,
    [A]: needy,
    [B]: needy,
    "node_modules/p": p,
    "node_modules/q": q,
    "node_modules/other": other,
    "node_modules/helper": helper,
    "node_modules/deep": { integrity: "deep" },
    [ofB]: q,
    [`${ofB}/node_modules/other`]: other,
    [`${ofB}/node_modules/other/node_modules/helper`]: helper,
    [`${ofB}/node_modules/other/node_modules/deep`]: { integrity: "older" },
  };
  expect([...takenCopies(folders)].map(([folder]) => folder)).not.toContain(B);
});

test("packages that depend on each other come to an end", () => {
  const circle = {
    "node_modules/x": { integrity: "x", dependencies: { y: "*" } },
    "node_modules/y": { integrity: "y", peerDependencies: { x: "*" } },
  };
  expect([...takenCopies({ ...FOLDERS, ...circle })]).toEqual([[B, A]]);
});

test("here it spares the background what several packages bring along", () => {
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const instead = [...takenCopies(packages)];
  expect(instead.map(([folder]) => folder)).toEqual(
    expect.arrayContaining([expect.stringMatching(/@waku\/core\/node_modules\/@noble\/hashes$/)]),
  );
  for (const [folder, first] of instead) expect(packages[folder].integrity).toBe(packages[first].integrity);
});
