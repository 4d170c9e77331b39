/** Writes docs/simulation.md: what becomes of messages in channels of 3, 10 and 50 members when copies are lost. */
import { writeFileSync } from "node:fs";
import { breaches, eventsOf, type SimulationOptions, simulate } from "./simulation.ts";

const MESSAGES = 100;
const SEEDS = [1, 2, 3];
const COLUMNS = [
  "members",
  "loss",
  "delivered",
  "order equal",
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
    return simulate(options);
  });
  const total = (count: (run: (typeof runs)[number]) => number) => runs.reduce((sum, run) => sum + count(run), 0);
  const perMessage = (count: (run: (typeof runs)[number]) => number) => total(count) / runs.length / MESSAGES;
  const slowest = runs.reduce((worst, { convergedMs = Number.POSITIVE_INFINITY }) => Math.max(worst, convergedMs), 0);
  const cells = [
    members,
    `${loss * 100} %`,
    `${((100 * total(({ delivered }) => delivered)) / runs.length).toFixed(2)} %`,
    `${runs.filter(({ sameLog }) => sameLog).length} of ${runs.length}`,
    total((run) => eventsOf(run, "lost")),
    total((run) => breaches(run).length),
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

Order equal: in how many runs all members ended with the same log. Breaches: violations of the invariants I1–I5. Repairs,
retransmissions and syncs: for each message. Bytes: of SDS messages that all members together handed to the network, for
each message. Converged: time from the last message until every member had every message, in the slowest run; a
dash where some message was given up. Half of all copies lost means that a request and its answer arrive in one of four
cases.

## With a store

Members ask the store for what they miss, and for everything new every 30 to 90 s.

${tableOf(true)}

## Without

Whatever is lost must come again from members: retransmissions, syncs and SDS-R alone.

${tableOf(false)}
`;
writeFileSync(new URL("../../../docs/simulation.md", import.meta.url), text);
