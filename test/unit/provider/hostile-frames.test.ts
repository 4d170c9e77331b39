import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FakePort } from "../../../packages/reliable-channel/mock/fake-ports.ts";
import { parseFrame } from "../../../src/provider/frame-schema.ts";
import { BRIDGE_PORT } from "../../../src/provider/frames.ts";
import { pageOrigin } from "../../../src/provider/principal.ts";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { HeldPort, type RuntimePort } from "../../../src/provider/runtime-port.ts";
import { EXTENSION_ID, SITE, TOPIC, World } from "./world.ts";

const METHODS = [
  "connect",
  "disconnect",
  "permissions",
  "create",
  "attach",
  "close",
  "send",
  "request",
  "history",
  "ack",
  "channelStatus",
  "exists",
  "list",
  "status",
  "quota",
] as const;

/** Values of every kind that structured clone lets through, near enough to the real thing to get far. */
const value = fc.oneof(
  { depthSize: "small" },
  fc.anything({
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withBigInt: true,
    withSparseArray: true,
  }),
  fc.constantFrom("room", TOPIC, "", "\ud800", "0000000000000001", "9999999999999999", Number.NaN, -1, 1e308, true),
  fc.uint8Array({ maxLength: 8 }),
  fc.array(fc.constantFrom("channel:create", "channel:send", TOPIC, 7), { maxLength: 3 }),
  fc.record({ mode: fc.constantFrom("none", "key", "page", 1) }),
);
const params = fc.oneof(
  value,
  fc.record(
    {
      channelId: value,
      contentTopic: value,
      encryption: value,
      message: value,
      cursor: value,
      after: value,
      limit: value,
      requestId: value,
      events: value,
      onlyIfTrusted: value,
      scopes: value,
      parityRate: value,
      cipher: value,
    },
    { requiredKeys: [] },
  ),
);
const callId = fc.oneof(fc.uuid(), value);
const frame = fc.oneof(
  value,
  fc.record({
    type: fc.constant("call"),
    callId,
    retry: fc.oneof(fc.boolean(), value),
    method: fc.oneof(fc.constantFrom(...METHODS, "constructor", "__proto__"), value),
    params,
  }),
  fc.record(
    {
      type: fc.constantFrom("hello", "cancel", "received", "reset", "answer", "focused", "cipher"),
      callId,
      at: value,
      focusedAt: value,
      operationId: callId,
      ok: fc.oneof(fc.boolean(), value),
      output: value,
      reason: value,
      push: value,
      version: value,
      pageId: callId,
      attached: fc.oneof(fc.array(params, { maxLength: 3 }), value),
    },
    { requiredKeys: ["type"] },
  ),
);

describe("hostile frames", () => {
  test("the parser never throws, and a parsed frame parses to itself", () => {
    fc.assert(
      fc.property(frame, (raw) => {
        const parsed = parseFrame(raw);
        if (parsed.ok) expect(parseFrame(parsed.frame)).toEqual(parsed);
      }),
      { numRuns: 2_000 },
    );
  });

  test("getters, proxies and cycles are no way in", () => {
    const throwing = {
      get type(): string {
        throw new Error("hostile");
      },
    };
    const cyclic: Record<string, unknown> = { type: "hello" };
    cyclic["attached"] = [cyclic];
    const proxy = new Proxy({}, { get: () => proxy, has: () => true });
    for (const raw of [throwing, cyclic, proxy]) expect(parseFrame(raw)).toMatchObject({ ok: false });
  });

  test("unknown members do not get through", () => {
    const parsed = parseFrame({
      type: "call",
      callId: crypto.randomUUID(),
      retry: false,
      method: "exists",
      params: { channelId: "room", origin: "https://other.example", more: 1 },
      origin: "https://other.example",
    });
    expect(parsed).toMatchObject({ ok: true, frame: { params: { channelId: "room" } } });
    expect(JSON.stringify(parsed)).not.toContain("other");
  });

  test("message bytes are copied to a buffer of our own; other views and objects are no bytes", () => {
    const send = (message: unknown) =>
      parseFrame({
        type: "call",
        callId: crypto.randomUUID(),
        retry: false,
        method: "send",
        params: { channelId: "c", message },
      });
    const message = Uint8Array.of(0, 1, 2).subarray(1);
    const parsed = send(message);
    if (!parsed.ok || parsed.frame.type !== "call" || parsed.frame.method !== "send") throw new Error("not parsed");
    expect(parsed.frame.params.message).toEqual(Uint8Array.of(1, 2));
    expect(parsed.frame.params.message.buffer).not.toBe(message.buffer);
    for (const other of [
      new Uint16Array(2),
      new DataView(new ArrayBuffer(2)),
      { 0: 1 },
      [1],
      "1",
      new ArrayBuffer(1),
    ]) {
      expect(send(other)).toMatchObject({ ok: false, message: expect.stringMatching(/^message must be bytes/) });
    }
  });

  test("the background survives every frame, answers every call, and keeps serving", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 20 }), fc.boolean(), async (frames, trusted) => {
        const world = new World();
        const page = trusted ? await world.trustedPage() : world.page();
        await page.provider.status();
        const [port, server] = [page.ports.at(-1), page.serverPorts.at(-1)];
        if (!port || !server) throw new Error("the page has no port");
        const calls: string[] = [];
        for (const raw of frames) {
          try {
            port.postMessage(raw);
          } catch {
            continue; // No structured clone: a browser would not carry it either.
          }
          const parsed = parseFrame(raw);
          if (!parsed.ok && parsed.callId !== undefined) calls.push(parsed.callId);
          if (parsed.ok && parsed.frame.type === "call" && !["connect", "create"].includes(parsed.frame.method)) {
            calls.push(parsed.frame.callId);
          }
        }
        await world.clock.settle();
        const cancelled = frames.flatMap((raw) => {
          const parsed = parseFrame(raw);
          return parsed.ok && parsed.frame.type === "cancel" ? [parsed.frame.callId] : [];
        });
        for (const id of calls.filter((call) => !cancelled.includes(call))) {
          expect(server.posted).toContainEqual(expect.objectContaining({ type: "answer", callId: id }));
        }
        expect((await page.provider.status()).bridge).toBe("ready");
      }),
      { numRuns: 100 },
    );
  });
});

describe("who may call", () => {
  const sender = (change: object): RuntimePort["sender"] => ({
    id: EXTENSION_ID,
    origin: SITE,
    url: `${SITE}/page`,
    frameId: 0,
    ...change,
  });

  test.each([
    ["https://site.example", true],
    ["https://site.example:8443", true],
    ["http://localhost", true],
    ["http://localhost:3000", true],
    ["http://127.0.0.1:8080", true],
    ["http://site.example", false],
    ["http://localhost.evil.example", false],
    ["null", false],
    [undefined, false],
    ["", false],
    ["file://", false],
    ["https://site.example/path", false],
    ["https://SITE.example", false],
    ["chrome-extension://extension-id", false],
    ["data:text/html,x", false],
    ["*", false],
  ])("origin %s: %s", (origin, allowed) => {
    expect(pageOrigin(sender({ origin }), EXTENSION_ID)).toBe(allowed ? origin : undefined);
  });

  test.each([
    ["a sandboxed frame whose URL and tab look like the site", { origin: "null", tab: { url: `${SITE}/` } }],
    ["an embedded frame", { frameId: 3 }],
    ["a sender without a frame", { frameId: undefined }],
    ["another extension", { id: "other-extension" }],
  ])("%s is refused, and its port closed", async (_, change) => {
    const world = new World();
    const { accept } = await world.worker();
    const { client, server } = FakePort.pair(BRIDGE_PORT, sender(change));
    accept(new HeldPort(server));
    await world.clock.settle();
    expect(client.open).toBe(false);
    expect(server.posted).toEqual([]);
  });

  test("a port of an unknown name is closed", async () => {
    const world = new World();
    const { accept } = await world.worker();
    const { client, server } = FakePort.pair("other", sender({}));
    accept(new HeldPort(server));
    await world.clock.settle();
    expect(client.open).toBe(false);
  });

  test("a frame that came before the background was ready is served when it is", async () => {
    const world = new World();
    const { client, server } = FakePort.pair(BRIDGE_PORT, sender({}));
    const held = new HeldPort(server);
    const callId = crypto.randomUUID();
    client.postMessage({ type: "call", callId, retry: false, method: "list", params: {} });
    await world.clock.settle();
    (await world.worker()).accept(held);
    await world.clock.settle();
    expect(server.posted.at(-1)).toMatchObject({ type: "answer", callId, error: { code: ErrorCode.Unauthorized } });
  });

  test("a page that talks but never acknowledges what it is told is let go", async () => {
    const world = new World();
    const { client, server } = FakePort.pair(BRIDGE_PORT, { id: EXTENSION_ID, origin: SITE, frameId: 0 });
    world.connected(server);
    client.postMessage({ type: "hello", version: 1, pageId: crypto.randomUUID(), attached: [] });
    const { setNetwork } = await world.worker();
    await world.clock.settle();
    setNetwork("Disconnected");
    for (let i = 0; i < 6; i++) {
      if (client.open) client.postMessage({ type: "received", push: 0 });
      await world.clock.advance(2_000);
    }
    expect(client.open).toBe(false);
  });
});
