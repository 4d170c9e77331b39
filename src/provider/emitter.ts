/** The Node.js EventEmitter of the page contract, in a few lines, and safe from the listeners that pages attach. */
import type { Emitter } from "./provider-api.ts";

interface Listener {
  readonly call: (payload: never) => unknown;
  readonly once: boolean;
}

/** What became of one event. */
export interface Dispatched {
  /** Listeners that were called. */
  readonly ran: number;
  /** Whether one of them threw. */
  readonly threw: boolean;
  /** The promises that listeners returned. */
  readonly promises: readonly PromiseLike<unknown>[];
}

/**
 * A listener that throws harms nobody: the others run, and the exception is handed to `report`, which shows it like any
 * uncaught one. Listeners added or removed while an event is told take part from the next event on.
 */
export class TinyEmitter<M> implements Emitter<M> {
  // Without a prototype, so that an event named like a method of Object finds nothing.
  readonly #listeners: Record<PropertyKey, readonly Listener[]> = Object.create(null);
  readonly #report: (thrown: unknown) => void;

  constructor(report: (thrown: unknown) => void) {
    this.#report = report;
  }

  addListener<K extends keyof M>(event: K, listener: (payload: M[K]) => void): this {
    return this.#add(event, { call: listener, once: false });
  }

  on<K extends keyof M>(event: K, listener: (payload: M[K]) => void): this {
    return this.#add(event, { call: listener, once: false });
  }

  once<K extends keyof M>(event: K, listener: (payload: M[K]) => void): this {
    return this.#add(event, { call: listener, once: true });
  }

  off<K extends keyof M>(event: K, listener: (payload: M[K]) => void): this {
    return this.#remove(event, listener);
  }

  removeListener<K extends keyof M>(event: K, listener: (payload: M[K]) => void): this {
    return this.#remove(event, listener);
  }

  removeAllListeners(event?: keyof M): this {
    for (const name of event === undefined ? Reflect.ownKeys(this.#listeners) : [event]) delete this.#listeners[name];
    return this;
  }

  listenerCount(event: keyof M): number {
    return this.#of(event).length;
  }

  emit<K extends keyof M>(event: K, payload: M[K]): boolean {
    return dispatch(this, event, payload).ran > 0;
  }

  /** Called after a listener was added; for those who start work with the first one. */
  protected listening(_event: keyof M): void {}

  #of(event: PropertyKey): readonly Listener[] {
    return this.#listeners[event] ?? [];
  }

  #add(event: keyof M, listener: Listener): this {
    if (typeof listener.call !== "function") throw new TypeError("The listener must be a function.");
    this.#listeners[event] = [...this.#of(event), listener];
    this.listening(event);
    return this;
  }

  /** The listener added last, if the same one was added more than once; as Node.js does. */
  #remove(event: keyof M, call: unknown): this {
    const list = this.#of(event);
    const at = list.findLastIndex((listener) => listener.call === call);
    if (at >= 0) this.#listeners[event] = [...list.slice(0, at), ...list.slice(at + 1)];
    return this;
  }

  static dispatch<M, K extends keyof M>(emitter: TinyEmitter<M>, event: K, payload: M[K]): Dispatched {
    const list = emitter.#of(event);
    const promises: PromiseLike<unknown>[] = [];
    let threw = false;
    for (const { call, once } of list) {
      if (once) emitter.#remove(event, call);
      try {
        const returned: unknown = Reflect.apply(call, emitter, [payload]);
        if (isThenable(returned)) promises.push(returned);
      } catch (thrown) {
        threw = true;
        emitter.#report(thrown);
      }
    }
    return { ran: list.length, threw, promises };
  }
}

/** Tells an event. Apart from `emit`, so that a page that replaces `emit` does not take part in delivery. */
export const dispatch = TinyEmitter.dispatch;

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
