import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import type { CipherOperation, PageFrame, Push, ResetFrame } from "../../../src/provider/frames.ts";
import { PROTOCOL_VERSION } from "../../../src/provider/frames.ts";
import { createPageClient } from "../../../src/provider/page-client.ts";
import type { CreateChannelParams, Cursor, RequestId, Session } from "../../../src/provider/provider-api.ts";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { failureOf, TOPIC } from "./world.ts";

const SESSION: Session = { sessionId: "session", grants: [], locked: false };
const STATUS = { network: "Connected", locked: false } as const;

/** A page client at whose other end the test itself sits. */
async function opened(encryption?: CreateChannelParams["encryption"]) {
  const clock = new VirtualClock();
  const posted: (PageFrame | ResetFrame)[] = [];
  const { provider, receive } = createPageClient(
    {
      post: (frame) => posted.push(frame),
      uuid: () => crypto.randomUUID(),
      after: (delayMs, callback) => clock.after(delayMs, callback),
      now: () => clock.now(),
      report: () => {},
    },
    { uuid: crypto.randomUUID(), name: "Test", icon: "data:image/svg+xml,", rdns: "example.test", version: "0.0.0" },
  );
  const answer = (value: unknown): void => {
    const call = posted.findLast((frame) => frame.type === "call");
    if (call?.type !== "call") throw new Error("no call was posted");
    receive({ type: "answer", callId: call.callId, ok: true, value });
  };
  let pushes = 0;
  const push = (body: Push): void => receive({ type: "push", push: ++pushes, body });
  const creating = provider.createReliableChannel({
    channelId: "room",
    contentTopic: TOPIC,
    ...(encryption && { encryption }),
  });
  receive({ type: "welcome", version: PROTOCOL_VERSION, session: SESSION, status: STATUS });
  answer({ channelId: "room", contentTopic: TOPIC, senderId: "me", session: SESSION });
  return { clock, posted, provider, receive, answer, push, channel: await creating };
}

const sent = (n: number): Push => ({
  kind: "event",
  channelId: "room",
  event: {
    type: "reliable:message:sent",
    cursor: String(n).padStart(16, "0") as Cursor,
    at: n,
    replayed: false,
    requestId: `r${n}` as RequestId,
  },
});

describe("the page's side alone", () => {
  test("an event whose cursor was seen is dropped, and its frame acknowledged all the same", async () => {
    const { push, posted, channel } = await opened();
    const seen: string[] = [];
    channel.on("reliable:message:sent", ({ requestId }) => seen.push(requestId));
    for (const n of [1, 2, 2, 1, 3]) push(sent(n));
    expect(seen).toEqual(["r1", "r2", "r3"]);
    expect(posted.filter((frame) => frame.type === "received")).toEqual(
      [1, 2, 3, 4, 5].map((n) => ({ type: "received", push: n })),
    );
  });

  test("pushes for channels that the page does not hold, and answers to calls it does not wait for, are nothing", async () => {
    const { push, receive, provider, answer } = await opened();
    push({ ...sent(1), channelId: "elsewhere" } as Push);
    push({ kind: "close", channelId: "__proto__", reason: "user" });
    receive({ type: "answer", callId: "constructor", ok: true, value: 1 });
    receive({ type: "accepted", callId: "toString" });
    const listing = provider.listChannels();
    answer([]);
    expect(await listing).toEqual([]);
  });

  test("a background of another protocol version means: reload the page", async () => {
    const { receive, provider } = await opened();
    const call = failureOf(provider.quota());
    receive({ type: "welcome", version: PROTOCOL_VERSION + 1, session: SESSION, status: STATUS });
    expect(await call).toMatchObject({ code: ErrorCode.ContextInvalidated });
  });

  test("what the page is told when it comes back names its channels and where it stands in each", async () => {
    const { push, receive, clock, posted, channel } = await opened();
    channel.on("reliable:message:sent", () => {});
    push(sent(1));
    push(sent(2));
    receive({ type: "link", state: "down" });
    await clock.advance(1);
    expect(posted.findLast((frame) => frame.type === "hello")).toMatchObject({
      attached: [{ channelId: "room", events: true, after: "0000000000000002" }],
    });
  });

  test("a worker that dies of idleness again and again is found again within half a second", async () => {
    const { receive, clock, posted } = await opened();
    const greetings = () => posted.filter((frame) => frame.type === "hello").length;
    for (let death = 0; death < 10; death++) {
      const before = greetings();
      receive({ type: "link", state: "down" });
      await clock.advance(500);
      expect(greetings()).toBe(before + 1);
      receive({ type: "welcome", version: PROTOCOL_VERSION, session: SESSION, status: STATUS });
      await clock.advance(30_000);
    }
  });

  test("a line that goes down again and again is tried ever more slowly", async () => {
    const { receive, clock, posted } = await opened();
    const greetings = () => posted.filter((frame) => frame.type === "hello").length;
    const before = greetings();
    for (let second = 0; second < 60; second++) {
      receive({ type: "link", state: "down" });
      await clock.advance(1_000);
    }
    expect(greetings() - before).toBeLessThan(20);
    expect(greetings() - before).toBeGreaterThan(3);
  });
});

describe("the page's own functions", () => {
  const asked: [string, Uint8Array][] = [];
  const encryption = {
    mode: "page",
    encrypt(content: Uint8Array) {
      asked.push(["encrypt", content]);
      return content;
    },
    decrypt(payload: Uint8Array) {
      asked.push(["decrypt", payload]);
      return payload;
    },
  } as const;
  const ask = (change: object = {}): Push => ({
    kind: "cipher",
    channelId: "room",
    operationId: "1",
    operation: "encrypt",
    input: Uint8Array.of(1),
    ...change,
  });

  test("never leave the page: the call says the mode alone, and that the page has them", async () => {
    const { posted } = await opened(encryption);
    const calls = posted.filter((frame) => frame.type === "call");
    expect(calls.map(({ method, params }) => [method, params])).toMatchObject([
      ["create", { encryption: { mode: "page" } }],
      ["attach", { channelId: "room", cipher: true }],
    ]);
    expect(() => structuredClone(posted)).not.toThrow();
  });

  test("a background that forgot is told which channels the page has them for, and when it was looked at", async () => {
    const { receive, clock, posted } = await opened(encryption);
    const plain = await opened();
    for (const down of [receive, plain.receive]) down({ type: "link", state: "down" });
    await clock.advance(1);
    await plain.clock.advance(1);
    expect(posted.findLast((frame) => frame.type === "hello")).toMatchObject({
      attached: [{ channelId: "room", cipher: true }],
    });
    expect(plain.posted.findLast((frame) => frame.type === "hello")?.attached[0]).not.toHaveProperty("cipher");
  });

  test("are called for what makes sense, and for nothing else", async () => {
    const { push, posted } = await opened(encryption);
    asked.length = 0;
    for (const change of [
      { channelId: "elsewhere" },
      { channelId: "__proto__" },
      { operation: "constructor" },
      { operation: undefined },
      { input: "text" },
      { input: [1] },
      { input: undefined },
      { operationId: 1 },
    ]) {
      push(ask(change));
    }
    await Promise.resolve();
    expect(asked).toEqual([]);
    expect(posted.filter((frame) => frame.type === "cipher")).toEqual([]);
    push(ask());
    push(ask({ operationId: "2", operation: "decrypt" } satisfies Partial<CipherOperation>));
    await new Promise((resolve) => setImmediate(resolve));
    expect(asked.map(([name]) => name)).toEqual(["encrypt", "decrypt"]);
    expect(posted.filter((frame) => frame.type === "cipher")).toEqual(
      ["1", "2"].map((operationId) => ({ type: "cipher", operationId, ok: true, output: Uint8Array.of(1) })),
    );
  });

  test("of a channel without any are not called, and after disconnect no more", async () => {
    const without = await opened();
    without.push(ask());
    const { push, posted, provider, answer } = await opened(encryption);
    const disconnecting = provider.disconnect();
    answer(undefined);
    await disconnecting;
    asked.length = 0;
    push(ask());
    await new Promise((resolve) => setImmediate(resolve));
    expect(asked).toEqual([]);
    for (const frames of [posted, without.posted]) expect(frames.some(({ type }) => type === "cipher")).toBe(false);
  });

  test("an answer that is ready when the line is down is dropped: it would open one without a greeting", async () => {
    const { push, receive, posted } = await opened(encryption);
    push(ask());
    receive({ type: "link", state: "down" });
    await new Promise((resolve) => setImmediate(resolve));
    expect(posted.some(({ type }) => type === "cipher")).toBe(false);
  });
});
