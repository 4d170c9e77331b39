/** Channels with the cipher `key`: who can read what, and what becomes of a channel when its key changes. */
import { beforeEach, describe, expect, test } from "vitest";
import type { CipherFor } from "../../../src/channel/reliable-channel-manager.ts";
import { ok } from "../../../src/common/result.ts";
import { type ChannelKeys, KeyCipher } from "../../../src/encryption/key-cipher.ts";
import { none } from "../../../src/encryption/none.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { ORIGIN, Peer, TOPIC } from "../../support/peer.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const KEY = { origin: ORIGIN, channelId: "room" };
/** What stands behind a key's id, on every peer alike. */
const BYTES = new Map(["red", "blue"].map((id, index) => [id, new Uint8Array(32).fill(index + 1)] as const));

const cipherFor: CipherFor = (mode, marker, ids) => {
  if (mode === "none") return none;
  if (mode !== "key") return undefined;
  const bytesOf = (id: string | undefined) => BYTES.get(id ?? "") ?? new Uint8Array(32);
  const keys: ChannelKeys = {
    current: () => ok(bytesOf(ids().current)),
    earlier: () => ids().earlier.map(bytesOf),
    unavailable: () => undefined,
  };
  return new KeyCipher({ keys, marker });
};

let clock: VirtualClock;
let network: FakeNetwork;

beforeEach(() => {
  clock = new VirtualClock();
  network = new FakeNetwork(clock);
});

async function member(name: string, keyId: string): Promise<Peer> {
  const peer = await Peer.start(name, network, { cipherFor });
  const created = await peer.manager.createReliableChannel({
    ...KEY,
    contentTopic: TOPIC,
    senderId: name,
    encryption: "key",
    keyId,
  });
  expect(created.ok).toBe(true);
  await network.settle();
  return peer;
}

describe("a channel with a key", () => {
  test("members with the key read each other, and the wire holds no SDS message", async () => {
    const [alice, bob] = [await member("alice", "red"), await member("bob", "red")];
    const id = await alice.send("secret");
    for (let i = 0; i < 20; i++) {
      await clock.advance(250);
      await network.settle();
    }
    expect(await bob.received()).toEqual(["secret"]);
    expect(await alice.outcomes(id)).toEqual(["sent", "delivered"]);
    expect(network.stored.length).toBeGreaterThan(0);
    for (const { payload } of network.stored) {
      expect(nimLayout.decode(payload).ok).toBe(false);
      expect(new TextDecoder().decode(payload)).not.toContain("secret");
    }
  });

  test("O4 with another key nothing is shown, nothing is stored, and it is counted once", async () => {
    const [alice, mallory] = [await member("alice", "red"), await member("mallory", "blue")];
    await alice.send("secret");
    await network.settle();
    const [message] = network.stored;
    if (message === undefined) throw new Error("nothing was sent");
    await network.inject(message);
    expect(await mallory.log()).toEqual([]);
    expect(["sdsSeen", "segments"].map((table) => mallory.storage.count(table))).toEqual([0, 0]);
    expect(mallory.channel().diagnostics().undecryptable).toBe(1);
  });

  test("an unencrypted member neither reads nor is read: nothing falls back to plain text", async () => {
    const alice = await member("alice", "red");
    const eve = await Peer.start("eve", network, { cipherFor });
    await eve.open();
    await network.settle();
    await alice.send("secret");
    await eve.send("forged");
    await network.settle();
    expect([await alice.log(), await eve.log()].map((log) => log.map(({ type }) => type))).toEqual([
      ["reliable:message:sent"],
      ["reliable:message:sent"],
    ]);
  });

  test("after a change of key, what the others still write with the earlier one can be read, also after a restart", async () => {
    const [alice, bob] = [await member("alice", "red"), await member("bob", "red")];
    expect(await alice.manager.changeKey(KEY, "blue")).toEqual(ok(undefined));
    await alice.restart();
    await network.settle();
    expect(alice.channel().summary()).toMatchObject({ keyId: "blue", earlierKeyIds: ["red"] });
    await bob.send("with the old key");
    await network.settle();
    expect(await alice.received()).toEqual(["with the old key"]);
    await alice.send("with the new key");
    await network.settle();
    expect(await bob.received()).toEqual([]);
    await bob.manager.changeKey(KEY, "blue");
    await alice.send("once more");
    for (let i = 0; i < 40; i++) {
      await clock.advance(250);
      await network.settle();
    }
    expect((await bob.received()).at(-1)).toBe("once more");
  });

  test("it cannot be created without a key, and a mode without a cipher is refused", async () => {
    const alice = await Peer.start("alice", network, { cipherFor });
    const params = { ...KEY, contentTopic: TOPIC };
    expect(await alice.manager.createReliableChannel({ ...params, encryption: "key" })).toMatchObject({
      ok: false,
      error: { kind: "key-required" },
    });
    expect(await alice.manager.createReliableChannel({ ...params, encryption: "page" })).toMatchObject({
      ok: false,
      error: { kind: "unsupported" },
    });
    expect(alice.manager.channelExists(KEY)).toBe(false);
  });
});

describe("what a person does with a channel", () => {
  test("a name is kept, and the channel id is its name until then", async () => {
    const alice = await member("alice", "red");
    expect(alice.manager.summaries()).toMatchObject([{ label: "room" }]);
    await alice.manager.rename(KEY, "The shed");
    await alice.restart();
    expect(alice.manager.summaries()).toMatchObject([{ label: "The shed" }]);
  });

  test("a closed channel is still listed; a deleted one leaves nothing behind, and can be made anew", async () => {
    const alice = await member("alice", "red");
    await alice.send("gone");
    await network.settle();
    await alice.manager.closeChannel(KEY, "user");
    expect(alice.manager.summaries()).toMatchObject([{ status: { state: "closed" } }]);
    expect(await alice.manager.deleteChannel(KEY)).toEqual(ok(undefined));
    expect(await alice.manager.deleteChannel(KEY)).toMatchObject({ ok: false });
    await network.settle();
    const tables = ["channels", "requests", "pending", "events", "sdsMeta", "sdsLog", "sdsWires", "outbox", "upkeep"];
    expect(tables.map((table) => alice.storage.count(table))).toEqual(tables.map(() => 0));
    expect(alice.mailbox.topics.size).toBe(0);
    await alice.restart();
    expect(alice.manager.summaries()).toEqual([]);
    await alice.open();
    expect(await alice.log()).toEqual([]);
  });
});
