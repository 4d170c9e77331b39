import { LIMITS } from "../limits.ts";
import type { MessageHash } from "./ports.ts";
import type { ChannelDiagnostics } from "./types.ts";

/** Why a message on the channel's topic meant nothing to any open channel on that topic. */
export type Unread = keyof ChannelDiagnostics;

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

  get counts(): ChannelDiagnostics {
    return { ...this.#counts };
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
    this.#hashes.set(messageHash, what);
    for (const oldest of this.#hashes.keys()) {
      if (this.#hashes.size <= LIMITS.diagnosticHashes) break;
      this.#hashes.delete(oldest);
    }
  }
}
