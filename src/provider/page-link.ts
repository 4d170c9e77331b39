/**
 * The page's end of the line to the background: calls that survive the death of the worker, and the bounded time after
 * which an unreachable background is admitted.
 *
 * A background worker is stopped by the browser whenever it likes. The bridge then says `link down`; whatever waits for
 * an answer is sent again with its `callId`, and the background, once restarted, answers with the result of the first
 * time. A page that comes back from the back/forward cache gets no such news: there, and when nothing is heard for
 * a while, the page drops the line by itself.
 */
import { PAGE_LIMITS } from "../limits.ts";
import { contextInvalidated, disconnected, invalidParams, timedOut, toError } from "./errors.ts";
import type {
  Attachment,
  BackgroundFrame,
  CallFrame,
  CipherFrame,
  LinkFrame,
  Method,
  NetworkState,
  PageFrame,
  Params,
  Push,
  ResetFrame,
  Value,
} from "./frames.ts";
import { PROTOCOL_VERSION } from "./frames.ts";
import type { CallOptions, ReliableChannelError, Session } from "./provider-api.ts";

const { backoffMs, failuresAfterWelcome, silenceMs, unreachableMs } = PAGE_LIMITS;

/** What the page side needs of its surroundings. */
export interface PageHost {
  /** Posts to the bridge, or keeps the frame for it until it is there. Throws where the frame cannot be cloned. */
  post(frame: PageFrame | ResetFrame): void;
  /** A random UUID. */
  uuid(): string;
  after(delayMs: number, callback: () => void): () => void;
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Shows an exception of one of the page's listeners as if nobody had caught it. */
  report(thrown: unknown): void;
}

export interface LinkEvents {
  /** What a background that may have forgotten this page has to be told. */
  attached(): readonly Attachment[];
  pushed(push: Push): void;
  /** The background answers: for the first time, or again. */
  up(session: Session, status: NetworkState): void;
  /** The background has not answered for a while. */
  silent(): void;
  /** The background could not be reached for `PAGE_LIMITS.unreachableMs`, or never can be again. */
  lost(error: ReliableChannelError, recoverable: boolean): void;
}

interface Pending {
  readonly frame: CallFrame;
  accepted: boolean;
  sent: boolean;
  readonly settle: (error: unknown, value?: unknown) => void;
}

export class PageLink {
  readonly #host: PageHost;
  readonly #events: LinkEvents;
  readonly #pageId: string;
  #pending: Record<string, Pending> = Object.create(null);
  /** `hello` was sent over this line; `welcome` came back. */
  #greeted = false;
  #welcomed = false;
  #gone: ReliableChannelError | undefined;
  #failures = 0;
  #focusedAt: number | undefined;
  #cancelSilence: (() => void) | undefined;
  #cancelDeadline: (() => void) | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(host: PageHost, events: LinkEvents) {
    this.#host = host;
    this.#events = events;
    this.#pageId = host.uuid();
  }

  get gone(): boolean {
    return this.#gone !== undefined;
  }

  get welcomed(): boolean {
    return this.#welcomed;
  }

  call<M extends Method>(method: M, params: Params<M>, options: CallOptions = {}): Promise<Value<M>> {
    const { signal, timeoutMs } = options;
    return new Promise<Value<M>>((resolve, reject) => {
      if (this.#gone) return reject(this.#gone);
      if (signal?.aborted) return reject(signal.reason);
      if (timeoutMs !== undefined && !(timeoutMs >= 0)) {
        return reject(invalidParams("timeoutMs must be a number of milliseconds, 0 or more."));
      }
      const callId = this.#host.uuid();
      // The pair belongs together by this function's signature, which the union cannot express.
      const frame = { type: "call", callId, retry: false, method, params } as CallFrame;
      const abandon = (reason: unknown): void => {
        pending.settle(reason);
        if (this.#greeted) this.#host.post({ type: "cancel", callId });
      };
      const onAbort = (): void => abandon(signal?.reason);
      const cancelTimeout =
        timeoutMs === undefined || timeoutMs > 0x7fff_ffff
          ? undefined
          : this.#host.after(timeoutMs, () => abandon(timedOut(timeoutMs)));
      const pending: Pending = {
        frame,
        accepted: false,
        sent: false,
        settle: (error, value) => {
          delete this.#pending[callId];
          cancelTimeout?.();
          signal?.removeEventListener("abort", onAbort);
          if (error === undefined) resolve(value as Value<M>);
          else reject(error);
          this.#watch();
        },
      };
      signal?.addEventListener("abort", onAbort);
      this.#pending[callId] = pending;
      if (!this.#greeted) {
        if (this.#cancelRetry === undefined) this.#greet();
        else this.#watch();
      } else this.#send(pending);
    });
  }

  receive(frame: BackgroundFrame | LinkFrame): void {
    if (this.#gone) return;
    if (frame.type === "link") {
      if (frame.state === "gone") this.#end();
      else this.#down();
      return;
    }
    this.#clear("silence", "deadline");
    switch (frame.type) {
      case "welcome":
        if (frame.version !== PROTOCOL_VERSION) {
          this.#end();
          return;
        }
        this.#welcomed = true;
        // Most workers die of idleness, not of a fault: one that greets is worth a quick attempt the next time too.
        this.#failures = Math.min(this.#failures, failuresAfterWelcome);
        this.#events.up(frame.session, frame.status);
        break;
      case "accepted": {
        const pending = this.#pending[frame.callId];
        if (pending) pending.accepted = true;
        break;
      }
      case "answer":
        this.#failures = 0;
        if (frame.ok) this.#pending[frame.callId]?.settle(undefined, frame.value);
        else this.#pending[frame.callId]?.settle(toError(frame.error));
        break;
      case "push":
        this.#failures = 0;
        this.#host.post({ type: "received", push: frame.push });
        this.#events.pushed(frame.body);
        break;
    }
    this.#watch();
  }

  /** The person came to this page. */
  focused(): void {
    const at = this.#host.now();
    this.#focusedAt = at;
    if (this.#greeted) this.#host.post({ type: "focused", at });
  }

  /** What one of the page's functions came to. Over a new line it would be news of a call that nobody made there. */
  answer(frame: CipherFrame): void {
    if (this.#greeted) this.#host.post(frame);
  }

  /** The page was restored from the back/forward cache: its line is dead and does not know. */
  restored(): void {
    if (this.#gone || !this.#greeted) return;
    this.#host.post({ type: "reset" });
    this.#down();
  }

  #send(pending: Pending): void {
    const { frame } = pending;
    pending.accepted = false;
    try {
      this.#host.post(pending.sent ? { ...frame, retry: true } : frame);
      pending.sent = true;
    } catch {
      pending.settle(
        invalidParams("A parameter of this call cannot be passed on: use plain strings, numbers and bytes."),
      );
    }
    this.#watch();
  }

  /** Opens the line: the bridge connects on the first frame. */
  #greet(): void {
    this.#clear("retry", "silence");
    this.#greeted = true;
    this.#welcomed = false;
    this.#host.post({
      type: "hello",
      version: PROTOCOL_VERSION,
      pageId: this.#pageId,
      attached: this.#events.attached(),
      focusedAt: this.#focusedAt,
    });
    for (const callId in this.#pending) {
      const pending = this.#pending[callId];
      if (pending) this.#send(pending);
    }
    this.#watch();
  }

  #down(): void {
    this.#greeted = false;
    this.#welcomed = false;
    this.#clear("silence");
    for (const callId in this.#pending) {
      const pending = this.#pending[callId];
      if (pending) pending.accepted = false;
    }
    if (!this.#wanted()) return;
    const delay = backoffMs[Math.min(this.#failures++, backoffMs.length - 1)];
    this.#clear("retry");
    this.#cancelRetry = this.#host.after(delay ?? 0, () => this.#greet());
    this.#watch();
  }

  /** Keeps the clocks running exactly while something is owed. */
  #watch(): void {
    if (this.#gone) return;
    if (!this.#owed()) {
      this.#clear("silence", "deadline");
      return;
    }
    this.#cancelDeadline ??= this.#host.after(unreachableMs, () => this.#unreachable());
    if (!this.#greeted) return;
    this.#cancelSilence ??= this.#host.after(silenceMs, () => {
      this.#cancelSilence = undefined;
      this.#host.post({ type: "reset" });
      this.#greet();
      this.#events.silent();
    });
  }

  /** An answer that is due by now. A call that was accepted may take its time: a person may be thinking. */
  #owed(): boolean {
    if (this.#greeted ? !this.#welcomed : this.#cancelRetry !== undefined) return true;
    for (const callId in this.#pending) if (this.#pending[callId]?.accepted === false) return true;
    return false;
  }

  /** Whether anybody would notice that the line is down. */
  #wanted(): boolean {
    for (const _ in this.#pending) return true;
    return this.#events.attached().length > 0;
  }

  #unreachable(): void {
    this.#cancelDeadline = undefined;
    const error = disconnected();
    for (const callId in this.#pending) {
      const pending = this.#pending[callId];
      if (pending?.accepted === false) pending.settle(error);
    }
    this.#events.lost(error, true);
  }

  #end(): void {
    const error = contextInvalidated();
    this.#gone = error;
    this.#greeted = false;
    this.#welcomed = false;
    this.#clear("silence", "deadline", "retry");
    for (const callId in this.#pending) this.#pending[callId]?.settle(error);
    this.#events.lost(error, false);
  }

  #clear(...timers: readonly ("silence" | "deadline" | "retry")[]): void {
    for (const timer of timers) {
      if (timer === "silence") {
        this.#cancelSilence?.();
        this.#cancelSilence = undefined;
      } else if (timer === "deadline") {
        this.#cancelDeadline?.();
        this.#cancelDeadline = undefined;
      } else {
        this.#cancelRetry?.();
        this.#cancelRetry = undefined;
      }
    }
  }
}
