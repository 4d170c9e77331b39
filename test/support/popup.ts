/** The popup as a person uses it: its first screen, its tabs, keys, channels and the lock. */
import type { Locator, Page } from "playwright-core";
import type { KeyTextFormat } from "../../src/ui/background-api.ts";
import { type ChromiumProfile, clickAndClose } from "./chromium.ts";

/** Milliseconds for a password to be turned into a key, on a machine that does other things besides. */
const DERIVE_MS = 30_000;

export class Popup implements AsyncDisposable {
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  /** The popup of a person who has been through its first screen. */
  static async open(profile: ChromiumProfile): Promise<Popup> {
    return new Popup(await profile.openPopup());
  }

  /** Answers the first screen of a new profile: with a password, or with none. */
  async welcome(password: string | null): Promise<void> {
    const { page } = this;
    await page.getByTestId("welcome").waitFor();
    if (password === null) await page.getByTestId("welcome-skip").click();
    else {
      await page.getByTestId("new-password").fill(password);
      await page.getByTestId("repeat-password").fill(password);
      await page.getByTestId("welcome-set").click();
    }
    await page.getByTestId("tab-channels").waitFor({ timeout: DERIVE_MS });
  }

  /** Goes to where the tab begins, wherever it was left. */
  async tab(name: "channels" | "keys" | "activity" | "sites" | "network"): Promise<void> {
    // As a popup always is; and a page behind another one is drawn seldom, so that every click would wait.
    await this.page.bringToFront();
    const tab = this.page.getByTestId(`tab-${name}`);
    await tab.click();
    await tab.click();
  }

  async openChannel(channelId: string): Promise<void> {
    await this.tab("channels");
    await this.page.locator(`[data-testid="channel-row"][data-channel-id="${channelId}"]`).click();
    await this.page.getByTestId("channel-view").waitFor();
  }

  /** Fills in the form of a new channel; resolves when the form is ready to be sent off. */
  async fillChannelForm(site: string, channelId: string, contentTopic: string): Promise<void> {
    const { page } = this;
    await this.tab("channels");
    await page.getByTestId("channel-create").click();
    await page.getByTestId("channel-form-site").fill(site);
    await page.getByTestId("channel-form-channelId").fill(channelId);
    await page.getByTestId("channel-form-contentTopic").fill(contentTopic);
  }

  /** Makes the channel of the form; resolves when its view is shown. */
  async createChannel(): Promise<void> {
    await this.page.getByTestId("channel-form-save").click();
    await this.page.getByTestId("channel-view").waitFor();
  }

  /** Presses what asks for a confirmation, and confirms. */
  async confirm(button: Locator): Promise<void> {
    await button.click();
    await this.page.getByTestId("confirm-action").click();
  }

  /** Presses what copies, and reads what it says that it copied. */
  async copied(button: Locator): Promise<string> {
    const { page } = this;
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    const copied = page.getByText("Copied").locator("visible=true").first();
    await button.click();
    await copied.waitFor();
    return page.evaluate(() => navigator.clipboard.readText());
  }

  /** Opens the invitation to a channel; resolves with its text, while it is shown. */
  async showInvitation(channelId: string): Promise<string> {
    const { page } = this;
    await this.openChannel(channelId);
    await page.getByTestId("channel-share").click();
    await page.getByTestId("share-show").click();
    return page.getByTestId("share-text").inputValue();
  }

  async openKey(name: string): Promise<void> {
    await this.tab("keys");
    await this.page.getByTestId("key-row").filter({ hasText: name }).click();
    await this.page.getByTestId("key-view").waitFor();
  }

  /** Opens the form that takes a key by hand, and pastes `text`; resolves when the form has said what it is. */
  async pasteKey(text: string): Promise<void> {
    await this.tab("keys");
    await this.page.getByTestId("key-import").click();
    await this.page.getByTestId("key-text").fill(text);
    await this.page.getByTestId("key-text-found").waitFor();
  }

  /** Of the open key, after the confirmation. */
  async exportKey(format: KeyTextFormat): Promise<string> {
    const { page } = this;
    await page.getByTestId("key-export-format").selectOption(format);
    await page.getByTestId("key-export-ask").click();
    await page.getByTestId("confirm-action").click();
    const text = await page.getByTestId("key-export-text").inputValue();
    await page.getByTestId("key-export-hide").click();
    return text;
  }

  /** Gives the channel a new key; resolves with its text, to be taken to the others. */
  async changeToNewKey(channelId: string, name: string): Promise<string> {
    const { page } = this;
    await this.openChannel(channelId);
    await page.getByTestId("channel-change-key").click();
    await page.getByTestId("key-choice-make").check();
    await page.getByTestId("key-choice-name").fill(name);
    await page.getByTestId("channel-key-save").click();
    await page.getByTestId("channel-view").waitFor();
    await this.openKey(name);
    return this.exportKey("base64");
  }

  /** Gives the channel a key that was written down elsewhere. */
  async changeToKey(channelId: string, text: string, name: string): Promise<void> {
    const { page } = this;
    await this.openChannel(channelId);
    await page.getByTestId("channel-change-key").click();
    await pasteInto(page, text);
    await page.getByTestId("key-choice-name").fill(name);
    await page.getByTestId("channel-key-save").click();
    await page.getByTestId("channel-view").waitFor();
  }

  /** Gives the channel a key that is here. */
  async changeToPickedKey(channelId: string, name: string): Promise<void> {
    const { page } = this;
    await this.openChannel(channelId);
    await page.getByTestId("channel-change-key").click();
    await pickKey(page, name);
    await page.getByTestId("channel-key-save").click();
    await page.getByTestId("channel-view").waitFor();
  }

  async lock(): Promise<void> {
    await this.page.getByTestId("lock").click();
    await this.page.getByTestId("locked-banner").waitFor();
  }

  /** Types the password where the popup asks for it; resolves when it is open again. */
  async unlock(password: string): Promise<void> {
    await this.tryToUnlock(password);
    await this.page.getByTestId("locked-banner").waitFor({ state: "hidden", timeout: DERIVE_MS });
  }

  async tryToUnlock(password: string): Promise<void> {
    await this.page.getByTestId("unlock-password").fill(password);
    await this.page.getByTestId("unlock").click();
  }

  async close(): Promise<void> {
    await this.page.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Waits for the prompt and gives it a key that was written down elsewhere; resolves when the window is closed. */
export async function allowWithKey(profile: ChromiumProfile, text: string, name: string): Promise<void> {
  const prompt = await profile.waitForPrompt();
  await pasteInto(prompt, text);
  await prompt.getByTestId("key-choice-name").fill(name);
  await allow(prompt);
}

/** Waits for the prompt and lets it make a key; resolves when the window is closed. */
export async function allowWithNewKey(profile: ChromiumProfile, name: string): Promise<void> {
  const prompt = await profile.waitForPrompt();
  await prompt.getByTestId("key-choice-make").check();
  await prompt.getByTestId("key-choice-name").fill(name);
  await allow(prompt);
}

/** Picks a key that is here, where one is chosen. */
export async function pickKey(page: Page, name: string): Promise<void> {
  await page.getByTestId("key-choice-pick").check();
  await page.getByTestId("key-choice-select").selectOption({ label: name });
}

/** Pastes a key where one is chosen; resolves when the page has said what it is. */
export async function pasteInto(page: Page, text: string): Promise<void> {
  await page.getByTestId("key-choice-import").check();
  await page.getByTestId("key-choice-text").fill(text);
  await page.getByTestId("key-text-found").waitFor();
}

/** Presses Allow always; resolves when the window is closed. */
export async function allow(prompt: Page): Promise<void> {
  await clickAndClose(prompt.getByTestId("prompt-always"));
}
