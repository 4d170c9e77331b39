import type { Table } from "../common/table.ts";
import type { CompletedRow } from "./reassembler-tables.ts";
import { SenderTimeline } from "./sender-timeline.ts";

/** A message that is given up, as far as it tells what it belongs to. */
export interface Whereabouts {
  readonly senderId?: string;
  /** Lamport times: what is known of its sender up to `since` precedes it, and it is older than `before`. */
  readonly since: number;
  readonly before: number;
  /** Messages of its sender that name it, and the place in their histories counted from the end. */
  readonly followers: readonly { readonly messageId: string; readonly distance: number }[];
}

/** Segments of lost messages that never arrived: which ids may be theirs. Derived from what is remembered of the messages. */
export class UnheardSegments {
  readonly #completed: Table<string, CompletedRow>;
  /** Of segments that arrived although the one before them did not, by SDS message id: their sets, and the slot in each. */
  readonly #followers = new Map<string, Map<string, number>>();
  /** Sets of which the last segment did not arrive, at the time of the newest that did. */
  readonly #lackEnd = new SenderTimeline();

  constructor(completed: Table<string, CompletedRow>) {
    this.#completed = completed;
    completed.observe((setKey, before, after) => {
      const unheard = after?.unheard;
      this.#lackEnd.set(setKey, unheard?.lacksEnd ? { senderId: unheard.senderId, time: unheard.newest } : undefined);
      if (before?.unheard?.followers === unheard?.followers) return;
      for (const { messageId } of before?.unheard?.followers ?? []) this.#unlink(messageId, setKey);
      for (const { messageId, slot } of unheard?.followers ?? []) this.#link(messageId, setKey, slot);
    });
  }

  /** Whether an id is, as far as one can tell, of a message whose loss was told when its set went. */
  mayInclude({ senderId, since, before, followers }: Whereabouts): boolean {
    if (senderId !== undefined && this.#lackEnd.newestWithin(senderId, since, before) !== undefined) return true;
    return followers.some(({ messageId, distance }) => this.#isBefore(messageId, distance));
  }

  /** Whether what a segment names at this distance never arrived. */
  #isBefore(messageId: string, distance: number): boolean {
    for (const [setKey, slot] of this.#followers.get(messageId) ?? []) {
      if (slot >= distance && !this.#completed.get(setKey)?.lostSlots.includes(slot - distance)) return true;
    }
    return false;
  }

  #link(messageId: string, setKey: string, slot: number): void {
    const sets = this.#followers.get(messageId) ?? new Map<string, number>();
    this.#followers.set(messageId, sets.set(setKey, slot));
  }

  #unlink(messageId: string, setKey: string): void {
    const sets = this.#followers.get(messageId);
    if (sets?.delete(setKey) && sets.size === 0) this.#followers.delete(messageId);
  }
}
