import type { Clock } from "../common/clock.ts";
import { LIMITS } from "../limits.ts";
import type { Missing } from "../sds/outcome.ts";
import type { MessagingClient, Wanted } from "./ports.ts";

export interface MissingSearchParts {
  readonly contentTopic: string;
  readonly messaging: MessagingClient;
  readonly clock: Clock;
  /** What is missing at this moment, longest first. */
  readonly missing: () => readonly Missing[];
}

interface Tried {
  readonly hint: string | undefined;
  readonly attempts: number;
  /** Milliseconds since the Unix epoch before which it is not looked for again. */
  readonly notBefore: number;
}

interface Query {
  readonly wanted: Wanted;
  readonly found: readonly Missing[];
}

/** How often a message is asked for by its hash before the hint is taken for wrong, and its time is searched. */
const TRUSTED_ATTEMPTS = 2;

/**
 * Looks in the stores for messages that others depend on (LIP-109, missing dependencies): by retrieval hint, and where
 * there is none, or it leads nowhere, among what was sent in the time before the message that depends on it.
 *
 * It keeps nothing that matters. What is missing is SDS's to know, and how often it was looked for is forgotten with the
 * worker; so a search that is lost is made again.
 */
export class MissingSearch {
  readonly #parts: MissingSearchParts;
  #tried = new Map<string, Tried>();
  #cancelTimer: (() => void) | undefined;
  #quietUntil = 0;
  #searching = false;
  #stopped = false;

  constructor(parts: MissingSearchParts) {
    this.#parts = parts;
  }

  /** After a commit: something may be missing that was not before, or a store may be there again. */
  look(): void {
    if (this.#searching || this.#stopped) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const { messaging, clock, contentTopic } = this.#parts;
    const now = clock.now();
    const missing = this.#parts.missing();
    this.#forgetAllBut(missing);
    // Whoever finds a store again says so, and starts the search.
    if (missing.length === 0 || messaging.peers().store === 0) return;
    const next = Math.max(this.#quietUntil, Math.min(...missing.map((each) => this.#notBefore(each))));
    if (next > now) {
      if (next < Number.POSITIVE_INFINITY) this.#cancelTimer = clock.after(next - now, () => this.look());
      return;
    }
    const query = this.#next(missing, now);
    this.#note(query, now);
    this.#searching = true;
    this.#quietUntil = now + LIMITS.search.gapMs;
    messaging
      .retrieve(contentTopic, query.wanted)
      .then(() => {
        this.#searching = false;
        this.look();
      })
      // The messaging layer is at its end, and with it everything above.
      .catch(() => this.stop());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
  }

  /** One query: as many hashes as it may have, or else one window of time. */
  #next(missing: readonly Missing[], now: number): Query {
    const due = missing.filter((each) => this.#notBefore(each) <= now);
    const hinted = due.filter((each) => this.#windowOf(each, now) === undefined).slice(0, LIMITS.messaging.storeHashes);
    if (hinted.length > 0) {
      return { wanted: { hashes: hinted.flatMap(({ hint }) => hint ?? []) }, found: hinted };
    }
    const [first] = due;
    const window = (first && this.#windowOf(first, now)) ?? { from: now, to: now };
    const within = due.filter((each) => {
      const own = this.#windowOf(each, now);
      return own !== undefined && own.from >= window.from && own.to <= window.to;
    });
    return { wanted: window, found: within };
  }

  /** The time to search for a message now; `undefined` while it is to be asked for by hash. */
  #windowOf(missing: Missing, now: number): { readonly from: number; readonly to: number } | undefined {
    const attempt = this.#attempts(missing) - (missing.hint === undefined ? 0 : TRUSTED_ATTEMPTS);
    const spanMs = LIMITS.search.windowsMs[attempt];
    if (spanMs === undefined) return undefined;
    // Lamport time may run ahead of the clock.
    const to = Math.min(missing.neededAt ?? now, now);
    return { from: to - spanMs, to: to + LIMITS.messaging.catchUpOverlapMs };
  }

  #notBefore(missing: Missing): number {
    const attempts = this.#attempts(missing);
    // Without a hint there is nothing more to do once every window was searched: it may still be repaired.
    if (missing.hint === undefined && attempts >= LIMITS.search.windowsMs.length) return Number.POSITIVE_INFINITY;
    return attempts === 0 ? 0 : (this.#tried.get(missing.messageId)?.notBefore ?? 0);
  }

  /** A hint that came later starts the search anew. */
  #attempts({ messageId, hint }: Missing): number {
    const tried = this.#tried.get(messageId);
    return tried === undefined || tried.hint !== hint ? 0 : tried.attempts;
  }

  #note({ found }: Query, now: number): void {
    for (const each of found) {
      const attempts = this.#attempts(each);
      const waitMs = Math.min(LIMITS.search.retryMs * 2 ** attempts, LIMITS.search.retryMaxMs);
      this.#tried.set(each.messageId, { hint: each.hint, attempts: attempts + 1, notBefore: now + waitMs });
    }
  }

  #forgetAllBut(missing: readonly Missing[]): void {
    const kept = new Map<string, Tried>();
    for (const { messageId } of missing) {
      const tried = this.#tried.get(messageId);
      if (tried) kept.set(messageId, tried);
    }
    this.#tried = kept;
  }
}
