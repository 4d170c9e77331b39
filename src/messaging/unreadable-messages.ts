import type { MessageHash, UnreadableReason } from "../channel/ports.ts";
import { LIMITS } from "../limits.ts";

/** How many messages came that nobody could read, each counted once, in bounded memory. */
export class UnreadableMessages {
  readonly #seen = new Set<MessageHash>();
  readonly #counts = { foreignLayout: 0, undecryptable: 0 } satisfies Record<UnreadableReason, number>;

  note(reason: UnreadableReason, hash: MessageHash): void {
    if (this.#seen.has(hash)) return;
    this.#seen.add(hash);
    this.#counts[reason]++;
    if (this.#seen.size <= LIMITS.messaging.unreadableHashes) return;
    const [oldest] = this.#seen;
    if (oldest !== undefined) this.#seen.delete(oldest);
  }

  counts(): Readonly<Record<UnreadableReason, number>> {
    return { ...this.#counts };
  }
}
