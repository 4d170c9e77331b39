/** What has arrived so far, and a way to wait for more. */
export class Inbox<T> {
  readonly #items: T[] = [];
  readonly #checks = new Set<() => void>();

  add(item: T): void {
    this.#items.push(item);
    for (const check of this.#checks) check();
  }

  get all(): readonly T[] {
    return this.#items;
  }

  where(wanted: (item: T) => boolean): readonly T[] {
    return this.#items.filter(wanted);
  }

  /** Resolves once `count` items that are wanted have arrived. */
  async until(count: number, wanted: (item: T) => boolean = () => true): Promise<readonly T[]> {
    return new Promise((resolve) => {
      const check = (): void => {
        const found = this.where(wanted);
        if (found.length < count) return;
        this.#checks.delete(check);
        resolve(found);
      };
      this.#checks.add(check);
      check();
    });
  }
}
