/** One member of a simulated channel: SDS and segmentation on rows, and what a channel does around them. */
import type { Bytes } from "../../../src/common/bytes.ts";
import { Journal } from "../../../src/common/table.ts";
import type { SdsLayout } from "../../../src/sds/layout.ts";
import {
  type Missing,
  openSdsTables,
  Participant,
  type SdsConfig,
  type SdsOutcome,
} from "../../../src/sds/participant.ts";
import { openReassemblerTables, Reassembler } from "../../../src/segmentation/reassembler.ts";
import { performSegmentation, SegmentationConfig } from "../../../src/segmentation/segmenter.ts";

export type Kind = "message" | "retransmission" | "sync" | "repair";

/** One message for the network. */
export interface Departure {
  readonly kind: Kind;
  readonly messageId: string;
  readonly wire: Bytes;
  readonly ephemeral: boolean;
}

/** What the member's event log has, in order. */
export type LogEvent =
  | { readonly type: "received"; readonly messageId: string; readonly senderId: string; readonly payload: Bytes }
  | { readonly type: "lost" | "acknowledged" | "exhausted"; readonly messageId: string };

/** Small segments, so that small payloads have several: chunks of 128 bytes. */
const SEGMENT_BYTES = 256;

export class Member {
  readonly name: string;
  readonly events: LogEvent[] = [];
  readonly #config: SdsConfig;
  readonly #segmentation: SegmentationConfig;
  readonly #rows = new Map<string, Map<string | number, unknown>>();
  #journal = new Journal();
  #sds: Participant;
  #reassembler: Reassembler;

  constructor(name: string, layout: SdsLayout, startedAt: number) {
    this.name = name;
    this.#config = { participantId: name, channelId: "simulation", layout, startedAt };
    const segmentation = SegmentationConfig.create(SEGMENT_BYTES);
    if (!segmentation.ok) throw new Error(segmentation.error);
    this.#segmentation = segmentation.value;
    [this.#sds, this.#reassembler] = this.#open();
  }

  /** The process dies, and another one starts from the rows. */
  restart(): void {
    [this.#sds, this.#reassembler] = this.#open();
  }

  get nextDeadline(): number | undefined {
    const [sds, reassembler] = [this.#sds.nextDeadline(), this.#reassembler.nextDeadline()];
    if (sds === undefined || reassembler === undefined) return sds ?? reassembler;
    return Math.min(sds, reassembler);
  }

  /** Ids of the log that every member is to have in the end. */
  get logIds(): readonly string[] {
    return this.#sds.logIds();
  }

  send(payload: Bytes, now: number): readonly Departure[] {
    const segments = performSegmentation(payload, this.#segmentation);
    if (!segments.ok) throw new Error(segments.error.message);
    const departures = segments.value.map((content, index): Departure => {
      const isInner = index < segments.value.length - 1;
      const context = { now, ephemeral: false, ...(isInner ? { inner: true as const } : {}) };
      const { messageId, wire } = this.#sds.wrapOutgoing(content, context);
      return { kind: "message", messageId, wire, ephemeral: false };
    });
    this.#commit();
    return departures;
  }

  left(messageId: string, hash: string, now: number): void {
    this.#sds.onPropagated(messageId, hash, now);
    this.#commit();
  }

  stored(messageId: string, hash: string): void {
    this.#sds.onStored(messageId, hash);
    this.#commit();
  }

  receive(wire: Bytes, context: { now: number; messageHash: string; ephemeral: boolean; random: number }) {
    const isInner = (content: Uint8Array) => this.#reassembler.isInner(content);
    return this.#follow(this.#sds.handleIncoming(wire, { ...context, isInner }), context.now);
  }

  tick(now: number, random: number) {
    for (const { messageId } of this.#reassembler.expire(now)) this.events.push({ type: "lost", messageId });
    return this.#follow(this.#sds.tick({ now, random, online: true }), now);
  }

  /** Carries an outcome out. */
  #follow(
    outcome: SdsOutcome,
    now: number,
  ): { readonly departures: readonly Departure[]; readonly missing: readonly Missing[] } {
    if (outcome.arrived) {
      for (const { messageId } of this.#reassembler.add(outcome.arrived, now).lost) {
        this.events.push({ type: "lost", messageId });
      }
    }
    for (const messageId of outcome.acknowledged) this.events.push({ type: "acknowledged", messageId });
    for (const messageId of outcome.exhausted) this.events.push({ type: "exhausted", messageId });
    for (const lost of outcome.lost) {
      const told = this.#reassembler.giveUp(lost);
      if (told !== undefined) this.events.push({ type: "lost", messageId: told.messageId });
    }
    for (const id of outcome.delivered) {
      const { lost, message } = this.#reassembler.release(id, now, outcome.late.includes(id));
      if (lost !== undefined) this.events.push({ type: "lost", messageId: lost.messageId });
      if (message !== undefined) this.events.push({ type: "received", ...message });
    }
    const departures = outcome.outgoing.flatMap(({ kind, messageId, ephemeral, wire }) => {
      const bytes = wire ?? this.#keptWire(messageId);
      return bytes === undefined ? [] : [{ kind, messageId, ephemeral, wire: bytes }];
    });
    this.#commit();
    return { departures, missing: outcome.missing };
  }

  #open(): [Participant, Reassembler] {
    this.#journal = new Journal();
    const stored = (table: string) => this.#rows.get(table) ?? [];
    return [
      new Participant(this.#config, openSdsTables(this.#journal, ["channel"], stored)),
      new Reassembler(openReassemblerTables(this.#journal, ["channel"], stored), "segments"),
    ];
  }

  #keptWire(messageId: string): Bytes | undefined {
    const row = this.#rows.get("sdsWires")?.get(messageId) as { readonly wire: Bytes } | undefined;
    return row?.wire;
  }

  #commit(): void {
    for (const { table, key, row } of this.#journal.take()) {
      const rows = this.#rows.get(table) ?? new Map<string | number, unknown>();
      this.#rows.set(table, rows);
      const own = key.at(-1);
      if (own === undefined) continue;
      if (row === undefined) rows.delete(own);
      else rows.set(own, row);
    }
  }
}
