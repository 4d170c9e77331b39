import { describe, expect, test, vi } from "vitest";
import type { MessagingDiagnostics } from "../../../src/channel/ports.ts";
import { err, ok } from "../../../src/common/result.ts";
import { LIMITS } from "../../../src/limits.ts";
import { diagnosticsText } from "../../../src/provider/diagnostics-text.ts";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { SeenFailures } from "../../../src/provider/seen-failures.ts";
import type { UiAnswer, UiCommand, UiSnapshot } from "../../../src/ui/background-api.ts";
import { FakeSession } from "../keys/vault-world.ts";
import { EXTENSION_ID, EXTENSION_URL, failureOf, SITE, TOPIC, World } from "./world.ts";

const PLAIN = { channelId: "room", contentTopic: TOPIC, encryption: { mode: "none" } } as const;

async function opened() {
  const world = new World();
  const page = await world.trustedPage();
  await page.provider.createReliableChannel(PLAIN);
  const popup = await world.popup();
  let id = 0;
  const command = async (sent: UiCommand): Promise<UiAnswer> => {
    id++;
    popup.port.postMessage({ type: "command", id, command: sent });
    await world.clock.settle();
    const answer = popup.frames.find((frame) => (frame as UiAnswer).type === "answer" && (frame as UiAnswer).id === id);
    if (!answer) throw new Error("no answer");
    return answer as UiAnswer;
  };
  return { world, page, popup, command };
}

/** Messaging with nothing to do. */
const QUIET: MessagingDiagnostics = {
  network: "local",
  status: "Connected",
  peers: { lightpush: [], filter: [], store: [] },
  lacks: [],
  subscriptions: [],
  queue: { queued: 0, propagated: 0, pushing: 0, oldestMs: 0 },
  lastErrors: [],
};

describe("the popup's server", () => {
  test("a snapshot on connect has everything", async () => {
    const { popup } = await opened();
    expect(popup.snapshot()).toEqual({
      type: "snapshot",
      version: "0.0.0",
      network: {
        status: "Connected",
        peers: { lightpush: 1, filter: 1, store: 1 },
        config: { name: "local", clusterId: 42, shards: 8, bootstrap: [] },
      },
      channels: [expect.objectContaining({ origin: SITE, channelId: "room" })],
      sites: [{ origin: SITE, state: "granted", since: expect.any(Number), lasts: "always", channels: 1, pending: 0 }],
      prompts: [],
      vault: { state: "open", autoLockMinutes: 60, welcomed: false },
      keys: [],
      details: [{ channel: { origin: SITE, channelId: "room" }, label: "room", undecryptable: 0, foreignLayout: 0 }],
      requests: [],
      transfers: [],
      unseenFailures: 0,
      budget: null,
    });
  });

  test("an open channel has the number of peers that serve its topic, a closed one none", async () => {
    const { world, popup, command } = await opened();
    world.messagingDiagnostics = {
      ...QUIET,
      subscriptions: [
        { contentTopic: "/test/1/other/proto", health: "MINIMALLY_HEALTHY", filterNodes: 1 },
        { contentTopic: TOPIC, health: "SUFFICIENTLY_HEALTHY", filterNodes: 3 },
      ],
    };
    await command({ type: "seeFailures" });
    expect(popup.snapshot().details).toMatchObject([{ peers: 3 }]);
    await command({ type: "closeChannel", channel: { origin: SITE, channelId: "room" } });
    expect(popup.snapshot().details).toHaveLength(1);
    expect(popup.snapshot().details[0]).not.toHaveProperty("peers");
  });

  test("changes that come together are one snapshot", async () => {
    const { world, popup } = await opened();
    const { manager } = await world.worker();
    const before = popup.frames.length;
    for (let i = 0; i < 50; i++) {
      manager.tell(
        { origin: SITE, channelId: "room" },
        { type: "progress", direction: "in", id: "m", done: i, total: 50 },
      );
    }
    await world.clock.advance(1_000);
    expect(popup.frames.length - before).toBe(1);
  });

  test("what nobody can read is a change too, and a flood of it is one snapshot", async () => {
    const { world, popup } = await opened();
    const { manager } = await world.worker();
    const before = popup.frames.length;
    const none = { otherMarker: 0, otherLayout: 0, unreadable: 0, otherChannel: 0 };
    for (let undecryptable = 1; undecryptable <= 50; undecryptable++) {
      const diagnostics = { ...none, undecryptable };
      manager.tell({ origin: SITE, channelId: "room" }, { type: "diagnostics", diagnostics });
    }
    await world.clock.advance(1_000);
    expect(popup.frames.length - before).toBe(1);
  });

  test("a prompt is shown, and answered once", async () => {
    const { world, popup, command } = await opened();
    const other = world.page("https://other.example");
    const connected = other.provider.connect();
    await world.clock.advance(100);
    const [prompt] = popup.snapshot().prompts;
    if (!prompt) throw new Error("no prompt");
    expect(prompt).toMatchObject({ origin: "https://other.example" });
    expect(await command({ type: "answerPrompt", id: prompt.id, decision: "always" })).not.toHaveProperty("error");
    expect((await connected).grants).toHaveLength(3);
    expect(popup.snapshot()).toMatchObject({
      prompts: [],
      sites: [{}, { origin: "https://other.example", channels: 0 }],
    });
    expect((await command({ type: "answerPrompt", id: prompt.id, decision: "always" })).error?.kind).toBe(
      "prompt-gone",
    );
  });

  test("every command does what it says and may be repeated", async () => {
    const { world, popup, command } = await opened();
    const close: UiCommand = { type: "closeChannel", channel: { origin: SITE, channelId: "room" } };
    const config = { name: "other", clusterId: 1, shards: 8, bootstrap: ["/dns4/node.example/tcp/443/wss"] };
    for (let i = 0; i < 2; i++) {
      expect(await command(close)).not.toHaveProperty("error");
      expect(await command({ type: "revokeSite", origin: SITE })).not.toHaveProperty("error");
      expect(await command({ type: "unblockSite", origin: SITE })).not.toHaveProperty("error");
      expect(await command({ type: "setNetwork", config })).not.toHaveProperty("error");
    }
    await world.clock.advance(100);
    expect(popup.snapshot()).toMatchObject({
      channels: [{ channelId: "room", status: { state: "closed" } }],
      sites: [],
      network: { config },
    });
  });

  test("what a person answers, takes away or looks up moves the time at which the vault locks", async () => {
    const { world, command } = await opened();
    const { vault } = await world.worker();
    await vault.setPassword("correct horse");
    const almost = LIMITS.keys.autoLockMs - 1;
    const config = { name: "other", clusterId: 1, shards: 8, bootstrap: [] };
    const used: readonly UiCommand[] = [
      { type: "answerPrompt", id: "none", decision: "reject" },
      { type: "revokeSite", origin: SITE },
      { type: "revokeAllSites" },
      { type: "unblockSite", origin: SITE },
      { type: "closeChannel", channel: { origin: SITE, channelId: "room" } },
      { type: "setNetwork", config },
      { type: "testPeer", address: "/dns4/node.example/tcp/443/wss", config },
      { type: "readDiagnostics" },
      { type: "inspectKeyText", text: "" },
    ];
    for (const each of used) {
      await world.clock.advance(almost);
      await command(each);
      expect([each.type, vault.state]).toEqual([each.type, "unlocked"]);
    }
    await world.clock.advance(almost);
    expect(vault.state).toBe("unlocked");
  });

  test("a popup that stands open beside failing requests does not keep the vault unlocked", async () => {
    const { world, command } = await opened();
    const { vault } = await world.worker();
    await vault.setPassword("correct horse");
    await world.clock.advance(LIMITS.keys.autoLockMs - 1);
    await command({ type: "seeFailures" });
    await world.clock.advance(1);
    expect(vault.state).toBe("locked");
  });

  test("a command that makes no sense is answered, what is no command is dropped", async () => {
    const { world, popup, command } = await opened();
    expect((await command({ type: "format" } as unknown as UiCommand)).error?.message).toMatch(/no sense/);
    const before = popup.frames.length;
    for (const frame of [null, 7, "command", {}, { type: "command" }, { type: "command", id: "1" }])
      popup.port.postMessage(frame);
    await world.clock.settle();
    expect(popup.frames.length).toBe(before);
  });

  test("at its end it answers what it was asked, and leaves to the next one what comes after that", async () => {
    const { world, popup } = await opened();
    const { promise: carriedOut, resolve: carryOut } = Promise.withResolvers<void>();
    const { manager, stopUi } = await world.worker();
    const close = manager.closeChannel.bind(manager);
    manager.closeChannel = async (...args) => {
      await carriedOut;
      return close(...args);
    };
    const command = (id: number): void =>
      popup.port.postMessage({
        type: "command",
        id,
        command: { type: "closeChannel", channel: { origin: SITE, channelId: "room" } },
      });
    const answers = () => popup.frames.filter((frame) => (frame as UiAnswer).type === "answer");
    let closed = false;
    popup.port.onDisconnect.addListener(() => {
      closed = true;
    });
    command(1);
    await world.clock.settle();
    const stopped = stopUi();
    command(2);
    await world.clock.settle();
    expect([answers(), closed]).toEqual([[], false]);
    carryOut();
    await stopped;
    await world.clock.settle();
    expect([answers(), closed]).toEqual([[{ type: "answer", id: 1 }], true]);
  });

  test("an answer that does not come does not hold up its end", async () => {
    const { world, popup } = await opened();
    const { manager, stopUi } = await world.worker();
    manager.closeChannel = () => new Promise(() => {});
    const { promise: closed, resolve: close } = Promise.withResolvers<void>();
    popup.port.onDisconnect.addListener(close);
    popup.port.postMessage({
      type: "command",
      id: 1,
      command: { type: "closeChannel", channel: { origin: SITE, channelId: "room" } },
    });
    await world.clock.settle();
    const stopped = stopUi();
    await world.clock.advance(LIMITS.background.answersMs);
    await Promise.all([stopped, closed]);
  });

  test("a command that fails is answered with the reason", async () => {
    const { world, command } = await opened();
    world.storage.beforeCommit = () => {
      throw new Error("disk full");
    };
    expect((await command({ type: "revokeSite", origin: SITE })).error).toEqual({
      kind: "internal",
      message: "disk full",
    });
  });

  test.each([
    ["a content script of ours", { id: EXTENSION_ID, url: `${SITE}/` }],
    ["a site that looks like us", { id: EXTENSION_ID, url: `https://evil.example/${EXTENSION_URL}popup.html` }],
    ["another extension", { id: "other", url: `${EXTENSION_URL}popup.html` }],
  ])("%s gets nothing", async (_, sender) => {
    const world = new World();
    const popup = await world.popup(sender);
    expect(popup.port.open).toBe(false);
    expect(popup.frames).toEqual([]);
  });

  test("a site that is blocked while it asks for more loses its channels", async () => {
    const world = new World();
    const page = world.page();
    const connected = page.provider.connect({ contentTopics: [TOPIC] });
    await world.answer("always");
    await connected;
    await page.provider.createReliableChannel(PLAIN);
    const more = failureOf(page.provider.connect());
    await world.clock.settle();
    const popup = await world.popup();
    const [prompt] = popup.snapshot().prompts;
    if (!prompt) throw new Error("no prompt");
    popup.port.postMessage({
      type: "command",
      id: 1,
      command: { type: "answerPrompt", id: prompt.id, decision: "block" },
    });
    expect(await more).toMatchObject({ code: ErrorCode.UserRejected });
    await world.clock.settle();
    expect((await world.worker()).manager.channels()).toEqual([]);
  });

  test("a revocation that a worker's death cut short is completed by the next one", async () => {
    const { world } = await opened();
    const { permissions } = await world.worker();
    await permissions.revoke(SITE);
    await world.kill();
    expect((await world.worker()).manager.channels()).toEqual([]);
  });

  test("a channel outlives a grant that ended with the browser session, and the worker's death", async () => {
    const world = new World();
    const page = world.page();
    const connected = page.provider.connect();
    await world.answer("once");
    await connected;
    await page.provider.createReliableChannel(PLAIN);
    world.browserSession = "second session";
    await world.kill();
    expect((await world.worker()).manager.channels()).toHaveLength(1);
  });

  test("the snapshot that shows a command's effect comes before its answer", async () => {
    const { popup, command } = await opened();
    await command({ type: "revokeSite", origin: SITE });
    const [snapshot, answer] = popup.frames.slice(-2);
    expect((snapshot as UiSnapshot).sites).toEqual([]);
    expect(answer).toMatchObject({ type: "answer" });
  });
});

describe("several sites", () => {
  test("all grants are taken away at once: pages are told, channels close, and blocked sites stay blocked", async () => {
    const { world, page, popup, command } = await opened();
    const told: unknown[] = [];
    page.provider.on("permissionsChanged", (grants) => told.push(grants));
    await world.trustedPage("https://other.example");
    const refused = failureOf(world.page("https://third.example").provider.connect());
    await world.answer("block");
    await refused;
    expect(await command({ type: "revokeAllSites" })).not.toHaveProperty("error");
    expect(popup.snapshot()).toMatchObject({
      sites: [{ origin: "https://third.example", state: "blocked" }],
      channels: [{ status: { state: "closed" } }],
    });
    expect(told).toEqual([[]]);
  });

  test("each shows its open channels and what of it is still being sent", async () => {
    const { world, page, popup } = await opened();
    await page.provider.send("room", Uint8Array.of(1));
    await world.trustedPage("https://other.example");
    await world.clock.advance(100);
    expect(popup.snapshot().sites).toMatchObject([
      { origin: SITE, channels: 1, pending: 1 },
      { origin: "https://other.example", channels: 0, pending: 0 },
    ]);
  });
});

describe("failures", () => {
  const ROOM = { origin: SITE, channelId: "room" };

  /** One that a page sent, and that failed. */
  async function failed() {
    const all = await opened();
    const { world, page } = all;
    const requestId = await page.provider.send("room", Uint8Array.of(1));
    const fail = async (): Promise<void> => {
      const { manager } = await world.worker();
      await manager.settle(ROOM, "send-error");
      await manager.log(ROOM, { type: "reliable:message:send-error", requestId, kind: "refused", error: "420" });
      await world.clock.advance(100);
    };
    await fail();
    return { ...all, fail, requestId };
  }

  test("are on the badge until the person looks at them, also after a restart", async () => {
    const { world, popup, command } = await failed();
    expect(world.badge?.text).toBe("!1");
    expect(popup.snapshot().unseenFailures).toBe(1);
    await command({ type: "seeFailures" });
    expect(popup.snapshot()).toMatchObject({ unseenFailures: 0, requests: [{ state: "send-error" }] });
    await world.clock.advance(100);
    expect(world.badge?.text).toBe("");
    await world.kill();
    await world.worker();
    expect(world.badge?.text).toBe("");
  });

  test("that were looked at are news again where they fail a second time", async () => {
    const { world, command, fail, requestId } = await failed();
    await command({ type: "seeFailures" });
    await command({ type: "retryRequest", channel: ROOM, requestId });
    await world.clock.advance(100);
    expect(world.badge?.text).toBe("");
    await fail();
    expect(world.badge?.text).toBe("!1");
  });

  test("are not remembered without end, and what is stored and is nothing of ours is passed over", async () => {
    const settings = new FakeSession();
    await settings.set({ seenFailures: [7, "r-0"] });
    const seen = await SeenFailures.load(settings);
    const requests = Array.from({ length: 1_200 }, (_, i) => ({ requestId: `r-${i}`, state: "send-error" as const }));
    expect(seen.unseen(requests)).toBe(1_199);
    await seen.see(requests);
    expect((await settings.get("seenFailures"))["seenFailures"]).toHaveLength(1_000);
    expect(seen.unseen(requests.slice(-1_000))).toBe(0);
  });
});

describe("the test of an address", () => {
  const config = { name: "local", clusterId: 42, shards: 8, bootstrap: [] };

  test("is answered with what it came to, and with why it came to nothing", async () => {
    const { world, command } = await opened();
    const asked: string[] = [];
    world.testPeer = async (address) => {
      asked.push(address);
      return address === "/good"
        ? ok({ kind: "peer", peerId: "p", services: ["store"], ms: 7 })
        : err({ kind: "unusable", message: "no" });
    };
    expect((await command({ type: "testPeer", address: "/good", config })).value).toEqual({
      kind: "peer",
      peerId: "p",
      services: ["store"],
      ms: 7,
    });
    expect((await command({ type: "testPeer", address: "/bad", config })).value).toEqual({
      failed: true,
      kind: "unusable",
      message: "no",
    });
    expect((await command({ type: "testPeer", address: "x".repeat(513), config })).error?.kind).toBe("internal");
    expect(asked).toEqual(["/good", "/bad"]);
  });

  test("no more of them run at once than may, and one that ended makes room", async () => {
    const { world, popup, command } = await opened();
    const held = Promise.withResolvers<Awaited<ReturnType<World["testPeer"]>>>();
    world.testPeer = () => held.promise;
    for (let id = 100; id < 100 + LIMITS.messaging.peerTests; id++) {
      popup.port.postMessage({ type: "command", id, command: { type: "testPeer", address: "/a", config } });
    }
    expect((await command({ type: "testPeer", address: "/a", config })).error?.kind).toBe("tests-busy");
    held.resolve(err({ kind: "no-answer", message: "no answer in time" }));
    await world.clock.settle();
    expect(await command({ type: "testPeer", address: "/a", config })).not.toHaveProperty("error");
  });
});

describe("the epoch budget", () => {
  test("is told anew when its epoch is over, though nothing else happens", async () => {
    const { world, popup } = await opened();
    const start = world.clock.now();
    world.budget = { limit: 3, remaining: 0, resetsAt: start + 60_000 };
    const { manager } = await world.worker();
    manager.tell({ origin: SITE, channelId: "room" }, { type: "close", reason: "user" });
    await world.clock.advance(100);
    expect(popup.snapshot().budget?.remaining).toBe(0);
    world.budget = { limit: 3, remaining: 3, resetsAt: start + 120_000 };
    await world.clock.advance(59_000);
    expect(popup.snapshot().budget?.remaining).toBe(0);
    await world.clock.advance(1_100);
    expect(popup.snapshot().budget?.remaining).toBe(3);
  });

  test("whose epoch ends beyond what a timer can wait for makes no timer fire at once", async () => {
    const { world, popup } = await opened();
    const after = vi.spyOn(world.clock, "after");
    world.budget = { limit: 3, remaining: 0, resetsAt: world.clock.now() + 10 * 365 * 86_400_000 };
    const { manager } = await world.worker();
    manager.tell({ origin: SITE, channelId: "room" }, { type: "close", reason: "user" });
    await world.clock.advance(100);
    expect(popup.snapshot().budget?.remaining).toBe(0);
    // Milliseconds that `setTimeout` takes for what they are.
    for (const [ms] of after.mock.calls) expect(ms).toBeLessThan(2 ** 31);
    after.mockRestore();
  });
});

describe("diagnostics as text", () => {
  test("have versions, health, counters, topics and recent errors, and no key, content, site, name or sender", async () => {
    const { world, page, command } = await opened();
    world.messagingDiagnostics = {
      network: "local",
      status: "Connected",
      peers: { lightpush: ["16Uiu2HAm"], filter: [], store: [] },
      lacks: [{ service: "store", peers: 0 }],
      subscriptions: [{ contentTopic: TOPIC, health: "UNHEALTHY", filterNodes: 0 }],
      queue: { queued: 3, propagated: 0, pushing: 1, oldestMs: 5_000 },
      lastErrors: [{ at: 0, what: "lightpush 16Uiu2HAm: 503 busy" }],
    };
    await command({ type: "makeKey", name: "Secret circle" });
    await page.provider.send("room", new TextEncoder().encode("what was said"));
    await command({ type: "renameChannel", channel: { origin: SITE, channelId: "room" }, label: "Book club" });
    const { manager } = await world.worker();
    await manager.settle({ origin: SITE, channelId: "room" }, "send-error");
    const { text } = (await command({ type: "readDiagnostics" })).value as { readonly text: string };
    expect(JSON.parse(text)).toMatchObject({
      version: "0.0.0",
      browser: "Test browser",
      vault: "open",
      network: { name: "local", clusterId: 42, status: "Connected" },
      counts: { sites: 1, keys: 1, unseenFailures: 1 },
      channels: [{ contentTopic: TOPIC, encryption: "none", state: "open", unread: { undecryptable: 0 } }],
      requests: { "send-error": 1 },
      messaging: {
        subscriptions: [{ contentTopic: TOPIC }],
        queue: { queued: 3 },
        lastErrors: ["1970-01-01T00:00:00.000Z lightpush 16Uiu2HAm: 503 busy"],
      },
    });
    for (const secret of ["Secret circle", "Book club", "what was said", SITE, "room", "sender of"]) {
      expect(text).not.toContain(secret);
    }
  });

  test("have no words of the site's own, which may quote what it was to encrypt", async () => {
    const { world, page, popup } = await opened();
    await page.provider.send("room", new TextEncoder().encode("what was said"));
    const { manager } = await world.worker();
    await manager.settle({ origin: SITE, channelId: "room" }, "send-error");
    await world.clock.advance(100);
    const snapshot = popup.snapshot();
    const failed = (failure: "encryption" | "refused", error: string) => {
      const requests = snapshot.requests.map((request) => ({ ...request, failure, error }));
      const parts = { now: 0, browser: "Test browser", manager, messaging: undefined };
      return diagnosticsText({ ...parts, snapshot: { ...snapshot, requests } });
    };
    expect(failed("refused", "420: too large")).toContain("420: too large");
    const text = failed("encryption", "encryption failed: cannot encrypt what was said");
    expect(text).not.toContain("what was said");
    expect(JSON.parse(text)).toMatchObject({ failedRequests: [{ state: "send-error", failure: "encryption" }] });
  });
});
