import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { failureOf, TOPIC, World } from "./world.ts";

const PLAIN = { channelId: "room", contentTopic: TOPIC, encryption: { mode: "none" } } as const;
const never = (): Promise<void> => new Promise(() => {});

/** When the background dies within a commit. */
const MOMENTS = ["before its commit", "after its commit"] as const;

function dieAt(world: World, moment: (typeof MOMENTS)[number]): void {
  if (moment === "before its commit") world.storage.beforeCommit = never;
  else world.storage.afterCommit = never;
}

describe("death of the worker in the middle of a call", () => {
  test.each(MOMENTS)(
    "a send that dies %s is done once, and its repetition returns the first result",
    async (moment) => {
      const world = new World();
      const page = await world.trustedPage();
      const channel = await page.provider.createReliableChannel(PLAIN);
      dieAt(world, moment);
      const sending = channel.send(Uint8Array.of(1));
      await world.clock.settle();
      await world.kill();
      await world.recover();
      expect(await sending).toBe("request 1");
      const { manager } = await world.worker();
      expect(manager.sends).toHaveLength(1);
      expect(await channel.send(Uint8Array.of(2))).toBe("request 2");
    },
  );

  test("a message sent while the worker is away does not overtake the one that is sent again", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const channel = await page.provider.createReliableChannel(PLAIN);
    dieAt(world, "before its commit");
    const first = channel.send(Uint8Array.of(1));
    await world.clock.settle();
    await world.kill();
    const second = channel.send(Uint8Array.of(2));
    await world.recover();
    expect(await Promise.all([first, second])).toEqual(["request 1", "request 2"]);
    const { manager } = await world.worker();
    expect(manager.sends.map(({ payload }) => payload[0])).toEqual([1, 2]);
  });

  test.each(MOMENTS)("a createReliableChannel that dies %s opens the channel once", async (moment) => {
    const world = new World();
    const page = await world.trustedPage();
    dieAt(world, moment);
    const creating = page.provider.createReliableChannel(PLAIN);
    await world.clock.settle();
    await world.kill();
    await world.recover();
    expect((await creating).senderId).toBe("sender of room");
    expect(await page.provider.listChannels()).toHaveLength(1);
  });

  test.each(MOMENTS)("a close that dies %s is no error the second time", async (moment) => {
    const world = new World();
    const page = await world.trustedPage();
    const channel = await page.provider.createReliableChannel(PLAIN);
    dieAt(world, moment);
    const closing = channel.close();
    await world.clock.settle();
    await world.kill();
    await world.recover();
    await closing;
    expect(await page.provider.channelExists("room")).toBe(false);
  });

  test("a create whose channel was closed meanwhile says so instead of opening it again", async () => {
    const world = new World();
    const page = await world.trustedPage();
    world.storage.afterCommit = never;
    const creating = page.provider.createReliableChannel(PLAIN);
    await world.clock.settle();
    await world.kill();
    const { manager } = await world.worker();
    await manager.closeChannel({ origin: "https://site.example", channelId: "room" }, "user");
    const failure = failureOf(creating);
    await world.recover();
    expect(await failure).toMatchObject({ code: ErrorCode.ChannelClosed });
  });

  test("a prompt outlives the worker: it stays one prompt in one window, and its answer reaches the call", async () => {
    const world = new World();
    const page = world.page();
    const connected = page.provider.connect();
    await world.clock.settle();
    await world.kill();
    await world.recover();
    const { permissions } = await world.worker();
    expect(permissions.prompts()).toHaveLength(1);
    await world.answer("always");
    expect((await connected).grants).toHaveLength(3);
    expect(world.window.opened).toBe(1);
  });

  test.each([
    ["reject", ErrorCode.UserRejected],
    ["block", ErrorCode.UserRejected],
  ] as const)(
    "the answer %s given before the page is back reaches the call, without another prompt",
    async (decision, code) => {
      const world = new World();
      const page = world.page();
      const failure = failureOf(page.provider.connect());
      await world.clock.settle();
      await world.kill();
      await world.answer(decision);
      await world.recover();
      expect(await failure).toMatchObject({ code });
      const { permissions } = await world.worker();
      expect(permissions.prompts()).toEqual([]);
    },
  );

  test("a prompt whose window went with an earlier worker counts as closed: 4001", async () => {
    const world = new World();
    const page = world.page();
    const failure = failureOf(page.provider.connect());
    await world.clock.settle();
    world.window.open = false;
    await world.kill();
    await world.recover();
    expect(await failure).toMatchObject({ code: ErrorCode.UserRejected });
  });

  test("the same call over two lines at once is one call", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const channel = await page.provider.createReliableChannel(PLAIN);
    let commit: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => {
      commit = resolve;
    });
    world.storage.beforeCommit = () => gate;
    const sending = channel.send(Uint8Array.of(1));
    await world.clock.settle();
    page.restored();
    await world.recover();
    commit?.();
    expect(await sending).toBe("request 1");
    expect((await world.worker()).manager.sends).toHaveLength(1);
  });

  test("results are kept for seven days, by origin, and then swept", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const channel = await page.provider.createReliableChannel(PLAIN);
    await channel.send(Uint8Array.of(1));
    const kept = async () => (await world.storage.scan("callResults", [])).length;
    expect(await kept()).toBe(2);
    await world.clock.advance(6 * 86_400_000);
    await world.kill();
    await world.worker();
    expect(await kept()).toBe(2);
    await world.clock.advance(2 * 86_400_000);
    await world.kill();
    await world.worker();
    expect(await kept()).toBe(0);
  });

  test("a page cannot read the result of another origin's call", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const stranger = await world.trustedPage("https://other.example");
    const channel = await page.provider.createReliableChannel(PLAIN);
    await channel.send(Uint8Array.of(1));
    const call = page.posted.find((frame) => frame.type === "call" && frame.method === "send");
    if (call?.type !== "call") throw new Error("the page posted no send");
    const [port, server] = [stranger.ports.at(-1), stranger.serverPorts.at(-1)];
    port?.postMessage({ ...call, retry: true });
    await world.clock.settle();
    expect(server?.posted).toContainEqual(
      expect.objectContaining({
        type: "answer",
        callId: call.callId,
        ok: false,
        error: expect.objectContaining({ code: ErrorCode.NotFound }),
      }),
    );
  });

  test("whatever commits the worker dies at, every message is taken once and in the order sent", async () => {
    const deaths = fc.array(fc.tuple(fc.nat(8), fc.constantFrom(...MOMENTS)), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(deaths, fc.integer({ min: 1, max: 6 }), async (plan, messages) => {
        const world = new World();
        const page = await world.trustedPage();
        const channel = await page.provider.createReliableChannel(PLAIN);
        const sends: Promise<unknown>[] = [];
        for (let i = 0; i < messages; i++) {
          for (const [at, moment] of plan) if (at === i) dieAt(world, moment);
          sends.push(channel.send(Uint8Array.of(i)));
          await Promise.resolve();
        }
        await world.clock.settle();
        for (const _ of plan) {
          await world.kill();
          await world.clock.advance(5_000);
        }
        const ids = await Promise.all(sends);
        const { manager } = await world.worker();
        expect(manager.sends.map(({ payload }) => payload[0])).toEqual(sends.map((_, i) => i));
        expect(new Set(ids).size).toBe(messages);
      }),
      { numRuns: 40 },
    );
  });
});
