import { beforeEach, describe, expect, test } from "vitest";
import { type ClearingBrowser, clearClipboardWhenDue } from "../../../src/background/clipboard-clearing.ts";
import { LIMITS } from "../../../src/limits.ts";
import {
  CLIPBOARD_CLEARED,
  type ClearingRuntime,
  clearClipboardOnRequest,
} from "../../../src/provider/clear-clipboard.ts";
import { CLIPBOARD_ALARM, clipboardDeadline } from "../../../src/ui/clipboard-deadline.ts";
import { FakeSession } from "../keys/vault-world.ts";

const { clipboardMs, clipboardRetryMs, clipboardTryMs } = LIMITS.ui;
type Listener = Parameters<ClearingRuntime["onMessage"]["addListener"]>[0];

describe("a copied secret whose window is gone", () => {
  let now: number;
  let content: string;
  let inFront: boolean;
  let tab: { readonly id?: number } | undefined;
  let alarm: number | undefined;
  let session: FakeSession;
  let browser: ClearingBrowser;
  let view: EventTarget;
  /** What is selected in the page, outside of its fields. */
  let selected: string;
  let told: unknown[];

  beforeEach(async () => {
    now = 1_000_000;
    content = "secret";
    inFront = true;
    tab = { id: 7 };
    alarm = undefined;
    session = new FakeSession();
    view = new EventTarget();
    selected = "";
    told = [];
    let listener: Listener | undefined;
    const runtime: ClearingRuntime = {
      onMessage: {
        addListener: (added) => {
          listener = added;
        },
      },
      sendMessage: async (message) => {
        told.push(message);
      },
    };
    clearClipboardOnRequest(
      runtime,
      async (text) => {
        if (!inFront) throw new Error("Document is not focused.");
        content = text;
      },
      Object.assign(view, {
        getSelection: () => ({ isCollapsed: selected === "", toString: () => selected }),
      }),
    );
    browser = {
      storage: { session },
      alarms: {
        create: (name, { when }) => {
          expect(name).toBe(CLIPBOARD_ALARM);
          alarm = when;
        },
        clear: async () => {
          alarm = undefined;
        },
      },
      tabs: {
        query: async () => (tab === undefined ? [] : [tab]),
        sendMessage: (id, message) => {
          expect(id).toBe(7);
          return new Promise((resolve, reject) => {
            if (listener?.(message, {}, resolve) !== true) reject(new Error("Receiving end does not exist."));
          });
        },
      },
    };
    await clipboardDeadline(browser).set(now + clipboardMs);
  });

  const due = async (after: number): Promise<void> => {
    now += after;
    await clearClipboardWhenDue(browser, { now: () => now });
  };

  test("is taken out by the page in front, at its time and not before", async () => {
    expect(alarm).toBe(now + clipboardMs);
    await due(1);
    expect([content, alarm]).toEqual(["secret", now - 1 + clipboardMs]);
    await due(clipboardMs);
    expect([content, alarm, session.items.size]).toEqual(["", undefined, 0]);
  });

  test.each([
    ["another application is in front", false, { id: 7 }],
    ["no window is open", true, undefined],
    ["the window in front is none of a site", true, {}],
  ])(
    "is tried again while %s, and given up when the clipboard holds something else by then",
    async (_, focused, front) => {
      inFront = focused;
      tab = front;
      await due(clipboardMs);
      expect([content, alarm]).toEqual(["secret", now + clipboardRetryMs]);
      await due(clipboardRetryMs);
      expect([content, alarm]).toEqual(["secret", now + clipboardRetryMs]);
      await due(clipboardTryMs);
      expect([content, alarm, session.items.size]).toEqual(["secret", undefined, 0]);
    },
  );

  /** What the person does in the page, or what the page pretends that they do. */
  async function happens(name: string, isTrusted = true, more: object = {}): Promise<void> {
    const event = new Event(name, { cancelable: true });
    for (const [key, value] of Object.entries({ isTrusted, ...more })) Object.defineProperty(event, key, { value });
    view.dispatchEvent(event);
    await new Promise(setImmediate);
  }

  test("is taken out at the person's next click in the page, where the page may not before", async () => {
    inFront = false;
    await due(clipboardMs);
    inFront = true;
    await happens("pointerdown", false);
    expect(content).toBe("secret");
    await happens("pointerdown");
    expect([content, told]).toEqual(["", [CLIPBOARD_CLEARED]]);
    content = "something of the person's";
    await happens("pointerdown");
    expect(content).toBe("something of the person's");
  });

  test.each([
    ["copy", [CLIPBOARD_CLEARED]],
    ["cut", [CLIPBOARD_CLEARED]],
    ["blur", []],
  ])("is left alone after a %s: what is there now may be something else", async (event, news) => {
    inFront = false;
    await due(clipboardMs);
    inFront = true;
    selected = content = "something of the person's";
    await happens(event);
    await happens("pointerdown");
    expect([content, told]).toEqual(["something of the person's", news]);
  });

  const field = (selectionStart: number, selectionEnd: number) => ({
    composedPath: () => [Object.assign(new EventTarget(), { selectionStart, selectionEnd })],
  });
  const data = (...types: readonly string[]) => ({ clipboardData: { types } });

  test.each([
    ["copy", "in the page", {}],
    ["cut", "in the page", {}],
    ["copy", "in the field that has the cursor", field(3, 3)],
    ["copy", "and the page lets nothing be copied", { defaultPrevented: true, ...data() }],
    ["copy", "and the page copies nothing of its own", data()],
  ])("stays due after a %s where nothing is selected %s: it is still there", async (name, _, more) => {
    inFront = false;
    await due(clipboardMs);
    inFront = true;
    await happens(name, true, more);
    expect([content, told]).toEqual(["secret", []]);
    await happens("pointerdown");
    expect([content, told]).toEqual(["", [CLIPBOARD_CLEARED]]);
  });

  test.each([
    ["is selected in a field", field(1, 4)],
    ["the page copies of its own", { defaultPrevented: true, ...data("text/plain") }],
  ])("is left alone after a copy of what %s", async (_, more) => {
    inFront = false;
    await due(clipboardMs);
    inFront = true;
    content = "something of the person's";
    await happens("copy", true, more);
    await happens("pointerdown");
    expect([content, told]).toEqual(["something of the person's", [CLIPBOARD_CLEARED]]);
  });

  test("stays due where a field has the cursor and something is selected elsewhere: that is not what is copied", async () => {
    inFront = false;
    await due(clipboardMs);
    inFront = true;
    selected = "a headline";
    await happens("copy", true, field(0, 0));
    await happens("pointerdown");
    expect(content).toBe("");
  });

  test("is nothing to an alarm of which nobody knows why", async () => {
    session.items.clear();
    content = "something of the person's";
    await due(clipboardMs);
    expect(content).toBe("something of the person's");
    session.items.set("clipboardClearsAt", "soon");
    await due(clipboardMs);
    expect(content).toBe("something of the person's");
  });

  test("is nothing that another message clears", async () => {
    await expect(browser.tabs.sendMessage(7, "clear everything")).rejects.toThrow();
    expect(content).toBe("secret");
  });
});
