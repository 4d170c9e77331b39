/** A chat room over one reliable channel, and nothing of the page. Whoever copies this demo starts here. */
import type {
  ChannelEventMap,
  ChannelStatus,
  ReliableChannel,
  ReliableChannelProvider,
  RequestId,
} from "../../src/provider/provider-api.ts";
import { type ChatMessage, decodeChatMessage, encodeChatMessage } from "./chat-message.ts";
import { advance, type Delivery } from "./delivery.ts";
import { errorWords } from "./error-words.ts";
import { type OwnMessage, OwnMessages } from "./own-messages.ts";

export interface Row extends ChatMessage {
  /** One per row and room. */
  readonly key: string;
  readonly own: boolean;
  /** Milliseconds since the Unix epoch by this browser's clock: rows are sorted by it. */
  readonly shownAt: number;
  readonly senderId: string;
  /** It was known before this page was loaded. */
  readonly replayed: boolean;
  /** Of own rows. */
  readonly delivery?: Delivery;
  readonly requestId?: RequestId;
  readonly error?: string;
  /** Segments done, of messages that need several. */
  readonly progress?: { readonly done: number; readonly total: number };
}

export interface RoomView {
  row(row: Row): void;
  /** Something that is no message, in words. */
  note(text: string): void;
  status(status: ChannelStatus): void;
  closed(reason: ChannelEventMap["close"]["reason"]): void;
}

interface Progress {
  readonly delivery: Delivery;
  readonly error?: string;
}

export class Room {
  readonly #channel: ReliableChannel;
  readonly #own: OwnMessages;
  readonly #name: string;
  readonly #view: RoomView;
  /** By request, as events of a request may come before `send` has resolved. */
  readonly #requests = new Map<RequestId, Progress>();
  readonly #rows = new Map<RequestId, Row>();
  readonly #received = new Set<string>();

  private constructor(channel: ReliableChannel, name: string, own: OwnMessages, view: RoomView) {
    this.#channel = channel;
    this.#name = name;
    this.#own = own;
    this.#view = view;
  }

  /** Asks the person where this site is not allowed yet. Rejects with a `ReliableChannelError`. */
  static async join(provider: ReliableChannelProvider, room: string, name: string, view: RoomView): Promise<Room> {
    const channel = await provider.createReliableChannel({
      channelId: room,
      contentTopic: `/reliable-channel-demo/1/${room}/proto`,
      encryption: { mode: "none" },
    });
    const joined = new Room(channel, name, new OwnMessages(room, localStorage), view);
    joined.#listen();
    joined.#showOwn();
    await joined.#readHistory();
    await joined.#resume();
    view.status(await channel.status());
    return joined;
  }

  /** Ends what this page listens to; the channel stays open. */
  leave(): void {
    this.#channel.removeAllListeners();
  }

  async send(text: string): Promise<void> {
    await this.#dispatch({ id: crypto.randomUUID(), name: this.#name, text, at: Date.now(), attempt: 1 });
  }

  /** Sends a failed message again. Whoever has it already does not see it twice: it keeps its id. */
  async retry(row: Row): Promise<void> {
    const { id, name, text, at } = row;
    const last = this.#own.all().find((message) => message.id === id);
    await this.#dispatch({ id, name, text, at, attempt: (last?.attempt ?? 0) + 1 });
  }

  async #dispatch(message: OwnMessage): Promise<void> {
    // Kept before it is sent: a page that is closed in between sends it again, under the same idempotency key.
    this.#own.put(message);
    this.#view.row(this.#rowOf(message, { delivery: "new" }, false));
    try {
      const { id, name, text, at, attempt } = message;
      const requestId = await this.#channel.send(encodeChatMessage({ id, name, text, at }), {
        idempotencyKey: `${id}:${attempt}`,
      });
      const taken = { ...message, requestId };
      this.#own.put(taken);
      this.#progress(requestId, { delivery: "queued" }, taken);
    } catch (error) {
      this.#view.row(this.#rowOf(message, { delivery: "send-error", error: errorWords(error) }, false));
    }
  }

  #listen(): void {
    const channel = this.#channel;
    channel.on("reliable:message:received", (event) => this.#receive(event, event.replayed));
    channel.on("reliable:message:sent", ({ requestId }) => this.#progress(requestId, { delivery: "sent" }));
    channel.on("reliable:message:delivered", ({ requestId }) => this.#progress(requestId, { delivery: "delivered" }));
    channel.on("reliable:message:send-error", ({ requestId, error }) =>
      this.#progress(requestId, { delivery: "send-error", error }),
    );
    channel.on("reliable:message:delivery-error", ({ requestId, error }) =>
      this.#progress(requestId, { delivery: "delivery-error", error }),
    );
    channel.on("reliable:message:lost", ({ reason }) => this.#view.note(`A message could not be retrieved: ${reason}`));
    channel.on("progress", ({ direction, id, done, total }) => {
      const row = direction === "out" ? [...this.#rows.values()].find(({ requestId }) => requestId === id) : undefined;
      if (row !== undefined) this.#show({ ...row, progress: { done, total } });
    });
    channel.on("status", (status) => this.#view.status(status));
    channel.on("close", ({ reason }) => this.#view.closed(reason));
  }

  #showOwn(): void {
    for (const message of this.#own.all()) {
      if (message.requestId !== undefined) {
        this.#show(this.#rowOf(message, { delivery: "queued" }, true));
      }
    }
  }

  /** Everything that the channel logged before this page was loaded. */
  async #readHistory(): Promise<void> {
    try {
      for await (const event of this.#channel.history()) {
        switch (event.type) {
          case "reliable:message:received":
            this.#receive(event, true);
            break;
          case "reliable:message:sent":
            this.#progress(event.requestId, { delivery: "sent" });
            break;
          case "reliable:message:delivered":
            this.#progress(event.requestId, { delivery: "delivered" });
            break;
          case "reliable:message:send-error":
            this.#progress(event.requestId, { delivery: "send-error", error: event.error });
            break;
          case "reliable:message:delivery-error":
            this.#progress(event.requestId, { delivery: "delivery-error", error: event.error });
            break;
          case "reliable:message:lost":
            break;
        }
      }
    } catch (error) {
      this.#view.note(`Earlier messages could not be read: ${errorWords(error)}`);
    }
  }

  /** Sends what was typed and not taken on when the page was closed, and asks for states that the log does not tell. */
  async #resume(): Promise<void> {
    for (const message of this.#own.all()) {
      const { requestId } = message;
      if (requestId === undefined) {
        await this.#dispatch(message);
      } else if (!this.#requests.has(requestId)) {
        const info = await this.#channel.request(requestId);
        if (info === undefined) continue;
        const { state, error } = info;
        const delivery = state === "sending" ? "queued" : state;
        this.#progress(requestId, error === undefined ? { delivery } : { delivery, error });
      }
    }
  }

  #receive(event: ChannelEventMap["reliable:message:received"], replayed: boolean): void {
    const message = decodeChatMessage(event.message);
    const key = `${event.senderId}:${message?.id ?? event.messageId}`;
    if (this.#received.has(key)) return;
    this.#received.add(key);
    if (message === undefined) {
      this.#view.note("A message arrived that this page cannot read.");
      return;
    }
    this.#view.row({ ...message, key, own: false, shownAt: event.at, senderId: event.senderId, replayed });
  }

  #progress(requestId: RequestId, step: Progress, taken?: OwnMessage): void {
    const known = this.#requests.get(requestId) ?? { delivery: "new" };
    const next = advance(known.delivery, step.delivery) === known.delivery ? known : step;
    this.#requests.set(requestId, next);
    const message = taken ?? this.#own.all().find((own) => own.requestId === requestId);
    if (message !== undefined) this.#show(this.#rowOf(message, next, this.#rows.get(requestId)?.replayed ?? false));
  }

  #show(row: Row): void {
    if (row.requestId !== undefined) this.#rows.set(row.requestId, row);
    this.#view.row(row);
  }

  #rowOf(message: OwnMessage, { delivery, error }: Progress, replayed: boolean): Row {
    const { id, name, text, at, requestId } = message;
    return {
      key: `own:${id}`,
      id,
      name,
      text,
      at,
      own: true,
      shownAt: at,
      senderId: this.#channel.senderId,
      replayed,
      delivery,
      ...(requestId === undefined ? {} : { requestId }),
      ...(error === undefined ? {} : { error }),
    };
  }
}
