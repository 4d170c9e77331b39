/**
 * The crash enumerator sees every effect: whatever the core does goes through a port, every port is under a life's control,
 * and every method of every port is exercised by a scenario.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { declaredMembers, findAmbientEffects } from "../../support/ambient-effects.ts";
import { CrashPoints } from "../../support/crash-points.ts";
import { MANAGER_PARTS, MESSAGING_EVENTS, NOTICES, PORT_METHODS } from "../../support/mortal-peer.ts";
import { SCENARIOS } from "./crash-scenarios.ts";

// As where they are enumerated.
vi.mock("../../../src/limits.ts", async (original) => {
  const { LIMITS } = await original<typeof import("../../../src/limits.ts")>();
  const segmentation = { ...LIMITS.segmentation, segmentBytes: 256 };
  return { LIMITS: { ...LIMITS, segmentation, eventLog: { ...LIMITS.eventLog, events: 7, trimEvents: 2 } } };
});

const ROOT = resolve(import.meta.dirname, "../../..");
/** The protocol core, and what it stands on. */
const CORE = ["src/channel", "src/segmentation", "src/sds", "src/rate-limit", "src/encryption", "src/common"];

/** Where the core may touch the world, and why that is seen all the same. */
const ALLOWED = [
  { file: "src/common/clock.ts", what: "Date", why: "the clock port itself; managers are handed one" },
  { file: "src/common/clock.ts", what: "setTimeout", why: "the clock port itself" },
  { file: "src/common/clock.ts", what: "clearTimeout", why: "the clock port itself" },
  { file: "src/channel/shell.ts", what: "crypto", why: "the chance port itself; managers may be handed another" },
  { file: "src/encryption/random.ts", what: "crypto", why: "the source of nonces that ciphers are handed" },
];

const SEND = "a three-segment send, the sender killed";
const RECEIVE = "a three-segment receive with one segment out of order, the receiver killed";
const FAILURE = "a failed segment and a retry, the sender killed";
const FULL = "a log that is full and is handled, the receiver killed";
const NO_ROOM = "storage that fills up and has room again, the receiver killed";
const AWAY = "a cipher that goes and comes back, its side killed";
const CLOSE = "a close and a new opening, the sender killed";
const TAKING_UP = "a prepared channel that its page takes up, the taker killed";

type Method = {
  [P in keyof typeof PORT_METHODS]: `${P}.${keyof (typeof PORT_METHODS)[P] & string}`;
}[keyof typeof PORT_METHODS];
type Boundary =
  | Method
  | `callback of messaging.listen ${keyof typeof MESSAGING_EVENTS}`
  | `notice ${keyof typeof NOTICES}`
  | "callback of clock.after"
  | "callback of room.listen";

/** Which scenario crashes before and after it; `unused`: nothing in the channel layer calls it. */
const EXERCISED: Record<Boundary, string | "unused"> = {
  "storage.commit": SEND,
  "storage.get": SEND,
  "storage.scan": SEND,
  "messaging.listen": SEND,
  "messaging.start": SEND,
  "messaging.stop": FAILURE,
  "messaging.send": SEND,
  "messaging.subscribe": SEND,
  "messaging.unsubscribe": CLOSE,
  "messaging.retrieve": RECEIVE,
  "messaging.rewind": FULL,
  "messaging.connectionStatus": "unused",
  "messaging.topicHealth": SEND,
  "messaging.peers": RECEIVE,
  "messaging.networkChanged": "unused",
  "messaging.diagnostics": "unused",
  "room.isFull": NO_ROOM,
  "room.listen": NO_ROOM,
  "clock.now": SEND,
  "clock.after": SEND,
  "chance.newId": SEND,
  "chance.random": RECEIVE,
  "chance.nanoseconds": SEND,
  "cipher.encrypt": SEND,
  "cipher.decrypt": RECEIVE,
  "cipher.unavailable": AWAY,
  "callback of clock.after": SEND,
  "callback of room.listen": NO_ROOM,
  "callback of messaging.listen propagated": SEND,
  "callback of messaging.listen sent": SEND,
  "callback of messaging.listen error": FAILURE,
  "callback of messaging.listen received": RECEIVE,
  "callback of messaging.listen health": FAILURE,
  "notice event": SEND,
  "notice progress": RECEIVE,
  "notice status": SEND,
  "notice diagnostics": TAKING_UP,
  "notice close": CLOSE,
};

function source(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

function filesOf(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name));
}

describe("every port is under a life's control", () => {
  test.each([
    ["src/channel/ports.ts", "Storage", PORT_METHODS.storage],
    ["src/channel/ports.ts", "MessagingClient", PORT_METHODS.messaging],
    ["src/channel/ports.ts", "StorageRoom", PORT_METHODS.room],
    ["src/common/clock.ts", "Clock", PORT_METHODS.clock],
    ["src/channel/shell.ts", "Chance", PORT_METHODS.chance],
    ["src/encryption/cipher.ts", "Cipher", PORT_METHODS.cipher],
    ["src/channel/reliable-channel-manager.ts", "ManagerParts", MANAGER_PARTS],
    ["src/channel/ports.ts", "MessagingEvent", MESSAGING_EVENTS],
    ["src/channel/types.ts", "ChannelNotice", NOTICES],
  ])("%s declares of %s what the enumerator knows", (file, name, known) => {
    expect([...declaredMembers(source(file), name)].sort()).toEqual(Object.keys(known).sort());
  });
});

describe("every port method is exercised", () => {
  const labels = new Map<string, Set<string>>();

  beforeAll(async () => {
    for (const { name, run } of SCENARIOS) {
      const points = new CrashPoints();
      await run(points);
      labels.set(name, new Set(points.labels));
    }
  });

  test.each(Object.entries(EXERCISED))("%s: %s", (boundary, scenario) => {
    const passes = (seen: ReadonlySet<string> | undefined) =>
      ["before", "after"].map((side) =>
        [...(seen ?? [])].some((label) => label === `${side} ${boundary}` || label.startsWith(`${side} ${boundary} `)),
      );
    if (scenario === "unused") {
      for (const seen of labels.values()) expect(passes(seen)).toEqual([false, false]);
    } else {
      expect(passes(labels.get(scenario))).toEqual([true, true]);
    }
  });

  test("nothing else is called", () => {
    const known = Object.keys(EXERCISED);
    const others = [...labels.values()]
      .flatMap((seen) => [...seen])
      .map((label) => label.replace(/^(before|after) (result of )?/, "").replace(/ \(failed\)$/, ""))
      .filter((label) => !label.startsWith("page call "))
      .filter((label) => !known.some((boundary) => label === boundary || label.startsWith(`${boundary} `)));
    expect([...new Set(others)]).toEqual([]);
  });
});

describe("the core reaches the world through its ports only", () => {
  const inside = (file: string) => (module: string) => {
    const target = relative(ROOT, resolve(ROOT, file, "..", module));
    return target === "src/limits.ts" || CORE.some((folder) => target.startsWith(`${folder}/`));
  };

  test("no file of it uses a global that is not pure, or imports anything else", () => {
    const found = CORE.flatMap(filesOf).flatMap((file) =>
      findAmbientEffects(source(file), inside(file)).map(({ line, what }) => ({ file, line, what })),
    );
    const isAllowed = ({ file, what }: (typeof found)[number]) =>
      ALLOWED.some((allowed) => allowed.file === file && allowed.what === what);
    expect(found.filter((effect) => !isAllowed(effect))).toEqual([]);
    const stale = ALLOWED.filter((allowed) => !found.some((e) => e.file === allowed.file && e.what === allowed.what));
    expect(stale).toEqual([]);
  });

  test.each([
    ["Date.now()", "Date"],
    ["new Date()", "Date"],
    ["const at = { Date }", "Date"],
    ["setTimeout(() => {}, 1)", "setTimeout"],
    ["setInterval(tick, 1); function tick() {}", "setInterval"],
    ["queueMicrotask(() => {})", "queueMicrotask"],
    ["crypto.getRandomValues(new Uint8Array(1))", "crypto"],
    ["const { subtle } = crypto", "crypto"],
    ["const r = Math.random()", "Math.random"],
    ["await fetch('x')", "fetch"],
    ["indexedDB.open('x')", "indexedDB"],
    ["localStorage.x = 1", "localStorage"],
    ["if (navigator.onLine) {}", "navigator"],
    ["chrome.storage.local.get()", "chrome"],
    ["browser.runtime.id", "browser"],
    ["globalThis['fetch']('x')", "globalThis"],
    ["console.log(1)", "console"],
    ["new BroadcastChannel('x')", "BroadcastChannel"],
    ["someApiOfTomorrow()", "someApiOfTomorrow"],
    ["await import('node:fs')", "import()"],
    ["import fs from 'node:fs'", "import node:fs"],
    ["import { openDB } from 'idb'", "import idb"],
    ["import { x } from '../storage/database.ts'", "import ../storage/database.ts"],
    ["export { x } from '../messaging/node.ts'", "import ../messaging/node.ts"],
  ])("%s would be found", (text, what) => {
    expect(findAmbientEffects(text, inside("src/channel/any.ts")).map((effect) => effect.what)).toEqual([what]);
  });

  test.each([
    "import type { Database } from '../storage/database.ts'",
    "import { keccak_256 } from '@noble/hashes/sha3.js'",
    "import { ok } from '../common/result.ts'; ok(Math.max(1, 2))",
    "// Date.now() \n const text = 'fetch'; const now = { Date: 1 }.Date; text.fetch",
    "function tick(setTimeout: number, date: Date): Date { return setTimeout > 1 ? date : date }",
    "class A { crypto = 1; fetch() { return this.crypto } }",
  ])("%s is fine", (text) => {
    expect(findAmbientEffects(text, inside("src/channel/any.ts"))).toEqual([]);
  });
});
