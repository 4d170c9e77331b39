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

type Draft = { -readonly [P in keyof SdsMetaRow]: SdsMetaRow[P] };

/** The participant's single row. An event changes it many times and writes it once. */
export class Meta {
  readonly #table: SdsTables["meta"];
  /** The row as the running event has made it so far. */
  #draft: Draft | undefined;
  #inEvent = false;

  constructor(table: SdsTables["meta"]) {
    this.#table = table;
  }

  get row(): SdsMetaRow {
    return this.#draft ?? this.#table.get(ONLY_ROW) ?? INITIAL;
  }

  /** Whether anything ever happened here. */
  get exists(): boolean {
    return this.#draft !== undefined || this.#table.has(ONLY_ROW);
  }

  /**
   * Runs one event of the participant: the row is in the table, and so in the journal, when this returns. If it throws,
   * what it made of the row is gone.
   */
  during<T>(event: () => T): T {
    this.#inEvent = true;
    try {
      const result = event();
      if (this.#draft) this.#table.put(ONLY_ROW, this.#draft);
      return result;
    } finally {
      this.#inEvent = false;
      this.#draft = undefined;
    }
  }

  change(change: Partial<SdsMetaRow>): void {
    if (this.#draft) Object.assign(this.#draft, change);
    else this.#write({ ...this.row, ...change });
  }

  /** Drops an optional part. */
  clear(part: "ackOwed" | "sync" | "syncWaits"): void {
    if (this.row[part] === undefined) return;
    const { [part]: _, ...rest } = this.row;
    this.#write(rest);
  }

  nextSequence(): number {
    // Not by `change`: several times in each event, this needs no object.
    if (this.#draft) return ++this.#draft.sequence;
    const sequence = this.row.sequence + 1;
    this.change({ sequence });
    return sequence;
  }

  #write(row: SdsMetaRow): void {
    if (this.#inEvent) this.#draft = row;
    else this.#table.put(ONLY_ROW, row);
  }
}
