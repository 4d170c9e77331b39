/** The connect prompt as a person meets it: its four answers, its keys, several at once, and too many. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { ChannelPage, type EncryptedChannelParams } from "../../support/channel-page.ts";
import { type ChromiumProfile, clickAndClose } from "../../support/chromium.ts";
import { focused, tabTo } from "../../support/keyboard.ts";
import { type PageServer, startPageServer } from "../../support/page-server.ts";
import { allow, Popup } from "../../support/popup.ts";
import { screenshots, TEST_SCREENSHOTS } from "../../support/screenshots.ts";
import { Stack } from "../../support/stack.ts";

const SITE = { "/": { html: "<!doctype html><title>A site</title>" } };
const ATTACHED = { ok: true, value: null };
const ROOM: EncryptedChannelParams = { channelId: "room", contentTopic: "/test/1/prompt/proto" };
const HALL: EncryptedChannelParams = { channelId: "hall", contentTopic: "/test/1/prompt/proto" };
const REJECTED = { ok: false, code: ErrorCode.UserRejected };

describe("the prompt", () => {
  let stack: Stack;
  let profile: ChromiumProfile;
  /** Each a site of its own. */
  let servers: readonly PageServer[];

  beforeAll(async () => {
    [servers, stack] = await Promise.all([Promise.all([1, 2, 3, 4].map(() => startPageServer(SITE))), Stack.start()]);
    profile = await stack.profile();
    await using popup = await Popup.open(profile);
    await popup.welcome(null);
  });

  afterAll(async () => {
    await stack?.close();
    await Promise.all((servers ?? []).map((server) => server.close()));
  });

  const origin = (site: number): string => servers[site]?.origin ?? "";
  const at = async (site: number, params = ROOM): Promise<ChannelPage> =>
    new ChannelPage(await profile.open(origin(site)), params);

  /** The code of the failure with which connecting ends, or how many grants it ends with. */
  const connect = (page: Page): Promise<number | undefined> =>
    page.evaluate(() =>
      window.reliableChannel?.connect().then(
        ({ grants }) => grants.length,
        ({ code }: { code: number }) => code,
      ),
    );

  test("closed instead of answered rejects with 4001", async () => {
    const asking = await at(0);
    const attached = asking.attach();
    const prompt = await profile.waitForPrompt();
    // As the window's own cross does, and not a button of the page.
    await prompt.evaluate(() => window.close());
    expect(await attached).toMatchObject(REJECTED);
    await asking.page.close();
  });

  test("answered with a new key for this time, the site is allowed until the browser closes", async () => {
    const asking = await at(0);
    const attached = asking.attach();
    const prompt = await profile.waitForPrompt();
    await prompt.getByTestId("key-choice-make").check();
    await prompt.getByTestId("key-choice-name").fill("Room key");
    const closed = prompt.waitForEvent("close");
    await prompt.getByTestId("prompt-once").click();
    await closed;
    expect(await attached).toEqual(ATTACHED);
    expect((await profile.snapshot()).sites).toMatchObject([{ origin: origin(0), lasts: "session" }]);

    // Its next channel asks for a key only: one that it has is picked without a warning.
    const second = await at(0, HALL);
    const again = second.attach();
    const next = await profile.waitForPrompt();
    await next.getByTestId("key-choice-pick").check();
    await allow(next);
    expect(await again).toEqual(ATTACHED);
    const { keys } = await profile.snapshot();
    expect(keys).toMatchObject([{ name: "Room key", channels: [{}, {}] }]);
    await Promise.all([asking.page.close(), second.page.close()]);
  });

  test("another site's key is given to a site only past a warning: back is back, agreed to it is used", async () => {
    const asking = await at(1);
    const attached = asking.attach();
    const prompt = await profile.waitForPrompt();
    await prompt.getByTestId("key-choice-pick").check();
    await prompt.getByTestId("prompt-always").click();
    await prompt.getByTestId("new-site-warning").waitFor();
    await prompt.getByTestId("new-site-back").click();
    expect((await profile.snapshot()).keys).toMatchObject([{ origins: [origin(0)] }]);
    expect(await prompt.getByTestId("key-choice-pick").isChecked()).toBe(true);
    await prompt.getByTestId("prompt-always").click();
    const closed = prompt.waitForEvent("close");
    await prompt.getByTestId("new-site-allow").click();
    await closed;
    expect(await attached).toEqual(ATTACHED);
    expect((await profile.snapshot()).keys).toMatchObject([{ origins: [origin(0), origin(1)] }]);
    await asking.page.close();
  });

  test("of two sites comes one after the other, and one that was given up says that it has expired", async () => {
    const [first, second] = await Promise.all([profile.open(origin(2)), profile.open(origin(3))]);
    await first.evaluate(() => {
      const abort = new AbortController();
      Object.assign(window, { giveUp: () => abort.abort() });
      void window.reliableChannel?.connect({ signal: abort.signal }).catch(() => undefined);
    });
    const prompt = await profile.waitForPrompt();
    const connected = connect(second);
    await prompt.getByTestId("prompt-position").filter({ hasText: "1 of 2" }).waitFor();
    expect(await prompt.getByTestId("prompt-origin").textContent()).toContain(new URL(origin(2)).host);
    await first.evaluate(() => (window as unknown as { giveUp(): void }).giveUp());
    await prompt.getByTestId("prompt-expired").waitFor();
    await screenshots(prompt, TEST_SCREENSHOTS, "prompt-expired");
    await prompt.getByTestId("prompt-next").click();
    await prompt.getByTestId("prompt-always").and(prompt.locator(":enabled")).waitFor();
    expect(await prompt.getByTestId("prompt-origin").textContent()).toContain(new URL(origin(3)).host);
    await screenshots(prompt, TEST_SCREENSHOTS, "prompt-next");
    await allow(prompt);
    expect(await connected).toBe(3);
    await Promise.all([first.close(), second.close()]);
  });

  test("outlives the worker, and its answer counts", async () => {
    const page = await profile.open(origin(2));
    const connected = connect(page);
    const prompt = await profile.waitForPrompt();
    await profile.killWorker();
    await prompt.locator('[data-testid="prompt-window"][data-link="ready"]').waitFor();
    await allow(prompt);
    expect(await connected).toBe(3);
    await page.close();
  });

  test("that nobody has any more, in a window that the browser brought back, says so and is closed by its button", async () => {
    const restored = await profile.open(`chrome-extension://${profile.extensionId}/prompt.html`);
    await restored.getByTestId("prompt-expired").waitFor();
    await clickAndClose(restored.getByTestId("prompt-close"));
  });

  test("refused again and again is not shown for a while: the site is blocked for all to see, and can be unblocked", async () => {
    await using popup = await Popup.open(profile);
    await popup.tab("sites");
    await popup.page
      .locator(`[data-origin="${origin(2)}"]`)
      .getByTestId("revoke")
      .click();
    await popup.page.getByTestId("confirm-action").click();
    await popup.page.locator(`[data-origin="${origin(2)}"]`).waitFor({ state: "detached" });

    const page = await profile.open(origin(2));
    for (let i = 0; i < LIMITS.origin.refusals; i++) {
      const refused = connect(page);
      await profile.answerPrompt("reject");
      expect(await refused).toBe(ErrorCode.UserRejected);
    }
    expect(await connect(page)).toBe(ErrorCode.LimitExceeded);
    const row = popup.page.locator(`[data-testid="site-row"][data-origin="${origin(2)}"][data-state="blocked"]`);
    await row.waitFor();
    await screenshots(popup.page, TEST_SCREENSHOTS, "popup-sites-blocked");
    await row.getByTestId("unblock").click();
    await row.waitFor({ state: "detached" });
    const asked = connect(page);
    await profile.answerPrompt("block");
    expect(await asked).toBe(ErrorCode.UserRejected);
    await row.waitFor();
    await page.close();
  });

  test("may be reviewed in the popup instead of its window", async () => {
    await using popup = await Popup.open(profile);
    const thrown: string[] = [];
    popup.page.on("pageerror", ({ message }) => thrown.push(message));
    await popup.tab("sites");
    await popup.page
      .locator(`[data-origin="${origin(1)}"]`)
      .getByTestId("revoke")
      .click();
    await popup.page.getByTestId("confirm-action").click();
    await popup.page.locator(`[data-origin="${origin(1)}"]`).waitFor({ state: "detached" });
    const asking = await at(1, HALL);
    const attached = asking.attach();
    const prompt = await profile.findPrompt();
    // Behind the window it is drawn seldom, so that every click would wait.
    await popup.page.bringToFront();
    await popup.page.getByTestId("review").click();
    await popup.page.getByTestId("back").click();
    await popup.page.getByTestId("sites-view").waitFor();
    await popup.page.getByTestId("review").click();
    await popup.page.getByTestId("prompt-always").and(popup.page.locator(":enabled")).waitFor();
    await popup.page.getByTestId("key-choice-name").fill("Hall key");
    const closed = prompt.waitForEvent("close");
    await popup.page.getByTestId("prompt-always").click();
    await closed;
    expect(await attached).toEqual(ATTACHED);
    await popup.page.getByTestId("tab-channels").waitFor();
    expect(thrown).toEqual([]);
    await asking.page.close();
  });

  test("is answered with a new key by Tab, Space and Enter alone, and everything on the way has a name", async () => {
    const asking = await at(3);
    const attached = asking.attach();
    const prompt = await profile.waitForPrompt();
    expect(await focused(prompt)).toMatch(/^- heading ".+" \[level=1\]/);
    await tabTo(prompt, "key-choice-make");
    expect(await focused(prompt)).toMatch(/^- radio ".+" \[checked\]/);
    await prompt.keyboard.press("Space");
    await tabTo(prompt, "key-choice-name");
    await prompt.keyboard.press("Control+A");
    await prompt.keyboard.type("Typed key");
    await tabTo(prompt, "prompt-always");
    expect(await focused(prompt)).toBe('- button "Always allow"');
    const closed = prompt.waitForEvent("close");
    // The window may be gone before the driver has heard that the key was pressed.
    const pressed = prompt.keyboard.press("Enter").catch((error: unknown) => {
      if (!prompt.isClosed()) throw error;
    });
    await Promise.all([closed, pressed]);
    expect(await attached).toEqual(ATTACHED);
    expect((await profile.snapshot()).keys.map(({ name }) => name)).toContain("Typed key");
    await asking.page.close();
  });
});
