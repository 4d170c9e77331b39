/** A page of the extension at whose port a test sits: it sees each command, and answers when it wants to, or never. */
import type { Page } from "playwright-core";
import type { UiAnswer, UiCommand, UiCommandFrame, UiSnapshot } from "../../src/ui/background-api.ts";

interface Script {
  readonly commands: UiCommandFrame[];
  tell(frame: UiSnapshot | UiAnswer): void;
}

/** What functions given to `evaluate` see in the page: the script, and the browser. */
declare const scripted: Script;
declare const chrome: { readonly storage: { readonly session: { clear(): Promise<void> } } };

/** Runs in the page before its scripts. */
function sitAtPort(snapshot: UiSnapshot): void {
  const listeners: ((frame: unknown) => void)[] = [];
  const script: Script = {
    commands: [],
    tell(frame) {
      for (const listener of listeners) listener(frame);
    },
  };
  Object.assign(globalThis, { scripted: script });
  const connect = (): unknown => {
    setTimeout(() => script.tell(snapshot));
    return {
      name: "ui",
      onMessage: { addListener: (listener: (frame: unknown) => void) => listeners.push(listener) },
      onDisconnect: { addListener: () => undefined },
      postMessage: (frame: UiCommandFrame) => script.commands.push(frame),
      disconnect: () => undefined,
    };
  };
  const api: unknown = Reflect.get(globalThis, "chrome");
  const runtime: unknown = typeof api === "object" && api !== null ? Reflect.get(api, "runtime") : undefined;
  if (typeof runtime === "object" && runtime !== null) {
    Object.defineProperty(runtime, "connect", { value: connect, configurable: true });
  }
}

export class ScriptedBackground {
  readonly #page: Page;

  private constructor(page: Page) {
    this.#page = page;
  }

  /** Opens the address in `page`, which sees `snapshot` first. */
  static async open(page: Page, url: string, snapshot: UiSnapshot): Promise<ScriptedBackground> {
    const script = await page.addInitScript(sitAtPort, snapshot);
    await page.goto(url);
    // It begins where it always begins, and not where the test before left it.
    await page.evaluate(() => chrome.storage.session.clear());
    await page.reload();
    await script.dispose();
    await page.getByTestId("skeleton").waitFor({ state: "detached" });
    return new ScriptedBackground(page);
  }

  async tell(snapshot: UiSnapshot): Promise<void> {
    await this.#page.evaluate((frame) => scripted.tell(frame), snapshot);
  }

  /** The id of the page's first such command, once it has come; with `text`, of the first that has it. */
  async asked(type: UiCommand["type"], text?: string): Promise<number> {
    const found = await this.#page.waitForFunction(
      ([type, text]) =>
        scripted.commands.find(
          ({ command }) =>
            command.type === type && (text === undefined || ("text" in command && command.text === text)),
        ),
      [type, text] as const,
    );
    const frame = await found.jsonValue();
    if (frame === undefined) throw new Error(`no ${type} came`);
    return frame.id;
  }

  async answer(id: number, came: Pick<UiAnswer, "value" | "error">): Promise<void> {
    await this.#page.evaluate((frame) => scripted.tell(frame), { type: "answer", id, ...came } satisfies UiAnswer);
  }
}
