/** Invitations: shown as a QR code, read from a picture, and held back by a warning where the key is another site's. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { ChannelPage, type EncryptedChannelParams } from "../../support/channel-page.ts";
import { type ChromiumProfile, chooseFile, clickAndClose, savedFile } from "../../support/chromium.ts";
import { pasted } from "../../support/keyboard.ts";
import { type PageServer, startPageServer } from "../../support/page-server.ts";
import { allow, Popup, pasteInto } from "../../support/popup.ts";
import { qrPicture } from "../../support/qr-picture.ts";
import { screenshots, TEST_SCREENSHOTS } from "../../support/screenshots.ts";
import { Stack } from "../../support/stack.ts";

const SITE = { "/": { html: "<!doctype html><title>A site</title>" } };
const ATTACHED = { ok: true, value: null };
const CLUB: EncryptedChannelParams = { channelId: "chess-club", contentTopic: "/test/1/chess/proto" };
/** A site that never asked. */
const ELSEWHERE = "https://chess.example";
const ICON = join(import.meta.dirname, "../../../public/icon/128.png");

describe("an invitation", () => {
  let stack: Stack;
  let server: PageServer;
  /** Other sites, for which the key was not made. */
  let second: PageServer;
  let third: PageServer;
  let aliceProfile: ChromiumProfile;
  let bobProfile: ChromiumProfile;
  let alice: ChannelPage;
  /** The code as it is shown, and as it is saved. */
  let pictures: readonly Buffer[];
  let code: string;

  beforeAll(async () => {
    [server, second, third, stack] = await Promise.all([
      startPageServer(SITE),
      startPageServer(SITE),
      startPageServer(SITE),
      Stack.start(),
    ]);
    [aliceProfile, bobProfile] = await Promise.all([stack.profile(), stack.profile()]);
    await Promise.all(
      [aliceProfile, bobProfile].map(async (profile) => {
        await using popup = await Popup.open(profile);
        await popup.welcome(null);
      }),
    );
  });

  afterAll(async () => {
    await stack?.close();
    await Promise.all([server?.close(), second?.close(), third?.close()]);
  });

  const origins = async (profile: ChromiumProfile): Promise<readonly string[]> =>
    (await profile.snapshot()).channels.map(({ origin }) => origin);

  async function openForm(popup: Popup): Promise<void> {
    await popup.tab("channels");
    await popup.page.getByTestId("channel-accept").click();
    await popup.page.getByTestId("invitation-form").waitFor();
  }

  /** Waits until the form has recognised an invitation; gives its text. */
  async function recognised(page: Page): Promise<string> {
    await page.locator('[data-testid="key-text-found"][data-kind="invitation"]').waitFor();
    return page.getByTestId("invitation-text").inputValue();
  }

  const choosePicture = (page: Page, buffer: Buffer, name = "code.png"): Promise<void> =>
    chooseFile(page.getByTestId("invitation-image-choose"), { name, mimeType: "image/png", buffer });

  test("is made for a channel that Alice created before any site asked, and shown as a QR code and as text", async () => {
    await using popup = await Popup.open(aliceProfile);
    const { page } = popup;
    await popup.tab("channels");
    await page.getByTestId("channel-create").click();
    await page.getByTestId("channel-form-save").click();
    await page.getByTestId("channel-form-site-error").waitFor();
    await page.getByTestId("channel-form-site").fill(server.origin);
    await page.getByTestId("channel-form-channelId").fill(CLUB.channelId);
    await page.getByTestId("channel-form-contentTopic").fill(CLUB.contentTopic);
    await page.getByTestId("key-choice-name").fill("Chess key");
    await page.getByTestId("channel-form-save").click();
    await page.getByTestId("channel-view").waitFor();
    await page.getByTestId("channel-share").click();
    expect(await page.getByTestId("qr").count()).toBe(0);
    await page.getByTestId("share-show").click();
    code = await page.getByTestId("share-text").inputValue();
    expect(code).toMatch(/^RCI1-[A-Z0-9]+$/);
    const { name, bytes } = await savedFile(page.getByTestId("share-download"));
    expect(name).toBe("invitation-chess-club.png");
    pictures = [await page.getByTestId("qr").screenshot(), bytes];

    alice = new ChannelPage(await aliceProfile.open(server.origin), { ...CLUB, senderId: "alice" });
    const attached = alice.attach();
    const prompt = await aliceProfile.waitForPrompt();
    expect(await prompt.getByTestId("key-choice").count()).toBe(0);
    await allow(prompt);
    expect(await attached).toEqual(ATTACHED);
  });

  test("is copied to the clipboard for a while, and can be pasted where one is expected", async () => {
    await using popup = await Popup.open(aliceProfile);
    const { page } = popup;
    expect(await popup.showInvitation(CLUB.channelId)).toBe(code);
    await page.getByTestId("share-copy").click();
    await page.locator('[data-testid="clipboard"][data-state="holding"]').waitFor();
    await openForm(popup);
    expect(await pasted(page.getByTestId("invitation-text"))).toBe(code);
    expect(await recognised(page)).toBe(code);
  });

  test("that was handed on from another form is gone with the form, whichever way that is left", async () => {
    await using popup = await Popup.open(bobProfile);
    const { page } = popup;
    await popup.tab("keys");
    await page.getByTestId("key-import").click();
    await page.getByTestId("key-text").fill(code);
    await page.getByTestId("key-to-invitation").click();
    await page.getByTestId("invitation-text").waitFor();
    expect(await page.getByTestId("invitation-text").inputValue()).toBe(code);
    await page.getByTestId("tab-channels").click();
    await openForm(popup);
    expect(await page.getByTestId("invitation-text").inputValue()).toBe("");
  });

  test("is not found in a key: the form says so, and takes nothing", async () => {
    await using popup = await Popup.open(bobProfile);
    await openForm(popup);
    await popup.page.getByTestId("invitation-text").fill(randomBytes(32).toString("hex"));
    await popup.page.getByTestId("invitation-wrong").waitFor();
    expect(await popup.page.getByTestId("invitation-accept").isEnabled()).toBe(false);
  });

  test("is not found in a picture without a code, nor in a file that is no picture, and a broken one says so", async () => {
    const desk = await bobProfile.context.newPage();
    const last = code.at(-20) === "A" ? "B" : "A";
    const files: readonly (readonly [string, Buffer, RegExp])[] = [
      ["icon.png", await readFile(ICON), /No QR code/],
      ["letter.png", Buffer.from("Dear Bob"), /no image/],
      ["other.png", await qrPicture(desk, "https://example.com"), /something other than an invitation/],
      ["broken.png", await qrPicture(desk, `${code.slice(0, -20)}${last}${code.slice(-19)}`), /typo/],
    ];
    await desk.close();
    await using popup = await Popup.open(bobProfile);
    const { page } = popup;
    await openForm(popup);
    for (const [name, buffer, words] of files) {
      await choosePicture(page, buffer, name);
      await page.getByTestId("qr-problem").filter({ hasText: words }).waitFor();
      expect(await page.getByTestId("invitation-accept").isEnabled()).toBe(false);
    }
    await screenshots(page, TEST_SCREENSHOTS, "popup-qr-problem");
  });

  test("is read from the picture, shown or saved: the channel is ready before the site asks, and the key is the same", async () => {
    await using popup = await Popup.open(bobProfile);
    const { page } = popup;
    await openForm(popup);
    for (const picture of pictures) {
      await page.getByTestId("invitation-text").fill("");
      await choosePicture(page, picture);
      expect(await recognised(page)).toBe(code);
    }
    await page.getByTestId("invitation-site").fill(`${server.origin}/some/page`);
    await page.getByTestId("invitation-accept").click();
    await page.getByTestId("channel-view").waitFor();
    expect(await origins(bobProfile)).toEqual([server.origin]);

    await using theirs = await Popup.open(aliceProfile);
    const words = await Promise.all(
      [popup, theirs].map(async (each) => {
        await each.openChannel(CLUB.channelId);
        return each.page.getByTestId("fingerprint-words").textContent();
      }),
    );
    expect(words[0]).toBe(words[1]);

    const bob = new ChannelPage(await bobProfile.open(server.origin), { ...CLUB, senderId: "bob" });
    const attached = bob.attach();
    const prompt = await bobProfile.waitForPrompt();
    expect(await prompt.getByTestId("key-choice").count()).toBe(0);
    await allow(prompt);
    expect(await attached).toEqual(ATTACHED);
    const sent = await alice.send("Pawn to e4");
    if (!sent.ok) throw new Error(sent.message);
    await bob.waitFor("reliable:message:received", { text: "Pawn to e4" });
  });

  test("for another site is held back by a warning: refused it stores nothing, agreed to it works", async () => {
    await using popup = await Popup.open(bobProfile);
    const { page } = popup;
    const keySites = async (): Promise<readonly string[] | undefined> => (await bobProfile.snapshot()).keys[0]?.origins;
    await openForm(popup);
    await page.getByTestId("invitation-text").fill(code);
    await recognised(page);
    await page.getByTestId("invitation-site").fill(second.origin);
    await page.getByTestId("invitation-accept").click();
    await page.getByTestId("new-site-warning").waitFor();
    expect(await page.getByTestId("new-site-origin").textContent()).toContain(new URL(second.origin).host);
    await screenshots(page, TEST_SCREENSHOTS, "popup-new-site");
    await page.getByTestId("new-site-back").click();
    // What was typed is still there.
    expect(await page.getByTestId("invitation-text").inputValue()).toBe(code);
    expect(await origins(bobProfile)).toEqual([server.origin]);
    expect(await keySites()).toEqual([server.origin]);

    await page.getByTestId("invitation-accept").click();
    await page.getByTestId("new-site-allow").click();
    await page.getByTestId("channel-view").waitFor();
    expect(await keySites()).toEqual([server.origin, second.origin]);
    const bob = new ChannelPage(await bobProfile.open(second.origin), { ...CLUB, senderId: "bob elsewhere" });
    const attached = bob.attach();
    await bobProfile.answerPrompt("always");
    expect(await attached).toEqual(ATTACHED);
    const sent = await bob.send("Pawn to e5");
    if (!sent.ok) throw new Error(sent.message);
    await alice.waitFor("reliable:message:received", { text: "Pawn to e5" });
  });

  test("pasted into the form of a new channel, goes on where it belongs, and the site that was typed stays", async () => {
    await using popup = await Popup.open(bobProfile);
    const { page } = popup;
    await popup.fillChannelForm(ELSEWHERE, "half a chan", "/half/a/to");
    await pasteInto(page, code);
    expect(await page.getByTestId("channel-form-save").isEnabled()).toBe(false);
    await page.getByTestId("channel-form-invitation").click();
    expect(await recognised(page)).toBe(code);
    expect(await page.getByTestId("invitation-site").inputValue()).toBe(ELSEWHERE);
    await page.getByTestId("invitation-accept").click();
    await page.getByTestId("new-site-allow").click();
    await page.getByTestId("channel-view").waitFor();
    expect((await bobProfile.snapshot()).channels).toContainEqual(
      expect.objectContaining({ ...CLUB, origin: ELSEWHERE }),
    );
  });

  test("to another channel than the prompt asks for, is no key there: the prompt says so, and allows nothing with it", async () => {
    const bob = new ChannelPage(await bobProfile.open(server.origin), { ...CLUB, channelId: "draughts-club" });
    const attached = bob.attach();
    const prompt = await bobProfile.waitForPrompt();
    await pasteInto(prompt, code);
    await prompt.getByTestId("prompt-invitation").waitFor();
    expect(await prompt.getByTestId("prompt-accept-invitation").count()).toBe(0);
    expect(await prompt.getByTestId("prompt-always").isEnabled()).toBe(false);
    await clickAndClose(prompt.getByTestId("prompt-reject"));
    expect(await attached).toMatchObject({ ok: false, code: ErrorCode.UserRejected });
  });

  test("may be pasted into the prompt of the site, with the same warning", async () => {
    const bob = new ChannelPage(await bobProfile.open(third.origin), { ...CLUB, senderId: "bob" });
    const attached = bob.attach();
    const prompt = await bobProfile.waitForPrompt();
    await pasteInto(prompt, code);
    await prompt.getByTestId("prompt-accept-invitation").click();
    await prompt.getByTestId("new-site-back").click();
    expect(await origins(bobProfile)).not.toContain(third.origin);
    await pasteInto(prompt, code);
    await prompt.getByTestId("prompt-accept-invitation").click();
    await prompt.getByTestId("new-site-allow").click();
    await allow(prompt);
    expect(await attached).toEqual(ATTACHED);
    expect((await bobProfile.snapshot()).channels.map(({ origin, status }) => [origin, status.state])).toContainEqual([
      third.origin,
      "open",
    ]);
  });
});
