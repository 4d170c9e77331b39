/** A backup: saved as a file in one profile, and restored from it in another. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { ChannelPage, type EncryptedChannelParams } from "../../support/channel-page.ts";
import { type ChromiumProfile, chooseFile, savedFile } from "../../support/chromium.ts";
import { type PageServer, startPageServer } from "../../support/page-server.ts";
import { allow, allowWithNewKey, Popup } from "../../support/popup.ts";
import { popupScreenshots, screenshots, TEST_SCREENSHOTS } from "../../support/screenshots.ts";
import { Stack } from "../../support/stack.ts";

const ATTACHED = { ok: true, value: null };
const CLUB: EncryptedChannelParams = { channelId: "book-club", contentTopic: "/test/1/backup/proto" };
const PASSPHRASE = "a garden gate in spring";

describe("a backup", () => {
  let stack: Stack;
  let server: PageServer;
  let oldProfile: ChromiumProfile;
  let newProfile: ChromiumProfile;
  let before: ChannelPage;
  let fingerprint: string;
  let file: { readonly name: string; readonly text: string };
  let hex: string;

  beforeAll(async () => {
    [server, stack] = await Promise.all([
      startPageServer({ "/": { html: "<!doctype html><title>A site</title>" } }),
      Stack.start(),
    ]);
    [oldProfile, newProfile] = await Promise.all([stack.profile(), stack.profile()]);
    await Promise.all(
      [oldProfile, newProfile].map(async (profile) => {
        await using popup = await Popup.open(profile);
        await popup.welcome(null);
      }),
    );
    before = new ChannelPage(await oldProfile.open(server.origin), CLUB);
    const attached = before.attach();
    await allowWithNewKey(oldProfile, "Club key");
    expect(await attached).toEqual(ATTACHED);
  });

  afterAll(async () => {
    await stack?.close();
    await server?.close();
  });

  test("is saved as a file that holds nothing in clear", async () => {
    const sent = await before.send("The minutes of the first evening");
    if (!sent.ok) throw new Error(sent.message);
    await before.waitFor("reliable:message:sent", { requestId: sent.value });

    await using popup = await Popup.open(oldProfile);
    const { page } = popup;
    await popup.openChannel("book-club");
    await page.getByTestId("channel-rename-name").fill("Our book club");
    await page.getByTestId("channel-rename-save").click();
    await page.getByTestId("channel-rename-save").waitFor({ state: "hidden" });
    await popup.openKey("Club key");
    fingerprint = (await page.getByTestId("fingerprint-words").first().textContent()) ?? "";
    hex = await popup.exportKey("hex");

    await popup.tab("keys");
    await page.getByTestId("backup").click();
    await page.getByTestId("new-password").fill(PASSPHRASE);
    await page.getByTestId("repeat-password").fill(`${PASSPHRASE}!`);
    await page.getByTestId("backup-save").click();
    await page.getByTestId("repeat-password-error").waitFor();
    await page.getByTestId("repeat-password").fill(PASSPHRASE);
    const { name, bytes } = await savedFile(page.getByTestId("backup-save"));
    file = { name, text: bytes.toString() };
    expect(file.name).toMatch(/^reliable-channel-backup-\d{4}-\d\d-\d\d\.json$/);
    const key = Buffer.from(hex, "hex");
    for (const secret of [hex, key.toString("base64"), key.toString("base64url"), "book", "Club", PASSPHRASE]) {
      expect(file.text).not.toContain(secret);
    }
    // Typed again for the next one.
    await page.getByTestId("notice").waitFor();
    expect(await page.getByTestId("new-password").inputValue()).toBe("");
  });

  /** Chooses the file as a person does, in the browser's own dialogue, and types the passphrase. */
  async function restore(popup: Popup, text: string, passphrase: string): Promise<void> {
    const { page } = popup;
    const buffer = Buffer.from(text);
    await chooseFile(page.getByTestId("backup-file"), { name: file.name, mimeType: "application/json", buffer });
    await page.getByTestId("restore-passphrase").fill(passphrase);
    await page.getByTestId("backup-restore").click();
  }

  test("with a wrong passphrase, or changed, or none at all, says which, and restores nothing", async () => {
    await using popup = await Popup.open(newProfile);
    const { page } = popup;
    await popup.tab("keys");
    await page.getByTestId("backup").click();
    const problem = page.getByTestId("restore-passphrase-error");
    const changed = file.text.replace(
      /"sealed": "(.)/,
      (_, first: string) => `"sealed": "${first === "A" ? "B" : "A"}`,
    );
    expect(changed).not.toBe(file.text);
    for (const [text, passphrase, words] of [
      [file.text, "a garden gate in autumn", /passphrase is wrong/],
      [changed, PASSPHRASE, /changed or damaged/],
      [file.text.replace(/"salt": "[^"]*"/, '"salt": ""'), PASSPHRASE, /is missing in this backup/],
      ["A letter to a friend", PASSPHRASE, /no backup/],
    ] as const) {
      await restore(popup, text, passphrase);
      await problem.filter({ hasText: words }).waitFor();
    }
    await screenshots(page, TEST_SCREENSHOTS, "popup-backup-wrong");
    const film = Buffer.alloc(LIMITS.keys.backupChars + 1);
    await page.getByTestId("backup-file").setInputFiles({ name: "film.mp4", mimeType: "video/mp4", buffer: film });
    await page
      .getByTestId("backup-file-problem")
      .filter({ hasText: /too large/ })
      .waitFor();
    expect(await page.getByTestId("backup-restore").isDisabled()).toBe(true);
    await popupScreenshots(page, "popup-backup-too-large");
    await popup.tab("keys");
    await page.getByTestId("keys-empty").waitFor();
  });

  test("brings keys, names and channels back, and adds nothing the second time", async () => {
    await using popup = await Popup.open(newProfile);
    const { page } = popup;
    for (const words of [/1 key was restored\. 1 channel was restored\./, /here already/]) {
      await popup.tab("keys");
      await page.getByTestId("backup").click();
      await restore(popup, file.text, PASSPHRASE);
      await page.getByTestId("notice").filter({ hasText: words }).waitFor();
      if (words.source.includes("1 key")) await screenshots(page, TEST_SCREENSHOTS, "popup-backup-restored");
    }
    await popup.openKey("Club key");
    expect(await page.getByTestId("fingerprint-words").first().textContent()).toBe(fingerprint);
    expect(await page.getByTestId("key-channels").textContent()).toContain("Our book club");
    await popup.openChannel("book-club");
    await page.getByRole("heading", { name: "Our book club" }).waitFor();
  });

  test("the site is asked for no key, gets a sender id of its own, and reads what was encrypted before", async () => {
    const restored = new ChannelPage(await newProfile.open(server.origin), CLUB);
    const attached = restored.attach();
    const prompt = await newProfile.waitForPrompt();
    expect(await prompt.getByTestId("key-choice").count()).toBe(0);
    await allow(prompt);
    expect(await attached).toEqual(ATTACHED);
    await restored.waitFor("reliable:message:received", { text: "The minutes of the first evening" });

    const senders = await Promise.all(
      [oldProfile, newProfile].map(async (profile) => (await profile.snapshot()).channels[0]?.senderId),
    );
    expect(new Set(senders).size).toBe(2);
    const sent = await restored.send("Read in a new browser");
    if (!sent.ok) throw new Error(sent.message);
    await before.waitFor("reliable:message:received", { text: "Read in a new browser" });
  });

  test("pasted where a key is expected, goes on where it belongs, and brings back what was deleted since", async () => {
    await using popup = await Popup.open(newProfile);
    const { page } = popup;
    await popup.openChannel("book-club");
    await popup.confirm(page.getByTestId("delete-channel"));
    await popup.openKey("Club key");
    await popup.confirm(page.getByTestId("key-delete"));
    await page.getByTestId("keys-empty").waitFor();

    await popup.pasteKey(file.text);
    expect(await page.getByTestId("key-save").count()).toBe(0);
    await page.getByTestId("key-to-backup").click();
    await page.getByTestId("backup-view").waitFor();
    // It is there already: nothing has to be chosen.
    await page.getByTestId("restore-passphrase").fill(PASSPHRASE);
    await page.getByTestId("backup-restore").click();
    await expect.poll(async () => (await newProfile.snapshot()).channels).toMatchObject([{ channelId: "book-club" }]);
    await popup.openKey("Club key");
    expect(await page.getByTestId("fingerprint-words").first().textContent()).toBe(fingerprint);
  });

  test("of one channel: exported where it is shown, it brings that channel and its key to another profile, no more", async () => {
    const third = await stack.profile();
    await using from = await Popup.open(oldProfile);
    await from.fillChannelForm(server.origin, "committee", "/test/1/committee/proto");
    await from.page.getByTestId("key-choice-make").check();
    await from.page.getByTestId("key-choice-name").fill("Committee key");
    await from.createChannel();
    await from.openChannel("book-club");
    await from.page.getByTestId("channel-export").click();
    await from.page.getByRole("heading", { name: "Export Our book club" }).waitFor();
    await popupScreenshots(from.page, "popup-channel-export");
    await from.page.getByTestId("new-password").fill(PASSPHRASE);
    await from.page.getByTestId("repeat-password").fill(PASSPHRASE);
    const { name, bytes } = await savedFile(from.page.getByTestId("backup-save"));
    expect(name).toMatch(/^reliable-channel-export-\d{4}-\d\d-\d\d\.json$/);

    await using to = await Popup.open(third);
    await to.welcome(null);
    await to.tab("keys");
    await to.page.getByTestId("backup").click();
    await restore(to, bytes.toString(), PASSPHRASE);
    await to.page.getByTestId("notice").filter({ hasText: "1 key was restored. 1 channel was restored." }).waitFor();
    await to.openKey("Club key");
    expect(await to.page.getByTestId("fingerprint-words").first().textContent()).toBe(fingerprint);
    const { keys, channels } = await third.snapshot();
    expect(keys.map(({ name }) => name)).toEqual(["Club key"]);
    expect(channels).toMatchObject([
      { channelId: "book-club", label: "Our book club", contentTopic: CLUB.contentTopic },
    ]);
  });
});
