/** The prompt's window: a small popup-type window, or a tab where the browser has no windows (Firefox for Android). */
import type { SessionArea } from "./browser-session.ts";
import type { PromptWindow } from "./permissions.ts";

interface Place {
  readonly id?: number | undefined;
  readonly left?: number | undefined;
  readonly top?: number | undefined;
  readonly width?: number | undefined;
}

interface Removed {
  addListener(listener: (id: number) => void): void;
}

/** The part of `browser` that is used. */
export interface WindowingBrowser {
  readonly windows?:
    | {
        create(options: {
          readonly type: "popup";
          readonly url: string;
          readonly focused: boolean;
          readonly width: number;
          readonly height: number;
          readonly left?: number;
          readonly top?: number;
        }): Promise<Place>;
        get(id: number): Promise<Place>;
        getLastFocused(): Promise<Place>;
        update(id: number, change: { readonly focused: boolean }): Promise<Place>;
        remove(id: number): Promise<void>;
        readonly onRemoved: Removed;
      }
    | undefined;
  readonly tabs: {
    create(options: { readonly url: string; readonly active: boolean }): Promise<{ readonly id?: number | undefined }>;
    get(id: number): Promise<unknown>;
    update(id: number, change: { readonly active: boolean }): Promise<unknown>;
    remove(id: number): Promise<void>;
    readonly onRemoved: Removed;
  };
  readonly storage: { readonly session: SessionArea };
  readonly runtime: { getURL(path: string): string };
}

/** Where the id of the open window is kept, so that the next life of the worker knows it. */
const KEY = "promptWindow";
const PAGE = "/prompt.html";
/** Pixels. */
const WIDTH = 380;
const HEIGHT = 600;
const MARGIN = 16;

/** To be called synchronously when the worker starts: the news of a closed window may be what woke it. */
export function createPromptWindow(browser: WindowingBrowser): PromptWindow {
  const { windows, tabs, runtime } = browser;
  const { session } = browser.storage;
  let closedByPerson = (): void => {};
  /** Opening and closing wait for each other, so that two prompts never make two windows, or one none. */
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = (act: () => Promise<void>): Promise<void> => {
    const done = turn.then(act);
    turn = done.catch(() => {});
    return done;
  };

  const stored = async (): Promise<number | undefined> => {
    const { [KEY]: id } = await session.get(KEY);
    return typeof id === "number" ? id : undefined;
  };
  (windows ?? tabs).onRemoved.addListener(async (id) => {
    if ((await stored()) !== id) return;
    await session.remove(KEY);
    closedByPerson();
  });

  const openId = async (): Promise<number | undefined> => {
    const id = await stored();
    if (id === undefined) return undefined;
    try {
      await (windows ?? tabs).get(id);
      return id;
    } catch {
      return undefined;
    }
  };
  const create = async (): Promise<number | undefined> => {
    const url = runtime.getURL(PAGE);
    if (!windows) return (await tabs.create({ url, active: true })).id;
    const options = { type: "popup", url, focused: true, width: WIDTH, height: HEIGHT } as const;
    try {
      const { left, top, width } = await windows.getLastFocused();
      const place =
        left === undefined || top === undefined || width === undefined
          ? {}
          : { left: Math.max(0, left + width - WIDTH - MARGIN), top: Math.max(0, top + MARGIN) };
      return (await windows.create({ ...options, ...place })).id;
    } catch {
      // Browsers refuse places that are mostly off screen, such as those of a minimised window; theirs is good enough.
      return (await windows.create(options)).id;
    }
  };
  const openOrFocus = async (): Promise<void> => {
    const id = await openId();
    if (id !== undefined) {
      await (windows ? windows.update(id, { focused: true }) : tabs.update(id, { active: true }));
      return;
    }
    const created = await create();
    if (created !== undefined) await session.set({ [KEY]: created });
  };

  return {
    open: () => inTurn(openOrFocus),
    async isOpen() {
      return (await openId()) !== undefined;
    },
    close: () =>
      inTurn(async () => {
        const id = await openId();
        await session.remove(KEY);
        if (id !== undefined) await (windows ?? tabs).remove(id);
      }),
    onClosed(listener) {
      closedByPerson = listener;
    },
  };
}
