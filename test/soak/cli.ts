/**
 * `npm run soak -- [--seed N] [--messages N] [--speed N]`: the runs that are too long for `npm test`. The report, with the
 * seed that repeats its choices, goes to `.output/soak/`.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { faultRun } from "./fault-run.ts";
import { largeMessage } from "./large-message.ts";

const MIB = 1024 * 1024;
const REPORTS = resolve(import.meta.dirname, "../../.output/soak");

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    messages: { type: "string", default: "2000" },
    speed: { type: "string", default: "4" },
  },
});
const [seed, messages, speed] = [values.seed, values.messages, values.speed].map(Number);
if (!seed || !messages || !speed || messages % 2 !== 0) {
  process.stderr.write("--seed, --messages and --speed take numbers above 0; messages an even one\n");
  process.exit(1);
}

const say = (line: string) => process.stdout.write(`${line}\n`);
const report: Record<string, unknown> = { seed, messages, speed, startedAt: new Date().toISOString() };
let failed = false;

async function part(name: string, run: () => Promise<unknown>): Promise<void> {
  say(`${name}, seed ${seed}`);
  try {
    report[name] = await run();
  } catch (thrown) {
    failed = true;
    const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause.message : "";
    report[name] = { error: String(thrown), cause };
  }
  say(JSON.stringify(report[name], null, 2));
}

await part("20 MiB within the shipped limits", () => largeMessage(seed, 20 * MIB));
await part("faults", () => faultRun({ seed, messages, limits: "none", speed, faulty: 0.3, say }));
await part("faults and the shipped limits", () =>
  faultRun({ seed, messages: messages / 2, limits: "real", speed, faulty: 0.3, say }),
);

mkdirSync(REPORTS, { recursive: true });
const file = join(REPORTS, `${seed}.json`);
writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
say(`${failed ? "FAILED" : "passed"}: ${file}`);
process.exit(failed ? 1 : 0);
