import type { SdsMetaRow, SdsTables } from "./tables.ts";

const ONLY_ROW = "row";

const INITIAL: SdsMetaRow = {
  lamport: 0,
  lastIdNanoseconds: 0n,
  startedAt: 0,
  awakeMs: 0,
  asOf: 0,
  online: true,
  sequence: 0,
  sends: 0,
  jitter: 0.5,
  referenceMembers: false,
};

/** The participant's single row. */
export class Meta {
  readonly #table: SdsTables["meta"];

  constructor(table: SdsTables["meta"]) {
    this.#table = table;
  }

  get row(): SdsMetaRow {
    return this.#table.get(ONLY_ROW) ?? INITIAL;
  }

  /** Whether anything ever happened here. */
  get exists(): boolean {
    return this.#table.has(ONLY_ROW);
  }

  change(change: Partial<SdsMetaRow>): void {
    this.#table.put(ONLY_ROW, { ...this.row, ...change });
  }

  /** Drops an optional part. */
  clear(part: "ackOwed" | "sync"): void {
    const { [part]: dropped, ...rest } = this.row;
    if (dropped !== undefined) this.#table.put(ONLY_ROW, rest);
  }

  nextSequence(): number {
    const sequence = this.row.sequence + 1;
    this.change({ sequence });
    return sequence;
  }
}
