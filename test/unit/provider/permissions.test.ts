import { describe, expect, test } from "vitest";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { failureOf, SITE, TOPIC, World } from "./world.ts";

const PLAIN = { channelId: "room", contentTopic: TOPIC, encryption: { mode: "none" } } as const;
const OTHER_TOPIC = "/test/1/other/proto";

describe("permissions", () => {
  test("always survives the browser session, once ends with it", async () => {
    const world = new World();
    await world.trustedPage();
    const other = world.page("https://other.example");
    const connected = other.provider.connect();
    await world.answer("once");
    await connected;
    expect((await world.worker()).permissions.sites()).toMatchObject([
      { origin: SITE, state: "granted", lasts: "always" },
      { origin: "https://other.example", state: "granted", lasts: "session" },
    ]);
    await world.kill();
    await world.recover();
    expect(await other.provider.permissions()).toHaveLength(3);
    await world.kill();
    world.browserSession = "second session";
    expect(await world.page("https://other.example").provider.permissions()).toEqual([]);
    expect(await world.page().provider.permissions()).toHaveLength(3);
  });

  test("a refused prompt is 4001, a closed window too", async () => {
    const world = new World();
    const page = world.page();
    const refused = failureOf(page.provider.connect());
    await world.answer("reject");
    expect(await refused).toMatchObject({ code: ErrorCode.UserRejected, retryable: false });
    const closed = failureOf(page.provider.createReliableChannel(PLAIN));
    await world.clock.settle();
    await world.closeWindow();
    expect(await closed).toMatchObject({ code: ErrorCode.UserRejected });
    expect(await page.provider.permissions()).toEqual([]);
  });

  test("a second call of the origin focuses the open prompt and waits for the same answer", async () => {
    const world = new World();
    const [page, tab] = [world.page(), world.page()];
    const calls = [page.provider.connect(), page.provider.createReliableChannel(PLAIN), tab.provider.connect()];
    await world.clock.settle();
    expect((await world.worker()).permissions.prompts()).toHaveLength(1);
    expect(world.window).toMatchObject({ opened: 1, focused: 2 });
    await world.answer("always");
    expect(await Promise.all(calls)).toHaveLength(3);
  });

  test("a second call that asks for more than the open prompt is AlreadyPending", async () => {
    const world = new World();
    const { provider } = world.page();
    const narrow = provider.connect({ contentTopics: [TOPIC] });
    await world.clock.settle();
    expect(await failureOf(provider.connect({ contentTopics: [OTHER_TOPIC] }))).toMatchObject({
      code: ErrorCode.AlreadyPending,
      retryable: true,
    });
    await world.answer("always");
    expect((await narrow).grants[0]).toMatchObject({ contentTopics: [TOPIC] });
  });

  test("no more than 32 calls wait on one prompt", async () => {
    const world = new World();
    const { provider } = world.page();
    const calls = Array.from({ length: 32 }, () => provider.connect());
    expect(await failureOf(provider.connect())).toMatchObject({ code: ErrorCode.AlreadyPending });
    await world.answer("always");
    expect(await Promise.all(calls)).toHaveLength(32);
  });

  test("prompts of two origins share one window, and each is answered for itself", async () => {
    const world = new World();
    const [page, other] = [world.page(), world.page("https://other.example")];
    const allowed = page.provider.connect();
    const refused = failureOf(other.provider.connect());
    await world.clock.settle();
    expect(world.window).toMatchObject({ opened: 1, focused: 1 });
    await world.answer("always");
    expect(world.window.open).toBe(true);
    await world.answer("reject");
    expect(world.window.open).toBe(false);
    expect((await allowed).grants).toHaveLength(3);
    expect(await refused).toMatchObject({ code: ErrorCode.UserRejected });
  });

  test("onlyIfTrusted never opens a prompt", async () => {
    const world = new World();
    const { provider } = world.page();
    expect(await failureOf(provider.connect({ onlyIfTrusted: true }))).toMatchObject({ code: ErrorCode.Unauthorized });
    expect(world.window.opened).toBe(0);
  });

  test("three refusals in 30 s pause the prompts of that origin for 60 s, also over the death of the worker", async () => {
    const world = new World();
    const page = world.page();
    for (let i = 0; i < 3; i++) {
      const refused = failureOf(page.provider.connect());
      await world.answer("reject");
      await refused;
      await world.clock.advance(5_000);
    }
    await world.kill();
    await world.recover();
    expect(await failureOf(page.provider.connect())).toMatchObject({
      code: ErrorCode.LimitExceeded,
      retryable: true,
      data: { retryAfterMs: expect.any(Number) },
    });
    expect((await world.worker()).permissions.sites()).toMatchObject([{ origin: SITE, state: "blocked" }]);
    expect(world.window.opened).toBe(3);
    const other = await world.trustedPage("https://other.example");
    expect(await other.provider.permissions()).toHaveLength(3);
    await world.clock.advance(60_000);
    const connected = page.provider.connect();
    await world.answer("always");
    expect((await connected).grants).toHaveLength(3);
  });

  test("three refusals in more than 30 s pause nothing, and the person can end a pause", async () => {
    const world = new World();
    const page = world.page();
    const refuse = async () => {
      const refused = failureOf(page.provider.connect());
      await world.answer("reject");
      expect(await refused).toMatchObject({ code: ErrorCode.UserRejected });
    };
    for (let i = 0; i < 4; i++) {
      await refuse();
      await world.clock.advance(15_000);
    }
    await refuse();
    await refuse();
    expect(await failureOf(page.provider.connect())).toMatchObject({ code: ErrorCode.LimitExceeded });
    await (await world.worker()).permissions.unblock(SITE);
    await refuse();
  });

  test("a prompt that the page gives up counts as refused: a site cannot bring up the window without end", async () => {
    const world = new World();
    const page = world.page();
    const giveUp = async () => {
      const abort = new AbortController();
      const failure = failureOf(page.provider.connect({ signal: abort.signal }));
      await world.clock.settle();
      abort.abort(new Error("enough"));
      expect(await failure).toMatchObject({ message: "enough" });
      await world.clock.settle();
    };
    for (let i = 0; i < 3; i++) await giveUp();
    expect(world.window).toMatchObject({ open: false, opened: 3 });
    expect(await failureOf(page.provider.connect())).toMatchObject({ code: ErrorCode.LimitExceeded });
    expect(world.window.opened).toBe(3);
    const { permissions } = await world.worker();
    expect(permissions.sites()).toMatchObject([{ origin: SITE, state: "blocked", lasts: "session" }]);
    await permissions.unblock(SITE);
    await giveUp();
    expect(world.window.opened).toBe(4);
  });

  test("a call that is given up while another one waits for the same prompt is no refusal", async () => {
    const world = new World();
    const page = world.page();
    const connected = page.provider.connect();
    for (let i = 0; i < 3; i++) {
      const abort = new AbortController();
      const failure = failureOf(page.provider.connect({ signal: abort.signal }));
      await world.clock.settle();
      abort.abort(new Error("enough"));
      await failure;
    }
    expect((await world.worker()).permissions.sites()).toEqual([]);
    await world.answer("always");
    expect((await connected).grants).toHaveLength(3);
  });

  test("a page that goes away refuses nothing: its prompt waits for the next one", async () => {
    const world = new World();
    for (let i = 0; i < 4; i++) {
      const page = world.page();
      void page.provider.connect().catch(() => undefined);
      await world.clock.settle();
      page.ports.at(-1)?.disconnect();
      await world.clock.settle();
    }
    const connected = world.page().provider.connect();
    await world.answer("always");
    expect((await connected).grants).toHaveLength(3);
    expect(world.window.opened).toBe(1);
  });

  test("a site that is allowed and asks for a key again and again is both allowed and blocked", async () => {
    const world = new World();
    const page = await world.trustedPage();
    for (let i = 0; i < 3; i++) {
      const refused = failureOf(page.provider.createReliableChannel({ channelId: "room", contentTopic: TOPIC }));
      await world.answer("reject");
      expect(await refused).toMatchObject({ code: ErrorCode.UserRejected });
    }
    const { permissions } = await world.worker();
    expect(permissions.sites()).toMatchObject([
      { origin: SITE, state: "granted", lasts: "always" },
      { origin: SITE, state: "blocked", lasts: "session" },
    ]);
    await permissions.unblock(SITE);
    expect(permissions.sites()).toMatchObject([{ origin: SITE, state: "granted" }]);
  });

  test("a blocked origin is Unauthorized without a prompt until it is unblocked", async () => {
    const world = new World();
    const page = world.page();
    const refused = failureOf(page.provider.connect());
    await world.answer("block");
    expect(await refused).toMatchObject({ code: ErrorCode.UserRejected });
    expect(await failureOf(page.provider.connect())).toMatchObject({
      code: ErrorCode.Unauthorized,
      message: expect.stringContaining("blocked"),
    });
    expect(world.window.opened).toBe(1);
    const { permissions } = await world.worker();
    expect(permissions.sites()).toMatchObject([{ origin: SITE, state: "blocked", lasts: "always" }]);
    await permissions.unblock(SITE);
    expect(permissions.sites()).toEqual([]);
    const connected = page.provider.connect();
    await world.answer("once");
    expect((await connected).grants).toHaveLength(3);
  });

  test("revoking closes the handles with their reason, and calls are Unauthorized from then on", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const other = await world.trustedPage("https://other.example");
    const channel = await page.provider.createReliableChannel(PLAIN);
    await other.provider.createReliableChannel(PLAIN);
    const reasons: string[] = [];
    channel.on("close", ({ reason }) => reasons.push(reason));
    const popup = await world.popup();
    popup.port.postMessage({ type: "command", id: 1, command: { type: "revokeSite", origin: SITE } });
    await world.clock.settle();
    expect(reasons).toEqual(["revoked"]);
    expect(await failureOf(page.provider.listChannels())).toMatchObject({ code: ErrorCode.Unauthorized });
    expect(await other.provider.channelExists("room")).toBe(true);
  });

  test("a grant that ends while the page is away closes its handles as revoked", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const channel = await page.provider.createReliableChannel(PLAIN);
    const reasons: string[] = [];
    channel.on("close", ({ reason }) => reasons.push(reason));
    await world.kill();
    await (await world.worker()).permissions.revoke(SITE);
    await world.recover();
    expect(reasons).toEqual(["revoked"]);
  });

  test("a page whose grant ended does not attach to a channel that is still there: it neither hears of it nor holds it", async () => {
    const world = new World();
    const page = world.page();
    const connected = page.provider.connect();
    await world.answer("once");
    await connected;
    await page.provider.createReliableChannel(PLAIN);
    await world.kill();
    world.browserSession = "second session";
    const next = world.page();
    await next.provider.status();
    const params = { channelId: "room", events: true };
    next.ports
      .at(-1)
      ?.postMessage({ type: "call", callId: crypto.randomUUID(), retry: false, method: "attach", params });
    await world.clock.settle();
    const { manager } = await world.worker();
    const server = next.serverPorts.at(-1);
    expect(server?.posted.at(-1)).toMatchObject({ type: "answer", error: { code: ErrorCode.Unauthorized } });
    expect([[...manager.held()], manager.attendances]).toEqual([[], []]);
    const told = server?.posted.length;
    const status = { state: "open", health: "UNHEALTHY", pending: 1 } as const;
    manager.tell({ origin: SITE, channelId: "room" }, { type: "status", status });
    await world.clock.settle();
    expect(server?.posted.length).toBe(told);
  });

  test("a repeated create of an old result does not outlive the grant", async () => {
    const world = new World();
    const page = await world.trustedPage();
    await page.provider.createReliableChannel(PLAIN);
    const { permissions } = await world.worker();
    await permissions.revoke(SITE);
    const call = page.posted.find((frame) => frame.type === "call" && frame.method === "create");
    page.ports.at(-1)?.postMessage({ ...call, retry: true });
    await world.clock.settle();
    expect(page.serverPorts.at(-1)?.posted.at(-1)).toMatchObject({
      type: "answer",
      error: { code: ErrorCode.Unauthorized },
    });
  });

  test("a prompt says what is asked for: the scopes, and the topics that they are limited to", async () => {
    const world = new World();
    const scopes = ["channel:receive"] as const;
    void world.page().provider.connect({ scopes, contentTopics: [TOPIC, OTHER_TOPIC, TOPIC] });
    void world.page("https://other.example").provider.createReliableChannel(PLAIN);
    await world.clock.settle();
    const { permissions } = await world.worker();
    const asked = { id: expect.any(String), requestedAt: world.clock.now() };
    expect(permissions.prompts()).toEqual([
      { ...asked, origin: SITE, scopes, contentTopics: [TOPIC, OTHER_TOPIC] },
      {
        ...asked,
        origin: "https://other.example",
        scopes: ["channel:create", "channel:send", "channel:receive"],
        channel: { channelId: "room", contentTopic: TOPIC, encryption: "none", profile: "logos" },
      },
    ]);
  });

  test("a prompt says of a site that is allowed something already what it may do then: what is granted, to the letter", async () => {
    const world = new World();
    const { provider } = world.page();
    const { permissions } = await world.worker();
    const allow = async (asked: Promise<unknown>) => {
      await world.clock.settle();
      const [{ scopes, contentTopics } = { scopes: [] }] = permissions.prompts();
      await world.answer("always");
      await asked;
      const grants = await provider.permissions();
      expect(grants.map(({ scope }) => scope)).toEqual(scopes);
      for (const grant of grants) expect(grant.contentTopics).toEqual(contentTopics);
      return { scopes, contentTopics };
    };
    await allow(provider.connect({ scopes: ["channel:receive"], contentTopics: [TOPIC] }));
    expect(await allow(provider.connect({ scopes: ["channel:send"], contentTopics: [OTHER_TOPIC] }))).toEqual({
      scopes: ["channel:send", "channel:receive"],
      contentTopics: [TOPIC, OTHER_TOPIC],
    });
    const all = ["channel:create", "channel:send", "channel:receive"];
    const contentTopics = [TOPIC, OTHER_TOPIC, "/test/1/third/proto"];
    const third = { ...PLAIN, contentTopic: "/test/1/third/proto" };
    expect(await allow(provider.createReliableChannel(third))).toEqual({ scopes: all, contentTopics });
    expect(await allow(provider.connect({ scopes: ["channel:send"] }))).toEqual({
      scopes: all,
      contentTopics: undefined,
    });
  });

  test("scopes and topics that were not granted are asked for, and added to the grant", async () => {
    const world = new World();
    const page = world.page();
    const connected = page.provider.connect({ scopes: ["channel:receive"], contentTopics: [TOPIC] });
    await world.answer("always");
    expect((await connected).grants).toEqual([{ scope: "channel:receive", contentTopics: [TOPIC], expiresAt: null }]);
    const creating = page.provider.createReliableChannel({ ...PLAIN, contentTopic: OTHER_TOPIC });
    await world.answer("once");
    await creating;
    const grants = await page.provider.permissions();
    expect(grants.map(({ scope }) => scope)).toEqual(["channel:create", "channel:send", "channel:receive"]);
    expect(grants[0]?.contentTopics).toEqual([TOPIC, OTHER_TOPIC]);
    expect((await world.worker()).permissions.sites()).toMatchObject([{ lasts: "always" }]);
    await page.provider.createReliableChannel({ ...PLAIN, channelId: "second room" });
    expect(world.window.opened).toBe(2);
  });

  test("an answer to a prompt that is no longer open says so", async () => {
    const world = new World();
    const { permissions } = await world.worker();
    expect(await permissions.answer("no prompt", "always")).toMatchObject({
      ok: false,
      error: { kind: "prompt-gone", message: expect.stringMatching(/no longer/) },
    });
  });
});
