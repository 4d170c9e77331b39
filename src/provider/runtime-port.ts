/** `runtime.Port` as the background uses it, held so that no frame is lost while the background still starts. */

export interface RuntimePort {
  readonly name: string;
  readonly sender?:
    | {
        readonly id?: string | undefined;
        readonly origin?: string | undefined;
        readonly url?: string | undefined;
        readonly frameId?: number | undefined;
        readonly tab?: unknown;
      }
    | undefined;
  postMessage(frame: unknown): void;
  disconnect(): void;
  readonly onMessage: { addListener(listener: (frame: unknown) => void): void };
  readonly onDisconnect: { addListener(listener: () => void): void };
}

/** A port whose frames wait until somebody serves it. */
export class HeldPort {
  readonly name: string;
  readonly sender: RuntimePort["sender"];
  readonly #port: RuntimePort;
  #waiting: unknown[] = [];
  #serve: { readonly frame: (frame: unknown) => void; readonly closed: () => void } | undefined;
  #closed = false;

  /** To be called synchronously from `runtime.onConnect`: browsers drop frames that find no listener. */
  constructor(port: RuntimePort) {
    this.name = port.name;
    this.sender = port.sender;
    this.#port = port;
    port.onMessage.addListener((frame) => {
      if (this.#serve) this.#serve.frame(frame);
      else this.#waiting.push(frame);
    });
    port.onDisconnect.addListener(() => this.#end());
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Takes the port over: the waiting frames first, then every new one; `closed` at its end, from either side. */
  serve(frame: (frame: unknown) => void, closed: () => void): void {
    this.#serve = { frame, closed };
    for (const waiting of this.#waiting) frame(waiting);
    this.#waiting = [];
    if (this.#closed) closed();
  }

  post(frame: unknown): void {
    if (this.#closed) return;
    try {
      this.#port.postMessage(frame);
    } catch {
      // The other end went a moment ago; its `onDisconnect` may still be on the way.
      this.close();
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#port.disconnect();
    this.#end();
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#serve?.closed();
  }
}
