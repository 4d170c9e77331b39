/** One profile per channel: peers of the same one understand each other, and others are counted. */
import { beforeEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import type { Profile } from "../../../src/channel/types.ts";
import { utf8 } from "../../../src/common/bytes.ts";
import { err, ok } from "../../../src/common/result.ts";
import type { Cipher } from "../../../src/encryption/cipher.ts";
import { LIMITS } from "../../../src/limits.ts";
import { lip109Layout } from "../../../src/sds/lip109-layout.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { passTime } from "../../support/passing-time.ts";
import { ORIGIN, Peer, TOPIC } from "../../support/peer.ts";

const SECOND = 1000;
const NOTHING = { otherMarker: 0, undecryptable: 0, otherLayout: 0, unreadable: 0, otherChannel: 0 };

let clock: VirtualClock;
let network: FakeNetwork;

beforeEach(() => {
  clock = new VirtualClock();
  network = new FakeNetwork(clock);
});

const pass = (ms: number) => passTime(clock, () => network.settle(), ms);

async function member(name: string, profile: Profile, cipher?: Cipher): Promise<Peer> {
  const peer = await Peer.start(name, network, { profile, ...(cipher === undefined ? {} : { cipher }) });
  await peer.open();
  await network.settle();
  return peer;
}

describe.each(["logos", "logos-raw", "waku-sdk"] as const)("%s", (profile) => {
  test("messages arrive in order and are acknowledged, both ways", async () => {
    const alice = await member("alice", profile);
    const bob = await member("bob", profile);
    const ids = [await alice.send("one"), await alice.send("two")];
    await pass(5 * SECOND);
    const reply = await bob.send("three");
    await pass(5 * SECOND);
    expect(await bob.received()).toEqual(["one", "two"]);
    expect(await alice.received()).toEqual(["three"]);
    for (const id of ids) expect(await alice.outcomes(id)).toEqual(["sent", "delivered"]);
    expect(await bob.outcomes(reply)).toEqual(["sent", "delivered"]);
    expect([alice.channel().diagnostics(), bob.channel().diagnostics()]).toEqual([NOTHING, NOTHING]);
    expect(alice.channel().summary().profile).toBe(profile);
  });

  test("an ephemeral message arrives, and is not waited for", async () => {
    const alice = await member("alice", profile);
    const bob = await member("bob", profile);
    const id = await alice.send("typing", "room", true);
    await pass(SECOND);
    expect(await bob.received()).toEqual(["typing"]);
    expect(await alice.outcomes(id)).toEqual(["sent"]);
    await alice.send("typed");
    await pass(5 * SECOND);
    expect(await bob.received()).toEqual(["typing", "typed"]);
  });

  test("the channel keeps its profile over a restart, and attaching with another one is a mismatch", async () => {
    const alice = await member("alice", profile);
    await alice.restart();
    const other = profile === "logos" ? "waku-sdk" : "logos";
    const params = { origin: ORIGIN, channelId: "room", contentTopic: TOPIC, encryption: "none" } as const;
    expect(await alice.manager.attach({ ...params, profile })).toMatchObject({ ok: true });
    const attached = await alice.manager.attach({ ...params, profile: other });
    expect(attached).toEqual(err({ kind: "mismatch", message: "channel room exists with another profile" }));
  });
});

describe("waku-sdk on the wire", () => {
  test("no marker, the content as it is, Lamport time in milliseconds, and a filter of 18,752 bytes", async () => {
    const alice = await member("alice", "waku-sdk");
    await alice.send("hello");
    await network.settle();
    const [message] = network.stored;
    expect(message?.meta).toEqual(new Uint8Array());
    const decoded = lip109Layout.decode(message?.payload ?? new Uint8Array());
    expect(decoded).toMatchObject({
      ok: true,
      value: { senderId: "alice", channelId: "room", content: utf8("hello"), lamportTimestamp: BigInt(clock.now()) },
    });
    expect(decoded.ok && decoded.value.bloomFilter.length).toBe(18_752);
  });

  test("an ephemeral message carries no Lamport timestamp, no history and no filter", async () => {
    const alice = await member("alice", "waku-sdk");
    await alice.send("hello");
    await alice.send("typing", "room", true);
    await network.settle();
    const sent = alice.messaging.sent.find(({ ephemeral }) => ephemeral);
    expect(lip109Layout.decode(sent?.payload ?? new Uint8Array())).toMatchObject({
      ok: true,
      value: { lamportTimestamp: undefined, causalHistory: [], bloomFilter: new Uint8Array(), content: utf8("typing") },
    });
  });

  test("a payload beyond what a message without segments carries is refused with the limit", async () => {
    const alice = await member("alice", "waku-sdk");
    const limit = LIMITS.segmentation.rawBytes;
    const key = { origin: ORIGIN, channelId: "room" };
    expect((await alice.manager.send(key, new Uint8Array(limit))).ok).toBe(true);
    expect(await alice.manager.send(key, new Uint8Array(limit + 1))).toMatchObject({
      ok: false,
      error: { kind: "payload-too-large", limit },
    });
  });
});

describe("diagnostics", () => {
  const noKeyFits: Cipher = {
    encrypt: async (plaintext) => ok(plaintext),
    decrypt: async () => err("no key fits"),
  };

  test("O4 with the wrong key nothing is read, and every message is counted once", async () => {
    const alice = await member("alice", "logos");
    const bob = await member("bob", "logos", noKeyFits);
    await alice.send("one");
    await pass(SECOND);
    expect(await bob.log()).toEqual([]);
    expect(await bob.storage.scan("sdsSeen", [])).toEqual([]);
    const { undecryptable } = bob.channel().diagnostics();
    expect(undecryptable).toBe(network.stored.length);
    const [message] = network.stored;
    if (message === undefined) throw new Error("nothing was sent");
    await bob.messaging.tell({ type: "received", message });
    expect(bob.channel().diagnostics()).toEqual({ ...NOTHING, undecryptable });
  });

  test("O4 a channel id and topic that others use with another key: neither hears the other", async () => {
    const keyed = (key: number): Cipher => ({
      encrypt: async (plaintext) => ok(new Uint8Array([key, ...plaintext])),
      decrypt: async (bytes) => (bytes[0] === key ? ok(bytes.slice(1)) : err("no key fits")),
    });
    const alice = await member("alice", "logos", keyed(1));
    const bob = await member("bob", "logos", keyed(1));
    const mallory = await member("mallory", "logos", keyed(2));
    const id = await alice.send("ours");
    await mallory.send("theirs");
    await pass(5 * SECOND);
    expect(await bob.received()).toEqual(["ours"]);
    expect(await mallory.received()).toEqual([]);
    expect(await alice.outcomes(id)).toEqual(["sent", "delivered"]);
    expect(bob.channel().diagnostics().undecryptable).toBeGreaterThan(0);
    expect(mallory.channel().diagnostics().undecryptable).toBeGreaterThan(0);
    expect(bob.channel().summary().members).toBe(1);
  });

  test("messages of another profile, of another channel, and of no kind are told apart", async () => {
    const bob = await member("bob", "logos-raw");
    const stranger = await Peer.start("stranger", network, { profile: "waku-sdk" });
    await stranger.open();
    await network.settle();
    await stranger.send("from @waku/sdk");
    await pass(SECOND);
    expect(bob.channel().diagnostics()).toEqual({ ...NOTHING, otherMarker: network.stored.length });
    const [unmarked] = network.stored;
    if (unmarked === undefined) throw new Error("nothing was sent");

    const other = await Peer.start("other", network, { profile: "logos-raw" });
    await other.open("another room");
    await network.settle();
    await other.send("elsewhere", "another room");
    await network.settle();
    const marked = network.stored.at(-1);
    if (marked === undefined) throw new Error("nothing was sent");
    const before = bob.channel().diagnostics();
    expect(before.otherChannel).toBe(1);
    await network.inject({ ...marked, payload: unmarked.payload, messageHash: "01".repeat(32) });
    await network.inject({ ...marked, payload: utf8("?"), messageHash: "02".repeat(32) });
    expect(bob.channel().diagnostics()).toEqual({ ...before, otherLayout: 1, unreadable: 1 });
    expect(await bob.log()).toEqual([]);
  });

  test("what another open channel of the topic reads is nothing strange", async () => {
    const bob = await member("bob", "logos");
    await bob.open("second");
    const alice = await member("alice", "logos");
    await alice.send("to the first");
    await pass(SECOND);
    expect(bob.channel("second").diagnostics()).toEqual(NOTHING);
  });

  test("a flood is counted in bounded memory", async () => {
    const bob = await member("bob", "logos");
    const flood = (index: number) => ({
      contentTopic: TOPIC,
      payload: utf8("?"),
      meta: utf8("RELIABLE-CHANNEL-API/1"),
      ephemeral: false,
      timestamp: clock.now(),
      messageHash: index.toString(16).padStart(64, "0"),
    });
    const count = LIMITS.diagnosticHashes + 10;
    for (let i = 0; i < count; i++) await bob.messaging.tell({ type: "received", message: flood(i) });
    for (let i = count - 10; i < count; i++) await bob.messaging.tell({ type: "received", message: flood(i) });
    expect(bob.channel().diagnostics()).toEqual({ ...NOTHING, unreadable: count });
  });
});
