import { LIMITS } from "../limits.ts";
import type { MessageHash } from "./ports.ts";
import type { ChannelDiagnostics } from "./types.ts";

/** Why a message on the channel's topic meant nothing to any open channel on that topic. */
export type Unread = keyof ChannelDiagnostics;

/** What became of one that arrived: `undefined` where it was read. Those that are parked or skipped have their turn later. */
export type Arrival = Unread | "parked" | "skipped" | undefined;

/**
 * Counts what arrives on the topic and cannot be read, so that a person can see why nothing arrives. In memory, each
 * message hash once; when the hashes remembered are too many, the oldest are forgotten.
 */
export class Diagnostics {
  readonly #counts: { [K in Unread]: number } = {
    otherMarker: 0,
    undecryptable: 0,
    otherLayout: 0,
    unreadable: 0,
    otherChannel: 0,
  };
  readonly #hashes = new Map<MessageHash, Unread | "read">();
  /** Not counted yet: another channel of the topic has not come to them. */
  readonly #undecided = new Map<MessageHash, Unread>();

  get counts(): ChannelDiagnostics {
    return { ...this.#counts };
  }

  /** It means nothing to this channel, and another one of the topic has not come to it yet. */
  suspect(unread: Unread, messageHash: MessageHash): void {
    if (this.#hashes.has(messageHash)) return;
    this.#undecided.set(messageHash, unread);
    forgetOldest(this.#undecided);
  }

  /** Another channel of the topic came to it, and it means nothing there either. Whether it is counted here now. */
  unreadElsewhere(messageHash: MessageHash): boolean {
    const unread = this.#undecided.get(messageHash);
    return unread !== undefined && this.count(unread, messageHash);
  }

  /** Whether it was not counted before. */
  count(unread: Unread, messageHash: MessageHash): boolean {
    if (this.#hashes.has(messageHash)) return false;
    this.#remember(messageHash, unread);
    this.#counts[unread]++;
    return true;
  }

  /**
   * Another channel of the topic reads it, which may turn out before it is counted here or after it. Whether it was
   * counted.
   */
  readElsewhere(messageHash: MessageHash): boolean {
    const counted = this.#hashes.get(messageHash);
    this.#remember(messageHash, "read");
    if (counted === undefined || counted === "read") return false;
    this.#counts[counted]--;
    return true;
  }

  #remember(messageHash: MessageHash, what: Unread | "read"): void {
    this.#undecided.delete(messageHash);
    this.#hashes.set(messageHash, what);
    forgetOldest(this.#hashes);
  }
}

function forgetOldest(hashes: Map<MessageHash, unknown>): void {
  for (const oldest of hashes.keys()) {
    if (hashes.size <= LIMITS.diagnosticHashes) break;
    hashes.delete(oldest);
  }
}
