/** The person in front of a browser: answers what they are asked, as the test says. */
import { toHex } from "../../../src/common/bytes.ts";
import type { PromptWindow } from "../../../src/provider/permissions.ts";
import type { Bytes } from "../../../src/provider/provider-api.ts";
import type { UiKeyChoice, UiPrompt } from "../../../src/ui/background-api.ts";
import type { MockAnswer } from "./api.ts";
import type { Background } from "./background.ts";

interface PersonParts {
  /** The key that everybody on the network has. */
  readonly sharedKey: Bytes;
  readonly background: () => Promise<Background>;
  readonly unlock: () => Promise<void>;
}

export class Person implements PromptWindow {
  /** How often they were asked. */
  prompts = 0;
  readonly #parts: PersonParts;
  #answer: MockAnswer;
  #isOpen = false;
  #onClosed: () => void = () => {};

  constructor(answer: MockAnswer, parts: PersonParts) {
    this.#answer = answer;
    this.#parts = parts;
  }

  get answer(): MockAnswer {
    return this.#answer;
  }

  set answer(answer: MockAnswer) {
    this.#answer = answer;
    if (this.#isOpen) void this.#act();
  }

  async open(): Promise<void> {
    if (!this.#isOpen) this.prompts++;
    this.#isOpen = true;
    void this.#act();
  }

  async isOpen(): Promise<boolean> {
    return this.#isOpen;
  }

  async close(): Promise<void> {
    this.#isOpen = false;
  }

  onClosed(listener: () => void): void {
    this.#onClosed = listener;
  }

  async #act(): Promise<void> {
    const answer = this.#answer;
    const { permissions, vault } = await this.#parts.background();
    if (answer === "wait" || !this.#isOpen) return;
    if (answer === "reject") {
      this.#isOpen = false;
      this.#onClosed();
      return;
    }
    // Whoever waits asks again once it is unlocked.
    if (vault.locked && answer !== "block") return this.#parts.unlock();
    for (const prompt of permissions.prompts()) {
      if (answer === "block") await permissions.answer(prompt.id, "block");
      else await permissions.answer(prompt.id, "always", this.#keyFor(prompt, answer));
    }
  }

  #keyFor({ keyChoice }: UiPrompt, answer: MockAnswer): UiKeyChoice | undefined {
    if (!keyChoice || answer === "allow-without-key") return undefined;
    if (answer === "allow-new-key") return { kind: "make", name: "A key of my own" };
    return { kind: "import", name: "The key of the network", text: toHex(this.#parts.sharedKey) };
  }
}
