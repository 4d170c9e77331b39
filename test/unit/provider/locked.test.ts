import { describe, expect, test } from "vitest";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { failureOf, type Page, SITE, TOPIC, World } from "./world.ts";

const PLAIN = { channelId: "room", contentTopic: TOPIC, encryption: { mode: "none" } } as const;
const PASSWORD = "correct horse";

async function lockedWorld(): Promise<{ world: World; page: Page }> {
  const world = new World();
  const page = await world.trustedPage();
  await page.provider.createReliableChannel(PLAIN);
  const { vault } = await world.worker();
  await vault.setPassword(PASSWORD);
  await vault.lock();
  await world.clock.settle();
  world.window.opened = 0;
  return { world, page };
}

async function unlock(world: World): Promise<void> {
  const { vault } = await world.worker();
  expect(await vault.unlock(PASSWORD)).toMatchObject({ ok: true });
  await world.clock.settle();
}

describe("while the vault is locked", () => {
  test("pages are told, at once and when they connect, and told again when it is unlocked", async () => {
    const { world, page } = await lockedWorld();
    const seen: boolean[] = [];
    page.provider.on("status", ({ locked }) => seen.push(locked));
    expect((await page.provider.status()).locked).toBe(true);
    await unlock(world);
    expect((await page.provider.status()).locked).toBe(false);
    await (await world.worker()).vault.lock();
    await world.clock.settle();
    expect(seen).toEqual([false, true]);
    const { client, server } = { client: page.ports.at(-1), server: page.serverPorts.at(-1) };
    client?.postMessage({ type: "hello", version: 1, pageId: crypto.randomUUID(), attached: [] });
    await world.clock.settle();
    expect(server?.posted.at(-1)).toMatchObject({
      type: "welcome",
      session: { locked: true },
      status: { locked: true },
    });
  });

  test("send is Locked, retryable, and nothing is sent", async () => {
    const { world, page } = await lockedWorld();
    expect(await failureOf(page.provider.send("room", Uint8Array.of(1)))).toMatchObject({
      code: ErrorCode.Locked,
      retryable: true,
    });
    expect((await world.worker()).manager.sends).toEqual([]);
    expect(world.window.opened).toBe(0);
  });

  test("connect with onlyIfTrusted is Locked, or Unauthorized for a site without a grant", async () => {
    const { world, page } = await lockedWorld();
    expect(await failureOf(page.provider.connect({ onlyIfTrusted: true }))).toMatchObject({ code: ErrorCode.Locked });
    const other = world.page("https://other.example");
    expect(await failureOf(other.provider.connect({ onlyIfTrusted: true }))).toMatchObject({
      code: ErrorCode.Unauthorized,
    });
    expect(world.window.opened).toBe(0);
  });

  test("connect and createReliableChannel open the window and wait until it is unlocked", async () => {
    const { world, page } = await lockedWorld();
    const calls = [page.provider.connect(), page.provider.createReliableChannel(PLAIN)];
    await world.clock.settle();
    expect(world.window).toMatchObject({ open: true, opened: 1 });
    expect((await world.worker()).permissions.prompts()).toEqual([]);
    await unlock(world);
    expect(await Promise.all(calls)).toHaveLength(2);
    expect(world.window.open).toBe(false);
  });

  test("they survive the worker that is replaced when it is unlocked", async () => {
    const { world, page } = await lockedWorld();
    const connecting = page.provider.connect();
    await world.clock.settle();
    await world.kill();
    await unlock(world);
    await world.recover();
    expect((await connecting).locked).toBe(false);
  });

  test("the window closes when it is unlocked, also where whoever waited is gone", async () => {
    const { world, page } = await lockedWorld();
    void page.provider.connect().catch(() => undefined);
    await world.clock.settle();
    world.reachable = false;
    await world.kill();
    expect(world.window.open).toBe(true);
    await unlock(world);
    expect(world.window.open).toBe(false);
  });

  test("a window that is closed instead is 4001, and a site that insists is paused", async () => {
    const { world, page } = await lockedWorld();
    for (let i = 0; i < 3; i++) {
      const failure = failureOf(page.provider.connect());
      await world.clock.settle();
      await world.closeWindow();
      expect(await failure).toMatchObject({ code: ErrorCode.UserRejected });
    }
    expect(await failureOf(page.provider.connect())).toMatchObject({ code: ErrorCode.LimitExceeded, retryable: true });
    expect(world.window.opened).toBe(3);
  });

  test("a site that waits and gives up again and again is paused, for all to see", async () => {
    const { world, page } = await lockedWorld();
    for (let i = 0; i < 3; i++) {
      const abort = new AbortController();
      const failure = failureOf(page.provider.connect({ signal: abort.signal }));
      await world.clock.settle();
      abort.abort(new Error("enough"));
      expect(await failure).toMatchObject({ message: "enough" });
      await world.clock.settle();
    }
    expect(await failureOf(page.provider.connect())).toMatchObject({ code: ErrorCode.LimitExceeded, retryable: true });
    expect(world.window).toMatchObject({ open: false, opened: 3 });
    expect((await world.worker()).permissions.sites()).toMatchObject([{ state: "granted" }, { state: "blocked" }]);
  });

  test("a call that the page gives up closes the window again", async () => {
    const { world, page } = await lockedWorld();
    const abort = new AbortController();
    const failure = failureOf(page.provider.connect({ signal: abort.signal }));
    await world.clock.settle();
    abort.abort(new Error("enough"));
    expect(await failure).toMatchObject({ message: "enough" });
    await world.clock.settle();
    expect(world.window.open).toBe(false);
  });

  test("a prompt is shown and may be refused, but nothing is allowed before it is unlocked", async () => {
    const { world } = await lockedWorld();
    const other = world.page("https://other.example");
    const connecting = other.provider.connect();
    await world.clock.settle();
    const { permissions } = await world.worker();
    const [prompt] = permissions.prompts();
    expect(await permissions.answer(prompt?.id ?? "", "always")).toMatchObject({
      ok: false,
      error: { kind: "vault-locked" },
    });
    await unlock(world);
    await world.answer("always");
    expect((await connecting).grants).toHaveLength(3);
    await (await world.worker()).vault.lock();
    const refused = failureOf(world.page("https://third.example").provider.connect());
    await world.answer("reject");
    expect(await refused).toMatchObject({ code: ErrorCode.UserRejected });
  });

  test.each([
    ["locked", ErrorCode.Locked],
    ["key-required", ErrorCode.KeyRequired],
    ["encryption-failed", ErrorCode.Internal],
  ] as const)("a %s failure of the channel layer becomes code %s", async (kind, code) => {
    const world = new World();
    const page = await world.trustedPage(SITE);
    const channel = await page.provider.createReliableChannel(PLAIN);
    (await world.worker()).manager.fail(kind);
    expect(await failureOf(channel.send(Uint8Array.of(1)))).toMatchObject({ code });
  });
});
