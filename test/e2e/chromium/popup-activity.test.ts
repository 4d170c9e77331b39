/** What becomes of messages, as the popup shows it, and the badge of the extension's button. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { ChannelPage } from "../../support/channel-page.ts";
import type { ChromiumProfile } from "../../support/chromium.ts";
import { type PageServer, startPageServer } from "../../support/page-server.ts";
import { Popup } from "../../support/popup.ts";
import { popupScreenshots } from "../../support/screenshots.ts";
import { Stack } from "../../support/stack.ts";

const SITE = { "/": { html: "<!doctype html><title>A site</title>" } };
const PARAMS = { channelId: "workshop", contentTopic: "/test/1/workshop/proto", encryption: { mode: "none" } } as const;
/** Bytes of a message in ten segments or more, and segments of it that pass before the network stands still. */
const LARGE = 1_000_000;
const PASSING = 4;

describe("activity in the popup", () => {
  let stack: Stack;
  let server: PageServer;
  let other: PageServer;
  let aliceProfile: ChromiumProfile;
  let bobProfile: ChromiumProfile;
  let alice: ChannelPage;
  let bob: ChannelPage;
  let popup: Popup;
  let page: Page;

  beforeAll(async () => {
    [server, other, stack] = await Promise.all([startPageServer(SITE), startPageServer(SITE), Stack.start()]);
    [aliceProfile, bobProfile] = await Promise.all([stack.profile(), stack.profile()]);
    alice = new ChannelPage(await aliceProfile.open(server.origin), { ...PARAMS, senderId: "alice" });
    bob = new ChannelPage(await bobProfile.open(server.origin), { ...PARAMS, senderId: "bob" });
    for (const [profile, site] of [
      [aliceProfile, alice],
      [bobProfile, bob],
    ] as const) {
      const attached = site.attach();
      await profile.answerPrompt("always");
      expect(await attached).toEqual({ ok: true, value: null });
    }
    popup = await Popup.open(aliceProfile);
    await popup.welcome(null);
    page = popup.page;
  });

  afterAll(async () => {
    await stack?.close();
    await Promise.all([server?.close(), other?.close()]);
  });

  const row = (requestId: string) => page.locator(`[data-testid="request-row"][data-request-id="${requestId}"]`);
  const inState = (requestId: string, state: string) => row(requestId).and(page.locator(`[data-state="${state}"]`));

  async function take(message: string): Promise<string> {
    const sent = await alice.send(message);
    if (!sent.ok) throw new Error(`${sent.code} ${sent.message}`);
    return sent.value;
  }

  test("with nothing sent yet, says so", async () => {
    await popup.tab("activity");
    await page.getByTestId("activity-empty").waitFor();
    await popupScreenshots(page, "popup-activity-empty");
  });

  test("a message is on its way, and then delivered, with its time and its size", async () => {
    for (const { faults } of stack.network.nodes) faults.set("lightpush", { kind: "hold" });
    const requestId = await take("Is anybody in the workshop?");
    await inState(requestId, "sending").waitFor();
    await popupScreenshots(page, "popup-activity-sending");
    for (const { faults } of stack.network.nodes) faults.clear();
    await inState(requestId, "delivered").waitFor({ timeout: 50_000 });
    expect(await row(requestId).getByTestId("request-size").textContent()).toBe("27 bytes");
    expect(await row(requestId).locator("time").getAttribute("title")).not.toBe("");
    expect(await row(requestId).getByTestId("request-state").textContent()).toContain("Delivered");
  });

  test("a large message has a progress bar on its way out, and at the other end on its way in", async () => {
    const theirs = await Popup.open(bobProfile);
    await theirs.welcome(null);
    await theirs.tab("activity");
    let pushes = 0;
    for (const { faults } of stack.network.nodes) {
      faults.choose = (service) => (service === "lightpush" && ++pushes > PASSING ? { kind: "hold" } : undefined);
    }
    const requestId = await take("x".repeat(LARGE));
    const bars = [
      page.locator('[data-testid="transfer-row"][data-direction="out"]').getByTestId("transfer-progress"),
      theirs.page.locator('[data-testid="transfer-row"][data-direction="in"]').getByTestId("transfer-progress"),
    ];
    await page.getByRole("progressbar", { name: "Sending in workshop" }).waitFor();
    await theirs.page.getByRole("progressbar", { name: "Receiving in workshop" }).waitFor();
    for (const bar of bars) {
      const [now, max] = await Promise.all(["aria-valuenow", "aria-valuemax"].map((name) => bar.getAttribute(name)));
      expect(Number(now)).toBeGreaterThan(0);
      expect(Number(now)).toBeLessThan(Number(max));
    }
    await popupScreenshots(page, "popup-transfer-out");
    await popupScreenshots(theirs.page, "popup-transfer-in");
    for (const { faults } of stack.network.nodes) faults.clear();
    await bob.waitFor("reliable:message:received", { length: LARGE });
    await inState(requestId, "delivered").waitFor({ timeout: 50_000 });
    for (const bar of bars) await bar.waitFor({ state: "detached" });
    expect(await row(requestId).textContent()).toMatch(/1 MB.*1\d parts/);
    await theirs.close();
  });

  test("the channel's view counts its members and its messages by their state", async () => {
    await popup.openChannel(PARAMS.channelId);
    expect(await page.getByTestId("channel-members").textContent()).toContain("1 member seen");
    expect(await page.getByTestId("channel-states").textContent()).toContain("Delivered: 2");
    await popupScreenshots(page, "popup-channel-busy");
  });

  test("a failure is on the badge and on the tab, and says why; prompts come before it; looking at it clears it", async () => {
    await alice.page.bringToFront();
    for (const { faults } of stack.network.nodes)
      faults.set("lightpush", { kind: "refuse", status: { code: 400, desc: "not today" } });
    const requestId = await take("Nobody wants this");
    expect(await alice.waitFor("reliable:message:send-error", { requestId })).toMatchObject({
      code: ErrorCode.Unsupported,
    });
    await expect.poll(() => aliceProfile.badge()).toBe("!1");
    await page.getByTestId("unseen-failures").waitFor();
    await page.getByRole("tab", { name: "Activity 1 new failure" }).waitFor();
    await popupScreenshots(page, "popup-unseen-failure");

    const asking = new ChannelPage(await aliceProfile.open(other.origin), { ...PARAMS, channelId: "another" });
    const attached = asking.attach();
    await aliceProfile.waitForPrompt();
    await expect.poll(() => aliceProfile.badge()).toBe("1");
    await aliceProfile.answerPrompt("reject");
    expect(await attached).toMatchObject({ ok: false, code: ErrorCode.UserRejected });
    await expect.poll(() => aliceProfile.badge()).toBe("!1");

    await popup.tab("activity");
    expect(await row(requestId).getByTestId("request-error").textContent()).toContain("refused");
    const cause = row(requestId).getByTestId("request-cause");
    expect(await cause.isVisible()).toBe(false);
    await row(requestId).getByText("Details", { exact: true }).click();
    await cause.and(page.locator('[lang="en"]')).filter({ hasText: "one or more segments failed" }).waitFor();
    await expect.poll(() => aliceProfile.badge()).toBe("");
    await page.getByTestId("unseen-failures").waitFor({ state: "detached" });
    await popupScreenshots(page, "popup-activity-failed");

    const copied = JSON.parse(await popup.copied(row(requestId).getByTestId("request-copy")));
    expect(copied).toMatchObject({ requestId, state: "send-error", failure: "refused", channelId: "workshop" });

    for (const { faults } of stack.network.nodes) faults.clear();
    await row(requestId).getByTestId("request-retry").click();
    await inState(requestId, "delivered").waitFor({ timeout: 50_000 });
    await bob.waitFor("reliable:message:received", { text: "Nobody wants this" });
  });

  test("the channel's view has the newest messages, and leads to all of them", async () => {
    for (let i = 0; i <= LIMITS.ui.channelRequests; i++) await take(`Another ${i}`);
    await popup.openChannel(PARAMS.channelId);
    const rows = page.getByTestId("request-row");
    await expect.poll(() => rows.count()).toBe(LIMITS.ui.channelRequests);
    await page.getByTestId("channel-activity").click();
    await page.getByTestId("activity-view").waitFor();
    await page.locator('[data-testid="tab-activity"][aria-selected="true"]').waitFor();
    expect(await rows.count()).toBeGreaterThan(LIMITS.ui.channelRequests);
  });

  test("a failure that was seen stays off the badge when the browser starts anew", async () => {
    for (const { faults } of stack.network.nodes)
      faults.set("lightpush", { kind: "refuse", status: { code: 413, desc: "payload too large" } });
    const requestId = await take("Too much for this network");
    expect(await alice.waitFor("reliable:message:send-error", { requestId })).toMatchObject({
      code: ErrorCode.PayloadTooLarge,
    });
    await row(requestId).getByText("larger than this network allows").waitFor();
    await expect.poll(() => aliceProfile.badge()).toBe("");
    await aliceProfile.killWorker();
    await aliceProfile.waitForNetwork("Connected");
    await inState(requestId, "send-error").waitFor();
    expect(await aliceProfile.badge()).toBe("");
    for (const { faults } of stack.network.nodes) faults.clear();
  });
});
