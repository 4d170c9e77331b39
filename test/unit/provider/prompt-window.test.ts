import { describe, expect, test } from "vitest";
import { browserSession } from "../../../src/provider/browser-session.ts";
import { createPromptWindow, type WindowingBrowser } from "../../../src/provider/prompt-window.ts";

class FakeBrowser implements WindowingBrowser {
  readonly open = new Map<number, object>();
  readonly created: object[] = [];
  readonly focused: number[] = [];
  refusesPlaces = false;
  lastFocused = { left: 100, top: 50, width: 1200 };
  #nextId = 1;
  readonly #removed: ((id: number) => void)[] = [];
  #session: Record<string, unknown> = {};

  readonly #views = {
    create: async (options: object) => {
      if (this.refusesPlaces && "left" in options) throw new Error("Invalid value for bounds.");
      const id = this.#nextId++;
      this.open.set(id, options);
      this.created.push(options);
      return { id };
    },
    get: async (id: number) => {
      if (!this.open.has(id)) throw new Error(`No window with id: ${id}.`);
      return { id };
    },
    update: async (id: number) => {
      this.focused.push(id);
      return { id };
    },
    remove: async (id: number) => this.close(id),
    onRemoved: { addListener: (listener: (id: number) => void) => void this.#removed.push(listener) },
  };

  windows: WindowingBrowser["windows"] = { ...this.#views, getLastFocused: async () => this.lastFocused };
  readonly tabs = this.#views;
  readonly storage = {
    session: {
      get: async (key: string) => ({ [key]: this.#session[key] }),
      set: async (items: Record<string, unknown>) => void Object.assign(this.#session, items),
      remove: async (key: string) => void delete this.#session[key],
    },
  };
  readonly runtime = { getURL: (path: string) => `chrome-extension://id${path}` };

  close(id: number): void {
    this.open.delete(id);
    for (const listener of this.#removed) listener(id);
  }
}

const settle = () => new Promise<void>((resolve) => void setImmediate(resolve));

describe("the prompt window", () => {
  test("opens once, at the side of the window in use, and comes to the front the next time", async () => {
    const browser = new FakeBrowser();
    const window = createPromptWindow(browser);
    await Promise.all([window.open(), window.open(), window.open()]);
    expect(browser.created).toEqual([
      {
        type: "popup",
        url: "chrome-extension://id/prompt.html",
        focused: true,
        width: 380,
        height: 600,
        left: 904,
        top: 66,
      },
    ]);
    expect(browser.focused).toEqual([1, 1]);
    expect(await window.isOpen()).toBe(true);
  });

  test("stays on screen: never left of or above it, and without a place where the browser refuses one", async () => {
    const browser = new FakeBrowser();
    browser.lastFocused = { left: -32_000, top: -32_000, width: 160 };
    await createPromptWindow(browser).open();
    expect(browser.created[0]).toMatchObject({ left: 0, top: 0 });
    const strict = new FakeBrowser();
    strict.refusesPlaces = true;
    await createPromptWindow(strict).open();
    expect(strict.created[0]).not.toHaveProperty("left");
  });

  test("a window that the person closed is told, also to the next life of the worker; others are not", async () => {
    const browser = new FakeBrowser();
    await createPromptWindow(browser).open();
    const later = createPromptWindow(browser);
    let closed = 0;
    later.onClosed(() => {
      closed++;
    });
    browser.close(77);
    await settle();
    expect(closed).toBe(0);
    expect(await later.isOpen()).toBe(true);
    browser.close(1);
    await settle();
    expect(closed).toBe(1);
    expect(await later.isOpen()).toBe(false);
  });

  test("closing it ourselves is no news, and the next prompt opens a new one", async () => {
    const browser = new FakeBrowser();
    const window = createPromptWindow(browser);
    let closed = 0;
    window.onClosed(() => {
      closed++;
    });
    const opened = window.open();
    const closing = window.close();
    const again = window.open();
    await Promise.all([opened, closing, again]);
    await settle();
    expect(closed).toBe(0);
    expect([...browser.open.keys()]).toEqual([2]);
  });

  test("without windows it is a tab", async () => {
    const browser = new FakeBrowser();
    browser.windows = undefined;
    const window = createPromptWindow(browser);
    await window.open();
    await window.open();
    expect(browser.created).toEqual([{ url: "chrome-extension://id/prompt.html", active: true }]);
    expect(browser.focused).toEqual([1]);
  });

  test("the browser session has one name until its storage is gone", async () => {
    const { session } = new FakeBrowser().storage;
    const first = await browserSession(session, () => "one");
    expect(await browserSession(session, () => "two")).toBe(first);
    expect(await browserSession(new FakeBrowser().storage.session, () => "two")).toBe("two");
  });
});
