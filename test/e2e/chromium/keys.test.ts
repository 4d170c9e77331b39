/** Encrypted channels as people set them up: a key made in one profile and typed into another, an invitation, a wrong key. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { ChannelPage, type EncryptedChannelParams } from "../../support/channel-page.ts";
import type { ChromiumProfile } from "../../support/chromium.ts";
import { type PageServer, startPageServer } from "../../support/page-server.ts";
import { allow, allowWithNewKey, Popup, pasteInto } from "../../support/popup.ts";
import { screenshots, TEST_SCREENSHOTS } from "../../support/screenshots.ts";
import { Stack } from "../../support/stack.ts";

const SITE = { "/": { html: "<!doctype html><title>A site</title>" } };
const RECEIVED = "reliable:message:received";
const ATTACHED = { ok: true, value: null };
const FORMATS = ["hex", "base64", "base64url", "jwk"] as const;
const CLUB: EncryptedChannelParams = { channelId: "book-club", contentTopic: "/test/1/club/proto" };
const LIST: EncryptedChannelParams = { channelId: "reading-list", contentTopic: "/test/1/list/proto" };

describe("keys between two profiles", () => {
  let stack: Stack;
  let server: PageServer;
  /** A second site, which nobody has allowed yet. */
  let other: PageServer;
  let aliceProfile: ChromiumProfile;
  let bobProfile: ChromiumProfile;
  let alicePopup: Popup;
  let bobPopup: Popup;
  let alice: ChannelPage;
  let bob: ChannelPage;
  const texts = new Map<(typeof FORMATS)[number], string>();

  beforeAll(async () => {
    [server, other, stack] = await Promise.all([startPageServer(SITE), startPageServer(SITE), Stack.start()]);
    [aliceProfile, bobProfile] = await Promise.all([stack.profile(), stack.profile()]);
    [alicePopup, bobPopup] = await Promise.all([Popup.open(aliceProfile), Popup.open(bobProfile)]);
    await Promise.all([alicePopup.welcome(null), bobPopup.welcome(null)]);
    await alicePopup.close();
    await bobPopup.close();
    alice = new ChannelPage(await aliceProfile.open(server.origin), { ...CLUB, senderId: "alice" });
    bob = new ChannelPage(await bobProfile.open(server.origin), { ...CLUB, senderId: "bob" });
  });

  afterAll(async () => {
    await stack?.close();
    await Promise.all([server?.close(), other?.close()]);
  });

  /** Sends and waits until the other end has it and has said so. */
  async function deliver(from: ChannelPage, to: ChannelPage, text: string): Promise<void> {
    const requestId = await take(from, text);
    await to.waitFor(RECEIVED, { text });
    await from.waitFor("reliable:message:delivered", { requestId });
  }

  async function take(from: ChannelPage, text: string): Promise<string> {
    const sent = await from.send(text);
    if (!sent.ok) throw new Error(`${sent.code} ${sent.message}`);
    return sent.value;
  }

  /** Whether what the network keeps holds the text anywhere. */
  function networkKnows(text: string): boolean {
    const messages = stack.network.nodes.flatMap(({ archive }) => archive.messages());
    expect(messages.length).toBeGreaterThan(0);
    return messages.some(({ message }) => Buffer.from(message.payload).includes(text));
  }

  test("a site asks for an encrypted channel, and Alice makes a key in the prompt", async () => {
    const attached = alice.attach();
    const prompt = await aliceProfile.waitForPrompt();
    await prompt.getByTestId("key-choice-name").fill("Club key");
    await screenshots(prompt, TEST_SCREENSHOTS, "prompt-key");
    await allow(prompt);
    expect(await attached).toEqual(ATTACHED);
  });

  test("she writes it down in each format: they are the same 32 bytes", async () => {
    const popup = await Popup.open(aliceProfile);
    await popup.openKey("Club key");
    for (const format of FORMATS) texts.set(format, await popup.exportKey(format));
    await screenshots(popup.page, TEST_SCREENSHOTS, "popup-key");
    await popup.tab("keys");
    await screenshots(popup.page, TEST_SCREENSHOTS, "popup-keys");
    for (const form of ["key-make", "backup"]) {
      await popup.tab("keys");
      await popup.page.getByTestId(form).click();
      await screenshots(popup.page, TEST_SCREENSHOTS, `popup-${form}`);
    }
    await popup.tab("channels");
    await popup.page.getByTestId("channel-create").click();
    await popup.page.getByTestId("channel-form").waitFor();
    await screenshots(popup.page, TEST_SCREENSHOTS, "popup-channel-form");
    await popup.close();

    const hex = texts.get("hex") ?? "";
    expect(hex).toMatch(/^[0-9a-f]{64}$/);
    const bytes = Buffer.from(hex, "hex");
    expect(texts.get("base64")).toBe(bytes.toString("base64"));
    expect(texts.get("base64url")).toBe(bytes.toString("base64url"));
    expect(JSON.parse(texts.get("jwk") ?? "")).toMatchObject({ kty: "oct", k: bytes.toString("base64url") });
  });

  test.each(FORMATS)("Bob types it in as %s: the popup says what it is, and keeps the same key", async (format) => {
    const theirs = await Popup.open(aliceProfile);
    await theirs.openKey("Club key");
    const fingerprint = await theirs.page.getByTestId("fingerprint-words").first().textContent();
    await theirs.close();

    const popup = await Popup.open(bobProfile);
    await popup.pasteKey(`  ${texts.get(format)} \n`);
    await popup.page.getByTestId("key-name").fill(`From Alice as ${format}`);
    if (format === "hex") await screenshots(popup.page, TEST_SCREENSHOTS, "popup-key-import");
    await popup.page.getByTestId("key-save").click();
    await popup.page.getByTestId("key-view").waitFor();
    expect(await popup.page.getByTestId("fingerprint-words").first().textContent()).toBe(fingerprint);
    // Gone again, so that the next format is a new key too.
    await popup.page.getByTestId("key-delete").click();
    await popup.page.getByTestId("confirm-action").click();
    await popup.page.getByTestId("keys-empty").waitFor();
    await popup.close();
  });

  test("Bob types it into the prompt, and from then on every format is a key that is here already", async () => {
    const attached = bob.attach();
    const prompt = await bobProfile.waitForPrompt();
    await pasteInto(prompt, texts.get("jwk") ?? "");
    await prompt.getByTestId("key-choice-name").fill("From Alice");
    await screenshots(prompt, TEST_SCREENSHOTS, "prompt-key-import");
    await allow(prompt);
    expect(await attached).toEqual(ATTACHED);

    const popup = await Popup.open(bobProfile);
    for (const format of FORMATS) {
      await popup.pasteKey(texts.get(format) ?? "");
      expect(await popup.page.getByTestId("key-text-known").textContent()).toContain("From Alice");
    }
    await screenshots(popup.page, TEST_SCREENSHOTS, "popup-key-known");
    await popup.page.getByTestId("key-open-known").click();
    await popup.page.getByTestId("key-view").waitFor();
    await popup.close();
  });

  test("another site that wants to use her key gets it only past a warning", async () => {
    const asking = new ChannelPage(await aliceProfile.open(other.origin), CLUB);
    const attached = asking.attach();
    const prompt = await aliceProfile.waitForPrompt();
    await prompt.getByTestId("key-choice-pick").check();
    await prompt.getByTestId("prompt-always").click();
    expect(await prompt.getByTestId("new-site-origin").textContent()).toContain(new URL(other.origin).host);
    await screenshots(prompt, TEST_SCREENSHOTS, "prompt-new-site");
    const closed = prompt.waitForEvent("close");
    await prompt.getByTestId("new-site-back").click();
    await prompt.getByTestId("prompt-reject").click();
    await closed;
    expect(await attached).toMatchObject({ ok: false, code: ErrorCode.UserRejected });
    await asking.page.close();
  });

  test("they talk, and the network keeps no word of it", async () => {
    await deliver(alice, bob, "The butler has read chapter nine");
    await deliver(bob, alice, "Then he knows about the candlestick");
    for (const secret of ["butler", "candlestick", "book-club", "alice"]) expect(networkKnows(secret)).toBe(false);

    // The same look finds what is not encrypted.
    const open = new ChannelPage(await aliceProfile.open(server.origin), {
      channelId: "notice-board",
      contentTopic: "/test/1/board/proto",
      encryption: { mode: "none" },
    });
    expect(await open.attach()).toEqual(ATTACHED);
    await open.waitFor("reliable:message:sent", { requestId: await take(open, "Meeting on Tuesday") });
    expect(networkKnows("Tuesday")).toBe(true);
    await open.page.close();
  });

  test("an invitation makes the channel ready: the site asks for its grant, and for no key", async () => {
    const inviting = new ChannelPage(await aliceProfile.open(server.origin), LIST);
    const attached = inviting.attach();
    await allowWithNewKey(aliceProfile, "List key");
    expect(await attached).toEqual(ATTACHED);
    const requestId = await take(inviting, "Start with the short one");
    await inviting.waitFor("reliable:message:sent", { requestId });

    const hers = await Popup.open(aliceProfile);
    await hers.openChannel("reading-list");
    await screenshots(hers.page, TEST_SCREENSHOTS, "popup-channel-encrypted");
    const code = await hers.showInvitation("reading-list");
    await screenshots(hers.page, TEST_SCREENSHOTS, "popup-share");
    await hers.close();

    const his = await Popup.open(bobProfile);
    await his.tab("channels");
    await his.page.getByTestId("channel-accept").click();
    await his.page.getByTestId("invitation-text").fill(code);
    await his.page.locator('[data-testid="key-text-found"][data-kind="invitation"]').waitFor();
    await his.page.getByTestId("invitation-site").fill(other.origin);
    await screenshots(his.page, TEST_SCREENSHOTS, "popup-invitation");
    await his.page.getByTestId("invitation-accept").click();
    await his.page.getByTestId("channel-view").waitFor();
    await his.close();

    const invited = new ChannelPage(await bobProfile.open(other.origin), LIST);
    const accepted = invited.attach();
    const prompt = await bobProfile.waitForPrompt();
    expect(await prompt.getByTestId("key-choice").count()).toBe(0);
    await screenshots(prompt, TEST_SCREENSHOTS, "prompt-invited");
    await allow(prompt);
    expect(await accepted).toEqual(ATTACHED);
    await invited.waitFor(RECEIVED, { text: "Start with the short one" });
    await inviting.waitFor("reliable:message:delivered", { requestId });
    await deliver(invited, inviting, "I have read it");
    await Promise.all([inviting.page.close(), invited.page.close()]);
  });

  test("a key that the other does not have shows nothing; once both changed, they go on", async () => {
    const hers = await Popup.open(aliceProfile);
    await hers.openChannel("book-club");
    await hers.page.getByTestId("channel-change-key").click();
    await hers.page.getByTestId("key-choice-make").check();
    await hers.page.getByTestId("key-choice-name").fill("Second key");
    await screenshots(hers.page, TEST_SCREENSHOTS, "popup-channel-key");
    await hers.page.getByTestId("channel-key-save").click();
    await hers.page.getByTestId("channel-view").waitFor();
    await hers.openKey("Second key");
    const second = await hers.exportKey("base64");
    await hers.close();

    const requestId = await take(alice, "Can you read this?");
    const his = await Popup.open(bobProfile);
    await his.openChannel("book-club");
    await his.page.getByTestId("channel-unreadable").waitFor();
    await screenshots(his.page, TEST_SCREENSHOTS, "popup-channel-unreadable");
    expect((await bob.seen(RECEIVED)).map(({ text }) => text)).toEqual(["The butler has read chapter nine"]);
    // What he says is still readable to her: she kept the earlier key.
    await take(bob, "Something arrives that I cannot read");
    await alice.waitFor(RECEIVED, { text: "Something arrives that I cannot read" });

    await his.page.getByTestId("channel-change-key").click();
    await pasteInto(his.page, second);
    await his.page.getByTestId("key-choice-name").fill("Second key");
    await his.page.getByTestId("channel-key-save").click();
    await his.page.getByTestId("channel-view").waitFor();
    await his.close();

    await deliver(alice, bob, "And this?");
    await bob.waitFor(RECEIVED, { text: "Can you read this?" });
    await alice.waitFor("reliable:message:delivered", { requestId });
    await deliver(bob, alice, "Every word");
  });

  test("an earlier key reads what comes under it; deleted, it does not: that is counted, and shown nowhere", async () => {
    await using hers = await Popup.open(aliceProfile);
    await hers.changeToPickedKey("book-club", "Club key");
    await deliver(alice, bob, "I have the old key again");

    await using his = await Popup.open(bobProfile);
    const { page } = his;
    /** What the diagnostics say that no key fitted. */
    const counted = async (): Promise<number> => {
      await his.tab("network");
      const { channels }: { channels: readonly { contentTopic: string; unread?: { undecryptable: number } }[] } =
        JSON.parse(await his.copied(page.getByTestId("diagnostics-copy")));
      return channels.find(({ contentTopic }) => contentTopic === CLUB.contentTopic)?.unread?.undecryptable ?? 0;
    };
    const before = await counted();
    await his.openKey("From Alice");
    expect(await page.getByTestId("key-earlier").textContent()).toContain("book-club");
    await page.getByTestId("key-delete").click();
    expect(await page.getByTestId("key-delete-earlier").textContent()).toContain("book-club");
    expect(await page.getByTestId("key-delete-breaks").count()).toBe(0);
    await screenshots(page, TEST_SCREENSHOTS, "popup-key-delete-earlier");
    await page.getByTestId("confirm-action").click();
    await page.getByTestId("keys-view").waitFor();

    await his.openChannel("book-club");
    expect(await page.getByTestId("channel-key").textContent()).toBe("Second key");
    const unreadable = (): Promise<string[]> => page.getByTestId("channel-unreadable").allTextContents();
    const unreadableBefore = await unreadable();
    await take(alice, "Nobody is to read this");
    await expect.poll(unreadable, { timeout: 30_000 }).not.toEqual(unreadableBefore);
    expect(await counted()).toBeGreaterThan(before);
    expect((await bob.seen(RECEIVED)).map(({ text }) => text)).not.toContain("Nobody is to read this");
    // His own key is another one, and does what it did.
    await take(bob, "Is anybody there?");
    await alice.waitFor(RECEIVED, { text: "Is anybody there?" });
  });
});
