/**
 * Brings one channel's logged events to one page, in the order of the log, without gap or repetition.
 *
 * It reads the log from where the page stands until it has caught up, and from then on passes events on as they happen;
 * whenever one does not follow on the last, or the page is slow, it goes back to reading. A page that does not
 * acknowledge gets no more than a window's worth.
 */
import type { ChannelApi, ChannelEvent } from "../channel/types.ts";
import { LIMITS } from "../limits.ts";

const { historyPage, windowBytes, windowEvents } = LIMITS.provider;

export class EventFeed {
  readonly #channel: Pick<ChannelApi, "history">;
  readonly #push: (event: ChannelEvent) => void;
  /** The last event that was pushed. */
  #last: number;
  /** Bytes of each event that was pushed and not acknowledged, oldest first. */
  #inFlight: number[] = [];
  #bytesInFlight = 0;
  /** There may be events in the log above `#last`. */
  #behind = true;
  #reading = false;
  #stopped = false;

  /** Starts above `after`. `push` must not throw. */
  constructor(channel: Pick<ChannelApi, "history">, after: number, push: (event: ChannelEvent) => void) {
    this.#channel = channel;
    this.#last = after;
    this.#push = push;
    void this.#read();
  }

  /** An event was logged. */
  logged(event: ChannelEvent): void {
    if (event.seq <= this.#last || this.#stopped) return;
    if (!this.#behind && !this.#reading && event.seq === this.#last + 1 && this.#hasRoom()) {
      this.#tell(event);
      return;
    }
    this.#behind = true;
    void this.#read();
  }

  /** The page acknowledged the oldest event in flight. */
  received(): void {
    this.#bytesInFlight -= this.#inFlight.shift() ?? 0;
    void this.#read();
  }

  stop(): void {
    this.#stopped = true;
  }

  async #read(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#behind && this.#hasRoom() && !this.#stopped) {
        // Before the read: what is logged while it runs sets it again.
        this.#behind = false;
        const events = await this.#channel.history(this.#last, historyPage);
        if (events.length >= historyPage) this.#behind = true;
        for (const event of events) {
          if (this.#stopped) return;
          if (!this.#hasRoom()) {
            this.#behind = true;
            break;
          }
          if (event.seq > this.#last) this.#tell(event);
        }
      }
    } catch {
      // Storage that fails is the end of this life of the background; the page attaches anew to the next.
      this.#stopped = true;
    } finally {
      this.#reading = false;
    }
  }

  /** One event always fits, however large. */
  #hasRoom(): boolean {
    return this.#inFlight.length < windowEvents && this.#bytesInFlight < windowBytes;
  }

  #tell(event: ChannelEvent): void {
    const bytes = event.type === "reliable:message:received" ? event.message.length : 0;
    this.#last = event.seq;
    this.#inFlight.push(bytes);
    this.#bytesInFlight += bytes;
    this.#push(event);
  }
}
