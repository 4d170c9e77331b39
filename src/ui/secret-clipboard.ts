/** Copies a secret, and takes it out of the clipboard a minute later; the background does where this window is gone by then. */
import { type Clock, systemClock } from "../common/clock.ts";
import { LIMITS } from "../limits.ts";
import type { ClipboardDeadline } from "./clipboard-deadline.ts";

export interface SecretClipboardView {
  /** `overdue`: it could not be cleared yet, as browsers let only the window in front write to the clipboard. */
  readonly state: "empty" | "holding" | "overdue" | "cleared" | "failed";
  /** Seconds until it is cleared, while holding. */
  readonly seconds: number;
}

export class SecretClipboard {
  readonly #write: (text: string) => Promise<void>;
  readonly #deadline: ClipboardDeadline;
  readonly #clock: Clock;
  readonly #subscribers = new Set<(view: SecretClipboardView) => void>();
  #view: SecretClipboardView = { state: "empty", seconds: 0 };
  #cancel: (() => void) | undefined;
  #clearsAt = 0;

  constructor(write: (text: string) => Promise<void>, deadline: ClipboardDeadline, clock: Clock = systemClock) {
    this.#write = write;
    this.#deadline = deadline;
    this.#clock = clock;
  }

  /** The contract of a Svelte store. */
  subscribe(run: (view: SecretClipboardView) => void): () => void {
    this.#subscribers.add(run);
    run(this.#view);
    return () => this.#subscribers.delete(run);
  }

  async copy(secret: string): Promise<void> {
    this.#cancel?.();
    const clearsAt = this.#clock.now() + LIMITS.ui.clipboardMs;
    const before = await this.#deadline.get();
    // First: this window may be gone in the next moment, and what it copied must not stay for ever.
    await this.#deadline.set(clearsAt);
    try {
      await this.#write(secret);
    } catch {
      // The clipboard still holds what it held.
      await (before === undefined ? this.#deadline.clear() : this.#deadline.set(before));
      this.#show({ state: "failed", seconds: 0 });
      return;
    }
    this.#clearsAt = clearsAt;
    await this.#tick();
  }

  /** Takes up what an earlier window copied. */
  async resume(): Promise<void> {
    const at = await this.#deadline.get();
    if (at === undefined || this.#view.state !== "empty") return;
    this.#clearsAt = at;
    await this.#tick();
  }

  /** To be called when the window comes to the front. */
  async focused(): Promise<void> {
    if (this.#view.state === "overdue") await this.#clear();
  }

  async #tick(): Promise<void> {
    const left = this.#clearsAt - this.#clock.now();
    if (left <= 0) return this.#clear();
    this.#show({ state: "holding", seconds: Math.ceil(left / 1_000) });
    this.#cancel = this.#clock.after(Math.min(left, 1_000), () => void this.#tick());
  }

  async #clear(): Promise<void> {
    try {
      await this.#write("");
    } catch {
      this.#show({ state: "overdue", seconds: 0 });
      return;
    }
    this.#show({ state: "cleared", seconds: 0 });
    await this.#deadline.clear();
  }

  #show(view: SecretClipboardView): void {
    this.#view = view;
    for (const run of this.#subscribers) run(view);
  }
}
