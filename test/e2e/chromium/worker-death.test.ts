/** The background worker is killed at random moments while a message of ten segments goes out or comes in. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ChannelPage, type PlainChannelParams } from "../../support/channel-page.ts";
import type { ChromiumProfile } from "../../support/chromium.ts";
import { type PageServer, startPageServer } from "../../support/page-server.ts";
import { seededChance } from "../../support/peer.ts";
import { Stack } from "../../support/stack.ts";

const ROUNDS = 10;
/** Ten segments: nine whole chunks of 102,272 bytes and a part of one. */
const LENGTH = 9 * 102_272 + 50_000;
/** Milliseconds after `send` was called within which the worker dies: from before it is stored until after it is gone. */
const LATEST_DEATH_MS = 1_500;
const PARAMS: PlainChannelParams = {
  channelId: "mortal",
  contentTopic: "/test/1/mortal/proto",
  encryption: { mode: "none" },
};

describe("a worker that dies", () => {
  const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
  const { random } = seededChance(seed);
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

  async function round(name: string, victim: () => ChromiumProfile): Promise<void> {
    const text = name.padEnd(LENGTH, `${name} `);
    const sha256 = createHash("sha256").update(text).digest("hex");
    const moment = Math.floor(random() * LATEST_DEATH_MS);
    const told = `seed ${seed}, ${name}, killed ${moment} ms after send`;
    const sending = alice.send(text);
    await new Promise((resolve) => setTimeout(resolve, moment));
    await victim().killWorker();
    const sent = await sending;
    expect(sent.ok, told).toBe(true);
    if (!sent.ok) return;
    await bob.waitFor("reliable:message:received", { sha256 });
    await alice.waitFor("reliable:message:sent", { requestId: sent.value });
    await alice.waitFor("reliable:message:delivered", { requestId: sent.value });
    const received = (await bob.seen("reliable:message:received")).filter((event) => event.sha256 === sha256);
    expect(received, told).toHaveLength(1);
  }

  /** In the order of the sends, each once: nothing lost, nothing doubled, also not later. */
  async function nothingElseCame(names: readonly string[]): Promise<void> {
    const shas = names.map((name) =>
      createHash("sha256")
        .update(name.padEnd(LENGTH, `${name} `))
        .digest("hex"),
    );
    const received = (await bob.seen("reliable:message:received")).map(({ sha256 }) => sha256);
    expect(received.slice(-shas.length)).toEqual(shas);
    expect(new Set(received).size).toBe(received.length);
    for (const type of ["reliable:message:lost", "reliable:message:send-error"] as const) {
      expect([...(await alice.seen(type)), ...(await bob.seen(type))]).toEqual([]);
    }
  }

  const names = (kind: string) => Array.from({ length: ROUNDS }, (_, index) => `${kind} ${index + 1}`);

  test("the sender's worker, ten times: nothing is lost, nothing is doubled", { timeout: 300_000 }, async () => {
    for (const name of names("sender")) await round(name, () => aliceProfile);
    await nothingElseCame(names("sender"));
  });

  test("the receiver's worker, ten times: nothing is lost, nothing is doubled", { timeout: 300_000 }, async () => {
    for (const name of names("receiver")) await round(name, () => bobProfile);
    await nothingElseCame(names("receiver"));
  });
});
