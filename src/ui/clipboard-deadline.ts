/** When a copied secret is to leave the clipboard: kept outside of the window that copied it, which may be gone by then. */

/** The key in `storage.session`: milliseconds since the Unix epoch. */
const KEY = "clipboardClearsAt";
/** Wakes the background at that time. */
export const CLIPBOARD_ALARM = "clipboard";

/** The part of `browser` that is used. */
export interface DeadlineBrowser {
  readonly storage: {
    readonly session: {
      get(key: string): Promise<Record<string, unknown>>;
      set(items: Record<string, unknown>): Promise<void>;
      remove(key: string): Promise<void>;
    };
  };
  readonly alarms: {
    create(name: string, info: { readonly when: number }): unknown;
    clear(name: string): Promise<unknown>;
  };
}

export interface ClipboardDeadline {
  /** Milliseconds since the Unix epoch; `undefined` where the clipboard holds nothing of ours. */
  get(): Promise<number | undefined>;
  set(at: number): Promise<void>;
  /** The clipboard holds nothing of ours any more. */
  clear(): Promise<void>;
}

export function clipboardDeadline({ storage: { session }, alarms }: DeadlineBrowser): ClipboardDeadline {
  return {
    async get() {
      const { [KEY]: at } = await session.get(KEY);
      return typeof at === "number" ? at : undefined;
    },
    async set(at) {
      alarms.create(CLIPBOARD_ALARM, { when: at });
      await session.set({ [KEY]: at });
    },
    async clear() {
      await Promise.all([alarms.clear(CLIPBOARD_ALARM), session.remove(KEY)]);
    },
  };
}
