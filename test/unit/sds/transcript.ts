/**
 * A participant in the place of a peer of the reference's transcripts. It mints ids of its own, so its layout calls
 * messages on the wire, in filters and in the timing of repairs by the names that the transcript has for them.
 */
import { type Bytes, fromHex, toHex, utf8 } from "../../../src/common/bytes.ts";
import { BloomFilter, type FilterShape, filterShape } from "../../../src/sds/bloom-filter.ts";
import type { SdsLayout } from "../../../src/sds/layout.ts";
import type { HistoryEntry, SdsMessage } from "../../../src/sds/message.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";

export interface EntryVector {
  readonly messageId: string;
  readonly retrievalHintHex?: string;
  readonly senderId?: string;
}

export class NamingLayout implements SdsLayout {
  readonly name = nimLayout.name;
  readonly lamportUnitMs = nimLayout.lamportUnitMs;
  readonly ephemeralLamport = nimLayout.ephemeralLamport;
  readonly encodeFilter = nimLayout.encodeFilter;
  readonly filterBytesMost = nimLayout.filterBytesMost;
  readonly decodeFilter = nimLayout.decodeFilter;
  readonly #shape: FilterShape;
  /** Our id by name, and name by our id. */
  readonly #ids = new Map<string, string>();
  readonly #names = new Map<string, string>();
  /** What the next message of ours will be called. */
  #next: string | undefined;

  readonly repairHash = (text: string): bigint => {
    for (const [id, name] of this.#names) {
      if (text.endsWith(id)) return nimLayout.repairHash(text.slice(0, -id.length) + name);
    }
    return nimLayout.repairHash(text);
  };

  constructor(capacity: number, errorRate: number) {
    this.#shape = filterShape(capacity, errorRate);
  }

  christenNext(name: string): void {
    this.#next = name;
  }

  nameOf(id: string): string {
    return this.#names.get(id) ?? id;
  }

  idOf(name: string): string {
    return this.#ids.get(name) ?? name;
  }

  encode(message: SdsMessage): Bytes {
    // A sync message has no name in the transcript: it keeps its own.
    if (message.content.length > 0 && this.#next !== undefined) {
      this.#ids.set(this.#next, message.messageId);
      this.#names.set(message.messageId, this.#next);
      this.#next = undefined;
    }
    return nimLayout.encode(this.#renamed(message, (id) => this.nameOf(id)));
  }

  decode(wire: Uint8Array) {
    const decoded = nimLayout.decode(wire);
    return decoded.ok ? { ok: true as const, value: this.#renamed(decoded.value, (id) => this.idOf(id)) } : decoded;
  }

  hashPair(messageId: string) {
    return nimLayout.hashPair(this.nameOf(messageId));
  }

  filterShape(): FilterShape {
    return this.#shape;
  }

  /** A filter of `names`, as it travels. */
  filterOf(names: readonly string[]): string {
    const empty = BloomFilter.empty(this.#shape);
    for (const name of names) empty.insert(nimLayout.hashPair(name));
    return toHex(nimLayout.encodeFilter(empty));
  }

  #renamed(message: SdsMessage, rename: (id: string) => string): SdsMessage {
    const entry = (each: HistoryEntry): HistoryEntry => ({ ...each, messageId: rename(each.messageId) });
    return {
      ...message,
      messageId: rename(message.messageId),
      causalHistory: message.causalHistory.map(entry),
      repairRequest: message.repairRequest.map(entry),
    };
  }
}

export function bytesOf(hex: string): Bytes {
  const bytes = fromHex(hex);
  if (!bytes) throw new Error(`not hexadecimal: ${hex}`);
  return bytes;
}

/** The transcripts' retrieval hint of a message, as the hash of the Waku message that carried it. */
export function hintOf(name: string): string {
  return toHex(utf8(`hint:${name}`));
}

/** An entry as the vectors write it. */
export function entryOf({ messageId, retrievalHint, senderId }: HistoryEntry): EntryVector {
  return {
    messageId,
    retrievalHintHex: retrievalHint ? toHex(retrievalHint) : "",
    senderId: senderId ?? "",
  };
}
