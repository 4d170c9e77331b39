/**
 * What happens between two members of a channel, one of whom is killed at some boundary. A scenario is written as if
 * nothing ever crashed: whatever the mortal member is asked to do, it is asked again until it answered.
 *
 * Each throws unless it ends as it must: the peer logged the exact message once, the page heard each event under one
 * cursor, and the invariants hold.
 */
import { expect } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import type { ReceivedMessage } from "../../../src/channel/ports.ts";
import { type Bytes, utf8 } from "../../../src/common/bytes.ts";
import type { Cipher } from "../../../src/encryption/cipher.ts";
import { LIMITS } from "../../../src/limits.ts";
import { AwayCipher } from "../../support/away-cipher.ts";
import type { CrashScenario } from "../../support/crash-enumerator.ts";
import type { CrashPoints } from "../../support/crash-points.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { FakeRoom } from "../../support/fake-room.ts";
import { assertInvariants, type MemberRecord, type Sent } from "../../support/invariants.ts";
import { MortalPeer, type World } from "../../support/mortal-peer.ts";
import { ORIGIN, Peer, TOPIC } from "../../support/peer.ts";

const SECOND = 1000;
/** Three segments where one has 256 bytes. */
const THREE_SEGMENTS: Bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 31 + 7) & 0xff);

/** A message on the topic that is of another application. */
const STRAY: ReceivedMessage = {
  contentTopic: TOPIC,
  payload: utf8("nothing of ours"),
  meta: utf8("another marker"),
  ephemeral: false,
  timestamp: 0,
  messageHash: "5".repeat(64),
};

async function threeSegmentSend(points: CrashPoints): Promise<void> {
  const world = worldOf(points);
  const bob = await immortal("bob", world);
  const alice = new MortalPeer("alice", world);
  await alice.open();
  const requestId = await alice.send(THREE_SEGMENTS, "once");
  await alice.pass(5 * SECOND);
  await alice.acknowledge();
  await alice.settle();

  expect(alice.mailbox.tasks).toHaveLength(3);
  expect(typesOf(await alice.log())).toEqual(["sent", "delivered"]);
  expect(alice.channel.request(requestId)).toMatchObject({ state: "delivered", segments: { total: 3, confirmed: 3 } });
  expect(await alice.act(async () => alice.channel.status())).toMatchObject({ state: "open", pending: 0 });
  await assertEnd(alice, bob);
}

/** The budget admits two segments an epoch, so the third waits for the next one, whoever dies meanwhile. */
async function sendAcrossEpochs(points: CrashPoints): Promise<void> {
  const world = worldOf(points);
  const bob = await immortal("bob", world);
  const alice = new MortalPeer("alice", world, {
    rateLimit: { enabled: true, epochSeconds: 60, messagesPerEpoch: 2 },
  });
  await alice.open();
  await alice.send(THREE_SEGMENTS, "once");
  await alice.pass(SECOND);
  expect(alice.mailbox.tasks).toHaveLength(2);
  await alice.pass(65 * SECOND);

  expect(alice.mailbox.tasks.length).toBeLessThanOrEqual(4);
  expect(typesOf(await alice.log())).toEqual(["sent", "delivered"]);
  await assertEnd(alice, bob);
}

/** The second segment comes last. */
async function receiveOutOfOrder(points: CrashPoints): Promise<void> {
  const world = worldOf(points);
  const alice = await immortal("alice", world);
  alice.messaging.automatic = false;
  const requestId = await alice.send(THREE_SEGMENTS);
  await world.network.settle();
  const bob = new MortalPeer("bob", world);
  await bob.open();
  await bob.settle();
  for (const index of [0, 2, 1]) {
    const message = alice.mailbox.tasks[index]?.message;
    if (message === undefined) throw new Error(`alice sent no segment ${index}`);
    await alice.messaging.propagate(index);
    await alice.messaging.confirm(index);
    world.network.stored.push(message);
    bob.messaging.push(message);
    await bob.settle();
  }
  alice.messaging.automatic = true;
  await bob.pass(5 * SECOND);
  await bob.acknowledge();
  await bob.settle();

  expect(typesOf(await bob.log())).toEqual(["received"]);
  expect(await alice.outcomes(requestId)).toEqual(["sent", "delivered"]);
  expect(await bob.storage.scan("segments", [])).toEqual([]);
  await assertEnd(bob, alice, [{ requestId, payload: THREE_SEGMENTS }]);
}

/** The network forgets the first transmission, and the second too, before the peer is there. */
async function retransmission(points: CrashPoints): Promise<void> {
  const world = worldOf(points);
  const alice = new MortalPeer("alice", world);
  await alice.open();
  await alice.send(utf8("again"), "once");
  await alice.settle();
  for (const seconds of [1, 8]) {
    world.network.stored.length = 0;
    await alice.pass(seconds * SECOND);
  }
  world.network.stored.length = 0;
  const bob = await immortal("bob", world);
  expect(await bob.log()).toEqual([]);
  await alice.pass(15 * SECOND);

  expect(typesOf(await alice.log())).toEqual(["sent", "delivered"]);
  expect(alice.mailbox.tasks).toHaveLength(3);
  await assertEnd(alice, bob);
}

/** One segment of three is refused; later the person sends it again, after the connection was away. */
async function failureAndRetry(points: CrashPoints): Promise<void> {
  const world = worldOf(points);
  const bob = await immortal("bob", world);
  const alice = new MortalPeer("alice", world);
  alice.mailbox.refusal = (index) => (index === 1 ? "420: not today" : undefined);
  await alice.open();
  const requestId = await alice.send(THREE_SEGMENTS, "once");
  await alice.pass(5 * SECOND);
  expect(typesOf(await alice.log())).toEqual(["send-error"]);
  expect(alice.channel.request(requestId)).toMatchObject({
    state: "send-error",
    segments: { confirmed: 2, failed: 1 },
  });
  expect(await bob.log()).toEqual([]);
  await alice.stop();
  await alice.act(() => alice.messaging.tell({ type: "health" }));
  await alice.retry(requestId);
  await alice.pass(5 * SECOND);

  expect(alice.mailbox.tasks).toHaveLength(4);
  expect(typesOf(await alice.log())).toEqual(["send-error", "delivered"]);
  await assertEnd(alice, bob);
}

/** What was accepted before closing is still sent; what became of it is read when the channel is opened again. */
async function senderCloses(points: CrashPoints): Promise<void> {
  const world = worldOf(points);
  const bob = await immortal("bob", world);
  const alice = new MortalPeer("alice", world);
  await alice.open();
  await alice.send(THREE_SEGMENTS, "once");
  await alice.close();
  alice.heardNotices.length = 0;
  await alice.pass(60 * SECOND);
  expect(alice.heardNotices).toEqual([]);
  // Nobody would hear an answer: nothing is sent again, and no sync is sent.
  expect(alice.mailbox.tasks).toHaveLength(3);
  expect([...alice.mailbox.topics]).toEqual([]);
  expect(alice.manager.channels()).toEqual([]);
  expect(await bob.log()).toHaveLength(1);
  await alice.open();
  await alice.pass(15 * SECOND);

  expect([...alice.mailbox.topics]).toHaveLength(1);
  expect(typesOf(await alice.log())).toEqual(["sent", "delivered"]);
  await assertEnd(alice, bob);
}

/** What was sent meanwhile arrives when the channel is opened again. */
async function receiverCloses(points: CrashPoints): Promise<void> {
  const world = worldOf(points);
  const alice = await immortal("alice", world);
  const bob = new MortalPeer("bob", world);
  await bob.open();
  const payloads = ["before", "while closed", "after"].map(utf8);
  const sent: Sent[] = [];
  const send = async (payload: Bytes | undefined) => {
    if (payload === undefined) throw new Error("nothing to send");
    sent.push({ requestId: await alice.send(payload), payload });
    await bob.pass(4 * SECOND);
  };
  await send(payloads[0]);
  await bob.close();
  await bob.settle();
  expect([...bob.mailbox.topics]).toEqual([]);
  bob.heardNotices.length = 0;
  await send(payloads[1]);
  expect(bob.heardNotices).toEqual([]);
  await bob.open();
  await send(payloads[2]);
  await bob.pass(30 * SECOND);

  expect(typesOf(await bob.log())).toEqual(["received", "received", "received"]);
  await assertEnd(bob, alice, sent);
}

/** Both write at once, and each names in its reply what it answers. */
async function conversation(points: CrashPoints): Promise<void> {
  const world = worldOf(points);
  const bob = await immortal("bob", world);
  const alice = new MortalPeer("alice", world);
  await alice.open();
  const sent: Sent[] = [];
  for (const text of ["one", "two"]) {
    const payload = utf8(`${text} of bob`);
    const [requestId] = await Promise.all([bob.send(payload), alice.send(utf8(`${text} of alice`), text)]);
    sent.push({ requestId, payload });
  }
  await alice.pass(6 * SECOND);
  await alice.acknowledge();

  expect(alice.channel.acknowledged()).toBe(6);
  expect(typesOf(await alice.log()).sort()).toEqual(["delivered", "delivered", "received", "received", "sent", "sent"]);
  await assertEnd(alice, bob, sent);
}

/** It hears and acknowledges before its page takes it up; from then on it is the page's name that others know. */
async function takingUp(points: CrashPoints): Promise<void> {
  const world = worldOf(points);
  const bob = await immortal("bob", world);
  const alice = new MortalPeer("alice", world);
  // What nobody on the topic can read is told too, and does no harm.
  world.network.stored.push(STRAY);
  await alice.prepare();
  const payload = utf8("before anybody asked");
  const requestId = await bob.send(payload);
  await alice.pass(4 * SECOND);
  await alice.takeUp();
  expect(alice.channel.getSenderId()).toBe("alice");
  await alice.send(utf8("here I am"), "once");
  await alice.pass(6 * SECOND);
  await alice.acknowledge();

  expect(typesOf(await alice.log())).toEqual(["received", "sent", "delivered"]);
  expect(typesOf(await bob.log())).toEqual(["sent", "delivered", "received"]);
  expect((await bob.log()).at(-1)).toMatchObject({ senderId: "alice" });
  await assertEnd(alice, bob, [{ requestId, payload }]);
}

/** More comes than the log may hold while no page handles anything; then one does. */
async function fullLog(points: CrashPoints): Promise<void> {
  const world = worldOf(points);
  const alice = await immortal("alice", world);
  const bob = new MortalPeer("bob", world);
  await bob.open();
  const last = LIMITS.eventLog.events + 2;
  const requestIds: string[] = [];
  for (let i = 1; i <= last; i++) {
    requestIds.push(await alice.send(`message ${i}`));
    await bob.settle();
    await alice.channel().acknowledge((await alice.log()).at(-1)?.seq ?? 0);
  }
  const summary = () => bob.act(async () => bob.channel.summary());
  expect(await summary()).toMatchObject({ paused: "log-full", status: { health: "NOT_SUBSCRIBED" } });
  expect(await bob.log()).toHaveLength(LIMITS.eventLog.events);
  await bob.acknowledge();
  await bob.pass(15 * SECOND);
  await bob.acknowledge();
  await bob.settle();

  expect((await summary()).paused).toBeUndefined();
  expect(bob.channel.acknowledged()).toBe(last);
  expect((await bob.log()).length).toBeLessThanOrEqual(LIMITS.eventLog.events);
  // Each under one cursor, in the order sent.
  expect([...bob.heard.values()].map((cursors) => [...cursors])).toEqual(requestIds.map((_, i) => [i + 1]));
  for (const requestId of requestIds) expect(alice.channel().request(requestId)).toMatchObject({ state: "delivered" });
}

/** While storage is full the receiver takes in nothing and sends nothing new; then it does both. */
async function noRoom(points: CrashPoints): Promise<void> {
  const world = worldOf(points);
  const alice = await immortal("alice", world);
  const room = new FakeRoom();
  const bob = new MortalPeer("bob", world, { room });
  await bob.open();
  await bob.send(utf8("before"), "before");
  room.fill();
  const payload = utf8("meanwhile");
  const sent = [{ requestId: await alice.send(payload), payload }];
  await bob.pass(5 * SECOND);
  expect(typesOf(await bob.log())).toEqual(["sent"]);
  expect(await bob.act(async () => bob.channel.summary())).toMatchObject({ paused: "storage-full" });
  await expect(bob.send(utf8("too much"), "too much")).rejects.toThrow("storage is full");
  room.clear();
  await bob.pass(15 * SECOND);
  await bob.send(utf8("after"), "after");
  await bob.pass(5 * SECOND);

  expect(typesOf(await bob.log()).sort()).toEqual(["delivered", "delivered", "received", "sent", "sent"]);
  expect(await bob.act(async () => bob.channel.summary())).not.toHaveProperty("paused");
  await assertEnd(bob, alice, sent);
}

/** What comes while the vault is locked is parked; in which transaction it then leaves, no crash may show. */
async function receiveWhileLocked(points: CrashPoints): Promise<void> {
  const world = worldOf(points);
  const alice = await immortal("alice", world);
  const bob = new MortalPeer("bob", world, { encryption: "key" });
  await bob.open();
  await bob.lock();
  await bob.settle();
  const sent: Sent[] = [];
  for (const payload of [utf8("one"), THREE_SEGMENTS]) {
    sent.push({ requestId: await alice.send(payload), payload });
    await bob.settle();
  }
  expect(bob.storage.count("parked")).toBe(4);
  expect(await bob.log()).toEqual([]);
  await bob.unlock();
  await bob.settle();
  const payload = utf8("after");
  sent.push({ requestId: await alice.send(payload), payload });
  await bob.pass(5 * SECOND);

  expect(typesOf(await bob.log())).toEqual(["received", "received", "received"]);
  expect(["parked", "parkedSizes"].map((table) => bob.storage.count(table))).toEqual([0, 0]);
  await assertEnd(bob, alice, sent);
}

/** The page that encrypts goes, and comes back: what came waits, and so does what was sent. */
async function cipherComesAndGoes(points: CrashPoints): Promise<void> {
  const world = worldOf(points);
  const alice = await immortal("alice", world, new AwayCipher());
  const cipher = new AwayCipher();
  const bob = new MortalPeer("bob", world, { encryption: "page", cipher });
  await bob.open();
  await bob.settle();
  cipher.away = true;
  await bob.act(async () => bob.manager.cipherAway({ origin: ORIGIN, channelId: "room" }));
  const payload = utf8("for bob");
  const sent = [{ requestId: await alice.send(payload), payload }];
  await bob.send(utf8("from bob"), "once");
  await bob.settle();
  expect(bob.mailbox.tasks).toEqual([]);
  expect(await bob.log()).toEqual([]);
  cipher.away = false;
  await bob.act(async () => bob.manager.cipherReady({ origin: ORIGIN, channelId: "room" }));
  await bob.pass(3 * SECOND);

  expect(typesOf(await bob.log()).sort()).toEqual(["delivered", "received", "sent"]);
  expect(bob.storage.count("parked")).toBe(0);
  await assertEnd(bob, alice, sent);
}

/** What a slow cipher is to decrypt is parked first, and leaves one by one. */
async function slowCipher(points: CrashPoints): Promise<void> {
  const world = worldOf(points);
  const alice = await immortal("alice", world, new AwayCipher());
  const cipher = Object.assign(new AwayCipher(), { slow: true });
  const bob = new MortalPeer("bob", world, { encryption: "page", cipher });
  await bob.open();
  await bob.settle();
  const payload = utf8("for bob");
  const sent = [{ requestId: await alice.send(payload), payload }];
  await bob.send(utf8("from bob"), "once");
  await bob.pass(5 * SECOND);

  expect(typesOf(await bob.log()).sort()).toEqual(["delivered", "received", "sent"]);
  expect(["parked", "parkedSizes"].map((table) => bob.storage.count(table))).toEqual([0, 0]);
  await assertEnd(bob, alice, sent);
}

export const SCENARIOS: readonly CrashScenario[] = [
  { name: "a three-segment send, the sender killed", run: threeSegmentSend },
  { name: "a three-segment send across two epochs, the sender killed", run: sendAcrossEpochs },
  { name: "a three-segment receive with one segment out of order, the receiver killed", run: receiveOutOfOrder },
  { name: "a retransmission, the sender killed", run: retransmission },
  { name: "a failed segment and a retry, the sender killed", run: failureAndRetry },
  { name: "a close and a new opening, the sender killed", run: senderCloses },
  { name: "a close and a new opening, the receiver killed", run: receiverCloses },
  { name: "a receive while the vault is locked, the receiver killed", run: receiveWhileLocked },
  { name: "a cipher that goes and comes back, its side killed", run: cipherComesAndGoes },
  { name: "a slow cipher, its side killed", run: slowCipher },
  { name: "a conversation in both directions, one side killed", run: conversation },
  { name: "a log that is full and is handled, the receiver killed", run: fullLog },
  { name: "storage that fills up and has room again, the receiver killed", run: noRoom },
  { name: "a prepared channel that its page takes up, the taker killed", run: takingUp },
];

function worldOf(points: CrashPoints): World {
  const clock = new VirtualClock();
  return { clock, network: new FakeNetwork(clock), points };
}

async function immortal(name: string, { network }: World, cipher?: Cipher): Promise<Peer> {
  const peer = await Peer.start(name, network, { seed: 2, ...(cipher === undefined ? {} : { cipher }) });
  await peer.open();
  await network.settle();
  return peer;
}

async function assertEnd(mortal: MortalPeer, other: Peer, sentByOther: readonly Sent[] = []): Promise<void> {
  await mortal.assertHeard();
  const others: MemberRecord = { senderId: other.name, sent: sentByOther, log: await other.log() };
  assertInvariants([await mortal.record(), others], { complete: true });
}

function typesOf(log: MemberRecord["log"]): string[] {
  return log.map(({ type }) => type.replace("reliable:message:", ""));
}
