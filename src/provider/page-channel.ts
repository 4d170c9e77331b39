/** `ReliableChannel`: one channel as a page holds it. */
import { PAGE_LIMITS } from "../limits.ts";
import { dispatch, TinyEmitter } from "./emitter.ts";
import { channelClosed, invalidParams } from "./errors.ts";
import type { Attachment, OpenedChannel, Push } from "./frames.ts";
import { copyBytes } from "./page-bytes.ts";
import type { PageHost, PageLink } from "./page-link.ts";
import type {
  CallOptions,
  ChannelEventMap,
  ChannelStatus,
  Cursor,
  LoggedEvent,
  ReliableChannel,
  RequestId,
  RequestInfo,
  SendOptions,
} from "./provider-api.ts";

/** An event that was told to listeners, until it and all before it are done with. */
interface Told {
  readonly cursor: Cursor;
  done: boolean;
}

export class PageChannel extends TinyEmitter<ChannelEventMap> implements ReliableChannel {
  readonly channelId: string;
  readonly contentTopic: string;
  readonly senderId: string;
  readonly #host: PageHost;
  readonly #link: PageLink;
  #autoAck = true;
  #closed = false;
  #feeding = false;
  #seen: Cursor | undefined;
  #told: Told[] = [];
  /** The cursor to acknowledge next, and whether an acknowledgement is on its way. */
  #ackNext: Cursor | undefined;
  #acking = false;

  constructor(host: PageHost, link: PageLink, opened: OpenedChannel) {
    super((thrown) => host.report(thrown));
    this.#host = host;
    this.#link = link;
    this.channelId = opened.channelId;
    this.contentTopic = opened.contentTopic;
    this.senderId = opened.senderId;
  }

  get autoAck(): boolean {
    return this.#autoAck;
  }

  set autoAck(on: boolean) {
    this.#autoAck = on;
    this.#advance();
  }

  async send(message: Uint8Array | ArrayBuffer, options: SendOptions = {}): Promise<RequestId> {
    this.#mustBeOpen();
    const { ephemeral, idempotencyKey } = options;
    const params = { channelId: this.channelId, message: copyBytes(message), ephemeral, idempotencyKey };
    return (await this.#link.call("send", params, options)) as RequestId;
  }

  async request(requestId: RequestId, options?: CallOptions): Promise<RequestInfo | undefined> {
    this.#mustBeOpen();
    return this.#link.call("request", { channelId: this.channelId, requestId }, options);
  }

  async *history(
    options: CallOptions & { readonly after?: Cursor; readonly limit?: number } = {},
  ): AsyncGenerator<LoggedEvent, void, undefined> {
    let { after, limit: left = Number.POSITIVE_INFINITY } = options;
    if (!(left >= 0)) throw invalidParams("limit must be a number of events, 0 or more.");
    while (left > 0) {
      this.#mustBeOpen();
      const params = { channelId: this.channelId, after, limit: Math.ceil(Math.min(left, PAGE_LIMITS.historyPage)) };
      const { events, more } = await this.#link.call("history", params, options);
      for (const event of events) {
        yield event;
        after = event.cursor;
        left--;
      }
      if (!more || events.length === 0) return;
    }
  }

  async ack(cursor: Cursor): Promise<void> {
    this.#mustBeOpen();
    await this.#link.call("ack", { channelId: this.channelId, cursor });
    this.#told = this.#told.filter((told) => told.cursor > cursor);
    this.#advance();
  }

  async status(): Promise<ChannelStatus> {
    this.#mustBeOpen();
    return this.#link.call("channelStatus", { channelId: this.channelId });
  }

  async close(options?: CallOptions): Promise<void> {
    if (this.#closed) return;
    await this.#link.call("close", { channelId: this.channelId }, options);
    PageChannel.end(this, "page");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The feed of logged events starts with the first listener for one: nothing is told before anybody listens. */
  protected override listening(event: keyof ChannelEventMap): void {
    if (this.#feeding || this.#closed || event === "progress" || event === "status" || event === "close") return;
    this.#feeding = true;
    // After the page's running code, which may be about to add listeners for the other events.
    this.#host.after(0, () => {
      if (!this.#closed) this.#link.call("attach", PageChannel.attachment(this)).catch(() => {});
    });
  }

  // What the provider calls is static: a page holds instances, and finds nothing more on them than the contract.

  static isOpen(channel: PageChannel): boolean {
    return !channel.#closed;
  }

  static attachment(channel: PageChannel): Attachment {
    return { channelId: channel.channelId, events: channel.#feeding, after: channel.#seen };
  }

  static pushed(channel: PageChannel, push: Extract<Push, { channelId: string }>): void {
    if (channel.#closed) return;
    switch (push.kind) {
      case "event":
        channel.#tell(push.event);
        break;
      case "progress":
        dispatch(channel, "progress", push.progress);
        break;
      case "channelStatus":
        dispatch(channel, "status", push.status);
        break;
      case "close":
        PageChannel.end(channel, push.reason);
        break;
    }
  }

  static end(channel: PageChannel, reason: ChannelEventMap["close"]["reason"]): void {
    if (channel.#closed) return;
    channel.#closed = true;
    channel.#told = [];
    dispatch(channel, "close", { reason });
  }

  /** Tells one logged event, in the order of the log and never twice in the life of the page. */
  #tell(event: LoggedEvent): void {
    const { cursor } = event;
    if (this.#seen !== undefined && cursor <= this.#seen) return;
    this.#seen = cursor;
    const told: Told = { cursor, done: false };
    this.#told.push(told);
    const { type, ...payload } = event;
    const { ran, threw, promises } = dispatch(this, type, payload as ChannelEventMap[typeof type]);
    const handled = (): void => {
      told.done = true;
      this.#advance();
    };
    // A received message counts as handled only if somebody took it and did not fail; news about requests always does.
    if (type !== "reliable:message:received") handled();
    else if (ran > 0 && !threw) {
      if (promises.length === 0) handled();
      else Promise.all(promises).then(handled, (reason) => this.#host.report(reason));
    }
  }

  /** Acknowledges up to the last event before which nothing is left undone. */
  #advance(): void {
    if (!this.#autoAck || this.#closed) return;
    let done = 0;
    while (this.#told[done]?.done) done++;
    const last = this.#told[done - 1];
    if (last === undefined) return;
    this.#told = this.#told.slice(done);
    this.#ackNext = last.cursor;
    if (!this.#acking) void this.#acknowledge();
  }

  async #acknowledge(): Promise<void> {
    this.#acking = true;
    while (this.#ackNext !== undefined && !this.#closed) {
      const cursor = this.#ackNext;
      this.#ackNext = undefined;
      // A lost acknowledgement costs a replay after the next load of the page, no more.
      await this.#link.call("ack", { channelId: this.channelId, cursor }).catch(() => {});
    }
    this.#acking = false;
  }

  #mustBeOpen(): void {
    if (this.#closed) throw channelClosed(this.channelId);
  }
}
