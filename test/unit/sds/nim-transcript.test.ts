/**
 * The reference's transcripts, step by step, with a participant in the place of each peer: what the others said is fed as
 * it was captured, and what ours says, tells and plans is compared with what the reference did.
 */
import { describe, expect, test } from "vitest";
import { toHex } from "../../../src/common/bytes.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import eviction from "../../vectors/sds/nim_eviction.json" with { type: "json" };
import small from "../../vectors/sds/nim_transcript_small.json" with { type: "json" };
import { type Done, Peer, runTimers } from "./sds-peer.ts";
import { bytesOf, type EntryVector, entryOf, hintOf, NamingLayout } from "./transcript.ts";

const LAMPORT =
  "LIP-109: max(time, current + 1) on sending, the maximum on receiving; the reference adds one each time";
const BLOOM =
  "others' content only, four times, and not what the causal history names; the reference: all, its own too";
const HEADS = "a causal history names whatever nobody has named yet, so that nothing is delivered before it";
const KNOWN = "what is known to be missing is not reported once more";
const DOUBT =
  "one hit in a filter of 20 may be a false positive: it is no acknowledgement, nor is the same hit in the same filter again";
const ASKS = "a sync message asks at T_req, and again until it comes; the reference asks once, in its next message";
const ORDER = "a dependency is told before what waited for it";
const LOG = "the log is in the order of Lamport time; the reference's in that of arrival";
const SYNC = "a sync message is no message: neither delivered nor logged nor named";
const FUTURE = "a Lamport timestamp carries the clock by a day at most";
const SWEEP =
  "sent again after 5, 10, 20, 40 and 80 s, then it is exhausted, not sent; the reference only counts its sweeps";
const FORGED = "what bears our sender id and is not ours is not delivered, and acknowledges nothing";

type Field =
  | "lamport"
  | "bloom"
  | "history"
  | "requests"
  | "events"
  | "log"
  | "outgoing"
  | "parked"
  | "missing"
  | "due";

/**
 * Where ours does something else: at which steps, in what, what ours does, and why. Filters and histories are given by the
 * ids in them. Everything that is not here is equal. Own retransmissions and sync messages that ask for nothing are left
 * out of the comparison: the reference makes none.
 */
const DEVIATIONS: readonly (readonly [steps: readonly number[], field: Field, ours: unknown, why: string])[] = [
  [[0], "lamport", "1750000000", LAMPORT],
  [[2], "lamport", "1750000002", LAMPORT],
  [[4], "lamport", "1750000004", LAMPORT],
  [[5], "lamport", "1750000005", LAMPORT],
  [[10], "lamport", "1750000007", LAMPORT],
  [[12], "lamport", "1750000310", LAMPORT],
  [[30], "lamport", "1750000400", LAMPORT],
  [[22], "lamport", "1750086711", FUTURE],
  [[2, 4, 5, 12, 30], "bloom", [], BLOOM],
  [[10], "bloom", ["m4"], BLOOM],
  [[22], "bloom", ["m3"], BLOOM],
  [[30], "history", ["m4", "m5"], HEADS],
  [[22], "history", ["m4", "m5", "far"], `${HEADS}; ${SYNC}`],
  [[7], "events", [], KNOWN],
  [[17], "events", [entry("m1", "alice")], KNOWN],
  [[11], "events", ["delivered m5a"], DOUBT],
  [[11], "outgoing", ["m3", "m4"], DOUBT],
  [[13], "events", ["exhausted m3", "delivered m5"], SWEEP],
  [[13, 15, 23, 24, 25, 26, 27], "outgoing", ["m4"], `${DOUBT}; ${SWEEP}`],
  [[28, 29], "outgoing", ["m4"], DOUBT],
  [[30], "outgoing", ["m4", "mown"], DOUBT],
  [[20, 21], "outgoing", [], SWEEP],
  [[12, 16, 18], "outgoing", ["m5"], SWEEP],
  [[22], "outgoing", ["m6"], SWEEP],
  [[28], "events", [], SWEEP],
  [[12], "requests", [], ASKS],
  [[12], "events", ["exhausted m5a", "asks for m3"], `${ASKS}; ${SWEEP}`],
  [[12], "missing", [["m3", 1_750_000_312_582]], ASKS],
  [
    [14],
    "events",
    [...["m2", "m2", "m2", "m2", "m2", "m3", "m3", "m2"].map((id) => `asks for ${id}`), entry("m5a", "bob")],
    `${ASKS}; ${KNOWN}`,
  ],
  [
    [14],
    "missing",
    [
      ["m2", 1_750_000_339_981],
      ["m3", 1_750_000_345_408],
      ["m5a", 1_750_000_370_893],
    ],
    ASKS,
  ],
  [
    [17],
    "missing",
    [
      ["m1", 1_750_000_573_455],
      ["m2", 1_750_000_339_981],
      ["m5a", 1_750_000_370_893],
    ],
    ASKS,
  ],
  [[16], "events", ["delivered m3", "delivered m4"], ORDER],
  [[16, 18], "log", ["m1", "m2", "m3", "m4", "m5a", "m5"], LOG],
  [[20], "log", ["m1", "m2", "m3", "m4", "m5a", "m5"], `${LOG}; ${SYNC}`],
  [[21], "log", ["m1", "m2", "m3", "m4", "m5a", "m5", "far"], `${LOG}; ${SYNC}`],
  [[22], "log", ["m1", "m2", "m3", "m4", "m5a", "m5", "far", "m6"], `${LOG}; ${SYNC}`],
  [[20], "events", ["acknowledged m5"], SYNC],
  [[31], "events", [], FORGED],
  [[31], "outgoing", ["m4", "mown"], `${DOUBT}; ${FORGED}`],
];

function entry(messageId: string, senderId: string): EntryVector {
  return { messageId, senderId, retrievalHintHex: hintOf(messageId) };
}

/** What a step shows. Ids are the transcript's. */
type Shown = Partial<Record<Field, unknown>>;

const names = (entries: readonly { readonly messageId: string }[]) => entries.map(({ messageId }) => messageId);

/** What the reference showed, in the same terms. */
function referenceOf(step: (typeof small.steps)[number]): Shown {
  const { decoded, events, state } = step;
  return {
    ...(decoded === undefined
      ? {}
      : {
          lamport: decoded.lamportTimestamp,
          bloom: decoded.bloomFilterHex,
          history: decoded.causalHistory,
          requests: decoded.repairRequest,
        }),
    events: events.flatMap((event): unknown[] => {
      if (event.event === "missingDependencies") return ("missing" in event ? event.missing : []) ?? [];
      if (!("messageId" in event)) return ["repair"];
      return [`${event.event === "messageReady" ? "delivered" : "acknowledged"} ${event.messageId}`];
    }),
    log: state.history,
    outgoing: names(state.outgoing),
    parked: names(state.incoming).sort(),
    missing: state.outgoingRepair
      .map(({ messageId, tReqMs }): [string, number] => [messageId, tReqMs])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
    due: state.incomingRepair.map(({ messageId, tRespMs }) => [messageId, tRespMs]),
  };
}

/** Plays a peer's part. What its timers bring about between two steps belongs to the later one. */
function play(name: string): ReadonlyMap<number, Shown> {
  const { bloomFilterCapacity, bloomFilterErrorRate, maxCausalHistory, maxMessageHistory } = small.config;
  const layout = new NamingLayout(bloomFilterCapacity, bloomFilterErrorRate);
  const limits = { causalHistory: maxCausalHistory, log: maxMessageHistory };
  const peer = new Peer(name, { layout, limits });
  const shown = new Map<number, Shown>();
  const wires = new Map<string, string>();
  for (const step of small.steps) {
    if (step.peer !== name) continue;
    const events: unknown[] = [];
    const note = (outcome: Done, now: number): void => {
      for (const id of outcome.acknowledged) events.push(`acknowledged ${layout.nameOf(id)}`);
      for (const id of outcome.delivered) events.push(`delivered ${layout.nameOf(id)}`);
      for (const id of outcome.exhausted) events.push(`exhausted ${layout.nameOf(id)}`);
      for (const { messageId } of outcome.lost) events.push(`lost ${layout.nameOf(messageId)}`);
      for (const { messageId, senderId, hint } of outcome.missing) {
        events.push({ messageId: layout.nameOf(messageId), senderId, retrievalHintHex: hint });
      }
      for (const { kind, messageId, wire } of outcome.outgoing) {
        if (kind === "repair") {
          events.push("repair");
          expect(toHex(peer.wire(messageId) ?? new Uint8Array())).toBe(wires.get(messageId));
        }
        if (kind === "retransmission") {
          peer.sds.onPropagated(messageId, hintOf(layout.nameOf(messageId)), now);
          peer.commit();
        }
        const requests = wire ? peer.decoded(wire).repairRequest : [];
        for (const request of requests) events.push(`asks for ${request.messageId}`);
      }
    };
    runTimers(peer, step.nowMs - 1, note);
    let said: Shown = {};
    if (step.op === "wrap") {
      layout.christenNext(step.messageId ?? "");
      const { messageId, wire } = peer.send(step.contentUtf8 ?? "", step.nowMs);
      wires.set(messageId, toHex(wire));
      peer.sds.onPropagated(messageId, hintOf(layout.nameOf(messageId)), step.nowMs);
      peer.commit();
      said = saidIn(wire, step.result?.wireHex ?? "");
    } else if (step.op === "unwrap") {
      const wire = bytesOf(step.wireHex ?? "");
      const hash = hintOf(peer.decoded(wire).messageId);
      note(peer.receive(wire, step.nowMs, 0.5, hash), step.nowMs);
    } else if (step.op === "markDependenciesMet") {
      const ids = (step.ids ?? []).map((each) => layout.idOf(each));
      note({ ...peer.sds.markReceived(ids, step.nowMs), outgoing: [] }, step.nowMs);
      peer.commit();
    } else {
      note(peer.tick(step.nowMs), step.nowMs);
    }
    shown.set(step.step, { ...said, events, ...stateOf(peer, layout) });
  }
  return shown;
}

/** What a message of ours says. With the reference's values in the fields that may differ, its bytes are the same. */
function saidIn(wire: Uint8Array, referenceHex: string): Shown {
  const [ours, reference] = [nimLayout.decode(wire), nimLayout.decode(bytesOf(referenceHex))];
  if (!ours.ok || !reference.ok) throw new Error("undecodable");
  const { lamportTimestamp, bloomFilter, causalHistory, repairRequest } = reference.value;
  const same = nimLayout.encode({ ...ours.value, lamportTimestamp, bloomFilter, causalHistory, repairRequest });
  expect(toHex(same)).toBe(referenceHex);
  expect(toHex(nimLayout.encode(ours.value))).toBe(toHex(wire));
  return {
    lamport: `${ours.value.lamportTimestamp}`,
    bloom: toHex(ours.value.bloomFilter),
    history: ours.value.causalHistory.map(entryOf),
    requests: ours.value.repairRequest.map(entryOf),
  };
}

function stateOf(peer: Peer, layout: NamingLayout): Shown {
  const { meta, outgoing, incoming, missing, repairs } = peer.tables;
  const { asOf, awakeMs } = meta.get("row") ?? { asOf: 0, awakeMs: 0 };
  const wall = (ms: number) => asOf - awakeMs + ms;
  const inSequence = <R extends { readonly sequence: number }>(rows: Iterable<[string, R]>) =>
    [...rows].sort(([, a], [, b]) => a.sequence - b.sequence).map(([id]) => layout.nameOf(id));
  return {
    log: peer.sds.logIds().map((id) => layout.nameOf(id)),
    outgoing: inSequence([...outgoing.entries()].filter(([, { state }]) => state === "waiting")),
    parked: inSequence(incoming.entries()).sort(),
    missing: [...missing.entries()]
      .map(([id, { requestMs }]): [string, number] => [layout.nameOf(id), wall(requestMs ?? Number.NaN)])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
    due: [...repairs.entries()]
      .filter(([, { answered }]) => !answered)
      .map(([id, { dueMs }]) => [layout.nameOf(id), wall(dueMs)]),
  };
}
describe("nim_transcript_small", () => {
  const { bloomFilterCapacity, bloomFilterErrorRate } = small.config;
  const layout = new NamingLayout(bloomFilterCapacity, bloomFilterErrorRate);
  const played = new Map(["alice", "bob", "carol"].map((name) => [name, play(name)]));

  test.each(small.steps)("step $step: $peer, $op", (step) => {
    const reference = referenceOf(step);
    const ours = played.get(step.peer)?.get(step.step);
    const expected = { ...reference };
    for (const [steps, field, value] of DEVIATIONS) {
      if (!steps.includes(step.step)) continue;
      if (field === "bloom") expected.bloom = layout.filterOf(value as string[]);
      else if (field === "history")
        expected.history = (value as string[]).map((id) => expect.objectContaining({ messageId: id }));
      else expected[field] = value;
      // A row that deviates in nothing would hide what changes later.
      expect(expected[field]).not.toEqual(reference[field]);
    }
    expect(ours).toEqual(expected);
  });
});

describe("nim_eviction", () => {
  test("what the log forgets is still unacknowledged, and a filter forgets nothing of what is to be acknowledged", () => {
    const { bloomFilterCapacity, maxCausalHistory, maxMessageHistory } = eviction.config;
    const layout = new NamingLayout(bloomFilterCapacity, 0.001);
    const limits = { causalHistory: maxCausalHistory, log: maxMessageHistory };
    const alice = new Peer("alice", { layout, limits });
    let lamport = 1_750_000_000n;
    for (const { wrap, wireHex = "", state, unwrapEvictedOwn } of eviction.steps) {
      if (wrap === undefined) {
        // The reference delivers to itself what its log has forgotten. Ours knows it by its id.
        const first = eviction.steps.find((step) => step.wrap === unwrapEvictedOwn);
        expect(alice.receive(bytesOf(first?.wireHex ?? ""))).toMatchObject({ dropped: "own message", delivered: [] });
        continue;
      }
      layout.christenNext(wrap);
      const { wire } = alice.sds.wrapOutgoing(bytesOf(contentOf(wireHex)), {
        now: 1_750_000_000_000,
        nanoseconds: 0,
        ephemeral: false,
      });
      alice.commit();
      const said = saidIn(wire, wireHex);
      const reference = nimLayout.decode(bytesOf(wireHex));
      if (!reference.ok) throw new Error(reference.error);
      expect(said).toEqual({
        lamport: `${lamport++}`,
        bloom: layout.filterOf([]),
        history: reference.value.causalHistory.map(entryOf),
        requests: [],
      });
      expect(stateOf(alice, layout)).toMatchObject({ log: state.history, outgoing: names(state.outgoing) });
    }
    expect(stateOf(alice, layout)).toMatchObject({ outgoing: names(eviction.steps.at(-1)?.state.outgoing ?? []) });
  });
});

function contentOf(wireHex: string): string {
  const decoded = nimLayout.decode(bytesOf(wireHex));
  return decoded.ok ? toHex(decoded.value.content) : "";
}
