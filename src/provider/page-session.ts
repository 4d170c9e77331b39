/** One page as the background sees it: its port, the channels it holds, and what was pushed to it. */
import type { ChannelApi, ChannelEvent, ChannelKey, ChannelNotice } from "../channel/types.ts";
import type { Clock } from "../common/clock.ts";
import { LIMITS } from "../limits.ts";
import { cursorOf } from "./cursor.ts";
import { EventFeed } from "./event-feed.ts";
import { failureCode } from "./failures.ts";
import type { BackgroundFrame, Push } from "./frames.ts";
import { PageFunctions } from "./page-functions.ts";
import type { LoggedEvent, RequestId } from "./provider-api.ts";
import type { HeldPort } from "./runtime-port.ts";

interface Sent {
  readonly push: number;
  /** Called when the page has it. */
  readonly received: () => void;
}

const NOTHING = (): void => {};

export class PageSession {
  readonly origin: string;
  /** Named by the page, which keeps the name over restarts of the worker. It carries no authority. */
  pageId: string | undefined;
  /** When the person last came to the page, as it says: a page can only draw the work of its own origin to itself. */
  focusedAt = 0;
  readonly functions: PageFunctions;
  /** Calls under way, until their work has ended: also those that the page gave up. */
  readonly calls = new Set<string>();
  /** Of them, those whose answer nobody waits for. */
  readonly cancelled = new Set<string>();
  readonly #port: HeldPort;
  readonly #clock: Clock;
  /** Channels that the page holds; with a feed once it listens for logged events. */
  readonly #attached = new Map<string, EventFeed | undefined>();
  #pushes = 0;
  #unacknowledged: Sent[] = [];
  #cancelOverdue: (() => void) | undefined;

  constructor(origin: string, port: HeldPort, clock: Clock, newId: () => string) {
    this.origin = origin;
    this.#port = port;
    this.#clock = clock;
    this.functions = new PageFunctions({ push: (body, taken) => this.#push(body, taken), clock, newId });
  }

  post(frame: BackgroundFrame): void {
    this.#port.post(frame);
  }

  push(body: Push): void {
    this.#push(body, NOTHING);
  }

  /** The channels that it holds. */
  held(): readonly ChannelKey[] {
    return [...this.#attached.keys()].map((channelId) => ({ origin: this.origin, channelId }));
  }

  isAttached(channelId: string): boolean {
    return this.#attached.has(channelId);
  }

  /** Everything above `after` is pushed, and above what the origin acknowledged, if `events` are wanted. */
  attach(channel: ChannelApi, events: boolean, after: number): void {
    const channelId = channel.getChannelId();
    const before = this.#attached.get(channelId);
    if (!events || before) {
      this.#attached.set(channelId, before);
      return;
    }
    const since = this.#clock.now();
    const feed: EventFeed = new EventFeed(channel, Math.max(after, channel.acknowledged()), (event) => {
      this.#push({ kind: "event", channelId, event: toLogged(event, event.at < since) }, () => feed.received());
    });
    this.#attached.set(channelId, feed);
  }

  detach(channelId: string): void {
    this.#attached.get(channelId)?.stop();
    this.#attached.delete(channelId);
  }

  detachAll(): void {
    for (const channelId of [...this.#attached.keys()]) this.detach(channelId);
  }

  /** The origin lost its grant: the page holds nothing any more. */
  revoked(): void {
    for (const channelId of [...this.#attached.keys()]) this.noticed(channelId, { type: "close", reason: "revoked" });
  }

  noticed(channelId: string, notice: ChannelNotice): void {
    if (!this.#attached.has(channelId)) return;
    switch (notice.type) {
      case "event":
        this.#attached.get(channelId)?.logged(notice.event);
        break;
      case "progress": {
        const { type: _, ...progress } = notice;
        this.push({ kind: "progress", channelId, progress });
        break;
      }
      case "diagnostics":
        // For the person: a site is told of its own messages only.
        break;
      case "status":
        this.push({ kind: "channelStatus", channelId, status: notice.status });
        break;
      case "close":
        this.detach(channelId);
        this.push({ kind: "close", channelId, reason: notice.reason });
        break;
    }
  }

  /** The page has every push up to this one. */
  received(push: number): void {
    const before = this.#unacknowledged.length;
    while (this.#unacknowledged[0] && this.#unacknowledged[0].push <= push) this.#unacknowledged.shift()?.received();
    // Only what is acknowledged buys time, or a page that acknowledges nothing could pile up pushes for ever.
    if (this.#unacknowledged.length === before) return;
    this.#cancelOverdue?.();
    this.#cancelOverdue = undefined;
    this.#watch();
  }

  closed(): void {
    this.detachAll();
    this.#unacknowledged = [];
    this.#cancelOverdue?.();
    this.#cancelOverdue = undefined;
  }

  close(): void {
    this.#port.close();
  }

  #push(body: Push, received: () => void): void {
    this.#pushes++;
    this.#unacknowledged.push({ push: this.#pushes, received });
    this.post({ type: "push", push: this.#pushes, body });
    this.#watch();
  }

  /** A page in the back/forward cache looks connected and is not; what it missed is in the log when it comes back. */
  #watch(): void {
    if (this.#unacknowledged.length === 0 || this.#port.closed) return;
    this.#cancelOverdue ??= this.#clock.after(LIMITS.provider.receiptMs, () => this.close());
  }
}

/** An event in the page contract's words. */
export function toLogged(event: ChannelEvent, replayed: boolean): LoggedEvent {
  const logged = { cursor: cursorOf(event.seq), at: event.at, replayed };
  switch (event.type) {
    case "reliable:message:received": {
      const { type, message, messageId, senderId } = event;
      return { type, ...logged, message, messageId, senderId };
    }
    case "reliable:message:sent":
    case "reliable:message:delivered":
      return { type: event.type, ...logged, requestId: event.requestId as RequestId };
    case "reliable:message:send-error":
    case "reliable:message:delivery-error": {
      const { type, requestId, kind, error } = event;
      return { type, ...logged, requestId: requestId as RequestId, error, code: failureCode(kind) };
    }
    case "reliable:message:lost": {
      const { type, messageId, senderId, reason } = event;
      return { type, ...logged, messageId, ...(senderId !== undefined && { senderId }), reason };
    }
  }
}
