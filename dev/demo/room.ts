/** A chat room over one reliable channel, and nothing of the page. Whoever copies this demo starts here. */
import type {
  ChannelEventMap,
  ChannelStatus,
  ReliableChannel,
  ReliableChannelProvider,
  RequestId,
} from "../../packages/reliable-channel/index.ts";
import { type ChatMessage, decodeChatMessage, encodeChatMessage } from "./chat-message.ts";
import { advance, type Delivery } from "./delivery.ts";
import { errorWords } from "./error-words.ts";
import {
  decodeFileMessage,
  encodeFileMessage,
  MAX_FILE_BYTES,
  plainFileName,
  type SharedFile,
} from "./file-message.ts";
import { type OwnMessage, OwnMessages } from "./own-messages.ts";

/** `key`: encrypted with a key that the extension keeps. A room is one or the other, and its people agree on which. */
export type RoomEncryption = "key" | "none";

/** A file as it is shown. The bytes of an own file are here until the page is loaded anew. */
export interface RowFile {
  readonly fileName: string;
  readonly size: number;
  readonly bytes?: Uint8Array<ArrayBuffer>;
}

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
  readonly file?: RowFile;
  /** Segments done, of messages that need several. */
  readonly progress?: { readonly done: number; readonly total: number };
}

export interface RoomView {
  row(row: Row): void;
  /** Something that is no message, in words. */
  note(text: string): void;
  /** A large message that is coming in; gone once `done` is `total`. */
  incoming(id: string, done: number, total: number): void;
  /** Whatever was coming in: part of it may never come. */
  incomingLost(): void;
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
  /** By message. What is too large to be kept in the page's storage is not kept across reloads. */
  readonly #files = new Map<string, Uint8Array<ArrayBuffer>>();

  private constructor(channel: ReliableChannel, name: string, own: OwnMessages, view: RoomView) {
    this.#channel = channel;
    this.#name = name;
    this.#own = own;
    this.#view = view;
  }

  /** Asks the person where this site is not allowed yet. Rejects with a `ReliableChannelError`. */
  static async join(
    provider: ReliableChannelProvider,
    room: string,
    name: string,
    encryption: RoomEncryption,
    view: RoomView,
  ): Promise<Room> {
    // Encryption is part of what a channel is: the open room of a name is another channel than the encrypted one. Names of
    // rooms have no colon.
    const channelId = encryption === "key" ? room : `open:${room}`;
    const channel = await provider.createReliableChannel({
      channelId,
      contentTopic: `/reliable-channel-demo/1/${channelId}/proto`,
      encryption: { mode: encryption },
    });
    const joined = new Room(channel, name, new OwnMessages(channelId, localStorage), view);
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

  /** Sends a file; one that is too large is a note instead. */
  async sendFile(file: File): Promise<void> {
    if (file.size > MAX_FILE_BYTES) {
      this.#view.note(`“${plainFileName(file.name)}” is larger than 10 MiB, and was not sent.`);
      return;
    }
    const id = crypto.randomUUID();
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = new Uint8Array(await file.arrayBuffer());
    } catch {
      // Such as a folder that was dropped.
      this.#view.note(`“${plainFileName(file.name)}” could not be read.`);
      return;
    }
    this.#files.set(id, bytes);
    const shared = { fileName: plainFileName(file.name), size: bytes.length };
    await this.#dispatch({ id, name: this.#name, text: "", at: Date.now(), attempt: 1, file: shared });
  }

  /** Sends a failed message again. Whoever has it already does not see it twice: it keeps its id. */
  async retry(row: Row): Promise<void> {
    const last = this.#own.all().find((message) => message.id === row.id);
    if (last === undefined) return;
    const { id, name, text, at, attempt, file } = last;
    const again = { id, name, text, at, attempt: attempt + 1 };
    await this.#dispatch(file === undefined ? again : { ...again, file });
  }

  async #dispatch(message: OwnMessage): Promise<void> {
    // Kept before it is sent: a page that is closed in between sends it again, under the same idempotency key.
    this.#own.put(message);
    this.#view.row(this.#rowOf(message, { delivery: "new" }, false));
    const payload = this.#encode(message);
    if (payload === undefined) {
      const error = "This page no longer has the file. Choose it again.";
      this.#view.row(this.#rowOf(message, { delivery: "send-error", error }, false));
      return;
    }
    try {
      const { id, attempt } = message;
      const requestId = await this.#channel.send(payload, { idempotencyKey: `${id}:${attempt}` });
      const taken = { ...message, requestId };
      this.#own.put(taken);
      this.#progress(requestId, { delivery: "queued" }, taken);
    } catch (error) {
      this.#view.row(this.#rowOf(message, { delivery: "send-error", error: errorWords(error) }, false));
    }
  }

  /** `undefined` for a file whose bytes are gone with an earlier life of this page. */
  #encode({ id, name, text, at, file }: OwnMessage): Uint8Array<ArrayBuffer> | undefined {
    if (file === undefined) return encodeChatMessage({ id, name, text, at });
    const bytes = this.#files.get(id);
    return bytes && encodeFileMessage({ id, name, at, file: { fileName: file.fileName, bytes } });
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
    channel.on("reliable:message:lost", ({ reason }) => {
      this.#view.incomingLost();
      this.#view.note(`A message could not be retrieved: ${reason}`);
    });
    channel.on("progress", ({ direction, id, done, total }) => {
      if (direction === "in") {
        this.#view.incoming(id, done, total);
        return;
      }
      const row = [...this.#rows.values()].find(({ requestId }) => requestId === id);
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
    const read = readMessage(event.message);
    const key = `${event.senderId}:${read?.message.id ?? event.messageId}`;
    if (this.#received.has(key)) return;
    this.#received.add(key);
    if (read === undefined) {
      this.#view.note("A message arrived that this page cannot read.");
      return;
    }
    const { message, file } = read;
    this.#view.row({
      ...message,
      key,
      own: false,
      shownAt: event.at,
      senderId: event.senderId,
      replayed,
      ...(file === undefined ? {} : { file: { fileName: file.fileName, size: file.bytes.length, bytes: file.bytes } }),
    });
  }

  #progress(requestId: RequestId, step: Progress, taken?: OwnMessage): void {
    const known = this.#requests.get(requestId) ?? { delivery: "new" };
    const next = advance(known.delivery, step.delivery) === known.delivery ? known : step;
    this.#requests.set(requestId, next);
    const message = taken ?? this.#own.all().find((own) => own.requestId === requestId);
    if (message === undefined) return;
    const shown = this.#rows.get(requestId);
    const row = this.#rowOf(message, next, shown?.replayed ?? false);
    this.#show(shown?.progress === undefined ? row : { ...row, progress: shown.progress });
  }

  #show(row: Row): void {
    if (row.requestId !== undefined) this.#rows.set(row.requestId, row);
    this.#view.row(row);
  }

  #rowOf(message: OwnMessage, { delivery, error }: Progress, replayed: boolean): Row {
    const { id, name, text, at, requestId, file } = message;
    const bytes = this.#files.get(id);
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
      ...(file === undefined ? {} : { file: bytes === undefined ? file : { ...file, bytes } }),
    };
  }
}

function readMessage(bytes: Uint8Array): { readonly message: ChatMessage; readonly file?: SharedFile } | undefined {
  const shared = decodeFileMessage(bytes);
  if (shared !== undefined) {
    const { id, name, at, file } = shared;
    return { message: { id, name, at, text: "" }, file };
  }
  const message = decodeChatMessage(bytes);
  return message && { message };
}
