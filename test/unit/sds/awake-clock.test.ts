import { expect, test } from "vitest";
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
