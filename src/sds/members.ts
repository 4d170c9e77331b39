import type { SdsTables } from "./tables.ts";

/** The other participants that were heard. Beyond the bound nobody new is remembered. */
export class Members {
  readonly #members: SdsTables["members"];
  readonly #bound: number;

  constructor(members: SdsTables["members"], bound: number) {
    this.#members = members;
    this.#bound = bound;
  }

  get size(): number {
    return this.#members.size;
  }

  heard(senderId: string): void {
    if (senderId === "" || this.#members.has(senderId) || this.#members.size >= this.#bound) return;
    this.#members.put(senderId, {});
  }

  /**
   * Whether what a message of `senderId` with this Lamport timestamp depends on is surely younger than our join horizon.
   *
   * The wire carries no time of a dependency. But whoever sent an earlier message after the horizon has that message in
   * its log, and names none that precedes it there.
   */
  hasSpokenBefore(senderId: string, lamport: number): boolean {
    const first = this.#members.get(senderId)?.firstLamport;
    return first !== undefined && first < lamport;
  }

  /** A logged message of the member, younger than the join horizon. */
  spoke(senderId: string, lamport: number): void {
    const row = this.#members.get(senderId);
    if (!row || (row.firstLamport !== undefined && row.firstLamport <= lamport)) return;
    this.#members.put(senderId, { firstLamport: lamport });
  }
}
