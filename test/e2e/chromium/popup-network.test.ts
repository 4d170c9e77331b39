/** The network as the popup shows and sets it: its state, its addresses, the sending budget, and what to tell who helps. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ChannelPage } from "../../support/channel-page.ts";
import type { ChromiumProfile } from "../../support/chromium.ts";
import { type PageServer, startPageServer } from "../../support/page-server.ts";
import { Popup } from "../../support/popup.ts";
import { popupScreenshots } from "../../support/screenshots.ts";
import { Stack } from "../../support/stack.ts";

const SITE = { "/": { html: "<!doctype html><title>A site</title>" } };
const PARAMS = { channelId: "post", contentTopic: "/test/1/post/proto", encryption: { mode: "none" } } as const;
/** Nobody listens there. */
const DEAD = "/ip4/127.0.0.1/tcp/1/ws";
const RECONNECT_MS = 40_000;

describe("the network in the popup", () => {
  let stack: Stack;
  let server: PageServer;
  let profile: ChromiumProfile;
  let popup: Popup;
  let page: Page;
  let site: ChannelPage;

  beforeAll(async () => {
    [server, stack] = await Promise.all([startPageServer(SITE), Stack.start()]);
    profile = await stack.profile();
    site = new ChannelPage(await profile.open(server.origin), { ...PARAMS, senderId: "alice" });
    const attached = site.attach();
    await profile.answerPrompt("always");
    expect(await attached).toEqual({ ok: true, value: null });
    popup = await Popup.open(profile);
    await popup.welcome(null);
    page = popup.page;
    await popup.tab("network");
  });

  afterAll(async () => {
    await stack?.close();
    await server?.close();
  });

  /** Waits until the popup calls the network so, where it says more about it too. */
  async function state(words: string): Promise<void> {
    await page.getByTestId("network-state").getByText(words, { exact: true }).waitFor({ timeout: RECONNECT_MS });
    expect(await page.getByTestId("network-status").textContent()).toContain(words);
  }

  /** Waits until the popup shows that network. */
  const joining = (name: string) => page.getByTestId("network-name").getByText(name, { exact: true }).waitFor();

  /** The device has no link, as the browser tells the popup; the network is on this machine, and does not notice. */
  async function whileOffline(look: () => Promise<void>): Promise<void> {
    const session = await profile.context.newCDPSession(page);
    try {
      const unlimited = { latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
      await session.send("Network.emulateNetworkConditions", { offline: true, ...unlimited });
      await look();
    } finally {
      // The emulation ends with its session.
      await session.detach();
    }
  }

  const peers = () =>
    Promise.all(
      ["lightpush", "filter", "store"].map((id) => page.getByTestId(`peers-${id}`).locator("dd").textContent()),
    );
  const testRow = (address: string) => page.locator(`[data-testid="peer-test-row"][data-address="${address}"]`);

  test("is connected, partly connected, reconnecting and offline in words, with the peers of each service", async () => {
    await state("Connected");
    expect(await peers()).toEqual(["2 peers", "2 peers", "2 peers"]);
    await popupScreenshots(page, "popup-network-connected");
    const [first, second] = stack.network.nodes;
    await second?.stop();
    await state("Partly connected");
    expect(await peers()).toEqual(["1 peer", "1 peer", "1 peer"]);
    await popupScreenshots(page, "popup-network-partly");
    await first?.stop();
    await state("Reconnecting");
    expect(await peers()).toEqual(["No peers", "No peers", "No peers"]);
    await popupScreenshots(page, "popup-network-reconnecting");
    await whileOffline(async () => {
      await state("Offline");
      await popupScreenshots(page, "popup-network-offline");
    });
    await state("Reconnecting");
    for (const node of stack.network.nodes) await node.start();
    await state("Connected");
  });

  test("tests addresses before they are relied on, and says of each in words what it is worth", async () => {
    const [good = ""] = stack.network.multiaddrs;
    await page.getByTestId("network-preset").selectOption("custom");
    await page.getByTestId("network-field-bootstrap").fill("nonsense");
    await page.getByTestId("peer-test").click();
    await page.getByTestId("network-field-bootstrap").and(page.locator("[aria-invalid='true']")).waitFor();
    expect(await page.getByTestId("peer-tests").count()).toBe(0);

    await page.getByTestId("network-field-bootstrap").fill(`${good}\n${DEAD}`);
    await page.getByTestId("peer-test").click();
    await page.getByText("Addresses that work: 1 of 2").waitFor();
    expect(await testRow(good).getAttribute("data-tone")).toBe("good");
    expect(await testRow(good).getByTestId("peer-test-words").textContent()).toContain("Sending, Receiving, History");
    expect(await testRow(DEAD).getAttribute("data-tone")).toBe("bad");
    expect(await testRow(DEAD).getByTestId("peer-test-words").textContent()).toContain("could not be reached");
    await testRow(DEAD).getByText("Details", { exact: true }).click();
    await testRow(DEAD).getByTestId("peer-test-cause").and(page.locator('[lang="en"]')).waitFor();
    await page.getByTestId("peer-tests").scrollIntoViewIfNeeded();
    await popupScreenshots(page, "popup-network-tested");

    await page.getByTestId("network-field-bootstrap").fill(good);
    await page.getByTestId("network-field-cluster").fill("7");
    await page.getByTestId("peer-test").click();
    await page.getByText("Addresses that work: 0 of 1").waitFor();
    await page.getByTestId("network-discard").click();
    expect(await page.getByTestId("network-field-cluster").inputValue()).toBe(String(stack.network.clusterId));
  });

  test("joins a preset, and one's own network again", async () => {
    await page.getByTestId("network-preset").selectOption("status.prod");
    await page.getByTestId("network-field-bootstrap").fill(DEAD);
    await page.getByTestId("network-save").click();
    await joining("status.prod");
    await state("Reconnecting");
    await page.getByTestId("network-preset").selectOption("custom");
    await page.getByTestId("network-field-name").fill("At home");
    await page.getByTestId("network-field-cluster").fill(String(stack.network.clusterId));
    await page.getByTestId("network-field-shards").fill(String(stack.network.shards));
    await page.getByTestId("network-field-bootstrap").fill(stack.network.multiaddrs.join("\n"));
    await popupScreenshots(page, "popup-network-custom");
    await page.getByTestId("network-save").click();
    await joining("At home");
    await state("Connected");
  });

  test("copies diagnostics: versions, health, topics and errors, and neither sites nor names", async () => {
    await page.getByTestId("diagnostics-copy").scrollIntoViewIfNeeded();
    await popupScreenshots(page, "popup-network-diagnostics");
    const text = await popup.copied(page.getByTestId("diagnostics-copy"));
    expect(JSON.parse(text)).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      browser: expect.stringContaining("Chrome"),
      network: { name: "At home", status: "Connected", bootstrapPeers: 2 },
      channels: [{ contentTopic: PARAMS.contentTopic, state: "open" }],
      messaging: { subscriptions: [{ contentTopic: PARAMS.contentTopic }], queue: { queued: 0 } },
    });
    expect(text).not.toContain(server.origin);
    expect(text).not.toContain(`"${PARAMS.channelId}"`);
  });

  test("refuses a budget whose epoch has no length", async () => {
    expect(await page.getByTestId("budget").textContent()).toContain("Nothing limits how much you send.");
    await page.getByRole("checkbox", { name: "Limit how much is sent" }).check();
    expect(await page.getByTestId("budget-seconds").inputValue()).toBe("600");
    await page.getByRole("textbox", { name: "Seconds per epoch" }).fill("0");
    await page.keyboard.press("Enter");
    await expect
      .poll(() => page.evaluate(() => document.activeElement?.getAttribute("data-testid")))
      .toBe("budget-seconds");
    await page.getByTestId("budget-seconds-error").waitFor();
    await popupScreenshots(page, "popup-budget-error");
  });

  test("discards a budget that is half typed, and what is wrong with it; until then it is kept", async () => {
    const enabled = page.getByTestId("budget-enabled");
    const messages = page.getByTestId("budget-messages");
    await page.getByTestId("budget-seconds-error").waitFor();
    await page.getByTestId("budget-discard").click();
    expect(await enabled.isChecked()).toBe(false);
    for (const gone of ["budget-messages", "budget-save", "budget-discard"]) {
      expect(await page.getByTestId(gone).count()).toBe(0);
    }
    await enabled.check();
    expect(await page.getByTestId("budget-seconds-error").count()).toBe(0);

    const suggested = await messages.inputValue();
    await messages.fill(`${suggested}7`);
    await popup.tab("sites");
    await popup.tab("network");
    expect(await messages.inputValue()).toBe(`${suggested}7`);
    await page.getByTestId("budget-discard").click();
    await enabled.check();
    expect(await messages.inputValue()).toBe(suggested);
  });

  test("a used-up budget says until when, what is beyond waits for the next epoch, and goes out then", async () => {
    await page.getByTestId("budget-messages").fill("2");
    await page.getByTestId("budget-seconds").fill("6");
    await page.getByTestId("budget-save").click();
    await page.getByTestId("budget-bar").waitFor();
    await state("Connected");

    const sent = await Promise.all(["one", "two", "three", "four", "five"].map((text) => site.send(text)));
    const ids = sent.map((each) => (each.ok ? each.value : each.message));
    await page.getByTestId("budget-waiting").waitFor();
    expect(await page.getByTestId("budget-resets").textContent()).toMatch(/Used up.*\d:\d\d:\d\d/);
    const bar = page.getByRole("progressbar", { name: "Sending budget" });
    expect(await bar.getAttribute("aria-valuetext")).toBe("Used: 2 of 2. Left: 0.");
    await page.getByTestId("budget").scrollIntoViewIfNeeded();
    await popupScreenshots(page, "popup-budget-used");
    await popup.tab("activity");
    await page.getByText("Waiting for the next epoch").first().waitFor();
    await popupScreenshots(page, "popup-activity-waiting");
    const epoch = await site.page.evaluate(async () => (await window.reliableChannel?.quota())?.epoch);
    expect(epoch).toMatchObject({ limit: 2, resetsAt: expect.any(Number) });

    for (const requestId of ids) await site.waitFor("reliable:message:sent", { requestId });
    await page.getByText("Waiting for the next epoch").first().waitFor({ state: "detached" });
    const stored = stack.network.nodes.flatMap(({ archive }) => archive.messages(PARAMS.contentTopic));
    expect(stored.length).toBeGreaterThanOrEqual(ids.length);

    await popup.tab("network");
    await page.getByTestId("budget-enabled").uncheck();
    await page.getByTestId("budget-save").click();
    await page.getByText("Nothing limits how much you send.").waitFor();
  });
});
