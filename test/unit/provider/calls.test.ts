import { describe, expect, test } from "vitest";
import type { ChannelErrorKind } from "../../../src/channel/types.ts";
import { LIMITS } from "../../../src/limits.ts";
import type { LoggedEvent, ReliableChannel, RequestId } from "../../../src/provider/provider-api.ts";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { failureOf, type Page, SITE, TOPIC, World } from "./world.ts";

const PLAIN = { channelId: "room", contentTopic: TOPIC, encryption: { mode: "none" } } as const;
const bytes = (...values: number[]) => Uint8Array.from(values);

async function collect(events: AsyncIterable<LoggedEvent>): Promise<LoggedEvent[]> {
  const collected: LoggedEvent[] = [];
  for await (const event of events) collected.push(event);
  return collected;
}

async function opened(): Promise<{ world: World; page: Page; channel: ReliableChannel }> {
  const world = new World();
  const page = await world.trustedPage();
  const channel = await page.provider.createReliableChannel(PLAIN);
  return { world, page, channel };
}

describe("calls of a page", () => {
  test("connect asks the person once and says what was granted", async () => {
    const world = new World();
    const page = world.page();
    const connects: unknown[] = [];
    page.provider.on("connect", (session) => connects.push(session));
    const connected = page.provider.connect();
    await world.answer("always");
    const session = await connected;
    expect(session.grants.map(({ scope }) => scope)).toEqual(["channel:create", "channel:send", "channel:receive"]);
    expect(session.locked).toBe(false);
    expect(await page.provider.connect()).toEqual(session);
    expect(connects).toEqual([session]);
    expect(world.window.opened).toBe(1);
    expect(await page.provider.permissions()).toEqual(session.grants);
  });

  test("nothing reaches the background before the first call", async () => {
    const world = new World();
    const page = world.page();
    await world.clock.advance(60_000);
    expect(page.ports).toEqual([]);
  });

  test("createReliableChannel connects first, in one prompt that shows the channel", async () => {
    const world = new World();
    const page = world.page();
    const creating = page.provider.createReliableChannel(PLAIN);
    await world.clock.settle();
    const { permissions } = await world.worker();
    expect(permissions.prompts()).toMatchObject([
      { origin: SITE, channel: { channelId: "room", contentTopic: TOPIC, encryption: "none", profile: "logos" } },
    ]);
    await world.answer("once");
    const channel = await creating;
    expect(channel).toMatchObject({
      channelId: "room",
      contentTopic: TOPIC,
      senderId: "sender of room",
      autoAck: true,
    });
    expect(world.window).toMatchObject({ opened: 1, open: false });
  });

  test.each(["logos", "logos-raw", "waku-sdk"] as const)("profile %s reaches prompt and channel", async (profile) => {
    const world = new World();
    const page = world.page();
    const creating = page.provider.createReliableChannel({ ...PLAIN, profile });
    await world.clock.settle();
    const { permissions, manager } = await world.worker();
    expect(permissions.prompts()).toMatchObject([{ channel: { channelId: "room", profile } }]);
    await world.answer("once");
    await creating;
    expect(manager.channels().map((channel) => channel.summary().profile)).toEqual([profile]);
  });

  test("the same channelId again attaches to the same channel, with other parameters it is InvalidParams", async () => {
    const { page, channel } = await opened();
    expect(await page.provider.createReliableChannel(PLAIN)).toBe(channel);
    const other = { ...PLAIN, contentTopic: "/test/1/other/proto" };
    expect(await failureOf(page.provider.createReliableChannel(other))).toMatchObject({
      code: ErrorCode.InvalidParams,
    });
  });

  test("send passes a copy of the bytes, by channel, by handle and by id, from a view and from a buffer", async () => {
    const { world, page, channel } = await opened();
    const message = bytes(0, 1, 2, 3).subarray(1, 3);
    const sending = channel.send(message, { ephemeral: true, idempotencyKey: "once" });
    message.fill(9);
    expect(await sending).toBe("request 1");
    expect(await page.provider.send(channel, bytes(4))).toBe("request 2");
    expect(await page.provider.send("room", bytes(5).buffer)).toBe("request 3");
    const { manager } = await world.worker();
    expect(manager.sends.map(({ payload }) => [...payload])).toEqual([[1, 2], [4], [5]]);
    expect(manager.sends[0]?.options).toEqual({ ephemeral: true, idempotencyKey: "once" });
  });

  test("send refuses what are no bytes, without asking anybody", async () => {
    const { page, channel } = await opened();
    for (const message of ["text", [1, 2], {}, null, 7] as unknown as Uint8Array[]) {
      expect(await failureOf(channel.send(message))).toMatchObject({ code: ErrorCode.InvalidParams });
      expect(await failureOf(page.provider.send("room", message))).toMatchObject({ code: ErrorCode.InvalidParams });
    }
  });

  test("RC04 an empty payload is InvalidParams, RC02 an unknown channel is NotFound", async () => {
    const { page, channel } = await opened();
    expect(await failureOf(channel.send(bytes()))).toMatchObject({
      code: ErrorCode.InvalidParams,
      message: expect.stringMatching(/empty payload/),
    });
    expect(await failureOf(page.provider.send("nowhere", bytes(1)))).toMatchObject({
      code: ErrorCode.NotFound,
      message: expect.stringMatching(/unknown channel: nowhere/),
    });
  });

  test("request tells how a send stands, and nothing of a request that is not there", async () => {
    const { channel } = await opened();
    const requestId = await channel.send(bytes(1));
    expect(await channel.request(requestId)).toMatchObject({ requestId, state: "sending" });
    expect(await channel.request("other" as RequestId)).toBeUndefined();
  });

  test("status, channel status, quota, channelExists and listChannels tell of the own origin", async () => {
    const { world, page, channel } = await opened();
    await channel.send(bytes(1));
    expect(await page.provider.status()).toEqual({ bridge: "ready", network: "Connected", locked: false });
    expect(await channel.status()).toEqual({ state: "open", health: "SUFFICIENTLY_HEALTHY", pending: 1 });
    expect(await page.provider.quota()).toEqual({
      maxMessageBytes: 26_181_632,
      maxChannels: 64,
      maxPending: 256,
      pending: 1,
      epoch: null,
    });
    expect(await page.provider.channelExists("room")).toBe(true);
    expect(await page.provider.channelExists("nowhere")).toBe(false);
    expect(await page.provider.listChannels()).toMatchObject([{ channelId: "room", encryption: "none" }]);
    const stranger = await world.trustedPage("https://other.example");
    expect(await stranger.provider.listChannels()).toEqual([]);
    expect(await stranger.provider.channelExists("room")).toBe(false);
    expect((await stranger.provider.quota()).pending).toBe(0);
  });

  test("RC03 close ends the handle, once, and closeChannel of an unknown one is NotFound", async () => {
    const { page, channel } = await opened();
    const reasons: unknown[] = [];
    channel.on("close", ({ reason }) => reasons.push(reason));
    await channel.close();
    await channel.close();
    await channel[Symbol.asyncDispose]();
    expect(reasons).toEqual(["page"]);
    expect(await failureOf(channel.send(bytes(1)))).toMatchObject({ code: ErrorCode.ChannelClosed });
    expect(await failureOf(channel.status())).toMatchObject({ code: ErrorCode.ChannelClosed });
    expect(await failureOf(page.provider.closeChannel("room"))).toMatchObject({ code: ErrorCode.NotFound });
    const again = await page.provider.createReliableChannel(PLAIN);
    expect(again).not.toBe(channel);
    await page.provider.closeChannel(again);
    expect(await page.provider.channelExists("room")).toBe(false);
  });

  test("await using closes the channel", async () => {
    const { page } = await opened();
    {
      await using held = await page.provider.createReliableChannel(PLAIN);
      expect(held.channelId).toBe("room");
    }
    expect(await page.provider.channelExists("room")).toBe(false);
  });

  test("disconnect ends the page's handles, while grant and channel stay", async () => {
    const { page, channel } = await opened();
    const reasons: unknown[] = [];
    channel.on("close", ({ reason }) => reasons.push(reason));
    await page.provider.disconnect();
    expect(reasons).toEqual(["page"]);
    expect(await page.provider.channelExists("room")).toBe(true);
    expect((await page.provider.connect({ onlyIfTrusted: true })).grants).toHaveLength(3);
  });

  test("without a grant everything but connect, permissions, status and disconnect is Unauthorized", async () => {
    const world = new World();
    const { provider } = world.page();
    expect(await provider.permissions()).toEqual([]);
    expect(await provider.status()).toMatchObject({ bridge: "ready" });
    await provider.disconnect();
    const refused = [
      provider.send("room", bytes(1)),
      provider.closeChannel("room"),
      provider.channelExists("room"),
      provider.listChannels(),
      provider.quota(),
      provider.connect({ onlyIfTrusted: true }),
    ];
    for (const call of refused) expect(await failureOf(call)).toMatchObject({ code: ErrorCode.Unauthorized });
    expect(world.window.opened).toBe(0);
  });

  test("parity, which is not there yet, is refused before anybody is asked, with what to pass instead", async () => {
    const world = new World();
    const { provider } = world.page();
    expect(await failureOf(provider.createReliableChannel({ ...PLAIN, parityRate: 0.5 }))).toMatchObject({
      code: ErrorCode.Unsupported,
      message: expect.stringMatching(/leave parityRate out/),
    });
    expect(world.window.opened).toBe(0);
  });

  test.each([
    ["empty-payload", ErrorCode.InvalidParams, false],
    ["payload-too-large", ErrorCode.PayloadTooLarge, false],
    ["unknown-channel", ErrorCode.NotFound, false],
    ["already-exists", ErrorCode.InvalidParams, true],
    ["closed", ErrorCode.ChannelClosed, false],
    ["mismatch", ErrorCode.InvalidParams, false],
    ["limit", ErrorCode.LimitExceeded, true],
    ["unsupported", ErrorCode.Unsupported, false],
    ["invalid", ErrorCode.InvalidParams, false],
  ] satisfies [ChannelErrorKind, ErrorCode, boolean][])(
    "a %s failure of the channel layer becomes code %d",
    async (kind, code, retryable) => {
      const { world, channel } = await opened();
      const { manager } = await world.worker();
      manager.fail(kind, 42);
      const error = await failureOf(channel.send(bytes(1)));
      expect(error).toBeInstanceOf(Error);
      expect(error).toMatchObject({ name: "ReliableChannelError", code, retryable, data: { limit: 42 } });
      expect((error as Error).message).toMatch(new RegExp(`^the ${kind} failure\\. \\S`));
    },
  );

  test("a background whose storage fails answers Internal, retryable", async () => {
    const { world, channel } = await opened();
    world.storage.beforeCommit = () => {
      throw new Error("disk full");
    };
    const error = await failureOf(channel.send(bytes(1)));
    expect(error).toMatchObject({ code: ErrorCode.Internal, retryable: true });
    expect((error as Error).message).not.toContain("disk full");
  });

  test("parameters that make no sense are InvalidParams and name the parameter", async () => {
    const { page } = await opened();
    const create = (params: object) => page.provider.createReliableChannel({ ...PLAIN, ...params } as typeof PLAIN);
    const cases = [
      [create({ channelId: "" }), /^channelId /],
      [create({ channelId: "x".repeat(257) }), /^channelId .*256 bytes/],
      [create({ channelId: "é".repeat(129) }), /^channelId .*256 bytes/],
      [create({ channelId: "\ud800" }), /^channelId .*Unicode/],
      [create({ contentTopic: 7 }), /^contentTopic must be a string/],
      [create({ encryption: { mode: "rot13" } }), /^encryption.mode /],
      [create({ profile: "other" }), /^profile /],
      [create({ parityRate: 2 }), /^parityRate /],
      [page.provider.connect({ contentTopics: [] }), /^contentTopics /],
      [page.provider.channelExists(undefined as unknown as string), /^channelId /],
      [page.provider.channelExists((() => "room") as unknown as string), /cannot be passed on/],
      [page.provider.createReliableChannel(undefined as unknown as typeof PLAIN), /takes an object/],
      [page.provider.closeChannel({} as ReliableChannel), /ReliableChannel or the id/],
      [page.provider.channelExists("room", { timeoutMs: -1 }), /timeoutMs/],
    ] as const;
    for (const [call, message] of cases) {
      expect(await failureOf(call)).toMatchObject({
        code: ErrorCode.InvalidParams,
        message: expect.stringMatching(message),
      });
    }
  });

  test("a page with too many calls under way is told to wait", async () => {
    const { world, page } = await opened();
    const { manager } = await world.worker();
    let go: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    manager.beforeHistory = () => gate;
    const channel = await page.provider.createReliableChannel(PLAIN);
    const reads = Array.from({ length: 512 }, () => channel.history().next());
    await world.clock.settle();
    expect(await failureOf(page.provider.quota())).toMatchObject({
      code: ErrorCode.LimitExceeded,
      retryable: true,
      data: { limit: 512 },
    });
    go?.();
    await Promise.all(reads);
    expect((await page.provider.quota()).maxChannels).toBe(64);
  });

  test("calls that a page gave up count until their work has ended", async () => {
    const { world, page } = await opened();
    const { manager } = await world.worker();
    const gate = Promise.withResolvers<void>();
    manager.beforeHistory = () => gate.promise;
    const channel = await page.provider.createReliableChannel(PLAIN);
    const givenUp = new AbortController();
    const reads = Array.from({ length: LIMITS.provider.callsPerPage }, () =>
      channel.history({ signal: givenUp.signal }).next(),
    );
    await world.clock.settle();
    givenUp.abort();
    for (const read of await Promise.allSettled(reads)) expect(read.status).toBe("rejected");
    await world.clock.settle();
    expect(await failureOf(page.provider.quota())).toMatchObject({ code: ErrorCode.LimitExceeded });
    gate.resolve();
    await world.clock.settle();
    expect((await page.provider.quota()).maxChannels).toBe(64);
  });

  test("history reads the log in pages, from a cursor, up to a limit", async () => {
    const { world, channel } = await opened();
    const { manager } = await world.worker();
    const key = { origin: SITE, channelId: "room" };
    for (let i = 1; i <= 150; i++) await manager.log(key, { type: "reliable:message:sent", requestId: `${i}` });
    const all = await collect(channel.history());
    expect(all.map((event) => event.type === "reliable:message:sent" && event.requestId)).toEqual(
      Array.from({ length: 150 }, (_, i) => `${i + 1}`),
    );
    expect(all.every(({ replayed }) => replayed)).toBe(true);
    const tenth = all[9]?.cursor;
    if (!tenth) throw new Error("no tenth event");
    const some = await collect(channel.history({ after: tenth, limit: 70 }));
    expect(some).toEqual(all.slice(10, 80));
    expect(await collect(channel.history({ limit: 0 }))).toEqual([]);
  });
});
