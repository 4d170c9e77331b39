/** A site that encrypts itself: with WebCrypto in its own pages, which come and go, while the extension keeps what waits. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { ChannelPage, type SiteChannelParams } from "../../support/channel-page.ts";
import type { ChromiumProfile } from "../../support/chromium.ts";
import { type PageServer, startPageServer } from "../../support/page-server.ts";
import { allow, Popup } from "../../support/popup.ts";
import { screenshots, TEST_SCREENSHOTS } from "../../support/screenshots.ts";
import { Stack } from "../../support/stack.ts";

/** AES-GCM with a key that never leaves the site: `iv(12) ‖ ciphertext ‖ tag(16)`. */
const CIPHER = `
  const key = crypto.subtle.importKey("raw", new Uint8Array(32).fill(7), "AES-GCM", false, ["encrypt", "decrypt"]);
  window.encrypted = [];
  window.siteCipher = {
    async encrypt(content) {
      window.encrypted.push(new TextDecoder().decode(content));
      const iv = crypto.getRandomValues(new Uint8Array(12));
      const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, await key, content);
      return new Uint8Array(await new Blob([iv, sealed]).arrayBuffer());
    },
    async decrypt(payload) {
      const iv = payload.subarray(0, 12);
      return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, await key, payload.subarray(12)));
    },
  };`;
const SITE = {
  "/": { html: `<!doctype html><title>A site that encrypts</title><script>${CIPHER}</script>` },
  "/without": { html: "<!doctype html><title>A site that forgot to</title>" },
};
declare global {
  interface Window {
    /** What the page was asked to encrypt. */
    encrypted?: string[];
  }
}

const RECEIVED = "reliable:message:received";
const ATTACHED = { ok: true, value: null };
const ROOM: SiteChannelParams = {
  channelId: "sealed-room",
  contentTopic: "/test/1/sealed/proto",
  encryption: { mode: "page" },
};

describe("a site that encrypts with its own keys", () => {
  let stack: Stack;
  let server: PageServer;
  let aliceProfile: ChromiumProfile;
  let bobProfile: ChromiumProfile;
  let alice: ChannelPage;
  let bob: ChannelPage;

  beforeAll(async () => {
    [server, stack] = await Promise.all([startPageServer(SITE), Stack.start()]);
    [aliceProfile, bobProfile] = await Promise.all([stack.profile(), stack.profile()]);
    alice = new ChannelPage(await aliceProfile.open(server.origin), { ...ROOM, senderId: "alice" });
    bob = new ChannelPage(await bobProfile.open(server.origin), { ...ROOM, senderId: "bob" });
  });

  afterAll(async () => {
    await stack?.close();
    await server?.close();
  });

  async function take(from: ChannelPage, text: string): Promise<string> {
    const sent = await from.send(text);
    if (!sent.ok) throw new Error(`${sent.code} ${sent.message}`);
    return sent.value;
  }

  async function deliver(from: ChannelPage, to: ChannelPage, text: string): Promise<void> {
    const requestId = await take(from, text);
    await to.waitFor(RECEIVED, { text });
    await from.waitFor("reliable:message:delivered", { requestId });
  }

  const textsOf = async (page: ChannelPage) => (await page.seen(RECEIVED)).map(({ text }) => text);

  test("N01 without functions nobody is asked", async () => {
    const page = new ChannelPage(await aliceProfile.open(`${server.origin}/without`), ROOM);
    expect(await page.attach()).toMatchObject({
      ok: false,
      code: ErrorCode.InvalidParams,
      message: expect.stringContaining("encryption.encrypt is missing"),
    });
    await page.page.close();
  });

  test("the prompt says whose keys they are, and asks for none", async () => {
    for (const [profile, page] of [
      [aliceProfile, alice],
      [bobProfile, bob],
    ] as const) {
      const attached = page.attach();
      const prompt = await profile.waitForPrompt();
      expect(await prompt.getByTestId("prompt-ask").textContent()).toContain("with its own keys");
      expect(await prompt.getByTestId("key-choice").count()).toBe(0);
      if (page === alice) await screenshots(prompt, TEST_SCREENSHOTS, "prompt-page");
      await allow(prompt);
      expect(await attached).toEqual(ATTACHED);
    }
  });

  test("they talk both ways, and the network keeps no word of it", async () => {
    await deliver(alice, bob, "The gardener saw it first");
    await deliver(bob, alice, "He said nothing to me");
    const messages = stack.network.nodes.flatMap(({ archive }) => archive.messages());
    expect(messages.length).toBeGreaterThan(0);
    for (const secret of ["gardener", "nothing", "sealed-room", "alice"]) {
      expect(messages.filter(({ message }) => Buffer.from(message.payload).includes(secret))).toEqual([]);
    }
  });

  test("what comes while Bob's page is closed is there once and in order when he opens it again", async () => {
    await bob.page.close();
    const texts = ["While you were out", "the roses were cut", "and somebody rang"];
    const ids: string[] = [];
    for (const text of texts) ids.push(await take(alice, text));
    for (const requestId of ids) await alice.waitFor("reliable:message:sent", { requestId });

    const popup = await Popup.open(bobProfile);
    await popup.welcome(null);
    await popup.openChannel("sealed-room");
    expect(await popup.page.getByTestId("channel-encryption").textContent()).toContain("By the site itself");
    expect(await popup.page.getByTestId("channel-change-key").count()).toBe(0);
    await popup.page.getByTestId("channel-needs-page").waitFor();
    await screenshots(popup.page, TEST_SCREENSHOTS, "popup-channel-page");
    await popup.close();
    // Nobody could read them yet, so nobody acknowledged them.
    for (const requestId of ids) {
      expect((await alice.seen("reliable:message:delivered")).some((event) => event.requestId === requestId)).toBe(
        false,
      );
    }

    bob = new ChannelPage(await bobProfile.open(server.origin), bob.params);
    expect(await bob.attach()).toEqual(ATTACHED);
    await bob.waitFor(RECEIVED, { text: texts[2] ?? "" });
    for (const requestId of ids) await alice.waitFor("reliable:message:delivered", { requestId });
    expect(await textsOf(bob)).toEqual(texts);
  });

  test("of two pages of the site, the one that the person looked at last encrypts", async () => {
    const second = new ChannelPage(await aliceProfile.open(server.origin), alice.params);
    expect(await second.attach()).toEqual(ATTACHED);
    const encrypted = (page: ChannelPage, text: string) =>
      page.page.evaluate((text) => window.encrypted?.some((content) => content.includes(text)), text);
    // Otherwise the driver has every page believe that it is looked at.
    for (const { page } of [alice, second]) {
      const session = await page.context().newCDPSession(page);
      await session.send("Emulation.setFocusEmulationEnabled", { enabled: false });
    }
    for (const [front, back, text] of [
      [second, alice, "Look at this"],
      [alice, second, "And now at me"],
    ] as const) {
      await front.page.bringToFront();
      await front.page.waitForFunction(() => document.hasFocus());
      await front.waitFor("reliable:message:sent", { requestId: await take(front, text) });
      expect([await encrypted(front, text), await encrypted(back, text)]).toEqual([true, false]);
    }
    await second.page.close();
  });

  test("after the death of the worker the open page goes on encrypting, and nothing comes twice", async () => {
    const [before, others] = [await textsOf(bob), await textsOf(alice)];
    await Promise.all([aliceProfile.killWorker(), bobProfile.killWorker()]);
    await deliver(bob, alice, "Who was it?");
    await deliver(alice, bob, "The postman");
    expect(await textsOf(bob)).toEqual([...before, "The postman"]);
    expect(await textsOf(alice)).toEqual([...others, "Who was it?"]);
  });
});
