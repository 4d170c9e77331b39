/** What a participant delivers, and when: LIP-109, receive message and deliver message. */
import { describe, expect, test } from "vitest";
import { utf8 } from "../../../src/common/bytes.ts";
import { LIMITS } from "../../../src/limits.ts";
import { lip109Layout } from "../../../src/sds/lip109-layout.ts";
import { CHANNEL, craft, hashFor, Peer, runTimers, START } from "./sds-peer.ts";

const LOST_AFTER = LIMITS.sds.lostAfterMs;

/** A participant that was started a day before the messages of a test. */
function newPeer(name: string): Peer {
  return new Peer(name, { startedAt: START - 60_000 });
}

/** Any kind of row besides the single one that holds the clocks. */
function rowCount(peer: Peer): number {
  let rows = 0;
  for (const [table, content] of peer.storage.rows) if (table !== "sdsMeta") rows += content.size;
  return rows;
}

describe("wire and ingress", () => {
  test("C13: a foreign channel id is dropped and creates no state", () => {
    const bob = newPeer("bob");
    expect(bob.receive(craft({ channelId: "other" })).dropped).toBe("foreign channel");
    expect(bob.storage.rows.size).toBe(0);
    expect(bob.sds.nextDeadline()).toBeUndefined();
  });

  test("C14: the same message under two message hashes is delivered once", () => {
    const [alice, bob] = [newPeer("alice"), newPeer("bob")];
    const m1 = alice.send("one");
    bob.receive(m1.wire, START, 0.5, "aa".repeat(32));
    expect(bob.receive(m1.wire, START, 0.5, "bb".repeat(32)).dropped).toBe("duplicate");
    expect(bob.delivered).toEqual([m1.messageId]);
  });

  test("C15: m2 before m1 is delivered after it", () => {
    const [alice, bob] = [newPeer("alice"), newPeer("bob")];
    const [m1, m2] = [alice.send("one"), alice.send("two")];
    expect(bob.receive(m2.wire)).toMatchObject({ delivered: [], arrived: { messageId: m2.messageId } });
    expect(bob.receive(m1.wire).delivered).toEqual([m1.messageId, m2.messageId]);
  });

  test("C16: m3, m2, m1 are delivered as m1, m2, m3 once m1 is there", () => {
    const [alice, bob] = [newPeer("alice"), newPeer("bob")];
    const [m1, m2, m3] = [alice.send("one"), alice.send("two"), alice.send("three")];
    bob.receive(m3.wire);
    bob.receive(m2.wire);
    expect(bob.delivered).toEqual([]);
    expect(bob.receive(m1.wire).delivered).toEqual([m1.messageId, m2.messageId, m3.messageId]);
  });

  test("C17: a sync message delivers nothing and leaves later traffic alone", () => {
    const [alice, bob] = [newPeer("alice"), newPeer("bob")];
    const sync = craft({ messageId: "sync-1", content: new Uint8Array(0), lamportTimestamp: 42n });
    expect(bob.receive(sync)).toMatchObject({ delivered: [], missing: [] });
    expect(bob.sds.logIds()).toEqual([]);
    const m1 = alice.send("one");
    expect(bob.receive(m1.wire).delivered).toEqual([m1.messageId]);
  });

  test("C18: the same payload under two ids is delivered twice", () => {
    const bob = newPeer("bob");
    bob.receive(craft({ messageId: "a" }));
    bob.receive(craft({ messageId: "b" }));
    expect(bob.delivered).toEqual(["a", "b"]);
  });

  test("C19: identical payloads: those of one millisecond get different ids, across a restart too", () => {
    const alice = newPeer("alice");
    const ids = new Set([alice.send("same").messageId, alice.send("same").messageId]);
    alice.restart();
    ids.add(alice.send("same").messageId);
    expect(ids.size).toBe(3);
  });

  test("C20: a reply names what was received and is later in Lamport time", () => {
    const [alice, bob] = [newPeer("alice"), newPeer("bob")];
    const m1 = alice.send("one", START + 30_000);
    bob.receive(m1.wire, START, 0.5, hashFor(m1.messageId));
    const reply = bob.decoded(bob.send("reply").wire);
    expect(reply.causalHistory).toEqual([
      { messageId: m1.messageId, senderId: "alice", retrievalHint: utf8(m1.messageId.slice(0, 32)) },
    ]);
    expect(reply.lamportTimestamp).toBeGreaterThan(alice.decoded(m1.wire).lamportTimestamp ?? 0n);
  });
});

describe("cases of LIP-109 that break implementations", () => {
  test("duplicates parked and delivered: those of a parked message are dropped", () => {
    const bob = newPeer("bob");
    const parked = craft({ messageId: "b", after: ["a"] });
    bob.receive(parked);
    expect(bob.receive(parked)).toMatchObject({ dropped: "duplicate", missing: [] });
    expect(bob.receive(craft({ messageId: "a" })).delivered).toEqual(["a", "b"]);
  });

  test("duplicates parked and delivered: those of a delivered message are dropped", () => {
    const bob = newPeer("bob");
    bob.receive(craft({ messageId: "a" }));
    expect(bob.receive(craft({ messageId: "a" })).dropped).toBe("duplicate");
    expect(bob.delivered).toEqual(["a"]);
  });

  test("same id with other content: the first is kept", () => {
    const bob = newPeer("bob");
    bob.receive(craft({ messageId: "a", content: utf8("first") }));
    bob.receive(craft({ messageId: "a", content: utf8("second") }));
    expect(bob.contents.get("a")).toBe("first");
    expect(bob.delivered).toEqual(["a"]);
  });

  test("forged own id with acks: it acknowledges nothing, is not delivered, and satisfies dependencies", () => {
    const alice = newPeer("alice");
    const m1 = alice.publish("one");
    const forged = alice.receive(craft({ senderId: "alice", messageId: "forged", after: [m1.messageId] }));
    expect(forged).toMatchObject({ dropped: "own message", acknowledged: [], delivered: [] });
    expect(alice.tables.outgoing.has(m1.messageId)).toBe(true);
    expect(alice.receive(craft({ messageId: "x", after: ["forged"] })).delivered).toEqual(["x"]);
  });

  test("an ephemeral one under our own id that we did not send is seen, and in no log: no message of ours names it", () => {
    const alice = new Peer("alice", { layout: lip109Layout });
    const typing = lip109Layout.encode({
      senderId: "alice",
      messageId: "typing",
      channelId: CHANNEL,
      lamportTimestamp: undefined,
      causalHistory: [],
      bloomFilter: new Uint8Array(0),
      content: utf8("typing"),
      repairRequest: [],
    });
    expect(alice.receive(typing)).toMatchObject({ dropped: "own message", delivered: [] });
    expect(alice.sds.logIds()).toEqual([]);
    const next = lip109Layout.decode(alice.send("next").wire);
    expect(next).toMatchObject({ ok: true, value: { causalHistory: [] } });
    // It satisfies a dependency all the same, and comes but once.
    expect(alice.tables.seen.has("typing")).toBe(true);
    expect(alice.receive(typing).dropped).toBe("own message");
  });

  test("our own message coming back changes nothing", () => {
    const alice = newPeer("alice");
    const m1 = alice.publish("one");
    const before = rowCount(alice);
    expect(alice.receive(m1.wire).dropped).toBe("own message");
    expect(rowCount(alice)).toBe(before);
    expect(alice.delivered).toEqual([]);
  });

  test("cycles and self-dependency: a message that depends on itself is delivered", () => {
    const bob = newPeer("bob");
    expect(bob.receive(craft({ messageId: "a", after: ["a"] })).delivered).toEqual(["a"]);
  });

  test("cycles and self-dependency: messages in a circle are delivered once each", () => {
    const bob = newPeer("bob");
    bob.receive(craft({ messageId: "a", after: ["b"] }));
    bob.receive(craft({ messageId: "b", after: ["c"] }));
    bob.receive(craft({ messageId: "c", after: ["a"] }));
    expect(bob.delivered).toEqual(["c", "b", "a"]);
    expect(bob.tables.incoming.size).toBe(0);
  });

  test("dependency only parked: it is not met", () => {
    const bob = newPeer("bob");
    bob.receive(craft({ messageId: "b", after: ["a"] }));
    const late = bob.receive(craft({ messageId: "c", after: ["b"] }));
    expect(late).toMatchObject({ delivered: [], missing: [] });
    expect(bob.receive(craft({ messageId: "a" })).delivered).toEqual(["a", "b", "c"]);
  });

  test("reverse chain and diamond: a chain of 500 is delivered in order by its first message", () => {
    const [alice, bob] = [newPeer("alice"), newPeer("bob")];
    const sent = Array.from({ length: 500 }, (_, i) => alice.send(`message ${i}`));
    for (const { wire } of sent.toReversed()) bob.receive(wire);
    expect(bob.delivered).toEqual(sent.map(({ messageId }) => messageId));
    expect(bob.tables.incoming.size).toBe(0);
    expect(bob.sds.missing()).toEqual([]);
  });

  test("reverse chain and diamond: a diamond is delivered once, by Lamport time and then id", () => {
    const bob = newPeer("bob");
    bob.receive(craft({ messageId: "d", after: ["b", "c"], lamportTimestamp: 1_750_000_003n }));
    bob.receive(craft({ messageId: "c", after: ["a"], lamportTimestamp: 1_750_000_002n }));
    bob.receive(craft({ messageId: "b", after: ["a"], lamportTimestamp: 1_750_000_002n }));
    expect(bob.receive(craft({ messageId: "a", lamportTimestamp: 1_750_000_001n })).delivered).toEqual([
      "a",
      "b",
      "c",
      "d",
    ]);
  });

  test("20,000-entry history: the newest 256 are looked at", () => {
    const bob = newPeer("bob");
    const after = Array.from({ length: 20_000 }, (_, i) => `dep-${i}`);
    const outcome = bob.receive(craft({ messageId: "a", after }));
    expect(outcome.missing.map(({ messageId }) => messageId)).toEqual(after.slice(-LIMITS.sds.incomingHistory));
  });

  test("evicted dependency: it is met all the same", () => {
    const bob = new Peer("bob", { limits: { log: 3 } });
    for (const messageId of ["a", "b", "c", "d", "e"]) bob.receive(craft({ messageId }));
    expect(bob.tables.log.size).toBe(3);
    expect(bob.receive(craft({ messageId: "f", after: ["a"] })).delivered).toEqual(["f"]);
  });

  test("ids remembered are bounded: the oldest are forgotten first", () => {
    const bob = new Peer("bob", { limits: { seenIds: 3 } });
    for (const messageId of ["d", "c", "b", "a"]) bob.receive(craft({ messageId }));
    expect([...bob.tables.seen.keys()].sort()).toEqual(["a", "b", "c"]);
  });

  test("dependency that never comes: it is reported lost once, and what waited is delivered", () => {
    const [alice, bob] = [newPeer("alice"), newPeer("bob")];
    const [m1, m2, m3] = [alice.send("one"), alice.send("two"), alice.send("three")];
    const parked = bob.receive(m2.wire);
    expect(parked.missing).toEqual([{ messageId: m1.messageId, senderId: "alice" }]);
    bob.receive(m3.wire);
    const outcomes: string[] = [];
    runTimers(bob, START + LOST_AFTER - 1);
    expect(bob.lost).toEqual([]);
    runTimers(bob, START + LOST_AFTER, (outcome) => outcomes.push(...outcome.lost.map(({ reason }) => reason)));
    expect(bob.lost).toEqual([m1.messageId]);
    expect(outcomes).toEqual(["not found in time"]);
    expect(bob.delivered).toEqual([m2.messageId, m3.messageId]);
    runTimers(bob, START + 3 * LOST_AFTER);
    expect(bob.lost).toEqual([m1.messageId]);
  });

  test("dependency that comes late: it is delivered late, and nothing twice", () => {
    const [alice, bob] = [newPeer("alice"), newPeer("bob")];
    const [m1, m2] = [alice.send("one"), alice.send("two")];
    bob.receive(m2.wire);
    runTimers(bob, START + LOST_AFTER);
    expect(bob.receive(m1.wire, START + LOST_AFTER)).toMatchObject({
      delivered: [m1.messageId],
      late: [m1.messageId],
    });
    expect(bob.receive(m1.wire, START + LOST_AFTER).dropped).toBe("duplicate");
    expect(bob.delivered).toEqual([m2.messageId, m1.messageId]);
    expect(bob.sds.logIds()).toEqual([m1.messageId, m2.messageId]);
  });

  test("what waited for a lost message waits on for what that one may have depended on", () => {
    const bob = newPeer("bob");
    const at = (seconds: number) => BigInt(START / 1000 + seconds);
    // first ← lost ← last, and first itself waits for another one, noticed later.
    bob.receive(craft({ messageId: "last", after: ["lost"], lamportTimestamp: at(3) }));
    bob.tick(START + 10_000);
    bob.receive(craft({ messageId: "first", after: ["gone"], lamportTimestamp: at(1) }), START + 10_000);
    runTimers(bob, START + LOST_AFTER);
    expect(bob).toMatchObject({ lost: ["lost"], delivered: [] });
    runTimers(bob, START + LOST_AFTER + 10_000);
    expect(bob).toMatchObject({ lost: ["lost", "gone"], delivered: ["first", "last"] });
  });

  test("time offline does not count towards giving up", () => {
    const bob = newPeer("bob");
    bob.receive(craft({ messageId: "b", after: ["a"] }));
    let now = START + 10_000;
    for (; now < START + 3_600_000; now = bob.sds.nextDeadline() ?? Number.POSITIVE_INFINITY) bob.tick(now, false);
    runTimers(bob, now, () => {});
    expect(bob.lost).toEqual([]);
    const wakened = now;
    runTimers(bob, wakened + LOST_AFTER - 10_001);
    expect(bob.lost).toEqual([]);
    runTimers(bob, wakened + LOST_AFTER - 10_000);
    expect(bob.lost).toEqual(["a"]);
  });

  test("a laptop that slept with the lid closed has missed nothing yet", () => {
    const bob = newPeer("bob");
    bob.receive(craft({ messageId: "b", after: ["a"] }));
    // Nobody came at any of the deadlines of a whole night.
    expect(bob.tick(START + 10 * 3_600_000).lost).toEqual([]);
    expect(bob.receive(craft({ messageId: "a" }), START + 10 * 3_600_000 + 1000).delivered).toEqual(["a", "b"]);
  });

  test("a hint that comes with a later message is passed on once", () => {
    const bob = newPeer("bob");
    bob.receive(craft({ messageId: "b", after: ["a"] }));
    const causalHistory = [{ messageId: "a", retrievalHint: new Uint8Array([1, 2]), senderId: "alice" }];
    const hinted = bob.receive(craft({ messageId: "c", causalHistory }));
    expect(hinted.missing).toEqual([{ messageId: "a", hint: "0102", senderId: "alice" }]);
    expect(bob.receive(craft({ messageId: "d", causalHistory })).missing).toEqual([]);
    expect(bob.sds.missing()).toMatchObject([{ messageId: "a", hint: "0102", senderId: "alice" }]);
  });

  test("sync ids in foreign histories: they are met dependencies, received or sent by us", () => {
    const [alice, bob] = [newPeer("alice"), newPeer("bob")];
    bob.receive(alice.publish("one").wire);
    const sync = bob.tick(START + 2000).outgoing[0];
    bob.receive(craft({ messageId: "their-sync", content: new Uint8Array(0) }));
    const outcome = bob.receive(craft({ messageId: "x", after: [sync?.messageId ?? "", "their-sync"] }));
    expect(outcome).toMatchObject({ delivered: ["x"], missing: [] });
  });

  test("what a sync message names and nobody has is looked for", () => {
    const bob = newPeer("bob");
    const sync = craft({ messageId: "s", content: new Uint8Array(0), after: ["a"] });
    expect(bob.receive(sync).missing).toEqual([{ messageId: "a" }]);
    runTimers(bob, START + LOST_AFTER);
    expect(bob.lost).toEqual(["a"]);
  });

  test("segments reconstructed elsewhere satisfy dependencies", () => {
    const bob = newPeer("bob");
    bob.receive(craft({ messageId: "b", after: ["a"] }));
    expect(bob.sds.markReceived(["a"], START).delivered).toEqual(["b"]);
    bob.commit();
    expect(bob.sds.missing()).toEqual([]);
    expect(bob.receive(craft({ messageId: "a" })).dropped).toBe("duplicate");
  });

  test("identifiers too long, or none, are dropped without a trace", () => {
    const bob = newPeer("bob");
    expect(bob.receive(craft({ messageId: "" })).dropped).toMatch(/message id/);
    expect(bob.receive(craft({ messageId: "é".repeat(129) })).dropped).toMatch(/message id/);
    expect(bob.receive(craft({ senderId: "s".repeat(257) })).dropped).toMatch(/sender id/);
    expect(bob.storage.rows.size).toBe(0);
    expect(bob.receive(craft({ messageId: "é".repeat(128) })).delivered).toHaveLength(1);
  });
});

describe("bounds", () => {
  test("too many parked: what the oldest wait for is given up, and no content is thrown away", () => {
    const bob = new Peer("bob", { startedAt: START - 60_000, limits: { parkedMessages: 10 } });
    for (let i = 0; i < 25; i++) {
      const lamportTimestamp = BigInt(START / 1000 + i);
      bob.receive(craft({ messageId: `m${i}`, after: [`dep-${i}`], lamportTimestamp }));
    }
    expect(bob.tables.incoming.size).toBe(10);
    expect(bob.delivered).toEqual(Array.from({ length: 15 }, (_, i) => `m${i}`));
    expect(bob.lost).toEqual(Array.from({ length: 15 }, (_, i) => `dep-${i}`));
  });

  test("too many bytes parked: the same", () => {
    const bob = new Peer("bob", { startedAt: START - 60_000, limits: { parkedBytes: 1000 } });
    for (let i = 0; i < 5; i++) bob.receive(craft({ messageId: `m${i}`, after: ["x"], content: new Uint8Array(400) }));
    expect(bob.delivered).toEqual(["m0", "m1", "m2", "m3", "m4"]);
    expect(bob.lost).toEqual(["x"]);
  });

  test("too many missing: the longest missing are given up", () => {
    const bob = new Peer("bob", { startedAt: START - 60_000, limits: { missing: 4 } });
    bob.receive(craft({ messageId: "m", after: ["a", "b", "c", "d", "e", "f"] }));
    expect(bob.tables.missing.size).toBe(4);
    expect(bob.lost).toEqual(["a", "b"]);
  });

  // What giving up costs does not grow with what was given up before, or this would take minutes.
  test("too many missing of one sender, in each of many messages: all are given up", () => {
    const bob = new Peer("bob", { startedAt: START - 60_000, limits: { missing: 256 } });
    for (let i = 0; i < 40; i++) {
      const causalHistory = Array.from({ length: 256 }, (_, k) => ({
        messageId: `dep-${i}-${k}`,
        senderId: "mallory",
      }));
      bob.receive(craft({ messageId: `m${i}`, causalHistory, lamportTimestamp: BigInt(START / 1000 + i) }));
    }
    expect(bob.tables.missing.size).toBe(256);
    expect(bob.lost).toHaveLength(39 * 256);
  });

  test("members remembered are bounded", () => {
    const bob = new Peer("bob", { limits: { members: 2 } });
    for (const senderId of ["x", "y", "z"]) bob.receive(craft({ messageId: senderId, senderId }));
    expect(bob.sds.members()).toBe(2);
    expect(bob.delivered).toEqual(["x", "y", "z"]);
  });

  test("the rows that a message touches do not grow with the history or with what is parked", () => {
    const [alice, bob] = [newPeer("alice"), newPeer("bob")];
    const writesOf = (event: () => void): number => {
      bob.writes = 0;
      event();
      return bob.writes;
    };
    const receive = () => writesOf(() => bob.receive(alice.send("x").wire));
    const send = () => writesOf(() => alice.receive(bob.send("y").wire));
    for (let i = 0; i < 20; i++) send();
    const [sendFew, receiveFew] = [send(), receive()];
    for (let i = 0; i < 300; i++) bob.receive(craft({ messageId: `parked-${i}`, after: [`dep-${i}`] }));
    for (let i = 0; i < 300; i++) receive();
    for (let i = 0; i < 20; i++) send();
    expect(Math.max(send(), receive())).toBeLessThanOrEqual(Math.max(sendFew, receiveFew) + 4);
  });
});

describe("join horizon", () => {
  const hour = 3_600_000;
  const at = (ms: number) => BigInt(Math.floor(ms / 1000));

  test("what messages before the horizon depend on counts as met", () => {
    const bob = new Peer("bob", { startedAt: START, lookBackMs: hour });
    const old = craft({ messageId: "old", after: ["older"], lamportTimestamp: at(START - 2 * hour) });
    expect(bob.receive(old)).toMatchObject({ delivered: ["old"], missing: [] });
  });

  test("what the first message after the horizon depends on is looked for, and not reported lost", () => {
    const bob = new Peer("bob", { startedAt: START, lookBackMs: hour });
    const first = craft({ messageId: "first", after: ["older"], lamportTimestamp: at(START - hour / 2) });
    expect(bob.receive(first)).toMatchObject({ delivered: [], missing: [{ messageId: "older" }] });
    runTimers(bob, START + LOST_AFTER);
    expect(bob).toMatchObject({ delivered: ["first"], lost: [] });
    const older = craft({ messageId: "older", lamportTimestamp: at(START - hour) });
    expect(bob.receive(older, START + LOST_AFTER)).toMatchObject({ delivered: ["older"], late: ["older"] });
  });

  test("what a later message of the same sender depends on is reported lost", () => {
    const bob = new Peer("bob", { startedAt: START, lookBackMs: hour });
    const bloomFilter = new Uint8Array([1]);
    bob.receive(craft({ messageId: "first", lamportTimestamp: at(START - hour / 2), bloomFilter }));
    bob.receive(craft({ messageId: "third", after: ["second"], lamportTimestamp: at(START - hour / 3), bloomFilter }));
    runTimers(bob, START + LOST_AFTER);
    expect(bob.lost).toEqual(["second"]);
  });

  test("RC10a: what a message since our start depends on is parked, looked for and reported", () => {
    const bob = new Peer("bob", { startedAt: START });
    const m2 = craft({ messageId: "m2", after: ["m1"], lamportTimestamp: at(START + 5000) });
    expect(bob.receive(m2, START + 5000)).toMatchObject({ delivered: [], missing: [{ messageId: "m1" }] });
    expect(bob.receive(craft({ messageId: "m1" }), START + 90_000).delivered).toEqual(["m1", "m2"]);
  });
});

describe("Lamport time", () => {
  const seconds = START / 1000;
  const lamportOf = (peer: Peer, now = START) => Number(peer.decoded(peer.send("x", now).wire).lamportTimestamp);

  test("is seconds, at least one more each time, and never goes backwards", () => {
    const alice = newPeer("alice");
    expect(lamportOf(alice)).toBe(seconds);
    expect(lamportOf(alice)).toBe(seconds + 1);
    expect(lamportOf(alice, START - 3_600_000)).toBe(seconds + 2);
    alice.restart();
    expect(lamportOf(alice)).toBe(seconds + 3);
    expect(lamportOf(alice, START + 60_000)).toBe(seconds + 60);
  });

  test("Lamport 0: it is taken as it is", () => {
    const bob = newPeer("bob");
    expect(bob.receive(craft({ lamportTimestamp: 0n })).delivered).toEqual(["m"]);
    expect(lamportOf(bob)).toBe(seconds);
  });

  test("Lamport far future: it is delivered, and carries the clock by a day at most", () => {
    const bob = newPeer("bob");
    expect(bob.receive(craft({ lamportTimestamp: BigInt(seconds * 2) })).delivered).toEqual(["m"]);
    expect(lamportOf(bob)).toBe(seconds + LIMITS.sds.skewMs / 1000 + 1);
  });

  test.each([2n ** 63n - 1n, 2n ** 64n - 1n, 2n ** 53n])("Lamport %s: it is refused", (lamportTimestamp) => {
    const bob = newPeer("bob");
    expect(bob.receive(craft({ lamportTimestamp })).dropped).toBe(
      // Of 2⁶³ or more it is no Lamport timestamp of nim-sds.
      lamportTimestamp < 2n ** 63n ? "Lamport timestamp out of range" : "undecodable",
    );
    expect(bob.storage.rows.size).toBe(0);
    expect(lamportOf(bob)).toBe(seconds);
  });

  test("the log is ordered by it, then by id", () => {
    const bob = newPeer("bob");
    for (const [messageId, time] of [
      ["z", 5],
      ["b", 7],
      ["a", 7],
      ["y", 6],
    ] as const) {
      bob.receive(craft({ messageId, lamportTimestamp: BigInt(seconds + time) }));
    }
    expect(bob.sds.logIds()).toEqual(["z", "y", "a", "b"]);
  });
});

describe("what our messages name", () => {
  const named = (peer: Peer, wire: Uint8Array) => peer.decoded(wire).causalHistory.map(({ messageId }) => messageId);

  test("the newest two of the log, oldest first", () => {
    const [alice, bob] = [newPeer("alice"), newPeer("bob")];
    const sent = ["one", "two", "three"].map((text) => alice.send(text));
    for (const { wire } of sent) bob.receive(wire);
    expect(named(bob, bob.send("reply").wire)).toEqual(sent.slice(1).map(({ messageId }) => messageId));
  });

  test("our own last message, though others' newer ones crowd it out", () => {
    const bob = newPeer("bob");
    const own = bob.send("mine");
    const later = BigInt(START / 1000 + 60);
    for (const messageId of ["a", "b", "c"]) bob.receive(craft({ messageId, lamportTimestamp: later }));
    expect(named(bob, bob.send("next").wire)).toEqual([own.messageId, "a", "b", "c"]);
  });

  test("at most as many as the bound says, our own last message among them", () => {
    const bob = new Peer("bob", { startedAt: START - 60_000, limits: { causalHistoryMax: 8 } });
    const own = bob.send("mine");
    const later = BigInt(START / 1000 + 60);
    for (let i = 0; i < 20; i++) bob.receive(craft({ messageId: `m${i}`, lamportTimestamp: later }));
    const first = named(bob, bob.send("next").wire);
    expect(first).toHaveLength(8);
    expect(first).toContain(own.messageId);
  });

  test("of our own message in parts, each part the one before it, and the next message its last part", () => {
    const bob = newPeer("bob");
    const earlier = bob.send("earlier");
    const parts = ["one", "two", "three"].map((text, part) => {
      const wrapped = bob.sds.wrapOutgoing(utf8(text), {
        now: START,
        nanoseconds: 0,
        ephemeral: false,
        part: { whole: "message", index: part, total: 3 },
      });
      bob.commit();
      return wrapped;
    });
    const [one, two, three] = parts.map(({ messageId }) => messageId);
    expect(parts.map(({ wire }) => named(bob, wire))).toEqual([[earlier.messageId], [one], [two]]);
    expect(named(bob, bob.send("next").wire)).toEqual([earlier.messageId, three]);
  });

  test("of another's message in parts, nothing before its last part is here; what came before it until then", () => {
    const isInner = (content: Uint8Array) => new TextDecoder().decode(content).startsWith("part");
    const bob = newPeer("bob");
    const hear = (messageId: string, text: string, after: readonly string[], seconds: number): void => {
      const lamportTimestamp = BigInt(START / 1000 + seconds);
      const wire = craft({ messageId, content: utf8(text), after, lamportTimestamp });
      bob.sds.handleIncoming(wire, { now: START, messageHash: "ab".repeat(32), random: 0.5, isInner });
      bob.commit();
    };
    for (const messageId of ["a", "b", "c"]) hear(messageId, "whole", [], 0);
    hear("one", "part one", ["a", "b", "c"], 1);
    bob.restart();
    expect(named(bob, bob.send("reply").wire)).toEqual(["a", "b", "c"]);
    hear("two", "part two", ["one"], 2);
    hear("d", "whole", [], 3);
    const reply = bob.send("reply");
    expect(named(bob, reply.wire)).not.toContain("two");
    hear("three", "last", ["two"], 4);
    expect(named(bob, bob.send("reply").wire)).toEqual([reply.messageId, "three"]);
  });

  test("no sync message and no ephemeral one of ours", () => {
    const [alice, bob] = [newPeer("alice"), newPeer("bob")];
    const m1 = alice.publish("one");
    bob.receive(m1.wire);
    bob.tick(START + 2000);
    bob.send("typing", START + 2000, true);
    expect(named(bob, bob.send("reply", START + 2000).wire)).toEqual([m1.messageId]);
  });

  test("hints follow: propagated, and store-confirmed preferred", () => {
    const alice = newPeer("alice");
    const m1 = alice.send("one");
    const hint = () => Buffer.from(alice.decoded(alice.send("next").wire).causalHistory[0]?.retrievalHint ?? []);
    const hints: string[] = [];
    alice.sds.onPropagated(m1.messageId, "aa", START);
    hints.push(hint().toString("hex"));
    alice.restart();
    const m4 = alice.send("four");
    alice.sds.onPropagated(m4.messageId, "bb", START);
    alice.sds.onStored(m4.messageId, "cc");
    alice.sds.onPropagated(m4.messageId, "dd", START);
    alice.commit();
    alice.send("five");
    hints.push(hint().toString("hex"));
    expect(hints).toEqual(["aa", "cc"]);
  });
});
