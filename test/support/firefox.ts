/** A Firefox profile with the built extension, driven over WebDriver BiDi. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import * as v from "valibot";
import { BidiSession } from "./bidi.ts";

export const FIREFOX_BUILD = join(import.meta.dirname, "../../.output/firefox-mv2");

/** The extension's identifier in its manifest. */
const EXTENSION_ID = "reliable-channel@reliable-channel.example";
/** The host of the extension's pages, which Firefox otherwise draws at random for each profile. */
const EXTENSION_UUID = "5d0a9a3e-6f0b-4a51-9c0d-0f1e2d3c4b5a";

/** Milliseconds from start to the line that names the debugging address. */
const START_MS = 60_000;

const Context = v.object({ context: v.string() });
const Evaluated = v.variant("type", [
  v.object({ type: v.literal("success"), result: v.object({ type: v.string(), value: v.optional(v.unknown()) }) }),
  v.object({ type: v.literal("exception"), exceptionDetails: v.object({ text: v.string() }) }),
]);

export function firefoxPath(): string {
  const chosen = process.env["FIREFOX_PATH"];
  return chosen === undefined || chosen === "" ? "/usr/bin/firefox-esr" : chosen;
}

/** Preferences of the temporary profile: no first-run pages, no updates, a known address for the extension's pages. */
function preferences(): string {
  const values: Readonly<Record<string, string | number | boolean>> = {
    "extensions.webextensions.uuids": JSON.stringify({ [EXTENSION_ID]: EXTENSION_UUID }),
    "xpinstall.signatures.required": false,
    "browser.shell.checkDefaultBrowser": false,
    "browser.startup.page": 0,
    "browser.aboutwelcome.enabled": false,
    "datareporting.policy.dataSubmissionEnabled": false,
    "app.update.enabled": false,
    "extensions.update.enabled": false,
    "network.captive-portal-service.enabled": false,
    "network.connectivity-service.enabled": false,
    "toolkit.telemetry.enabled": false,
  };
  return Object.entries(values)
    .map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`)
    .join("");
}

/** The BiDi address that Firefox prints once it listens. */
async function debuggingAddress(process: ChildProcess): Promise<string> {
  if (process.stderr === null) throw new Error("Firefox has no standard error");
  const lines = createInterface({ input: process.stderr });
  const timer = setTimeout(() => lines.close(), START_MS);
  try {
    for await (const line of lines) {
      const address = /WebDriver BiDi listening on (ws:\/\/\S+)/.exec(line)?.[1];
      if (address !== undefined) return address;
    }
  } finally {
    clearTimeout(timer);
  }
  throw new Error("Firefox did not start");
}

export class FirefoxProfile implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #directory: string;
  readonly #session: BidiSession;

  private constructor(process: ChildProcess, directory: string, session: BidiSession) {
    this.#process = process;
    this.#directory = directory;
    this.#session = session;
  }

  /** Starts Firefox with a new profile and installs the extension from its build folder. */
  static async launch(): Promise<FirefoxProfile> {
    const directory = await mkdtemp(join(tmpdir(), "reliable-channel-firefox-"));
    await writeFile(join(directory, "user.js"), preferences());
    const child = spawn(
      firefoxPath(),
      [
        "--headless",
        "--no-remote",
        "--profile",
        directory,
        // Port 0: Firefox takes a free one and prints it.
        "--remote-debugging-port=0",
        "--remote-allow-system-access",
      ],
      // A home of its own: Firefox refuses to run as root in the home of somebody else.
      { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, HOME: directory, MOZ_CRASHREPORTER_DISABLE: "1" } },
    );
    try {
      const address = await debuggingAddress(child);
      child.stderr?.resume();
      const session = await BidiSession.open(`${address}/session`);
      const profile = new FirefoxProfile(child, directory, session);
      await session.send("webExtension.install", { extensionData: { type: "path", path: FIREFOX_BUILD } });
      return profile;
    } catch (error) {
      await end(child, directory);
      throw error;
    }
  }

  /** The address of one of the extension's pages. */
  extensionUrl(path: string): string {
    return `moz-extension://${EXTENSION_UUID}/${path}`;
  }

  /** A new tab on `url`, loaded; gives its browsing context. */
  async open(url: string): Promise<string> {
    const { context } = v.parse(Context, await this.#session.send("browsingContext.create", { type: "tab" }));
    await this.#session.send("browsingContext.navigate", { context, url, wait: "complete" });
    return context;
  }

  /** The JSON value of `expression` (which may be a promise) in a tab; rejects with the page's exception. */
  async evaluate(context: string, expression: string): Promise<unknown> {
    const answer = v.parse(
      Evaluated,
      await this.#session.send("script.evaluate", {
        // As text, since BiDi has a notation of its own for objects.
        expression: `(async () => JSON.stringify(await (${expression})))()`,
        target: { context },
        awaitPromise: true,
      }),
    );
    if (answer.type === "exception") throw new Error(answer.exceptionDetails.text);
    const { value } = answer.result;
    return typeof value === "string" ? JSON.parse(value) : undefined;
  }

  async close(): Promise<void> {
    this.#session.close();
    await end(this.#process, this.#directory);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function end(child: ChildProcess, directory: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await exited;
  }
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
}
