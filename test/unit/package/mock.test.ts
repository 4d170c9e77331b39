/** The mock for web developers: the extension itself, over a network and a storage in memory. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  createMockNetwork,
  type MockCall,
  type MockNetwork,
  type MockProvider,
} from "../../../packages/reliable-channel/mock/index.ts";
import { utf8 } from "../../../src/common/bytes.ts";
import { LIMITS, PAGE_LIMITS } from "../../../src/limits.ts";
import type { ChannelEventMap, ReliableChannel, ReliableChannelProvider } from "../../../src/provider/provider-api.ts";
import { ErrorCode } from "../../../src/provider/provider-api.ts";

const SECOND = 1000;
const TEA = { channelId: "tea", contentTopic: "/tea/1/chat/proto" } as const;

let network: MockNetwork;

beforeEach(() => {
  network = createMockNetwork({ speed: 0 });
});

afterEach(() => network.close());

/** Everything that a channel tells, in words. */
function log(channel: ReliableChannel): string[] {
  const told: string[] = [];
  channel.on("reliable:message:received", ({ message, replayed }) => {
    told.push(`received ${new TextDecoder().decode(message)}${replayed ? " again" : ""}`);
  });
  for (const what of ["sent", "delivered", "send-error", "delivery-error", "lost"] as const) {
    channel.on(`reliable:message:${what}`, (event) => {
      told.push(["error" in event ? `${what}: ${event.error}` : what].join());
    });
  }
  channel.on("close", ({ reason }) => told.push(`closed: ${reason}`));
  return told;
}

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => expect.unreachable("the call did not fail"),
    (error) => error,
  );
}

const open = (provider: ReliableChannelProvider): Promise<ReliableChannel> => provider.createReliableChannel(TEA);

/** Two people with the same channel, and what each is told. */
async function conversation() {
  const [alice, bob] = [network.createProvider(), network.createProvider()];
  const [a, b] = [await open(alice.provider), await open(bob.provider)];
  const [toldA, toldB] = [log(a), log(b)];
  await network.advance(SECOND);
  return { alice, bob, a, b, toldA, toldB };
}

describe("a conversation", () => {
  test("is received, sent and delivered, in time that passes by itself", async () => {
    await using quick = createMockNetwork();
    const [a, b] = [await open(quick.createProvider().provider), await open(quick.createProvider().provider)];
    const next = <K extends keyof ChannelEventMap>(channel: ReliableChannel, event: K) =>
      new Promise<ChannelEventMap[K]>((resolve) => channel.once(event, resolve));
    const events = Promise.all([
      next(b, "reliable:message:received"),
      next(a, "reliable:message:sent"),
      next(a, "reliable:message:delivered"),
    ]);
    const requestId = await a.send(utf8("The kettle is on"));
    const [received, sent, delivered] = await events;
    expect(received).toMatchObject({ message: utf8("The kettle is on"), senderId: a.senderId, replayed: false });
    expect([sent.requestId, delivered.requestId]).toEqual([requestId, requestId]);
  });

  test("has an order, also where messages get lost and are sent again", async () => {
    const { a, b, toldA, toldB } = await conversation();
    await a.send(utf8("1"));
    await network.advance(0);
    network.lose();
    await a.send(utf8("2"));
    await a.send(utf8("3"));
    await network.advance(SECOND);
    expect(toldB).toEqual(["received 1"]);
    await network.advance(60 * SECOND);
    expect(toldB).toEqual(["received 1", "received 2", "received 3"]);
    expect(toldA.filter((what) => what === "delivered")).toHaveLength(3);
    await b.send(utf8("4"));
    await network.advance(5 * SECOND);
    expect(toldA.at(-1)).toBe("received 4");
  });

  test("with a large message shows its progress", async () => {
    const { a, b, toldB } = await conversation();
    const done: number[] = [];
    b.on("progress", (progress) => done.push(progress.done));
    await a.send(new Uint8Array(4 * LIMITS.segmentation.segmentBytes));
    await network.advance(30 * SECOND);
    expect(toldB).toHaveLength(1);
    expect(done).toEqual(done.toSorted((x, y) => x - y));
    expect(done.length).toBeGreaterThan(2);
  });

  test("nobody else takes part in gets no delivery confirmation", async () => {
    const a = await open(network.createProvider().provider);
    const told = log(a);
    await a.send(utf8("Anybody?"));
    await network.advance(400 * SECOND);
    expect(told).toEqual(["sent", expect.stringMatching(/^delivery-error: /)]);
  });

  test("can be encrypted by the pages themselves", async () => {
    const flip = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 0xff);
    const params = { ...TEA, encryption: { mode: "page", encrypt: flip, decrypt: flip } } as const;
    const [alice, bob] = [network.createProvider(), network.createProvider()];
    const a = await alice.provider.createReliableChannel(params);
    const toldB = log(await bob.provider.createReliableChannel(params));
    await network.advance(SECOND);
    await a.send(utf8("Psst"));
    await network.advance(SECOND);
    expect(toldB).toEqual(["received Psst"]);
  });
});

describe("a page that is loaded anew", () => {
  test("gets what was not handled again, and nothing that was", async () => {
    const { a, bob, toldB } = await conversation();
    await a.send(utf8("handled"));
    await network.advance(SECOND);
    expect(toldB).toEqual(["received handled"]);
    bob.close();
    await a.send(utf8("missed"));
    await network.advance(SECOND);
    const again = log(await open(bob.reload()));
    await network.advance(SECOND);
    expect(again).toEqual(["received missed again"]);
  });

  test("has another provider, and its old one is dead", async () => {
    const { bob } = await conversation();
    const old = bob.provider;
    let settled = false;
    void old.listChannels().finally(() => {
      settled = true;
    });
    expect(bob.reload()).not.toBe(old);
    expect(await bob.provider.listChannels()).toHaveLength(1);
    await network.advance(60 * SECOND);
    expect(settled).toBe(false);
  });

  test("is one of several tabs, which all hear", async () => {
    const { a, bob, toldB } = await conversation();
    const tab = bob.openTab();
    const toldTab = log(await open(tab.provider));
    await network.advance(SECOND);
    await a.send(utf8("to all"));
    await network.advance(SECOND);
    expect([toldB, toldTab]).toEqual([["received to all"], ["received to all"]]);
    tab.close();
    expect(await bob.provider.listChannels()).toHaveLength(1);
  });
});

describe("the network", () => {
  test("that is away keeps what is sent until it is back", async () => {
    const { alice, a, toldA, toldB } = await conversation();
    for (const side of [alice, network]) {
      side.offline();
      await network.advance(SECOND);
      expect(await alice.provider.status()).toMatchObject({ network: "Disconnected" });
      const requestId = await a.send(utf8("later"));
      await network.advance(60 * SECOND);
      expect(await a.request(requestId)).toMatchObject({ segments: { confirmed: 0 } });
      side.online();
      await network.advance(10 * SECOND);
      expect([toldA.splice(0), toldB.splice(0)]).toEqual([["sent", "delivered"], ["received later"]]);
      expect(await alice.provider.status()).toMatchObject({ network: "Connected" });
    }
  });

  test("refuses with a reason, and takes messages again", async () => {
    const { alice, a, toldA, toldB } = await conversation();
    network.refuse("no such room");
    const requestId = await a.send(utf8("refused"));
    await network.advance(5 * SECOND);
    expect(toldA).toEqual([expect.stringMatching(/^send-error: .*no such room/)]);
    expect(await a.request(requestId)).toMatchObject({ state: "send-error" });
    expect(toldB).toEqual([]);
    network.refuse(undefined);
    const other = await alice.provider.createReliableChannel({ ...TEA, channelId: "coffee" });
    const toldOther = log(other);
    await other.send(utf8("taken"));
    await network.advance(5 * SECOND);
    expect(toldOther).toEqual(["sent"]);
  });
});

describe("the person", () => {
  let alice: MockProvider;
  const create = () => open(alice.provider);

  beforeEach(() => {
    alice = network.createProvider();
  });

  test("rejects, and is not asked again and again", async () => {
    alice.answer = "reject";
    for (let i = 0; i < LIMITS.origin.refusals; i++) {
      expect(await failureOf(create())).toMatchObject({ code: ErrorCode.UserRejected });
    }
    expect(alice.prompts).toBe(LIMITS.origin.refusals);
    expect(await failureOf(create())).toMatchObject({
      code: ErrorCode.LimitExceeded,
      data: { retryAfterMs: LIMITS.origin.refusalBlockMs },
    });
    expect(alice.prompts).toBe(LIMITS.origin.refusals);
  });

  test("blocks the site", async () => {
    alice.answer = "block";
    expect(await failureOf(create())).toMatchObject({ code: ErrorCode.UserRejected });
    expect(await failureOf(create())).toMatchObject({ code: ErrorCode.Unauthorized });
    expect(alice.prompts).toBe(1);
  });

  test("takes their time", async () => {
    alice.answer = "wait";
    const created = create();
    await network.advance(60 * SECOND);
    expect(await failureOf(alice.provider.createReliableChannel({ ...TEA, channelId: "coffee" }))).toMatchObject({
      code: ErrorCode.AlreadyPending,
    });
    alice.answer = "allow";
    expect((await created).channelId).toBe("tea");
    expect(alice.prompts).toBe(1);
  });

  test("is not asked where the page asked for that", async () => {
    const trusted = () => alice.provider.connect({ onlyIfTrusted: true });
    expect(await failureOf(trusted())).toMatchObject({ code: ErrorCode.Unauthorized });
    expect(alice.prompts).toBe(0);
    await create();
    expect((await trusted()).locked).toBe(false);
    expect(alice.prompts).toBe(1);
  });

  test("chooses the key that everybody has, one of their own, or none", async () => {
    alice.answer = "allow-without-key";
    expect(await failureOf(create())).toMatchObject({ code: ErrorCode.KeyRequired });
    alice.answer = "allow-new-key";
    const alone = await create();
    const told = log(await open(network.createProvider().provider));
    await network.advance(SECOND);
    await alone.send(utf8("for nobody"));
    await network.advance(SECOND);
    expect(told).toEqual([]);
  });

  test("revokes, and closes a channel", async () => {
    const { bob, b, toldA, toldB, alice } = await conversation();
    await bob.revoke();
    await alice.closeChannel("tea");
    await network.advance(SECOND);
    expect([toldA, toldB]).toEqual([["closed: user"], ["closed: revoked"]]);
    expect(await failureOf(b.send(utf8("?")))).toMatchObject({ code: ErrorCode.ChannelClosed });
    expect(await failureOf(bob.provider.listChannels())).toMatchObject({ code: ErrorCode.Unauthorized });
    await expect(bob.closeChannel("tea")).rejects.toThrow("unknown channel");
  });

  test("locks and unlocks", async () => {
    const { alice, a, b, toldB } = await conversation();
    await alice.lock();
    await network.advance(SECOND);
    expect(await alice.provider.status()).toMatchObject({ locked: true });
    alice.answer = "wait";
    expect(await failureOf(a.send(utf8("?")))).toMatchObject({ code: ErrorCode.Locked, retryable: true });
    expect(await failureOf(alice.provider.connect({ onlyIfTrusted: true }))).toMatchObject({ code: ErrorCode.Locked });
    await b.send(utf8("meanwhile"));
    const told = log(a);
    await alice.unlock();
    await network.advance(SECOND);
    expect(told).toEqual(["received meanwhile"]);
    await a.send(utf8("after"));
    await network.advance(SECOND);
    expect(toldB).toContain("received after");
  });

  test("unlocks when asked, where it was locked at first", async () => {
    const locked = network.createProvider({ locked: true });
    expect(await locked.provider.status()).toMatchObject({ locked: true });
    const opened = open(locked.provider);
    await network.advance(SECOND);
    expect((await opened).channelId).toBe("tea");
    expect((await locked.provider.connect()).locked).toBe(false);
  });
});

describe("errors on demand", () => {
  test("come once, with what they are to say, and without an effect", async () => {
    const alice = network.createProvider({ origin: "https://tea.example" });
    const { provider } = alice;
    const channel = await open(provider);
    const requestId = await channel.send(utf8("first"));
    const calls: Readonly<Record<MockCall, () => Promise<unknown>>> = {
      channelExists: () => provider.channelExists("tea"),
      connect: () => provider.connect(),
      createReliableChannel: () => open(provider),
      history: () => channel.history().next(),
      listChannels: () => provider.listChannels(),
      permissions: () => provider.permissions(),
      quota: () => provider.quota(),
      request: () => channel.request(requestId),
      send: () => channel.send(utf8("second")),
      closeChannel: () => channel.close(),
    };
    for (const [call, make] of Object.entries(calls)) {
      alice.fail(call as MockCall, ErrorCode.LimitExceeded, { message: "Later", data: { retryAfterMs: 5 } });
      expect(await failureOf(make()), call).toMatchObject({
        name: "ReliableChannelError",
        code: ErrorCode.LimitExceeded,
        message: "Later",
        retryable: true,
        data: { retryAfterMs: 5 },
      });
      await make();
    }
    alice.fail("connect", ErrorCode.Unsupported);
    alice.fail("connect", ErrorCode.Internal, { retryable: false });
    expect(await failureOf(provider.connect())).toMatchObject({ code: ErrorCode.Unsupported, retryable: false });
    expect(await failureOf(provider.connect())).toMatchObject({ code: ErrorCode.Internal, retryable: false });
    await provider.connect();
  });

  test("come from the limits of the extension too", async () => {
    const { alice, a } = await conversation();
    const { maxMessageBytes, maxPending } = await alice.provider.quota();
    expect(await failureOf(a.send(new Uint8Array(maxMessageBytes + 1)))).toMatchObject({
      code: ErrorCode.PayloadTooLarge,
      data: { limit: maxMessageBytes },
    });
    network.offline();
    await Promise.all(Array.from({ length: maxPending }, () => a.send(utf8("."))));
    expect(await failureOf(a.send(utf8(".")))).toMatchObject({
      code: ErrorCode.LimitExceeded,
      data: { limit: maxPending },
    });
  });
});

describe("the background", () => {
  test("that the browser stops loses nothing, and pages hardly notice", async () => {
    const { alice, bob, a, toldA, toldB } = await conversation();
    const sending = a.send(utf8("before"));
    alice.restart();
    bob.restart();
    await network.advance(SECOND);
    await sending;
    await a.send(utf8("after"));
    await network.advance(10 * SECOND);
    expect(toldB).toEqual(["received before", "received after"]);
    expect(toldA.filter((what) => what === "delivered")).toHaveLength(2);
  });

  test("that cannot be reached is admitted after a while, and found again", async () => {
    const { alice, a } = await conversation();
    const told: unknown[] = [];
    alice.provider.on("disconnect", ({ code, recoverable }) => told.push([code, recoverable]));
    alice.provider.on("connect", () => told.push("connect"));
    alice.stop();
    const failed = failureOf(a.send(utf8("?")));
    await network.advance(PAGE_LIMITS.unreachableMs + SECOND);
    expect(await failed).toMatchObject({ code: ErrorCode.Disconnected, retryable: true });
    alice.start();
    await network.advance(10 * SECOND);
    await a.send(utf8("!"));
    expect(told).toEqual([[ErrorCode.Disconnected, true], "connect"]);
  });

  test("that is updated leaves pages behind, until they are loaded anew", async () => {
    const { alice, a, toldA } = await conversation();
    alice.update();
    await network.advance(SECOND);
    expect(await failureOf(alice.provider.connect())).toMatchObject({ code: ErrorCode.ContextInvalidated });
    expect(await failureOf(a.send(utf8("?")))).toMatchObject({ code: ErrorCode.ChannelClosed });
    expect(toldA).toEqual(["closed: error"]);
    expect((await open(alice.reload())).senderId).toBe(a.senderId);
  });
});

test("after the end, no time passes", async () => {
  const quick = createMockNetwork({ speed: 1000 });
  await open(quick.createProvider().provider);
  await quick.close();
  const before = quick.now();
  await new Promise((resolve) => setImmediate(resolve));
  expect(quick.now()).toBe(before);
});
