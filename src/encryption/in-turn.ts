/**
 * Decrypts what arrives and hands it on in the order of arrival, however long any single decryption takes: a cipher of a
 * page may suspend, and a message must not overtake the one before it.
 */
import { type Result, reasonOf } from "../common/result.ts";

export class InTurn {
  #last: Promise<unknown> = Promise.resolve();

  /**
   * Starts `work` at once and calls `then` with its outcome once everything that was taken before was handed on. What
   * `work` throws is an error of that one. Resolves to what `then` returned, and rejects with what `then` threw.
   */
  take<T, R>(work: () => Promise<Result<T>>, then: (outcome: Result<T>) => R | Promise<R>): Promise<R> {
    const before = this.#last;
    const outcome = attempt(work);
    const done = before.then(async () => then(await outcome));
    // Its own caller hears of a failure; those behind it go on.
    this.#last = done.catch(() => undefined);
    return done;
  }
}

async function attempt<T>(work: () => Promise<Result<T>>): Promise<Result<T>> {
  try {
    return await work();
  } catch (thrown) {
    return { ok: false, error: reasonOf(thrown) };
  }
}
