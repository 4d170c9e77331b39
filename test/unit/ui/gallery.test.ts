import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { SHOTS } from "../../../dev/gallery/shots.ts";
import { VIEWS } from "../../../dev/gallery/views.ts";

const ROOT = join(import.meta.dirname, "../../..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const svelte = (folder: string): readonly string[] =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith(".svelte"))
    .map((name) => join(folder, name));

const POPUP = svelte("entrypoints/popup");
const SHARED = svelte("src/ui/components");
const testids: ReadonlySet<string> = new Set(Object.values(VIEWS));
const named = (source: string): readonly string[] =>
  [...source.matchAll(/\btestid="([\w-]+)"/g)].map(([, id = ""]) => id);

describe("the list of views that are drawn", () => {
  it("has every view of the popup", () => {
    const views = POPUP.filter((path) => path.endsWith("View.svelte"));
    expect(views.length).toBeGreaterThan(10);
    expect(views.filter((path) => !named(read(path)).some((id) => testids.has(id)))).toEqual([]);
  });

  it("has every dialog, by its title", () => {
    const titles = [...POPUP, ...SHARED].flatMap((path) =>
      [...read(path).matchAll(/<ConfirmDialog\s+title=\{t\("(\w+)"/g)].map(([, title = ""]) => `dialog ${title}`),
    );
    const uses = [...POPUP, ...SHARED].flatMap((path) => [...read(path).matchAll(/<ConfirmDialog\b/g)]);
    expect(titles).toHaveLength(uses.length);
    expect(titles.toSorted()).toEqual(Object.keys(VIEWS).filter((view) => view.startsWith("dialog ")));
  });

  it("has every state of the prompt", () => {
    const states = ["entrypoints/prompt/App.svelte", "src/ui/components/PromptCard.svelte"].flatMap((path) =>
      // What is there in some states only, and is no word, button or frame in another one.
      [...read(path).matchAll(/<(?:div|p)\b[^>]*data-testid="([\w-]+)"/g)].map(([, id = ""]) => id),
    );
    const everywhere = ["prompt-window", "prompt-origin"];
    expect(states.filter((id) => !testids.has(id) && !everywhere.includes(id))).toEqual([]);
    expect(states).toContain("prompt-expired");
  });

  it("names nothing that is not there", () => {
    const there = new Set([...POPUP, ...SHARED, "entrypoints/prompt/App.svelte"].flatMap((path) => named(read(path))));
    expect(Object.entries(VIEWS).filter(([, id]) => !there.has(id))).toEqual([]);
  });

  it("has a picture of each, and each picture a name of its own", () => {
    const drawn = new Set(SHOTS.flatMap(({ shows }) => shows));
    expect(Object.keys(VIEWS).filter((view) => !drawn.has(view as keyof typeof VIEWS))).toEqual([]);
    expect(new Set(SHOTS.map(({ name }) => name)).size).toBe(SHOTS.length);
    expect(SHOTS.filter(({ shows }) => shows.length === 0)).toEqual([]);
  });
});
