/** Chromium profiles with the built extension, driven as a person drives them. */
import { access, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, type CDPSession, chromium, type Locator, type Page } from "playwright-core";
import type { NetworkConfig } from "../../src/messaging/network-config.ts";
import { NETWORK_SETTING } from "../../src/messaging/network-config.ts";
import type { ConnectionStatus } from "../../src/provider/provider-api.ts";
import type { PromptDecision, UiAnswer, UiSnapshot } from "../../src/ui/background-api.ts";
import { UI_PORT } from "../../src/ui/background-api.ts";

/** What extension pages see of the browser: functions given to `evaluate` run there. */
declare const chrome: {
  readonly action: { getBadgeText(details: Record<never, never>): Promise<string> };
  readonly storage: { readonly local: { set(items: Readonly<Record<string, unknown>>): Promise<void> } };
  readonly runtime: { connect(info: { readonly name: string }): UiConnection };
};
interface UiConnection {
  readonly onMessage: { addListener(listener: (frame: UiSnapshot | UiAnswer) => void): void };
  readonly onDisconnect: { addListener(listener: () => void): void };
  disconnect(): void;
}

export const CHROMIUM_BUILD = join(import.meta.dirname, "../../.output/chrome-mv3");

/** Milliseconds that a page, a window or a worker may take to appear: generous, since two cores may be shared. */
const APPEAR_MS = 30_000;

/** CSS pixels that the background gives the approval window. */
const PROMPT_SIZE = { width: 380, height: 600 };

/** The button of the prompt that gives each answer. */
const PROMPT_BUTTONS: Readonly<Record<PromptDecision, string>> = {
  always: "prompt-always",
  once: "prompt-once",
  reject: "prompt-reject",
  block: "prompt-block",
};

export interface ProfileOptions {
  /** Default: true. Without it the browser is one that never heard of the extension. */
  readonly extension?: boolean;
  readonly headless?: boolean;
  /** Extra arguments for Chromium, such as the window's place. */
  readonly args?: readonly string[];
}

/** The executable that the scripts found, or Debian's. */
export function chromiumPath(): string {
  const chosen = process.env["CHROMIUM_PATH"];
  return chosen === undefined || chosen === "" ? "/usr/bin/chromium" : chosen;
}

/** A Chromium on the profile in `directory`, with the extension or without. */
function launchChromium(directory: string, options: ProfileOptions): Promise<BrowserContext> {
  const windowed = options.headless === false;
  return chromium.launchPersistentContext(directory, {
    executablePath: chromiumPath(),
    headless: !windowed,
    // A window that a person looks at has the size and the colours that the person gives it.
    viewport: windowed ? null : { width: 1000, height: 760 },
    colorScheme: windowed ? null : "light",
    // Nobody who looks at the window needs to read that a program opened it.
    ignoreDefaultArgs: windowed ? ["--enable-automation"] : [],
    // The caller ends the browser on a signal, so that the temporary profile goes with it.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
    args: [
      // Chromium refuses its sandbox to root, which is who runs tests in containers.
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
      ...((options.extension ?? true)
        ? [`--disable-extensions-except=${CHROMIUM_BUILD}`, `--load-extension=${CHROMIUM_BUILD}`]
        : []),
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
      ...(options.args ?? []),
    ],
  });
}

/** Presses what closes its own window, perhaps before the driver has heard that it was pressed. */
export async function clickAndClose(button: Locator): Promise<void> {
  const page = button.page();
  const closed = page.waitForEvent("close", { timeout: APPEAR_MS });
  const clicked = button.click().catch((error: unknown) => {
    if (!page.isClosed()) throw error;
  });
  await Promise.all([closed, clicked]);
}

/** Presses what saves a file; gives the file as it lies on the disk. */
export async function savedFile(button: Locator): Promise<{ readonly name: string; readonly bytes: Buffer }> {
  const downloading = button.page().waitForEvent("download");
  await button.click();
  const download = await downloading;
  return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
}

/** Presses what opens the browser's own dialogue, and chooses a file there. */
export async function chooseFile(
  button: Locator,
  file: { readonly name: string; readonly mimeType: string; readonly buffer: Buffer },
): Promise<void> {
  const choosing = button.page().waitForEvent("filechooser");
  await button.click();
  await (await choosing).setFiles(file);
}

export class ChromiumProfile implements AsyncDisposable {
  readonly #directory: string;
  readonly #options: ProfileOptions;
  readonly #extensionId: string | undefined;
  #context: BrowserContext;

  private constructor(directory: string, options: ProfileOptions, context: BrowserContext, extensionId?: string) {
    this.#directory = directory;
    this.#options = options;
    this.#context = context;
    this.#extensionId = extensionId;
  }

  /** Starts Chromium with a new profile in the temporary folder. */
  static async launch(options: ProfileOptions = {}): Promise<ChromiumProfile> {
    const withExtension = options.extension ?? true;
    if (withExtension) {
      await access(join(CHROMIUM_BUILD, "manifest.json")).catch((cause: unknown) => {
        throw new Error("The Chromium build is missing: run `npm run build` first.", { cause });
      });
    }
    const directory = await mkdtemp(join(tmpdir(), "reliable-channel-chromium-"));
    let context: BrowserContext | undefined;
    try {
      context = await launchChromium(directory, options);
      if (!withExtension) return new ChromiumProfile(directory, options, context);
      const worker =
        context.serviceWorkers()[0] ?? (await context.waitForEvent("serviceworker", { timeout: APPEAR_MS }));
      return new ChromiumProfile(directory, options, context, new URL(worker.url()).host);
    } catch (error) {
      await context?.close();
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** The running browser; another one after `restart`. */
  get context(): BrowserContext {
    return this.#context;
  }

  get #windowed(): boolean {
    return this.#options.headless === false;
  }

  /** Closes the browser and opens it again on the same profile; its pages are gone. */
  async restart(): Promise<void> {
    await this.#context.close();
    this.#context = await launchChromium(this.#directory, this.#options);
  }

  /** Closes the browser, so that `read` sees its profile as it lies on the disk, and opens it again. */
  async atRest<T>(read: (directory: string) => Promise<T>): Promise<T> {
    await this.#context.close();
    try {
      return await read(this.#directory);
    } finally {
      this.#context = await launchChromium(this.#directory, this.#options);
    }
  }

  get extensionId(): string {
    if (this.#extensionId === undefined) throw new Error("This profile has no extension");
    return this.#extensionId;
  }

  /** Uses an extension page that runs no script of ours: settings and worker control go through it. */
  async #control<T>(use: (page: Page) => Promise<T>): Promise<T> {
    const page = await this.context.newPage();
    try {
      await page.goto(`chrome-extension://${this.extensionId}/manifest.json`);
      return await use(page);
    } finally {
      await page.close();
    }
  }

  /** A new tab on `url`, loaded. */
  async open(url: string): Promise<Page> {
    // A window that a person looks at starts with an empty tab: it is the one to use.
    const empty = this.#windowed ? this.context.pages().find((page) => page.url() === "about:blank") : undefined;
    const page = empty ?? (await this.context.newPage());
    await page.goto(url);
    return page;
  }

  /** The popup in a tab of its own, at the size that the toolbar gives it. */
  async openPopup(): Promise<Page> {
    const page = await this.context.newPage();
    await page.setViewportSize({ width: 380, height: 600 });
    await page.goto(`chrome-extension://${this.extensionId}/popup.html`);
    return page;
  }

  /** Chooses the network and waits until the node has connected to it. */
  async setNetwork(config: NetworkConfig): Promise<void> {
    await this.#control((page) =>
      page.evaluate(([key, value]) => chrome.storage.local.set({ [key]: value }), [NETWORK_SETTING, config] as const),
    );
    await this.waitForNetwork("Connected");
  }

  /** Waits until the background reports `status` for the network that is set. */
  async waitForNetwork(status: ConnectionStatus): Promise<void> {
    await this.#control((page) =>
      page.evaluate(
        ([port, wanted, limit]) =>
          new Promise<void>((resolve, reject) => {
            let last = "nothing";
            const timer = setTimeout(() => reject(new Error(`The network is not ${wanted}: ${last}`)), limit);
            const listen = (): void => {
              const connection = chrome.runtime.connect({ name: port });
              connection.onMessage.addListener((frame) => {
                if (frame.type !== "snapshot") return;
                last = JSON.stringify(frame.network);
                if (frame.network.status !== wanted) return;
                clearTimeout(timer);
                connection.disconnect();
                resolve();
              });
              connection.onDisconnect.addListener(listen);
            };
            listen();
          }),
        [UI_PORT, status, APPEAR_MS] as const,
      ),
    );
  }

  /** What the background tells its own pages, once. */
  snapshot(): Promise<UiSnapshot> {
    return this.#control((page) =>
      page.evaluate(
        (port) =>
          new Promise<UiSnapshot>((resolve, reject) => {
            const connection = chrome.runtime.connect({ name: port });
            connection.onDisconnect.addListener(() => reject(new Error("The background went away")));
            connection.onMessage.addListener((frame) => {
              if (frame.type !== "snapshot") return;
              connection.disconnect();
              resolve(frame);
            });
          }),
        UI_PORT,
      ),
    );
  }

  /** What the extension's button shows. */
  badge(): Promise<string> {
    return this.#control((page) => page.evaluate(() => chrome.action.getBadgeText({})));
  }

  /** Stops the service worker at whatever instruction it is, and waits until it is gone. */
  killWorker(): Promise<void> {
    return this.#control(async (page) => {
      const session = await this.context.newCDPSession(page);
      await session.send("ServiceWorker.enable");
      const stopped = this.#workerStopped(session);
      await session.send("ServiceWorker.stopAllWorkers");
      await stopped;
    });
  }

  #workerStopped(session: CDPSession): Promise<void> {
    const { extensionId } = this;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("The service worker did not stop")), APPEAR_MS);
      session.on("ServiceWorker.workerVersionUpdated", ({ versions }) => {
        const ours = versions.filter(({ scriptURL }) => scriptURL.includes(extensionId));
        if (ours.some(({ runningStatus }) => runningStatus === "stopped")) {
          clearTimeout(timer);
          resolve();
        }
      });
    });
  }

  /** The approval window, once it is open, whatever it shows. */
  async findPrompt(): Promise<Page> {
    const page = await this.#findPage(`chrome-extension://${this.extensionId}/prompt.html`);
    // Without a screen every page has the size of a site: give this one its own back.
    if (!this.#windowed) await page.setViewportSize(PROMPT_SIZE);
    return page;
  }

  /** The approval window, once it is open and takes an answer: its buttons wait a moment, against clicks by accident. */
  async waitForPrompt(): Promise<Page> {
    const page = await this.findPrompt();
    await page.getByTestId(PROMPT_BUTTONS.always).and(page.locator(":enabled")).waitFor({ timeout: APPEAR_MS });
    return page;
  }

  /** The page whose address starts with `prefix`: one that is open, or the first that opens. */
  async #findPage(prefix: string): Promise<Page> {
    const { context } = this;
    const found = Promise.withResolvers<Page>();
    // A window is announced before it has its address.
    const look = (page: Page): void => {
      page
        .waitForURL((url) => url.href.startsWith(prefix), { timeout: APPEAR_MS })
        .then(
          () => found.resolve(page),
          () => undefined,
        );
    };
    context.on("page", look);
    for (const page of context.pages()) look(page);
    const timer = setTimeout(() => found.reject(new Error(`No page opened at ${prefix}`)), APPEAR_MS);
    try {
      return await found.promise;
    } finally {
      clearTimeout(timer);
      context.off("page", look);
    }
  }

  /** Waits for the approval window and gives the person's answer; resolves when the window is closed. */
  async answerPrompt(decision: PromptDecision): Promise<void> {
    const page = await this.waitForPrompt();
    await clickAndClose(page.getByTestId(PROMPT_BUTTONS[decision]));
  }

  /** Ends the browser and removes its profile. */
  async close(): Promise<void> {
    await this.context.close();
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
