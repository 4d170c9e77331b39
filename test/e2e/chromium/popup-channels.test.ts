/** Channels and sites as a person handles them in the popup, and the site that uses what was made there. */
import { randomBytes } from "node:crypto";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { ChannelPage } from "../../support/channel-page.ts";
import type { ChromiumProfile } from "../../support/chromium.ts";
import { type PageServer, startPageServer } from "../../support/page-server.ts";
import { Popup, pickKey } from "../../support/popup.ts";
import { popupScreenshots } from "../../support/screenshots.ts";
import { Stack } from "../../support/stack.ts";

const SITE = { "/": { html: "<!doctype html><title>A site</title>" } };
const ATTACHED = { ok: true, value: null };
const GARDEN = { channelId: "garden", contentTopic: "/test/1/garden/proto" };
const PLAIN = { encryption: { mode: "none" } } as const;
const SHED = { channelId: "shed", contentTopic: "/test/1/shed/proto", ...PLAIN };

/** What extension pages see of the browser. */
interface Area {
  get(keys: null): Promise<Readonly<Record<string, unknown>>>;
}
declare const chrome: { readonly storage: { readonly session: Area; readonly local: Area } };

/** What a page is told about its channel and its grant. */
interface Told {
  readonly close: string[];
  readonly grants: number[];
}
declare global {
  interface Window {
    told?: Told;
  }
}

/** Has the page note, from now on, why its channel closes and how many grants it has. */
function note(page: Page): Promise<void> {
  return page.evaluate(() => {
    const told: Told = { close: [], grants: [] };
    window.told = told;
    window.testChannel?.channel.on("close", ({ reason }) => told.close.push(reason));
    window.reliableChannel?.on("permissionsChanged", (grants) => told.grants.push(grants.length));
  });
}

/** Waits until the page was told so. */
async function told(page: Page, what: { readonly [K in keyof Told]?: Told[K] }): Promise<void> {
  await page.waitForFunction((wanted) => {
    const { told } = window;
    return told && JSON.stringify({ ...told, ...wanted }) === JSON.stringify(told);
  }, what);
}

describe("channels in the popup", () => {
  let stack: Stack;
  let server: PageServer;
  /** A second site. */
  let other: PageServer;
  let profile: ChromiumProfile;
  let popup: Popup;
  let page: Page;
  let garden: ChannelPage;
  let shed: ChannelPage;

  beforeAll(async () => {
    [server, other, stack] = await Promise.all([startPageServer(SITE), startPageServer(SITE), Stack.start()]);
    profile = await stack.profile();
    popup = await Popup.open(profile);
    await popup.welcome(null);
    page = popup.page;
    garden = new ChannelPage(await profile.open(server.origin), { ...GARDEN, senderId: "alice" });
    shed = new ChannelPage(await profile.open(server.origin), { ...SHED, senderId: "alice" });
  });

  afterAll(async () => {
    await stack?.close();
    await Promise.all([server?.close(), other?.close()]);
  });

  /** What has the focus. */
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("data-testid"));
  const row = (channelId: string) => page.locator(`[data-testid="channel-row"][data-channel-id="${channelId}"]`);

  test("a form that is not filled in says what is missing, field by field", async () => {
    await popup.fillChannelForm("not a site", "", "no topic");
    await page.getByTestId("channel-form-save").click();
    await page.getByTestId("channel-form-site-error").waitFor();
    expect(await page.locator("[aria-invalid='true']").count()).toBe(3);
    await expect.poll(focused).toBe("channel-form-site");
    await popupScreenshots(page, "popup-channel-form-errors");
  });

  test("closed with forms half filled in, it opens where it was with what was typed, and keeps no secret", async () => {
    const secrets = { key: randomBytes(32).toString("hex"), passphrase: "a passphrase half typed" };
    /** Everything that the browser keeps for the extension, once a text that was typed is in it. */
    const stored = async (typed: string): Promise<string> => {
      const read = () =>
        page.evaluate(async () =>
          JSON.stringify([await chrome.storage.session.get(null), await chrome.storage.local.get(null)]),
        );
      await expect.poll(read).toContain(typed);
      return read();
    };
    const reopen = async (): Promise<void> => {
      await popup.close();
      popup = await Popup.open(profile);
      page = popup.page;
    };
    const value = (testid: string) => page.getByTestId(testid).inputValue();

    await popup.fillChannelForm("half.a.si", "half a chan", "/half/a/to");
    await page.getByTestId("key-choice-name").fill("Half a ke");
    await page.getByTestId("key-choice-import").check();
    await page.getByTestId("key-choice-text").fill(secrets.key);
    await page.getByTestId("key-text-found").waitFor();
    const drafts = await stored("Half a ke");
    await reopen();
    await page.getByTestId("channel-form").waitFor();
    for (const [testid, typed] of [
      ["channel-form-site", "half.a.si"],
      ["channel-form-channelId", "half a chan"],
      ["channel-form-contentTopic", "/half/a/to"],
      ["key-choice-name", "Half a ke"],
    ] as const) {
      expect(await value(testid)).toBe(typed);
    }

    await popup.tab("network");
    await page.getByTestId("network-preset").selectOption("custom");
    await page.getByTestId("network-field-name").fill("Half a networ");
    await page.getByTestId("network-field-bootstrap").fill("/ip4/10.0");
    await stored("/ip4/10.0");
    await reopen();
    await page.locator('[data-testid="tab-network"][aria-selected="true"]').waitFor();
    expect(await value("network-preset")).toBe("custom");
    expect(await value("network-field-name")).toBe("Half a networ");
    expect(await value("network-field-bootstrap")).toBe("/ip4/10.0");
    await page.getByTestId("network-discard").click();

    await popup.tab("keys");
    await page.getByTestId("backup").click();
    await page.getByTestId("new-password").fill(secrets.passphrase);
    await page.getByTestId("restore-passphrase").fill(secrets.passphrase);
    const last = await stored('"keyForm":"backup"');
    await reopen();
    await page.getByTestId("backup-view").waitFor();
    expect(await value("new-password")).toBe("");
    for (const text of [drafts, last, await stored("popupPlace")]) {
      for (const secret of Object.values(secrets)) expect(text).not.toContain(secret);
    }
  });

  test("makes an encrypted channel for a site that never asked; it waits, closed, until the site does", async () => {
    await popup.fillChannelForm(server.origin, GARDEN.channelId, GARDEN.contentTopic);
    await page.getByTestId("key-choice-make").check();
    await page.getByTestId("key-choice-name").fill("Garden key");
    await popup.createChannel();
    expect(await page.getByTestId("channel-health").textContent()).toContain("Closed");
    expect(await page.getByTestId("channel-key").textContent()).toBe("Garden key");
    await popupScreenshots(page, "popup-channel-new");
  });

  test("the site attaches under the sender id that it names, and is asked for no key", async () => {
    const attached = garden.attach();
    const prompt = await profile.waitForPrompt();
    expect(await prompt.getByTestId("key-choice").count()).toBe(0);
    await profile.answerPrompt("always");
    expect(await attached).toEqual(ATTACHED);
    expect(await garden.page.evaluate(() => window.testChannel?.channel.senderId)).toBe("alice");
    const sent = await garden.send("First light");
    if (!sent.ok) throw new Error(sent.message);
    await garden.waitFor("reliable:message:sent", { requestId: sent.value });
    const another = new ChannelPage(await profile.open(server.origin), { ...GARDEN, senderId: "mallory" });
    expect(await another.attach()).toMatchObject({ ok: false, code: ErrorCode.InvalidParams });
    await another.page.close();
  });

  test("a channel made for a site that is allowed is open at once, and the site takes it up all the same", async () => {
    await popup.fillChannelForm(server.origin, SHED.channelId, SHED.contentTopic);
    await page.getByTestId("channel-form-encrypted").uncheck();
    await popup.createChannel();
    await page.getByTestId("channel-health").and(page.locator('[data-tone="good"]')).waitFor();
    expect(await page.getByTestId("channel-encryption").textContent()).toContain("Not encrypted");
    expect(await shed.attach()).toEqual(ATTACHED);
    expect(await shed.page.evaluate(() => window.testChannel?.channel.senderId)).toBe("alice");
  });

  test("renames, gives another key, and shows an invitation", async () => {
    await popup.openChannel(GARDEN.channelId);
    await page.getByTestId("channel-rename-name").fill("Allotment");
    await page.getByTestId("channel-rename-save").click();
    await page.getByRole("heading", { name: "Allotment" }).waitFor();

    await popup.changeToNewKey(GARDEN.channelId, "Second key");
    await popup.openChannel(GARDEN.channelId);
    expect(await page.getByTestId("channel-key").textContent()).toBe("Second key");

    await page.getByTestId("channel-share").click();
    await page.getByTestId("share-view").waitFor();
    await page.getByTestId("share-show").click();
    expect((await page.getByTestId("share-text").inputValue()).length).toBeGreaterThan(40);
    await page.getByRole("img", { name: /Allotment/ }).waitFor();
    await popupScreenshots(page, "popup-channel-share");
    await page.getByTestId("back").click();
    await popupScreenshots(page, "popup-channel-renamed");
  });

  test("the list shows name, site, topic, peers, health, last activity, members and what is on its way", async () => {
    await popup.tab("channels");
    for (const node of stack.network.nodes) node.faults.set("lightpush", { kind: "hold" });
    const sent = await shed.send("Held up on its way");
    if (!sent.ok) throw new Error(sent.message);
    await row("shed").getByTestId("channel-pending").waitFor();
    const words = await row("garden").textContent();
    for (const word of ["Allotment", "localhost", GARDEN.contentTopic, "Nobody seen yet", "Encrypted"]) {
      expect(words).toContain(word);
    }
    expect(await row("garden").locator("time").count()).toBe(1);
    expect(await row("shed").getByTestId("channel-health").getAttribute("data-tone")).toBe("good");
    const serving = stack.network.nodes.length;
    await row("shed").getByTestId("channel-peers").getByText(`${serving} peers`, { exact: true }).waitFor();
    await popupScreenshots(page, "popup-channel-list");
    for (const node of stack.network.nodes) node.faults.clear();
    await shed.waitFor("reliable:message:sent", { requestId: sent.value });
    await row("shed").getByTestId("channel-pending").waitFor({ state: "detached" });
  });

  test("closes a channel, and the page is told; the site opens it again, and so does the popup", async () => {
    await note(shed.page);
    await popup.openChannel("shed");
    await popup.confirm(page.getByTestId("close-channel"));
    await told(shed.page, { close: ["user"] });
    expect(await shed.send("Too late")).toMatchObject({ ok: false, code: ErrorCode.ChannelClosed });
    await row("shed").getByText("Closed").waitFor();

    expect(await shed.attach()).toEqual(ATTACHED);
    await row("shed").getByTestId("channel-health").and(page.locator('[data-tone="good"]')).waitFor();

    await popup.openChannel("shed");
    await popup.confirm(page.getByTestId("close-channel"));
    await popup.openChannel("shed");
    await popupScreenshots(page, "popup-channel-closed");
    await page.getByTestId("reopen-channel").click();
    await page.getByTestId("channel-health").and(page.locator('[data-tone="good"]')).waitFor();
    expect(await shed.attach()).toEqual(ATTACHED);
  });

  test("deletes a channel after a confirmation, and not without one", async () => {
    await note(shed.page);
    await popup.openChannel("shed");
    await page.getByTestId("delete-channel").click();
    await popupScreenshots(page, "popup-channel-delete");
    await page.getByTestId("confirm-cancel").click();
    await popup.confirm(page.getByTestId("delete-channel"));
    await told(shed.page, { close: ["user"] });
    await row("shed").waitFor({ state: "detached" });
    expect(await row("garden").count()).toBe(1);
  });

  test("another site's key goes into a channel only past a warning, made with it or changed to it", async () => {
    await popup.fillChannelForm(other.origin, "greenhouse", "/test/1/greenhouse/proto");
    await pickKey(page, "Second key");
    await page.getByTestId("channel-form-save").click();
    expect(await page.getByTestId("new-site-origin").textContent()).toContain(new URL(other.origin).host);
    await page.getByTestId("new-site-back").click();
    expect(await page.getByTestId("channel-form-channelId").inputValue()).toBe("greenhouse");
    expect((await profile.snapshot()).channels.map(({ origin }) => origin)).not.toContain(other.origin);
    await page.getByTestId("channel-form-save").click();
    await page.getByTestId("new-site-allow").click();
    await page.getByTestId("channel-view").waitFor();
    const key = page.getByTestId("channel-key");
    expect(await key.textContent()).toBe("Second key");

    await page.getByTestId("channel-change-key").click();
    await pickKey(page, "Garden key");
    await page.getByTestId("channel-key-save").click();
    await page.getByTestId("new-site-back").click();
    await page.getByTestId("channel-key-save").click();
    await page.getByTestId("new-site-allow").click();
    await key.getByText("Garden key", { exact: true }).waitFor();
    await key.click();
    await page.getByTestId("key-view").waitFor();
    expect(await page.getByTestId("key-channels").textContent()).toContain("greenhouse");
    await popup.openChannel("greenhouse");
    await popup.confirm(page.getByTestId("delete-channel"));
    await row("greenhouse").waitFor({ state: "detached" });
  });

  test("what is refused says why until that is read, leaves no key behind, and loses nothing that was typed", async () => {
    await popup.fillChannelForm(server.origin, GARDEN.channelId, "/test/1/elsewhere/proto");
    await page.getByTestId("key-choice-name").fill("Key of nothing");
    await page.getByTestId("channel-form-save").click();
    const failure = page.locator('[data-testid="notice"].failed');
    await failure.waitFor();
    expect((await profile.snapshot()).keys.map(({ name }) => name)).toEqual(["Garden key", "Second key"]);
    expect(await page.getByTestId("channel-form-channelId").inputValue()).toBe(GARDEN.channelId);
    await failure.getByRole("button").click();
    await failure.waitFor({ state: "detached" });
    await page.getByTestId("back").click();
  });

  test("searches by name, site or topic once there are more than eight", async () => {
    expect(await page.getByTestId("channel-search").count()).toBe(0);
    await shed.page.evaluate(async () => {
      for (let i = 1; i <= 8; i++) {
        await window.reliableChannel?.createReliableChannel({
          channelId: `room ${i}`,
          contentTopic: `/test/1/room-${i}/proto`,
          encryption: { mode: "none" },
        });
      }
    });
    await page.getByTestId("channel-search").fill("allot");
    await expect.poll(() => page.getByTestId("channel-row").count()).toBe(1);
    await page.getByTestId("channel-search").fill("room-7");
    await expect.poll(() => row("room 7").count()).toBe(1);
    expect(await page.getByTestId("channel-row").count()).toBe(1);
    await popupScreenshots(page, "popup-channel-search");
    await page.getByTestId("channel-search").fill("nothing like it");
    await page.getByRole("button", { name: "Clear search" }).click();
    await expect.poll(() => page.getByTestId("channel-row").count()).toBe(9);
  });

  describe("sites", () => {
    const site = (origin: string) => page.locator(`[data-testid="site-row"][data-origin="${origin}"]`);
    let elsewhere: ChannelPage;

    test("shows what each site uses, and takes the access of one away: its page is told", async () => {
      elsewhere = new ChannelPage(await profile.open(other.origin), { ...SHED, channelId: "elsewhere" });
      const attached = elsewhere.attach();
      await profile.answerPrompt("once");
      expect(await attached).toEqual(ATTACHED);
      await popup.tab("sites");
      expect(await site(server.origin).getByTestId("site-channels").textContent()).toBe("9 channels");
      expect(await site(server.origin).getByTestId("site-keys").textContent()).toBe("2 keys");
      expect(await site(other.origin).getByTestId("site-channels").textContent()).toBe("1 channel");
      await popupScreenshots(page, "popup-sites-use");

      await note(elsewhere.page);
      await popup.confirm(page.getByRole("button", { name: `Revoke access of ${other.origin}` }));
      await site(other.origin).waitFor({ state: "detached" });
      await told(elsewhere.page, { close: ["revoked"], grants: [0] });
      expect(await site(server.origin).count()).toBe(1);
    });

    test("takes all access away at once, and what is blocked stays blocked until it is unblocked", async () => {
      const blocked = elsewhere.attach();
      await profile.answerPrompt("block");
      expect(await blocked).toMatchObject({ ok: false });
      const third = await startPageServer(SITE);
      try {
        const asking = new ChannelPage(await profile.open(third.origin), { ...SHED, channelId: "third" });
        const attached = asking.attach();
        await profile.answerPrompt("always");
        expect(await attached).toEqual(ATTACHED);
        await Promise.all([note(asking.page), note(garden.page)]);
        // With the keyboard alone: along the tabs, whatever they show, into the view, and in the dialog past Cancel.
        await page.getByRole("tab", { name: "Sites" }).focus();
        await page.keyboard.press("Home");
        for (const tab of ["keys", "activity", "sites"]) {
          await page.keyboard.press("ArrowRight");
          await page.locator(`#tab-${tab}[aria-selected="true"]`).waitFor();
          await expect.poll(focused).toBe(`tab-${tab}`);
        }
        await page.getByTestId("revoke-all").waitFor();
        while ((await focused()) !== "revoke-all") await page.keyboard.press("Shift+Tab");
        await page.keyboard.press("Enter");
        await page.getByRole("dialog", { name: "Revoke the access of all sites?" }).waitFor();
        await popupScreenshots(page, "popup-revoke-all");
        await expect.poll(focused).toBe("confirm-cancel");
        await page.keyboard.press("Tab");
        await page.keyboard.press("Enter");
        for (const origin of [server.origin, third.origin]) await site(origin).waitFor({ state: "detached" });
        await told(asking.page, { close: ["revoked"], grants: [0] });
        await told(garden.page, { close: ["revoked"], grants: [0] });
        await popupScreenshots(page, "popup-sites-blocked");
      } finally {
        await third.close();
      }

      await site(other.origin).getByTestId("unblock").click();
      await page.getByTestId("sites-empty").waitFor();
      const again = elsewhere.attach();
      await profile.answerPrompt("once");
      expect(await again).toEqual(ATTACHED);
    });
  });
});
