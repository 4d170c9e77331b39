/**
 * Whether a channel takes in what arrives. It pauses while its event log is full of events that no page has handled, while
 * no page has asked for it for long, and with all others while storage is full; there may be no room to park what its cipher
 * cannot read yet; and it is closed at times, while others of its topic go on. What it skips then is fetched from the stores
 * once it goes on: nothing of it was acknowledged, so for SDS (LIP-109) it was never here. Only ephemeral messages are
 * missed.
 *
 * Of what is its own, other channels of the same topic notice nothing.
 */
import type { Clock } from "../common/clock.ts";
import { LIMITS } from "../limits.ts";
import type { EventLog } from "./event-log.ts";
import type { MessagingClient, ReceivedMessage, StorageRoom } from "./ports.ts";
import { type ChannelRow, type ChannelTables, ONLY_ROW } from "./rows.ts";
import type { IntakePause } from "./types.ts";

export interface IntakeParts {
  readonly table: ChannelTables["channel"];
  readonly log: Pick<EventLog, "fullness">;
  readonly messaging: Pick<MessagingClient, "rewind">;
  readonly room: Pick<StorageRoom, "isFull">;
  readonly clock: Clock;
  /** Whether nothing is parked: what comes again finds all the room that there is. */
  readonly hasRoom: () => boolean;
  readonly transact: (event: () => void) => Promise<void>;
}

export class Intake {
  readonly #parts: IntakeParts;
  /** The stores are about to be asked for what was skipped: from now on nothing is. */
  #resuming = false;
  /** Grows with everything that is to be fetched again. */
  #skips = 0;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /** Why nothing is taken in now; `undefined` while everything is. */
  get paused(): IntakePause | undefined {
    if (this.#parts.clock.now() - this.#row.attendedAt > LIMITS.intake.unattendedMs) return "unattended";
    if (this.#parts.room.isFull()) return "storage-full";
    const fullness = this.#parts.log.fullness();
    if (fullness >= 1) return "log-full";
    const goesOn = this.#resuming || this.#row.skippedFrom === undefined || fullness < LIMITS.intake.resumeBelow;
    return goesOn ? undefined : "log-full";
  }

  /** Inside a transaction: the message was not taken in. */
  skip(message: ReceivedMessage, now: number): void {
    this.#skips++;
    const row = skipping(this.#row, message, now);
    if (row !== this.#row) this.#put(row);
  }

  /** Inside a transaction: nothing is taken in from `now` on, as the channel is closed. */
  close(now: number): void {
    this.#skips++;
    // A look in the stores may still be due for the time before.
    const { skippedFrom = now - LIMITS.messaging.catchUpEveryMs } = this.#row;
    this.#put({ ...this.#row, skippedFrom });
  }

  /** Inside a transaction: a page asked for the channel. */
  attend(now: number): void {
    if (now - this.#row.attendedAt >= LIMITS.intake.attendedStepMs) this.#put({ ...this.#row, attendedAt: now });
  }

  /** Has what was skipped fetched again, if something was and it can be taken in now. */
  async resume(): Promise<void> {
    const { skippedFrom, contentTopic } = this.#row;
    if (skippedFrom === undefined || this.#resuming || this.paused !== undefined || !this.#parts.hasRoom()) return;
    this.#resuming = true;
    const skips = this.#skips;
    try {
      await this.#parts.messaging.rewind(contentTopic, skippedFrom);
      await this.#parts.transact(() => {
        // What was skipped meanwhile may be what was fetched: then it is fetched once more. A deleted channel has no row.
        if (this.#skips === skips && this.#parts.table.has(ONLY_ROW)) this.#put(withoutSkipped(this.#row));
      });
    } finally {
      this.#resuming = false;
    }
    if (this.#skips !== skips && this.#parts.table.get(ONLY_ROW)?.open) await this.resume();
  }

  get #row(): ChannelRow {
    const row = this.#parts.table.get(ONLY_ROW);
    if (row === undefined) throw new Error("the channel has no row");
    return row;
  }

  #put(row: ChannelRow): void {
    this.#parts.table.put(ONLY_ROW, row);
  }
}

/** The row of a channel that skipped this message, and the same one where it has skipped older ones. */
export function skipping(row: ChannelRow, { timestamp }: ReceivedMessage, now: number): ChannelRow {
  const { skippedFrom = now } = row;
  const from = Math.min(skippedFrom, Math.max(timestamp, now - LIMITS.intake.lookBackMs));
  return from === row.skippedFrom ? row : { ...row, skippedFrom: from };
}

function withoutSkipped({ skippedFrom: _, ...row }: ChannelRow): ChannelRow {
  return row;
}
