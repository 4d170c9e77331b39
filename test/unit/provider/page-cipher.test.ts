/** Encryption of mode `page` between page and background: whose functions are called, and what becomes of each call. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ChannelKey } from "../../../src/channel/types.ts";
import { LIMITS, PAGE_LIMITS } from "../../../src/limits.ts";
import { NO_PAGE } from "../../../src/provider/cipher-pages.ts";
import type { CipherFrame, PageFrame } from "../../../src/provider/frames.ts";
import type { CreateChannelParams, Encryption, ReliableChannel } from "../../../src/provider/provider-api.ts";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { failureOf, type Page, SITE, TOPIC, World } from "./world.ts";

const ROOM = { channelId: "room", contentTopic: TOPIC };
const KEY: ChannelKey = { origin: SITE, channelId: "room" };
const INPUT = Uint8Array.of(1, 2, 3);

/** Functions that sign their work with `mark`, and note what they were given. */
function marking(mark: number) {
  const asked: [string, Uint8Array][] = [];
  const functions: Encryption = {
    encrypt(content) {
      asked.push(["encrypt", content]);
      return Uint8Array.of(mark, ...content);
    },
    async decrypt(payload) {
      asked.push(["decrypt", payload]);
      return payload.slice(1);
    },
  };
  return { asked, functions };
}

const pageMode = (functions: object): CreateChannelParams => ({
  ...ROOM,
  encryption: { mode: "page", ...(functions as Encryption) },
});

async function attach(page: Page, functions: object, world: World): Promise<ReliableChannel> {
  const channel = await page.provider.createReliableChannel(pageMode(functions));
  await world.clock.settle();
  return channel;
}

/** A page of a site that was allowed, attached with its functions. */
async function opened(functions: object = marking(7).functions) {
  const world = new World();
  const page = await world.trustedPage();
  const channel = await attach(page, functions, world);
  return { world, page, channel };
}

/** Another page of the same site. */
async function another(world: World, functions: object): Promise<Page> {
  const page = world.page();
  await attach(page, functions, world);
  return page;
}

async function call(world: World, operation: "encrypt" | "decrypt" = "encrypt", key = KEY) {
  const { cipherPages } = await world.worker();
  return cipherPages.call(key, operation, INPUT);
}

async function unavailable(world: World, key = KEY): Promise<string | undefined> {
  return (await world.worker()).cipherPages.unavailable(key);
}

/** What the page answered to calls of its functions. */
const answers = (page: Page): CipherFrame[] =>
  page.posted.filter((frame): frame is Extract<PageFrame, CipherFrame> => frame.type === "cipher");

/** Functions that wait until the test settles them. */
function suspended() {
  const gates: { resolve: (output: Uint8Array) => void; reject: (reason: unknown) => void }[] = [];
  const wait = () => new Promise<Uint8Array>((resolve, reject) => gates.push({ resolve, reject }));
  return { gates, functions: { encrypt: wait, decrypt: wait } };
}

describe("creating a channel of mode page", () => {
  const identity = (bytes: Uint8Array) => bytes;

  test.each([
    ["encrypt is missing", { decrypt: identity }, /encryption\.encrypt is missing/],
    ["decrypt is missing", { encrypt: identity }, /encryption\.decrypt is missing/],
    ["both are missing", {}, /encryption\.encrypt is missing, and encryption\.decrypt is missing/],
    ["encrypt is no function", { encrypt: "aes", decrypt: identity }, /encryption\.encrypt is no function/],
    ["decrypt is null", { encrypt: identity, decrypt: null }, /encryption\.decrypt is no function/],
  ])("N01 %s: InvalidParams that says so, before anybody is asked", async (_, functions, message) => {
    const world = new World();
    const page = world.page();
    expect(await failureOf(page.provider.createReliableChannel(pageMode(functions)))).toMatchObject({
      name: "ReliableChannelError",
      code: ErrorCode.InvalidParams,
      message: expect.stringMatching(message),
    });
    await world.clock.settle();
    expect(world.window.opened).toBe(0);
    expect(page.posted).toEqual([]);
  });

  test("encryption that is null is InvalidParams", async () => {
    const params = { ...ROOM, encryption: null } as unknown as CreateChannelParams;
    expect(await failureOf(new World().page().provider.createReliableChannel(params))).toMatchObject({
      code: ErrorCode.InvalidParams,
    });
  });

  test("the prompt says that the site encrypts, and asks for no key", async () => {
    const world = new World();
    const creating = world.page().provider.createReliableChannel(pageMode(marking(7).functions));
    await world.clock.settle();
    const { permissions } = await world.worker();
    const [prompt] = permissions.prompts();
    expect(prompt).toMatchObject({ channel: { ...ROOM, encryption: "page" } });
    expect(prompt?.keyChoice).toBeUndefined();
    await world.answer("once");
    expect((await creating).channelId).toBe("room");
    expect((await world.worker()).manager.summaries()).toMatchObject([{ encryption: "page", placement: "envelope" }]);
  });

  test("another mode does not attach to it, nor this one to a channel of another", async () => {
    const { page } = await opened();
    for (const params of [ROOM, { ...ROOM, encryption: { mode: "none" } as const }]) {
      expect(await failureOf(page.provider.createReliableChannel(params))).toMatchObject({
        code: ErrorCode.InvalidParams,
      });
    }
    await page.provider.createReliableChannel({ ...ROOM, channelId: "plain", encryption: { mode: "none" } });
    const params = { ...pageMode(marking(7).functions), channelId: "plain" };
    expect(await failureOf(page.provider.createReliableChannel(params))).toMatchObject({
      code: ErrorCode.InvalidParams,
    });
  });

  test("a page that only says that it encrypts a channel of another mode is never asked", async () => {
    const world = new World();
    const page = await world.trustedPage();
    await page.provider.createReliableChannel({ ...ROOM, encryption: { mode: "none" } });
    page.ports.at(-1)?.postMessage({
      type: "call",
      callId: crypto.randomUUID(),
      retry: false,
      method: "attach",
      params: { channelId: "room", events: false, cipher: true },
    });
    await world.clock.settle();
    expect(await unavailable(world)).toBe(NO_PAGE);
  });

  test("a page of a site without a grant is never asked", async () => {
    const world = new World();
    const page = world.page();
    const creating = page.provider.createReliableChannel(pageMode(marking(7).functions));
    await world.answer("once");
    await creating;
    await world.kill();
    // What the person allowed for one session of the browser is over with it.
    world.browserSession = "second session";
    const other = world.page();
    await other.provider.status();
    other.ports.at(-1)?.postMessage({
      type: "call",
      callId: crypto.randomUUID(),
      retry: false,
      method: "attach",
      params: { channelId: "room", events: false, cipher: true },
    });
    await world.clock.settle();
    expect((await world.worker()).manager.channelExists(KEY)).toBe(true);
    expect(await unavailable(world)).toBe(NO_PAGE);
  });

  test("while the vault is locked, the page cannot send", async () => {
    const { world, channel } = await opened();
    const { vault } = await world.worker();
    await vault.setPassword("correct horse battery");
    await vault.lock();
    expect(await failureOf(channel.send(INPUT))).toMatchObject({ code: ErrorCode.Locked });
  });
});

describe("a call of the page's functions", () => {
  test("gives the page the bytes and the background what it returned, from a plain function and from a promise", async () => {
    const { asked, functions } = marking(7);
    const { world } = await opened(functions);
    expect(await call(world)).toEqual({ outcome: "done", output: Uint8Array.of(7, 1, 2, 3) });
    expect(await call(world, "decrypt")).toEqual({ outcome: "done", output: Uint8Array.of(2, 3) });
    expect(asked).toEqual([
      ["encrypt", INPUT],
      ["decrypt", INPUT],
    ]);
  });

  test("the bytes are the page's to keep and to change, and so is what it returned", async () => {
    let kept = new Uint8Array(0);
    const returned = Uint8Array.of(5, 5, 5);
    const functions = {
      encrypt(content: Uint8Array<ArrayBuffer>) {
        kept = content;
        content.fill(0xff);
        return returned.subarray(1);
      },
      decrypt: (payload: Uint8Array) => payload,
    };
    const { world } = await opened(functions);
    const done = await call(world);
    returned.fill(0);
    expect(INPUT).toEqual(Uint8Array.of(1, 2, 3));
    expect(kept).toEqual(Uint8Array.of(0xff, 0xff, 0xff));
    expect(done).toEqual({ outcome: "done", output: Uint8Array.of(5, 5) });
    expect(done.outcome === "done" && done.output.buffer.byteLength).toBe(2);
  });

  test("the functions are methods of what the page passed, as it was then", async () => {
    class Own {
      readonly mode = "page";
      readonly mark = 9;
      encrypt(content: Uint8Array): Uint8Array {
        return Uint8Array.of(this.mark, ...content);
      }
      decrypt(payload: Uint8Array): Uint8Array {
        return payload.slice(1);
      }
    }
    const world = new World();
    const page = await world.trustedPage();
    const own = new Own();
    await page.provider.createReliableChannel({ ...ROOM, encryption: own });
    await world.clock.settle();
    own.encrypt = () => Uint8Array.of(0);
    expect(await call(world)).toEqual({ outcome: "done", output: Uint8Array.of(9, 1, 2, 3) });
  });

  test("createReliableChannel again on the same page: the functions passed last count", async () => {
    const { world, page } = await opened(marking(1).functions);
    await attach(page, marking(2).functions, world);
    expect(await call(world)).toMatchObject({ output: Uint8Array.of(2, 1, 2, 3) });
  });

  test.each<[string, () => unknown, string | RegExp]>([
    [
      "N03 throws",
      () => {
        throw new Error("no key today");
      },
      "no key today",
    ],
    ["rejects", () => Promise.reject(new Error("no key tomorrow")), "no key tomorrow"],
    [
      "throws a text",
      () => {
        throw "just words";
      },
      "just words",
    ],
    [
      "throws what has no words",
      () => {
        throw Object.create(null);
      },
      "the page's encrypt failed",
    ],
    [
      "throws an error without a message",
      () => {
        throw new DOMException("", "OperationError");
      },
      "OperationError",
    ],
    [
      "throws a book",
      () => {
        throw new Error("\ud83d".repeat(2_000));
      },
      /^\ufffd{500}$/,
    ],
    ["returns nothing", () => undefined, "the page's encrypt returned no Uint8Array"],
    ["returns a text", () => "text", "the page's encrypt returned no Uint8Array"],
    ["returns a list", () => [1, 2], "the page's encrypt returned no Uint8Array"],
    ["returns a buffer", () => new ArrayBuffer(3), "the page's encrypt returned no Uint8Array"],
    ["returns other numbers", () => new Uint16Array(3), "the page's encrypt returned no Uint8Array"],
    ["returns no bytes", () => new Uint8Array(0), "the page's encrypt returned no bytes"],
    [
      "returns too many",
      () => new Uint8Array(PAGE_LIMITS.cipherOutputBytes + 1),
      /returned 152577 bytes, and 152576 are/,
    ],
    ["rejects after a while", () => Promise.resolve().then(() => Promise.reject(new Error("later"))), "later"],
  ])("that %s is refused, with why", async (_, encrypt, reason) => {
    const { world } = await opened({ encrypt, decrypt: (payload: Uint8Array) => payload });
    expect(await call(world)).toEqual({
      outcome: "refused",
      reason: typeof reason === "string" ? reason : expect.stringMatching(reason),
    });
  });

  test("the most bytes that fit are taken", async () => {
    const encrypt = () => new Uint8Array(PAGE_LIMITS.cipherOutputBytes).fill(1);
    const { world } = await opened({ encrypt, decrypt: encrypt });
    const done = await call(world);
    expect(done.outcome === "done" && done.output.length).toBe(PAGE_LIMITS.cipherOutputBytes);
  });

  test("that does not answer within 10 s is refused, and its late answer is nothing", async () => {
    const { gates, functions } = suspended();
    const { world, page } = await opened(functions);
    const slow = call(world, "decrypt");
    await world.clock.advance(LIMITS.provider.cipherMs - 1);
    gates[0]?.resolve(Uint8Array.of(1));
    expect(await slow).toMatchObject({ outcome: "done" });

    const late = call(world, "decrypt");
    await world.clock.advance(LIMITS.provider.cipherMs);
    expect(await late).toEqual({ outcome: "refused", reason: "the page's decrypt did not answer within 10 s" });
    const next = call(world, "decrypt");
    await world.clock.settle();
    gates[1]?.resolve(Uint8Array.of(66));
    await world.clock.settle();
    expect(answers(page)).toHaveLength(2);
    gates[2]?.resolve(Uint8Array.of(3));
    expect(await next).toEqual({ outcome: "done", output: Uint8Array.of(3) });
    // Nothing is left behind that would keep a worker awake.
    expect(world.clock.pending).toBe(0);
  });

  test("several at once are told apart, in whatever order they end", async () => {
    const { gates, functions } = suspended();
    const { world } = await opened(functions);
    const calls = [call(world), call(world, "decrypt"), call(world)];
    await world.clock.settle();
    for (const index of [2, 0, 1]) gates[index]?.resolve(Uint8Array.of(index + 1));
    expect(await Promise.all(calls)).toEqual([1, 2, 3].map((n) => ({ outcome: "done", output: Uint8Array.of(n) })));
  });
});

describe("a page that goes in the middle of a call", () => {
  const never = { encrypt: () => new Promise(() => {}), decrypt: () => new Promise(() => {}) };

  test.each<[string, (page: Page) => Promise<void> | void]>([
    ["is closed", (page) => page.ports.at(-1)?.disconnect()],
    ["disconnects", (page) => page.provider.disconnect()],
  ])("that %s: the call is away, and no page is left", async (_, go) => {
    const { world, page } = await opened(never);
    const cut = call(world);
    await world.clock.settle();
    await go(page);
    expect(await cut).toEqual({ outcome: "away" });
    expect(await unavailable(world)).toBe(NO_PAGE);
    expect(await call(world)).toEqual({ outcome: "away" });
  });

  test("a site whose grant is taken away is not asked any more", async () => {
    const { world } = await opened(never);
    const cut = call(world);
    await world.clock.settle();
    await (await world.worker()).permissions.revoke(SITE);
    await world.clock.settle();
    expect(await cut).toEqual({ outcome: "away" });
    expect(await unavailable(world)).toBe(NO_PAGE);
  });

  test("a frozen page, which takes no call, is away and not late", async () => {
    const { world, page } = await opened();
    page.ports.at(-1)?.freeze();
    const cut = call(world);
    await world.clock.advance(LIMITS.provider.receiptMs);
    expect(await cut).toEqual({ outcome: "away" });
    expect(await unavailable(world)).toBe(NO_PAGE);
  });

  test("who listens hears when the first page comes and when the last one goes", async () => {
    const world = new World();
    const heard: string[] = [];
    const { cipherPages } = await world.worker();
    cipherPages.listen({
      ready: ({ origin, channelId }) => heard.push(`ready ${origin} ${channelId}`),
      away: ({ origin, channelId }) => heard.push(`away ${origin} ${channelId}`),
    });
    const first = await world.trustedPage();
    await attach(first, never, world);
    const second = await another(world, never);
    const cut = call(world);
    await world.clock.settle();
    first.ports.at(-1)?.disconnect();
    await world.clock.settle();
    expect(heard).toEqual([`ready ${SITE} room`]);
    second.ports.at(-1)?.disconnect();
    await cut;
    expect(heard.slice(1)).toEqual([`away ${SITE} room`]);
    await another(world, never);
    expect(heard.slice(2)).toEqual([`ready ${SITE} room`]);
  });
});

describe("which page is asked", () => {
  test("the one that the person came to last, whichever attached first", async () => {
    const [first, second] = [marking(1), marking(2)];
    const { world, page: one } = await opened(first.functions);
    const two = await another(world, second.functions);
    // Nobody was looked at: the newest.
    expect(await call(world)).toMatchObject({ output: Uint8Array.of(2, 1, 2, 3) });
    one.focused();
    await world.clock.advance(1_000);
    expect(await call(world)).toMatchObject({ output: Uint8Array.of(1, 1, 2, 3) });
    two.focused();
    await world.clock.settle();
    expect(await call(world)).toMatchObject({ output: Uint8Array.of(2, 1, 2, 3) });
    two.ports.at(-1)?.disconnect();
    await world.clock.settle();
    expect(await call(world)).toMatchObject({ output: Uint8Array.of(1, 1, 2, 3) });
  });

  test("after the death of the worker the pages tell it again, with who was looked at last", async () => {
    const { world, page: one } = await opened(marking(1).functions);
    const two = await another(world, marking(2).functions);
    await world.clock.advance(1_000);
    one.focused();
    await world.kill();
    expect(await unavailable(world)).toBe(NO_PAGE);
    await world.recover();
    expect(await unavailable(world)).toBeUndefined();
    expect(await call(world)).toMatchObject({ output: Uint8Array.of(1, 1, 2, 3) });
    one.ports.at(-1)?.disconnect();
    await world.clock.settle();
    expect(await call(world)).toMatchObject({ output: Uint8Array.of(2, 1, 2, 3) });
    expect(two.ports).toHaveLength(2);
  });

  test("a page that is no longer attached still encrypts what it had sent, behind every page that is", async () => {
    const { world, page: one, channel } = await opened(marking(1).functions);
    await channel.close();
    await world.clock.settle();
    expect(await call(world)).toMatchObject({ output: Uint8Array.of(1, 1, 2, 3) });
    await another(world, marking(2).functions);
    one.focused();
    await world.clock.settle();
    expect(await call(world)).toMatchObject({ output: Uint8Array.of(2, 1, 2, 3) });
  });

  test("never a page of another site, nor one of another channel", async () => {
    const { world } = await opened();
    const other = "https://other.example";
    const theirs = await world.trustedPage(other);
    await theirs.provider.createReliableChannel({ ...pageMode(marking(2).functions), channelId: "theirs" });
    await world.clock.settle();
    expect(await unavailable(world, { origin: other, channelId: "theirs" })).toBeUndefined();
    expect(await unavailable(world, { origin: SITE, channelId: "theirs" })).toBe(NO_PAGE);
    expect(await unavailable(world, { origin: other, channelId: "room" })).toBe(NO_PAGE);
  });

  test("whichever pages come, go and are looked at: the last looked at of those that are there, if any is", async () => {
    const step = fc.record({ page: fc.nat(2), act: fc.constantFrom("come", "go", "look") });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const world = new World();
        await world.trustedPage();
        const there: { mark: number; page: Page; order: number }[] = [];
        let order = 0;
        for (const { page: mark, act } of steps) {
          await world.clock.advance(1);
          const found = there.find((each) => each.mark === mark);
          if (act === "come" && !found) {
            there.push({ mark, page: await another(world, marking(mark).functions), order: 0 });
          } else if (act === "go" && found) {
            found.page.ports.at(-1)?.disconnect();
            there.splice(there.indexOf(found), 1);
          } else if (act === "look" && found) {
            found.page.focused();
            found.order = ++order;
          }
        }
        await world.clock.settle();
        const best = there.reduce<(typeof there)[number] | undefined>(
          (last, each) => (last === undefined || each.order >= last.order ? each : last),
          undefined,
        );
        const came = await call(world);
        if (best === undefined) expect(came).toEqual({ outcome: "away" });
        else expect(came).toMatchObject({ output: Uint8Array.of(best.mark, 1, 2, 3) });
      }),
      { numRuns: 60 },
    );
  });
});

describe("what the popup shows", () => {
  test("a channel needs a page while none of its site's is open, as soon as that is so", async () => {
    const { world, page } = await opened();
    const popup = await world.popup();
    const details = () => popup.snapshot().details.map(({ needsPage }) => needsPage);
    expect(details()).toEqual([undefined]);
    page.ports.at(-1)?.disconnect();
    await world.clock.advance(LIMITS.provider.snapshotMs);
    expect(details()).toEqual([true]);
    await another(world, marking(2).functions);
    await world.clock.advance(LIMITS.provider.snapshotMs);
    expect(details()).toEqual([undefined]);
  });

  test("neither a closed channel nor one of another mode needs one", async () => {
    const { world, page, channel } = await opened();
    await page.provider.createReliableChannel({ ...ROOM, channelId: "plain", encryption: { mode: "none" } });
    await channel.close();
    page.ports.at(-1)?.disconnect();
    await world.clock.settle();
    const popup = await world.popup();
    expect(popup.snapshot().details.map(({ needsPage }) => needsPage)).toEqual([undefined, undefined]);
  });
});

describe("hostile answers", () => {
  const operationOf = (page: Page): string => {
    const frames = page.serverPorts.flatMap(({ posted }) => posted) as { body?: { operationId?: string } }[];
    const id = frames.findLast(({ body }) => body?.operationId !== undefined)?.body?.operationId;
    if (id === undefined) throw new Error("no function was called");
    return id;
  };

  test("of another page, of the same site or of another, are nothing", async () => {
    const { gates, functions } = suspended();
    const { world, page } = await opened(functions);
    const [sibling, stranger] = [world.page(), await world.trustedPage("https://other.example")];
    await sibling.provider.connect();
    const waiting = call(world);
    await world.clock.settle();
    const operationId = operationOf(page);
    for (const port of [sibling.ports.at(-1), stranger.ports.at(-1)]) {
      port?.postMessage({ type: "cipher", operationId, ok: true, output: Uint8Array.of(66) });
      port?.postMessage({ type: "cipher", operationId, ok: false, reason: "forged" });
    }
    await world.clock.settle();
    gates[0]?.resolve(Uint8Array.of(1));
    expect(await waiting).toEqual({ outcome: "done", output: Uint8Array.of(1) });
  });

  test("to a call of an earlier life of the worker are nothing to the next", async () => {
    const { gates, functions } = suspended();
    const { world, page } = await opened(functions);
    void call(world);
    await world.clock.settle();
    const operationId = operationOf(page);
    await world.kill();
    await world.recover();
    const waiting = call(world, "decrypt");
    await world.clock.settle();
    expect(operationOf(page)).not.toBe(operationId);
    // The page was asked before the worker died, and answers only now.
    gates[0]?.resolve(Uint8Array.of(66));
    await world.clock.settle();
    expect(answers(page).at(-1)).toMatchObject({ operationId });
    gates[1]?.resolve(Uint8Array.of(1));
    expect(await waiting).toEqual({ outcome: "done", output: Uint8Array.of(1) });
  });

  test.each([
    ["without output", { ok: true }],
    ["with a text", { ok: true, output: "text" }],
    ["with a list", { ok: true, output: [1] }],
    ["with no bytes", { ok: true, output: new Uint8Array(0) }],
    ["with too many bytes", { ok: true, output: new Uint8Array(PAGE_LIMITS.cipherOutputBytes + 1) }],
    ["without a reason", { ok: false }],
    ["with a book", { ok: false, reason: "x".repeat(PAGE_LIMITS.cipherReasonChars + 1) }],
    ["with a broken text", { ok: false, reason: "\ud800" }],
    ["that is neither", { ok: "yes", output: Uint8Array.of(1) }],
    ["of another call", { ok: true, output: Uint8Array.of(1), operationId: crypto.randomUUID() }],
    ["of no call", { ok: true, output: Uint8Array.of(1), operationId: "__proto__" }],
  ])("%s are ignored: the call ends with its time", async (_, answer) => {
    const { functions } = suspended();
    const { world, page } = await opened(functions);
    const waiting = call(world);
    await world.clock.settle();
    page.ports.at(-1)?.postMessage({ type: "cipher", operationId: operationOf(page), ...answer });
    await world.clock.advance(LIMITS.provider.cipherMs);
    expect(await waiting).toMatchObject({ outcome: "refused", reason: expect.stringContaining("10 s") });
  });

  test("a second answer is nothing", async () => {
    const { world, page } = await opened();
    const first = await call(world);
    page.ports
      .at(-1)
      ?.postMessage({ type: "cipher", operationId: operationOf(page), ok: true, output: Uint8Array.of(66) });
    await world.clock.settle();
    expect(first).toMatchObject({ output: Uint8Array.of(7, 1, 2, 3) });
    expect(await call(world)).toMatchObject({ output: Uint8Array.of(7, 1, 2, 3) });
  });

  test("a page that claims to be looked at in the future is looked at now", async () => {
    const { world, page } = await opened(marking(1).functions);
    page.ports.at(-1)?.postMessage({ type: "focused", at: Number.MAX_SAFE_INTEGER });
    const two = await another(world, marking(2).functions);
    await world.clock.advance(1);
    two.focused();
    await world.clock.settle();
    expect(await call(world)).toMatchObject({ output: Uint8Array.of(2, 1, 2, 3) });
  });
});
