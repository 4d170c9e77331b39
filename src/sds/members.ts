import { OrderedIndex } from "../common/ordered-index.ts";
import type { MemberRow, SdsTables } from "./tables.ts";

export interface MemberBounds {
  readonly members: number;
  readonly membersActive: number;
  readonly memberActiveMs: number;
  readonly memberHeardStepMs: number;
}

/** The other participants that were heard. Beyond the bound, whoever is silent for longest is forgotten. */
export class Members {
  readonly #members: SdsTables["members"];
  readonly #bounds: MemberBounds;
  readonly #byHeard: OrderedIndex<MemberRow>;

  constructor(members: SdsTables["members"], bounds: MemberBounds) {
    this.#members = members;
    this.#bounds = bounds;
    this.#byHeard = new OrderedIndex(members, ({ heardMs }) => heardMs);
  }

  get size(): number {
    return this.#members.size;
  }

  /** How many were heard lately, as of the awake time `ms`: those that may answer. Counted up to a bound. */
  active(ms: number): number {
    let active = 0;
    for (const senderId of this.#byHeard.descending()) {
      if (active === this.#bounds.membersActive) break;
      if ((this.#members.get(senderId)?.heardMs ?? 0) <= ms - this.#bounds.memberActiveMs) break;
      active++;
    }
    return active;
  }

  heard(senderId: string, ms: number): void {
    if (senderId === "") return;
    const row = this.#members.get(senderId);
    // A member that talks writes its row from time to time only.
    if (row !== undefined && ms - row.heardMs < this.#bounds.memberHeardStepMs) return;
    const silent = this.#byHeard.first();
    if (row === undefined && silent && this.#members.size >= this.#bounds.members) this.#members.delete(silent.key);
    this.#members.put(senderId, { ...row, heardMs: ms });
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
    this.#members.put(senderId, { ...row, firstLamport: lamport });
  }
}
