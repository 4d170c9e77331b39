/** One person's keys: made, named, shown, exported and deleted; and what is pasted where a key is expected. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeInvitation } from "../../../src/keys/invitation.ts";
import { LIMITS } from "../../../src/limits.ts";
import type { ChromiumProfile } from "../../support/chromium.ts";
import { pasted } from "../../support/keyboard.ts";
import { type PageServer, startPageServer } from "../../support/page-server.ts";
import { Popup, pickKey } from "../../support/popup.ts";
import { screenshots, TEST_SCREENSHOTS } from "../../support/screenshots.ts";
import { Stack } from "../../support/stack.ts";

/** What extension pages see of the browser. */
declare const chrome: {
  readonly alarms: {
    get(name: string): Promise<{ readonly scheduledTime: number } | undefined>;
    create(name: string, info: { readonly when: number }): Promise<void>;
  };
  readonly storage: {
    readonly session: {
      set(items: Readonly<Record<string, unknown>>): Promise<void>;
      readonly onChanged: {
        addListener(listener: (changes: Readonly<Record<string, { readonly newValue?: unknown }>>) => void): void;
      };
    };
  };
};

const KEY = Uint8Array.from({ length: 32 }, (_, i) => (i * 37 + 250) & 0xff);
const HEX = Buffer.from(KEY).toString("hex");
const INVITATION = writeInvitation({
  key: KEY,
  channelId: "invited",
  contentTopic: "/test/1/invited/proto",
  profile: "logos",
  placement: "envelope",
});

describe("keys in the popup", () => {
  let stack: Stack;
  let server: PageServer;
  let profile: ChromiumProfile;
  let popup: Popup;
  let page: Page;

  beforeAll(async () => {
    [server, stack] = await Promise.all([
      startPageServer({ "/": { html: "<!doctype html><title>A site</title><textarea></textarea>" } }),
      Stack.start(),
    ]);
    profile = await stack.profile();
    popup = await Popup.open(profile);
    page = popup.page;
    await popup.welcome(null);
  });

  afterAll(async () => {
    await stack?.close();
    await server?.close();
  });

  test("a key is made with a name, renamed, and keeps its fingerprint", async () => {
    await popup.tab("keys");
    await page.getByTestId("keys-empty").waitFor();
    await page.getByTestId("key-make").click();
    expect(await page.getByTestId("key-save").isEnabled()).toBe(false);
    await page.getByTestId("key-name").fill("  Allotment ");
    await page.getByTestId("key-save").click();
    await page.getByTestId("key-view").waitFor();
    await page.getByRole("heading", { name: "Allotment" }).waitFor();
    const words = await page.getByTestId("fingerprint-words").textContent();
    expect(words?.trim().split(" ")).toHaveLength(6);

    await page.getByTestId("key-rename-name").fill("Garden");
    await page.getByTestId("key-rename-save").click();
    await page.getByRole("heading", { name: "Garden" }).waitFor();
    await popup.tab("keys");
    const row = page.getByTestId("key-row").filter({ hasText: "Garden" });
    expect(await row.getByTestId("fingerprint-words").textContent()).toBe(words);
    expect(await row.textContent()).toContain("No channel uses it");
  });

  test("it says where it is used, and what will break before it is deleted", async () => {
    await popup.tab("channels");
    await page.getByTestId("channel-create").click();
    await page.getByTestId("channel-form-site").fill(server.origin);
    await page.getByTestId("channel-form-channelId").fill("tomatoes");
    await page.getByTestId("channel-form-contentTopic").fill("/test/1/tomatoes/proto");
    await page.getByTestId("key-choice-pick").check();
    await page.getByTestId("channel-form-save").click();
    await page.getByTestId("channel-view").waitFor();

    await popup.openKey("Garden");
    expect(await page.getByTestId("key-channels").textContent()).toContain("tomatoes");
    await page.getByTestId("key-delete").click();
    expect(await page.getByTestId("key-delete-breaks").textContent()).toContain("tomatoes");
    await screenshots(page, TEST_SCREENSHOTS, "popup-key-delete");
    await page.getByTestId("confirm-cancel").click();
    await page.getByTestId("confirm").waitFor({ state: "detached" });
    expect((await profile.snapshot()).keys).toHaveLength(1);
  });

  test("it is shown only after a confirmation, and leaves the clipboard a minute later, though the popup is gone", async () => {
    await popup.openKey("Garden");
    await page.getByTestId("key-export-ask").click();
    await screenshots(page, TEST_SCREENSHOTS, "popup-key-export-ask");
    await page.getByTestId("confirm-cancel").click();
    expect(await page.getByTestId("key-export-text").count()).toBe(0);
    await page.getByTestId("key-export-ask").click();
    await page.getByTestId("confirm-action").click();
    const text = await page.getByTestId("key-export-text").inputValue();
    expect(text).toMatch(/^[0-9a-f]{64}$/);

    const watch = await profile.open(`chrome-extension://${profile.extensionId}/manifest.json`);
    const site = await profile.open(server.origin);
    await page.bringToFront();
    const copiedAt = Date.now();
    await page.getByTestId("key-export-copy").click();
    await page.locator('[data-testid="clipboard"][data-state="holding"]').waitFor();
    await screenshots(page, TEST_SCREENSHOTS, "popup-key-exported");
    await popup.close();
    await site.bringToFront();
    expect(await pasted(site.getByRole("textbox"))).toBe(text);

    const due = await watch.evaluate(async () => (await chrome.alarms.get("clipboard"))?.scheduledTime ?? 0);
    expect(due - copiedAt).toBeGreaterThanOrEqual(LIMITS.ui.clipboardMs);
    expect(due - copiedAt).toBeLessThan(LIMITS.ui.clipboardMs + 10_000);
    const cleared = watch.evaluate(
      () =>
        new Promise<void>((resolve) => {
          chrome.storage.session.onChanged.addListener(({ clipboardClearsAt: change }) => {
            if (change !== undefined && change.newValue === undefined) resolve();
          });
        }),
    );
    // The minute is over.
    const over = Date.now();
    await watch.evaluate(async (at) => {
      await chrome.storage.session.set({ clipboardClearsAt: at });
      await chrome.alarms.create("clipboard", { when: at });
    }, over);
    await watch.waitForFunction(
      async (at) => ((await chrome.alarms.get("clipboard"))?.scheduledTime ?? Infinity) > at,
      over,
      { polling: 50 },
    );
    await site.mouse.click(1, 1);
    await cleared;
    expect(await pasted(site.getByRole("textbox"))).toBe("");
    await Promise.all([watch.close(), site.close()]);
    popup = await Popup.open(profile);
    page = popup.page;
  });

  test("what is pasted is said to be what it is; what is none says why, and nothing that was typed is lost", async () => {
    await popup.tab("keys");
    await page.getByTestId("key-import").click();
    await page.getByTestId("key-name").fill("From a letter");
    const problem = page.getByTestId("key-text-problem");
    for (const [text, words] of [
      ["hello", /no key/],
      [HEX.slice(2), /31 bytes/],
      [`${HEX.slice(0, -1)}`, /digit is missing/],
      ['{"kty":"RSA"}', /JSON Web Key/],
      [`${INVITATION.slice(0, -1)}${INVITATION.endsWith("0") ? "1" : "0"}`, /typo/],
    ] as const) {
      await page.getByTestId("key-text").fill(text);
      await problem.filter({ hasText: words }).waitFor();
      expect(await page.getByTestId("key-text").inputValue()).toBe(text);
      expect(await page.getByTestId("key-save").isEnabled()).toBe(false);
    }
    await screenshots(page, TEST_SCREENSHOTS, "popup-key-import-wrong");
    expect(await page.getByTestId("key-name").inputValue()).toBe("From a letter");
    // The popup may close over it: the name is kept, the secret is not.
    await popup.close();
    popup = await Popup.open(profile);
    page = popup.page;
    await page.getByTestId("key-form").waitFor();
    expect(await page.getByTestId("key-name").inputValue()).toBe("From a letter");
    expect(await page.getByTestId("key-text").inputValue()).toBe("");

    await page.getByTestId("key-text").fill(`\n  ${HEX.toUpperCase()} `);
    await page.locator('[data-testid="key-text-found"][data-kind="key"]').filter({ hasText: "hexadecimal" }).waitFor();
    await page.getByTestId("key-save").click();
    await page.getByRole("heading", { name: "From a letter" }).waitFor();
    await popup.pasteKey(Buffer.from(KEY).toString("base64"));
    await page.getByTestId("key-text-known").filter({ hasText: "From a letter" }).waitFor();
  });

  test("an invitation pasted there goes on where it belongs", async () => {
    await popup.pasteKey(INVITATION);
    await page.getByTestId("key-to-invitation").click();
    await page.getByTestId("invitation-form").waitFor();
    expect(await page.getByTestId("invitation-text").inputValue()).toBe(INVITATION);
  });

  test("taken away from a mistyped site, once no channel of the site has it, it is nobody's", async () => {
    await popup.fillChannelForm("https://tomatos.example", "mistyped", "/test/1/mistyped/proto");
    await pickKey(page, "From a letter");
    await popup.createChannel();
    await popup.openKey("From a letter");
    await page.getByTestId("key-sites").filter({ hasText: "tomatos.example" }).waitFor();
    expect(await page.getByTestId("key-site-remove").count()).toBe(0);

    await popup.openChannel("mistyped");
    await popup.confirm(page.getByTestId("delete-channel"));
    await page.getByTestId("channel-view").waitFor({ state: "detached" });
    await popup.openKey("From a letter");
    await popup.confirm(page.getByTestId("key-site-remove"));
    await page.getByTestId("key-sites").waitFor({ state: "detached" });
    const key = (await profile.snapshot()).keys.find(({ name }) => name === "From a letter");
    expect(key?.origins).toEqual([]);
  });

  test("deleted, it is gone, and the channel says that it has none", async () => {
    await popup.openKey("Garden");
    await page.getByTestId("key-delete").click();
    await page.getByTestId("confirm-action").click();
    await page.getByTestId("keys-view").waitFor();
    expect((await profile.snapshot()).keys.map(({ name }) => name)).toEqual(["From a letter"]);
    await popup.openChannel("tomatoes");
    expect(await page.getByTestId("channel-key").count()).toBe(0);
    await screenshots(page, TEST_SCREENSHOTS, "popup-channel-without-key");
  });
});
