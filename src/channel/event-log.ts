/**
 * The log of a channel's events: what pages are told, in the order in which it happened, until they have handled it.
 * An event is logged in the transaction that caused it; pages are told after the commit, and again after every restart
 * until they acknowledge.
 *
 * It is bounded by the number of its events and by the bytes of their messages. Handled events beyond that go, oldest
 * first; what nobody handled yet stays, and its channel takes in nothing more (`intake.ts`). Each event carries the bytes
 * logged up to it, so that the bounds are known without reading the messages.
 */
import { LIMITS } from "../limits.ts";
import type { Storage } from "./ports.ts";
import {
  type ChannelRow,
  type ChannelTables,
  channelScope,
  type LoggedRow,
  type LogPosition,
  ONLY_ROW,
} from "./rows.ts";
import type { ChannelEvent, ChannelKey } from "./types.ts";

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** An event before it has its place in the log. */
export type EventBody = DistributiveOmit<ChannelEvent, "seq" | "at">;

const { events: MOST_EVENTS, bytes: MOST_BYTES, trimEvents: TRIM_EVENTS } = LIMITS.eventLog;

export class EventLog {
  readonly #key: ChannelKey;
  readonly #tables: Pick<ChannelTables, "channel" | "events">;
  readonly #storage: Storage;
  /** Bytes logged up to each event that was logged since the start and is still there. */
  readonly #bytes = new Map<number, number>();

  constructor(key: ChannelKey, tables: Pick<ChannelTables, "channel" | "events">, storage: Storage) {
    this.#key = key;
    this.#tables = tables;
    this.#storage = storage;
  }

  /** Inside a transaction: logs what happened at `now`. */
  append(body: EventBody, now: number): ChannelEvent {
    const row = this.#row();
    const seq = row.logged.seq + 1;
    const bytes = row.logged.bytes + (body.type === "reliable:message:received" ? body.message.length : 0);
    const event: ChannelEvent = { ...body, seq, at: now };
    this.#tables.events.put(seq, { ...event, bytesUpTo: bytes });
    this.#tables.channel.put(ONLY_ROW, { ...row, logged: { seq, bytes } });
    this.#bytes.set(seq, bytes);
    return event;
  }

  /** What fraction of the bounds is taken by events that nobody handled yet: 1 and more is full. */
  fullness(): number {
    const { logged, handled } = this.#row();
    return Math.max((logged.seq - handled.seq) / MOST_EVENTS, (logged.bytes - handled.bytes) / MOST_BYTES);
  }

  /** The place of an event in the log; `undefined` if it is not there. */
  async position(seq: number): Promise<LogPosition | undefined> {
    const { events } = this.#tables;
    const known = this.#bytes.get(seq);
    if (known !== undefined) return { seq, bytes: known };
    const row = await this.#storage.get(events.name, events.storedKey(seq));
    return row === undefined ? undefined : { seq, bytes: (row as LoggedRow).bytesUpTo };
  }

  /** Inside a transaction: the origin handled everything up to there. Never goes back, never beyond what is logged. */
  acknowledge(position: LogPosition): void {
    const row = this.#row();
    if (position.seq <= row.handled.seq || position.seq > row.logged.seq) return;
    this.#tables.channel.put(ONLY_ROW, { ...row, handled: position });
  }

  /** Up to where handled events have to go for the log to be within its bounds; `undefined` where it is. */
  async surplus(): Promise<LogPosition | undefined> {
    const { logged, handled, trimmed } = this.#row();
    const isWithin = ({ seq, bytes }: LogPosition) =>
      logged.seq - seq <= MOST_EVENTS && logged.bytes - bytes <= MOST_BYTES;
    if (isWithin(trimmed)) return undefined;
    // Several at once: a log that is as long as it may be would be trimmed at every event.
    let last = Math.min(handled.seq, Math.max(trimmed.seq, logged.seq - MOST_EVENTS + TRIM_EVENTS));
    let position = last === trimmed.seq ? trimmed : await this.position(last);
    while (position !== undefined && !isWithin(position) && last < handled.seq) position = await this.position(++last);
    return position === undefined || position.seq === trimmed.seq ? undefined : position;
  }

  /** Inside a transaction. */
  trim(to: LogPosition): void {
    const row = this.#row();
    for (let seq = row.trimmed.seq + 1; seq <= to.seq; seq++) this.#drop(seq);
    if (to.seq > row.trimmed.seq) this.#tables.channel.put(ONLY_ROW, { ...row, trimmed: to });
  }

  /** Inside a transaction: all of it goes. */
  erase(): void {
    const { trimmed, logged } = this.#row();
    for (let seq = trimmed.seq + 1; seq <= logged.seq; seq++) this.#drop(seq);
  }

  #drop(seq: number): void {
    this.#tables.events.delete(seq);
    this.#bytes.delete(seq);
  }

  /** Events above `after`, oldest first, `limit` at most. */
  async read(after: number, limit: number): Promise<readonly ChannelEvent[]> {
    const rows = await this.#storage.scan(this.#tables.events.name, channelScope(this.#key), { after, limit });
    return rows.map(({ row }) => {
      const { bytesUpTo: _, ...event } = row as LoggedRow;
      return event;
    });
  }

  #row(): ChannelRow {
    const row = this.#tables.channel.get(ONLY_ROW);
    if (row === undefined) throw new Error(`channel ${this.#key.channelId} has no row`);
    return row;
  }
}
