/** A participant on tables of its own, with what a channel would do around it. */
import type { Bytes } from "../../../src/common/bytes.ts";
import { utf8 } from "../../../src/common/bytes.ts";
import { Journal, type RowChange } from "../../../src/common/table.ts";
import type { SdsLayout } from "../../../src/sds/layout.ts";
import type { SdsMessage, Wrapped } from "../../../src/sds/message.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import {
  openSdsTables,
  Participant,
  SDS_TABLES,
  type SdsConfig,
  type SdsOutcome,
  type SdsTables,
} from "../../../src/sds/participant.ts";

export const START = 1_750_000_000_000;
export const CHANNEL = "ch";

export class Storage {
  readonly rows = new Map<string, Map<string, unknown>>();

  apply(changes: readonly RowChange[]): void {
    for (const { table, key, row } of changes) {
      const rows = this.rows.get(table) ?? new Map<string, unknown>();
      this.rows.set(table, rows);
      const own = String(key.at(-1));
      if (row === undefined) rows.delete(own);
      // What IndexedDB does to a row.
      else rows.set(own, structuredClone(row));
    }
  }

  /** In key order, as storage answers. */
  stored = (table: string): Iterable<readonly [string, unknown]> =>
    [...(this.rows.get(table) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));

  /** Everything that is kept, for comparison. */
  snapshot(): unknown {
    return Object.fromEntries(SDS_TABLES.map((table) => [table, Object.fromEntries(this.stored(table))]));
  }
}

/** What a peer sends by itself. Nothing limits it, so a sync message is made as soon as it is decided. */
interface Sent {
  readonly kind: "retransmission" | "sync" | "repair";
  readonly messageId: string;
  readonly ephemeral: boolean;
  /** Of a sync message. */
  readonly wire?: Bytes;
}

/** An outcome, carried out. */
export interface Done extends Omit<SdsOutcome, "outgoing"> {
  readonly outgoing: readonly Sent[];
}

export class Peer {
  readonly name: string;
  readonly storage = new Storage();
  readonly #config: SdsConfig;
  #journal = new Journal();
  tables: SdsTables;
  sds: Participant;
  /** Every id delivered and lost, in order; and the content of what arrived, by id. */
  readonly delivered: string[] = [];
  readonly acknowledged: string[] = [];
  readonly lost: string[] = [];
  readonly contents = new Map<string, string>();
  writes = 0;

  constructor(name: string, config: Partial<SdsConfig> = {}) {
    this.name = name;
    this.#config = { participantId: name, channelId: CHANNEL, layout: nimLayout, ...config };
    this.tables = openSdsTables(this.#journal, [CHANNEL], this.storage.stored);
    this.sds = new Participant(this.#config, this.tables);
  }

  /** The process dies; what was committed is read again. */
  restart(): void {
    this.#journal = new Journal();
    this.tables = openSdsTables(this.#journal, [CHANNEL], this.storage.stored);
    this.sds = new Participant(this.#config, this.tables);
  }

  rollback(): void {
    this.#journal.rollback();
  }

  commit(): void {
    const changes = this.#journal.take();
    this.writes += changes.length;
    this.storage.apply(changes);
  }

  send(content: string, now = START, ephemeral = false): Wrapped {
    const wrapped = this.sds.wrapOutgoing(utf8(content), { now, nanoseconds: 0, ephemeral });
    this.commit();
    return wrapped;
  }

  /** Sends a message in several parts. */
  sendInParts(whole: string, total: number, now = START): readonly Wrapped[] {
    const parts = Array.from({ length: total }, (_, index) =>
      this.sds.wrapOutgoing(utf8(`${whole} ${index}`), {
        now,
        nanoseconds: 0,
        ephemeral: false,
        part: { whole, index, total },
      }),
    );
    this.commit();
    return parts;
  }

  /** Sends, and the network takes it. */
  publish(content: string, now = START): Wrapped {
    const wrapped = this.send(content, now);
    this.propagated([wrapped], now);
    return wrapped;
  }

  /** The same in several parts. */
  publishInParts(whole: string, total: number, now = START): readonly Wrapped[] {
    const parts = this.sendInParts(whole, total, now);
    this.propagated(parts, now);
    return parts;
  }

  propagated(messages: readonly { readonly messageId: string }[], now = START): void {
    for (const { messageId } of messages) this.sds.onPropagated(messageId, hashFor(messageId), now);
    this.commit();
  }

  receive(wire: Uint8Array, now = START, random = 0.5, messageHash = "ab".repeat(32)): Done {
    return this.#note(this.sds.handleIncoming(wire, { now, messageHash, random }), now);
  }

  tick(now: number, online = true, random = 0.5): Done {
    return this.#note(this.sds.tick({ now, random, online }), now);
  }

  wire(messageId: string): Bytes | undefined {
    const row = this.storage.rows.get("sdsWires")?.get(messageId);
    return (row as { readonly wire: Bytes } | undefined)?.wire;
  }

  decoded(wire: Uint8Array) {
    const result = nimLayout.decode(wire);
    if (!result.ok) throw new Error(result.error);
    return result.value;
  }

  #note(outcome: SdsOutcome, now: number): Done {
    const outgoing = outcome.outgoing.map((sent) =>
      sent.kind === "sync" ? { ...sent, ephemeral: false, ...this.sds.wrapSync(now) } : sent,
    );
    this.commit();
    if (outcome.arrived) {
      const { messageId, content } = outcome.arrived;
      this.contents.set(messageId, new TextDecoder().decode(content));
    }
    this.delivered.push(...outcome.delivered);
    this.acknowledged.push(...outcome.acknowledged);
    this.lost.push(...outcome.lost.map(({ messageId }) => messageId));
    return { ...outcome, outgoing };
  }
}

/** A stand-in for a message hash that is a function of the id. */
export function hashFor(messageId: string): string {
  return Buffer.from(messageId.padEnd(32, "0").slice(0, 32)).toString("hex");
}

/** A message of anybody, as they like it. */
export function craft(
  fields: Partial<SdsMessage> & { readonly after?: readonly string[] },
  layout: SdsLayout = nimLayout,
): Bytes {
  const { after = [], ...given } = fields;
  return layout.encode({
    senderId: "mallory",
    messageId: "m",
    channelId: CHANNEL,
    lamportTimestamp: BigInt(Math.floor(START / 1000)),
    causalHistory: after.map((messageId) => ({ messageId })),
    bloomFilter: new Uint8Array(0),
    content: utf8("content"),
    repairRequest: [],
    ...given,
  });
}

/** Runs every timer of `peer` until `until`, at the times that it asks for. */
export function runTimers(peer: Peer, until: number, onTick: (outcome: Done, now: number) => void = () => {}): void {
  for (let now = peer.sds.nextDeadline(); now !== undefined && now <= until; now = peer.sds.nextDeadline()) {
    onTick(peer.tick(now), now);
  }
}
