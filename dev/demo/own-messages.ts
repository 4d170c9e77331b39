/**
 * What this browser said in a room. The extension keeps requests and what others sent, not a copy of the words for the
 * author; a page that shows them after a reload keeps them itself.
 */
import type { RequestId } from "../../packages/reliable-channel/index.ts";
import type { ChatMessage } from "./chat-message.ts";

export interface OwnMessage extends ChatMessage {
  /** Sends so far. Together with the id it is the idempotency key: the same attempt never goes out twice. */
  readonly attempt: number;
  /** Absent until the extension took the message on. */
  readonly requestId?: RequestId;
  /** Of a file, of which only the name and the size are kept: `text` is empty then. */
  readonly file?: { readonly fileName: string; readonly size: number };
}

const KEPT = 500;

function isOwnMessage(value: unknown): value is OwnMessage {
  return (
    typeof value === "object" &&
    value !== null &&
    "id" in value &&
    typeof value.id === "string" &&
    "text" in value &&
    typeof value.text === "string" &&
    "attempt" in value &&
    typeof value.attempt === "number"
  );
}

export class OwnMessages {
  readonly #key: string;
  readonly #storage: Storage;
  #messages: readonly OwnMessage[];

  constructor(room: string, storage: Storage) {
    this.#key = `reliable-channel-demo:${room}`;
    this.#storage = storage;
    this.#messages = this.#read();
  }

  all(): readonly OwnMessage[] {
    return this.#messages;
  }

  /** Adds it, or replaces the one with the same id. */
  put(message: OwnMessage): void {
    const known = this.#messages.some(({ id }) => id === message.id);
    this.#messages = known
      ? this.#messages.map((other) => (other.id === message.id ? message : other))
      : [...this.#messages, message].slice(-KEPT);
    this.#write();
  }

  #read(): readonly OwnMessage[] {
    try {
      const stored: unknown = JSON.parse(this.#storage.getItem(this.#key) ?? "[]");
      return Array.isArray(stored) ? stored.filter(isOwnMessage) : [];
    } catch {
      return [];
    }
  }

  /** The browser grants a site a few megabytes: when they are full, the oldest words go. */
  #write(): void {
    for (let kept = this.#messages; ; kept = kept.slice(1)) {
      try {
        this.#storage.setItem(this.#key, JSON.stringify(kept));
        return;
      } catch {
        if (kept.length === 0) return;
      }
    }
  }
}
