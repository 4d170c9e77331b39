/**
 * One life of a program: from its start until it is killed.
 *
 * Everything a program can do to the world goes through a port, and everything that comes to it from the world through a
 * callback that it handed to one. A life stands in between. Both sides of every call, either way, are boundaries at which
 * it may end; and once it is over, no code of the program has an effect any more: calls never come back, and what comes
 * from outside is swallowed.
 */
import { CrashPoints } from "./crash-points.ts";

/** Where the dead code is stopped that cannot be left hanging: in a call that answers at once. */
export class LifeOver extends Error {
  constructor() {
    super("this life is over");
  }
}

/** How each method of a port answers. `async` ones take effect a turn of the event loop later, as storage does. */
export type PortKinds = Readonly<Record<string, "async" | "sync">>;

type Callable = (...args: unknown[]) => unknown;

export class Life {
  readonly #points: CrashPoints;
  #over = false;
  #end: () => void = () => {};
  /** Resolves when it is over. */
  readonly ended: Promise<void>;

  constructor(points = new CrashPoints()) {
    this.#points = points;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** Ends it, now. */
  end(): void {
    this.#over = true;
    this.#end();
  }

  /** The port as the program gets it. Methods that `kinds` does not know are boundaries all the same. */
  port<T extends object>(name: string, target: T, kinds: PortKinds): T {
    const methods = new Map<PropertyKey, unknown>();
    return new Proxy(target, {
      get: (_target, property) => {
        const value: unknown = Reflect.get(target, property, target);
        if (!isCallable(value)) return value;
        const method =
          methods.get(property) ??
          this.outward(`${name}.${String(property)}`, (...args) => value.apply(target, args), kinds[String(property)]);
        methods.set(property, method);
        return method;
      },
    });
  }

  /** A call of the program into the world. */
  outward(label: string, effect: Callable, kind?: "async" | "sync"): Callable {
    return (...args) => {
      if (!this.#passes(`before ${named(label, args)}`)) return this.#dead(kind);
      const handed = args.map((arg) => (isCallable(arg) ? this.inward<unknown[]>(`callback of ${label}`, arg) : arg));
      const done = (value: unknown) => (isCallable(value) ? this.#handle(label, value) : value);
      const after = `after ${named(label, args)}`;
      if (kind === "async")
        return this.#answer(
          this.#nextTurn().then(() => effect(...handed)),
          after,
          done,
        );
      const result = effect(...handed);
      if (isThenable(result)) return this.#answer(Promise.resolve(result), after, done);
      if (!this.#passes(after)) return this.#dead(kind);
      return done(result);
    };
  }

  /** A call of the world into the program. */
  inward<A extends unknown[]>(label: string, program: (...args: A) => unknown): (...args: A) => unknown {
    return (...args) => {
      if (!this.#passes(`before ${named(label, args)}`)) return never();
      const after = `after ${named(label, args)}`;
      try {
        const result = program(...args);
        if (isThenable(result)) return this.#answer(Promise.resolve(result), after, (value) => value);
        return this.#passes(after) ? result : never();
      } catch (thrown) {
        if (this.#over) return never();
        throw thrown;
      }
    };
  }

  /** What the world gives back to be called, such as what cancels a timer. Called by the dead, it does nothing. */
  #handle(label: string, effect: Callable): Callable {
    return (...args) => {
      if (!this.#passes(`before result of ${label}`)) return undefined;
      const result = effect(...args);
      this.#passes(`after result of ${label}`);
      return result;
    };
  }

  /** Never settles if the life ends before. */
  #answer(result: Promise<unknown>, after: string, done: (value: unknown) => unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      result.then(
        (value) => {
          if (this.#passes(after)) resolve(done(value));
        },
        (reason) => {
          if (this.#passes(`${after} (failed)`)) reject(reason);
        },
      );
    });
  }

  /** A turn of the event loop, after which a dead program's call does not happen. */
  #nextTurn(): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(() => {
        if (!this.#over) resolve();
      });
    });
  }

  /** Whether life goes on beyond this boundary. */
  #passes(label: string): boolean {
    if (this.#over) return false;
    if (this.#points.pass(label)) return true;
    this.end();
    return false;
  }

  #dead(kind: "async" | "sync" | undefined): Promise<never> {
    if (kind === "async") return never();
    throw new LifeOver();
  }
}

/** A new one each time: whoever waits for it can then be forgotten together with it. */
function never(): Promise<never> {
  return new Promise(() => {});
}

function isCallable(value: unknown): value is Callable {
  return typeof value === "function";
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** Events say of what type they are: the label names it. */
function named(label: string, args: readonly unknown[]): string {
  for (const arg of args) {
    if (typeof arg !== "object" || arg === null || !("type" in arg) || typeof arg.type !== "string") continue;
    const inner = "event" in arg ? named("", [arg.event]) : "";
    return `${label} ${arg.type}${inner}`;
  }
  return label;
}
