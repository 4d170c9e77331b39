/**
 * The log of a channel's events: what pages are told, in the order in which it happened, until they have handled it.
 * An event is logged in the transaction that caused it; pages are told after the commit, and again after every restart
 * until they acknowledge.
 */
import { LIMITS } from "../limits.ts";
import type { Storage } from "./ports.ts";
import { type ChannelRow, type ChannelTables, channelScope, ONLY_ROW } from "./rows.ts";
import type { ChannelEvent, ChannelKey } from "./types.ts";

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** An event before it has its place in the log. */
export type EventBody = DistributiveOmit<ChannelEvent, "seq" | "at">;

export class EventLog {
  readonly #key: ChannelKey;
  readonly #tables: Pick<ChannelTables, "channel" | "events">;
  readonly #storage: Storage;

  constructor(key: ChannelKey, tables: Pick<ChannelTables, "channel" | "events">, storage: Storage) {
    this.#key = key;
    this.#tables = tables;
    this.#storage = storage;
  }

  /** Inside a transaction: logs what happened at `now`. */
  append(body: EventBody, now: number): ChannelEvent {
    const row = this.#row();
    const seq = row.lastSeq + 1;
    const event: ChannelEvent = { ...body, seq, at: now };
    this.#tables.events.put(seq, event);
    this.#tables.channel.put(ONLY_ROW, this.#trim({ ...row, lastSeq: seq }));
    return event;
  }

  /** Inside a transaction: the origin handled everything up to `seq`. Never goes back, never beyond what is logged. */
  acknowledge(seq: number): void {
    const row = this.#row();
    if (seq <= row.acknowledgedSeq || seq > row.lastSeq) return;
    this.#tables.channel.put(ONLY_ROW, this.#trim({ ...row, acknowledgedSeq: seq }));
  }

  /** Events above `after`, oldest first, `limit` at most. */
  async read(after: number, limit: number): Promise<readonly ChannelEvent[]> {
    const rows = await this.#storage.scan(this.#tables.events.name, channelScope(this.#key), { after, limit });
    return rows.map(({ row }) => row as ChannelEvent);
  }

  /** Handled events beyond the bound go, oldest first; what nobody handled yet stays. */
  #trim(row: ChannelRow): ChannelRow {
    let { trimmedSeq } = row;
    while (row.lastSeq - trimmedSeq > LIMITS.eventLog.events && trimmedSeq < row.acknowledgedSeq) {
      trimmedSeq++;
      this.#tables.events.delete(trimmedSeq);
    }
    return trimmedSeq === row.trimmedSeq ? row : { ...row, trimmedSeq };
  }

  #row(): ChannelRow {
    const row = this.#tables.channel.get(ONLY_ROW);
    if (row === undefined) throw new Error(`channel ${this.#key.channelId} has no row`);
    return row;
  }
}
