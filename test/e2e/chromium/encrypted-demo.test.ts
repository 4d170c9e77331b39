/** The encrypted rooms of the demo: text, files, images, and another key while people talk. */
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ChromiumProfile } from "../../support/chromium.ts";
import { DemoPage } from "../../support/demo-page.ts";
import { allow, allowWithNewKey, Popup, pasteInto } from "../../support/popup.ts";
import { screenshots, TEST_SCREENSHOTS } from "../../support/screenshots.ts";
import { Stack } from "../../support/stack.ts";

const ROOM = "attic";
const FILE_BYTES = 1024 * 1024;
const ICON = join(import.meta.dirname, "../../../public/icon/128.png");
/** Milliseconds for a file of eleven segments to arrive and to be acknowledged. */
const FILE_MS = 60_000;

declare global {
  interface Window {
    /** Every state of progress that the page has shown, as `done/total`. */
    shownProgress?: Set<string>;
  }
}

describe("an encrypted room of the demo", () => {
  let stack: Stack;
  let aliceProfile: ChromiumProfile;
  let bobProfile: ChromiumProfile;
  let alice: DemoPage;
  let bob: DemoPage;

  beforeAll(async () => {
    stack = await Stack.start();
    [aliceProfile, bobProfile] = await Promise.all([stack.profile(), stack.profile()]);
    for (const profile of [aliceProfile, bobProfile]) {
      await using popup = await Popup.open(profile);
      await popup.welcome(null);
    }
    alice = await DemoPage.open(aliceProfile, stack.demo.url, "Alice", ROOM, "key");
    bob = await DemoPage.open(bobProfile, stack.demo.url, "Bob", ROOM, "key");
  });

  afterAll(() => stack?.close());

  async function deliver(from: DemoPage, to: DemoPage, text: string): Promise<void> {
    const requestId = await from.send(text);
    await to.received(text);
    await from.delivered(requestId);
  }

  /** Writes down from now on which progress the page shows, however briefly. */
  async function watchProgress(page: Page): Promise<void> {
    await page.evaluate(() => {
      const shown = new Set<string>();
      window.shownProgress = shown;
      new MutationObserver(() => {
        for (const bar of document.querySelectorAll("progress")) shown.add(`${bar.value}/${bar.max}`);
      }).observe(document.body, { subtree: true, childList: true, attributes: true });
    });
  }

  const shownProgress = (page: Page): Promise<readonly string[]> =>
    page.evaluate(() => [...(window.shownProgress ?? [])]);

  test("Alice makes the room's key in the prompt, and Bob types it into his", async () => {
    await screenshots(alice.page, TEST_SCREENSHOTS, "demo-entry-encrypted");
    await alice.pressConnect();
    await allowWithNewKey(aliceProfile, "Attic key");
    await alice.inRoom();
    await using popup = await Popup.open(aliceProfile);
    await popup.openKey("Attic key");
    const text = await popup.exportKey("base64url");

    await bob.pressConnect();
    const prompt = await bobProfile.waitForPrompt();
    await pasteInto(prompt, text);
    await prompt.getByTestId("key-choice-name").fill("Attic key");
    await allow(prompt);
    await bob.inRoom();
    await bob.page.getByTestId("is-encrypted").waitFor();
  });

  test("text goes both ways, and no word of it lies in the network's store", async () => {
    await deliver(alice, bob, "There is a trunk up here");
    await deliver(bob, alice, "Is it locked?");
    const kept = stack.network.nodes.flatMap(({ archive }) => archive.messages());
    expect(kept.length).toBeGreaterThan(0);
    for (const { message } of kept) expect(Buffer.from(message.payload).includes("trunk")).toBe(false);
  });

  test("a dropped file of 1 MiB arrives whole, with progress at both ends", async () => {
    await Promise.all([watchProgress(alice.page), watchProgress(bob.page)]);
    await alice.page.evaluate((length) => {
      const bytes = Uint8Array.from({ length }, (_, index) => (index * 2_654_435_761) >>> 24);
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], "inventory.bin"));
      document
        .querySelector("[data-testid=composer]")
        ?.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }, FILE_BYTES);
    await bob.page.getByTestId("incoming").waitFor({ timeout: FILE_MS });
    await screenshots(bob.page, TEST_SCREENSHOTS, "demo-file-coming");
    const saved = await bob.savedFile("inventory.bin");
    const sent = Buffer.from(Uint8Array.from({ length: FILE_BYTES }, (_, index) => (index * 2_654_435_761) >>> 24));
    expect(saved.equals(sent)).toBe(true);

    await alice.fileDelivered("inventory.bin");
    expect((await shownProgress(alice.page)).length).toBeGreaterThan(1);
    expect((await shownProgress(bob.page)).length).toBeGreaterThan(1);
  });

  test("an image is shown where it stands in the conversation", async () => {
    await bob.page.getByTestId("file-picker").setInputFiles(ICON);
    const image = alice.page.getByTestId("file-image");
    await image.waitFor({ timeout: FILE_MS });
    expect(
      await image.evaluate(async (shown) => {
        if (!(shown instanceof HTMLImageElement)) return 0;
        await shown.decode();
        return shown.naturalWidth;
      }),
    ).toBe(128);
    await screenshots(alice.page, TEST_SCREENSHOTS, "demo-files");
  });

  test("the room goes on with another key", async () => {
    await using hers = await Popup.open(aliceProfile);
    const second = await hers.changeToNewKey(ROOM, "Second attic key");
    await using his = await Popup.open(bobProfile);
    await his.changeToKey(ROOM, second, "Second attic key");
    await deliver(alice, bob, "I changed the lock");
    await deliver(bob, alice, "And I have the new key");
    await his.tab("activity");
    await his.page.getByTestId("request-row").first().waitFor();
    await screenshots(his.page, TEST_SCREENSHOTS, "popup-activity");
  });
});
