/**
 * A page's line to the background. The background may die at any instruction: the line reconnects by itself, and commands
 * that got no answer are posted again, which is safe because nearly every command sets a state instead of changing one.
 * Those that do not are posted once, and are interrupted where the background dies over them.
 */
import { type Clock, systemClock } from "../common/clock.ts";
import { err, ok, type Result } from "../common/result.ts";
import { LIMITS } from "../limits.ts";
import type { UiAnswer, UiCommand, UiCommandFrame, UiCommandValue, UiRefusal, UiSnapshot } from "./background-api.ts";

/** The part of `runtime.Port` that is used. */
export interface UiPort {
  postMessage(frame: unknown): void;
  disconnect(): void;
  readonly onMessage: { addListener(listener: (frame: unknown) => void): void };
  readonly onDisconnect: { addListener(listener: () => void): void };
}

export interface LinkView {
  /** `connecting` until the first snapshot; `reconnecting` while an older snapshot stands. */
  readonly state: "connecting" | "ready" | "reconnecting";
  readonly snapshot: UiSnapshot | undefined;
}

export type CommandError =
  | { readonly kind: "timeout" }
  /** The background died before it answered, and asking again could do it twice. */
  | { readonly kind: "interrupted" }
  | { readonly kind: "refused"; readonly reason: UiRefusal };

/** Commands that do something else, or fail, the second time: a second key, a password that is no longer the current one. */
const ONCE: ReadonlySet<UiCommand["type"]> = new Set([
  "welcome",
  "setPassword",
  "makeKey",
  "createChannel",
  "changeChannelKey",
  "retryRequest",
]);

interface Outstanding {
  readonly frame: UiCommandFrame;
  readonly settle: (answer: Result<unknown, CommandError>) => void;
  posted: boolean;
}

function frameType(frame: unknown): unknown {
  return typeof frame === "object" && frame !== null && "type" in frame ? frame.type : undefined;
}

// The port is the extension's own: only its background can be at the other end, so the tag says what a frame is.
function isSnapshot(frame: unknown): frame is UiSnapshot {
  return frameType(frame) === "snapshot";
}

function isAnswer(frame: unknown): frame is UiAnswer {
  return frameType(frame) === "answer";
}

export class BackgroundLink {
  readonly #connect: () => UiPort;
  readonly #clock: Clock;
  readonly #subscribers = new Set<(view: LinkView) => void>();
  readonly #outstanding = new Map<number, Outstanding>();
  #view: LinkView = { state: "connecting", snapshot: undefined };
  #port: UiPort | undefined;
  #cancelRetry: (() => void) | undefined;
  #retryMs: number = LIMITS.ui.reconnectMs;
  #lastId = 0;
  #closed = false;

  constructor(connect: () => UiPort, clock: Clock = systemClock) {
    this.#connect = connect;
    this.#clock = clock;
    this.#open();
  }

  /** The contract of a Svelte store: calls back at once and after every change. */
  subscribe(run: (view: LinkView) => void): () => void {
    this.#subscribers.add(run);
    run(this.#view);
    return () => this.#subscribers.delete(run);
  }

  /** Resolves with the background's answer, however often the background restarts, or with why there is none. */
  command<C extends UiCommand>(command: C): Promise<Result<UiCommandValue<C>, CommandError>> {
    this.#lastId += 1;
    const frame: UiCommandFrame = { type: "command", id: this.#lastId, command };
    return new Promise((resolve) => {
      const settle = (answer: Result<unknown, CommandError>): void => {
        cancel();
        this.#outstanding.delete(frame.id);
        // Our own background is at the other end: it answers a command with that command's value.
        resolve(answer as Result<UiCommandValue<C>, CommandError>);
      };
      const cancel = this.#clock.after(LIMITS.ui.answerMs, () => settle(err({ kind: "timeout" })));
      const outstanding: Outstanding = { frame, settle, posted: false };
      this.#outstanding.set(frame.id, outstanding);
      this.#post(outstanding);
    });
  }

  close(): void {
    this.#closed = true;
    this.#cancelRetry?.();
    this.#port?.disconnect();
    this.#port = undefined;
  }

  #open(): void {
    let port: UiPort;
    try {
      port = this.#connect();
    } catch {
      this.#retry();
      return;
    }
    this.#port = port;
    port.onMessage.addListener((frame) => this.#receive(frame));
    port.onDisconnect.addListener(() => {
      if (this.#port !== port) return;
      this.#port = undefined;
      if (this.#view.snapshot !== undefined) this.#show({ ...this.#view, state: "reconnecting" });
      for (const { frame, posted, settle } of [...this.#outstanding.values()]) {
        if (posted && ONCE.has(frame.command.type)) settle(err({ kind: "interrupted" }));
      }
      this.#retry();
    });
    for (const outstanding of this.#outstanding.values()) this.#post(outstanding);
  }

  #retry(): void {
    if (this.#closed) return;
    this.#cancelRetry = this.#clock.after(this.#retryMs, () => this.#open());
    this.#retryMs = Math.min(2 * this.#retryMs, LIMITS.ui.reconnectMaxMs);
  }

  #post(outstanding: Outstanding): void {
    if (this.#port === undefined) return;
    try {
      this.#port.postMessage(outstanding.frame);
      outstanding.posted = true;
    } catch {
      // The port died before its `onDisconnect` was told; the frame is posted again on the next one.
    }
  }

  #receive(frame: unknown): void {
    if (isSnapshot(frame)) {
      this.#retryMs = LIMITS.ui.reconnectMs;
      this.#show({ state: "ready", snapshot: frame });
    } else if (isAnswer(frame)) {
      const { error, value } = frame;
      this.#outstanding
        .get(frame.id)
        ?.settle(error === undefined ? ok(value) : err({ kind: "refused", reason: error }));
    }
  }

  #show(view: LinkView): void {
    this.#view = view;
    for (const run of this.#subscribers) run(view);
  }
}
