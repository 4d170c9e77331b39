import { fromHex } from "../common/bytes.ts";
import { OrderedIndex } from "../common/ordered-index.ts";
import { forgetBeyond } from "./forgetting.ts";
import { entryBytes } from "./history-entry.ts";
import type { HistoryEntry } from "./message.ts";
import { SenderTimes } from "./sender-times.ts";
import type { LogRow, SdsTables } from "./tables.ts";

export interface LogBounds {
  readonly log: number;
  readonly causalHistory: number;
  readonly causalHistoryMax: number;
  readonly historyEntryBytes: number;
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

  /** And what it alone names, and so on: a stranger can make that as long a chain as the log has room for. */
  #nowNamed(messageId: string): void {
    const open = [messageId];
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      const row = this.#log.get(id);
      if (row === undefined || !this.#isUnnamed(row)) continue;
      const { head: _, names, ...rest } = row;
      this.#log.put(id, rest);
      if (names) open.push(...names);
    }
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
   *
   * @param roomBytes what it may take on the wire; what does not fit is left out, as beyond the bound of their number
   */
  causalHistory(ownId: string, roomBytes: number): readonly HistoryEntry[] {
    const named = new Map<string, { readonly lamport: number; readonly entry: HistoryEntry }>();
    let room = roomBytes;
    // Only beside a content near the bound is there a question.
    const isAmple = room >= this.#bounds.causalHistoryMax * this.#bounds.historyEntryBytes;
    const name = (id: string): void => {
      const row = this.#log.get(id);
      if (row === undefined || named.has(id)) return;
      const entry = entryOf(id, row);
      const bytes = isAmple ? 0 : entryBytes(entry);
      if (bytes > room) return;
      room -= bytes;
      named.set(id, { lamport: row.lamport, entry });
    };
    const max = this.#bounds.causalHistoryMax;
    // Our own newest message first: the order of one sender's messages must hold whatever does not fit.
    let follows = false;
    for (const id of this.#heads.descending()) {
      const row = this.#log.get(id);
      if (row?.senderId !== ownId) continue;
      name(id);
      follows = row.inner === true;
      break;
    }
    for (const id of this.#heads.descending()) {
      if (named.size >= max) break;
      name(id);
    }
    for (const id of this.#byLamport.descending()) {
      if (follows || named.size >= this.#bounds.causalHistory) break;
      if (!this.#log.get(id)?.inner) name(id);
    }
    return [...named.values()]
      .sort((a, b) => a.lamport - b.lamport || (a.entry.messageId < b.entry.messageId ? -1 : 1))
      .map(({ entry }) => entry);
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

function entryOf(messageId: string, { hash, senderId }: LogRow): HistoryEntry {
  const hint = hash === undefined ? undefined : fromHex(hash);
  return { messageId, ...(hint ? { retrievalHint: hint } : {}), ...(senderId ? { senderId } : {}) };
}
