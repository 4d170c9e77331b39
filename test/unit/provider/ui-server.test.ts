import { describe, expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import type { UiAnswer, UiCommand, UiSnapshot } from "../../../src/ui/background-api.ts";
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
      sites: [{ origin: SITE, state: "granted", since: expect.any(Number), lasts: "always", channels: 1 }],
      prompts: [],
      vault: { state: "open", autoLockMinutes: 60, welcomed: false },
      keys: [],
      details: [{ channel: { origin: SITE, channelId: "room" }, label: "room", undecryptable: 0, foreignLayout: 0 }],
      requests: [],
      transfers: [],
      budget: null,
    });
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
