/** SDS Repair, LIP-109: who asks for a missing message, who answers, and when. */
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import { isInResponseGroup, requestDelayMs, responseDelayMs } from "../../../src/sds/repair-timing.ts";
import vectors from "../../vectors/sds/nim_repair.json" with { type: "json" };
import { craft, Peer, runTimers, START } from "./sds-peer.ts";

const { repairMinMs, repairMaxMs } = LIMITS.sds;
const empty = new Uint8Array(0);

test.each(vectors.vectors)("nim_repair: $participantId, $senderId, $messageId", (vector) => {
  const { participantId, senderId, messageId } = vector;
  const hash = nimLayout.repairHash;
  expect(requestDelayMs(hash, participantId, messageId, 30_000, 300_000)).toBe(vector.tReqOffsetMs_30s_300s);
  expect(responseDelayMs(hash, participantId, senderId, messageId, 300_000)).toBe(vector.tRespOffsetMs_300s);
  const groups = [1, 2, 3, 10].map((count) => isInResponseGroup(hash, participantId, senderId, messageId, count));
  expect(groups).toEqual([vector.inGroup1, vector.inGroup2, vector.inGroup3, vector.inGroup10]);
});

/** Bob misses m1 of alice and has m2; what he sends until `until`, as it leaves. */
function missing(): { alice: Peer; bob: Peer; m1: { messageId: string; wire: Uint8Array }; requestAt: number } {
  const [alice, bob] = [new Peer("alice"), new Peer("bob", { startedAt: START - 60_000 })];
  const m1 = alice.publish("one");
  bob.receive(alice.publish("two").wire);
  const delay = requestDelayMs(nimLayout.repairHash, "bob", m1.messageId, repairMinMs, repairMaxMs);
  return { alice, bob, m1, requestAt: START + delay };
}

function requests(
  peer: Peer,
  until: number,
): { readonly at: number; readonly ids: string[]; readonly wire: Uint8Array }[] {
  const found: { at: number; ids: string[]; wire: Uint8Array }[] = [];
  runTimers(peer, until, ({ outgoing }, now) => {
    for (const { wire } of outgoing) {
      const ids = wire ? peer.decoded(wire).repairRequest.map(({ messageId }) => messageId) : [];
      if (wire && ids.length > 0) found.push({ at: now, ids, wire });
    }
  });
  return found;
}

describe("requests", () => {
  test("RC10b: the gap is asked for at T_req by a sync message, answered at once by its author, and filled", () => {
    const { alice, bob, m1, requestAt } = missing();
    const [request, ...more] = requests(bob, requestAt);
    expect(more).toEqual([]);
    expect(request).toMatchObject({ at: requestAt, ids: [m1.messageId] });
    expect(bob.decoded(request?.wire ?? empty).repairRequest[0]?.senderId).toBe("alice");
    alice.receive(request?.wire ?? empty, requestAt);
    expect(alice.sds.nextDeadline()).toBeLessThanOrEqual(requestAt);
    const answer = alice.tick(requestAt).outgoing.filter(({ kind }) => kind === "repair");
    expect(answer).toEqual([{ kind: "repair", messageId: m1.messageId, ephemeral: true }]);
    expect(alice.wire(m1.messageId)).toEqual(m1.wire);
    expect(bob.receive(m1.wire, requestAt + 100).delivered).toHaveLength(2);
    expect(bob.lost).toEqual([]);
  });

  test("travel with our own next message once they are due", () => {
    const { bob, m1, requestAt } = missing();
    runTimers(bob, requestAt - 1);
    expect(bob.decoded(bob.send("too early", requestAt - 1).wire).repairRequest).toEqual([]);
    expect(bob.decoded(bob.send("due", requestAt).wire).repairRequest).toMatchObject([{ messageId: m1.messageId }]);
    expect(requests(bob, requestAt + repairMinMs - 1)).toEqual([]);
  });

  test("are made again every 30 to 60 s until the message comes or is given up", () => {
    const { bob, m1, requestAt } = missing();
    const times = requests(bob, START + 2 * LIMITS.sds.lostAfterMs).map(({ at }) => at);
    const gaps = times.slice(1).map((at, i) => at - (times[i] ?? 0));
    expect(times[0]).toBe(requestAt);
    expect(times.length).toBeGreaterThan(4);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(repairMinMs);
    expect(Math.max(...gaps)).toBeLessThan(2 * repairMinMs);
    expect(times.at(-1)).toBeLessThan(START + LIMITS.sds.lostAfterMs);
    expect(bob.lost).toEqual([m1.messageId]);
  });

  test("wait where another member has asked", () => {
    const { bob, m1 } = missing();
    const repairRequest = [{ messageId: m1.messageId, senderId: "alice" }];
    const asked = (n: number) => craft({ messageId: `s${n}`, senderId: "carol", content: empty, repairRequest });
    for (let at = START; at < START + LIMITS.sds.lostAfterMs; at += repairMinMs) {
      expect(requests(bob, at)).toEqual([]);
      bob.receive(asked(at), at);
    }
    expect(bob.lost).toEqual([]);
  });

  test("name at most three messages, the most overdue first", () => {
    const bob = new Peer("bob", { limits: { lostAfterMs: 1e9 } });
    const causalHistory = Array.from({ length: 7 }, (_, i) => ({ messageId: `gap-${i}`, senderId: "alice" }));
    bob.receive(craft({ causalHistory }));
    const overdue = causalHistory
      .map(({ messageId }) => ({
        messageId,
        delay: requestDelayMs(nimLayout.repairHash, "bob", messageId, repairMinMs, repairMaxMs),
      }))
      .sort((a, b) => a.delay - b.delay);
    for (let now = START; now < START + repairMaxMs; now += 25_000) bob.tick(now, false);
    bob.tick(START + repairMaxMs, true);
    const asked = requests(bob, START + 3 * repairMaxMs);
    for (const { ids } of asked) expect(ids.length).toBeLessThanOrEqual(LIMITS.sds.repairRequest);
    expect([...new Set(asked.flatMap(({ ids }) => ids))]).toEqual(overdue.map(({ messageId }) => messageId));
  });

  test("survive a restart", () => {
    const { bob, m1, requestAt } = missing();
    bob.restart();
    expect(requests(bob, requestAt)).toMatchObject([{ at: requestAt, ids: [m1.messageId] }]);
  });
});

describe("answers", () => {
  const repairs = (peer: Peer, until: number) => {
    const found: { at: number; messageId: string }[] = [];
    runTimers(peer, until, ({ outgoing }, now) => {
      for (const { kind, messageId } of outgoing) if (kind === "repair") found.push({ at: now - START, messageId });
    });
    return found;
  };

  /** Carol has a message of alice, exactly as it came. */
  function holder(): { carol: Peer; m1: { messageId: string; wire: Uint8Array }; answerAt: number } {
    const [alice, carol] = [new Peer("alice"), new Peer("carol")];
    const m1 = alice.publish("one");
    carol.receive(m1.wire);
    return { carol, m1, answerAt: responseDelayMs(nimLayout.repairHash, "carol", "alice", m1.messageId, repairMaxMs) };
  }

  const ask = (messageId: string, id: string) =>
    craft({ messageId: id, senderId: "bob", content: empty, repairRequest: [{ messageId, senderId: "alice" }] });

  test("come from any member at T_resp, with the bytes of the original", () => {
    const { carol, m1, answerAt } = holder();
    carol.receive(ask(m1.messageId, "r1"));
    carol.restart();
    expect(repairs(carol, START + repairMaxMs)).toEqual([{ at: answerAt, messageId: m1.messageId }]);
    expect(carol.wire(m1.messageId)).toEqual(m1.wire);
  });

  test("a repeated request does not postpone an answer", () => {
    const { carol, m1, answerAt } = holder();
    carol.receive(ask(m1.messageId, "r1"));
    runTimers(carol, START + answerAt - 1);
    carol.receive(ask(m1.messageId, "r2"), START + answerAt - 1);
    expect(repairs(carol, START + answerAt + 29_000)).toEqual([{ at: answerAt, messageId: m1.messageId }]);
  });

  test("are not needed once the message was heard again: a duplicate cancels them", () => {
    const { carol, m1 } = holder();
    carol.receive(ask(m1.messageId, "r1"));
    expect(carol.receive(m1.wire).dropped).toBe("duplicate");
    expect(repairs(carol, START + 2 * repairMaxMs)).toEqual([]);
  });

  test("for our own message, an answer by another member cancels ours", () => {
    const alice = new Peer("alice");
    const m1 = alice.publish("one");
    alice.receive(craft({ messageId: "ack", senderId: "x", content: empty, after: [m1.messageId] }));
    alice.receive(ask(m1.messageId, "r1"));
    alice.receive(m1.wire);
    expect(repairs(alice, START + repairMaxMs)).toEqual([]);
  });

  test("repair floods: one answer per message in half a minute, none for what we do not have", () => {
    const { carol, m1 } = holder();
    for (let i = 0; i < 200; i++) {
      carol.receive(ask(m1.messageId, `flood-${i}`), START + i * 100);
      carol.receive(ask(`unknown-${i}`, `noise-${i}`), START + i * 100);
    }
    expect(carol.tables.repairs.size).toBe(1);
    expect(repairs(carol, START + 2 * repairMaxMs)).toHaveLength(1);
  });
});
