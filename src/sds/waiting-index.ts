import type { SdsTables } from "./tables.ts";

/**
 * From a dependency to the parked messages that wait for it, and how many each of these still waits for.
 *
 * A dependency is open while it is looked for, while it is parked itself, and from its release until it is delivered. All
 * but the last is derived from rows, so it is right after a restart and after an event that was undone; and a dependency
 * that is met costs one step for each message that waits for it, and no write.
 */
export class WaitingIndex {
  readonly #incoming: SdsTables["incoming"];
  readonly #missing: SdsTables["missing"];
  readonly #dependants = new Map<string, Set<string>>();
  /** By parked message. */
  readonly #open = new Map<string, number>();
  /** Parked no more, and not yet delivered: within one event only. */
  readonly #released = new Set<string>();

  constructor({ incoming, missing }: Pick<SdsTables, "incoming" | "missing">) {
    this.#incoming = incoming;
    this.#missing = missing;
    let loaded = false;
    incoming.observe((messageId, before, after) => {
      for (const dependency of before?.waitsFor ?? []) this.#unlink(dependency, messageId);
      for (const dependency of after?.waitsFor ?? []) this.#link(dependency, messageId);
      // What is open is known once all rows are there.
      if (!loaded) return;
      if (after) this.#open.set(messageId, this.#count(after.waitsFor));
      else this.#open.delete(messageId);
      const otherwise = missing.has(messageId) || this.#released.has(messageId);
      if (!otherwise && (before === undefined) !== (after === undefined)) this.#turn(messageId, after ? 1 : -1);
    });
    missing.observe((messageId, before, after) => {
      if (!loaded || (before === undefined) === (after === undefined)) return;
      if (!incoming.has(messageId) && !this.#released.has(messageId)) this.#turn(messageId, after ? 1 : -1);
    });
    for (const [messageId, { waitsFor }] of incoming.entries()) this.#open.set(messageId, this.#count(waitsFor));
    loaded = true;
  }

  /** Parked messages that name this one among what they wait for. */
  dependantsOf(messageId: string): ReadonlySet<string> {
    return this.#dependants.get(messageId) ?? NONE;
  }

  /** Whether a parked message waits for nothing any more. */
  isFree(messageId: string): boolean {
    return this.#open.get(messageId) === 0;
  }

  /** It is parked no more, and still to be delivered: until then, others wait for it. */
  release(messageId: string): void {
    this.#released.add(messageId);
    this.#incoming.delete(messageId);
  }

  delivered(messageId: string): void {
    if (!this.#released.delete(messageId)) return;
    if (!this.#isOpen(messageId)) this.#turn(messageId, -1);
  }

  /** An event ends. What it released without delivering it, as it threw, comes back with its rows. */
  endRelease(): void {
    for (const messageId of this.#released) this.delivered(messageId);
  }

  #isOpen(messageId: string): boolean {
    return this.#incoming.has(messageId) || this.#missing.has(messageId) || this.#released.has(messageId);
  }

  #count(dependencies: readonly string[]): number {
    let open = 0;
    for (const dependency of dependencies) if (this.#isOpen(dependency)) open++;
    return open;
  }

  /** It is open from now on, or no more. */
  #turn(messageId: string, by: 1 | -1): void {
    for (const dependant of this.dependantsOf(messageId)) {
      const open = this.#open.get(dependant);
      if (open !== undefined) this.#open.set(dependant, open + by);
    }
  }

  #link(dependency: string, dependant: string): void {
    const dependants = this.#dependants.get(dependency);
    if (dependants) dependants.add(dependant);
    else this.#dependants.set(dependency, new Set([dependant]));
  }

  #unlink(dependency: string, dependant: string): void {
    const dependants = this.#dependants.get(dependency);
    if (!dependants?.delete(dependant)) return;
    if (dependants.size === 0) this.#dependants.delete(dependency);
  }
}

const NONE: ReadonlySet<string> = new Set();
