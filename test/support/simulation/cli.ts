/** Writes docs/simulation.md: what becomes of messages in channels of 3, 10 and 50 members when copies are lost. */
import { writeFileSync } from "node:fs";
import { breaches, falselyDelivered } from "./breaches.ts";
import { concurrentOrder } from "./order.ts";
import { eventsOf, type SimulationOptions, simulate } from "./simulation.ts";

const MESSAGES = 100;
const SEEDS = [1, 2, 3];
const COLUMNS = [
  "members",
  "loss",
  "delivered",
  "same log",
  "causal order",
  "concurrent alike",
  "reported lost",
  "breaches",
  "repairs",
  "retransmissions",
  "syncs",
  "bytes",
  "converged after",
];

function rowOf(members: number, loss: number, store: boolean): string {
  const seeds = members > 10 ? SEEDS.slice(0, 1) : SEEDS;
  const runs = seeds.map((seed) => {
    const options: SimulationOptions = { seed, members, messages: MESSAGES, loss, store };
    const run = simulate(options);
    return { ...run, breaches: [...breaches(run), ...falselyDelivered(run)], concurrent: concurrentOrder(run) };
  });
  const total = (count: (run: (typeof runs)[number]) => number) => runs.reduce((sum, run) => sum + count(run), 0);
  const perMessage = (count: (run: (typeof runs)[number]) => number) => total(count) / runs.length / MESSAGES;
  const slowest = runs.reduce((worst, { convergedMs = Number.POSITIVE_INFINITY }) => Math.max(worst, convergedMs), 0);
  const pairs = total(({ concurrent }) => concurrent.pairs);
  const cells = [
    members,
    `${loss * 100} %`,
    `${((100 * total(({ delivered }) => delivered)) / runs.length).toFixed(2)} %`,
    `${runs.filter(({ sameLog }) => sameLog).length} of ${runs.length}`,
    `${runs.filter((run) => run.breaches.every((breach) => !breach.startsWith("I5"))).length} of ${runs.length}`,
    pairs === 0 ? "–" : `${((100 * total(({ concurrent }) => concurrent.alike)) / pairs).toFixed(1)} %`,
    total((run) => eventsOf(run, "lost")),
    total((run) => run.breaches.length),
    perMessage(({ sent }) => sent.repair).toFixed(2),
    perMessage(({ sent }) => sent.retransmission).toFixed(2),
    perMessage(({ sent }) => sent.sync).toFixed(2),
    Math.round(perMessage(({ bytes }) => bytes)),
    Number.isFinite(slowest) ? `${(slowest / 1000).toFixed(1)} s` : "–",
  ];
  return `| ${cells.join(" | ")} |`;
}

function tableOf(store: boolean): string {
  const rows = [3, 10, 50].flatMap((members) =>
    [0, 0.1, 0.2, 0.3, 0.4, 0.5].map((loss) => {
      const row = rowOf(members, loss, store);
      process.stdout.write(`${row}\n`);
      return row;
    }),
  );
  return [`| ${COLUMNS.join(" | ")} |`, `|${" --- |".repeat(COLUMNS.length)}`, ...rows].join("\n");
}

const text = `# Simulation

${new Date().toISOString().slice(0, 10)}, \`npm run simulate\`. ${MESSAGES} messages, one in five of several segments, 2 s apart on average, by members
chosen at random, over a network that loses, reorders (20–1500 ms on the way) and duplicates (5 %) each copy on its way
to each member. The clock is virtual, and everything follows from the seed: ${SEEDS.length} seeds for 3 and 10 members, one for 50.

## What the columns say

**Same log**: in how many runs all members ended with the same SDS log. LIP-109 orders that log by Lamport time and then by
message id, so it is the same as soon as everyone has the same messages; it says nothing about the order in which they came.

**Causal order**: in how many runs what each member was told as received extends the causal order: every message after all
that its sender had sent and received when it sent it, and so the messages of one sender in the order in which they were sent,
at every member (invariant I5). Only a message that was reported lost before may come out of it.

**Concurrent alike**: of two messages of which neither sender knew the other's, members may see either one first. The two
senders always differ, as each has its own first. This is the share of such pairs that all the others who received both
received in the same order; a dash where there are no two others. **Pages hear messages in causal order, not in one order that
is the same everywhere.** An application that needs one has to establish it by itself.

**Breaches**: of the invariants I1–I5, all of which are checked. Every member has the send state machine of a channel, and is
told by its messaging layer what became of what it handed over, once or twice, before or after others acknowledge it: so
each request has one outcome, and is delivered only after it was sent. What is told delivered while nobody else has all of it
is counted too: a bloom filter may hit by chance. Here the messaging layer gives nothing up; the property
tests let it do that too, and kill processes. The same invariants are checked on whole channels in the tests that use
\`test/support/invariants.ts\`.

**Repairs, retransmissions, syncs**: for each message. **Bytes**: of SDS messages that all members together handed to the
network, for each message. **Converged after**: time from the last message until every member had every message, in the slowest
run; a dash where some message was given up. Half of all copies lost means that a request and its answer arrive in one of
four cases.

## With a store

Members ask the store for what they miss, and for everything new every 30 to 90 s.

${tableOf(true)}

## Without

Whatever is lost must come again from members: retransmissions, syncs and SDS-R alone.

${tableOf(false)}
`;
writeFileSync(new URL("../../../docs/simulation.md", import.meta.url), text);
