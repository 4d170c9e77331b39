/** The package as it is published, and every example of the documentation, type-checked and run against it. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { buildPackage } from "../../../packages/reliable-channel/build.ts";
import {
  createMockNetwork,
  type MockNetwork,
  type MockProvider,
} from "../../../packages/reliable-channel/mock/index.ts";
import { utf8 } from "../../../src/common/bytes.ts";
import * as contract from "../../../src/provider/provider-api.ts";
import { type Example, examplesOf } from "../../support/markdown-examples.ts";

const BUILD_MS = 60_000;
const PACKAGE = join(import.meta.dirname, "../../../packages/reliable-channel");
const TEA = { channelId: "tea", contentTopic: "/tea/1/chat/proto" } as const;

const PAGES = ["README", "connect", "send", "receive", "errors", "limits", "testing"].map(
  (name) => `docs/developers/${name}.md`,
);
const TESTING = "docs/developers/testing.md";
const EXAMPLES = [...PAGES, "docs/encryption.md", "packages/reliable-channel/README.md", "README.md"].flatMap(
  examplesOf,
);
const TYPED = EXAMPLES.filter(({ language }) => language === "ts");

/** What examples say on the console, where they have this code. */
const SAID: readonly { readonly where: string; readonly what: RegExp }[] = [
  { where: "found.info.name", what: /^Reliable Channel \(mock\) 1\.0$/m },
  { where: "room.senderId", what: /^[\da-f-]{36}$/m },
  { where: "first === again", what: /^true$/m },
  { where: '"progress"', what: /^out [\da-f-]{36} 100 %$/m },
  { where: "replayed ?", what: /^just now$/m },
  { where: "tea.on", what: /^[\da-f-]{36} Lovely$/m },
  { where: '"somebody has"', what: /^[\da-f-]{36} Lovely$(.|\n)*^somebody has [\da-f-]{36}$/m },
  { where: "maxMessageBytes", what: /^\d+$/m },
];

/** What the examples use without saying where it comes from. */
const GLOBALS = `
import type { ReliableChannel, ReliableChannelProvider } from "reliable-channel";
declare global {
  const provider: ReliableChannelProvider;
  const channel: ReliableChannel;
  const button: HTMLButtonElement;
  const key: CryptoKey;
  function save(senderId: string, message: Uint8Array): Promise<void>;
}`;
const RUNNER_TYPES = `
declare module "test-runner" {
  export function test(name: string, run: () => Promise<void>): void;
  export function expect(value: unknown): { toBe(expected: unknown): void; toEqual(expected: unknown): void };
}`;
/** Vitest's own `test` may not be called within a test. */
const RUNNER = `
export const test = (name, run) => globalThis.collected.push(run);
export const expect = (value) => globalThis.expectation(value);`;

/** Wrong in its second and third line, and only there. */
const WRONG = [
  'import type { ReliableChannel } from "reliable-channel";',
  'export const wrong = (channel: ReliableChannel) => channel.on("reliable:message:arrived", () => {});',
  'export const deleting = window.reliableChannel?.connect({ scopes: ["channel:delete"] });',
  'export const right = (channel: ReliableChannel) => channel.on("progress", ({ done }) => done.toFixed());',
];

/** A site's folder, with the package installed. */
const site = mkdtempSync(join(tmpdir(), "reliable-channel-site-"));
const installed = join(site, "node_modules/reliable-channel");

let problems: readonly Problem[];

beforeAll(async () => {
  mkdirSync(join(site, "node_modules/test-runner"), { recursive: true });
  await buildPackage(join(installed, "dist"));
  writeFileSync(join(installed, "package.json"), readFileSync(join(PACKAGE, "package.json")));
  writeFileSync(join(site, "package.json"), JSON.stringify({ type: "module" }));
  writeFileSync(
    join(site, "node_modules/test-runner/package.json"),
    JSON.stringify({ type: "module", main: "index.js" }),
  );
  writeFileSync(join(site, "node_modules/test-runner/index.js"), RUNNER);
  const examples = TYPED.map((example) => [fileOf(example), onRunner(example.code)]);
  problems = typeCheck({
    "globals.d.ts": GLOBALS,
    "test-runner.d.ts": RUNNER_TYPES,
    "wrong.ts": WRONG.join("\n"),
    ...Object.fromEntries(examples),
  });
}, BUILD_MS);

afterAll(() => rmSync(site, { recursive: true, force: true }));

interface Problem {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** What TypeScript has to say about the site, the package's declarations included. */
function typeCheck(files: Readonly<Record<string, string>>): readonly Problem[] {
  const names = Object.entries(files).map(([name, code]) => {
    writeFileSync(join(site, name), code);
    return join(site, name);
  });
  const program = ts.createProgram(names, {
    lib: ["es2022", "dom", "dom.iterable"].map((lib) => `lib.${lib}.d.ts`),
    types: [],
    target: ts.ScriptTarget.ES2024,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    moduleDetection: ts.ModuleDetectionKind.Force,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipDefaultLibCheck: true,
    noEmit: true,
  });
  return ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => ({
    file: relative(site, file?.fileName ?? site),
    line: file ? file.getLineAndCharacterOfPosition(start).line + 1 : 0,
    message: ts.flattenDiagnosticMessageText(messageText, "\n"),
  }));
}

describe("the package", () => {
  test("has the version of the extension, no dependencies, and what it exports", () => {
    const read = (folder: string) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const { version, exports, files, ...rest } = read(PACKAGE);
    expect(version).toBe(read(join(PACKAGE, "../..")).version);
    expect(Object.keys(rest).filter((key) => /dependencies/i.test(key))).toEqual([]);
    expect(files).toEqual(["dist"]);
    for (const { types, default: script } of Object.values<Record<string, string>>(exports)) {
      for (const file of [types, script]) expect(readFileSync(join(installed, file ?? ""), "utf8")).not.toBe("");
    }
  });

  test("needs nothing outside of itself, neither to run nor to be type-checked", () => {
    const imported = ts.sys
      .readDirectory(join(installed, "dist"), [".js", ".d.ts"])
      .flatMap((file) =>
        ts.preProcessFile(readFileSync(file, "utf8"), true, true).importedFiles.map(({ fileName }) => fileName),
      );
    expect(imported.length).toBeGreaterThan(5);
    expect(imported.filter((name) => !/^\.{1,2}\/[\w./-]+\.js$/.test(name))).toEqual([]);
    expect(imported.filter((name) => builtinModules.includes(name))).toEqual([]);
  });

  test("has its licences, and those of what is bundled in the mock", () => {
    const read = (file: string) => readFileSync(join(installed, "dist", file), "utf8");
    for (const licence of ["LICENSE-MIT", "LICENSE-APACHE"]) {
      expect(read(licence)).toBe(readFileSync(join(PACKAGE, "../..", licence), "utf8"));
    }
    expect(read("LICENSES-OF-BUNDLED-PACKAGES.txt")).toMatch(/^@noble\/ciphers\n\nThe MIT License/m);
  });

  test("gives the contract's error codes and types, and refuses what the contract does", async () => {
    const { ErrorCode } = await run("codes.ts", 'export { ErrorCode } from "reliable-channel";');
    expect(ErrorCode).toEqual(contract.ErrorCode);
    expect(problems.filter(({ file }) => file === "wrong.ts").map(({ line }) => line)).toEqual([2, 3]);
  });
});

/** Runs a module of the site. */
async function run(name: string, code: string): Promise<Record<string, unknown>> {
  const compilerOptions: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2024,
    module: ts.ModuleKind.ESNext,
    moduleDetection: ts.ModuleDetectionKind.Force,
  };
  const file = join(site, name.replace(/\.\w+$/, ".mjs"));
  writeFileSync(file, ts.transpileModule(code, { compilerOptions }).outputText);
  return import(/* @vite-ignore */ pathToFileURL(file).href);
}

const onRunner = (code: string): string => code.replaceAll('from "vitest"', 'from "test-runner"');
const fileOf = ({ name }: Example): string => `${name.replaceAll(/\W+/g, "-")}.ts`;

describe("the documentation", () => {
  let network: MockNetwork;
  let alice: MockProvider;
  let said: string[];

  beforeEach(async () => {
    network = createMockNetwork();
    alice = network.createProvider();
    const bob = await network.createProvider().provider.createReliableChannel(TEA);
    bob.once("reliable:message:received", () => void bob.send(utf8("Lovely")));
    said = [];
    vi.spyOn(console, "log").mockImplementation((...words) => void said.push(words.join(" ")));
    vi.stubGlobal("window", Object.assign(new EventTarget(), { reliableChannel: alice.provider }));
    vi.stubGlobal("provider", alice.provider);
    vi.stubGlobal("save", async () => {});
    vi.stubGlobal(
      "key",
      await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]),
    );
  });

  afterEach(async () => {
    await network.close();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  test("has examples on every page", () => {
    for (const page of PAGES) expect(examplesOf(page), page).not.toEqual([]);
    expect(new Set(EXAMPLES.map(({ language }) => language))).toEqual(new Set(["ts", "html", "js", "sh"]));
  });

  test("has examples that are well-typed", () => {
    expect(TYPED.length).toBeGreaterThan(15);
    expect(problems.filter(({ file }) => file !== "wrong.ts")).toEqual([]);
  });

  test.each(named(EXAMPLES.filter(({ page, language }) => page !== TESTING && ["ts", "js"].includes(language))))(
    "%s runs",
    async (_, example) => {
      let click: () => unknown = () => {};
      const addEventListener = (_: string, listener: () => unknown): void => {
        click = listener;
      };
      vi.stubGlobal("button", { hidden: false, addEventListener });
      if (!/connect\(|createReliableChannel\(/.test(example.code)) {
        vi.stubGlobal("channel", await alice.provider.createReliableChannel(TEA));
      }
      await run(fileOf(example), example.code);
      await click();
      // Not every example opens the channel, and those that do may have a mode of their own.
      const isOpen = await alice.provider.channelExists("tea").catch(() => false);
      if (!isOpen) await alice.provider.createReliableChannel(TEA);
      await alice.provider.send("tea", utf8("Is it ready?"));
      await network.advance(60_000);
      for (const { where, what } of SAID) {
        if (example.code.includes(where)) expect(said.join("\n")).toMatch(what);
      }
    },
  );

  test.each(named(EXAMPLES.filter(({ page }) => page === TESTING)))("%s is a test that passes", async (_, example) => {
    const collected: (() => Promise<void>)[] = [];
    vi.stubGlobal("collected", collected);
    vi.stubGlobal("expectation", expect);
    await run(fileOf(example), onRunner(example.code));
    expect(collected).not.toEqual([]);
    for (const passes of collected) await passes();
  });

  test.each(named(EXAMPLES.filter(({ language }) => language === "html")))(
    "%s is a page that works",
    async (_, example) => {
      const [, script = ""] = /<script type="module">(.*)<\/script>/s.exec(example.code) ?? [];
      /** Loads the page. */
      const load = async (): Promise<Readonly<Record<"button" | "form" | "input" | "ul", FakeElement>>> => {
        const elements = {
          button: new FakeElement(),
          form: new FakeElement(),
          input: new FakeElement(),
          ul: new FakeElement(),
        };
        const querySelector = (name: keyof typeof elements) => elements[name];
        vi.stubGlobal("document", { querySelector, createElement: () => new FakeElement() });
        vi.stubGlobal("window", { reliableChannel: alice.reload() });
        await run(`load-${alice.prompts}-${fileOf(example)}`, script);
        await network.advance(1_000);
        return elements;
      };
      const first = await load();
      alice.answer = "reject";
      await first.button.act();
      expect(first.ul.text).toEqual([expect.stringContaining("did not allow")]);
      alice.answer = "allow";
      await first.button.act();
      expect([first.button.hidden, first.form.hidden]).toEqual([true, false]);
      first.input.value = "The kettle is on";
      await first.form.act();
      await network.advance(60_000);
      expect(first.ul.text.slice(1)).toEqual(["You: The kettle is on ✓ ✓", "Lovely"]);

      const second = await load();
      expect([second.button.hidden, second.ul.text]).toEqual([true, []]);
      expect(alice.prompts).toBe(2);
      alice.fail("send", contract.ErrorCode.LimitExceeded, { message: "Too much" });
      second.input.value = "More?";
      await second.form.act();
      expect(second.ul.text).toEqual(["You: More? (Too much)"]);
    },
  );
});

function named(examples: readonly Example[]): (readonly [string, Example])[] {
  expect(examples).not.toEqual([]);
  return examples.map((example) => [example.name, example]);
}

/** As much of an element as the examples use. */
class FakeElement {
  textContent = "";
  value = "";
  hidden = false;
  readonly #children: (FakeElement | string)[] = [];
  #listener: (event: { preventDefault(): void }) => Promise<unknown> = async () => {};

  get text(): readonly string[] {
    return this.#children.map((child) =>
      typeof child === "string" ? child : [child.textContent, ...child.text].join(""),
    );
  }

  append(child: FakeElement | string): void {
    this.#children.push(child);
  }

  addEventListener(_: string, listener: (event: { preventDefault(): void }) => Promise<unknown>): void {
    this.#listener = listener;
  }

  reset(): void {}

  /** Somebody clicks or submits it. */
  async act(): Promise<void> {
    await this.#listener({ preventDefault: () => {} });
  }
}
