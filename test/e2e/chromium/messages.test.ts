import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ChannelPage, type PlainChannelParams } from "../../support/channel-page.ts";
import type { ChromiumProfile } from "../../support/chromium.ts";
import { type PageServer, startPageServer } from "../../support/page-server.ts";
import { Stack } from "../../support/stack.ts";

const RECEIVED = "reliable:message:received";
const SENT = "reliable:message:sent";
const DELIVERED = "reliable:message:delivered";

const PARAMS: PlainChannelParams = {
  channelId: "messages",
  contentTopic: "/test/1/messages/proto",
  encryption: { mode: "none" },
};

describe("two profiles on one channel", () => {
  let stack: Stack;
  let server: PageServer;
  let aliceProfile: ChromiumProfile;
  let bobProfile: ChromiumProfile;
  let alice: ChannelPage;
  let bob: ChannelPage;

  beforeAll(async () => {
    server = await startPageServer({ "/": { html: "<!doctype html><title>Test</title>" } });
    stack = await Stack.start();
    [aliceProfile, bobProfile] = await Promise.all([stack.profile(), stack.profile()]);
    alice = new ChannelPage(await aliceProfile.open(server.origin), { ...PARAMS, senderId: "alice" });
    bob = new ChannelPage(await bobProfile.open(server.origin), { ...PARAMS, senderId: "bob" });
    for (const [profile, page] of [
      [aliceProfile, alice],
      [bobProfile, bob],
    ] as const) {
      const attached = page.attach();
      await profile.answerPrompt("always");
      expect(await attached).toEqual({ ok: true, value: null });
    }
  });

  afterAll(async () => {
    await stack?.close();
    await server?.close();
  });

  /** Sends and waits for the whole way: stored by the network, received at the other end, acknowledged by it. */
  async function deliver(from: ChannelPage, to: ChannelPage, text: string): Promise<void> {
    const sent = await from.send(text);
    if (!sent.ok) throw new Error(`${sent.code} ${sent.message}`);
    const sha256 = createHash("sha256").update(text).digest("hex");
    await to.waitFor(RECEIVED, { sha256 });
    await from.waitFor(SENT, { requestId: sent.value });
    // An acknowledgement rides on what the other side sends next.
    await from.waitFor(DELIVERED, { requestId: sent.value });
  }

  test("text arrives with its sender, is stored, and is acknowledged by the other end, both ways", async () => {
    await deliver(alice, bob, "Good morning");
    expect(await bob.waitFor(RECEIVED, { text: "Good morning" })).toMatchObject({ senderId: "alice", replayed: false });
    await deliver(bob, alice, "Good morning to you");
    expect(await alice.waitFor(RECEIVED, { text: "Good morning to you" })).toMatchObject({ senderId: "bob" });
  });

  test("MI4: a message of 300 KiB crosses in several segments, whole and once", async () => {
    const text = Array.from(
      { length: 300 * 1024 },
      (_, index) => "0123456789abcdef"[(index * 7 + (index >> 8)) % 16],
    ).join("");
    await deliver(alice, bob, text);
    const arrived = (await bob.seen(RECEIVED)).filter(({ length }) => length === text.length);
    expect(arrived).toHaveLength(1);
  });

  test("MI1, MI2: every send event names a request that was made, and none comes twice", async () => {
    const requests = await Promise.all(["one", "two", "three"].map((text) => alice.send(text)));
    const ids = requests.map((request) => (request.ok ? request.value : `failed: ${request.message}`));
    for (const requestId of ids) await alice.waitFor(DELIVERED, { requestId });
    for (const type of [SENT, DELIVERED] as const) {
      const named = (await alice.seen(type)).map(({ requestId }) => requestId);
      expect(new Set(named).size).toBe(named.length);
      expect(named).toEqual(expect.arrayContaining(ids));
    }
    expect(await alice.seen("reliable:message:send-error")).toEqual([]);
  });

  test("the same idempotency key sends once and gives the first identifier again", async () => {
    const first = await alice.send("only once", { idempotencyKey: "key-1" });
    const again = await alice.send("only once", { idempotencyKey: "key-1" });
    expect(first.ok).toBe(true);
    expect(again).toEqual(first);
    await bob.waitFor(RECEIVED, { text: "only once" });
    await deliver(alice, bob, "a message after it");
    expect((await bob.seen(RECEIVED)).filter(({ text }) => text === "only once")).toHaveLength(1);
  });

  test("a reloaded page gets what it had not acknowledged, nothing that it had, and goes on receiving", async () => {
    await bob.page.reload();
    await bob.attach({ autoAck: false });
    await deliver(alice, bob, "before the reload");
    await bob.page.reload();
    await bob.attach();
    const replayed = await bob.waitFor(RECEIVED, { text: "before the reload" });
    expect(replayed.replayed).toBe(true);
    await deliver(alice, bob, "after the reload");
    const texts = (await bob.seen(RECEIVED)).map(({ text }) => text);
    expect(texts).toEqual(["before the reload", "after the reload"]);

    await bob.page.reload();
    await bob.attach();
    await deliver(alice, bob, "after the second reload");
    expect((await bob.seen(RECEIVED)).map(({ text }) => text)).toEqual(["after the second reload"]);
  });

  test("history gives every message once, oldest first", async () => {
    const texts = await bob.page.evaluate(async () => {
      const found: string[] = [];
      for await (const event of window.testChannel?.channel.history() ?? []) {
        if (event.type === "reliable:message:received" && event.message.length < 1024) {
          found.push(new TextDecoder().decode(event.message));
        }
      }
      return found;
    });
    expect(texts[0]).toBe("Good morning");
    expect(texts).toEqual(expect.arrayContaining(["one", "two", "three", "only once", "before the reload"]));
    expect(new Set(texts).size).toBe(texts.length);
  });

  test("a page that was closed finds what arrived meanwhile", async () => {
    await bob.page.goto("about:blank");
    const sent = await alice.send("while you were away");
    if (!sent.ok) throw new Error(sent.message);
    // The other end's background acknowledges: no page of it is needed.
    await alice.waitFor(DELIVERED, { requestId: sent.value });
    await bob.page.goto(server.origin);
    await bob.attach();
    expect(await bob.waitFor(RECEIVED, { text: "while you were away" })).toMatchObject({ replayed: true });
  });

  test("a worker that is killed between messages loses nothing and doubles nothing", async () => {
    await bob.page.reload();
    await bob.attach();
    for (let round = 0; round < 3; round += 1) {
      await aliceProfile.killWorker();
      await bobProfile.killWorker();
      await deliver(alice, bob, `round ${round}`);
    }
    const sent = await alice.send("sent, then killed");
    await aliceProfile.killWorker();
    if (!sent.ok) throw new Error(sent.message);
    await alice.waitFor(DELIVERED, { requestId: sent.value });
    await bob.waitFor(RECEIVED, { text: "sent, then killed" });
    const texts = (await bob.seen(RECEIVED)).map(({ text }) => text);
    expect(texts.filter((text) => text?.startsWith("round"))).toEqual(["round 0", "round 1", "round 2"]);
    expect(texts.filter((text) => text === "sent, then killed")).toHaveLength(1);
  });

  test("a worker that is killed while it sends a large message sends it whole and once after its restart", async () => {
    const text = "A large message that the worker does not survive. ".repeat(6_000);
    const sent = await alice.send(text);
    await aliceProfile.killWorker();
    if (!sent.ok) throw new Error(sent.message);
    await bob.waitFor(RECEIVED, { length: text.length });
    await alice.waitFor(DELIVERED, { requestId: sent.value });
    expect((await bob.seen(RECEIVED)).filter(({ length }) => length === text.length)).toHaveLength(1);
  });

  test("a browser that is closed and opened again keeps its grant, its history and its messages to come", async () => {
    await bobProfile.restart();
    await bobProfile.waitForNetwork("Connected");
    const sent = await alice.send("to a browser without a page");
    if (!sent.ok) throw new Error(sent.message);
    await alice.waitFor(DELIVERED, { requestId: sent.value });
    bob = new ChannelPage(await bobProfile.open(server.origin), bob.params);
    expect(await bob.attach()).toEqual({ ok: true, value: null });
    expect(await bob.waitFor(RECEIVED, { text: "to a browser without a page" })).toMatchObject({ replayed: true });
    await deliver(bob, alice, "I am back");
  });
});
