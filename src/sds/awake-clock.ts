import { LIMITS } from "../limits.ts";
import type { Meta } from "./meta.ts";

/**
 * The clock of every timer here. It runs while we are online and somebody looks after the timers, and stands still
 * otherwise: a message that could not have been acknowledged must not count as unacknowledged, and a dependency that
 * could not have come must not be given up, because a laptop was closed for the night.
 */
export class AwakeClock {
  readonly #meta: Meta;
  readonly #nextDueMs: () => number | undefined;

  /** `nextDueMs`: the earliest timer, as a reading of this clock. */
  constructor(meta: Meta, nextDueMs: () => number | undefined) {
    this.#meta = meta;
    this.#nextDueMs = nextDueMs;
  }

  /** Milliseconds of being awake since the first event. */
  get ms(): number {
    return this.#meta.row.awakeMs;
  }

  /** Its reading when it last went on after it had stood still. */
  get wentOnMs(): number {
    return this.#meta.row.wentOnMs ?? 0;
  }

  /** Brings the clock to the wall clock `now`. `online`: how it is from now on; unchanged where absent. */
  advance(now: number, online?: boolean): void {
    if (!this.#meta.exists) {
      this.#meta.change({ startedAt: now, asOf: now, online: online ?? true });
      return;
    }
    const { asOf, awakeMs, online: wasOnline } = this.#meta.row;
    const isOnline = online ?? wasOnline;
    if (now === asOf && isOnline === wasOnline) return;
    const untilDue = () => Math.max(0, (this.#nextDueMs() ?? Number.POSITIVE_INFINITY) - awakeMs);
    this.#move(now, isOnline, wasOnline ? awakeOf(now - asOf, untilDue()) : 0);
  }

  /** We start: nobody could look after the timers before `now`, and whether we are online is still to be seen. */
  start(now: number): void {
    if (!this.#meta.exists) return;
    const { asOf, online: wasOnline } = this.#meta.row;
    this.#move(now, false, wasOnline ? awakeOf(now - asOf, 0) : 0);
  }

  /** The wall clock at which somebody should look after the timers again. */
  wallDeadline(): number | undefined {
    const due = this.#nextDueMs();
    if (due === undefined || !this.#meta.exists) return undefined;
    const { asOf, awakeMs, online } = this.#meta.row;
    // Nothing is due while offline, but whether that still holds must be asked.
    // Rounded up by itself: next to a time since the Unix epoch, a fraction is lost, and nothing would be due yet.
    return online ? asOf + Math.ceil(Math.max(0, due - awakeMs)) : asOf + LIMITS.sds.timerSlackMs;
  }

  #move(now: number, online: boolean, counted: number): void {
    const { asOf, awakeMs } = this.#meta.row;
    const ms = awakeMs + counted;
    this.#meta.change({ asOf: now, awakeMs: ms, online, ...(counted < now - asOf ? { wentOnMs: ms } : {}) });
  }
}

/** How much of the time since the last reading was awake. Nobody came when the earliest timer was due: slept. */
function awakeOf(elapsed: number, untilDue: number): number {
  const slack = LIMITS.sds.timerSlackMs;
  if (elapsed <= 0) return 0;
  return elapsed <= untilDue + slack ? elapsed : Math.min(elapsed, slack);
}
