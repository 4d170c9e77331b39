import { lowerBound } from "../common/lower-bound.ts";

interface Entry {
  readonly senderId: string;
  /** Lamport time. */
  readonly time: number;
}

interface Keyed extends Entry {
  readonly key: string;
}

/** Keys at a Lamport time of a sender's. What is in it is derived from rows, by whoever keeps it. */
export class SenderTimeline {
  readonly #entries = new Map<string, Keyed>();
  /** Ascending by time, then by key. */
  readonly #ofSender = new Map<string, Keyed[]>();

  /** Puts a key at its place, in place of where it was; `undefined` takes it away. */
  set(key: string, entry: Entry | undefined): void {
    const before = this.#entries.get(key);
    if (before?.senderId === entry?.senderId && before?.time === entry?.time) return;
    if (before !== undefined) this.#remove(before);
    if (entry !== undefined) this.#insert({ key, senderId: entry.senderId, time: entry.time });
  }

  /** The key of the newest entry of a sender that is not older than `since`, and older than `before`. */
  newestWithin(senderId: string, since: number, before: number): string | undefined {
    const entries = this.#ofSender.get(senderId) ?? [];
    const newest = entries[lowerBound(entries.length, (place) => (entries[place]?.time ?? 0) < before) - 1];
    return newest !== undefined && newest.time >= since ? newest.key : undefined;
  }

  #insert(entry: Keyed): void {
    const entries = this.#ofSender.get(entry.senderId) ?? [];
    this.#ofSender.set(entry.senderId, entries);
    entries.splice(placeOf(entries, entry), 0, entry);
    this.#entries.set(entry.key, entry);
  }

  #remove(entry: Keyed): void {
    this.#entries.delete(entry.key);
    const entries = this.#ofSender.get(entry.senderId) ?? [];
    entries.splice(placeOf(entries, entry), 1);
    if (entries.length === 0) this.#ofSender.delete(entry.senderId);
  }
}

function placeOf(entries: readonly Keyed[], { time, key }: Keyed): number {
  return lowerBound(entries.length, (place) => {
    const other = entries[place];
    return other !== undefined && (other.time < time || (other.time === time && other.key < key));
  });
}
