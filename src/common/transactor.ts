import type { Journal, RowChange } from "./table.ts";

/** Where a transactor writes: one call is one transaction. */
export interface CommitTarget {
  commit(changes: readonly RowChange[]): Promise<void>;
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * One event, one transaction.
 *
 * `run` applies an event to the tables at once and resolves when what it changed is durable. Events that arrive while a
 * commit is under way are applied in order and share the next commit: an event is never split over two transactions.
 *
 * A commit that fails is treated like a crash. Memory is then ahead of storage and cannot be trusted, so this transactor
 * refuses everything from then on, and its owner starts again from what is stored.
 */
export class Transactor {
  readonly #journal: Journal;
  readonly #target: CommitTarget;
  readonly #onBroken: (reason: unknown) => void;
  #changes: RowChange[] = [];
  #waiting: Waiting[] = [];
  #committing = false;
  #broken: { readonly reason: unknown } | undefined;

  constructor(journal: Journal, target: CommitTarget, onBroken: (reason: unknown) => void = () => {}) {
    this.#journal = journal;
    this.#target = target;
    this.#onBroken = onBroken;
  }

  /** A commit failed: memory cannot be trusted any more. */
  get broken(): boolean {
    return this.#broken !== undefined;
  }

  /** Applies `event`, which must not await anything; if it throws, it changed nothing. Resolves once it is durable. */
  async run<T>(event: () => T): Promise<T> {
    if (this.#broken) throw this.#broken.reason;
    let result: T;
    try {
      result = event();
    } catch (thrown) {
      this.#journal.rollback();
      throw thrown;
    }
    // Not by spreading: one event may change more rows than a call takes arguments.
    for (const change of this.#journal.take()) this.#changes.push(change);
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      if (!this.#committing) void this.#commitAll();
    });
    return result;
  }

  async #commitAll(): Promise<void> {
    this.#committing = true;
    while (this.#waiting.length > 0) {
      const [changes, waiting] = [this.#changes, this.#waiting];
      this.#changes = [];
      this.#waiting = [];
      try {
        if (changes.length > 0) await this.#target.commit(changes);
      } catch (reason) {
        this.#broken = { reason };
        for (const { reject } of [...waiting, ...this.#waiting]) reject(reason);
        this.#waiting = [];
        this.#onBroken(reason);
        return;
      }
      for (const { resolve } of waiting) resolve();
    }
    this.#committing = false;
  }
}
