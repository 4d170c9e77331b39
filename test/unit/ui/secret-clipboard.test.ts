import { beforeEach, describe, expect, it } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { LIMITS } from "../../../src/limits.ts";
import { SecretClipboard, type SecretClipboardView } from "../../../src/ui/secret-clipboard.ts";

describe("SecretClipboard", () => {
  let clock: VirtualClock;
  let content: string;
  let inFront: boolean;
  let clipboard: SecretClipboard;
  let view: SecretClipboardView;

  beforeEach(() => {
    clock = new VirtualClock();
    content = "something of the person's";
    inFront = true;
    clipboard = new SecretClipboard(async (text) => {
      if (!inFront) throw new Error("Document is not focused.");
      content = text;
    }, clock);
    clipboard.subscribe((shown) => {
      view = shown;
    });
  });

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

  it("says where the browser does not allow copying", async () => {
    inFront = false;
    await clipboard.copy("secret");
    expect(view.state).toBe("failed");
    await clock.advance(2 * LIMITS.ui.clipboardMs);
    expect(content).toBe("something of the person's");
  });
});
