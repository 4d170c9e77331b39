import { fromHex } from "../common/bytes.ts";
import { forgetBeyond } from "./forgetting.ts";
import type { HistoryEntry } from "./message.ts";
import { OrderedIndex } from "./ordered-index.ts";
import { SenderTimes } from "./sender-times.ts";
import type { LogRow, SdsTables } from "./tables.ts";

export interface LogBounds {
  readonly log: number;
  readonly causalHistory: number;
  readonly causalHistoryMax: number;
}

/** The local log of LIP-109: message ids in the order of Lamport time, then of id. */
export class MessageLog {
  readonly #log: SdsTables["log"];
  readonly #bounds: LogBounds;
  readonly #byLamport: OrderedIndex<LogRow>;
  /** Messages that no other one of the log names. */
  readonly #heads: OrderedIndex<LogRow>;
  readonly #times: SenderTimes<LogRow>;

  constructor(log: SdsTables["log"], bounds: LogBounds) {
    this.#log = log;
    this.#bounds = bounds;
    this.#byLamport = new OrderedIndex(log, ({ lamport }) => lamport);
    this.#heads = new OrderedIndex(log, ({ lamport, head }) => (head ? lamport : undefined));
    this.#times = new SenderTimes(log);
  }

  /** Enters a message that names `history`; the lowest messages beyond the bound leave. */
  add(messageId: string, row: Omit<LogRow, "head" | "names">, history: readonly string[]): void {
    for (const named of history) this.#nowNamed(named);
    this.#enter(messageId, { ...row, head: true });
  }

  /**
   * Enters a part of someone else's message, other than the last. Only the next part names it: whoever named it in its
   * own message would name half a message, which is not there before its last part is. What it names is named together
   * with that one.
   */
  addInner(messageId: string, row: Omit<LogRow, "head" | "inner" | "names">, history: readonly string[]): void {
    // What the log does not name so far is all that matters then. A stranger's history must not stay with each part.
    const names = history
      .filter((named) => this.#isUnnamed(this.#log.get(named)))
      .slice(-this.#bounds.causalHistoryMax);
    this.#enter(messageId, { ...row, inner: true, names });
  }

  #nowNamed(messageId: string): void {
    const row = this.#log.get(messageId);
    if (row === undefined || !this.#isUnnamed(row)) return;
    const { head: _, names, ...rest } = row;
    this.#log.put(messageId, rest);
    for (const named of names ?? []) this.#nowNamed(named);
  }

  #isUnnamed(row: LogRow | undefined): boolean {
    return row?.head === true || row?.names !== undefined;
  }

  #enter(messageId: string, row: LogRow): void {
    this.#log.put(messageId, row);
    forgetBeyond(this.#bounds.log, this.#log, this.#byLamport);
  }

  /**
   * The causal history of a message sent now, oldest first: LIP-109 asks for "the preceding few message IDs".
   *
   * Those are the newest two of the log, and whichever other messages nobody has named yet: left out, a receiver could
   * deliver our message before one that we had seen, or even before an earlier one of our own. In most conversations
   * there are no others.
   *
   * Of a message in several parts, its last one stands for all: whoever misses it whole then misses one message, not two.
   * And a part that follows another names that one and what nobody has named: all else the first part has named.
   */
  causalHistory(ownId: string): readonly HistoryEntry[] {
    const named = new Set<string>();
    const max = this.#bounds.causalHistoryMax;
    // Our own newest message first: the order of one sender's messages must hold whatever does not fit.
    let follows = false;
    for (const id of this.#heads.descending()) {
      const row = this.#log.get(id);
      if (row?.senderId !== ownId) continue;
      named.add(id);
      follows = row.inner === true;
      break;
    }
    for (const id of this.#heads.descending()) {
      if (named.size >= max) break;
      named.add(id);
    }
    for (const id of this.#byLamport.descending()) {
      if (follows || named.size >= this.#bounds.causalHistory) break;
      if (!this.#log.get(id)?.inner) named.add(id);
    }
    const rows = [...named].map((messageId) => ({ messageId, row: this.#log.get(messageId) }));
    rows.sort((a, b) => (a.row?.lamport ?? 0) - (b.row?.lamport ?? 0) || (a.messageId < b.messageId ? -1 : 1));
    return rows.map(({ messageId, row }) => {
      const hint = row?.hash === undefined ? undefined : fromHex(row.hash);
      return {
        messageId,
        ...(hint ? { retrievalHint: hint } : {}),
        ...(row?.senderId ? { senderId: row.senderId } : {}),
      };
    });
  }

  /**
   * A retrieval hint for a message of the log: the newest propagated hash, one that a store node confirmed preferred. The
   * map is persistent, as LIP-173 demands.
   */
  noteHash(messageId: string, hash: string, stored: boolean): void {
    const row = this.#log.get(messageId);
    if (!row || (row.stored && !stored) || (row.hash === hash && !stored)) return;
    this.#log.put(messageId, { ...row, hash, ...(stored ? { stored } : {}) });
  }

  /** For a message of someone else: the hash that it came with, if it has none yet. */
  noteFirstHash(messageId: string, hash: string): void {
    if (this.#log.get(messageId)?.hash === undefined) this.noteHash(messageId, hash, false);
  }

  /** What the log knows of a message. */
  get(messageId: string): LogRow | undefined {
    return this.#log.get(messageId);
  }

  /** Lamport time of the newest message of a sender; of the newest that is older than `lamport`. */
  newestOf(senderId: string, lamport?: number): number | undefined {
    return this.#times.newestBefore(senderId, lamport);
  }

  /** Ids in the log's order. */
  ids(): readonly string[] {
    return [...this.#byLamport.ascending()];
  }
}
