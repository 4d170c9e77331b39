import { beforeEach, describe, expect, it } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { LIMITS } from "../../../src/limits.ts";
import type { ClipboardDeadline } from "../../../src/ui/clipboard-deadline.ts";
import { SecretClipboard, type SecretClipboardView } from "../../../src/ui/secret-clipboard.ts";

describe("SecretClipboard", () => {
  let clock: VirtualClock;
  let content: string;
  let inFront: boolean;
  let at: number | undefined;
  let clipboard: SecretClipboard;
  let view: SecretClipboardView;

  beforeEach(() => {
    clock = new VirtualClock();
    content = "something of the person's";
    inFront = true;
    at = undefined;
    clipboard = open();
  });

  /** A window with the clipboard; `at` is what all of them share. */
  function open(): SecretClipboard {
    const deadline: ClipboardDeadline = {
      get: async () => at,
      set: async (next) => {
        at = next;
      },
      clear: async () => {
        at = undefined;
      },
    };
    const opened = new SecretClipboard(
      async (text) => {
        if (!inFront) throw new Error("Document is not focused.");
        content = text;
      },
      deadline,
      clock,
    );
    opened.subscribe((shown) => {
      view = shown;
    });
    return opened;
  }

  it("touches nothing before something is copied", async () => {
    await clock.advance(10 * LIMITS.ui.clipboardMs);
    await clipboard.focused();
    expect(content).toBe("something of the person's");
    expect(view.state).toBe("empty");
  });

  it("clears the clipboard a minute after copying, and counts down to it", async () => {
    await clipboard.copy("secret");
    expect(content).toBe("secret");
    expect(view).toEqual({ state: "holding", seconds: 60 });
    await clock.advance(LIMITS.ui.clipboardMs - 1_000);
    expect(view).toEqual({ state: "holding", seconds: 1 });
    expect(content).toBe("secret");
    await clock.advance(1_000);
    expect(content).toBe("");
    expect(view.state).toBe("cleared");
  });

  it("starts the minute anew when something is copied again", async () => {
    await clipboard.copy("first");
    await clock.advance(LIMITS.ui.clipboardMs - 1);
    await clipboard.copy("second");
    await clock.advance(LIMITS.ui.clipboardMs - 1);
    expect(content).toBe("second");
    await clock.advance(1);
    expect(content).toBe("");
  });

  it("clears as soon as its window is in front again, where the browser did not let it before", async () => {
    await clipboard.copy("secret");
    inFront = false;
    await clock.advance(LIMITS.ui.clipboardMs);
    expect(view.state).toBe("overdue");
    inFront = true;
    await clipboard.focused();
    expect(content).toBe("");
    expect(view.state).toBe("cleared");
  });

  it("leaves to others when it is due, until it is cleared", async () => {
    await clipboard.copy("secret");
    expect(at).toBe(clock.now() + LIMITS.ui.clipboardMs);
    await clock.advance(LIMITS.ui.clipboardMs);
    expect(at).toBeUndefined();
  });

  it("says when it is due before it copies: the window may be gone in between", async () => {
    const written: [string, number | undefined][] = [];
    const deadline: ClipboardDeadline = {
      get: async () => at,
      set: async (next) => {
        at = next;
      },
      clear: async () => {
        at = undefined;
      },
    };
    const watched = new SecretClipboard(
      async (text) => {
        written.push([text, at]);
      },
      deadline,
      clock,
    );
    await watched.copy("secret");
    expect(written).toEqual([["secret", clock.now() + LIMITS.ui.clipboardMs]]);
  });

  it("leaves an earlier secret its time where the next one cannot be copied", async () => {
    await clipboard.copy("secret");
    const due = at;
    await clock.advance(1_000);
    inFront = false;
    await clipboard.copy("another");
    expect([content, at, view.state]).toEqual(["secret", due, "failed"]);
  });

  it("takes up what an earlier window copied, and clears at once what is overdue", async () => {
    content = "secret";
    at = clock.now() + 1_000;
    await open().resume();
    expect(view).toEqual({ state: "holding", seconds: 1 });
    await clock.advance(1_000);
    expect([content, at, view.state]).toEqual(["", undefined, "cleared"]);

    content = "secret";
    at = clock.now() - 1;
    await open().resume();
    expect([content, at]).toEqual(["", undefined]);
  });

  it("touches nothing when it opens and nothing was copied", async () => {
    await open().resume();
    await clock.advance(2 * LIMITS.ui.clipboardMs);
    expect([content, view.state]).toEqual(["something of the person's", "empty"]);
  });

  it("says where the browser does not allow copying", async () => {
    inFront = false;
    await clipboard.copy("secret");
    expect(view.state).toBe("failed");
    expect(at).toBeUndefined();
    await clock.advance(2 * LIMITS.ui.clipboardMs);
    expect(content).toBe("something of the person's");
  });
});
