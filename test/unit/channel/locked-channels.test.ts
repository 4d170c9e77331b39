import { beforeEach, describe, expect, test, vi } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import type { LockedChannels } from "../../../src/channel/locked-channels.ts";
import type { ChannelNotice, ChannelParams } from "../../../src/channel/types.ts";
import { utf8 } from "../../../src/common/bytes.ts";
import { ok } from "../../../src/common/result.ts";
import { none } from "../../../src/encryption/none.ts";
import { AwayCipher } from "../../support/away-cipher.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { FakeRoom } from "../../support/fake-room.ts";
import { ORIGIN, Peer, TOPIC } from "../../support/peer.ts";

const KEY = { origin: ORIGIN, channelId: "room" };

describe("channels of a locked vault", () => {
  async function locked(): Promise<{ alice: Peer; channels: LockedChannels; network: FakeNetwork }> {
    const network = new FakeNetwork(new VirtualClock());
    const alice = await Peer.start("alice", network);
    await alice.open();
    await alice.open("closed", "/test/1/closed/proto");
    await alice.manager.closeChannel({ ...KEY, channelId: "closed" }, "page");
    await alice.manager.rename(KEY, "The shed");
    await alice.send("written before");
    await network.settle();
    return { alice, channels: await alice.lock(), network };
  }

  test("show what there is and in which state, and nothing that was written", async () => {
    const { channels } = await locked();
    expect(new Map(channels.summaries().map(({ label, status }) => [label, status.state]))).toEqual(
      new Map([
        ["The shed", "opening"],
        ["closed", "closed"],
      ]),
    );
    expect(channels.channels(ORIGIN).map((channel) => channel.getChannelId())).toEqual(["room"]);
    expect(channels.channels("https://other.example")).toEqual([]);
    expect(await channels.channel(KEY)?.history()).toEqual([]);
  });

  test("keep pages attached, and refuse whatever would read or write content", async () => {
    const { channels } = await locked();
    const params = { ...KEY, contentTopic: TOPIC, encryption: "none" as const };
    expect(await channels.attach(params)).toMatchObject({ ok: true });
    expect(await channels.attach({ ...params, contentTopic: "/test/1/x/proto" })).toMatchObject({
      error: { kind: "mismatch" },
    });
    const refusals = [channels.send(), channels.createReliableChannel(), channels.channel(KEY)?.retry()];
    for (const refused of refusals) expect(await refused).toMatchObject({ ok: false, error: { kind: "locked" } });
  });

  test("lose nothing: once unlocked, everything is there", async () => {
    const { alice, network } = await locked();
    await alice.restart();
    await network.settle();
    expect((await alice.log()).map(({ type }) => type)).toEqual(["reliable:message:sent"]);
    expect(await alice.manager.closeChannel(KEY, "page")).toEqual(ok(undefined));
  });
});

describe("while the vault is locked", () => {
  const SECRET = { ...KEY, contentTopic: TOPIC, encryption: "key", keyId: "red" } as const;
  const PLAIN = { ...SECRET, channelId: "plain", encryption: "none" } as const;
  const ELSEWHERE = "/test/1/plain/proto";

  let network: FakeNetwork;

  beforeEach(() => {
    network = new FakeNetwork(new VirtualClock());
  });

  async function member(name: string, ...channels: readonly ChannelParams[]): Promise<Peer> {
    const cipher = new AwayCipher();
    const peer = await Peer.start(name, network, { cipherFor: (mode) => (mode === "none" ? none : cipher) });
    for (const params of channels) {
      expect(await peer.manager.createReliableChannel({ ...params, senderId: name })).toMatchObject({ ok: true });
    }
    await network.settle();
    return peer;
  }

  test("ciphertexts are parked, also those that no store keeps; unlocked, they are there, in order", async () => {
    const [alice, bob] = [await member("alice", SECRET), await member("bob", SECRET)];
    const channels = await bob.lock();
    await alice.send("one");
    await alice.send("typing", "room", true);
    await alice.send("two");
    await network.settle();
    expect(bob.storage.count("parked")).toBe(3);
    expect(await channels.channel(KEY)?.history()).toEqual([]);
    await bob.restart();
    await network.settle();
    expect(await bob.received()).toEqual(["one", "typing", "two"]);
    expect(bob.storage.count("parked")).toBe(0);
  });

  test("where storage is full, ciphertexts are left to the stores", async () => {
    const room = new FakeRoom();
    const alice = await member("alice", SECRET);
    const bob = await Peer.start("bob", network, { room, cipherFor: () => new AwayCipher() });
    await bob.manager.createReliableChannel({ ...SECRET, senderId: "bob" });
    await network.settle();
    await bob.lock();
    room.fill();
    await alice.send("one");
    await network.settle();
    expect(bob.storage.count("parked")).toBe(0);
    room.clear();
    await bob.restart();
    await network.settle();
    expect(await bob.received()).toEqual(["one"]);
  });

  test("plain text is left to the stores: it is written down once it can be sealed", async () => {
    const plain = { ...PLAIN, contentTopic: ELSEWHERE };
    const [alice, bob] = [await member("alice", plain), await member("bob", plain)];
    await bob.lock();
    await alice.send("in plain words", "plain");
    await network.settle();
    expect(bob.messaging.subscriptions).toEqual([]);
    expect(bob.storage.count("parked")).toBe(0);
    await bob.restart();
    await network.settle();
    expect(await bob.received("plain")).toEqual(["in plain words"]);
  });

  test("so is a topic that an encrypted channel shares with an unencrypted one: neither loses anything", async () => {
    const [alice, bob] = [await member("alice", SECRET, PLAIN), await member("bob", SECRET, PLAIN)];
    await bob.lock();
    await alice.send("secret");
    await alice.send("in plain words", "plain");
    await network.settle();
    expect(bob.messaging.subscriptions).toEqual([]);
    expect(bob.storage.count("parked")).toBe(0);
    await bob.restart();
    await network.settle();
    expect(await bob.received()).toEqual(["secret"]);
    expect(await bob.received("plain")).toEqual(["in plain words"]);
  });

  test("also where the unencrypted one is closed: its peers go on writing", async () => {
    const [alice, bob] = [await member("alice", SECRET, PLAIN), await member("bob", SECRET, PLAIN)];
    await bob.manager.closeChannel(PLAIN, "page");
    await bob.lock();
    await alice.send("in plain words", "plain");
    await network.settle();
    expect(bob.messaging.subscriptions).toEqual([]);
    expect(bob.storage.count("parked")).toBe(0);
  });

  test("a message of a topic with several channels is handled once each of them has it", async () => {
    const other = { ...SECRET, origin: "https://other.example" };
    const [alice, bob] = [await member("alice", SECRET), await member("bob", SECRET, other)];
    await bob.lock();
    await alice.send("for both");
    await network.settle();
    expect(bob.storage.count("parked")).toBe(2);
    await bob.restart();
    await network.settle();
    expect(await bob.received()).toEqual(["for both"]);
    expect(await bob.manager.channel(other)?.history(0, 9)).toHaveLength(1);
  });

  test("a closed channel parks nothing, and neither does one of another marker", async () => {
    const [alice, bob] = [await member("alice", SECRET), await member("bob", SECRET)];
    await alice.send("before");
    await network.settle();
    const [message] = network.stored;
    if (message === undefined) throw new Error("nothing was sent");
    await bob.lock();
    const foreign = { ...message, meta: utf8("another layer"), messageHash: "aa".repeat(32) };
    expect(await bob.messaging.tell({ type: "received", message: foreign })).toBe(true);
    await bob.restart();
    await bob.manager.closeChannel(KEY, "page");
    await bob.lock();
    expect(bob.messaging.subscriptions).toEqual([]);
    expect(await bob.messaging.tell({ type: "received", message: { ...foreign, meta: message.meta } })).toBe(true);
    expect(bob.storage.count("parked")).toBe(0);
  });

  test("what was accepted before waits, and what became of it is told to the one that follows", async () => {
    const [alice, bob] = [await member("alice", SECRET), await member("bob", SECRET)];
    alice.messaging.automatic = false;
    const requestId = await alice.send("under way");
    await network.settle();
    await alice.lock();
    await network.settle();
    expect(await alice.messaging.tell({ type: "sent", requestId: "messaging-1", messageHash: "00" })).toBe(false);
    expect(await bob.received()).toEqual([]);
    await alice.restart();
    await network.settle();
    expect(await bob.received()).toEqual(["under way"]);
    expect(await alice.outcomes(requestId)).toEqual(["sent"]);
  });

  test("pages and popup hear how the network is", async () => {
    const bob = await member("bob", SECRET);
    const channels = await bob.lock();
    const told: ChannelNotice[] = [];
    const end = channels.listen((_channel, notice) => told.push(notice));
    const health = vi.fn();
    channels.onHealth(health);
    for (let i = 0; i < 2; i++) await bob.messaging.tell({ type: "health" });
    const status = { state: "opening", health: "SUFFICIENTLY_HEALTHY", pending: 0 };
    expect(told).toEqual([{ type: "status", status }]);
    expect(health).toHaveBeenCalledTimes(2);
    end();
    await bob.messaging.unsubscribe(TOPIC);
    await bob.messaging.tell({ type: "health" });
    expect(told).toHaveLength(1);
  });
});
