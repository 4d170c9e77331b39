/** Our SDS participant with any history, as it would come back from storage: what the benchmarks measure. */
import { useFastKeccak } from "../src/background/fast-keccak.ts";
import type { Bytes } from "../src/common/bytes.ts";
import { Journal } from "../src/common/table.ts";
import { LIMITS } from "../src/limits.ts";
import { nimLayout } from "../src/sds/nim-layout.ts";
import { openSdsTables, Participant, type SdsOutcome } from "../src/sds/participant.ts";
import type { LogRow, SdsMetaRow, SeenRow, SummaryRow, WireSizeRow } from "../src/sds/tables.ts";
import { historyId } from "./history.ts";

// As in the extension, where it is there before anything is hashed.
await useFastKeccak();

export const CHANNEL = "bench";
/** Milliseconds since the Unix epoch at which the history ends. */
export const NOW = 1_750_000_000_000;

/** Ids of others that our filters summarise, in a lively conversation. */
const SUMMARISED = 8;
/** Bytes of each message of the history: their exact wires are kept for repair. */
const WIRE_BYTES = 1300;
/** Milliseconds that the channel was awake before. */
const AWAKE_MS = 1_000_000;

export class OurParticipant {
  readonly #journal = new Journal();
  readonly #sds: Participant;
  #now = NOW;

  /** `history`: messages of others, received and delivered. The bounds of `LIMITS` hold. */
  constructor(participantId: string, history: number) {
    const rows = storedRows(history);
    const tables = openSdsTables(this.#journal, [CHANNEL], (table) => rows[table] ?? []);
    this.#sds = new Participant({ participantId, channelId: CHANNEL, layout: nimLayout }, tables);
  }

  /** The bytes for the network; what it changed goes to the commit. */
  send(content: Uint8Array): Bytes {
    const { wire } = this.#sds.wrapOutgoing(content, { now: this.#tick(), nanoseconds: 0, ephemeral: false });
    this.#journal.take();
    return wire;
  }

  receive(wire: Uint8Array): SdsOutcome {
    const outcome = this.#sds.handleIncoming(wire, { now: this.#tick(), messageHash: "ab".repeat(32), random: 0.5 });
    this.#journal.take();
    return outcome;
  }

  /** What the sweeps of LIP-109 look after. */
  sweep(): SdsOutcome {
    const outcome = this.#sds.tick({ now: this.#now, random: 0.5, online: true });
    this.#journal.take();
    return outcome;
  }

  /** Messages come a millisecond apart. */
  #tick(): number {
    return ++this.#now;
  }
}

type Rows = Readonly<Record<string, readonly (readonly [string, unknown])[]>>;

function storedRows(history: number): Rows {
  if (history === 0) return {};
  const meta: SdsMetaRow = {
    lamport: lamportOf(history - 1, history),
    lastIdNanoseconds: BigInt(NOW - 1000) * 1_000_000n,
    startedAt: NOW - 24 * 3_600_000,
    awakeMs: AWAKE_MS,
    asOf: NOW,
    online: true,
    sequence: 3 * history,
    sends: 0,
    jitter: 0.5,
    referenceMembers: false,
  };
  const { log: logged, seenIds, wireBytes } = LIMITS.sds;
  return {
    sdsMeta: [["row", meta]],
    sdsLog: newest(logged, history, (at): LogRow => {
      const row = { lamport: lamportOf(at, history), senderId: "bob", hash: historyId(at) };
      return at === history - 1 ? { ...row, head: true } : row;
    }),
    sdsSeen: newest(seenIds, history, (at): SeenRow => ({ sequence: at, kind: "content" })),
    sdsSummary: newest(SUMMARISED, history, (at): SummaryRow => ({ sequence: at, sends: 0 })),
    sdsWireSizes: newest(
      Math.floor(wireBytes / WIRE_BYTES),
      history,
      (at): WireSizeRow => ({ bytes: WIRE_BYTES, untilMs: AWAKE_MS + LIMITS.sds.wireKeptMs - history + at }),
    ),
  };
}

/** The newest message of a history is a second old. */
function lamportOf(at: number, history: number): number {
  return Math.floor(NOW / nimLayout.lamportUnitMs) - history + at;
}

/** One row for each of the newest `count` messages of a history. */
function newest<V>(count: number, history: number, rowOf: (at: number) => V): readonly (readonly [string, V])[] {
  const rows: (readonly [string, V])[] = [];
  for (let at = Math.max(0, history - count); at < history; at++) rows.push([historyId(at), rowOf(at)]);
  return rows;
}
