/**
 * SDS: one message of 1 KiB wrapped and encoded, after histories of different lengths.
 *
 * Both sides derive its id from its content by a hash, name a causal history, make a filter, encode, and enter the
 * message into log and outgoing buffer. Ours notes every row of that for storage besides; the peer keeps nothing.
 */
import type { Contender } from "../compare.ts";
import { historyRows, participants } from "../histories.ts";
import { OurParticipant } from "../our-sds.ts";
import type { Row } from "../row.ts";
import { WakuParticipant } from "../waku-sds.ts";

interface Sender {
  send(content: Uint8Array): unknown;
}

export function rows(): Promise<readonly Row[]> {
  return historyRows(
    "SDS wrap + encode",
    (history, rounds) => wrapping(participants(history, () => new OurParticipant("alice", history), rounds)),
    (history) => wrapping(participants(history, () => new WakuParticipant("alice", history))),
  );
}

function wrapping(sendersOf: (times: number) => readonly Sender[]): Contender["prepare"] {
  return (times) => {
    const sends = sendersOf(times).map((sender) => ({ sender, content: differentContent() }));
    return async () => {
      for (const { sender, content } of sends) {
        const done = sender.send(content);
        if (done instanceof Promise) await done;
      }
    };
  };
}

let made = 0;

/** The peer derives ids from contents alone, so that equal ones would be one message. */
function differentContent(): Uint8Array {
  const content = new Uint8Array(1024);
  new DataView(content.buffer).setUint32(0, made++);
  return content;
}
