/** Ports without a browser: what `runtime.connect` and a `MessageChannel` give, under a test's control. */
import type { RuntimePort } from "../../../src/provider/runtime-port.ts";

class Listeners<A extends readonly unknown[]> {
  readonly #listeners: ((...args: A) => void)[] = [];

  readonly addListener = (listener: (...args: A) => void): void => {
    this.#listeners.push(listener);
  };

  tell(...args: A): void {
    for (const listener of this.#listeners) listener(...args);
  }
}

/** One end of a `runtime.connect` port. Frames are cloned and arrive later, in order. */
export class FakePort implements RuntimePort {
  readonly name: string;
  readonly sender: RuntimePort["sender"];
  readonly onMessage = new Listeners<[unknown]>();
  readonly onDisconnect = new Listeners<[]>();
  /** Everything that this end posted. */
  readonly posted: unknown[] = [];
  #peer: FakePort | undefined;
  #open = true;
  #frozen = false;

  constructor(name: string, sender?: RuntimePort["sender"]) {
    this.name = name;
    this.sender = sender;
  }

  static pair(name: string, sender: RuntimePort["sender"]): { readonly client: FakePort; readonly server: FakePort } {
    const [client, server] = [new FakePort(name), new FakePort(name, sender)];
    client.#peer = server;
    server.#peer = client;
    return { client, server };
  }

  get peer(): FakePort | undefined {
    return this.#peer;
  }

  get open(): boolean {
    return this.#open;
  }

  postMessage(frame: unknown): void {
    if (!this.#open) throw new Error("Attempting to use a disconnected port object");
    const copy: unknown = structuredClone(frame);
    this.posted.push(copy);
    const peer = this.#peer;
    if (this.#frozen) return;
    queueMicrotask(() => {
      if (peer?.open) peer.onMessage.tell(copy);
    });
  }

  /** As in browsers, only the other end hears of it. */
  disconnect(): void {
    if (!this.#open) return;
    this.#open = false;
    const peer = this.#peer;
    if (this.#frozen) return;
    queueMicrotask(() => peer?.lose());
  }

  /** This end finds out that the other one is gone. */
  lose(): void {
    if (!this.#open) return;
    this.#open = false;
    this.onDisconnect.tell();
  }

  /** From now on both ends look alive and nothing arrives, as in the back/forward cache. */
  freeze(): void {
    this.#frozen = true;
    if (this.#peer) this.#peer.#frozen = true;
  }
}

/** A page's private port to its bridge: two joined `MessagePort`s, as far as they are used. */
export class FakeMessagePort<In> {
  onmessage: ((event: MessageEvent<In>) => void) | null = null;
  #deliver: (data: unknown) => void = () => {};

  static pair<A, B>(): readonly [FakeMessagePort<A>, FakeMessagePort<B>] {
    const [a, b] = [new FakeMessagePort<A>(), new FakeMessagePort<B>()];
    a.#deliver = (data) => b.onmessage?.(new MessageEvent("message", { data: data as B }));
    b.#deliver = (data) => a.onmessage?.(new MessageEvent("message", { data: data as A }));
    return [a, b];
  }

  postMessage(frame: unknown): void {
    const data: unknown = structuredClone(frame);
    queueMicrotask(() => this.#deliver(data));
  }
}
