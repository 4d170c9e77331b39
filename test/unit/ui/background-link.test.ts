import { beforeEach, describe, expect, it } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { LIMITS } from "../../../src/limits.ts";
import type { UiSnapshot } from "../../../src/ui/background-api.ts";
import { BackgroundLink, type LinkView, type UiPort } from "../../../src/ui/background-link.ts";

const SNAPSHOT: UiSnapshot = {
  type: "snapshot",
  version: "1",
  network: {
    status: "Connected",
    peers: { lightpush: 1, filter: 1, store: 1 },
    config: { name: "n", clusterId: 1, shards: 8, bootstrap: ["x"] },
  },
  channels: [],
  sites: [],
  prompts: [],
  vault: { state: "open", autoLockMinutes: null, welcomed: true },
  keys: [],
  details: [],
  requests: [],
  transfers: [],
  unseenFailures: 0,
  budget: null,
};

class FakePort implements UiPort {
  readonly posted: unknown[] = [];
  closed = false;
  readonly #message: ((frame: unknown) => void)[] = [];
  readonly #disconnect: (() => void)[] = [];
  readonly onMessage = { addListener: (listener: (frame: unknown) => void) => void this.#message.push(listener) };
  readonly onDisconnect = { addListener: (listener: () => void) => void this.#disconnect.push(listener) };

  postMessage(frame: unknown): void {
    if (this.closed) throw new Error("Attempting to use a disconnected port object");
    this.posted.push(frame);
  }

  disconnect(): void {
    this.closed = true;
  }

  say(frame: unknown): void {
    for (const listener of this.#message) listener(frame);
  }

  die(): void {
    this.closed = true;
    for (const listener of this.#disconnect) listener();
  }
}

describe("BackgroundLink", () => {
  let clock: VirtualClock;
  let ports: FakePort[];
  let link: BackgroundLink;
  let views: LinkView[];

  function port(): FakePort {
    const last = ports.at(-1);
    if (last === undefined) throw new Error("No port was opened");
    return last;
  }

  beforeEach(() => {
    clock = new VirtualClock();
    ports = [];
    views = [];
    link = new BackgroundLink(() => {
      const opened = new FakePort();
      ports.push(opened);
      return opened;
    }, clock);
    link.subscribe((view) => views.push(view));
  });

  it("is connecting, and says so at once, until the first snapshot", () => {
    expect(views).toEqual([{ state: "connecting", snapshot: undefined }]);
    port().say(SNAPSHOT);
    expect(views.at(-1)).toEqual({ state: "ready", snapshot: SNAPSHOT });
  });

  it("keeps what it knows while the background restarts, and reconnects by itself", async () => {
    port().say(SNAPSHOT);
    port().die();
    expect(views.at(-1)).toEqual({ state: "reconnecting", snapshot: SNAPSHOT });
    await clock.advance(LIMITS.ui.reconnectMs);
    expect(ports).toHaveLength(2);
    port().say({ ...SNAPSHOT, version: "2" });
    expect(views.at(-1)).toEqual({ state: "ready", snapshot: { ...SNAPSHOT, version: "2" } });
  });

  it("waits longer after every attempt in vain, and not longer than its limit", async () => {
    const gaps: number[] = [];
    for (let i = 0; i < 10; i++) {
      const before = ports.length;
      const start = clock.now();
      port().die();
      while (ports.length === before) await clock.advance(10);
      gaps.push(clock.now() - start);
    }
    expect(gaps).toEqual([...gaps].sort((a, b) => a - b));
    expect(gaps[0]).toBe(LIMITS.ui.reconnectMs);
    expect(gaps.at(-1)).toBe(LIMITS.ui.reconnectMaxMs);
  });

  it("tells each command's answer to the one who gave it", async () => {
    const revoke = link.command({ type: "revokeSite", origin: "https://a.example" });
    const unblock = link.command({ type: "unblockSite", origin: "https://b.example" });
    expect(port().posted).toEqual([
      { type: "command", id: 1, command: { type: "revokeSite", origin: "https://a.example" } },
      { type: "command", id: 2, command: { type: "unblockSite", origin: "https://b.example" } },
    ]);
    port().say({ type: "answer", id: 2, error: "not blocked" });
    port().say({ type: "answer", id: 1 });
    expect(await revoke).toEqual({ ok: true, value: undefined });
    expect(await unblock).toEqual({ ok: false, error: { kind: "refused", reason: "not blocked" } });
  });

  it("posts a command again that the background did not live to answer", async () => {
    const answer = link.command({ type: "answerPrompt", id: "p", decision: "always" });
    const [frame] = port().posted;
    port().die();
    await clock.advance(LIMITS.ui.reconnectMs);
    expect(port().posted).toEqual([frame]);
    port().say({ type: "answer", id: 1 });
    expect(await answer).toEqual({ ok: true, value: undefined });
    port().die();
    await clock.advance(LIMITS.ui.reconnectMaxMs);
    expect(ports).toHaveLength(3);
    expect(port().posted).toEqual([]);
  });

  it("takes a command while the port is dead and its end was not told yet", async () => {
    port().closed = true;
    const answer = link.command({ type: "unblockSite", origin: "https://b.example" });
    port().die();
    await clock.advance(LIMITS.ui.reconnectMs);
    port().say({ type: "answer", id: 1 });
    expect(await answer).toEqual({ ok: true, value: undefined });
  });

  it("hands a command's value over", async () => {
    const made = link.command({ type: "makeKey", name: "Allotment" });
    port().say({ type: "answer", id: 1, value: { keyId: "k1" } });
    expect(await made).toEqual({ ok: true, value: { keyId: "k1" } });
  });

  it("never posts a command twice that would do something else the second time", async () => {
    const made = link.command({ type: "makeKey", name: "Allotment" });
    port().die();
    expect(await made).toEqual({ ok: false, error: { kind: "interrupted" } });
    await clock.advance(LIMITS.ui.reconnectMs);
    expect(port().posted).toEqual([]);
  });

  it("posts such a command still if the dead port never took it", async () => {
    port().closed = true;
    const made = link.command({ type: "makeKey", name: "Allotment" });
    port().die();
    await clock.advance(LIMITS.ui.reconnectMs);
    expect(port().posted).toHaveLength(1);
    port().say({ type: "answer", id: 1, value: { keyId: "k1" } });
    expect(await made).toEqual({ ok: true, value: { keyId: "k1" } });
  });

  it("gives up on an answer after its time", async () => {
    const answer = link.command({ type: "unblockSite", origin: "https://b.example" });
    await clock.advance(LIMITS.ui.answerMs);
    expect(await answer).toEqual({ ok: false, error: { kind: "timeout" } });
  });

  it("ignores frames that it does not know, and answers to nothing", () => {
    for (const frame of [null, 7, "snapshot", {}, { type: "news" }, { type: "answer", id: 99 }]) port().say(frame);
    expect(views).toHaveLength(1);
  });

  it("stays closed once closed", async () => {
    link.close();
    expect(port().closed).toBe(true);
    port().die();
    await clock.advance(10 * LIMITS.ui.reconnectMaxMs);
    expect(ports).toHaveLength(1);
  });
});
