import { expect } from "vitest";
import type { Bytes } from "../../../src/common/bytes.ts";
import { keccak256 } from "../../../src/common/keccak.ts";
import { ProtobufWriter } from "../../../src/common/protobuf.ts";
import { Journal } from "../../../src/common/table.ts";
import type { GivenUp, ToldLoss } from "../../../src/segmentation/losses.ts";
import {
  type AddOutcome,
  type ArrivedContent,
  type LostMessage,
  openReassemblerTables,
  REASSEMBLER_TABLES,
  type Reassembled,
  Reassembler,
  type ReassemblerLimits,
} from "../../../src/segmentation/reassembler.ts";
import { encodeSegment, type SegmentMessage } from "../../../src/segmentation/segment-message.ts";
import { performSegmentation, SegmentationConfig } from "../../../src/segmentation/segmenter.ts";

/** What arrives, for a harness that tells the time. */
export type Message = Omit<ArrivedContent, "lamport"> & Partial<Pick<ArrivedContent, "lamport">>;

/** The payloads of the scenarios: they do not repeat within any chunk. */
export function patternPayload(length: number): Bytes {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + Math.floor(i / 251) * 7) & 0xff);
}

export function configOf(segmentBytes?: number, totalSegments?: number): SegmentationConfig {
  const config = SegmentationConfig.create(segmentBytes, totalSegments);
  return config.ok ? config.value : expect.unreachable(config.error);
}

export function segmentsOf(payload: Bytes, config?: SegmentationConfig): readonly Bytes[] {
  const segments = performSegmentation(payload, config);
  return segments.ok ? segments.value : expect.unreachable(segments.error.message);
}

/** The segments of a payload as SDS messages named `${name}0`, `${name}1`, … */
export function messagesOf(
  payload: Bytes,
  { name = "m", senderId = "alice", config = configOf(192) } = {},
): readonly Message[] {
  return segmentsOf(payload, config).map((content, i) => ({ senderId, messageId: `${name}${i}`, content }));
}

/** The segments of a payload in the earlier text of LIP-243, of `chunkBytes` each. */
export function earlierSegmentsOf(payload: Bytes, chunkBytes: number): readonly Bytes[] {
  const count = Math.ceil(payload.length / chunkBytes);
  return Array.from({ length: count }, (_, index) => {
    const writer = new ProtobufWriter().bytes(1, keccak256(payload));
    if (index > 0) writer.varint(2, index);
    const chunk = payload.subarray(index * chunkBytes, (index + 1) * chunkBytes);
    return writer.varint(3, count).bytes(4, chunk).finish();
  });
}

/** A well-formed segment of four bytes of a payload of three such segments that nobody ever sent. */
export function forgedSegment(n: number, changes: Partial<SegmentMessage> = {}): Bytes {
  const originalPayloadHash = new Uint8Array(32);
  new DataView(originalPayloadHash.buffer).setUint32(0, n);
  return encodeSegment({
    originalPayloadHash,
    index: 0,
    dataSegmentCount: 3,
    paritySegmentCount: 0,
    isParity: false,
    segmentPayload: Uint8Array.of(1, 2, 3, 4),
    ...changes,
    originalPayloadLength: changes.originalPayloadLength ?? 12,
  });
}

/** An id that SDS gave up: of alice, and named by nothing that is here. */
export function givenUp(messageId: string, known: Partial<GivenUp> = {}): GivenUp {
  return {
    messageId,
    senderId: "alice",
    reason: "not found in time",
    since: 0,
    before: 1_000,
    followers: [],
    ...known,
  };
}

/** A reassembler whose every call is one committed event, with the rows that a database would hold. */
export class Harness {
  /** The clock that a reassembler reads. */
  readonly clock = { ms: 1_000_000, wentOnMs: 0 };
  readonly delivered: Reassembled[] = [];
  readonly lost: LostMessage[] = [];
  readonly journal = new Journal();
  readonly #codec: "segments" | "raw";
  readonly #limits: ReassemblerLimits | undefined;
  readonly #stored = new Map(REASSEMBLER_TABLES.map((name) => [name as string, new Map<string, unknown>()]));
  #reassembler: Reassembler;

  constructor({ codec = "segments", limits }: { codec?: "segments" | "raw"; limits?: ReassemblerLimits } = {}) {
    this.#codec = codec;
    this.#limits = limits;
    this.#reassembler = this.#open();
  }

  get now(): number {
    return this.clock.ms;
  }

  set now(ms: number) {
    this.clock.ms = ms;
  }

  get reassembler(): Reassembler {
    return this.#reassembler;
  }

  get pending(): number {
    return this.#reassembler.progress().length;
  }

  get bufferedBytes(): number {
    return this.#reassembler.progress().reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Without a Lamport time of its own, a message has that of its arrival. */
  add(arrived: Message): AddOutcome {
    const { outcome, lost } = this.#reassembler.add({ lamport: this.now, ...arrived });
    this.lost.push(...lost);
    this.commit();
    return outcome;
  }

  release(messageId: string, isLate = false): void {
    const { lost, message } = this.#reassembler.release(messageId, isLate);
    if (lost !== undefined) this.lost.push(lost);
    if (message !== undefined) this.delivered.push(message);
    this.commit();
  }

  giveUp(givenUp: GivenUp): ToldLoss | undefined {
    const told = this.#reassembler.giveUp(givenUp);
    this.commit();
    return told;
  }

  /** Whether it is remembered that a loss was told by this id. */
  isRemembered(messageId: string): boolean {
    return this.#stored.get("lostIds")?.has(messageId) === true;
  }

  /** Adds and releases at once, as where SDS parks nothing. */
  take(...messages: readonly Message[]): void {
    for (const message of messages) {
      this.add(message);
      this.release(message.messageId);
    }
  }

  expire(): void {
    this.lost.push(...this.#reassembler.expire());
    this.commit();
  }

  /** Starts again from what is stored. */
  restart(): void {
    this.#reassembler = this.#open();
  }

  /** Puts other rows in place of the stored ones of a table. */
  changeStored(table: string, change: (row: Readonly<Record<string, unknown>>) => unknown): void {
    const rows = this.#stored.get(table) ?? new Map<string, unknown>();
    for (const [key, row] of rows) rows.set(key, change(row as Readonly<Record<string, unknown>>));
  }

  /** Everything that is stored. */
  get rows(): ReadonlyMap<string, ReadonlyMap<string, unknown>> {
    return this.#stored;
  }

  /** Rows that are stored, over all tables. */
  get storedRows(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#stored].map(([name, rows]) => [name, rows.size]));
  }

  #open(): Reassembler {
    const stored = (name: string) =>
      [...(this.#stored.get(name) ?? [])]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, row]) => [key, structuredClone(row)] as const);
    const tables = openReassemblerTables(this.journal, ["origin", "channel"], stored);
    return new Reassembler(tables, this.#codec, this.clock, this.#limits);
  }

  commit(): void {
    for (const { table, key, row } of this.journal.take()) {
      const rows = this.#stored.get(table);
      if (row === undefined) rows?.delete(String(key.at(-1)));
      else rows?.set(String(key.at(-1)), structuredClone(row));
    }
  }
}
