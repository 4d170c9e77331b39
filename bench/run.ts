/**
 * `npm run bench`: every benchmark, each in a process of its own, as one table on standard output and as
 * `bench/results.json`. `-- --browser` runs those in a real Chromium too; a name runs that one alone.
 */
import { fork } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { type Row, tableOf } from "./row.ts";

/** What a benchmark's file exports. */
interface Benchmark {
  rows(): Promise<readonly Row[]>;
}

const BROWSER = "--browser";
/** Milliseconds for one file: the time of a benchmark that hangs. */
const PATIENCE_MS = 300_000;
const RESULTS = join(import.meta.dirname, "results.json");

function filesIn(folder: string): readonly string[] {
  return readdirSync(join(import.meta.dirname, folder))
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name.replace(/\.ts$/, "")))
    .toSorted();
}

/** Runs one benchmark in a process of its own, so that none meets the heap and the compiled code of another. */
function runApart(file: string): Promise<readonly Row[]> {
  return new Promise((resolve, reject) => {
    const child = fork(import.meta.filename, [file], {
      execArgv: ["--expose-gc", "--max-old-space-size=3072"],
      env: { ...process.env, BENCHMARK: file },
      serialization: "advanced",
      timeout: PATIENCE_MS,
    });
    let rows: readonly Row[] | undefined;
    child.on("message", (message) => {
      // From ourselves, below.
      rows = message as readonly Row[];
    });
    child.on("error", reject);
    child.on("exit", (code) => {
      if (rows === undefined || code !== 0) reject(new Error(`${file} ended with ${code} and no result`));
      else resolve(rows);
    });
  });
}

async function runHere(file: string): Promise<void> {
  const benchmark = (await import(join(import.meta.dirname, `${file}.ts`))) as Benchmark;
  const rows = await benchmark.rows();
  process.send?.(rows, () => process.exit(0));
}

async function runAll(args: readonly string[]): Promise<void> {
  const names = args.filter((arg) => arg !== BROWSER);
  const all = [...filesIn("core"), ...(args.includes(BROWSER) || names.length > 0 ? filesIn("browser") : [])];
  const chosen = names.length === 0 ? all : all.filter((file) => names.some((name) => file.endsWith(`/${name}`)));
  if (chosen.length === 0) throw new Error(`There is no such benchmark among ${all.join(", ")}`);
  const rows: Row[] = [];
  const failed: string[] = [];
  for (const file of chosen) {
    process.stderr.write(`${file}…\n`);
    try {
      rows.push(...(await runApart(file)));
    } catch (reason) {
      failed.push(file);
      process.stderr.write(`${String(reason)}\n`);
    }
  }
  process.stdout.write(tableOf(rows));
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
  writeFileSync(RESULTS, `${JSON.stringify({ at: new Date().toISOString(), machine, rows }, undefined, 2)}\n`);
  if (failed.length > 0) throw new Error(`Did not run: ${failed.join(", ")}`);
}

const file = process.env["BENCHMARK"];
await (file === undefined ? runAll(process.argv.slice(2)) : runHere(file));
