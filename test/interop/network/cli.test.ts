import type { ChildProcessByStdio } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { RawClient } from "./raw-client.ts";

const CLI = fileURLToPath(new URL("../../../dev/network/cli.ts", import.meta.url));

interface Running {
  readonly process: ChildProcessByStdio<null, Readable, Readable>;
  /** The addresses that it printed. */
  readonly addresses: readonly string[];
  /** The line after them. */
  readonly words: string;
}

const running: Running[] = [];

afterEach(() => {
  for (const { process } of running.splice(0)) process.kill("SIGKILL");
});

async function run(...args: string[]): Promise<Running> {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const addresses: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith("/")) {
      const started = { process: child, addresses, words: line };
      running.push(started);
      return started;
    }
    addresses.push(line);
  }
  throw new Error("it ended before it was ready");
}

async function end({ process }: Running, signal: NodeJS.Signals): Promise<unknown> {
  const exit = once(process, "exit");
  process.kill(signal);
  const [code] = await exit;
  return code;
}

describe("npm run network", () => {
  test("prints one address a node, serves there, and ends on SIGINT and on SIGTERM", async () => {
    const first = await run("--port", "0", "--cluster", "7", "--shards", "2");
    expect(first.addresses).toHaveLength(2);
    for (const address of first.addresses)
      expect(address).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/ws\/p2p\/16Uiu2\w+$/);
    expect(first.words).toContain("cluster 7, 2 shards");
    const client = await RawClient.start({ metadata: { clusterId: 7, shards: [] } });
    const connection = await client.connect(first.addresses[0] ?? "");
    expect((await client.query(connection, {})).statusCode).toBe(200);
    await client.stop();
    expect(await end(first, "SIGINT")).toBe(0);

    const second = await run("--port", "0");
    const peerId = (address: string): string | undefined => address.split("/p2p/")[1];
    expect(second.addresses.map(peerId)).toEqual(first.addresses.map(peerId));
    expect(await end(second, "SIGTERM")).toBe(0);
  });

  test("says what is wrong with its arguments, and when its port is taken", async () => {
    expect(await complaint("--port", "nowhere")).toBe('--port takes a whole number from 0 to 65534, not "nowhere"');
    const first = await run("--port", "0", "--nodes", "1");
    const port = first.addresses[0]?.split("/")[4] ?? "";
    expect(await complaint("--port", port, "--nodes", "1")).toContain(`port ${port} `);
  });
});

/** What a run that fails says. */
async function complaint(...args: string[]): Promise<string> {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const exit = once(child, "exit");
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stderr })) lines.push(line);
  expect((await exit)[0]).toBe(1);
  return lines.join("\n");
}
