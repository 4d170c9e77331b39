/**
 * A run under faults: two members of one channel, each sender and receiver, on the local network, whose service nodes are
 * killed, restarted and cut off from each other while they refuse, delay or cut a share of all requests. At the end,
 * once the faults are over, whatever was accepted must have become exactly one outcome, and must be in the other member's
 * log exactly once.
 */
import type { Fault } from "../../dev/network/faults.ts";
import { type LocalNetwork, startLocalNetwork } from "../../dev/network/local-network.ts";
import type { ServiceName } from "../../dev/network/protocols.ts";
import type { ServiceNode } from "../../dev/network/service-node.ts";
import { utf8 } from "../../src/common/bytes.ts";
import { AcceleratedClock } from "../support/accelerated-clock.ts";
import { assertInvariants, type MemberRecord } from "../support/invariants.ts";
import { seededChance } from "../support/peer.ts";
import { Member } from "./member.ts";

export interface FaultRunOptions {
  /** The same seed makes the same choices; what the machine does with them is its own. */
  readonly seed: number;
  /** Messages of both senders together. */
  readonly messages: number;
  /** Whether nodes admit only as much as real ones. */
  readonly limits: "none" | "real";
  /** How many times as fast as outside time passes. */
  readonly speed: number;
  /** Share of all requests that meet a fault, 0–1. */
  readonly faulty: number;
  /** Bytes of each payload. */
  readonly payloadBytes?: number;
  readonly say?: (line: string) => void;
}

export interface FaultRunReport {
  readonly seed: number;
  readonly messages: number;
  /** Outcomes by type, over all requests. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Messages that one member logged of the other. */
  readonly received: number;
  /** Requests that the nodes saw, and how many of them met each fault. */
  readonly requests: number;
  readonly faults: Readonly<Record<string, number>>;
  /** What was done to nodes and members. */
  readonly incidents: Readonly<Record<string, number>>;
  /** Milliseconds of the run's own clock, and of the real one. */
  readonly tookMs: number;
  readonly realMs: number;
}

const SECOND = 1000;
const NODES = 3;
/** Messages that one sender has on the way at once. */
const IN_FLIGHT = 40;
/** Milliseconds after the faults within which everything has settled: past the last retransmission and its outcome. */
const SETTLE_MS = 600 * SECOND;

/** Runs to its end, and throws with the seed where something does not hold. */
export async function faultRun(options: FaultRunOptions): Promise<FaultRunReport> {
  const { seed, messages, limits, speed, payloadBytes = 0, say = () => {} } = options;
  const { random } = seededChance(seed);
  const clock = new AcceleratedClock(speed);
  const network = await startLocalNetwork({ nodes: NODES, limits, clock });
  const members = [new Member("alice", network, clock), new Member("bob", network, clock)];
  const faults: Record<string, number> = {};
  const incidents: Record<string, number> = {};
  const [startedAt, realStartedAt] = [clock.now(), Date.now()];
  const count = (counts: Record<string, number>, what: string) => {
    counts[what] = (counts[what] ?? 0) + 1;
  };
  try {
    await Promise.all(members.map((member) => member.start()));
    const switchOn = (node: ServiceNode) => {
      node.faults.choose = (service) => {
        const fault = random() < options.faulty ? chooseFault(service, random) : undefined;
        if (fault) count(faults, fault.kind);
        return fault;
      };
    };
    for (const node of network.nodes) switchOn(node);

    let sending = true;
    const trouble = (async () => {
      while (sending) {
        await clock.pass((2 + 4 * random()) * SECOND);
        if (sending) await strike(network, members, clock, random, (what) => count(incidents, what));
      }
    })();
    await Promise.all(
      members.map(async (member) => {
        for (let i = 0; i < messages / members.length; i++) {
          while ((await member.pending()) >= IN_FLIGHT) await clock.pass(SECOND);
          const text = utf8(`${member.name} ${i} `);
          const payload = new Uint8Array(Math.max(text.length, payloadBytes));
          payload.set(text);
          await member.send(payload);
          await clock.pass(0.2 * random() * SECOND);
        }
      }),
    );
    say(`all ${messages} accepted after ${((clock.now() - startedAt) / SECOND).toFixed(0)} s`);
    sending = false;
    await trouble;
    for (const node of network.nodes) node.faults.clear();

    const deadline = clock.now() + SETTLE_MS;
    for (;;) {
      const records = await Promise.all(members.map((member) => member.record()));
      assertInvariants(records);
      if (await isComplete(members, records)) break;
      if (clock.now() > deadline) {
        assertInvariants(records, { complete: true });
        throw new Error(`${(await Promise.all(members.map((each) => each.pending()))).join(" and ")} have no outcome`);
      }
      await clock.pass(2 * SECOND);
    }
    const records = await Promise.all(members.map((member) => member.record()));
    assertInvariants(records, { complete: true });

    const outcomes: Record<string, number> = {};
    for (const { log } of records)
      for (const event of log) if ("requestId" in event) count(outcomes, event.type.replace("reliable:message:", ""));
    const received = records
      .flatMap(({ log }) => log)
      .filter(({ type }) => type === "reliable:message:received").length;
    const requests = network.nodes.flatMap((node) =>
      (["lightpush", "filter", "store", "metadata"] as const).map((service) => node.requests.count(service)),
    );
    return {
      seed,
      messages,
      outcomes,
      received,
      requests: requests.reduce((sum, each) => sum + each, 0),
      faults,
      incidents,
      tookMs: clock.now() - startedAt,
      realMs: Date.now() - realStartedAt,
    };
  } catch (thrown) {
    throw new Error(`fault run with seed ${seed} failed`, { cause: thrown });
  } finally {
    await Promise.all(members.map((member) => member.stop()));
    await network.stop();
  }
}

/** Every request has its outcome, and everything that was sent is in the other's log. */
async function isComplete(members: readonly Member[], records: readonly MemberRecord[]): Promise<boolean> {
  const pending = await Promise.all(members.map((member) => member.pending()));
  if (pending.some((count) => count > 0)) return false;
  const all = records.reduce((sum, { sent }) => sum + sent.length, 0);
  return records.every(
    ({ sent, log }) => log.filter(({ type }) => type === "reliable:message:received").length === all - sent.length,
  );
}

/** What becomes of a request: refused, done late, or cut off, done or not. */
function chooseFault(service: ServiceName, random: () => number): Fault | undefined {
  if (service === "metadata") return undefined;
  const which = random();
  if (which < 1 / 3) return { kind: "refuse", status: { code: random() < 0.5 ? 503 : 429, desc: "not now" } };
  if (which < 2 / 3) return { kind: "delay", ms: 4 * SECOND * random() };
  return { kind: "cut", processed: random() < 0.5 };
}

/** One incident, and its end. */
async function strike(
  network: LocalNetwork,
  members: readonly Member[],
  clock: AcceleratedClock,
  random: () => number,
  note: (what: string) => void,
): Promise<void> {
  const pick = <T>(from: readonly T[]): T | undefined => from[Math.floor(random() * from.length)];
  const node = pick(network.nodes);
  if (!node) return;
  const which = random();
  if (which < 0.35) {
    note("node killed");
    await node.stop();
    await clock.pass((1 + 6 * random()) * SECOND);
    await node.start();
  } else if (which < 0.65) {
    // Alone it answers, archives and pushes, and relays to nobody.
    note("node partitioned");
    node.faults.noRelayPeers = true;
    await clock.pass((2 + 6 * random()) * SECOND);
    node.faults.noRelayPeers = false;
  } else if (which < 0.85) {
    note("connections cut");
    await node.disconnect();
  } else {
    note("worker killed");
    await pick(members)?.restart();
  }
}
