import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { BackgroundFrame } from "../../../src/provider/frames.ts";
import type { Cursor, LoggedEvent, ReliableChannel } from "../../../src/provider/provider-api.ts";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { type Page, SITE, TOPIC, World } from "./world.ts";

const PLAIN = { channelId: "room", contentTopic: TOPIC, encryption: { mode: "none" } } as const;
const KEY = { origin: SITE, channelId: "room" };
const RECEIVED = "reliable:message:received";

async function opened() {
  const world = new World();
  const page = await world.trustedPage();
  const channel = await page.provider.createReliableChannel(PLAIN);
  return { world, page, channel };
}

/** The page is loaded anew. */
async function reloaded(world: World): Promise<{ page: Page; channel: ReliableChannel }> {
  const page = world.page();
  return { page, channel: await page.provider.createReliableChannel(PLAIN) };
}

async function receive(world: World, ...numbers: number[]): Promise<void> {
  const { manager } = await world.worker();
  for (const n of numbers) {
    await manager.log(KEY, { type: RECEIVED, message: Uint8Array.of(n), messageId: `m${n}`, senderId: "peer" });
  }
  await world.clock.settle();
}

/** Collects the numbers of received messages. */
function listen(channel: ReliableChannel): number[] {
  const seen: number[] = [];
  channel.on(RECEIVED, ({ message }) => {
    seen.push(message[0] ?? -1);
  });
  return seen;
}

async function acknowledged(world: World): Promise<number> {
  await world.clock.advance(1);
  return (await world.worker()).manager.channel(KEY)?.acknowledged() ?? -1;
}

describe("events", () => {
  test("every kind reaches its listeners as the contract shapes it", async () => {
    const { world, channel } = await opened();
    const { manager } = await world.worker();
    const told: unknown[] = [];
    const names = [
      RECEIVED,
      "reliable:message:sent",
      "reliable:message:delivered",
      "reliable:message:send-error",
      "reliable:message:delivery-error",
      "reliable:message:lost",
      "progress",
      "status",
    ] as const;
    for (const name of names) channel.on(name, (payload) => told.push([name, payload]));
    await world.clock.advance(1);
    const at = world.clock.now();
    await manager.log(KEY, { type: RECEIVED, message: Uint8Array.of(7), messageId: "m", senderId: "peer" });
    await manager.log(KEY, { type: "reliable:message:sent", requestId: "r" });
    await manager.log(KEY, { type: "reliable:message:delivered", requestId: "r" });
    await manager.log(KEY, { type: "reliable:message:send-error", requestId: "r", kind: "too-large", error: "why" });
    await manager.log(KEY, {
      type: "reliable:message:delivery-error",
      requestId: "r",
      kind: "unacknowledged",
      error: "why",
    });
    await manager.log(KEY, { type: "reliable:message:lost", messageId: "m", senderId: "peer", reason: "why" });
    manager.tell(KEY, { type: "progress", direction: "out", id: "r", done: 1, total: 3 });
    manager.tell(KEY, { type: "status", status: { state: "open", health: "UNHEALTHY", pending: 2 } });
    await world.clock.settle();
    const logged = (n: number) => ({ cursor: `000000000000000${n}`, at, replayed: false });
    expect(told).toEqual([
      [RECEIVED, { ...logged(1), message: Uint8Array.of(7), messageId: "m", senderId: "peer" }],
      ["reliable:message:sent", { ...logged(2), requestId: "r" }],
      ["reliable:message:delivered", { ...logged(3), requestId: "r" }],
      ["reliable:message:send-error", { ...logged(4), requestId: "r", error: "why", code: ErrorCode.PayloadTooLarge }],
      ["reliable:message:delivery-error", { ...logged(5), requestId: "r", error: "why", code: ErrorCode.Disconnected }],
      ["reliable:message:lost", { ...logged(6), messageId: "m", senderId: "peer", reason: "why" }],
      ["progress", { direction: "out", id: "r", done: 1, total: 3 }],
      ["status", { state: "open", health: "UNHEALTHY", pending: 2 }],
    ]);
  });

  test.each([
    ["unreachable", ErrorCode.Disconnected],
    ["unacknowledged", ErrorCode.Disconnected],
    ["too-large", ErrorCode.PayloadTooLarge],
    ["refused", ErrorCode.Unsupported],
    ["queue-full", ErrorCode.LimitExceeded],
    ["rate-limit", ErrorCode.LimitExceeded],
    ["encryption", ErrorCode.KeyRequired],
    ["not-kept", ErrorCode.NotFound],
    ["internal", ErrorCode.Internal],
  ] as const)("a request that failed as %s carries the code %i", async (kind, code) => {
    const { world, channel } = await opened();
    const { manager } = await world.worker();
    const codes: number[] = [];
    channel.on("reliable:message:send-error", (event) => codes.push(event.code));
    await world.clock.advance(1);
    await manager.log(KEY, { type: "reliable:message:send-error", requestId: "r", kind, error: "why" });
    await world.clock.settle();
    expect(codes).toEqual([code]);
  });

  test("nothing is told before somebody listens: what came before is replayed then, and says so", async () => {
    const { world, channel } = await opened();
    await receive(world, 1, 2);
    await world.clock.advance(10);
    const seen: [number | undefined, boolean][] = [];
    channel.on(RECEIVED, ({ message, replayed }) => {
      seen.push([message[0], replayed]);
    });
    await world.clock.advance(1);
    await receive(world, 3);
    expect(seen).toEqual([
      [1, true],
      [2, true],
      [3, false],
    ]);
  });

  test("listeners that are added in the same breath miss nothing", async () => {
    const { world, channel } = await opened();
    const { manager } = await world.worker();
    await manager.log(KEY, { type: "reliable:message:sent", requestId: "r" });
    await receive(world, 1);
    const told: string[] = [];
    channel.once(RECEIVED, () => {
      told.push("received");
    });
    await Promise.resolve();
    channel.on("reliable:message:sent", () => told.push("sent"));
    await world.clock.advance(1);
    expect(told).toEqual(["sent", "received"]);
  });

  test("what was acknowledged is not replayed after a reload, what was not is", async () => {
    const { world, channel } = await opened();
    const seen = listen(channel);
    await world.clock.advance(1);
    await receive(world, 1, 2);
    expect(await acknowledged(world)).toBe(2);
    channel.autoAck = false;
    await receive(world, 3, 4);
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(await acknowledged(world)).toBe(2);
    const again = listen((await reloaded(world)).channel);
    await world.clock.advance(1);
    expect(again).toEqual([3, 4]);
  });

  test("autoAck waits for the promises of the listeners, in the order of the log", async () => {
    const { world, channel } = await opened();
    const done: (() => void)[] = [];
    channel.on(RECEIVED, () => new Promise<void>((resolve) => void done.push(resolve)));
    await world.clock.advance(1);
    await receive(world, 1, 2);
    done[1]?.();
    expect(await acknowledged(world)).toBe(0);
    done[0]?.();
    expect(await acknowledged(world)).toBe(2);
  });

  test("a message that nobody took, or whose listener failed, is not acknowledged, nor anything after it", async () => {
    const { world, channel } = await opened();
    channel.on("reliable:message:sent", () => {});
    await world.clock.advance(1);
    await receive(world, 1);
    expect(await acknowledged(world)).toBe(0);

    const second = await reloaded(world);
    second.channel.on(RECEIVED, () => {
      throw new Error("thrown");
    });
    await world.clock.advance(1);
    expect(await acknowledged(world)).toBe(0);
    expect(second.page.reported).toEqual([new Error("thrown")]);

    const third = await reloaded(world);
    third.channel.on(RECEIVED, () => Promise.reject(new Error("rejected")));
    await world.clock.advance(1);
    await receive(world, 2);
    expect(await acknowledged(world)).toBe(0);
    expect(third.page.reported).toEqual([new Error("rejected"), new Error("rejected")]);

    const fourth = await reloaded(world);
    expect(listen(fourth.channel)).toEqual([]);
    expect(await acknowledged(world)).toBe(2);
  });

  test("news about requests needs no listener to be acknowledged", async () => {
    const { world, channel } = await opened();
    listen(channel);
    await world.clock.advance(1);
    const { manager } = await world.worker();
    await manager.log(KEY, { type: "reliable:message:sent", requestId: "r" });
    expect(await acknowledged(world)).toBe(1);
  });

  test("without autoAck the page acknowledges by cursor; turning it on catches up", async () => {
    const { world, channel } = await opened();
    channel.autoAck = false;
    const cursors: Cursor[] = [];
    channel.on(RECEIVED, ({ cursor }) => {
      cursors.push(cursor);
    });
    await world.clock.advance(1);
    await receive(world, 1, 2, 3);
    expect(await acknowledged(world)).toBe(0);
    const [, second] = cursors;
    if (!second) throw new Error("no second cursor");
    await channel.ack(second);
    expect(await acknowledged(world)).toBe(2);
    channel.autoAck = true;
    expect(await acknowledged(world)).toBe(3);
  });

  test("one cursor per origin and channel, shared by its tabs", async () => {
    const { world, channel } = await opened();
    const other = await reloaded(world);
    const [first, second] = [listen(channel), listen(other.channel)];
    await world.clock.advance(1);
    await receive(world, 1, 2);
    expect([first, second]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    expect(await acknowledged(world)).toBe(2);
  });

  test("after the death of the worker events go on where they were, none twice", async () => {
    const { world, channel } = await opened();
    channel.autoAck = false;
    const seen = listen(channel);
    await world.clock.advance(1);
    await receive(world, 1, 2);
    await world.kill();
    await receive(world, 3);
    await world.recover();
    await receive(world, 4);
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  test("back/forward cache: nothing arrives while frozen, everything after, once", async () => {
    const { world, page, channel } = await opened();
    const seen = listen(channel);
    await world.clock.advance(1);
    await receive(world, 1);
    page.ports.at(-1)?.freeze();
    await receive(world, 2, 3);
    expect(seen).toEqual([1]);
    page.restored();
    await world.recover();
    await receive(world, 4);
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(page.ports).toHaveLength(2);
  });

  test("a page that acknowledges nothing gets a window's worth, and loses its port after a while", async () => {
    const { world, page, channel } = await opened();
    listen(channel);
    await world.clock.advance(1);
    const server = page.serverPorts.at(-1);
    const pushed = () => ((server?.posted ?? []) as BackgroundFrame[]).filter((frame) => frame.type === "push").length;
    const before = pushed();
    page.ports.at(-1)?.freeze();
    await receive(world, ...Array.from({ length: 100 }, (_, i) => i));
    expect(pushed() - before).toBe(64);
    expect(server?.open).toBe(true);
    await world.clock.advance(10_000);
    expect(server?.open).toBe(false);
  });

  test("large messages fill the window by their bytes", async () => {
    const { world, page, channel } = await opened();
    listen(channel);
    await world.clock.advance(1);
    const server = page.serverPorts.at(-1);
    const pushed = () => ((server?.posted ?? []) as BackgroundFrame[]).filter((frame) => frame.type === "push").length;
    const before = pushed();
    page.ports.at(-1)?.freeze();
    const { manager } = await world.worker();
    const message = new Uint8Array(3 * 1024 * 1024);
    for (let i = 0; i < 6; i++)
      await manager.log(KEY, { type: RECEIVED, message, messageId: `m${i}`, senderId: "peer" });
    await world.clock.settle();
    expect(pushed() - before).toBe(3);
  });

  test("a channel that the popup closes, or that is closed while the page is away, ends the handle", async () => {
    const { world, channel } = await opened();
    const reasons: string[] = [];
    channel.on("close", ({ reason }) => reasons.push(reason));
    await (await world.worker()).manager.closeChannel(KEY, "user");
    await world.clock.settle();
    const second = await reloaded(world);
    second.channel.on("close", ({ reason }) => reasons.push(`away: ${reason}`));
    await world.kill();
    await (await world.worker()).manager.closeChannel(KEY, "user");
    await world.recover();
    expect(reasons).toEqual(["user", "away: user"]);
  });

  test("a closed handle tells nothing more", async () => {
    const { world, channel } = await opened();
    const seen = listen(channel);
    await world.clock.advance(1);
    const closing = channel.close();
    await closing;
    await receive(world, 1);
    expect(seen).toEqual([]);
  });

  test("a grant without channel:receive gets no events, and a history call is Unauthorized", async () => {
    const world = new World();
    const page = world.page();
    const connected = page.provider.connect({ scopes: ["channel:create", "channel:send"] });
    await world.answer("always");
    await connected;
    const channel = await page.provider.createReliableChannel(PLAIN);
    const seen = listen(channel);
    await world.clock.advance(1);
    await receive(world, 1);
    expect(seen).toEqual([]);
    await expect(channel.history().next()).rejects.toMatchObject({ code: ErrorCode.Unauthorized });
  });

  test("across replay, live events, slow reads, deaths and restores: each event once, in order", async () => {
    const step = fc.constantFrom("log", "log", "log", "kill", "freeze", "gate", "open", "pass");
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.nat(20), async (steps, before) => {
        const { world, page, channel } = await opened();
        let logged = 0;
        const log = () => receive(world, ++logged);
        for (let i = 0; i < before; i++) await log();
        channel.autoAck = false;
        const seen: LoggedEvent["cursor"][] = [];
        channel.on(RECEIVED, ({ cursor }) => {
          seen.push(cursor);
        });
        const gates: (() => void)[] = [];
        const openAll = () => {
          for (const open of gates) open();
        };
        for (const action of steps) {
          const { manager } = await world.worker();
          if (action === "log") await log();
          else if (action === "kill") await world.kill();
          else if (action === "freeze") {
            page.ports.at(-1)?.freeze();
            page.restored();
          } else if (action === "gate") {
            const gate = new Promise<void>((resolve) => void gates.push(resolve));
            manager.beforeHistory = () => gate;
          } else if (action === "open") {
            manager.beforeHistory = () => {};
            openAll();
          } else await world.clock.advance(200);
        }
        (await world.worker()).manager.beforeHistory = () => {};
        openAll();
        await world.clock.advance(30_000);
        expect(seen.map(Number)).toEqual(Array.from({ length: logged }, (_, i) => i + 1));
      }),
      { numRuns: 60 },
    );
  });
});
