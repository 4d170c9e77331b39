/** Acknowledgements, retransmissions and sync messages: LIP-109, review ACK status and the periodic procedures. */
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { BloomFilter, filterBytes, filterShape } from "../../../src/sds/bloom-filter.ts";
import { lip109Layout } from "../../../src/sds/lip109-layout.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import { craft, type Done, hashFor, Peer, runTimers, START } from "./sds-peer.ts";

const sds = LIMITS.sds;

/** A serialised filter of `ids`, of the reference's size for `capacity`. */
function filterOf(capacity: number, ids: readonly string[]): Uint8Array {
  const filter = BloomFilter.empty(filterShape(capacity, 0.001));
  for (const id of ids) filter.insert(nimLayout.hashPair(id));
  return nimLayout.encodeFilter(filter);
}

/** Times, relative to the start, at which `peer` sends something of `kind`, all of it propagated at once. */
function sendings(peer: Peer, kind: string, until: number): number[] {
  const times: number[] = [];
  runTimers(peer, START + until, (outcome, now) => {
    for (const sent of outcome.outgoing) {
      if (sent.kind === kind) times.push(now - START);
      peer.sds.onPropagated(sent.messageId, hashFor(sent.messageId), now);
    }
    peer.commit();
  });
  return times;
}

describe("review of acknowledgements", () => {
  test("C21: a remote message that names ours empties the outgoing buffer, in storage too", () => {
    const alice = new Peer("alice");
    const m1 = alice.publish("one");
    expect(alice.storage.rows.get("sdsOutgoing")?.size).toBe(1);
    expect(alice.receive(craft({ after: [m1.messageId] })).acknowledged).toEqual([m1.messageId]);
    expect(alice.storage.rows.get("sdsOutgoing")?.size).toBe(0);
    expect(alice.sds.isAcknowledged(m1.messageId)).toBe(true);
    alice.restart();
    expect(alice.sds.isAcknowledged(m1.messageId)).toBe(true);
    expect(alice.sds.isAcknowledged("unknown")).toBe(false);
  });

  test("one sync message acknowledges nearly all of 40 segments, and a second one what it left in doubt", () => {
    const [alice, bob] = [new Peer("alice"), new Peer("bob")];
    const sent = Array.from({ length: 40 }, (_, i) => alice.publish(`segment ${i}`));
    for (const { wire } of sent) bob.receive(wire);
    runTimers(bob, START + 3000, ({ outgoing }) => {
      for (const { wire } of outgoing) if (wire) alice.receive(wire, START + 3000);
    });
    expect(alice.acknowledged.length).toBeGreaterThan(35);
    bob.receive(sent[0]?.wire ?? new Uint8Array(), START + 8000);
    runTimers(bob, START + 12_000, ({ outgoing }) => {
      for (const { wire } of outgoing) if (wire) alice.receive(wire, START + 12_000);
    });
    expect(new Set(alice.acknowledged)).toEqual(new Set(sent.map(({ messageId }) => messageId)));
    expect(alice.acknowledged).toHaveLength(40);
  });

  test("a hit in a nearly empty filter of the reference's size acknowledges", () => {
    const alice = new Peer("alice");
    const m1 = alice.publish("one");
    const message = craft({ bloomFilter: filterOf(10_000, [m1.messageId, "other"]) });
    expect(alice.receive(message).acknowledged).toEqual([m1.messageId]);
  });

  describe("a single false-positive hit", () => {
    /** A filter made for `capacity` ids that holds as many, that of `messageId` among them. */
    const full = (messageId: string, capacity = 100) =>
      filterOf(capacity, [messageId, ...Array.from({ length: capacity - 1 }, (_, i) => `other-${i}`)]);

    test.each([
      ["one sender", () => "bob"],
      ["several senders", (i: number) => `p${i}`],
    ])("does not acknowledge; hits in filters of %s and of other shapes do", (_, senderOf) => {
      const alice = new Peer("alice");
      const m1 = alice.publish("one");
      let messages = 0;
      for (; !alice.sds.isAcknowledged(m1.messageId) && messages < 10; messages++) {
        const bloomFilter = full(m1.messageId, 100 + messages);
        alice.receive(craft({ messageId: `m${messages}`, senderId: senderOf(messages), bloomFilter }));
        if (messages === 0) expect(alice.tables.outgoing.get(m1.messageId)?.hits).toHaveLength(1);
        alice.restart();
      }
      expect(messages).toBeGreaterThan(1);
      expect(messages).toBeLessThanOrEqual(4);
    });

    test("does not acknowledge beside those of other senders of the same shape: they summarise the same, and hit by the same chance", () => {
      const alice = new Peer("alice", { layout: lip109Layout });
      const sent = Array.from({ length: 100 }, (_, i) => alice.publish(`${i}`));
      // Members of @waku/sds after 20,000 messages that all of them received.
      const filter = BloomFilter.empty(lip109Layout.filterShape(0, 0));
      for (let i = 0; i < 20_000; i++) filter.insert(lip109Layout.hashPair(`other-${i}`));
      const hit = sent.filter(({ messageId }) => filter.has(lip109Layout.hashPair(messageId)));
      expect(hit.length).toBeGreaterThan(0);
      for (let i = 0; i < 20; i++) {
        filter.insert(lip109Layout.hashPair(`only-${i}`));
        const bloomFilter = lip109Layout.encodeFilter(filter);
        alice.receive(
          craft({ messageId: `s${i}`, senderId: `p${i}`, bloomFilter, lamportTimestamp: BigInt(START) }, lip109Layout),
        );
      }
      expect(alice.acknowledged).toEqual([]);
    });

    test("does not acknowledge with all of one sender's messages either, where its filter is never emptied", () => {
      const alice = new Peer("alice", { layout: lip109Layout });
      const sent = Array.from({ length: 100 }, (_, i) => alice.publish(`${i}`));
      // @waku/sds after 30,000 messages, in a filter made for 10,000.
      const filter = BloomFilter.empty(lip109Layout.filterShape(0, 0));
      for (let i = 0; i < 30_000; i++) filter.insert(lip109Layout.hashPair(`other-${i}`));
      const hit = sent.filter(({ messageId }) => filter.has(lip109Layout.hashPair(messageId)));
      for (let i = 0; i < 20; i++) {
        filter.insert(lip109Layout.hashPair(`later-${i}`));
        const bloomFilter = lip109Layout.encodeFilter(filter);
        alice.receive(
          craft({ messageId: `s${i}`, senderId: "bob", bloomFilter, lamportTimestamp: BigInt(START) }, lip109Layout),
        );
      }
      expect(hit.length).toBeGreaterThan(10);
      for (const { messageId } of hit) expect(alice.tables.outgoing.get(messageId)?.hits).toHaveLength(1);
      expect(alice.acknowledged).toEqual([]);
    });

    test("counts anew where the same sender began a filter with less in it", () => {
      const alice = new Peer("alice");
      const m1 = alice.publish("one");
      alice.receive(craft({ messageId: "a", senderId: "bob", bloomFilter: full(m1.messageId) }));
      expect(alice.acknowledged).toEqual([]);
      alice.receive(craft({ messageId: "b", senderId: "bob", bloomFilter: filterOf(100, [m1.messageId, "other"]) }));
      expect(alice.acknowledged).toEqual([m1.messageId]);
    });

    test("is remembered with few others", () => {
      const alice = new Peer("alice", { limits: { acknowledgementDoubt: 0 } });
      const m1 = alice.publish("one");
      for (let i = 0; i < 50; i++) {
        const bloomFilter = full(m1.messageId, 100 + i);
        alice.receive(craft({ messageId: `s${i}`, senderId: `p${i}`, bloomFilter }));
      }
      expect(alice.tables.outgoing.get(m1.messageId)?.hits).toHaveLength(sds.filterHits);
    });
  });

  test("replayed sync: it counts once", () => {
    const alice = new Peer("alice");
    const m1 = alice.publish("one");
    const ids = [m1.messageId, ...Array.from({ length: 99 }, (_, i) => `other-${i}`)];
    const sync = craft({ messageId: "s", content: new Uint8Array(0), bloomFilter: filterOf(100, ids) });
    alice.receive(sync);
    const { hits } = alice.tables.outgoing.get(m1.messageId) ?? {};
    expect(hits).toHaveLength(1);
    for (let i = 0; i < 20; i++) expect(alice.receive(sync).dropped).toBe("duplicate");
    expect(alice.tables.outgoing.get(m1.messageId)?.hits).toEqual(hits);
    expect(alice.acknowledged).toEqual([]);
  });

  const ones = BloomFilter.of(filterShape(10, 0.001), new Uint8Array(filterBytes(150)).fill(0xff));
  test.each([
    ["garbage", new Uint8Array([0xff, 0x00, 0xff, 0x13])],
    ["one byte", new Uint8Array([7])],
    ["all ones", ones ? nimLayout.encodeFilter(ones) : new Uint8Array()],
  ])("garbage, one-byte and all-ones blooms: one of %s is ignored, and its message delivered", (_, bloomFilter) => {
    const alice = new Peer("alice");
    const m1 = alice.publish("one");
    expect(bloomFilter.length).toBeGreaterThan(0);
    expect(alice.receive(craft({ bloomFilter }))).toMatchObject({ delivered: ["m"], acknowledged: [] });
    expect(alice.tables.outgoing.get(m1.messageId)?.hits).toEqual([]);
  });

  test("filter roll-over losing an unacknowledged id: the retransmission brings it back, and it is acknowledged at last", () => {
    const [alice, bob] = [new Peer("alice"), new Peer("bob", { limits: { filterIds: 3 } })];
    /** What bob says by itself until `until` reaches alice. */
    const answer = (until: number) => {
      let syncs = 0;
      runTimers(bob, START + until, ({ outgoing }, now) => {
        for (const { kind, wire } of outgoing) {
          if (wire === undefined) continue;
          expect(kind).toBe("sync");
          alice.receive(wire, now);
          syncs++;
        }
      });
      return syncs;
    };
    const m1 = alice.publish("one");
    bob.receive(m1.wire);
    // What carol says at the same time reaches bob only, and is all that its filter and its causal history have room for.
    const chain = [m1.messageId, "c0", "c1", "c2", "c3", "c4"];
    chain.slice(1).forEach((messageId, i) => {
      bob.receive(craft({ messageId, senderId: "carol", after: chain.slice(i, i + 1) }));
    });
    expect(bob.delivered).toEqual(chain);
    expect(bob.tables.summary.has(m1.messageId)).toBe(false);
    // Its ack-sync says nothing of what rolled out of its filter.
    expect(answer(4000)).toBe(1);
    expect([alice.acknowledged, alice.sds.isAcknowledged(m1.messageId)]).toEqual([[], false]);
    const sent = alice.tick(START + 5000).outgoing;
    expect(sent).toMatchObject([{ kind: "retransmission", messageId: m1.messageId }]);
    bob.receive(alice.wire(m1.messageId) ?? expect.unreachable(), START + 5000);
    expect(bob.tables.summary.has(m1.messageId)).toBe(true);
    expect(answer(8000)).toBe(1);
    expect(alice.acknowledged).toEqual([m1.messageId]);
    expect(alice.sds.isAcknowledged(m1.messageId)).toBe(true);
    expect(sendings(alice, "retransmission", 200_000)).toEqual([]);
  });

  test("filters stay small: ids that were summarised often enough are left out", () => {
    const [alice, bob] = [new Peer("alice"), new Peer("bob")];
    const sizes: number[] = [];
    for (let i = 0; i < 60; i++) {
      bob.receive(alice.send(`a${i}`).wire);
      const { wire } = bob.send(`b${i}`);
      alice.receive(wire);
      sizes.push(bob.decoded(wire).bloomFilter.length);
    }
    expect(Math.max(...sizes)).toBeLessThan(150);
    expect(bob.tables.summary.size).toBeLessThan(10);
  });
});

describe("retransmission", () => {
  test("5 s after it left, then 10, 20, 40 and 80 s after the one before; then exhausted", () => {
    const alice = new Peer("alice");
    const m1 = alice.publish("one");
    expect(sendings(alice, "retransmission", 200_000)).toEqual([5000, 15_000, 35_000, 75_000, 155_000]);
    const exhausted: string[] = [];
    runTimers(alice, START + 1_000_000, (outcome) => exhausted.push(...outcome.exhausted));
    expect(exhausted).toEqual([m1.messageId]);
    expect(alice.tables.outgoing.get(m1.messageId)?.state).toBe("exhausted");
  });

  test("a late acknowledgement after exhaustion still counts, once", () => {
    const alice = new Peer("alice");
    const m1 = alice.publish("one");
    sendings(alice, "retransmission", 1_000_000);
    alice.restart();
    expect(alice.receive(craft({ after: [m1.messageId] }), START + 1_000_000).acknowledged).toEqual([m1.messageId]);
    expect(alice.receive(craft({ messageId: "n", after: [m1.messageId] })).acknowledged).toEqual([]);
  });

  test("the timer starts when the message left", () => {
    const alice = new Peer("alice");
    const m1 = alice.send("one");
    expect(sendings(alice, "retransmission", 20_000)).toEqual([]);
    alice.sds.onPropagated(m1.messageId, "aa", START + 20_000);
    expect(sendings(alice, "retransmission", 26_000)).toEqual([25_000]);
  });

  test("stands still until the one before left, 20 minutes at most", () => {
    const alice = new Peer("alice");
    alice.publish("one");
    const times: number[] = [];
    runTimers(alice, START + 3_000_000, (outcome, now) => {
      if (outcome.outgoing.some(({ kind }) => kind === "retransmission")) times.push(now - START);
    });
    expect(times.slice(0, 2)).toEqual([5000, 5000 + sds.unreportedMs + 10_000]);
  });

  test("stands still while one waits in the rate limiter, though a store is found to have the original", () => {
    const alice = new Peer("alice");
    const m1 = alice.publish("one");
    expect(alice.tick(START + 5000).outgoing).toMatchObject([{ kind: "retransmission" }]);
    alice.sds.onStored(m1.messageId, "aa");
    expect(sendings(alice, "retransmission", 100_000)).toEqual([]);
  });

  test("possibly acknowledged ones wait twice as long", () => {
    const alice = new Peer("alice");
    const m1 = alice.publish("one");
    const ids = [m1.messageId, ...Array.from({ length: 99 }, (_, i) => `other-${i}`)];
    alice.receive(craft({ bloomFilter: filterOf(100, ids) }));
    expect(sendings(alice, "retransmission", 31_000)).toEqual([10_000, 30_000]);
  });

  test("is ephemeral once a store confirmed the original", () => {
    const alice = new Peer("alice");
    const m1 = alice.publish("one");
    expect(alice.tick(START + 5000).outgoing).toEqual([
      { kind: "retransmission", messageId: m1.messageId, ephemeral: false },
    ]);
    alice.sds.onStored(m1.messageId, "aa");
    alice.sds.onPropagated(m1.messageId, "bb", START + 5000);
    expect(alice.tick(START + 15_000).outgoing).toEqual([
      { kind: "retransmission", messageId: m1.messageId, ephemeral: true },
    ]);
    expect(alice.wire(m1.messageId)).toEqual(m1.wire);
  });

  test("offline the timer stands still", () => {
    const alice = new Peer("alice");
    alice.publish("one");
    alice.tick(START + 3000, false);
    expect(alice.tick(START + 3_600_000, false).outgoing).toEqual([]);
    expect(alice.tick(START + 3_600_000, true).outgoing).toEqual([]);
    expect(sendings(alice, "retransmission", 3_602_000)).toEqual([3_602_000]);
  });

  test("abandoned messages are not sent again until they are resumed, and can still be acknowledged", () => {
    const alice = new Peer("alice");
    const [m1, m2] = [alice.publish("one"), alice.publish("two")];
    for (const { messageId } of [m1, m2]) alice.sds.abandon(messageId);
    alice.commit();
    expect(sendings(alice, "retransmission", 600_000)).toEqual([]);
    expect(alice.receive(craft({ after: [m2.messageId] }), START + 600_000).acknowledged).toEqual([m2.messageId]);
    alice.restart();
    alice.sds.resume(m1.messageId, START + 600_000, true);
    alice.sds.onPropagated(m1.messageId, "aa", START + 600_000);
    expect(sendings(alice, "retransmission", 616_000)).toEqual([605_000, 615_000]);
  });

  test("exhausted messages that are awaited still are bounded, and go with their bytes", () => {
    const alice = new Peer("alice", { limits: { exhausted: 2, wireKeptMs: 1e9 } });
    const sent = Array.from({ length: 5 }, (_, i) => alice.publish(`m${i}`));
    sendings(alice, "retransmission", 1_000_000);
    expect(alice.tables.outgoing.size).toBe(2);
    expect(alice.wire(sent[0]?.messageId ?? "")).toBeUndefined();
    expect(alice.wire(sent[4]?.messageId ?? "")).toEqual(sent[4]?.wire);
  });

  test("forgotten messages leave nothing to wait for", () => {
    const alice = new Peer("alice");
    const m1 = alice.publish("one");
    alice.sds.forget(m1.messageId);
    alice.commit();
    expect(alice.tables.outgoing.size).toBe(0);
    expect(alice.wire(m1.messageId)).toBeUndefined();
  });

  test("wire bytes are kept while unacknowledged and for their time after", () => {
    const alice = new Peer("alice");
    const m1 = alice.publish("one");
    alice.receive(craft({ after: [m1.messageId] }));
    runTimers(alice, START + sds.wireKeptMs - 1);
    expect(alice.wire(m1.messageId)).toEqual(m1.wire);
    runTimers(alice, START + 2 * sds.wireKeptMs);
    alice.send("two", START + 2 * sds.wireKeptMs);
    expect(alice.wire(m1.messageId)).toBeUndefined();
  });

  test("wire bytes kept for repair are bounded, those still to be sent are not", () => {
    const alice = new Peer("alice", { limits: { wireBytes: 0 } });
    const [m1, m2] = [alice.publish("one"), alice.publish("two")];
    alice.receive(craft({ after: [m1.messageId] }));
    alice.send("three");
    expect(alice.wire(m1.messageId)).toBeUndefined();
    expect(alice.wire(m2.messageId)).toEqual(m2.wire);
  });
});

describe("messages in several parts", () => {
  /** Alice's message in two parts, and what others say of them. */
  function inTwo(config: ConstructorParameters<typeof Peer>[1] = {}) {
    const alice = new Peer("alice", config);
    const [first, second] = alice.publishInParts("message", 2).map(({ messageId }) => messageId);
    let said = 0;
    const says = (senderId: string, after: readonly (string | undefined)[], now = START) => {
      const has = after.filter((id) => id !== undefined);
      return alice.receive(
        craft({ messageId: `said ${said++}`, senderId, content: new Uint8Array(0), after: has }),
        now,
      );
    };
    return { alice, first, second, says };
  }

  test("are whole with one participant only once that one has all parts, however many have some", () => {
    const { alice, first, second, says } = inTwo();
    expect(says("bob", [first])).toMatchObject({ acknowledged: [first], whole: [] });
    expect(says("carol", [second])).toMatchObject({ acknowledged: [second], whole: [] });
    for (let i = 0; i < 5; i++) {
      expect(says("bob", [first])).toMatchObject({ acknowledged: [], whole: [] });
      expect(says("carol", [second])).toMatchObject({ acknowledged: [], whole: [] });
    }
    alice.restart();
    expect(says("carol", [first])).toMatchObject({ acknowledged: [], whole: ["message"] });
    expect([alice.tables.outgoing.size, alice.tables.holders.size]).toEqual([0, 0]);
    expect(says("bob", [first, second])).toMatchObject({ acknowledged: [], whole: [] });
  });

  test("are acknowledged whole by one message that names or summarises all parts", () => {
    const { alice, first, second } = inTwo();
    const message = craft({ after: [second ?? ""], bloomFilter: filterOf(10_000, [first ?? ""]) });
    expect(alice.receive(message)).toMatchObject({ acknowledged: [second, first], whole: ["message"] });
  });

  test("from participants without a name only one that shows all parts at once counts", () => {
    const { first, second, says } = inTwo();
    says("", [first]);
    expect(says("", [second]).whole).toEqual([]);
    expect(says("", [first, second]).whole).toEqual(["message"]);
  });

  test("doubtful hits of two participants do not say together that one of them has a part", () => {
    const { alice, first, second, says } = inTwo();
    says("bob", [second]);
    const full = (capacity: number) =>
      filterOf(capacity, [first ?? "", ...Array.from({ length: capacity - 1 }, (_, i) => `other-${i}`)]);
    const hit = (senderId: string, capacity: number) =>
      alice.receive(craft({ messageId: `${senderId} ${capacity}`, senderId, bloomFilter: full(capacity) }));
    for (const senderId of ["bob", "carol", "dave", "eve"]) expect(hit(senderId, 100).acknowledged).toEqual([]);
    // Nor do those of participants without a name, which may be several.
    for (const capacity of [101, 102, 103, 104]) expect(hit("", capacity).acknowledged).toEqual([]);
    const wholes = [101, 102, 103].flatMap((capacity) => hit("bob", capacity).whole);
    expect(wholes).toEqual(["message"]);
  });

  test("are retransmitted as far as the participant lacks them that has most, later than what nobody has; then exhausted", () => {
    const { alice, first, second, says } = inTwo();
    says("bob", [first]);
    says("carol", [second]);
    const sent: [string, number][] = [];
    const exhausted: string[] = [];
    runTimers(alice, START + 1_000_000, (outcome, now) => {
      exhausted.push(...outcome.exhausted);
      const again = outcome.outgoing.filter(({ kind }) => kind === "retransmission");
      for (const { messageId } of again) sent.push([messageId, now - START]);
      alice.propagated(again, now);
    });
    expect(sent).toEqual([10_000, 30_000, 70_000, 150_000, 310_000].map((at) => [second, at]));
    // What waited for the sake of the other part waits no longer: its bytes are not kept for ever.
    expect(new Set(exhausted)).toEqual(new Set([first, second]));
    expect([...alice.tables.wireSizes.values()].every(({ untilMs }) => untilMs !== undefined)).toBe(true);
    alice.restart();
    expect(says("bob", [second], START + 1_000_000).whole).toEqual(["message"]);
  });

  test("another participant that has more is the one to help from then on", () => {
    const alice = new Peer("alice");
    const ids = alice.publishInParts("message", 3).map(({ messageId }) => messageId);
    const [a = "", b = "", c = ""] = ids;
    alice.receive(craft({ messageId: "m0", senderId: "bob", after: [a] }));
    alice.receive(craft({ messageId: "m1", senderId: "carol", after: [b, c] }));
    const sent: string[] = [];
    runTimers(alice, START + 60_000, ({ outgoing }) => {
      for (const { kind, messageId } of outgoing) if (kind === "retransmission") sent.push(messageId);
    });
    expect(new Set(sent)).toEqual(new Set([a]));
  });

  test("a part that is acknowledged once another is forgotten is exhausted, too: it would wait for ever", () => {
    const alice = new Peer("alice", { limits: { exhausted: 1 } });
    const [left, held] = alice.sendInParts("message", 2);
    const other = alice.send("another message");
    if (left === undefined || held === undefined) expect.unreachable();
    alice.propagated([left, other]);
    const leave = ({ outgoing }: Done, now: number) =>
      alice.propagated(
        outgoing.flatMap((sent) => (sent.kind === "retransmission" ? [sent] : [])),
        now,
      );
    runTimers(alice, START + 300_000, leave);
    expect([...alice.tables.outgoing.keys()].toSorted()).toEqual([held.messageId, other.messageId].toSorted());
    alice.propagated([held], START + 300_000);
    alice.receive(craft({ senderId: "bob", after: [held.messageId] }), START + 301_000);
    runTimers(alice, START + 3_600_000, leave);
    expect(alice.tables.outgoing.get(held.messageId)?.state).not.toBe("waiting");
  });

  test("a part that is acknowledged once the others are exhausted is exhausted with them", () => {
    const { alice, first, second, says } = inTwo();
    alice.sds.onPropagated(first ?? "", "aa", START);
    // The second one waits in the rate limiter.
    alice.tables.outgoing.put(second ?? "", {
      ...(alice.tables.outgoing.get(second ?? "") ?? expect.unreachable()),
      leftMs: 10_000_000,
    });
    alice.commit();
    runTimers(alice, START + 1_000_000, ({ outgoing }, now) =>
      alice.propagated(
        outgoing.filter(({ kind }) => kind === "retransmission"),
        now,
      ),
    );
    const states = () => [first, second].map((id) => alice.tables.outgoing.get(id ?? "")?.state);
    expect(states()).toEqual(["exhausted", "waiting"]);
    expect(says("bob", [second], START + 1_000_000)).toMatchObject({ acknowledged: [second], exhausted: [second] });
    expect(states()).toEqual(["exhausted", "exhausted"]);
  });

  test("those that have most of a message are remembered, and few of them", () => {
    const alice = new Peer("alice");
    const ids = alice.publishInParts("message", 4).map(({ messageId }) => messageId);
    const says = (senderId: string, after: readonly string[]) =>
      alice.receive(craft({ messageId: `${senderId} ${after.length}`, senderId, after }));
    says("bob", ids.slice(0, 3));
    for (let i = 0; i < 50; i++) says(`p${i}`, ids.slice(0, 1 + (i % 2)));
    const holders = alice.tables.holders.get("message")?.holders ?? [];
    expect(holders).toHaveLength(sds.holders);
    expect(holders.map(({ parts }) => parts)).toEqual([
      0b111n,
      ...Array.from({ length: sds.holders - 1 }, () => 0b11n),
    ]);
    expect(says("bob", ids.slice(3)).whole).toEqual(["message"]);
  });

  test("leave nothing behind where they are forgotten", () => {
    const { alice, first, second, says } = inTwo();
    says("bob", [first]);
    for (const id of [first, second]) alice.sds.forget(id ?? "");
    alice.commit();
    expect([alice.tables.outgoing.size, alice.tables.holders.size]).toEqual([0, 0]);
  });
});

describe("ephemeral messages of ours", () => {
  test("carry neither history nor filter, enter no buffer and no log, and keep their bytes for the sending", () => {
    const alice = new Peer("alice");
    alice.publish("one");
    const typing = alice.send("typing", START, true);
    expect(alice.decoded(typing.wire)).toMatchObject({ causalHistory: [], bloomFilter: new Uint8Array(0) });
    expect(alice.tables.outgoing.has(typing.messageId)).toBe(false);
    expect(alice.sds.logIds()).not.toContain(typing.messageId);
    expect(alice.wire(typing.messageId)).toEqual(typing.wire);
  });

  test("keep their bytes until they left, however many and large they are", () => {
    const alice = new Peer("alice", { limits: { wireBytes: 10_000 } });
    const ids = Array.from({ length: 20 }, (_, i) => alice.send(String(i).repeat(1_000), START, true).messageId);
    expect(ids.filter((id) => alice.wire(id) === undefined)).toEqual([]);
    for (const id of ids) alice.sds.forget(id);
    alice.commit();
    expect(alice.tables.wireSizes.size).toBe(0);
  });

  test("are delivered at once and answered by nobody", () => {
    const [alice, bob] = [new Peer("alice"), new Peer("bob")];
    alice.publish("lost on the way");
    expect(bob.receive(alice.send("typing", START, true).wire).delivered).toHaveLength(1);
    expect(sendings(bob, "sync", 10_000)).toEqual([]);
  });

  test("satisfy dependencies of those who name them", () => {
    const alice = new Peer("alice");
    const typing = alice.send("typing", START, true);
    expect(alice.receive(craft({ after: [typing.messageId] })).delivered).toEqual(["m"]);
  });
});

describe("sync messages that acknowledge", () => {
  const heard = (random: number) => {
    const [alice, bob] = [new Peer("alice"), new Peer("bob")];
    bob.receive(alice.publish("one").wire, START, random);
    return sendings(bob, "sync", 10_000);
  };

  test("follow content after 0.5 to 2 s", () => {
    expect(heard(0)).toEqual([500]);
    expect(heard(0.999)).toEqual([1999]);
  });

  test("are a message of empty content with a unique id, and not ephemeral", () => {
    const [alice, bob] = [new Peer("alice"), new Peer("bob")];
    bob.receive(alice.publish("one").wire);
    const ids = new Set<string>();
    runTimers(bob, START + 300_000, ({ outgoing }) => {
      for (const sync of outgoing) {
        expect(sync).toMatchObject({ kind: "sync", ephemeral: false });
        const message = bob.decoded(sync.wire ?? new Uint8Array());
        expect(message).toMatchObject({ messageId: sync.messageId, content: new Uint8Array(0), senderId: "bob" });
        ids.add(sync.messageId);
      }
    });
    expect(ids.size).toBeGreaterThan(2);
    expect(bob.sds.logIds()).toHaveLength(1);
  });

  test("are not needed after an own message", () => {
    const [alice, bob] = [new Peer("alice"), new Peer("bob")];
    bob.receive(alice.publish("one").wire);
    alice.receive(bob.publish("reply", START + 100).wire);
    expect(alice.acknowledged).toHaveLength(1);
    expect(sendings(bob, "sync", 5000)).toEqual([]);
  });

  test("are not needed after another member's acknowledgement, but after the author's own message they are", () => {
    const [alice, bob] = [new Peer("alice"), new Peer("bob")];
    const m1 = alice.publish("one");
    bob.receive(m1.wire);
    bob.receive(craft({ messageId: "s1", senderId: "alice", content: new Uint8Array(0), after: [m1.messageId] }));
    expect(bob.tables.meta.get("row")?.ackOwed).toBeDefined();
    bob.receive(craft({ messageId: "s2", senderId: "carol", content: new Uint8Array(0), after: [m1.messageId] }));
    expect(sendings(bob, "sync", 5000)).toEqual([]);
  });

  test("come at most every 2 s", () => {
    const [alice, bob] = [new Peer("alice"), new Peer("bob")];
    const times: number[] = [];
    for (let at = 0; at < 20_000; at += 100) {
      bob.receive(alice.send(`m${at}`, START + at).wire, START + at, 0);
      times.push(...sendings(bob, "sync", at + 99));
    }
    const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0));
    expect(times.length).toBeGreaterThan(5);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(sds.ackSyncGapMs);
  });

  test("come at most every 10 s where members name sync messages in causal histories", () => {
    const [alice, bob] = [new Peer("alice"), new Peer("bob")];
    bob.receive(alice.publish("one").wire, START, 0);
    const sync = bob.tick(START + 500).outgoing[0];
    bob.receive(
      craft({ messageId: "x", after: [sync?.messageId ?? ""], bloomFilter: new Uint8Array([1]) }),
      START + 600,
    );
    expect(sendings(bob, "sync", 20_000)).toEqual([500 + sds.ackSyncReferenceGapMs]);
  });

  test("answer a retransmission, whoever else has answered", () => {
    const [alice, bob] = [new Peer("alice"), new Peer("bob")];
    const m1 = alice.publish("one");
    bob.receive(m1.wire);
    expect(sendings(bob, "sync", 3000)).toHaveLength(1);
    bob.receive(m1.wire, START + 5000);
    bob.receive(craft({ messageId: "s", content: new Uint8Array(0), after: [m1.messageId] }), START + 5000);
    const answers: Uint8Array[] = [];
    runTimers(bob, START + 8000, ({ outgoing }) => {
      for (const { wire } of outgoing) if (wire) answers.push(wire);
    });
    expect(answers).toHaveLength(1);
    expect(alice.receive(answers[0] ?? new Uint8Array(), START + 8000).acknowledged).toEqual([m1.messageId]);
  });

  test("do not wait for members of long ago", () => {
    const bob = new Peer("bob");
    const hear = (senderId: string, now: number) =>
      bob.receive(craft({ messageId: `${senderId} ${now}`, senderId, content: new Uint8Array(0) }), now);
    for (let i = 0; i < 50; i++) hear(`gone ${i}`, START);
    const later = START + sds.memberActiveMs + 1_000;
    bob.tick(later - sds.timerSlackMs);
    for (let now = START; now < later; now += sds.timerSlackMs) bob.tick(now);
    bob.receive(new Peer("alice").publish("hi", later).wire, later, 0.999);
    const { ackOwed, awakeMs } = bob.tables.meta.get("row") ?? {};
    expect((ackOwed?.dueMs ?? 0) - (awakeMs ?? 0)).toBeLessThanOrEqual(sds.ackSyncMaxMs);
    expect(bob.sds.members()).toBe(51);
  });

  test("wait for no more than so many members, however many names a stranger uses", () => {
    const bob = new Peer("bob");
    for (let i = 0; i < 2 * sds.members; i++) {
      bob.receive(craft({ messageId: `s${i}`, senderId: `forged ${i}`, content: new Uint8Array(0) }));
    }
    bob.receive(new Peer("alice").publish("hi").wire, START, 0.999);
    const { ackOwed, awakeMs } = bob.tables.meta.get("row") ?? {};
    const most = sds.ackSyncMaxMs * Math.sqrt(sds.membersActive);
    expect((ackOwed?.dueMs ?? 0) - (awakeMs ?? 0)).toBeLessThanOrEqual(most);
    expect(bob.sds.members()).toBe(sds.members);
    expect(bob.tables.members.has("alice")).toBe(true);
  });

  test("wait longer in a large group, by the root of its size", () => {
    const bob = new Peer("bob");
    for (let i = 0; i < 25; i++)
      bob.receive(craft({ messageId: `s${i}`, senderId: `p${i}`, content: new Uint8Array(0) }));
    bob.receive(new Peer("alice").publish("one").wire, START, 0.999);
    const [first] = sendings(bob, "sync", 20_000);
    expect(first).toBeGreaterThan(9000);
    expect(first).toBeLessThan(sds.ackSyncMaxMs * Math.sqrt(26));
  });
});

describe("a sync message that waits for the rate limiter", () => {
  /** Lets its timers run without making what they decide. Returns how many sync messages they decide. */
  function decided(peer: Peer, until: number): number {
    let syncs = 0;
    for (let now = peer.sds.nextDeadline(); now !== undefined && now <= until; now = peer.sds.nextDeadline()) {
      const { outgoing } = peer.sds.tick({ now, random: 0.5, online: true });
      syncs += outgoing.filter(({ kind }) => kind === "sync").length;
      peer.commit();
    }
    return syncs;
  }

  /** Bob has heard these, one a minute, while one waits. */
  function waiting(): { readonly alice: Peer; readonly bob: Peer; readonly ids: readonly string[] } {
    const [alice, bob] = [new Peer("alice"), new Peer("bob")];
    const ids: string[] = [];
    for (let minute = 0; minute < 10; minute++) {
      const now = START + minute * 60_000;
      const { messageId, wire } = alice.publish(`${minute}`, now);
      ids.push(messageId);
      bob.sds.handleIncoming(wire, { now, messageHash: hashFor(messageId), random: 0.5 });
      bob.commit();
      expect(decided(bob, now + 59_000)).toBe(minute === 0 ? 1 : 0);
    }
    return { alice, bob, ids };
  }

  test("is decided once, wakes nobody, and acknowledges all that was heard until it goes", () => {
    const { alice, bob, ids } = waiting();
    expect(bob.sds.nextDeadline()).toBeUndefined();
    bob.restart();
    alice.receive(bob.sds.wrapSync(START + 600_000).wire, START + 600_000);
    expect(alice.acknowledged.length).toBeGreaterThan(ids.length - 2);
    // Nothing of what it said is due again; the periodic ones go on.
    expect(bob.sds.nextDeadline()).toBeGreaterThan(START + 600_000 + sds.ackSyncMaxMs);
    expect(decided(bob, START + 600_000 + 2 * sds.syncMs)).toBe(1);
  });

  test("is not counted among the messages that named an id before it is made", () => {
    const { bob, ids } = waiting();
    expect(bob.tables.meta.get("row")?.sends).toBe(0);
    expect(bob.tables.summary.size).toBe(ids.length);
  });

  test("is needed no more after an own message, which says the same", () => {
    const { bob } = waiting();
    bob.send("reply", START + 600_000);
    expect(bob.tables.meta.get("row")).not.toHaveProperty("syncWaits");
    expect(decided(bob, START + 600_000 + 2 * sds.syncMs)).toBe(1);
  });

  test("asks for repairs, and counts as having asked, when it is made", () => {
    const bob = new Peer("bob", { startedAt: START - 60_000 });
    const causalHistory = [{ messageId: "gap", senderId: "alice" }];
    bob.sds.handleIncoming(craft({ causalHistory }), { now: START, messageHash: "aa".repeat(32), random: 0.5 });
    const later = START + sds.repairMaxMs;
    expect(decided(bob, later)).toBe(1);
    const asked = () => bob.decoded(bob.sds.wrapSync(later).wire).repairRequest.map(({ messageId }) => messageId);
    expect(asked()).toEqual(["gap"]);
    expect(asked()).toEqual([]);
  });
});

describe("periodic sync messages", () => {
  test("start with the first content, and decay from 30 s to 10 min", () => {
    const alice = new Peer("alice");
    expect(alice.sds.nextDeadline()).toBeUndefined();
    const m1 = alice.publish("one");
    alice.receive(craft({ after: [m1.messageId], content: new Uint8Array(0) }));
    const times = sendings(alice, "sync", 3_600_000);
    const gaps = times.map((time, i) => time - (times[i - 1] ?? 0));
    expect(gaps.slice(0, 5)).toEqual([30_000, 60_000, 120_000, 240_000, 480_000]);
    expect(Math.max(...gaps)).toBe(sds.syncMaxMs);
  });

  test("are put off by whatever is heard, and start over with content", () => {
    const alice = new Peer("alice");
    alice.receive(craft({}));
    const times: number[] = [];
    for (let at = 0; at < 300_000; at += 20_000) {
      alice.receive(craft({ messageId: `s${at}`, content: new Uint8Array(0) }), START + at);
      times.push(...sendings(alice, "sync", at + 19_999));
    }
    expect(times).toEqual([]);
    alice.receive(craft({ messageId: "n" }), START + 300_000);
    expect(alice.tables.meta.get("row")?.sync?.intervalMs).toBe(sds.syncMs);
  });

  test("are spread by the random number of the tick before", () => {
    const due = (random: number) => {
      const alice = new Peer("alice");
      alice.publish("one");
      alice.tick(START + 10, true, random);
      alice.publish("two", START + 10);
      return (alice.tables.meta.get("row")?.sync?.dueMs ?? 0) - 10;
    };
    expect(due(0)).toBe(22_500);
    expect(due(0.5)).toBe(30_000);
  });
});
