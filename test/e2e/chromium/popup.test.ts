import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { ChannelPage } from "../../support/channel-page.ts";
import type { ChromiumProfile } from "../../support/chromium.ts";
import { type PageServer, startPageServer } from "../../support/page-server.ts";
import { screenshots, TEST_SCREENSHOTS } from "../../support/screenshots.ts";
import { Stack } from "../../support/stack.ts";

/** What extension pages see of the browser. */
declare const chrome: { readonly runtime: object };

describe("the popup", () => {
  let stack: Stack;
  let server: PageServer;
  let profile: ChromiumProfile;
  let site: ChannelPage;

  beforeAll(async () => {
    server = await startPageServer({ "/": { html: "<!doctype html><title>A site</title>" } });
    stack = await Stack.start();
    profile = await stack.profile();
    site = new ChannelPage(await profile.open(server.origin), {
      channelId: "book-club",
      contentTopic: "/test/1/popup/proto",
      encryption: { mode: "none" },
    });
  });

  afterAll(async () => {
    await stack?.close();
    await server?.close();
  });

  /** What a call at page load would get, without a prompt. */
  const trusted = (): Promise<unknown> =>
    site.page.evaluate(() =>
      window.reliableChannel?.connect({ onlyIfTrusted: true }).then(
        () => "trusted",
        ({ code }: { code: number }) => code,
      ),
    );

  test("asks a new person once about a password, and then says that there is nothing yet", async () => {
    const popup = await profile.openPopup();
    await screenshots(popup, TEST_SCREENSHOTS, "popup-welcome");
    await popup.getByTestId("welcome-skip").click();
    await popup.getByTestId("channels-empty").waitFor();
    await popup.getByTestId("tab-sites").click();
    await popup.getByTestId("sites-empty").waitFor();
    await popup.getByTestId("tab-channels").click();
    await screenshots(popup, TEST_SCREENSHOTS, "popup-empty");
    await popup.close();
  });

  test("is drawn and can be walked through while the background says nothing", async () => {
    const popup = await profile.context.newPage();
    // What connects to the background finds nobody there who ever answers.
    await popup.addInitScript(() => {
      const silent = { addListener: () => undefined };
      const port = {
        onMessage: silent,
        onDisconnect: silent,
        postMessage: () => undefined,
        disconnect: () => undefined,
      };
      Object.defineProperty(chrome.runtime, "connect", { configurable: true, value: () => port });
    });
    await popup.goto(`chrome-extension://${profile.extensionId}/popup.html`);
    await popup.getByTestId("skeleton").waitFor();
    await expect
      .poll(() => popup.evaluate(() => performance.getEntriesByName("first-contentful-paint").length))
      .toBe(1);
    expect(await popup.getByTestId("popup").getAttribute("data-link")).toBe("connecting");
    await popup.getByRole("status").filter({ hasText: "Connecting to the extension" }).waitFor();
    await popup.getByTestId("tab-network").click();
    await popup.locator('[data-testid="tab-network"][aria-selected="true"]').waitFor();
    await popup.getByTestId("skeleton").waitFor();
    await popup.getByTestId("tab-channels").click();
    await popup.close();
  });

  test("the prompt names the site and says that the channel is not encrypted", async () => {
    const attached = site.attach();
    const prompt = await profile.waitForPrompt();
    expect(await prompt.getByTestId("prompt-origin").textContent()).toContain(new URL(server.origin).host);
    expect(await prompt.getByTestId("prompt-ask").textContent()).toContain("book-club");
    await prompt.getByTestId("prompt-unencrypted").waitFor();
    await screenshots(prompt, TEST_SCREENSHOTS, "prompt");
    await profile.answerPrompt("always");
    expect(await attached).toEqual({ ok: true, value: null });
  });

  test("shows the channel, the site and the network", async () => {
    const popup = await profile.openPopup();
    await popup.locator('[data-testid="channel-row"][data-channel-id="book-club"]').waitFor();
    await screenshots(popup, TEST_SCREENSHOTS, "popup-channels");
    await popup.getByTestId("channel-row").click();
    await popup.getByTestId("channel-view").waitFor();
    await screenshots(popup, TEST_SCREENSHOTS, "popup-channel");
    await popup.getByTestId("back").click();
    await popup.getByTestId("tab-sites").click();
    await popup.locator(`[data-testid="site-row"][data-origin="${server.origin}"][data-state="granted"]`).waitFor();
    await screenshots(popup, TEST_SCREENSHOTS, "popup-sites");
    await popup.getByTestId("tab-network").click();
    expect(await popup.getByTestId("network-name").textContent()).toContain("local");
    await screenshots(popup, TEST_SCREENSHOTS, "popup-network");
    await popup.close();
  });

  test("revokes a site: the page loses its grant and has to ask again", async () => {
    expect(await trusted()).toBe("trusted");
    const popup = await profile.openPopup();
    await popup.getByTestId("tab-sites").click();
    await popup.getByTestId("revoke").click();
    await popup.getByTestId("confirm-action").click();
    await popup.getByTestId("sites-empty").waitFor();
    await popup.close();
    expect(await trusted()).toBe(ErrorCode.Unauthorized);

    await site.page.reload();
    const attached = site.attach();
    await profile.answerPrompt("always");
    expect(await attached).toEqual({ ok: true, value: null });
  });

  test("a blocked site is refused without a prompt until it is unblocked", async () => {
    const popup = await profile.openPopup();
    await popup.getByTestId("tab-sites").click();
    await popup.getByTestId("revoke").click();
    await popup.getByTestId("confirm-action").click();
    await popup.getByTestId("sites-empty").waitFor();

    await site.page.reload();
    const first = site.attach();
    await profile.answerPrompt("block");
    expect(await first).toMatchObject({ ok: false });
    await popup.locator('[data-testid="site-row"][data-state="blocked"]').waitFor();
    expect(await site.attach()).toMatchObject({ ok: false });

    await popup.getByTestId("unblock").click();
    await popup.getByTestId("sites-empty").waitFor();
    const again = site.attach();
    await profile.answerPrompt("once");
    expect(await again).toEqual({ ok: true, value: null });
    await popup.close();
  });
});
