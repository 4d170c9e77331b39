/** The password as a person meets it: set at the start, changed, removed, set again; and prompts while it is needed. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { UiCommandFrame } from "../../../src/ui/background-api.ts";
import { ChannelPage, type EncryptedChannelParams } from "../../support/channel-page.ts";
import type { ChromiumProfile } from "../../support/chromium.ts";
import { focused, tabTo } from "../../support/keyboard.ts";
import { type PageServer, startPageServer } from "../../support/page-server.ts";
import { allow, Popup } from "../../support/popup.ts";
import { screenshots, TEST_SCREENSHOTS } from "../../support/screenshots.ts";
import { Stack } from "../../support/stack.ts";

const SITE = { "/": { html: "<!doctype html><title>A site</title>" } };
const ATTACHED = { ok: true, value: null };
const ROOM: EncryptedChannelParams = { channelId: "room", contentTopic: "/test/1/password/proto" };
const FIRST = "correct horse 1 battery";
const SECOND = "correct horse 2 battery";
/** Milliseconds for a password to be turned into a key, and for what was locked to begin again. */
const UNLOCK_MS = 30_000;

/** What extension pages see of the browser. */
declare const chrome: {
  readonly runtime: { connect(info: { readonly name: string }): { postMessage(frame: UiCommandFrame): void } };
};
declare global {
  interface Window {
    /** The types of all commands that the popup has posted, in order. */
    postedCommands?: string[];
  }
}

/** Runs in the popup before its scripts. */
function recordCommands(): void {
  const posted: string[] = [];
  window.postedCommands = posted;
  const connect = chrome.runtime.connect.bind(chrome.runtime);
  Object.defineProperty(chrome.runtime, "connect", {
    configurable: true,
    value: (info: { readonly name: string }) => {
      const port = connect(info);
      const post = port.postMessage.bind(port);
      port.postMessage = (frame) => {
        posted.push(frame.command.type);
        post(frame);
      };
      return port;
    },
  });
}

describe("a password", () => {
  let stack: Stack;
  let server: PageServer;
  let other: PageServer;
  let profile: ChromiumProfile;
  let popup: Popup;

  beforeAll(async () => {
    [server, other, stack] = await Promise.all([startPageServer(SITE), startPageServer(SITE), Stack.start()]);
    profile = await stack.profile();
    popup = await Popup.open(profile);
  });

  afterAll(async () => {
    await stack?.close();
    await Promise.all([server?.close(), other?.close()]);
  });

  const state = (): Promise<string | null> => popup.page.getByTestId("popup").getAttribute("data-vault");

  async function protect(): Promise<void> {
    await popup.tab("keys");
    await popup.page.getByTestId("protect").click();
    await popup.page.getByTestId("protect-view").waitFor();
  }

  async function type(password: string, repeated = password): Promise<void> {
    await popup.page.getByTestId("new-password").fill(password);
    await popup.page.getByTestId("repeat-password").fill(repeated);
  }

  const told = (words: RegExp): Promise<void> =>
    popup.page.getByTestId("notice").filter({ hasText: words }).waitFor({ timeout: UNLOCK_MS });

  test("is asked for on the first screen: too short or typed differently says so, and keeps what was typed", async () => {
    const { page } = popup;
    await page.getByTestId("welcome").waitFor();
    await page.getByTestId("first-key-name").fill("Family");
    await type("short");
    await page.getByTestId("welcome-set").click();
    await page.getByTestId("new-password-error").filter({ hasText: /8/ }).waitFor();
    await type(FIRST, SECOND);
    await page.getByTestId("welcome-set").click();
    await page.getByTestId("repeat-password-error").waitFor();
    expect(await page.getByTestId("new-password").inputValue()).toBe(FIRST);
    await screenshots(page, TEST_SCREENSHOTS, "popup-welcome-wrong");
    await type(FIRST);
    await page.getByTestId("welcome-set").click();
    await page.getByTestId("tab-channels").waitFor({ timeout: UNLOCK_MS });
    await told(/Family/);
    expect(await state()).toBe("unlocked");
    await popup.openKey("Family");
  });

  test("locks and unlocks as often as one likes: every answer comes, nothing is asked twice, and the view is the right one", async () => {
    const { page } = popup;
    await page.addInitScript(recordCommands);
    await page.reload();
    for (let i = 0; i < 3; i++) {
      await popup.tab("channels");
      await page.getByTestId("lock").click();
      await told(/Locked/);
      await page.getByTestId("lock-view").waitFor();
      expect(await state()).toBe("locked");
      await popup.unlock(FIRST);
      await page.getByTestId("channels-empty").waitFor();
      expect(await state()).toBe("unlocked");
    }
    expect(await page.evaluate(() => window.postedCommands)).toEqual(Array(3).fill(["lock", "unlock"]).flat());
    expect(
      await page
        .getByTestId("notice")
        .filter({ hasText: /did not answer|restarted/ })
        .count(),
    ).toBe(0);
  });

  test("locks and unlocks with the keyboard alone: the focus is where it is needed, and a live region says what happened", async () => {
    const { page } = popup;
    const said = (words: string) =>
      page.getByRole("status").filter({ has: page.getByTestId("notice").getByText(words, { exact: true }) });
    await popup.tab("channels");
    await page.getByTestId("tab-channels").press("Shift+Tab");
    while ((await focused(page)) !== '- button "Lock"') await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Enter");
    await said("Locked").waitFor();
    await expect.poll(() => focused(page)).toBe('- textbox "Password"');
    await page.keyboard.type(FIRST);
    await tabTo(page, "unlock");
    await page.keyboard.press("Enter");
    await said("Unlocked").waitFor({ timeout: UNLOCK_MS });
    expect(await state()).toBe("unlocked");
    await expect.poll(() => focused(page)).toMatch(/^- tabpanel "Channels"/);
    await tabTo(page, "channel-create");
    await page.keyboard.press("Enter");
    await expect.poll(() => focused(page)).toBe('- button "Back to channels"');
    await page.keyboard.press("Enter");
    await expect.poll(() => focused(page)).toMatch(/^- tabpanel "Channels"/);
  });

  test("can be looked at while it is typed, each field by itself, and is hidden to begin with", async () => {
    const { page } = popup;
    await protect();
    const field = page.getByTestId("current-password");
    const look = page.locator('[data-testid="current-password"] + button');
    await field.fill(FIRST);
    for (const [shown, kind] of [
      [false, "password"],
      [true, "text"],
      [false, "password"],
    ] as const) {
      await look.and(page.locator(`[aria-pressed="${shown}"]`)).waitFor();
      expect(await field.getAttribute("type")).toBe(kind);
      expect(await page.getByTestId("new-password").getAttribute("type")).toBe("password");
      expect(await field.inputValue()).toBe(FIRST);
      await look.click();
    }
  });

  test("is changed only with the one before, which opens nothing after that", async () => {
    const { page } = popup;
    await protect();
    await page.getByTestId("current-password").fill(SECOND);
    await type(SECOND);
    await page.getByTestId("password-save").click();
    await page
      .getByTestId("password-error")
      .filter({ hasText: "The password is wrong." })
      .waitFor({ timeout: UNLOCK_MS });
    await screenshots(page, TEST_SCREENSHOTS, "popup-protect-wrong");
    await page.getByTestId("current-password").fill(FIRST);
    await page.getByTestId("password-save").click();
    await told(/changed/);
    await popup.lock();
    await popup.tab("keys");
    await popup.tryToUnlock(FIRST);
    await page
      .getByTestId("unlock-password-error")
      .filter({ hasText: "The password is wrong." })
      .waitFor({ timeout: UNLOCK_MS });
    await popup.unlock(SECOND);
    await popup.openKey("Family");
  });

  test("locks from the view of the password too, and sites and network, which stay open, lead to where one unlocks", async () => {
    const { page } = popup;
    for (const tab of ["sites", "network"] as const) {
      await protect();
      await page.getByTestId("lock-now").click();
      await page.getByTestId("lock-view").waitFor();
      expect(await state()).toBe("locked");
      await popup.tab(tab);
      await page.getByTestId(`${tab}-view`).waitFor();
      await page.getByTestId("go-unlock").click();
      await page.getByTestId("lock-view").waitFor();
      expect(await page.getByTestId("go-unlock").count()).toBe(0);
      await popup.unlock(SECOND);
      await page.getByTestId("channels-empty").waitFor();
    }
  });

  test("while it is needed, a site that asks to connect is answered after unlocking in its prompt", async () => {
    await popup.lock();
    const asking = new ChannelPage(await profile.open(server.origin), ROOM);
    const attached = asking.attach();
    const prompt = await profile.findPrompt();
    await prompt.getByTestId("prompt-locked").waitFor();
    await prompt.getByTestId("prompt-reject").and(prompt.locator(":enabled")).waitFor();
    for (const answer of ["prompt-always", "prompt-once"])
      expect(await prompt.getByTestId(answer).isEnabled()).toBe(false);
    await screenshots(prompt, TEST_SCREENSHOTS, "prompt-locked");
    await prompt.getByTestId("unlock-password").fill(FIRST);
    await prompt.getByTestId("unlock").click();
    await prompt.getByTestId("unlock-password-error").waitFor({ timeout: UNLOCK_MS });
    await prompt.getByTestId("unlock-password").fill(SECOND);
    await prompt.getByTestId("unlock").click();
    await prompt.getByTestId("key-choice-pick").check({ timeout: UNLOCK_MS });
    expect(await prompt.getByTestId("key-choice-select").textContent()).toContain("Family");
    await allow(prompt);
    expect(await attached).toEqual(ATTACHED);
    await asking.page.close();
  });

  test("a prompt without a key asks for it too", async () => {
    await popup.lock();
    const page = await profile.open(other.origin);
    const connected = page.evaluate(async () => (await window.reliableChannel?.connect())?.grants.length);
    const prompt = await profile.findPrompt();
    await prompt.getByTestId("unlock-password").fill(SECOND);
    await prompt.getByTestId("unlock").click();
    await prompt.getByTestId("prompt-locked").waitFor({ state: "hidden", timeout: UNLOCK_MS });
    await allow(prompt);
    expect(await connected).toBe(3);
    await page.close();
  });

  test("a site that is allowed already has the window ask for nothing else, and the window goes by itself", async () => {
    await popup.lock();
    const asking = new ChannelPage(await profile.open(server.origin), ROOM);
    const attached = asking.attach();
    const prompt = await profile.findPrompt();
    await prompt.getByTestId("prompt-unlock").waitFor();
    await screenshots(prompt, TEST_SCREENSHOTS, "prompt-unlock");
    const closed = prompt.waitForEvent("close", { timeout: UNLOCK_MS });
    await prompt.getByTestId("unlock-password").fill(SECOND);
    await prompt.getByTestId("unlock").click();
    await closed;
    expect(await attached).toEqual(ATTACHED);
    await asking.page.close();
  });

  test("is removed with its own consent, and set again later", async () => {
    const { page } = popup;
    await protect();
    expect(await page.getByTestId("password-remove").isEnabled()).toBe(false);
    await page.getByTestId("current-password").fill(SECOND);
    await page.getByTestId("password-remove").click();
    await screenshots(page, TEST_SCREENSHOTS, "popup-password-remove");
    await page.getByTestId("confirm-cancel").click();
    expect(await state()).toBe("unlocked");
    await page.getByTestId("password-remove").click();
    await page.getByTestId("confirm-action").click();
    await told(/removed/);
    expect(await state()).toBe("open");
    expect(await page.getByTestId("lock").count()).toBe(0);
    await screenshots(page, TEST_SCREENSHOTS, "popup-protect-none");

    await type(FIRST);
    await page.getByTestId("password-save").click();
    await told(/is set/);
    expect(await state()).toBe("unlocked");
    await popup.lock();
    await popup.unlock(FIRST);
    await popup.openKey("Family");
  });
});
