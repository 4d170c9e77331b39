/**
 * Works off what stands in a table, the first item and then the next, one run at a time. An item leaves the table when it is
 * done; where one fails, the run ends, and a later run tries it again.
 */
export class Drain<T> {
  readonly #next: () => T | undefined;
  readonly #workOff: (item: T) => Promise<void>;
  #running = false;
  #run: Promise<void> = Promise.resolve();
  #current: Promise<void> | undefined;

  /** `next`: what may be worked off now, if anything. */
  constructor(next: () => T | undefined, workOff: (item: T) => Promise<void>) {
    this.#next = next;
    this.#workOff = workOff;
  }

  /** Resolves when nothing is left that may be worked off now, or when one failed. */
  run(): Promise<void> {
    if (!this.#running) this.#run = this.#workOffAll();
    return this.#run;
  }

  async #workOffAll(): Promise<void> {
    this.#running = true;
    try {
      for (let item = this.#next(); item !== undefined; item = this.#next()) {
        this.#current = this.#workOff(item);
        await this.#current;
      }
    } catch {
      // A commit that fails means that storage will be read again by whoever begins anew: this one stops here. Where only
      // reading failed, the item still stands in its table.
    }
    this.#running = false;
  }

  /** Resolves when the item that is worked off, if one is, is done or failed. */
  async settled(): Promise<void> {
    await this.#current?.catch(() => {});
  }
}
