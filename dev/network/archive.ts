import type { Clock } from "../../src/common/clock.ts";
import type { WakuMessage } from "./waku-message.ts";
import { nanoseconds } from "./waku-message.ts";

/** Nanoseconds that a timestamp may differ from the node's clock. */
const SKEW_NS = 20_000_000_000n;
/** Messages kept; beyond it the oldest goes. */
const MESSAGES = 50_000;
export const DEFAULT_PAGE = 20;
export const LARGEST_PAGE = 100;

export interface ArchivedMessage {
  readonly hash: string;
  readonly pubsubTopic: string;
  readonly message: WakuMessage;
}

export interface ArchiveQuery {
  readonly pubsubTopic?: string | undefined;
  readonly contentTopics?: readonly string[];
  /** Nanoseconds, both inclusive. */
  readonly start?: bigint | undefined;
  readonly end?: bigint | undefined;
  readonly hashes?: readonly string[];
  readonly cursor?: string | undefined;
  readonly forward?: boolean;
  readonly limit?: number | undefined;
}

export interface ArchivePage {
  /** Oldest first, whatever the direction of the walk. */
  readonly messages: readonly ArchivedMessage[];
  /** The last message of the walk, where there are more. */
  readonly cursor: string | undefined;
}

/** The messages of one node in the order of the store: by timestamp, then by hash. */
export class Archive {
  readonly #clock: Clock;
  readonly #ordered: ArchivedMessage[] = [];
  readonly #byHash = new Map<string, ArchivedMessage>();
  #waiting: { readonly hash: string; readonly resolve: (message: ArchivedMessage) => void }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#ordered.length;
  }

  has(hash: string): boolean {
    return this.#byHash.has(hash);
  }

  get(hash: string): ArchivedMessage | undefined {
    return this.#byHash.get(hash);
  }

  /** Messages in the order of the store, of one content topic or of all. */
  messages(contentTopic?: string): readonly ArchivedMessage[] {
    if (contentTopic === undefined) return [...this.#ordered];
    return this.#ordered.filter((entry) => entry.message.contentTopic === contentTopic);
  }

  hashes(contentTopic?: string): readonly string[] {
    return this.messages(contentTopic).map((entry) => entry.hash);
  }

  /** Resolves once the message is there, which may be now. */
  waitFor(hash: string): Promise<ArchivedMessage> {
    const there = this.#byHash.get(hash);
    if (there !== undefined) return Promise.resolve(there);
    return new Promise((resolve) => this.#waiting.push({ hash, resolve }));
  }

  /** Takes a message as a real node does: not ephemeral ones, not those off by more than 20 s, each hash once. */
  offer(entry: ArchivedMessage): boolean {
    const skew = entry.message.timestamp - nanoseconds(this.#clock.now());
    if (entry.message.ephemeral || skew > SKEW_NS || -skew > SKEW_NS) return false;
    return this.insert(entry);
  }

  /** Takes a message whatever its timestamp, for tests that need a history. */
  insert(entry: ArchivedMessage): boolean {
    if (this.#byHash.has(entry.hash)) return false;
    this.#ordered.splice(this.#firstNotBefore(entry), 0, entry);
    this.#byHash.set(entry.hash, entry);
    if (this.#ordered.length > MESSAGES) {
      const oldest = this.#ordered.shift();
      if (oldest !== undefined) this.#byHash.delete(oldest.hash);
    }
    for (const { resolve } of this.#waiting.filter((waiting) => waiting.hash === entry.hash)) resolve(entry);
    this.#waiting = this.#waiting.filter((waiting) => waiting.hash !== entry.hash);
    return true;
  }

  /** Forgets everything. */
  clear(): void {
    this.#ordered.length = 0;
    this.#byHash.clear();
  }

  /** One page, or `undefined` where the cursor names no message of this archive. */
  query(query: ArchiveQuery): ArchivePage | undefined {
    const { cursor, forward = true } = query;
    const from = cursor === undefined ? undefined : this.#byHash.get(cursor);
    if (cursor !== undefined && from === undefined) return undefined;
    const limit = Math.min(query.limit === undefined || query.limit <= 0 ? DEFAULT_PAGE : query.limit, LARGEST_PAGE);
    const topics = new Set(query.contentTopics);
    const hashes = new Set(query.hashes);
    const found: ArchivedMessage[] = [];
    for (const entry of forward ? this.#ordered : this.#ordered.toReversed()) {
      if (from !== undefined && (forward ? compare(entry, from) <= 0 : compare(entry, from) >= 0)) continue;
      if (query.pubsubTopic !== undefined && entry.pubsubTopic !== query.pubsubTopic) continue;
      if (topics.size > 0 && !topics.has(entry.message.contentTopic)) continue;
      if (hashes.size > 0 && !hashes.has(entry.hash)) continue;
      if (query.start !== undefined && entry.message.timestamp < query.start) continue;
      if (query.end !== undefined && entry.message.timestamp > query.end) continue;
      found.push(entry);
      if (found.length > limit) break;
    }
    const page = found.slice(0, limit);
    return {
      cursor: found.length > limit ? page.at(-1)?.hash : undefined,
      messages: forward ? page : page.toReversed(),
    };
  }

  #firstNotBefore(entry: ArchivedMessage): number {
    let low = 0;
    let high = this.#ordered.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const there = this.#ordered[middle];
      if (there !== undefined && compare(there, entry) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function compare(a: ArchivedMessage, b: ArchivedMessage): number {
  if (a.message.timestamp !== b.message.timestamp) return a.message.timestamp < b.message.timestamp ? -1 : 1;
  return a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0;
}
