/**
 * The cipher of mode `page`: the site's own functions, which stay in its page and are called there.
 *
 * A page comes and goes as the person opens and closes it. Whatever is to be encrypted or decrypted while there is none
 * waits, also what a page was at work on when it went: its functions did not fail, nobody knows what they would have said.
 */
import type { Bytes } from "../common/bytes.ts";
import { err, ok, type Result } from "../common/result.ts";
import type { Cipher } from "./cipher.ts";

/** What became of a call. */
export type PageCall =
  | { readonly outcome: "done"; readonly output: Bytes }
  /** The function threw, did not answer in time, or returned something that is of no use; `reason` is in words. */
  | { readonly outcome: "refused"; readonly reason: string }
  /** There was no page, or it went before it answered. It is not asked again. */
  | { readonly outcome: "away" };

/** The pages that have functions for one channel. */
export interface ChannelPages {
  /** Why none can be called for now, in words; `undefined` while one can. */
  unavailable(): string | undefined;
  /** Calls the function of the page that was looked at last, once. */
  call(operation: "encrypt" | "decrypt", input: Bytes): Promise<PageCall>;
}

export class PageCipher implements Cipher {
  readonly slow = true;
  readonly #pages: ChannelPages;

  constructor(pages: ChannelPages) {
    this.#pages = pages;
  }

  unavailable(): string | undefined {
    return this.#pages.unavailable();
  }

  encrypt(plaintext: Bytes): Promise<Result<Bytes>> {
    return this.#call("encrypt", plaintext);
  }

  decrypt(ciphertext: Bytes): Promise<Result<Bytes>> {
    return this.#call("decrypt", ciphertext);
  }

  /** A page that went is followed by the next one; behind the last, the error is why the cipher is unavailable. */
  async #call(operation: "encrypt" | "decrypt", input: Bytes): Promise<Result<Bytes>> {
    for (;;) {
      const call = await this.#pages.call(operation, input);
      if (call.outcome === "done") return ok(call.output);
      if (call.outcome === "refused") return err(call.reason);
      const unavailable = this.#pages.unavailable();
      if (unavailable !== undefined) return err(unavailable);
    }
  }
}
