/** The demo site as a person uses it: a name, a room, messages and their ticks. */
import type { Locator, Page } from "playwright-core";
import type { PromptDecision } from "../../src/ui/background-api.ts";
import { type ChromiumProfile, savedFile } from "./chromium.ts";

/** Milliseconds for a message to arrive or to be acknowledged: scenarios allow 50 s for a delivery. */
const MESSAGE_MS = 50_000;
/** Milliseconds for a file of some MiB to arrive and to be acknowledged, at the pace that service nodes admit. */
const FILE_MS = 60_000;
/** Characters by which a message is found on the page, so that a large one is not searched for as a whole. */
const BEGINNING_CHARS = 60;

export class DemoPage {
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  /** Opens the site with name, room and the choice of encryption filled in. */
  static async open(
    profile: ChromiumProfile,
    site: string,
    name: string,
    room: string,
    encryption: "key" | "none" = "none",
  ): Promise<DemoPage> {
    const url = new URL(site);
    url.search = new URLSearchParams({ name, room, encryption }).toString();
    return new DemoPage(await profile.open(url.href));
  }

  /** Presses Connect. The room opens once the person has allowed it, or had done so before. */
  async pressConnect(): Promise<void> {
    await this.page.getByTestId("join").click();
  }

  /** Enters the room for the first time, answering the extension's question. */
  async enter(profile: ChromiumProfile, decision: PromptDecision = "always"): Promise<void> {
    await this.pressConnect();
    await profile.answerPrompt(decision);
    await this.inRoom();
  }

  /** Resolves when the room is shown. */
  async inRoom(): Promise<void> {
    await this.page.getByTestId("chat").waitFor();
  }

  /** Types and sends; gives the request's identifier once the extension has taken the message on. */
  async send(text: string): Promise<string> {
    await this.page.getByTestId("composer").fill(text);
    await this.page.getByTestId("send").click();
    const message = this.#message(text).and(this.page.locator('[data-own="true"][data-request-id]'));
    await message.waitFor({ timeout: MESSAGE_MS });
    const requestId = await message.getAttribute("data-request-id");
    if (requestId === null) throw new Error("The message has no request");
    return requestId;
  }

  /** Resolves when somebody else's message with exactly this text is shown; gives whether it was replayed. */
  async received(text: string): Promise<{ readonly replayed: boolean }> {
    const message = this.#message(text).and(this.page.locator('[data-own="false"]'));
    await message.waitFor({ timeout: MESSAGE_MS });
    const shown = await message.getByTestId("message-text").textContent();
    if (shown !== text) throw new Error(`Shown are ${shown?.length} other characters than the ${text.length} sent`);
    return { replayed: (await message.getAttribute("data-replayed")) === "true" };
  }

  /** Resolves when the own message of this request carries the tick for `delivered`. */
  async delivered(requestId: string): Promise<void> {
    await this.page
      .locator(`[data-testid="message"][data-request-id="${requestId}"][data-state="delivered"]`)
      .waitFor({ timeout: MESSAGE_MS });
  }

  /** The bytes of somebody else's file, saved as a person does, once it has arrived. */
  async savedFile(name: string): Promise<Buffer> {
    const file = this.page.locator(`[data-testid="file"][data-file="${name}"]`);
    await file.waitFor({ timeout: FILE_MS });
    return (await savedFile(file.getByTestId("file-save"))).bytes;
  }

  /** Resolves when the own file carries the tick for `delivered`; gives its request. */
  async fileDelivered(name: string): Promise<string | null> {
    const message = this.page.locator('[data-testid="message"][data-own="true"][data-state="delivered"]', {
      has: this.page.locator(`[data-testid="file"][data-file="${name}"]`),
    });
    await message.waitFor({ timeout: FILE_MS });
    return message.getAttribute("data-request-id");
  }

  /** Every message shown, in order. */
  texts(): Promise<string[]> {
    return this.page.getByTestId("message-text").allTextContents();
  }

  /** The message that begins as this text does; conversations in tests begin every message differently. */
  #message(text: string): Locator {
    return this.page.getByTestId("message").filter({ hasText: text.slice(0, BEGINNING_CHARS).trim() });
  }
}
