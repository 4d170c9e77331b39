import { describe, expect, test } from "vitest";
import { ownBytes } from "../../../src/common/bytes.ts";
import { formatKey } from "../../../src/keys/key-formats.ts";
import type { KeyId } from "../../../src/provider/provider-api.ts";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import type { UiKeyChoice } from "../../../src/ui/background-api.ts";
import { failureOf, type Page, SITE, TOPIC, World } from "./world.ts";

const ROOM = { channelId: "room", contentTopic: TOPIC } as const;
const KEY = ownBytes(Uint8Array.from({ length: 32 }, (_, i) => i));
const OTHER = "https://other.example";
const never = (): Promise<void> => new Promise(() => {});

async function promptOf(world: World) {
  await world.clock.settle();
  const { permissions } = await world.worker();
  const [prompt] = permissions.prompts();
  if (!prompt) throw new Error("no prompt is open");
  return { ...prompt, answer: permissions.answer.bind(permissions, prompt.id) };
}

/** The key that a channel of the site writes with. */
async function keyOf(world: World, channelId = "room", origin = SITE) {
  const { manager } = await world.worker();
  return manager.summaries().find((channel) => channel.channelId === channelId && channel.origin === origin)?.keyId;
}

async function madeRoom(world: World, page: Page, name = "Friends"): Promise<string> {
  const creating = page.provider.createReliableChannel(ROOM);
  await world.answer("always", { kind: "make", name });
  await creating;
  const keyId = await keyOf(world);
  if (keyId === undefined) throw new Error("the channel has no key");
  return keyId;
}

describe("the key of a new encrypted channel", () => {
  test("a site that is allowed already is asked about all the same; grant and key are one prompt where it is not", async () => {
    const world = new World();
    const [trusted, other] = [await world.trustedPage(), world.page(OTHER)];
    const creating = trusted.provider.createReliableChannel(ROOM);
    expect(await promptOf(world)).toMatchObject({
      keyChoice: {},
      channel: { channelId: "room", encryption: "key", profile: "logos" },
    });
    await world.answer("once", { kind: "make", name: "Friends" });
    await creating;
    // Keys are listed by their age.
    await world.clock.advance(1);
    const others = other.provider.createReliableChannel(ROOM);
    await world.answer("once", { kind: "make", name: "Others" });
    await others;
    expect(world.window.opened).toBe(3);
    const { keys, permissions } = await world.worker();
    expect(keys.list()).toMatchObject([
      { name: "Friends", owner: SITE, origins: [SITE], uses: [{ origin: SITE, channelId: "room" }] },
      { name: "Others", owner: OTHER, origins: [OTHER], uses: [{ origin: OTHER, channelId: "room" }] },
    ]);
    expect(permissions.sites()).toMatchObject([{ lasts: "always" }, { lasts: "session" }]);
  });

  test("the page learns neither the key nor its stored id", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const keyId = await madeRoom(world, page);
    const { keys } = await world.worker();
    const exported = keys.export(keyId, "hex");
    if (!exported.ok) throw new Error("no key");
    const heard = JSON.stringify([page.serverPorts.map(({ posted }) => posted), await page.provider.listChannels()]);
    expect(heard).toContain("room");
    expect(heard).not.toContain(keyId);
    expect(heard).not.toContain(exported.value);
  });

  test.each(["hex", "base64", "base64url", "jwk"] as const)("may be pasted as %s", async (format) => {
    const world = new World();
    const page = await world.trustedPage();
    const creating = page.provider.createReliableChannel(ROOM);
    await world.answer("always", { kind: "import", text: ` ${formatKey(KEY, format)}\n`, name: "Pasted" });
    await creating;
    const { keys } = await world.worker();
    const key = keys.find(KEY);
    expect(key).toMatchObject({ name: "Pasted", source: "imported", owner: SITE });
    expect(await keyOf(world)).toBe(key?.id);
  });

  test("what is wrong with it is said in words, and the prompt stays open", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const creating = page.provider.createReliableChannel(ROOM);
    const { answer } = await promptOf(world);
    const cases: readonly [UiKeyChoice, RegExp][] = [
      [{ kind: "import", text: "not a key", name: "x" }, /no key/],
      [{ kind: "import", text: "RCI1-AAAA", name: "x" }, /invitation code, not a key/],
      [{ kind: "import", text: formatKey(KEY, "hex"), name: " " }, /needs a name/],
      [{ kind: "make", name: "x".repeat(65) }, /64 characters/],
      [{ kind: "pick", keyId: "nowhere" }, /no such key/],
    ];
    for (const [choice, words] of cases) {
      expect(await answer("always", choice)).toEqual({
        ok: false,
        error: expect.objectContaining({ message: expect.stringMatching(words) }),
      });
      const { permissions, manager } = await world.worker();
      expect(permissions.prompts()).toHaveLength(1);
      expect(manager.summaries()).toEqual([]);
    }
    await world.answer("always", { kind: "make", name: "Friends" });
    expect((await creating).channelId).toBe("room");
  });

  test("another site's key needs a consent of its own, also when it is pasted", async () => {
    const world = new World();
    const keyId = await madeRoom(world, await world.trustedPage());
    const { keys } = await world.worker();
    const text = keys.export(keyId, "hex");
    if (!text.ok) throw new Error("no key");
    const other = await world.trustedPage(OTHER);
    const creating = other.provider.createReliableChannel(ROOM);
    const { answer } = await promptOf(world);
    const consentNeeded = {
      ok: false,
      error: expect.objectContaining({ message: expect.stringMatching(/Another site uses this key/) }),
    };
    expect(await answer("always", { kind: "pick", keyId })).toEqual(consentNeeded);
    expect(await answer("always", { kind: "import", text: text.value, name: "Mine" })).toEqual(consentNeeded);
    expect(keys.info(keyId)?.origins).toEqual([SITE]);
    expect(await answer("always", { kind: "pick", keyId, allowNewSite: true })).toEqual({ ok: true });
    await creating;
    expect(keys.info(keyId)).toMatchObject({ name: "Friends", owner: SITE, origins: [SITE, OTHER] });
    expect(await keyOf(world, "room", OTHER)).toBe(keyId);
  });

  test("a channel that is there, open or closed, is attached to or opened without a question", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const keyId = await madeRoom(world, page);
    const tab = await world.page().provider.createReliableChannel(ROOM);
    await tab.close();
    const again = await page.provider.createReliableChannel(ROOM);
    expect(again.channelId).toBe("room");
    expect(world.window.opened).toBe(2);
    expect(await keyOf(world)).toBe(keyId);
    const plain = { ...ROOM, encryption: { mode: "none" } } as const;
    expect(await failureOf(page.provider.createReliableChannel(plain))).toMatchObject({
      code: ErrorCode.InvalidParams,
    });
  });

  test("refused is 4001, allowed without a key is KeyRequired, a closed window is 4001", async () => {
    const world = new World();
    const page = world.page();
    const refused = failureOf(page.provider.createReliableChannel(ROOM));
    await world.answer("reject");
    expect(await refused).toMatchObject({ code: ErrorCode.UserRejected });
    const keyless = failureOf(page.provider.createReliableChannel(ROOM));
    await world.answer("always");
    expect(await keyless).toMatchObject({ code: ErrorCode.KeyRequired });
    expect(await page.provider.permissions()).toHaveLength(3);
    const closed = failureOf(page.provider.createReliableChannel(ROOM));
    await world.clock.settle();
    await world.closeWindow();
    expect(await closed).toMatchObject({ code: ErrorCode.UserRejected });
    const { permissions, keys } = await world.worker();
    expect(keys.list()).toEqual([]);
    expect(await permissions.request(SITE, "a call", { scopes: [], keyChoice: {}, onlyIfTrusted: true })).toMatchObject(
      {
        error: { code: ErrorCode.KeyRequired },
      },
    );
  });

  test("two tabs that ask for one channel share the answer; another channel's key is AlreadyPending", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const calls = [page, world.page()].map(({ provider }) => provider.createReliableChannel(ROOM));
    await world.clock.settle();
    const second = { ...ROOM, channelId: "second" };
    expect(await failureOf(page.provider.createReliableChannel(second))).toMatchObject({
      code: ErrorCode.AlreadyPending,
      retryable: true,
    });
    expect(await page.provider.createReliableChannel({ ...second, encryption: { mode: "none" } })).toBeDefined();
    await world.answer("always", { kind: "make", name: "Friends" });
    await Promise.all(calls);
    const { keys } = await world.worker();
    expect(keys.list()).toHaveLength(1);
  });

  test("a key choice does not join a prompt that shows none", async () => {
    const world = new World();
    const page = world.page();
    const connecting = page.provider.connect();
    await world.clock.settle();
    const failure = failureOf(page.provider.createReliableChannel(ROOM));
    expect(await failure).toMatchObject({ code: ErrorCode.AlreadyPending });
    await world.answer("always");
    await connecting;
  });

  test("an answer that comes twice makes one key", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const creating = page.provider.createReliableChannel(ROOM);
    const { answer } = await promptOf(world);
    const answers = await Promise.all([1, 2].map(() => answer("always", { kind: "make", name: "Friends" })));
    expect(answers).toEqual([
      { ok: true },
      { ok: false, error: expect.objectContaining({ message: expect.stringMatching(/being answered/) }) },
    ]);
    await creating;
    expect((await world.worker()).keys.list()).toHaveLength(1);
  });

  test("a page that goes while its key is made leaves nothing open", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const abort = new AbortController();
    const creating = failureOf(page.provider.createReliableChannel(ROOM, { signal: abort.signal }));
    const { answer } = await promptOf(world);
    const answering = answer("always", { kind: "make", name: "Friends" });
    abort.abort(new Error("gone"));
    expect(await creating).toMatchObject({ message: "gone" });
    expect(await answering).toMatchObject({
      ok: false,
      error: expect.objectContaining({ message: expect.stringMatching(/no longer open/) }),
    });
    expect(world.window.open).toBe(false);
  });

  test("the key that no channel of the site uses is suggested", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const keyId = await madeRoom(world, page);
    const { manager, permissions } = await world.worker();
    const used = failureOf(page.provider.createReliableChannel({ ...ROOM, channelId: "second" }));
    await world.clock.settle();
    expect(permissions.prompts()[0]?.keyChoice).toEqual({});
    await world.answer("reject");
    await used;
    await manager.deleteChannel({ origin: SITE, channelId: "room" });
    const creating = page.provider.createReliableChannel(ROOM);
    expect((await promptOf(world)).keyChoice).toEqual({ suggested: keyId });
    await world.answer("always", { kind: "pick", keyId });
    await creating;
    const other = failureOf((await world.trustedPage(OTHER)).provider.createReliableChannel(ROOM));
    expect((await promptOf(world)).keyChoice).toEqual({});
    await world.answer("reject");
    await other;
  });
});

describe("a key that the page names", () => {
  test("is used without a question, for the origin whose handle it is and for no other", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const other = await world.trustedPage(OTHER);
    const { keys, transactor } = await world.worker();
    const made = await keys.make("Friends");
    if (!made.ok) throw new Error("no key");
    const handle = await transactor.run(() => keys.bind(made.value.id, SITE));
    if (!handle.ok) throw new Error("not bound");
    const opened = world.window.opened;
    const params = { ...ROOM, encryption: { mode: "key", keyId: handle.value as KeyId } } as const;
    expect(await failureOf(other.provider.createReliableChannel(params))).toMatchObject({ code: ErrorCode.NotFound });
    const stored = { ...ROOM, encryption: { mode: "key", keyId: made.value.id as KeyId } } as const;
    expect(await failureOf(page.provider.createReliableChannel(stored))).toMatchObject({ code: ErrorCode.NotFound });
    await page.provider.createReliableChannel(params);
    expect(world.window.opened).toBe(opened);
    expect(await keyOf(world)).toBe(made.value.id);
  });
});

describe("death of the worker around the choice of a key", () => {
  test("the prompt survives, asks for the key still, and its answer reaches the call", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const creating = page.provider.createReliableChannel(ROOM);
    await world.clock.settle();
    await world.kill();
    await world.recover();
    expect((await promptOf(world)).keyChoice).toEqual({});
    await world.answer("always", { kind: "make", name: "Friends" });
    expect((await creating).channelId).toBe("room");
  });

  test("a key chosen before the page is back is the key that its repeated call gets, without another prompt", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const creating = page.provider.createReliableChannel(ROOM);
    await world.clock.settle();
    await world.kill();
    await world.answer("always", { kind: "make", name: "Friends" });
    await world.kill();
    await world.recover();
    expect((await creating).channelId).toBe("room");
    const { keys } = await world.worker();
    expect(await keyOf(world)).toBe(keys.list()[0]?.id);
    expect(world.window.opened).toBe(2);
  });

  test("so is the answer that chose none", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const failure = failureOf(page.provider.createReliableChannel(ROOM));
    await world.clock.settle();
    await world.kill();
    await world.answer("always");
    await world.recover();
    expect(await failure).toMatchObject({ code: ErrorCode.KeyRequired });
    expect(world.window.opened).toBe(2);
  });

  test("a worker that dies at the creation itself creates the channel once, with the chosen key", async () => {
    const world = new World();
    const page = await world.trustedPage();
    const creating = page.provider.createReliableChannel(ROOM);
    await world.clock.settle();
    world.storage.beforeCommit = async (changes) => {
      if (changes.some(({ table }) => table === "channels")) await never();
    };
    await world.answer("always", { kind: "make", name: "Friends" });
    await world.kill();
    await world.recover();
    expect((await creating).channelId).toBe("room");
    const { keys } = await world.worker();
    expect(await keyOf(world)).toBe(keys.list()[0]?.id);
    expect(keys.list()).toHaveLength(1);
  });
});
