import { LIMITS } from "../limits.ts";
import { AwakeClock } from "./awake-clock.ts";
import type { Bounds, SdsConfig } from "./config.ts";
import { IncomingBuffer } from "./incoming-buffer.ts";
import { KeptWires } from "./kept-wires.ts";
import { Members } from "./members.ts";
import { MessageLog } from "./message-log.ts";
import { Meta } from "./meta.ts";
import { OutgoingBuffer } from "./outgoing-buffer.ts";
import { ReceivedSummary } from "./received-summary.ts";
import { RepairResponses } from "./repair-responses.ts";
import { SeenIds } from "./seen-ids.ts";
import { SyncTimers } from "./sync-timers.ts";
import type { SdsTables } from "./tables.ts";

/** The state that LIP-109 gives a participant of a channel, which its procedures share. */
export interface SdsState {
  readonly config: SdsConfig;
  readonly limits: Bounds;
  readonly meta: Meta;
  readonly clock: AwakeClock;
  readonly log: MessageLog;
  readonly seen: SeenIds;
  readonly summary: ReceivedSummary;
  readonly outgoing: OutgoingBuffer;
  readonly incoming: IncomingBuffer;
  readonly members: Members;
  readonly wires: KeptWires;
  readonly sync: SyncTimers;
  readonly repairs: RepairResponses;
}

export function openSdsState(config: SdsConfig, tables: SdsTables): SdsState {
  const limits: Bounds = { ...LIMITS.sds, ...config.limits };
  const meta = new Meta(tables.meta);
  const wires = new KeptWires(tables, limits);
  const outgoing = new OutgoingBuffer(tables, config.layout, limits, {
    release: (id) => wires.release(id, meta.row.awakeMs),
    forget: (id) => wires.drop(id),
  });
  const incoming = new IncomingBuffer(tables);
  const sync = new SyncTimers(meta, limits);
  const repairs = new RepairResponses(tables.repairs, limits);
  const nextDueMs = () =>
    earliest([
      outgoing.nextDueMs(),
      incoming.nextDueMs(),
      // Asked for by the sync message that waits, once it goes.
      sync.waits ? undefined : incoming.nextRequestMs(),
      repairs.nextDueMs(),
      sync.nextDueMs(),
      config.otherDueMs?.(),
    ]);
  return {
    config,
    limits,
    meta,
    clock: new AwakeClock(meta, nextDueMs),
    log: new MessageLog(tables.log, limits),
    seen: new SeenIds(tables.seen, meta, limits.seenIds),
    summary: new ReceivedSummary(tables.summary, meta, config.layout, limits),
    outgoing,
    incoming,
    members: new Members(tables.members, limits),
    wires,
    sync,
    repairs,
  };
}

function earliest(times: readonly (number | undefined)[]): number | undefined {
  const set = times.filter((ms) => ms !== undefined);
  return set.length === 0 ? undefined : Math.min(...set);
}
