/**
 * The pages whose own functions encrypt, over all channels of mode `page`: which one is asked, and who hears when one
 * comes or the last one goes. All of it follows from the ports that are open; nothing is stored.
 */
import type { ChannelKey } from "../channel/types.ts";
import type { Bytes } from "../common/bytes.ts";
import type { FunctionCall, PageFunctions } from "./page-functions.ts";

export const NO_PAGE = "no page of the site that encrypts is open";

/** One page, by its port. */
export interface CipherPage {
  readonly origin: string;
  readonly functions: Pick<PageFunctions, "call" | "end">;
  /** When the person last came to it, milliseconds since the Unix epoch. */
  readonly focusedAt: number;
  /** Whether it holds the channel, open. */
  isAttached(channelId: string): boolean;
}

export interface CipherPagesListener {
  /** The first page that has the channel's functions came. */
  ready(channel: ChannelKey): void;
  /** The last page that had the channel's functions went. */
  away(channel: ChannelKey): void;
}

export class CipherPages {
  /** The ids of the channels that each has functions for; pages in the order in which they first had any. */
  readonly #pages = new Map<CipherPage, Set<string>>();
  readonly #listeners = new Set<CipherPagesListener>();

  listen(listener: CipherPagesListener): void {
    this.#listeners.add(listener);
  }

  /** The page has functions for a channel of its origin. */
  offer(page: CipherPage, channelId: string): void {
    const channel = { origin: page.origin, channelId };
    const wasAway = this.unavailable(channel) !== undefined;
    const channelIds = this.#pages.get(page) ?? new Set();
    this.#pages.set(page, channelIds.add(channelId));
    if (wasAway) for (const listener of this.#listeners) listener.ready(channel);
  }

  /** The page went, or may not be asked any more. What it was asked goes to another page, or waits. */
  remove(page: CipherPage): void {
    const channelIds = this.#pages.get(page) ?? [];
    this.#pages.delete(page);
    page.functions.end();
    for (const channelId of channelIds) {
      const channel = { origin: page.origin, channelId };
      if (this.unavailable(channel) === undefined) continue;
      for (const listener of this.#listeners) listener.away(channel);
    }
  }

  /** Why no page can be asked, in words; `undefined` if one can. */
  unavailable(channel: ChannelKey): string | undefined {
    return this.#pageOf(channel) === undefined ? NO_PAGE : undefined;
  }

  async call(channel: ChannelKey, operation: "encrypt" | "decrypt", input: Bytes): Promise<FunctionCall> {
    const page = this.#pageOf(channel);
    return page === undefined ? { outcome: "away" } : page.functions.call(channel.channelId, operation, input);
  }

  /**
   * The page that the person came to last, of those that hold the channel; if none does any more, of those that did: they
   * still encrypt what was accepted before they closed it. Of equal ones, the newest.
   */
  #pageOf({ origin, channelId }: ChannelKey): CipherPage | undefined {
    let best: CipherPage | undefined;
    for (const [page, channelIds] of this.#pages) {
      if (page.origin !== origin || !channelIds.has(channelId)) continue;
      if (best === undefined || !isBehind(page, best, channelId)) best = page;
    }
    return best;
  }
}

function isBehind(page: CipherPage, other: CipherPage, channelId: string): boolean {
  const [attached, otherAttached] = [page.isAttached(channelId), other.isAttached(channelId)];
  return attached === otherAttached ? page.focusedAt < other.focusedAt : otherAttached;
}
