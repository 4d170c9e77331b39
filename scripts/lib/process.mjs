/** Child processes in groups of their own, so that whatever a child started ends with it. */
import { spawn } from "node:child_process";
import { once } from "node:events";

/** Milliseconds between the polite signal and the one that cannot be refused. */
const GRACE_MS = 10_000;

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env]
 * @property {import("node:child_process").StdioOptions} [stdio] default: inherited
 * @property {number} [timeoutMs] after this the whole group is ended
 *
 * @typedef {object} RunResult
 * @property {number} code exit code; 128 and more when a signal ended the process
 * @property {boolean} timedOut
 * @property {number} ms wall-clock time
 */

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();

/**
 * Signals the process group of a child started here.
 * @param {import("node:child_process").ChildProcess} child
 * @param {NodeJS.Signals} signal
 */
function signalGroup(child, signal) {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone already, which is what was wanted.
  }
}

/**
 * Starts a command as the leader of its own process group.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 */
export function start(command, args, options = {}) {
  const child = spawn(command, [...args], {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: options.stdio ?? "inherit",
    detached: true,
  });
  running.add(child);
  child.once("close", () => running.delete(child));
  child.once("error", () => running.delete(child));
  return child;
}

/**
 * Runs a command to its end.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<RunResult>}
 */
export async function run(command, args, options = {}) {
  const began = performance.now();
  const child = start(command, args, options);
  let timedOut = false;
  /** @type {NodeJS.Timeout | undefined} */
  let killer;
  const timer =
    options.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          signalGroup(child, "SIGTERM");
          killer = setTimeout(() => signalGroup(child, "SIGKILL"), GRACE_MS);
        }, options.timeoutMs);
  try {
    const [code, signal] = await once(child, "close");
    return { code: code ?? (signal === null ? 1 : 128), timedOut, ms: performance.now() - began };
  } catch {
    return { code: 127, timedOut, ms: performance.now() - began };
  } finally {
    clearTimeout(timer);
    clearTimeout(killer);
    // What the leader left behind ends with it.
    signalGroup(child, "SIGTERM");
  }
}

/**
 * Runs a command quietly and gives its standard output; `undefined` when it fails or is missing.
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {Promise<string | undefined>}
 */
export async function capture(command, args) {
  const child = start(command, args, { stdio: ["ignore", "pipe", "ignore"] });
  let text = "";
  child.stdout?.setEncoding("utf8").on("data", (part) => {
    text += part;
  });
  try {
    const [code] = await once(child, "close");
    return code === 0 ? text.trim() : undefined;
  } catch {
    return undefined;
  }
}

/** Ends every process group that is still running; resolves when all are gone. */
export async function endAll() {
  const children = [...running];
  await Promise.all(
    children.map(async (child) => {
      const ended = once(child, "close");
      signalGroup(child, "SIGTERM");
      const killer = setTimeout(() => signalGroup(child, "SIGKILL"), GRACE_MS);
      await ended.catch(() => undefined);
      clearTimeout(killer);
    }),
  );
}

/** Ctrl-C and a termination request end everything that was started here, then this process. */
export function endAllOnSignal() {
  let ending = false;
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.on(signal, () => {
      if (ending) return;
      ending = true;
      void endAll().then(() => process.exit(signal === "SIGINT" ? 130 : 143));
    });
  }
}
