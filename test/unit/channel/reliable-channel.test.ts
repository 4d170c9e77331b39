/** The channel layer on a virtual clock and a fake network: rows C and RC of the scenario catalogue. */
import { beforeEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import type { ReceivedMessage } from "../../../src/channel/ports.ts";
import { RELIABLE_CHANNEL_MARKER } from "../../../src/channel/wire-marker.ts";
import { utf8 } from "../../../src/common/bytes.ts";
import { err, ok } from "../../../src/common/result.ts";
import type { Cipher } from "../../../src/encryption/cipher.ts";
import { none } from "../../../src/encryption/none.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { passTime } from "../../support/passing-time.ts";
import { ORIGIN, Peer, TOPIC } from "../../support/peer.ts";

const SECOND = 1000;
const KEY = { origin: ORIGIN, channelId: "room" };

let clock: VirtualClock;
let network: FakeNetwork;

beforeEach(() => {
  clock = new VirtualClock();
  network = new FakeNetwork(clock);
});

const pass = (ms: number) => passTime(clock, () => network.settle(), ms);

async function pair(): Promise<{ alice: Peer; bob: Peer }> {
  const alice = await Peer.start("alice", network);
  const bob = await Peer.start("bob", network);
  await alice.open();
  await bob.open();
  await network.settle();
  return { alice, bob };
}

/** The Waku messages on the wire, decoded. */
function wire() {
  return network.stored.map(({ payload }) => {
    const decoded = nimLayout.decode(payload);
    if (!decoded.ok) throw new Error(decoded.error);
    return decoded.value;
  });
}

describe("lifecycle", () => {
  test("C01 a channel exists from its creation to its closing", async () => {
    const alice = await Peer.start("alice", network);
    expect(alice.manager.channelExists(KEY)).toBe(false);
    await alice.open();
    expect(alice.manager.channelExists(KEY)).toBe(true);
    expect(await alice.manager.closeChannel(KEY, "page")).toEqual(ok(undefined));
    expect(alice.manager.channelExists(KEY)).toBe(false);
  });

  test("C02 the topic is subscribed at creation, at start for a channel that exists, and not after closing", async () => {
    const alice = await Peer.start("alice", network);
    await alice.open();
    await network.settle();
    expect(alice.mailbox.topics).toEqual(new Set([TOPIC]));
    expect(alice.channel().status()).toEqual({ state: "open", health: "SUFFICIENTLY_HEALTHY", pending: 0 });
    await alice.restart();
    await network.settle();
    expect(alice.messaging.subscriptions).toEqual([TOPIC]);
    await alice.manager.closeChannel(KEY, "page");
    expect(alice.mailbox.topics).toEqual(new Set());
  });

  test("C03 a topic of two channels is unsubscribed after the last of them", async () => {
    const alice = await Peer.start("alice", network);
    await alice.open("one");
    await alice.open("two");
    await network.settle();
    await alice.manager.closeChannel({ origin: ORIGIN, channelId: "one" }, "page");
    expect(alice.mailbox.topics).toEqual(new Set([TOPIC]));
    await alice.manager.closeChannel({ origin: ORIGIN, channelId: "two" }, "page");
    expect(alice.mailbox.topics).toEqual(new Set());
  });

  test("C04 a closed channel tells nothing more", async () => {
    const { alice, bob } = await pair();
    await bob.manager.closeChannel(KEY, "page");
    bob.notices = [];
    await alice.send("hello");
    await pass(10 * SECOND);
    expect(bob.notices).toEqual([]);
  });

  test("C05 a channel that is closed while a message is being decrypted tells nothing of it", async () => {
    let decrypting = () => {};
    const held = new Promise<void>((resolve) => {
      decrypting = resolve;
    });
    const slow: Cipher = {
      encrypt: none.encrypt,
      async decrypt(ciphertext, context) {
        await held;
        return none.decrypt(ciphertext, context);
      },
    };
    const alice = await Peer.start("alice", network);
    const bob = await Peer.start("bob", network, { cipher: slow });
    await alice.open();
    const channel = await bob.open();
    await network.settle();
    await alice.send("too late");
    const settled = network.settle();
    await clock.settle();
    await bob.manager.closeChannel(KEY, "page");
    bob.notices = [];
    decrypting();
    await settled;
    expect(bob.notices).toEqual([]);
    expect(await channel.history(0, 10)).toEqual([]);
  });

  test("C06 sending on a closed channel says so", async () => {
    const { alice } = await pair();
    const channel = alice.channel();
    await alice.manager.closeChannel(KEY, "page");
    expect(await channel.send(utf8("late"))).toEqual(err({ kind: "closed", message: "channel is closed" }));
  });

  test("RC01 creating an open channel again is refused and leaves it alone", async () => {
    const { alice, bob } = await pair();
    const again = { ...KEY, contentTopic: TOPIC, encryption: "none" as const };
    expect(await alice.manager.createReliableChannel(again)).toEqual(
      err({ kind: "already-exists", message: "channel already exists: room" }),
    );
    await alice.send("still works");
    await network.settle();
    expect(await bob.received()).toEqual(["still works"]);
  });

  test("RC02 sending on an unknown channel says which", async () => {
    const { alice } = await pair();
    const sent = await alice.manager.send({ origin: ORIGIN, channelId: "nowhere" }, utf8("x"));
    expect(sent).toEqual(err({ kind: "unknown-channel", message: "unknown channel: nowhere" }));
    const foreign = await alice.manager.send({ origin: "https://other.example", channelId: "room" }, utf8("x"));
    expect(foreign).toMatchObject({ ok: false, error: { kind: "unknown-channel" } });
  });

  test("RC03 closing twice or closing what is unknown fails, and other channels are unaffected", async () => {
    const { alice, bob } = await pair();
    await alice.open("other", "/test/1/other/proto");
    expect(await alice.manager.closeChannel({ origin: ORIGIN, channelId: "other" }, "page")).toEqual(ok(undefined));
    for (const channelId of ["other", "nowhere"]) {
      expect(await alice.manager.closeChannel({ origin: ORIGIN, channelId }, "page")).toEqual(
        err({ kind: "unknown-channel", message: `unknown channel: ${channelId}` }),
      );
    }
    await alice.send("unaffected");
    await network.settle();
    expect(await bob.received()).toEqual(["unaffected"]);
  });

  test("RC04 an empty payload is refused; two sends have two ids; an ephemeral one is accepted", async () => {
    const { alice } = await pair();
    expect(await alice.manager.send(KEY, utf8(""))).toEqual(err({ kind: "empty-payload", message: "empty payload" }));
    const ids = [await alice.send("same"), await alice.send("same"), await alice.send("brief", "room", true)];
    expect(new Set(ids).size).toBe(3);
  });

  test("attaching with other parameters is a mismatch, and names them", async () => {
    const { alice } = await pair();
    const params = {
      ...KEY,
      contentTopic: "/test/1/elsewhere/proto",
      senderId: "mallory",
      encryption: "none" as const,
    };
    expect(await alice.manager.attach(params)).toMatchObject({
      ok: false,
      error: { kind: "mismatch", message: "channel room exists with another contentTopic, senderId" },
    });
    expect(await alice.manager.attach({ ...KEY, contentTopic: TOPIC, encryption: "none" })).toMatchObject({ ok: true });
  });
});

describe("ingress", () => {
  const envelope = (payload: Uint8Array<ArrayBuffer>, overrides: Partial<ReceivedMessage> = {}): ReceivedMessage => ({
    contentTopic: TOPIC,
    payload,
    meta: RELIABLE_CHANNEL_MARKER,
    ephemeral: false,
    timestamp: clock.now(),
    messageHash: Math.random().toString(16).slice(2).padEnd(64, "0"),
    ...overrides,
  });

  test("what nobody on the topic can read is told as it is counted: once for each message", async () => {
    const bob = await Peer.start("bob", network);
    await bob.open();
    await network.settle();
    bob.notices = [];
    const stray = envelope(utf8("nothing of ours"), { meta: utf8("another marker") });
    for (const message of [stray, stray, { ...stray, messageHash: "6".repeat(64) }])
      await bob.messaging.tell({ type: "received", message });
    const counted = bob.notices.flatMap(({ notice }) =>
      notice.type === "diagnostics" ? [notice.diagnostics.otherMarker] : [],
    );
    expect(counted).toEqual([1, 2]);
    expect(bob.channel().diagnostics().otherMarker).toBe(2);
  });

  /** What alice sends, taken from the wire, before bob has a channel. */
  async function captured(count: number): Promise<ReceivedMessage[]> {
    const alice = await Peer.start("alice", network);
    await alice.open();
    for (let i = 1; i <= count; i++) {
      await alice.send(`m${i}`);
      await network.settle();
    }
    const messages = [...network.stored];
    await alice.kill();
    network.stored.length = 0;
    return messages;
  }

  async function listener(): Promise<Peer> {
    const bob = await Peer.start("bob", network);
    await bob.open();
    return bob;
  }

  test("C10 a marked message on the topic gives one event with its exact payload and its sender", async () => {
    const [m1] = await captured(1);
    const bob = await listener();
    if (m1) await network.inject(m1);
    const [event, ...others] = await bob.log();
    expect(others).toEqual([]);
    expect(event).toMatchObject({ type: "reliable:message:received", seq: 1, senderId: "alice", message: utf8("m1") });
  });

  test("C11 C12 C13 without the marker, on another topic, or for another channel: no event and no state", async () => {
    const [m1] = await captured(1);
    if (!m1) throw new Error("nothing was captured");
    const bob = await Peer.start("bob", network);
    await bob.open("elsewhere");
    await network.settle();
    const rows = () => ["sdsSeen", "sdsLog", "segments"].map((table) => bob.storage.count(table));
    const before = rows();
    await network.inject({ ...m1, messageHash: "1".repeat(64) });
    expect(rows()).toEqual(before);
    // A new channel is told what the stores have.
    network.stored.length = 0;
    await bob.open();
    await network.settle();
    await network.inject(envelope(m1.payload, { meta: utf8("RELIABLE-CHANNEL-API/2") }));
    await network.inject(envelope(m1.payload, { contentTopic: "/test/1/other/proto" }));
    expect(rows()).toEqual(before);
    expect([await bob.log(), await bob.log("elsewhere")]).toEqual([[], []]);
  });

  test("C14 the same envelope under two hashes gives one event", async () => {
    const [m1] = await captured(1);
    const bob = await listener();
    if (m1) for (let i = 0; i < 2; i++) await network.inject(envelope(m1.payload));
    expect(await bob.received()).toEqual(["m1"]);
  });

  test("C15 C16 messages are emitted in causal order, whatever order they arrive in", async () => {
    const messages = await captured(3);
    const bob = await listener();
    const [m1, m2, m3] = messages;
    if (!m1 || !m2 || !m3) throw new Error("too little was captured");
    await network.inject(m3);
    await network.inject(m2);
    expect(await bob.received()).toEqual([]);
    await network.inject(m1);
    expect(await bob.received()).toEqual(["m1", "m2", "m3"]);
  });

  test("C17 a sync gives no event, and traffic goes on", async () => {
    const [m1] = await captured(1);
    const bob = await listener();
    const sync = nimLayout.encode({
      senderId: "alice",
      messageId: "a-sync",
      channelId: "room",
      lamportTimestamp: 42n,
      causalHistory: [],
      bloomFilter: new Uint8Array(0),
      content: new Uint8Array(0),
      repairRequest: [],
    });
    await network.inject(envelope(sync));
    expect(await bob.log()).toEqual([]);
    if (m1) await network.inject(m1);
    expect(await bob.received()).toEqual(["m1"]);
  });

  test("C18 C19 the same payload sent twice has two message ids and gives two events", async () => {
    const { alice, bob } = await pair();
    await alice.send("same");
    await alice.send("same");
    await network.settle();
    expect(await bob.received()).toEqual(["same", "same"]);
    const ids = (await bob.log()).flatMap((event) => ("messageId" in event ? [event.messageId] : []));
    expect(new Set(ids).size).toBe(2);
  });

  test("C20 a reply names what it answers and has a later Lamport time", async () => {
    const { alice, bob } = await pair();
    await alice.send("question");
    await network.settle();
    await bob.send("answer");
    await network.settle();
    const [question, answer] = wire();
    expect(answer?.causalHistory.map(({ messageId }) => messageId)).toEqual([question?.messageId]);
    expect(answer?.lamportTimestamp).toBeGreaterThan(question?.lamportTimestamp ?? 0n);
  });

  test("C21 an acknowledged message leaves the stored outgoing buffer", async () => {
    const { alice, bob } = await pair();
    await alice.send("question");
    await network.settle();
    expect(alice.storage.count("sdsOutgoing")).toBe(1);
    await bob.send("answer");
    await network.settle();
    expect(alice.storage.count("sdsOutgoing")).toBe(0);
  });

  test("C22 sending stores the channel's meta and log rows with the request", async () => {
    const { alice } = await pair();
    await alice.send("kept");
    expect(["sdsMeta", "sdsLog", "requests"].map((table) => alice.storage.count(table))).toEqual([1, 1, 1]);
  });

  test("C23 what was received before closing is not emitted again after re-creation and a restart", async () => {
    const [m1] = await captured(1);
    const bob = await listener();
    if (m1) await network.inject(m1);
    await bob.manager.closeChannel(KEY, "page");
    await bob.restart();
    await bob.open();
    await network.settle();
    if (m1) await network.inject(envelope(m1.payload));
    expect(await bob.received()).toEqual(["m1"]);
  });
});

describe("requests", () => {
  async function manual(): Promise<Peer> {
    const alice = await Peer.start("alice", network);
    alice.messaging.automatic = false;
    await alice.open();
    return alice;
  }

  test("C30 the channel's sent carries the channel request's id, once the store has every segment", async () => {
    const alice = await manual();
    const id = await alice.send("x");
    await network.settle();
    await alice.messaging.propagate(0);
    expect(await alice.outcomes(id)).toEqual([]);
    expect(await alice.messaging.confirm(0)).toBe(true);
    expect(await alice.outcomes(id)).toEqual(["sent"]);
    await alice.messaging.confirm(0);
    expect(await alice.outcomes(id)).toEqual(["sent"]);
  });

  test("C31 two sends are finalised independently", async () => {
    const alice = await manual();
    const ids = [await alice.send("one"), await alice.send("two")];
    await network.settle();
    await alice.messaging.fail(1, "refused");
    await alice.messaging.confirm(0);
    expect(await Promise.all(ids.map((id) => alice.outcomes(id)))).toEqual([["sent"], ["send-error"]]);
  });

  test("C32 a confirmation that arrives while another dispatch is awaited is not lost", async () => {
    const alice = await manual();
    const first = await alice.send("one");
    await network.settle();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    alice.messaging.onSend = async () => {
      await held;
      return ok(undefined);
    };
    const second = await alice.send("two");
    await clock.settle();
    await alice.messaging.confirm(0);
    expect(await alice.outcomes(first)).toEqual(["sent"]);
    release();
    await network.settle();
    await alice.messaging.confirm(1);
    expect(await alice.outcomes(second)).toEqual(["sent"]);
  });

  test("C33 C34 several segments: one outcome, after the last; any failure makes it a send-error with its cause", async () => {
    const alice = await manual();
    const id = await alice.send(new Uint8Array(250_000).fill(7));
    await network.settle();
    expect(alice.mailbox.tasks).toHaveLength(3);
    await alice.messaging.confirm(2);
    await alice.messaging.fail(0, "420: size exceeded");
    expect(await alice.outcomes(id)).toEqual([]);
    expect(alice.channel().request(id)).toMatchObject({
      state: "sending",
      segments: { total: 3, confirmed: 1, failed: 1 },
    });
    await alice.messaging.confirm(1);
    expect(await alice.outcomes(id)).toEqual(["send-error"]);
    expect(alice.channel().request(id)?.error).toContain("420: size exceeded");
  });

  test("a dispatch that is refused or throws fails its segment at once, with the cause", async () => {
    const alice = await manual();
    alice.messaging.onSend = async () => err("queue full");
    const refused = await alice.send("one");
    await network.settle();
    alice.messaging.onSend = () => Promise.reject(new Error("no such device"));
    const thrown = await alice.send("two");
    await network.settle();
    const errors = [refused, thrown].map((id) => alice.channel().request(id)?.error);
    expect(errors).toEqual([
      "one or more segments failed: dispatch failed: queue full",
      "one or more segments failed: dispatch failed: no such device",
    ]);
    expect(alice.channel().status().pending).toBe(0);
  });

  test("a failure is told and kept with its kind, by what failed, and a second outcome takes it away", async () => {
    const alice = await manual();
    const failureOf = async (id: string) =>
      (await alice.log()).find((event) => "requestId" in event && event.requestId === id);
    const refused = await alice.send("one");
    await network.settle();
    await alice.messaging.fail(0, "421: another cluster");
    alice.messaging.onSend = async () => err("queue full");
    const queued = await alice.send("two");
    await network.settle();
    alice.messaging.onSend = () => Promise.reject(new Error("no such device"));
    const thrown = await alice.send("three");
    await network.settle();
    for (const [id, kind] of [
      [refused, "refused"],
      [queued, "queue-full"],
      [thrown, "internal"],
    ] as const) {
      expect(await failureOf(id)).toMatchObject({ type: "reliable:message:send-error", kind });
      expect(alice.channel().request(id)).toMatchObject({ failure: kind });
    }
    await alice.restart();
    expect(alice.channel().request(refused)).toMatchObject({ failure: "refused" });
    await alice.channel().retry(refused);
    expect(alice.channel().request(refused)).not.toHaveProperty("failure");
  });

  test("N03 what cannot be encrypted fails as that, and nothing of it reaches the wire", async () => {
    const keyless: Cipher = { encrypt: async () => err("the key was deleted"), decrypt: none.decrypt };
    const alice = await Peer.start("alice", network, { cipher: keyless });
    await alice.open();
    const ids = [
      await alice.send("one"),
      await alice.send(new Uint8Array(250_000)),
      await alice.send("brief", "room", true),
    ];
    await pass(60 * SECOND);
    for (const id of ids) {
      expect(await alice.outcomes(id)).toEqual(["send-error"]);
      expect(alice.channel().request(id)).toMatchObject({
        failure: "encryption",
        error: "one or more segments failed: encryption failed: the key was deleted",
      });
    }
    expect(alice.messaging.sent).toEqual([]);
  });

  test("a failed request can be sent again: the same SDS messages, the same request, and no second outcome", async () => {
    const { alice, bob } = await pair();
    alice.messaging.onSend = async () => err("queue full");
    const id = await alice.send("stubborn");
    await network.settle();
    expect(await alice.channel().retry("unknown")).toMatchObject({ ok: false });
    alice.messaging.onSend = async () => ok(undefined);
    await alice.restart();
    expect(await alice.channel().retry(id)).toEqual(ok(undefined));
    expect(alice.channel().request(id)).toMatchObject({ state: "queued", segments: { total: 1, failed: 0 } });
    expect(await alice.channel().retry(id)).toMatchObject({ ok: false });
    await pass(5 * SECOND);
    expect(await bob.received()).toEqual(["stubborn"]);
    expect(await alice.outcomes(id)).toEqual(["send-error", "delivered"]);
    expect(alice.channel().request(id)).toMatchObject({
      state: "delivered",
      segments: { confirmed: 1, acknowledged: 1 },
    });
  });

  test("after a send-error its segments are not retransmitted", async () => {
    const alice = await manual();
    await alice.send("given up");
    await network.settle();
    await alice.messaging.propagate(0);
    await alice.messaging.fail(0, "Propagated but not confirmed by a store node within the store validation window");
    await pass(120 * SECOND);
    const contents = alice.messaging.sent.map(({ payload }) => nimLayout.decode(payload));
    expect(contents.filter((decoded) => decoded.ok && decoded.value.content.length > 0)).toHaveLength(1);
  });

  test("ids of nobody are no-ops", async () => {
    const alice = await manual();
    expect(await alice.messaging.tell({ type: "sent", requestId: "nobody's", messageHash: "" })).toBe(true);
    expect(await alice.log()).toEqual([]);
  });

  test("the same idempotency key never sends twice, also after a restart", async () => {
    const { alice, bob } = await pair();
    const once = () => alice.channel().send(utf8("pay"), { idempotencyKey: "order-1" });
    const first = await once();
    expect(await once()).toEqual(first);
    await network.settle();
    await alice.restart();
    expect(await once()).toEqual(first);
    await network.settle();
    expect(await bob.received()).toEqual(["pay"]);
  });
});

describe("end to end", () => {
  test("RC05 what A sends, B receives once, and A learns that it was delivered", async () => {
    const { alice, bob } = await pair();
    const id = await alice.send("hello");
    await pass(5 * SECOND);
    expect(await bob.log()).toMatchObject([
      { type: "reliable:message:received", senderId: "alice", message: utf8("hello") },
    ]);
    expect(await alice.outcomes(id)).toEqual(["sent", "delivered"]);
  });

  test("a message of several segments arrives whole, with one event, and its progress is told", async () => {
    const { alice, bob } = await pair();
    const payload = Uint8Array.from({ length: 300 * 1024 }, (_, i) => (i * 31 + Math.floor(i / 251) * 7) & 0xff);
    const id = await alice.send(payload);
    await pass(5 * SECOND);
    const [event, ...others] = await bob.log();
    expect(others).toEqual([]);
    expect(event?.type === "reliable:message:received" && Buffer.compare(event.message, payload)).toBe(0);
    expect(await alice.outcomes(id)).toEqual(["sent", "delivered"]);
    expect(alice.channel().request(id)).toMatchObject({
      state: "delivered",
      segments: { total: 4, confirmed: 4, failed: 0, acknowledged: 4 },
    });
    for (const [peer, direction] of [
      [alice, "out"],
      [bob, "in"],
    ] as const) {
      const progress = peer.notices.flatMap(({ notice }) => (notice.type === "progress" ? [notice] : []));
      expect(progress.map(({ done, total }) => `${done}/${total}`)).toEqual(["1/4", "2/4", "3/4", "4/4"]);
      expect(new Set(progress.map((notice) => notice.direction))).toEqual(new Set([direction]));
    }
    expect(alice.notices).toContainEqual(
      expect.objectContaining({ notice: { type: "progress", direction: "out", id, done: 4, total: 4 } }),
    );
  });

  test("O1 a restart in the middle of a message of several segments: it goes on, and arrives once", async () => {
    const { alice, bob } = await pair();
    let handedOver = 0;
    alice.messaging.onSend = () => (++handedOver > 2 ? new Promise(() => {}) : Promise.resolve(ok(undefined)));
    const payload = new Uint8Array(450_000).map((_, index) => index % 251);
    const id = await alice.send(payload);
    await network.settle();
    expect(alice.channel().request(id)).toMatchObject({ state: "sending", segments: { total: 5, confirmed: 2 } });
    expect(await bob.log()).toEqual([]);
    await alice.restart();
    await pass(5 * SECOND);
    const received = (await bob.log()).filter(({ type }) => type === "reliable:message:received");
    expect(received).toHaveLength(1);
    expect(received).toMatchObject([{ senderId: "alice", message: payload }]);
    expect(await alice.outcomes(id)).toEqual(["sent", "delivered"]);
    expect(alice.channel().request(id)).toMatchObject({ segments: { total: 5, confirmed: 5, acknowledged: 5 } });
  });

  test("RC12 with three members, B and C receive exactly once each", async () => {
    const { alice, bob } = await pair();
    const carol = await Peer.start("carol", network);
    await carol.open();
    await network.settle();
    await alice.send("to all");
    await pass(15 * SECOND);
    expect([await bob.received(), await carol.received(), await alice.received()]).toEqual([
      ["to all"],
      ["to all"],
      [],
    ]);
  });

  test("RC13 a channel that is closed and created again goes on", async () => {
    const { alice, bob } = await pair();
    await alice.send("m1");
    await network.settle();
    await alice.manager.closeChannel(KEY, "page");
    await alice.open();
    await alice.send("m2");
    await pass(15 * SECOND);
    expect(await bob.received()).toEqual(["m1", "m2"]);
  });

  test("RC14 after B closed its channel, nothing reaches it although its topic is subscribed", async () => {
    const { alice, bob } = await pair();
    await bob.manager.closeChannel(KEY, "page");
    await bob.messaging.subscribe(TOPIC);
    bob.notices = [];
    await alice.send("unheard");
    await pass(10 * SECOND);
    expect(bob.notices).toEqual([]);
  });

  test("what was accepted before closing is still sent", async () => {
    const { alice, bob } = await pair();
    await alice.send("last words");
    await alice.manager.closeChannel(KEY, "page");
    await network.settle();
    expect(await bob.received()).toEqual(["last words"]);
  });

  test("what was sent while the other was away arrives when it returns", async () => {
    const { alice, bob } = await pair();
    await bob.kill();
    const id = await alice.send("are you there?");
    await pass(20 * SECOND);
    await bob.restart();
    await pass(5 * SECOND);
    expect(await bob.received()).toEqual(["are you there?"]);
    expect(await alice.outcomes(id)).toEqual(["sent", "delivered"]);
  });

  test("with nobody there, retransmissions end in one delivery-error; a late acknowledgement still delivers", async () => {
    const alice = await Peer.start("alice", network);
    await alice.open();
    const id = await alice.send("anyone?");
    await pass(400 * SECOND);
    expect(await alice.outcomes(id)).toEqual(["sent", "delivery-error"]);
    expect((await alice.log()).at(-1)).toMatchObject({ kind: "unacknowledged" });
    const copies = wire().filter(({ content }) => content.length > 0);
    expect(new Set(copies.map(({ messageId }) => messageId)).size).toBe(1);
    const bob = await Peer.start("bob", network);
    await bob.open();
    await pass(5 * SECOND);
    expect(await bob.received()).toEqual(["anyone?"]);
    expect(await alice.outcomes(id)).toEqual(["sent", "delivery-error", "delivered"]);
  });
});

describe("the epoch budget", () => {
  test("is the profile's: the whole for the person, the own part for an origin, told as it is used, and new at the roll", async () => {
    const alice = await Peer.start("alice", network, {
      rateLimit: { enabled: true, epochSeconds: 60, messagesPerEpoch: 2 },
    });
    await alice.open();
    const used: number[] = [];
    alice.manager.onBudget(() => used.push(alice.manager.quota()?.remaining ?? -1));
    expect(alice.manager.quota()).toMatchObject({ limit: 2, remaining: 2 });
    const ids = [await alice.send("one"), await alice.send("two"), await alice.send("three")];
    await network.settle();
    expect(ids.map((id) => alice.channel().request(id)?.state)).toEqual(["sent", "sent", "queued"]);
    expect(used.at(-1)).toBe(0);
    expect(alice.manager.shareOf(ORIGIN)).toEqual(alice.manager.quota());
    expect(alice.manager.shareOf("https://other.example")).toMatchObject({ limit: 2, remaining: 2 });
    const resetsAt = alice.manager.quota()?.resetsAt ?? 0;
    await alice.restart();
    expect(alice.manager.quota()).toEqual({ limit: 2, remaining: 0, resetsAt });
    await pass(resetsAt - clock.now() + SECOND);
    expect(alice.channel().request(ids[2] ?? "")?.state).toBe("sent");
  });

  test("is none where nothing is limited", async () => {
    const alice = await Peer.start("alice", network);
    expect(alice.manager.quota()).toBeUndefined();
    expect(alice.manager.shareOf(ORIGIN)).toBeUndefined();
  });
});
