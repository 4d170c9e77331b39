/** A WebDriver BiDi session: commands with answers, and events, over one WebSocket. */
import * as v from "valibot";

const Frame = v.union([
  v.object({ type: v.literal("success"), id: v.number(), result: v.record(v.string(), v.unknown()) }),
  v.object({ type: v.literal("error"), id: v.nullable(v.number()), error: v.string(), message: v.string() }),
  v.object({ type: v.literal("event"), method: v.string(), params: v.record(v.string(), v.unknown()) }),
]);

/** Milliseconds that one command may take. */
const COMMAND_MS = 60_000;

export type BidiResult = Readonly<Record<string, unknown>>;

interface Pending {
  readonly resolve: (result: BidiResult) => void;
  readonly reject: (error: Error) => void;
}

export class BidiSession {
  readonly #socket: WebSocket;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => this.#receive(String(data)));
    socket.addEventListener("close", () => {
      for (const { reject } of this.#pending.values()) reject(new Error("The browser closed the connection"));
      this.#pending.clear();
    });
  }

  /** Connects to the browser's `ws://…/session` address and begins a session. */
  static async open(address: string): Promise<BidiSession> {
    const socket = new WebSocket(address);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve(), { once: true });
      socket.addEventListener("error", () => reject(new Error(`No connection to ${address}`)), { once: true });
    });
    const session = new BidiSession(socket);
    await session.send("session.new", { capabilities: {} });
    return session;
  }

  send(method: string, params: Readonly<Record<string, unknown>>): Promise<BidiResult> {
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<BidiResult>();
    const timer = setTimeout(() => reject(new Error(`${method} was not answered`)), COMMAND_MS);
    this.#pending.set(id, { resolve, reject });
    this.#socket.send(JSON.stringify({ id, method, params }));
    return promise.finally(() => {
      clearTimeout(timer);
      this.#pending.delete(id);
    });
  }

  close(): void {
    this.#socket.close();
  }

  #receive(text: string): void {
    const frame = v.parse(Frame, JSON.parse(text));
    if (frame.type === "event" || frame.id === null) return;
    const pending = this.#pending.get(frame.id);
    if (frame.type === "success") pending?.resolve(frame.result);
    else pending?.reject(new Error(`${frame.error}: ${frame.message}`));
  }
}
