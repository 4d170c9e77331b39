import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");

/**
 * What each layer may import besides itself, `src/common` and `src/limits.ts`. Arrows point down; a layer that is
 * implemented elsewhere is reached through the types of its port only, which `:types` says.
 */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  common: [],
  segmentation: [],
  sds: [],
  "rate-limit": [],
  encryption: [],
  channel: ["segmentation", "sds", "rate-limit", "encryption"],
  messaging: ["channel:types"],
  storage: ["channel:types"],
  keys: ["channel", "encryption", "storage"],
  ui: ["channel:types", "keys", "messaging"],
  provider: ["channel:types", "keys", "messaging:types", "ui:types"],
  background: ["channel", "encryption", "keys", "messaging", "provider", "storage", "ui"],
  // `packages/reliable-channel`, for web developers: the contract of the extension, and in the mock the extension itself.
  package: ["provider:types"],
  mock: ["background", "channel:types", "keys", "messaging", "package", "provider", "storage", "ui:types"],
};

/** Constants that both sides of a border share count as part of the border. */
const SHARED = new Set(["src/ui/background-api.ts", "src/messaging/network-config.ts", "src/provider/provider-api.ts"]);

interface Import {
  readonly from: string;
  readonly to: string;
  readonly types: boolean;
}

const imports: readonly Import[] = ["src", "entrypoints", "packages"]
  .flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((p) => join(folder, p)),
  )
  .filter((path) => /\.(ts|svelte)$/.test(path) && !path.includes("/dist/"))
  .flatMap(importsOf);

function importsOf(from: string): Import[] {
  const text = readFileSync(join(ROOT, from), "utf8");
  return [...text.matchAll(/^\s*(?:import|export)\s(type\s)?(?:[^;"]*?from )?"(\.[^"]+)"/gm)].map(
    ([, types, to = ""]) => ({
      from,
      to: relative(ROOT, join(ROOT, dirname(from), to)),
      types: types !== undefined,
    }),
  );
}

/** The folder below `src`; a file directly in it, such as the limits, is a layer of its own. */
function layerOf(path: string): string {
  const [first = "", second = "", third = ""] = path.split("/");
  if (first === "packages") return third === "mock" ? "mock" : "package";
  return first === "src" ? second : first;
}

function isAllowed({ from, to, types }: Import): boolean {
  const [above, below] = [layerOf(from), layerOf(to)];
  const isOfExtension = below !== "package" && below !== "mock";
  if (above === below || (above === "entrypoints" && isOfExtension) || below === "common" || below === "limits.ts")
    return true;
  const allowed = LAYERS[above] ?? [];
  return allowed.includes(below) || (allowed.includes(`${below}:types`) && (types || SHARED.has(to)));
}

/** Every import that closes a circle, each once. */
function circles(): readonly string[] {
  const next = Map.groupBy(imports, ({ from }) => from);
  const done = new Set<string>();
  const path: string[] = [];
  const found: string[] = [];
  const visit = (file: string): void => {
    if (path.includes(file)) found.push([...path.slice(path.indexOf(file)), file].join(" → "));
    if (path.includes(file) || done.has(file)) return;
    path.push(file);
    for (const { to } of next.get(file) ?? []) visit(to);
    path.pop();
    done.add(file);
  };
  for (const file of next.keys()) visit(file);
  return found;
}

describe("the layers", () => {
  test("are all known", () => {
    expect(imports.length).toBeGreaterThan(300);
    const known = new Set([...Object.keys(LAYERS), "entrypoints", "limits.ts", "package.json"]);
    const layers = imports.flatMap(({ from, to }) => [layerOf(from), layerOf(to)]);
    expect(layers.filter((layer) => !known.has(layer))).toEqual([]);
  });

  test("import downwards only", () => {
    expect(imports.filter((each) => !isAllowed(each))).toEqual([]);
    const upwards = { from: "src/channel/reliable-channel.ts", to: "src/messaging/messaging-client.ts", types: true };
    expect(isAllowed(upwards)).toBe(false);
    const packaged = { from: "entrypoints/background.ts", to: "packages/reliable-channel/mock/index.ts", types: true };
    expect(isAllowed(packaged)).toBe(false);
  });

  test("have no circles of files, not even of types", () => {
    expect(circles()).toEqual([]);
  });

  test("that hold the protocol touch no clock, no chance, no browser and no network", () => {
    const ambient =
      /\b(Date\.now|new Date|Math\.random|performance\.|crypto\.|setTimeout|setInterval|indexedDB|navigator|chrome|browser)\b/;
    const core = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" }).filter(
      (path) => /^(segmentation|sds|rate-limit)\/.*\.ts$/.test(path) || path === "channel/send-state.ts",
    );
    const touching = core.flatMap((path) =>
      readFileSync(join(ROOT, "src", path), "utf8")
        .split("\n")
        .filter((line) => !/^\s*(\/?\*|\/\/)/.test(line) && ambient.test(line))
        .map((line) => `${path}: ${line.trim()}`),
    );
    expect(core.length).toBeGreaterThan(20);
    expect(touching).toEqual([]);
  });
});
