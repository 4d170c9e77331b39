import { describe, expect, test } from "vitest";
import type { ProviderStatus } from "../../../src/provider/provider-api.ts";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { failureOf, type Page, SITE, TOPIC, World } from "./world.ts";

const PLAIN = { channelId: "room", contentTopic: TOPIC, encryption: { mode: "none" } } as const;

function record(page: Page): unknown[] {
  const told: unknown[] = [];
  page.provider.on("status", ({ bridge }) => told.push(bridge));
  page.provider.on("disconnect", ({ code, recoverable }) => told.push([code, recoverable]));
  page.provider.on("connect", ({ grants }) => told.push(`connect ${grants.length}`));
  return told;
}

describe("the line between page and background", () => {
  test("an idle page lets the worker sleep", async () => {
    const world = new World();
    const page = await world.trustedPage();
    await world.kill();
    await world.clock.advance(600_000);
    expect(page.ports).toHaveLength(1);
    expect((await page.provider.quota()).pending).toBe(0);
    expect(page.ports).toHaveLength(2);
  });

  test("a page that holds a channel comes back by itself, unseen", async () => {
    const world = new World();
    const page = await world.trustedPage();
    await page.provider.createReliableChannel(PLAIN);
    const told = record(page);
    await world.kill();
    await world.recover();
    expect(page.ports).toHaveLength(2);
    expect(told).toEqual([]);
  });

  test("a page that holds a channel counts as somebody who asks for it, also at a worker that it comes back to", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const channel = await page.provider.createReliableChannel(PLAIN);
    await world.kill();
    await world.recover();
    const { manager } = await world.worker();
    const key = { origin: SITE, channelId: PLAIN.channelId };
    expect(manager.attendances).toContainEqual(key);
    expect([...manager.held()]).toEqual([key]);
    await channel.close();
    expect([...manager.held()]).toEqual([]);
  });

  test("a background that cannot be reached is Disconnected after 15 s, retryable, and announced once", async () => {
    const world = new World();
    const page = await world.trustedPage();
    await page.provider.createReliableChannel(PLAIN);
    const told = record(page);
    world.reachable = false;
    await world.kill();
    const failure = failureOf(page.provider.quota());
    await world.clock.advance(14_999);
    expect(told).not.toContainEqual([ErrorCode.Disconnected, true]);
    await world.clock.advance(1);
    expect(await failure).toMatchObject({
      name: "ReliableChannelError",
      code: ErrorCode.Disconnected,
      retryable: true,
    });
    expect(told.filter((entry) => Array.isArray(entry))).toEqual([[ErrorCode.Disconnected, true]]);
    world.reachable = true;
    await world.clock.advance(10_000);
    expect(told.slice(-2)).toEqual(["ready", "connect 3"]);
    expect((await page.provider.quota()).maxChannels).toBe(64);
  });

  test("status tells of a background that is out of reach instead of failing", async () => {
    const world = new World();
    const page = await world.trustedPage();
    world.reachable = false;
    await world.kill();
    let status: ProviderStatus | undefined;
    void page.provider.status().then((told) => {
      status = told;
    });
    await world.clock.advance(20_000);
    expect(status?.bridge).toBe("reconnecting");
  });

  test("frames that vanish without a word are sent again over a new line after 3 s", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const channel = await page.provider.createReliableChannel(PLAIN);
    page.ports.at(-1)?.freeze();
    const sending = channel.send(Uint8Array.of(1));
    await world.clock.advance(3_000);
    expect(await sending).toBe("request 1");
    expect((await world.worker()).manager.sends).toHaveLength(1);
    expect(page.ports).toHaveLength(2);
  });

  test("a call that was accepted may take its time", async () => {
    const world = new World();
    const page = world.page();
    const connected = page.provider.connect();
    await world.clock.advance(600_000);
    await world.answer("always");
    expect((await connected).grants).toHaveLength(3);
    expect(page.ports).toHaveLength(1);
  });

  test.each(["asked of the bridge", "noticed at the next call", "noticed when the port dies"])(
    "an updated extension is ContextInvalidated for good, %s",
    async (how) => {
      const world = new World();
      const page = await world.trustedPage();
      const channel = await page.provider.createReliableChannel(PLAIN);
      const told = record(page);
      channel.on("close", ({ reason }) => told.push(reason));
      world.installed = false;
      if (how === "asked of the bridge") page.invalidated();
      if (how === "noticed when the port dies") await world.kill();
      if (how === "noticed at the next call") {
        page.ports.at(-1)?.disconnect();
        expect(await failureOf(page.provider.quota())).toMatchObject({ code: ErrorCode.ContextInvalidated });
      }
      await world.clock.settle();
      expect(told).toEqual(["error", "dead", [ErrorCode.ContextInvalidated, false]]);
      expect(await failureOf(page.provider.connect())).toMatchObject({
        code: ErrorCode.ContextInvalidated,
        retryable: false,
        message: expect.stringContaining("reload"),
      });
      expect(await page.provider.status()).toEqual({ bridge: "dead", network: "Disconnected", locked: false });
      await world.clock.advance(60_000);
      expect(world.clock.pending).toBe(0);
    },
  );

  test("network status and permission changes are pushed", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const told: unknown[] = [];
    page.provider.on("status", (status) => told.push(status));
    page.provider.on("permissionsChanged", (grants) => told.push(grants));
    const worker = await world.worker();
    worker.setNetwork("PartiallyConnected");
    worker.setNetwork("PartiallyConnected");
    await worker.permissions.revoke(SITE);
    await world.clock.settle();
    expect(told).toEqual([{ bridge: "ready", network: "PartiallyConnected", locked: false }, []]);
  });

  test("AbortSignal rejects with its reason, before and during the call", async () => {
    const world = new World();
    const { provider } = world.page();
    const aborted = AbortSignal.abort(new Error("changed my mind"));
    expect(await failureOf(provider.connect({ signal: aborted }))).toEqual(new Error("changed my mind"));
    expect(world.window.opened).toBe(0);
    const controller = new AbortController();
    const failure = failureOf(provider.connect({ signal: controller.signal }));
    await world.clock.settle();
    expect(world.window.open).toBe(true);
    controller.abort();
    expect(await failure).toMatchObject({ name: "AbortError" });
    await world.clock.settle();
    expect((await world.worker()).permissions.prompts()).toEqual([]);
    expect(world.window.open).toBe(false);
  });

  test("timeoutMs rejects as Disconnected and says that the call may still take effect", async () => {
    const world = new World();
    const { provider } = world.page();
    const failure = failureOf(provider.connect({ timeoutMs: 5_000 }));
    await world.clock.advance(5_000);
    expect(await failure).toMatchObject({
      code: ErrorCode.Disconnected,
      retryable: true,
      message: expect.stringMatching(/5000 ms.*may still take effect/),
    });
    await world.clock.settle();
    expect(world.window.open).toBe(false);
  });

  test("a call that is done leaves no timer and no abort listener behind", async () => {
    const world = new World();
    const page = await world.trustedPage();
    // The badge follows a prompt after a moment.
    await world.clock.advance(1_000);
    const controller = new AbortController();
    await page.provider.quota.call(page.provider);
    await page.provider.listChannels({ signal: controller.signal, timeoutMs: 60_000 });
    controller.abort();
    await world.clock.settle();
    expect(world.clock.pending).toBe(0);
    expect(page.posted.some((frame) => frame.type === "cancel")).toBe(false);
  });
});
