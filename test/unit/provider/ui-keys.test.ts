import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ownBytes } from "../../../src/common/bytes.ts";
import { systemRandom } from "../../../src/encryption/random.ts";
import { writeBackup } from "../../../src/keys/backup.ts";
import { readInvitation, writeInvitation } from "../../../src/keys/invitation.ts";
import { formatKey } from "../../../src/keys/key-formats.ts";
import { LIMITS } from "../../../src/limits.ts";
import { badgeOf } from "../../../src/provider/badge.ts";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { parseCommand } from "../../../src/provider/ui-command-schema.ts";
import type { Sealed } from "../../../src/storage/content-sealer.ts";
import type { UiAnswer, UiCommand, UiKeyCommands, UiKeyCommandValue } from "../../../src/ui/background-api.ts";
import { flipBit } from "../keys/support.ts";
import { quickDerive } from "../keys/vault-world.ts";
import { failureOf, SITE, TOPIC, World } from "./world.ts";

const KEY = ownBytes(Uint8Array.from({ length: 32 }, (_, i) => 255 - i));
const HEX = formatKey(KEY, "hex");
const OTHER = "https://other.example";
const ROOM = { origin: SITE, channelId: "room" } as const;
const PASSWORD = "correct horse";
const INVITED = {
  key: KEY,
  channelId: "room",
  contentTopic: TOPIC,
  profile: "logos",
  placement: "content",
  name: "Book club",
} as const;
const CODE = writeInvitation(INVITED);

async function opened(world = new World()) {
  const popup = await world.popup();
  let id = 0;
  const command = async (sent: UiCommand): Promise<UiAnswer> => {
    id++;
    popup.port.postMessage({ type: "command", id, command: sent });
    const answered = () =>
      popup.frames.find((frame) => (frame as UiAnswer).type === "answer" && (frame as UiAnswer).id === id);
    // Passwords are derived outside the virtual clock.
    for (let turn = 0; answered() === undefined && turn < 100; turn++) await world.clock.settle();
    return answered() as UiAnswer;
  };
  /** What the command is answered with; throws where it fails. */
  const ask = async <K extends keyof UiKeyCommands>(
    sent: { readonly type: K } & UiKeyCommands[K]["params"],
  ): Promise<UiKeyCommandValue<K>> => {
    const answer = await command(sent as UiCommand);
    if (answer.error !== undefined) throw new Error(answer.error.message);
    return answer.value as UiKeyCommandValue<K>;
  };
  const fails = async (sent: UiCommand): Promise<string | undefined> => (await command(sent)).error?.message;
  const refusal = async (sent: UiCommand): Promise<string | undefined> => (await command(sent)).error?.kind;
  const { manager, keys, vault } = await world.worker();
  return { world, popup, ask, fails, refusal, manager, keys, vault };
}

/** Changes a stored key on the disk, and kills the worker. */
async function damage(world: World, keyId: string): Promise<void> {
  const row = (await world.storage.get("keys", [keyId])) as { readonly key: Sealed };
  const key = { ...row.key, sealed: flipBit(row.key.sealed, 0) };
  await world.storage.commit([{ table: "keys", key: [keyId], row: { ...row, key } }]);
  await world.kill();
}

describe("the vault in the popup", () => {
  test("welcome without a password is remembered over restarts; with one the vault is unlocked", async () => {
    const { world, ask, popup } = await opened();
    expect(popup.snapshot().vault.welcomed).toBe(false);
    await ask({ type: "welcome", password: null });
    expect(popup.snapshot().vault).toMatchObject({ state: "open", welcomed: true });
    await world.kill();
    const next = await opened(world);
    expect(next.popup.snapshot().vault.welcomed).toBe(true);
    const other = await opened();
    expect(await other.fails({ type: "welcome", password: "short" })).toMatch(/8 characters/);
    expect(other.popup.snapshot().vault).toMatchObject({ state: "open", welcomed: false });
    await other.ask({ type: "welcome", password: PASSWORD });
    expect(other.popup.snapshot().vault).toMatchObject({ state: "unlocked", welcomed: true });
  });

  test("a password is set, changed and removed, with the current one", async () => {
    const { ask, fails, popup } = await opened();
    await ask({ type: "setPassword", password: null });
    await ask({ type: "setPassword", password: PASSWORD });
    expect(await fails({ type: "setPassword", password: "another one" })).toMatch(/current one is needed/);
    expect(await fails({ type: "setPassword", current: "wrong one", password: null })).toMatch(/password/i);
    expect(popup.snapshot().vault.state).toBe("unlocked");
    await ask({ type: "setPassword", current: PASSWORD, password: "another one" });
    await ask({ type: "setPassword", current: "another one", password: null });
    expect(popup.snapshot().vault.state).toBe("open");
  });

  test("locked: nothing but unlocking is answered, and no key is shown", async () => {
    const { ask, fails, popup } = await opened();
    expect(await fails({ type: "lock" })).toMatch(/password first/);
    const { keyId } = await ask({ type: "makeKey", name: "Friends" });
    await ask({ type: "setPassword", password: PASSWORD });
    await ask({ type: "lock" });
    expect(popup.snapshot()).toMatchObject({ vault: { state: "locked" }, keys: [] });
    for (const command of [
      { type: "makeKey", name: "x" },
      { type: "inspectKeyText", text: HEX },
      { type: "exportKey", keyId, format: "hex" },
      { type: "acceptInvitation", text: CODE, origin: SITE },
      { type: "exportBackup", passphrase: PASSWORD },
      { type: "deleteKey", keyId },
    ] as const) {
      expect(await fails(command)).toMatch(/locked: unlock it first/);
    }
    expect(await fails({ type: "unlock", password: "wrong one" })).toMatch(/password/i);
    await ask({ type: "unlock", password: PASSWORD });
    expect(popup.snapshot()).toMatchObject({ vault: { state: "unlocked" }, keys: [{ id: keyId }] });
  });

  test("the time after which it locks is chosen in minutes, and moves with every command", async () => {
    const { world, ask, fails, popup, vault } = await opened();
    await ask({ type: "setPassword", password: PASSWORD });
    expect(await fails({ type: "setAutoLock", minutes: 0 })).toBeDefined();
    await ask({ type: "setAutoLock", minutes: null });
    expect(popup.snapshot().vault.autoLockMinutes).toBeNull();
    await ask({ type: "setAutoLock", minutes: 5 });
    expect(popup.snapshot().vault.autoLockMinutes).toBe(5);
    await world.clock.advance(4 * 60_000);
    await ask({ type: "makeKey", name: "Friends" });
    await world.clock.advance(4 * 60_000);
    expect(vault.state).toBe("unlocked");
    await world.clock.advance(2 * 60_000);
    expect(vault.state).toBe("locked");
    expect(popup.snapshot().vault.state).toBe("locked");
  });
});

describe("keys in the popup", () => {
  test("a key is made, shown, renamed, exported and deleted, and deleting it again is no error", async () => {
    const { ask, fails, popup } = await opened();
    const { keyId } = await ask({ type: "makeKey", name: "Friends" });
    expect(popup.snapshot().keys).toEqual([
      {
        id: keyId,
        name: "Friends",
        fingerprint: { words: expect.any(Array), hex: expect.stringMatching(/^[0-9a-f]{8}$/) },
        createdAt: expect.any(Number),
        origins: [],
        channels: [],
        earlierIn: [],
      },
    ]);
    await ask({ type: "renameKey", keyId, name: " Family " });
    expect(popup.snapshot().keys[0]?.name).toBe("Family");
    const { text } = await ask({ type: "exportKey", keyId, format: "jwk" });
    expect(await ask({ type: "inspectKeyText", text })).toMatchObject({ kind: "key", format: "jwk", known: "Family" });
    expect(JSON.stringify(popup.snapshot())).not.toContain((JSON.parse(text) as { k: string }).k);
    for (const command of [
      { type: "makeKey", name: "" },
      { type: "renameKey", keyId, name: " " },
      { type: "renameKey", keyId: "nowhere", name: "x" },
      { type: "exportKey", keyId: "nowhere", format: "hex" },
    ] as const) {
      expect(await fails(command)).toMatch(/name|no such key/);
    }
    for (let i = 0; i < 2; i++) await ask({ type: "deleteKey", keyId });
    expect(popup.snapshot().keys).toEqual([]);
  });

  test("pasted text is looked at without keeping it: key, invitation, backup, or nothing of these", async () => {
    const { ask, fails, popup } = await opened();
    const key = await ask({ type: "inspectKeyText", text: `\n${HEX} ` });
    expect(key).toEqual({ kind: "key", format: "hex", fingerprint: expect.anything() });
    expect(await ask({ type: "inspectKeyText", text: CODE.toLowerCase() })).toEqual({
      kind: "invitation",
      channelId: "room",
      contentTopic: TOPIC,
      name: "Book club",
      fingerprint: key.kind === "backup" ? undefined : key.fingerprint,
    });
    const { text } = await ask({ type: "exportBackup", passphrase: PASSWORD });
    expect(await ask({ type: "inspectKeyText", text })).toEqual({ kind: "backup" });
    expect(await fails({ type: "inspectKeyText", text: `${CODE}A` })).toMatch(/typo/);
    expect(await fails({ type: "inspectKeyText", text: "hello" })).toMatch(/no key/);
    expect(popup.snapshot().keys).toEqual([]);
  });

  test("what is far too long to be what it should be is refused as that", async () => {
    const { refusal } = await opened();
    const text = "x".repeat(LIMITS.keys.backupChars + 1);
    const key = { kind: "import", text, name: "x" } as const;
    expect(await refusal({ type: "inspectKeyText", text })).toBe("text-too-long");
    expect(await refusal({ type: "importKey", text, name: "x" })).toBe("text-too-long");
    expect(await refusal({ type: "createChannel", ...ROOM, contentTopic: TOPIC, key })).toBe("text-too-long");
    expect(await refusal({ type: "acceptInvitation", text, origin: SITE })).toBe("invitation-too-long");
    expect(await refusal({ type: "importBackup", text, passphrase: PASSWORD })).toBe("backup-too-long");
  });

  test("a key that cannot be opened is listed as that, and can be deleted; while locked, none is listed", async () => {
    const { world, ask, popup } = await opened();
    const { keyId } = await ask({ type: "makeKey", name: "Friends" });
    await ask({ type: "createChannel", ...ROOM, contentTopic: TOPIC, key: { kind: "pick", keyId } });
    await damage(world, keyId);
    const next = await opened(world);
    const [listed] = next.popup.snapshot().keys;
    expect(listed).toMatchObject({ id: keyId, name: "Friends", origins: [SITE], channels: [ROOM] });
    expect(listed).not.toHaveProperty("fingerprint");
    expect(popup.snapshot().keys[0]).toHaveProperty("fingerprint");
    expect(await next.refusal({ type: "exportKey", keyId, format: "hex" })).toBe("key-damaged");
    await next.ask({ type: "setPassword", password: PASSWORD });
    await next.ask({ type: "lock" });
    expect(next.popup.snapshot().keys).toEqual([]);
    await next.ask({ type: "unlock", password: PASSWORD });
    await next.ask({ type: "deleteKey", keyId });
    expect(next.popup.snapshot().keys).toEqual([]);
  });

  test("a key is taken away from a mistyped site once no channel of the site has it, and goes to the right one", async () => {
    const { ask, refusal, popup } = await opened();
    const { keyId } = await ask({ type: "makeKey", name: "Friends" });
    const key = { kind: "pick", keyId } as const;
    await ask({ type: "createChannel", ...ROOM, origin: OTHER, contentTopic: TOPIC, key });
    const take = { type: "takeKeyFromSite", keyId, origin: OTHER } as const;
    expect(await refusal(take)).toBe("key-in-use");
    await ask({ type: "deleteChannel", channel: { ...ROOM, origin: OTHER } });
    for (let i = 0; i < 2; i++) await ask(take);
    expect(popup.snapshot().keys).toMatchObject([{ origins: [] }]);
    await ask({ type: "createChannel", ...ROOM, contentTopic: TOPIC, key });
    expect(popup.snapshot().keys).toMatchObject([{ origins: [SITE] }]);
    expect(await refusal({ ...take, keyId: "nowhere" })).toBe("key-not-found");
  });

  test("a key is imported once, in whatever format; an invitation or a backup pasted there says what it is", async () => {
    const { ask, fails, popup } = await opened();
    const first = await ask({ type: "importKey", text: HEX, name: "Pasted" });
    expect(await ask({ type: "importKey", text: formatKey(KEY, "jwk"), name: "Again" })).toEqual(first);
    expect(popup.snapshot().keys).toMatchObject([{ name: "Pasted" }]);
    const { text } = await ask({ type: "exportBackup", passphrase: PASSWORD });
    expect(await fails({ type: "importKey", text: CODE, name: "x" })).toMatch(/invitation code/);
    expect(await fails({ type: "importKey", text, name: "x" })).toMatch(/backup/);
    expect(await fails({ type: "importKey", text: "", name: "x" })).toMatch(/Nothing was pasted/);
  });
});

describe("what a key is used for", () => {
  test("a key that only reads what still comes under it is told apart from the one that a channel writes with", async () => {
    const { world, ask, popup } = await opened();
    await ask({ type: "createChannel", ...ROOM, contentTopic: TOPIC, key: { kind: "make", name: "First" } });
    // The list has the oldest first.
    await world.clock.advance(1);
    await ask({ type: "changeChannelKey", channel: ROOM, key: { kind: "make", name: "Second" } });
    // Made in the same millisecond, they are in no particular order.
    expect(popup.snapshot().keys.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toMatchObject([
      { name: "First", channels: [], earlierIn: [ROOM] },
      { name: "Second", channels: [ROOM], earlierIn: [] },
    ]);
  });
});

describe("channels in the popup", () => {
  test("a channel made for a site waits closed until the site may use it, and the site is asked for no key", async () => {
    const { world, ask, popup } = await opened();
    await ask({ type: "createChannel", ...ROOM, contentTopic: TOPIC, key: { kind: "make", name: "Friends" } });
    expect(popup.snapshot()).toMatchObject({
      channels: [{ ...ROOM, encryption: "key", status: { state: "closed" } }],
      keys: [{ name: "Friends", origins: [SITE], channels: [ROOM] }],
    });
    const page = world.page();
    const creating = page.provider.createReliableChannel({ channelId: "room", contentTopic: TOPIC });
    await world.clock.settle();
    const { permissions } = await world.worker();
    expect(permissions.prompts()[0]).not.toHaveProperty("keyChoice");
    await world.answer("always");
    expect((await creating).channelId).toBe("room");
    await ask({ type: "createChannel", origin: SITE, channelId: "plain", contentTopic: TOPIC });
    expect(popup.snapshot().channels[1]).toMatchObject({ encryption: "none", status: { state: "open" } });
  });

  test("the site names the sender id of a channel that was made for it, whether it was allowed before or not", async () => {
    const { world, ask, popup } = await opened();
    const params = { contentTopic: TOPIC, encryption: { mode: "none" } } as const;
    await ask({ type: "createChannel", origin: SITE, channelId: "before", contentTopic: TOPIC });
    const page = await world.trustedPage();
    await ask({ type: "createChannel", origin: SITE, channelId: "after", contentTopic: TOPIC });
    for (const channelId of ["before", "after"]) {
      const channel = await page.provider.createReliableChannel({ ...params, channelId, senderId: "alice" });
      expect(channel.senderId).toBe("alice");
    }
    await ask({ type: "renameChannel", channel: { origin: SITE, channelId: "after" }, label: "After" });
    expect(popup.snapshot().channels.map(({ senderId }) => senderId)).toEqual(["alice", "alice"]);
    const another = page.provider.createReliableChannel({ ...params, channelId: "after", senderId: "bob" });
    expect(await failureOf(another)).toMatchObject({ code: ErrorCode.InvalidParams });
  });

  test("an open channel is not made twice, and a closed one is opened again where it is what the form says", async () => {
    const { world, ask, fails, popup, manager } = await opened();
    const page = world.page();
    const connecting = page.provider.connect();
    await world.clock.settle();
    await world.answer("always");
    await connecting;
    const channel = { origin: SITE, channelId: "plain" };
    await ask({ type: "createChannel", ...channel, contentTopic: TOPIC, key: { kind: "make", name: "Friends" } });
    expect(await fails({ type: "createChannel", ...channel, contentTopic: TOPIC })).toMatch(/already/);
    const [made] = popup.snapshot().channels;
    const keyId = made?.keyId ?? "";
    await manager.closeChannel(channel, "user");
    const again = { type: "createChannel", ...channel, contentTopic: TOPIC } as const;
    await ask({ ...again, key: { kind: "pick", keyId } });
    expect(popup.snapshot().channels).toEqual([made]);
    await manager.closeChannel(channel, "user");
    const { text } = await ask({ type: "exportKey", keyId, format: "hex" });
    await ask({ ...again, key: { kind: "import", text, name: "The same" } });
    expect(popup.snapshot().channels).toEqual([made]);
    expect(popup.snapshot().keys).toHaveLength(1);
  });

  test("a closed channel is not opened as what the form does not say: plain for encrypted, or with another key", async () => {
    const { refusal, ask, popup } = await opened();
    const key = { kind: "make", name: "Friends" } as const;
    await ask({ type: "createChannel", ...ROOM, contentTopic: TOPIC, key });
    const plain = { origin: SITE, channelId: "plain" };
    await ask({ type: "createChannel", ...plain, contentTopic: TOPIC });
    const { keyId: other } = await ask({ type: "makeKey", name: "Other" });
    const before = popup.snapshot();
    const again = { type: "createChannel", ...ROOM, contentTopic: TOPIC } as const;
    expect(await refusal(again)).toBe("other-channel");
    expect(await refusal({ ...again, ...plain, key })).toBe("other-channel");
    expect(await refusal({ ...again, contentTopic: "/another/1/topic/proto", key })).toBe("other-channel");
    expect(await refusal({ ...again, key })).toBe("other-key");
    expect(await refusal({ ...again, key: { kind: "pick", keyId: other } })).toBe("other-key");
    expect(await refusal({ ...again, key: { kind: "import", text: HEX, name: "Pasted" } })).toBe("other-key");
    expect(await refusal({ ...again, key: { kind: "import", text: "hello", name: "Pasted" } })).toBe("text-unknown");
    // No key that nothing uses is left behind either.
    expect(popup.snapshot()).toEqual(before);
  });

  test("a closed channel is opened again as it was made, whatever became of its key; opening an open one is no error", async () => {
    const { world, ask, refusal, popup, manager } = await opened();
    await world.trustedPage();
    await ask({ type: "createChannel", ...ROOM, contentTopic: TOPIC, key: { kind: "make", name: "Friends" } });
    const [made] = popup.snapshot().channels;
    await ask({ type: "deleteKey", keyId: made?.keyId ?? "" });
    await manager.closeChannel(ROOM, "user");
    for (let i = 0; i < 2; i++) await ask({ type: "openChannel", channel: ROOM });
    expect(popup.snapshot().channels).toEqual([made]);
    expect(await refusal({ type: "openChannel", channel: { ...ROOM, channelId: "x" } })).toBe(
      "channel-unknown-channel",
    );
  });

  test("what cannot be made is refused in words", async () => {
    const { ask, fails, manager } = await opened();
    const params = { channelId: "room", contentTopic: TOPIC } as const;
    await ask({ type: "createChannel", origin: SITE, ...params, key: { kind: "make", name: "Friends" } });
    const keyId = manager.summaries()[0]?.keyId ?? "";
    for (const origin of ["site.example", "http://site.example", "https://site.example/", "null", ""]) {
      expect(await fails({ type: "createChannel", origin, ...params })).toMatch(/https:\/\//);
      expect(await fails({ type: "acceptInvitation", origin, text: CODE })).toMatch(/https:\/\//);
    }
    const foreign = { type: "createChannel", origin: OTHER, ...params } as const;
    expect(await fails({ ...foreign, key: { kind: "pick", keyId } })).toMatch(/Another site uses this key/);
    expect(manager.summaries()).toHaveLength(1);
    await ask({ ...foreign, key: { kind: "pick", keyId, allowNewSite: true } });
    expect(manager.summaries()).toMatchObject([{ keyId }, { origin: OTHER, keyId }]);
    manager.fail("limit");
    expect(await fails({ ...foreign, channelId: "third" })).toMatch(/the limit failure/);
  });

  test("a channel is renamed, its key changed, and it is deleted; deleting it again is no error", async () => {
    const { ask, fails, popup } = await opened();
    await ask({ type: "createChannel", ...ROOM, contentTopic: TOPIC, key: { kind: "make", name: "First" } });
    const first = popup.snapshot().keys[0]?.id;
    await ask({ type: "renameChannel", channel: ROOM, label: " Our room " });
    for (let i = 0; i < 2; i++) {
      await ask({ type: "changeChannelKey", channel: ROOM, key: { kind: "import", text: HEX, name: "Second" } });
    }
    const second = popup.snapshot().keys.find(({ name }) => name === "Second");
    expect(second?.origins).toEqual([SITE]);
    expect(popup.snapshot()).toMatchObject({
      channels: [{ label: "Our room", keyId: second?.id, earlierKeyIds: [first] }],
      details: [{ channel: ROOM, label: "Our room", keyId: second?.id }],
    });
    await ask({ type: "renameChannel", channel: ROOM, label: "Their\u202e\nroom" });
    expect(popup.snapshot().channels[0]?.label).toBe("Theirroom");
    for (const label of [" ", "\u202e\n"]) {
      expect(await fails({ type: "renameChannel", channel: ROOM, label })).toMatch(/needs a name/);
    }
    expect(await fails({ type: "renameChannel", channel: { ...ROOM, channelId: "x" }, label: "x" })).toMatch(/unknown/);
    expect(await fails({ type: "changeChannelKey", channel: ROOM, key: { kind: "pick", keyId: "x" } })).toMatch(
      /no such/,
    );
    for (let i = 0; i < 2; i++) await ask({ type: "deleteChannel", channel: ROOM });
    expect(popup.snapshot().channels).toEqual([]);
    expect(await fails({ type: "changeChannelKey", channel: ROOM, key: { kind: "make", name: "x" } })).toMatch(
      /no such/,
    );
    await ask({ type: "createChannel", ...ROOM, contentTopic: TOPIC });
    expect(await fails({ type: "changeChannelKey", channel: ROOM, key: { kind: "make", name: "x" } })).toMatch(
      /not encrypted/,
    );
  });

  test("requests are shown newest first, and a failed one is sent again", async () => {
    const { world, ask, fails, popup, manager } = await opened();
    const page = await world.trustedPage();
    const channel = await page.provider.createReliableChannel({
      channelId: "room",
      contentTopic: TOPIC,
      encryption: { mode: "none" },
    });
    const requestId = await channel.send(Uint8Array.of(1, 2));
    const retry = { type: "retryRequest", channel: ROOM, requestId } as const;
    expect(await fails(retry)).toMatch(/only a request that failed/);
    await manager.settle(ROOM, "send-error");
    await world.clock.advance(100);
    manager.tell(ROOM, { type: "status", status: { state: "open", health: "UNHEALTHY", pending: 0 } });
    await world.clock.advance(100);
    expect(popup.snapshot().requests).toMatchObject([{ channel: ROOM, requestId, state: "send-error", bytes: 2 }]);
    expect(world.badge?.text).toBe("!1");
    await ask(retry);
    expect(popup.snapshot().requests).toMatchObject([{ state: "sending" }]);
    await channel.close();
    expect(await fails(retry)).toMatch(/not open/);
  });

  test("a large message under way is shown until it is done, or its channel closed", async () => {
    const { world, popup, manager } = await opened();
    const progress = (id: string, done: number, direction: "in" | "out" = "in") =>
      manager.tell(ROOM, { type: "progress", direction, id, done, total: 4 });
    const shown = async () => {
      await world.clock.advance(100);
      return popup.snapshot().transfers;
    };
    progress("a", 1);
    progress("b", 1, "out");
    progress("a", 2);
    expect(await shown()).toEqual([
      { channel: ROOM, direction: "out", id: "b", done: 1, total: 4 },
      { channel: ROOM, direction: "in", id: "a", done: 2, total: 4 },
    ]);
    progress("a", 4);
    manager.tell(ROOM, { type: "event", event: { type: "reliable:message:sent", requestId: "b", seq: 1, at: 0 } });
    expect(await shown()).toEqual([]);
    for (let i = 0; i < 100; i++) progress(`${i}`, 1);
    expect((await shown()).map(({ id }) => id)).toEqual(Array.from({ length: 64 }, (_, i) => `${i + 36}`));
    manager.tell(ROOM, { type: "close", reason: "user" });
    expect(await shown()).toEqual([]);
    progress("stuck", 1);
    await world.clock.advance(26 * 60_000);
    manager.tell(ROOM, { type: "status", status: { state: "open", health: "UNHEALTHY", pending: 0 } });
    expect(await shown()).toEqual([]);
  });
});

describe("invitations in the popup", () => {
  test("one that is made here is accepted elsewhere, and both have the same channel and key", async () => {
    const [alice, bob] = [await opened(), await opened()];
    await alice.ask({
      type: "createChannel",
      ...ROOM,
      contentTopic: TOPIC,
      key: { kind: "import", text: HEX, name: "K" },
    });
    await alice.ask({ type: "renameChannel", channel: ROOM, label: "Book club" });
    const { text, qr } = await alice.ask({ type: "createInvitation", channel: ROOM });
    expect(readInvitation(text)).toMatchObject({ ok: true, value: { key: KEY, channelId: "room", name: "Book club" } });
    expect(qr.length).toBeGreaterThan(21);
    expect(qr.every((row) => row.length === qr.length)).toBe(true);
    for (let i = 0; i < 2; i++) await bob.ask({ type: "acceptInvitation", text, origin: OTHER });
    expect(bob.popup.snapshot()).toMatchObject({
      channels: [
        { origin: OTHER, channelId: "room", label: "Book club", encryption: "key", status: { state: "closed" } },
      ],
      keys: [{ name: "Book club", origins: [OTHER], fingerprint: alice.popup.snapshot().keys[0]?.fingerprint }],
    });
    expect(bob.keys.find(KEY)?.id).toBe(bob.manager.summaries()[0]?.keyId);
  });

  test("the placement of the invitation is the channel's, and for a site that is allowed it is open at once", async () => {
    const { world, ask, manager } = await opened();
    const page = await world.trustedPage();
    await ask({ type: "acceptInvitation", text: CODE, origin: SITE });
    expect(manager.summaries()).toMatchObject([{ placement: "content", status: { state: "open" } }]);
    const channel = await page.provider.createReliableChannel({ channelId: "room", contentTopic: TOPIC });
    expect(channel.channelId).toBe("room");
    expect(world.window.opened).toBe(1);
  });

  test("accepted while the site's prompt is open, it is what the prompt's answer uses", async () => {
    const { world, ask, manager, keys } = await opened();
    const page = await world.trustedPage();
    const creating = page.provider.createReliableChannel({ channelId: "room", contentTopic: TOPIC });
    await world.clock.settle();
    await ask({ type: "acceptInvitation", text: CODE, origin: SITE });
    await world.answer("always", { kind: "pick", keyId: keys.find(KEY)?.id ?? "" });
    await creating;
    expect(manager.summaries()).toMatchObject([{ keyId: keys.find(KEY)?.id, earlierKeyIds: [] }]);
  });

  test("accepted, and another key chosen in the prompt after all: the person's last word counts", async () => {
    const { world, ask, manager, keys } = await opened();
    const page = await world.trustedPage();
    const creating = page.provider.createReliableChannel({ channelId: "room", contentTopic: TOPIC });
    await world.clock.settle();
    await ask({ type: "acceptInvitation", text: CODE, origin: SITE });
    await world.answer("always", { kind: "make", name: "Mine" });
    await creating;
    const mine = keys.list().find(({ name }) => name === "Mine")?.id;
    expect(manager.summaries()).toMatchObject([{ keyId: mine, earlierKeyIds: [keys.find(KEY)?.id] }]);
  });

  test("what does not fit is refused in words, and changes nothing", async () => {
    const { ask, fails, manager, keys } = await opened();
    await ask({ type: "createChannel", ...ROOM, contentTopic: TOPIC, key: { kind: "make", name: "Mine" } });
    await ask({ type: "createChannel", origin: SITE, channelId: "plain", contentTopic: TOPIC });
    const before = manager.summaries();
    const accept = { type: "acceptInvitation", origin: SITE } as const;
    expect(await fails({ ...accept, text: writeInvitation({ ...INVITED, placement: "envelope" }) })).toMatch(
      /another key/,
    );
    expect(await fails({ ...accept, text: writeInvitation({ ...INVITED, channelId: "plain" }) })).toMatch(
      /another channel/,
    );
    const mine = keys.bytes(before[0]?.keyId ?? "");
    const same = { ...INVITED, key: mine.ok ? mine.value : KEY };
    expect(await fails({ ...accept, text: writeInvitation(same) })).toMatch(/another channel/);
    expect(await fails({ ...accept, text: writeInvitation({ ...same, placement: "envelope" }) })).toBeUndefined();
    expect(await fails({ ...accept, text: "hello" })).toMatch(/no invitation/);
    expect(await fails({ type: "createInvitation", channel: { ...ROOM, channelId: "plain" } })).toMatch(/encrypted/);
    expect(await fails({ type: "createInvitation", channel: { ...ROOM, channelId: "x" } })).toMatch(/no such channel/);
    expect(manager.summaries()).toEqual(before);
    expect(keys.list()).toHaveLength(1);
  });

  test("with a key of another site it needs the consent of its own", async () => {
    const { ask, fails, keys } = await opened();
    await ask({ type: "acceptInvitation", text: CODE, origin: SITE });
    const accept = { type: "acceptInvitation", text: CODE, origin: OTHER } as const;
    expect(await fails(accept)).toMatch(/Another site uses this key/);
    await ask({ ...accept, allowNewSite: true });
    expect(keys.find(KEY)?.origins).toEqual([SITE, OTHER]);
  });
});

describe("backups in the popup", () => {
  test("bring keys, channels, names and earlier keys to another profile, once", async () => {
    const [alice, bob] = [await opened(), await opened()];
    await alice.ask({ type: "createChannel", ...ROOM, contentTopic: TOPIC, key: { kind: "make", name: "First" } });
    await alice.ask({ type: "changeChannelKey", channel: ROOM, key: { kind: "import", text: HEX, name: "Second" } });
    await alice.ask({ type: "renameChannel", channel: ROOM, label: "Our room" });
    await alice.ask({ type: "createChannel", origin: OTHER, channelId: "plain", contentTopic: TOPIC });
    const { text } = await alice.ask({ type: "exportBackup", passphrase: PASSWORD });
    expect(text).not.toContain(HEX);
    const restore = { type: "importBackup", text, passphrase: PASSWORD } as const;
    expect(await bob.ask(restore)).toEqual({ keys: 2, channels: 2, failed: 0 });
    expect(await bob.ask(restore)).toEqual({ keys: 0, channels: 0, failed: 0 });
    const idOf = (name: string) => bob.keys.list().find((key) => key.name === name)?.id;
    expect(bob.manager.summaries()).toMatchObject([
      { ...ROOM, label: "Our room", encryption: "key", keyId: idOf("Second"), earlierKeyIds: [idOf("First")] },
      { origin: OTHER, channelId: "plain", encryption: "none" },
    ]);
    expect(bob.keys.find(KEY)).toMatchObject({ id: idOf("Second"), source: "backup", origins: [SITE] });
  });

  test("of a channel that had more keys than it reads with bring those that it reads with", async () => {
    const [alice, bob] = [await opened(), await opened()];
    const newest = LIMITS.keys.earlierKeys + 2;
    await alice.ask({ type: "createChannel", ...ROOM, contentTopic: TOPIC, key: { kind: "make", name: "Key 0" } });
    for (let n = 1; n <= newest; n++) {
      await alice.ask({ type: "changeChannelKey", channel: ROOM, key: { kind: "make", name: `Key ${n}` } });
    }
    // As rows may be that an earlier version wrote.
    expect(alice.manager.summaries()[0]?.earlierKeyIds).toHaveLength(newest);
    const passphrase = PASSWORD;
    const { text } = await alice.ask({ type: "exportBackup", passphrase });
    const one = await alice.ask({ type: "exportBackup", passphrase, channel: ROOM });
    const restored = LIMITS.keys.earlierKeys + 1;
    expect(await bob.ask({ type: "importBackup", text: one.text, passphrase })).toEqual({
      keys: restored,
      channels: 1,
      failed: 0,
    });
    const names = bob.manager.summaries()[0]?.earlierKeyIds.map((id) => bob.keys.info(id)?.name);
    expect(names).toEqual(Array.from({ length: LIMITS.keys.earlierKeys }, (_, n) => `Key ${newest - 1 - n}`));
    expect(await bob.ask({ type: "importBackup", text, passphrase })).toMatchObject({ keys: newest + 1 - restored });
  });

  test("make a channel with all its keys at once, so that a worker that dies over it leaves no retired key to write with", async () => {
    const [alice, bob] = [await opened(), await opened()];
    await alice.ask({ type: "createChannel", ...ROOM, contentTopic: TOPIC, key: { kind: "make", name: "First" } });
    await alice.ask({ type: "changeChannelKey", channel: ROOM, key: { kind: "make", name: "Second" } });
    const { text } = await alice.ask({ type: "exportBackup", passphrase: PASSWORD });
    const wroteWith = new Set<string | undefined>();
    bob.world.storage.afterCommit = () => {
      for (const { keyId } of bob.manager.summaries()) wroteWith.add(keyId);
    };
    await bob.ask({ type: "importBackup", text, passphrase: PASSWORD });
    expect([...wroteWith]).toEqual([bob.keys.list().find(({ name }) => name === "Second")?.id]);
  });

  test("count what cannot be restored apart from what was there already", async () => {
    const [alice, bob] = [await opened(), await opened()];
    const passphrase = PASSWORD;
    const plain = { type: "createChannel", origin: SITE, contentTopic: TOPIC } as const;
    await alice.ask({ type: "createChannel", ...ROOM, contentTopic: TOPIC, key: { kind: "make", name: "Friends" } });
    await alice.ask({ ...plain, channelId: "there" });
    await alice.ask({ ...plain, channelId: "new" });
    await alice.manager.createReliableChannel({ ...ROOM, origin: "no site", contentTopic: TOPIC, encryption: "none" });
    await alice.ask({ type: "deleteKey", keyId: alice.keys.list()[0]?.id ?? "" });
    const { text } = await alice.ask({ type: "exportBackup", passphrase });
    await bob.ask({ ...plain, channelId: "there" });
    const restore = { type: "importBackup", text, passphrase } as const;
    bob.manager.fail("limit");
    expect(await bob.ask(restore)).toEqual({ keys: 0, channels: 0, failed: 3 });
    bob.manager.failure = undefined;
    expect(await bob.ask(restore)).toEqual({ keys: 0, channels: 1, failed: 2 });
    expect(await bob.ask(restore)).toEqual({ keys: 0, channels: 0, failed: 2 });
  });

  test("clean the names in them, which anybody may have written", async () => {
    const { ask, manager, keys } = await opened();
    const channel = {
      ...ROOM,
      contentTopic: TOPIC,
      profile: "logos",
      encryption: "key",
      placement: "envelope",
    } as const;
    const written = await writeBackup(
      {
        createdAt: 0,
        keys: [{ id: "k", name: "Fri\u202eends", key: KEY }],
        channels: [
          { ...channel, keyId: "k", name: "Our\nroom" },
          { ...channel, channelId: "other", keyId: "k", name: "\u202e" },
        ],
      },
      PASSWORD,
      { random: systemRandom, derive: quickDerive },
    );
    const text = written.ok ? written.value : "";
    expect(await ask({ type: "importBackup", text, passphrase: PASSWORD })).toMatchObject({ channels: 2, failed: 0 });
    expect(keys.find(KEY)?.name).toBe("Friends");
    expect(manager.summaries().map(({ label }) => label)).toEqual(["Ourroom", "other"]);
  });

  test("name the keys that cannot be opened, and so are not in them", async () => {
    const { world, ask } = await opened();
    await ask({ type: "createChannel", ...ROOM, contentTopic: TOPIC, key: { kind: "make", name: "Old" } });
    await ask({ type: "changeChannelKey", channel: ROOM, key: { kind: "make", name: "New" } });
    const { keyId } = await ask({ type: "makeKey", name: "Unused" });
    const passphrase = PASSWORD;
    expect(await ask({ type: "exportBackup", passphrase })).toMatchObject({ missing: [] });
    const { keys } = await world.worker();
    const old = keys.list().find(({ name }) => name === "Old")?.id ?? "";
    for (const id of [keyId, old]) await damage(world, id);
    const [next, bob] = [await opened(world), await opened()];
    const { text, missing } = await next.ask({ type: "exportBackup", passphrase });
    expect(missing.toSorted()).toEqual(["Old", "Unused"]);
    expect(await next.ask({ type: "exportBackup", passphrase, channel: ROOM })).toMatchObject({ missing: ["Old"] });
    expect(await bob.ask({ type: "importBackup", text, passphrase })).toEqual({ keys: 1, channels: 1, failed: 0 });
    await damage(world, next.keys.list().find(({ name }) => name === "New")?.id ?? "");
    const last = await opened(world);
    expect(await last.refusal({ type: "exportBackup", passphrase, channel: ROOM })).toBe("key-damaged");
  });

  test("of one channel bring that channel and the keys it writes and reads with, and nothing else", async () => {
    const [alice, bob] = [await opened(), await opened()];
    await alice.ask({ type: "createChannel", ...ROOM, contentTopic: TOPIC, key: { kind: "make", name: "First" } });
    await alice.ask({ type: "changeChannelKey", channel: ROOM, key: { kind: "import", text: HEX, name: "Second" } });
    await alice.ask({ type: "renameChannel", channel: ROOM, label: "Our room" });
    const shed = { origin: SITE, channelId: "shed" } as const;
    await alice.ask({ type: "createChannel", ...shed, contentTopic: TOPIC, key: { kind: "make", name: "Third" } });
    await alice.ask({ type: "makeKey", name: "Unused" });

    const { text } = await alice.ask({ type: "exportBackup", passphrase: PASSWORD, channel: ROOM });
    expect(await bob.ask({ type: "importBackup", text, passphrase: PASSWORD })).toEqual({
      keys: 2,
      channels: 1,
      failed: 0,
    });
    const idOf = (name: string) => bob.keys.list().find((key) => key.name === name)?.id;
    expect(bob.manager.summaries()).toMatchObject([
      { ...ROOM, label: "Our room", encryption: "key", keyId: idOf("Second"), earlierKeyIds: [idOf("First")] },
    ]);
    expect(bob.keys.list().map(({ name }) => name)).toEqual(expect.arrayContaining(["First", "Second"]));
  });

  test.each(["none", "page"] as const)("of one channel bring no key where its encryption is %s", async (encryption) => {
    const [alice, bob] = [await opened(), await opened()];
    await alice.manager.createReliableChannel({ ...ROOM, contentTopic: TOPIC, encryption });
    await alice.ask({ type: "makeKey", name: "Unused" });
    const { text } = await alice.ask({ type: "exportBackup", passphrase: PASSWORD, channel: ROOM });
    expect(await bob.ask({ type: "importBackup", text, passphrase: PASSWORD })).toEqual({
      keys: 0,
      channels: 1,
      failed: 0,
    });
    expect(bob.manager.summaries()).toMatchObject([{ ...ROOM, contentTopic: TOPIC, encryption }]);
  });

  test("of a channel that is not there, or has lost its key, are refused: nobody could restore it", async () => {
    const { ask, fails, keys } = await opened();
    await ask({ type: "createChannel", ...ROOM, contentTopic: TOPIC, key: { kind: "make", name: "Friends" } });
    const [key] = keys.list();
    if (!key) throw new Error("no key");
    const exported = { type: "exportBackup", passphrase: PASSWORD } as const;
    expect(await fails({ ...exported, channel: { ...ROOM, channelId: "elsewhere" } })).toMatch(/no such channel/);
    await ask({ type: "deleteKey", keyId: key.id });
    expect(await fails({ ...exported, channel: ROOM })).toMatch(/key/);
    const { text } = await ask(exported);
    expect(await ask({ type: "inspectKeyText", text })).toEqual({ kind: "backup" });
  });

  test("a wrong or weak passphrase and text that is no backup are refused in words", async () => {
    const { ask, fails } = await opened();
    expect(await fails({ type: "exportBackup", passphrase: "short" })).toMatch(/8 characters/);
    const { text } = await ask({ type: "exportBackup", passphrase: PASSWORD });
    expect(await fails({ type: "importBackup", text, passphrase: "wrong one" })).toMatch(/pass/i);
    expect(await fails({ type: "importBackup", text: CODE, passphrase: PASSWORD })).toMatch(/no backup/);
  });
});

describe("the badge", () => {
  test.each([
    ["nothing", 0, 0, ""],
    ["prompts before failures", 2, 1, "2"],
    ["failures", 0, 2, "!2"],
    ["very many", 1_000, 0, "99+"],
    ["very many failures", 0, 150, "!99+"],
  ])("shows %s", (_, prompts, unseenFailures, text) => {
    const badge = badgeOf({
      prompts: Array.from({ length: prompts }, (_, i) => ({ id: `${i}`, origin: SITE, requestedAt: 0 })),
      unseenFailures,
    });
    expect(badge.text).toBe(text);
  });

  test("follows prompts, also while no popup is open", async () => {
    const world = new World();
    await world.worker();
    expect(world.badge?.text).toBe("");
    const failure = failureOf(world.page().provider.connect());
    await world.clock.advance(100);
    expect(world.badge?.text).toBe("1");
    await world.answer("reject");
    await failure;
    await world.clock.advance(100);
    expect(world.badge?.text).toBe("");
  });
});

describe("hostile command frames", () => {
  const value = fc.oneof(
    { depthSize: "small" },
    fc.anything({ withDate: true, withMap: true, withTypedArray: true, withBigInt: true }),
    fc.constantFrom(SITE, "room", TOPIC, HEX, CODE, "", PASSWORD, null, 0, -1, Number.NaN, "jwk", "\ud800"),
    fc.constantFrom(
      ROOM,
      { kind: "make", name: "x" },
      { kind: "pick", keyId: "x" },
      { kind: "import", text: HEX, name: "x" },
    ),
  );
  const TYPES = [
    "answerPrompt",
    "revokeSite",
    "unblockSite",
    "closeChannel",
    "setNetwork",
    "welcome",
    "setPassword",
    "unlock",
    "lock",
    "setAutoLock",
    "makeKey",
    "inspectKeyText",
    "importKey",
    "renameKey",
    "exportKey",
    "deleteKey",
    "takeKeyFromSite",
    "createChannel",
    "openChannel",
    "renameChannel",
    "changeChannelKey",
    "deleteChannel",
    "createInvitation",
    "acceptInvitation",
    "retryRequest",
    "importBackup",
    "constructor",
    "__proto__",
  ];
  const members = Object.fromEntries(
    ["id", "decision", "key", "origin", "channel", "config", "password", "current", "minutes", "name", "text", "keyId"]
      .concat(["format", "channelId", "contentTopic", "label", "requestId", "passphrase", "allowNewSite"])
      .map((name) => [name, value]),
  );
  const command = fc.oneof(
    value,
    fc.record({ type: fc.constantFrom(...TYPES), ...members }, { requiredKeys: ["type"] }),
  );

  test("what is parsed parses to itself, and the parser never throws", () => {
    fc.assert(
      fc.property(command, (raw) => {
        const parsed = parseCommand({ type: "command", id: 1, command: raw });
        if (parsed?.kind === "senseless") return;
        expect(parseCommand({ type: "command", id: 1, command: parsed?.command })).toEqual(parsed);
      }),
      { numRuns: 2_000 },
    );
  });

  test("every command is answered once, and the popup goes on being served", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 10 }), async (commands) => {
        const { popup, ask } = await opened();
        const sent: number[] = [];
        for (const [i, raw] of commands.entries()) {
          try {
            popup.port.postMessage({ type: "command", id: 1_000 + i, command: raw });
            sent.push(1_000 + i);
          } catch {
            // No structured clone: a browser would not carry it either.
          }
        }
        await ask({ type: "setAutoLock", minutes: 60 });
        const answers = popup.frames.flatMap((frame) =>
          (frame as UiAnswer).type === "answer" ? [(frame as UiAnswer).id] : [],
        );
        expect(answers.filter((id) => id >= 1_000).toSorted((a, b) => a - b)).toEqual(sent);
      }),
      { numRuns: 100 },
    );
  });
});
