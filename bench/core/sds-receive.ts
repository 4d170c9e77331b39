/**
 * SDS: one message of 1 KiB decoded, reviewed and delivered, after histories of different lengths.
 *
 * Each side reads what its own kind sends: ours adaptive filters and a causal history of two, the peer filters of 18.8 kB
 * and up to 200 entries. Ours notes every row of it for storage besides; the peer keeps nothing.
 */
import type { Contender } from "../compare.ts";
import { historyRows, participants } from "../histories.ts";
import { OurParticipant } from "../our-sds.ts";
import type { Row } from "../row.ts";
import { WakuParticipant, wakuMessage } from "../waku-sds.ts";

const CONTENT = new Uint8Array(1024).fill(7);

export function rows(): Promise<readonly Row[]> {
  return historyRows("SDS receive", ourReceive, peerReceive);
}

/** Two participants with the same history, one of which sends. */
function ourReceive(history: number, rounds?: number): Contender["prepare"] {
  const senders = participants(history, () => new OurParticipant("bob", history), rounds);
  const receivers = participants(history, () => new OurParticipant("alice", history), rounds);
  return (times) => {
    const wires = senders(times).map((sender) => sender.send(CONTENT));
    const received = receivers(times).map((receiver, at) => ({ receiver, wire: wires[at] ?? new Uint8Array(0) }));
    return () => {
      for (const { receiver, wire } of received) {
        const { delivered, dropped } = receiver.receive(wire);
        if (delivered.length !== 1) throw new Error(`Not delivered: ${dropped}`);
      }
    };
  };
}

let made = 0;

function peerReceive(history: number): Contender["prepare"] {
  const receivers = participants(history, () => new WakuParticipant("alice", history));
  return (times) => {
    const received = receivers(times).map((receiver) => ({
      receiver,
      wire: wakuMessage(`received ${made++}`.padEnd(64, "0"), history),
    }));
    return async () => {
      for (const { receiver, wire } of received) await receiver.receive(wire);
    };
  };
}
