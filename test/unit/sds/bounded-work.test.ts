/** What strangers can make a member do and keep with messages that wait for others: bounded work, and bounded rows. */
import { describe, expect, test, vi } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { craft, Peer, runTimers, START } from "./sds-peer.ts";

const AT = START / 1000;
const MINUTE = 60_000;
/** Longer than anything is looked for. */
const NEVER_FOUND = 11 * MINUTE;

function member(limits = {}): Peer {
  return new Peer("me", { startedAt: START - 600_000, limits });
}

function ids(count: number, prefix: string): readonly string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

/** Hears `count` messages that name the same ids, and whose Lamport times ascend from `lamport`. */
function hear(me: Peer, count: number, prefix: string, lamport: number, after: readonly string[], now = START): void {
  for (const [i, messageId] of ids(count, prefix).entries()) {
    me.receive(craft({ messageId, after, lamportTimestamp: BigInt(AT + lamport + i) }), now);
  }
}

/** Rows of parked messages that storage is given in `event`, and ids of other messages in them. */
function parkedWrites(me: Peer, event: () => void): { readonly rows: number; readonly ids: number } {
  let [rows, named] = [0, 0];
  me.tables.incoming.observe((_key, before, after) => {
    if (before !== undefined || after !== undefined) rows++;
    named += (after?.history.length ?? 0) + (after?.waitsFor.length ?? 0);
  });
  const standing = [...me.tables.incoming.values()];
  rows -= standing.length;
  for (const { history, waitsFor } of standing) named -= history.length + waitsFor.length;
  event();
  return { rows, ids: named };
}

describe("giving up writes a few rows per message that waits", () => {
  test("where as many others are earlier, and wait for something else", () => {
    const COUNT = 100;
    const me = member();
    hear(me, COUNT, "late", 5_000, ["first"]);
    runTimers(me, START + MINUTE);
    hear(me, COUNT, "early", 0, ["second"], START + MINUTE);
    const { rows, ids: named } = parkedWrites(me, () => runTimers(me, START + MINUTE + NEVER_FOUND));
    expect(me.delivered).toEqual([...ids(COUNT, "early"), ...ids(COUNT, "late")]);
    expect(rows).toBeLessThanOrEqual(2 * 2 * COUNT);
    expect(named).toBeLessThanOrEqual(2 * COUNT);
  });

  test("where each names all that is given up", () => {
    const [COUNT, MISSING] = [60, 40];
    const me = member();
    hear(me, COUNT, "m", 0, ids(MISSING, "x"));
    const { rows } = parkedWrites(me, () => runTimers(me, START + NEVER_FOUND));
    expect(me.lost.toSorted()).toEqual(ids(MISSING, "x").toSorted());
    expect(me.delivered).toEqual(ids(COUNT, "m"));
    expect(rows).toBeLessThanOrEqual(2 * COUNT);
  });
});

test("what a dependency releases is written once each, however much each of them waited for", () => {
  const [COUNT, NAMED] = [80, 60];
  const me = member();
  for (const [i, messageId] of ids(COUNT, "m").entries()) {
    const earlier = ids(COUNT, "m").slice(Math.max(0, i - NAMED), i);
    me.receive(craft({ messageId, after: ["first", ...earlier], lamportTimestamp: BigInt(AT + 1 + i) }));
  }
  const written = parkedWrites(me, () => me.receive(craft({ messageId: "first", lamportTimestamp: BigInt(AT) })));
  expect(me.delivered).toEqual(["first", ...ids(COUNT, "m")]);
  expect(written).toEqual({ rows: COUNT, ids: 0 });
});

test("a chain of parts as long as the log, each named by the next one only, is named in one go", () => {
  const me = member();
  const last = LIMITS.sds.log - 10;
  for (let i = 0; i <= last; i++) {
    const wire = craft({ messageId: `p${i}`, after: i === 0 ? [] : [`p${i - 1}`], lamportTimestamp: BigInt(AT + i) });
    me.sds.handleIncoming(wire, { now: START, messageHash: "ab".repeat(32), random: 0.5, isInner: () => true });
  }
  me.commit();
  const naming = craft({ messageId: "whole", after: [`p${last}`], lamportTimestamp: BigInt(AT + 20_000) });
  expect(me.receive(naming).delivered).toEqual(["whole"]);
  expect([...me.tables.log.values()].filter(({ names }) => names !== undefined)).toEqual([]);
});

test("giving up reads each history once, however many of its entries are given up", () => {
  const [COUNT, MISSING] = [30, 40];
  const me = member();
  const history = ids(MISSING, "x").map((messageId) => ({ messageId, senderId: "mallory" }));
  for (const [i, messageId] of ids(COUNT, "m").entries()) {
    me.receive(craft({ messageId, causalHistory: history, lamportTimestamp: BigInt(AT + i) }));
  }
  const { incoming, log, missing, seen } = me.tables;
  const lookUps = [incoming, log, missing, seen].map((table) => vi.spyOn(table, "get"));
  let total = 0;
  runTimers(me, START + NEVER_FOUND, ({ lost }) => {
    for (const { mock } of lost.length > 0 ? lookUps : []) total += mock.calls.length;
    for (const lookUp of lookUps) lookUp.mockClear();
  });
  expect(me.lost.toSorted()).toEqual(ids(MISSING, "x").toSorted());
  expect(total).toBeGreaterThan(MISSING);
  expect(total).toBeLessThanOrEqual(3 * COUNT * MISSING);
});

describe("with a lost message goes what it depended on", () => {
  /** One message waits for what is given up, beside an earlier one which waits for something else. */
  function behindAnother(): Peer {
    const me = member();
    me.receive(craft({ messageId: "late", after: ["first"], lamportTimestamp: BigInt(AT + 500) }));
    runTimers(me, START + 5 * MINUTE);
    me.receive(
      craft({ messageId: "early", after: ["second"], lamportTimestamp: BigInt(AT + 100) }),
      START + 5 * MINUTE,
    );
    runTimers(me, START + NEVER_FOUND);
    expect(me.lost).toEqual(["first"]);
    expect(me.delivered).toEqual([]);
    return me;
  }

  test("so what named it waits for all that is earlier, over a restart too", () => {
    const me = behindAnother();
    me.restart();
    me.receive(craft({ messageId: "second", lamportTimestamp: BigInt(AT) }), START + NEVER_FOUND);
    expect(me.delivered).toEqual(["second", "early", "late"]);
  });

  test("but not for what comes after that: nobody can keep it waiting", () => {
    const me = behindAnother();
    me.receive(craft({ messageId: "earlier", after: ["x"], lamportTimestamp: BigInt(AT + 50) }), START + NEVER_FOUND);
    me.receive(craft({ messageId: "second", lamportTimestamp: BigInt(AT) }), START + NEVER_FOUND);
    expect(me.delivered).toEqual(["second", "early", "late"]);
  });

  test("nor for what claims to be earlier, and waits for it: both are delivered", () => {
    const me = member();
    me.receive(craft({ messageId: "liar", after: ["late"], lamportTimestamp: BigInt(AT + 100) }));
    me.receive(craft({ messageId: "its", after: ["liar"], lamportTimestamp: BigInt(AT + 200) }));
    me.receive(craft({ messageId: "late", after: ["first"], lamportTimestamp: BigInt(AT + 500) }));
    runTimers(me, START + NEVER_FOUND);
    expect(me.delivered).toEqual(["late", "liar", "its"]);
  });

  test.each([false, true])(
    "and for what comes after an earlier one, though its own time is earlier still, once that one is delivered (restarted: %s)",
    (restarted) => {
      const me = member();
      me.receive(craft({ messageId: "late", after: ["first"], lamportTimestamp: BigInt(AT + 500) }));
      const now = START + NEVER_FOUND - 2 * MINUTE;
      runTimers(me, now);
      me.receive(craft({ messageId: "early", after: ["second"], lamportTimestamp: BigInt(AT + 100) }), now);
      me.receive(craft({ messageId: "its", after: ["early", "third"], lamportTimestamp: BigInt(AT + 50) }), now);
      runTimers(me, START + NEVER_FOUND);
      expect([me.lost, me.delivered]).toEqual([["first"], []]);
      if (restarted) me.restart();
      me.receive(craft({ messageId: "second", lamportTimestamp: BigInt(AT) }), START + NEVER_FOUND);
      expect(me.delivered).toEqual(["second", "early"]);
      me.receive(craft({ messageId: "third", lamportTimestamp: BigInt(AT) }), START + NEVER_FOUND);
      expect(me.delivered).toEqual(["second", "early", "third", "its", "late"]);
    },
  );

  test("nor for what is found to wait for something later only when that comes", () => {
    const me = member();
    me.receive(craft({ messageId: "late", after: ["first"], lamportTimestamp: BigInt(AT + 500) }));
    runTimers(me, START + 5 * MINUTE);
    me.receive(craft({ messageId: "liar", after: ["later"], lamportTimestamp: BigInt(AT + 100) }), START + 5 * MINUTE);
    runTimers(me, START + NEVER_FOUND);
    expect(me.delivered).toEqual([]);
    me.receive(craft({ messageId: "later", after: ["x"], lamportTimestamp: BigInt(AT + 900) }), START + NEVER_FOUND);
    expect(me.delivered).toEqual(["late"]);
    runTimers(me, START + 2 * NEVER_FOUND);
    expect(me.delivered).toEqual(["late", "later", "liar"]);
  });

  test("nor for what waited for it when it was given up itself: all are delivered", () => {
    const me = member();
    me.receive(craft({ messageId: "liar", after: ["late", "x"], lamportTimestamp: BigInt(AT + 100) }));
    me.receive(craft({ messageId: "late", after: ["y"], lamportTimestamp: BigInt(AT + 500) }), START + MINUTE);
    runTimers(me, START + 2 * MINUTE);
    me.receive(craft({ messageId: "early", after: ["z"], lamportTimestamp: BigInt(AT + 50) }), START + 2 * MINUTE);
    me.receive(craft({ messageId: "y", lamportTimestamp: BigInt(AT) }), START + 2 * MINUTE);
    expect(me.delivered).toEqual(["y", "late"]);
    runTimers(me, START + NEVER_FOUND);
    expect(me.delivered).toEqual(["y", "late"]);
    runTimers(me, START + 2 * NEVER_FOUND);
    expect(me.delivered).toEqual(["y", "late", "early", "liar"]);
  });

  test("and where too many wait, what the earlier wait for is given up for the longest waiting", () => {
    const me = member({ parkedMessages: 2 });
    me.receive(craft({ messageId: "late", after: ["first"], lamportTimestamp: BigInt(AT + 500) }));
    runTimers(me, START + 5 * MINUTE);
    const now = START + 5 * MINUTE;
    me.receive(craft({ messageId: "early", after: ["second"], lamportTimestamp: BigInt(AT + 100) }), now);
    runTimers(me, START + NEVER_FOUND);
    me.receive(craft({ messageId: "other", after: ["x"], lamportTimestamp: BigInt(AT + 900) }), START + NEVER_FOUND);
    expect(me.lost).toEqual(["first", "second"]);
    expect(me.delivered).toEqual(["early", "late"]);
  });
});

describe("what strangers name is kept within bounds", () => {
  /** As many ids as a message may name, each as long as one may be. */
  const LONG = Array.from({ length: 200 }, (_, i) => String(i).padStart(250, "s"));

  function part(me: Peer, messageId: string, after: readonly string[], lamport: number): void {
    const wire = craft({ messageId, after, lamportTimestamp: BigInt(AT + lamport) });
    me.sds.handleIncoming(wire, { now: START, messageHash: "ab".repeat(32), random: 0.5, isInner: () => true });
    me.commit();
  }

  test("of a part of a message, only what nothing else of the log names", () => {
    const me = member();
    for (const messageId of LONG) me.receive(craft({ messageId, content: new Uint8Array(0) }));
    me.receive(craft({ messageId: "head" }));
    part(me, "part", [...LONG, "head"], 10);
    part(me, "next", [...LONG, "part"], 20);
    expect(me.tables.log.get("part")?.names).toEqual(["head"]);
    expect(me.tables.log.get("next")?.names).toEqual(["part"]);
    me.receive(craft({ messageId: "last", after: ["next"], lamportTimestamp: BigInt(AT + 30) }));
    const heads = [...me.tables.log.entries()].flatMap(([messageId, { head }]) => (head ? [messageId] : []));
    expect(heads).toEqual(["last"]);
  });

  test("of a part of a message, at most as many as a history of ours may name", () => {
    const me = member({ causalHistoryMax: 8 });
    for (const messageId of LONG) me.receive(craft({ messageId }));
    part(me, "part", LONG, 10);
    expect(me.tables.log.get("part")?.names).toEqual(LONG.slice(-8));
  });

  test("of messages that wait, the bytes count, and not those of their contents only", () => {
    const parkedBytes = 500_000;
    const me = member({ parkedBytes });
    for (let i = 0; i < 20; i++) {
      me.receive(craft({ messageId: `m${i}`, after: [`x${i}`, ...LONG], lamportTimestamp: BigInt(AT + i) }));
      let bytes = 0;
      for (const { history, waitsFor } of me.tables.incoming.values())
        bytes += [...history, ...waitsFor].join("").length;
      expect(bytes).toBeLessThanOrEqual(parkedBytes);
    }
    expect(me.lost).toContain("x0");
  });
});
