/** A channel that the person prepared before its site asked for it, and the site that takes it up. */
import { beforeEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import type { ChannelParams } from "../../../src/channel/types.ts";
import { utf8 } from "../../../src/common/bytes.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { passTime } from "../../support/passing-time.ts";
import { ORIGIN, Peer, TOPIC } from "../../support/peer.ts";

const SECOND = 1000;
const KEY = { origin: ORIGIN, channelId: "room" };
const PLAIN = { ...KEY, contentTopic: TOPIC, encryption: "none" } as const;
const NAMED: ChannelParams = { ...PLAIN, senderId: "named by the site" };

let clock: VirtualClock;
let network: FakeNetwork;

beforeEach(() => {
  clock = new VirtualClock();
  network = new FakeNetwork(clock);
});

const pass = (ms: number) => passTime(clock, () => network.settle(), ms);

async function prepared(): Promise<Peer> {
  const alice = await Peer.start("alice", network);
  expect(await alice.manager.createReliableChannel({ ...PLAIN, prepared: true })).toMatchObject({ ok: true });
  await network.settle();
  return alice;
}

/** Who sent what is on the wire and has content. */
const senders = (): string[] =>
  network.stored.flatMap(({ payload }) => {
    const decoded = nimLayout.decode(payload);
    return decoded.ok && decoded.value.content.length > 0 ? [decoded.value.senderId] : [];
  });

/** Takes the channel up with the sender id that the site names. */
const attach = async (alice: Peer) => {
  expect(await alice.manager.attach(NAMED)).toMatchObject({ ok: true });
  expect(alice.channel().getSenderId()).toBe(NAMED.senderId);
};

describe("a prepared channel", () => {
  test("takes the sender id that its site names, and sends under it", async () => {
    const alice = await prepared();
    const bob = await Peer.start("bob", network);
    await bob.open();
    // What it hears and answers before is no reason to refuse: others see a member that says nothing more.
    await bob.send("anybody there?");
    await pass(5 * SECOND);
    expect(await alice.received()).toEqual(["anybody there?"]);

    await attach(alice);
    expect(alice.channel().summary()).toMatchObject({ senderId: NAMED.senderId });
    const requestId = await alice.send("I am");
    await pass(5 * SECOND);
    expect(await bob.received()).toEqual(["I am"]);
    expect(await alice.outcomes(requestId)).toEqual(["sent", "delivered"]);
    expect(await alice.received()).toEqual(["anybody there?"]);
    expect(senders()).toEqual(["bob", NAMED.senderId]);
  });

  test("keeps it over a restart, also where it sends only after", async () => {
    const alice = await prepared();
    await alice.restart();
    await attach(alice);
    await alice.restart();
    expect(alice.channel().getSenderId()).toBe(NAMED.senderId);
    await alice.send("hello");
    await pass(SECOND);
    expect(senders()).toEqual([NAMED.senderId]);
  });

  test("is taken up once: the second sender id is a mismatch", async () => {
    const alice = await prepared();
    const [first, second] = await Promise.all([
      alice.manager.attach(NAMED),
      alice.manager.attach({ ...PLAIN, senderId: "another" }),
    ]);
    expect(first).toMatchObject({ ok: true });
    expect(second).toMatchObject({ error: { message: "channel room exists with another senderId" } });
    await alice.restart();
    expect(await alice.manager.attach({ ...PLAIN, senderId: "another" })).toMatchObject({ ok: false });
    expect(await alice.manager.attach(NAMED)).toMatchObject({ ok: true });
  });

  test("that its site takes up without a sender id keeps its own", async () => {
    const alice = await prepared();
    const own = alice.channel().getSenderId();
    expect(await alice.manager.attach(PLAIN)).toMatchObject({ ok: true });
    expect(await alice.manager.attach(NAMED)).toMatchObject({ error: { kind: "mismatch" } });
    expect(alice.channel().getSenderId()).toBe(own);
  });

  test("that has sent a message keeps the sender id under which others know it", async () => {
    const alice = await prepared();
    const own = alice.channel().getSenderId();
    await alice.manager.send(KEY, utf8("said already"));
    expect(await alice.manager.attach(NAMED)).toMatchObject({
      error: { kind: "mismatch", message: "channel room exists with another senderId" },
    });
    expect(alice.channel().getSenderId()).toBe(own);
  });

  test("is still a mismatch where anything else differs, and is then not taken up", async () => {
    const alice = await prepared();
    const own = alice.channel().getSenderId();
    expect(await alice.manager.attach({ ...NAMED, contentTopic: "/test/1/elsewhere/proto" })).toMatchObject({
      error: { message: "channel room exists with another contentTopic" },
    });
    expect(await alice.manager.attach({ ...NAMED, placement: "content" })).toMatchObject({
      error: { message: "channel room exists with another placement" },
    });
    expect(await alice.manager.attach({ ...NAMED, senderId: "" })).toMatchObject({ error: { kind: "invalid" } });
    expect(alice.channel().getSenderId()).toBe(own);
    await attach(alice);
  });

  test("that was closed meanwhile is taken up by the site that opens it", async () => {
    const alice = await prepared();
    await alice.manager.closeChannel(KEY, "user");
    await alice.restart();
    expect(await alice.manager.createReliableChannel(NAMED)).toMatchObject({ ok: true });
    await alice.send("hello");
    await pass(SECOND);
    expect(senders()).toEqual([NAMED.senderId]);
  });

  test("that the person closes and opens again is still for its site to take up", async () => {
    const alice = await prepared();
    const [summary] = alice.manager.summaries();
    if (summary === undefined) throw new Error("no channel");
    await alice.manager.closeChannel(KEY, "user");
    expect(await alice.manager.createReliableChannel({ ...summary, prepared: true })).toMatchObject({ ok: true });
    await attach(alice);
  });

  test("a channel that a site made is not prepared by being opened again by the person", async () => {
    const alice = await Peer.start("alice", network);
    await alice.open();
    await alice.manager.closeChannel(KEY, "user");
    await alice.manager.createReliableChannel({ ...PLAIN, prepared: true });
    expect(await alice.manager.attach(NAMED)).toMatchObject({ error: { kind: "mismatch" } });
    expect(alice.channel().getSenderId()).toBe("alice");
  });

  test("whose taking up did not become durable was not taken up", async () => {
    const alice = await prepared();
    const own = alice.channel().getSenderId();
    alice.storage.beforeCommit = () => {
      throw new Error("disk full");
    };
    await expect(alice.manager.attach(NAMED)).rejects.toThrow("disk full");
    alice.storage.beforeCommit = () => {};
    await alice.restart();
    expect(alice.channel().getSenderId()).toBe(own);
    await attach(alice);
  });
});

describe("a prepared channel of a locked vault", () => {
  test("takes the sender id that its site names, and has it once unlocked", async () => {
    const alice = await prepared();
    const channels = await alice.lock();
    expect(await channels.attach(NAMED)).toMatchObject({ ok: true });
    expect(channels.channel(KEY)?.getSenderId()).toBe(NAMED.senderId);
    expect(await channels.attach({ ...NAMED, senderId: "another" })).toMatchObject({ error: { kind: "mismatch" } });
    await alice.restart();
    expect(alice.channel().getSenderId()).toBe(NAMED.senderId);
    await alice.send("hello");
    await pass(SECOND);
    expect(senders()).toEqual([NAMED.senderId]);
  });

  test("that was taken up without a sender id keeps its own", async () => {
    const alice = await prepared();
    const own = alice.channel().getSenderId();
    const channels = await alice.lock();
    expect(await channels.attach(PLAIN)).toMatchObject({ ok: true });
    expect(await channels.attach(NAMED)).toMatchObject({ error: { kind: "mismatch" } });
    expect(channels.channel(KEY)?.getSenderId()).toBe(own);
  });
});
