/**
 * Ciphertexts that wait for the cipher of their channel, in the order of their arrival.
 *
 * Whoever sent them, the messaging layer was told that they are handled. So they are durable, each is kept once, and it
 * leaves in the transaction that takes it in. And they may come from anybody: their number and their bytes are bounded, and
 * what finds no room is left to the stores of the network. In memory are only their sizes.
 */
import { ownBytes } from "../common/bytes.ts";
import { OrderedIndex } from "../common/ordered-index.ts";
import { LIMITS } from "../limits.ts";
import type { MessageHash, ReceivedMessage, Storage } from "./ports.ts";
import type { ParkedSizeRow, ParkedTables } from "./rows.ts";

/** `refused`: no network carries a message of that size. `full`: it may be offered again later. */
export type Parking = "parked" | "refused" | "full";

export class ParkedMessages {
  readonly #tables: ParkedTables;
  readonly #storage: Pick<Storage, "get">;
  readonly #keys = new Map<MessageHash, number>();
  readonly #byKey: OrderedIndex<ParkedSizeRow, number>;
  /** When each came, milliseconds since the Unix epoch, of those that came since the start. */
  readonly #parkedAt = new Map<MessageHash, number>();
  #bytes = 0;
  #nextKey = 1;

  constructor(tables: ParkedTables, storage: Pick<Storage, "get">) {
    this.#tables = tables;
    this.#storage = storage;
    this.#byKey = new OrderedIndex(tables.parkedSizes, (_row, key) => key);
    tables.parkedSizes.observe((key, before, after) => {
      if (before) {
        this.#keys.delete(before.messageHash);
        this.#parkedAt.delete(before.messageHash);
        this.#bytes -= before.bytes;
      }
      if (after) {
        this.#keys.set(after.messageHash, key);
        this.#bytes += after.bytes;
        this.#nextKey = Math.max(this.#nextKey, key + 1);
      }
    });
  }

  get size(): number {
    return this.#tables.parkedSizes.size;
  }

  get oldest(): MessageHash | undefined {
    const first = this.#byKey.first();
    return first && this.#tables.parkedSizes.get(first.key)?.messageHash;
  }

  /** Whether the oldest waits for longer than a cipher at work lets it. What came before the start did. */
  isBehind(now: number): boolean {
    const { oldest } = this;
    return oldest !== undefined && now - (this.#parkedAt.get(oldest) ?? 0) > LIMITS.parked.behindMs;
  }

  has(messageHash: MessageHash): boolean {
    return this.#keys.has(messageHash);
  }

  /** Inside a transaction. */
  park(message: ReceivedMessage, now: number): Parking {
    const { messageHash } = message;
    if (this.has(messageHash)) return "parked";
    const bytes = message.payload.length;
    if (bytes > LIMITS.messaging.statusMessageBytes) return "refused";
    if (this.size >= LIMITS.parked.messages || this.#bytes + bytes > LIMITS.parked.bytes) return "full";
    const key = this.#nextKey;
    this.#tables.parkedSizes.put(key, { messageHash, bytes });
    this.#parkedAt.set(messageHash, now);
    // Buffers of their own, or storing the row would store everything that they are views of.
    this.#tables.parked.put(key, { ...message, payload: ownBytes(message.payload), meta: ownBytes(message.meta) });
    return "parked";
  }

  /** One that is there and durable. */
  async read(messageHash: MessageHash): Promise<ReceivedMessage> {
    const { parked } = this.#tables;
    const row = await this.#storage.get(parked.name, parked.storedKey(this.#keys.get(messageHash) ?? 0));
    if (row === undefined) throw new Error(`message ${messageHash} is not parked`);
    return row as ReceivedMessage;
  }

  /** Inside a transaction: it was taken in. */
  remove(messageHash: MessageHash): void {
    const key = this.#keys.get(messageHash);
    if (key === undefined) return;
    this.#tables.parkedSizes.delete(key);
    this.#tables.parked.delete(key);
  }

  /** Inside a transaction. */
  erase(): void {
    for (const messageHash of [...this.#keys.keys()]) this.remove(messageHash);
  }
}
