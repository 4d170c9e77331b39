import { expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { Peer, START } from "./sds-peer.ts";

test("a timer that is due a hair after a millisecond is called for when it is due, not before", () => {
  const peer = new Peer("alice");
  peer.publish("one");
  const sync = { dueMs: 1_000 + 2 ** -20, intervalMs: 30_000 };
  const row = peer.tables.meta.get("row");
  if (row === undefined) throw new Error("no row");
  peer.tables.meta.put("row", { ...row, sync });
  expect(peer.sds.nextDeadline()).toBe(START + 1_001);
  peer.tick(START + 1_000);
  expect(peer.sds.nextDeadline()).toBe(START + 1_001);
  expect(peer.tick(START + 1_001).outgoing.map(({ kind }) => kind)).toEqual(["sync"]);
});

const MINUTE = 60_000;
const SLACK = LIMITS.sds.timerSlackMs;

/** A peer whose only timer is one that runs by its clock, and is due at this reading. */
function waiting(otherDueMs: number): Peer {
  const peer = new Peer("alice", { otherDueMs: () => otherDueMs });
  peer.tick(START);
  return peer;
}

function readings(peer: Peer) {
  const { ms, wentOnMs } = peer.sds.clock;
  return { ms, wentOnMs };
}

test("a timer of others that runs by the clock is called for, too", () => {
  const peer = waiting(25 * MINUTE);
  expect(peer.sds.nextDeadline()).toBe(START + 25 * MINUTE);
  peer.tick(START + 25 * MINUTE);
  expect(readings(peer)).toEqual({ ms: 25 * MINUTE, wentOnMs: 0 });
});

test("and nobody who came when it was due: that was sleep, after which the clock went on", () => {
  const peer = waiting(25 * MINUTE);
  peer.tick(START + 26 * MINUTE);
  expect(readings(peer)).toEqual({ ms: SLACK, wentOnMs: SLACK });
});

test("offline it stands still, and goes on when we are online again", () => {
  const peer = waiting(25 * MINUTE);
  peer.tick(START + MINUTE, false);
  for (let minutes = 2; minutes < 60; minutes++) peer.tick(START + minutes * MINUTE, false);
  peer.tick(START + 60 * MINUTE);
  peer.tick(START + 61 * MINUTE);
  expect(readings(peer)).toEqual({ ms: 2 * MINUTE, wentOnMs: MINUTE });
});

test.each([
  ["is counted where it is as short as a timer may be late", SLACK],
  ["is not where nobody could look after the timers", 20 * MINUTE],
])("the time from one run to the next %s", (_, away) => {
  const peer = waiting(25 * MINUTE);
  peer.restart();
  peer.sds.start(START + away);
  peer.commit();
  expect(readings(peer).ms).toBe(SLACK);
  // Until it is seen that we are online, it stands still.
  peer.tick(START + away + MINUTE);
  expect(readings(peer)).toEqual({ ms: SLACK, wentOnMs: SLACK });
  peer.tick(START + away + 2 * MINUTE);
  expect(readings(peer).ms).toBe(SLACK + MINUTE);
});

test("a start before anything happened leaves no row", () => {
  const peer = new Peer("alice");
  peer.sds.start(START);
  peer.commit();
  expect(peer.writes).toBe(0);
});
