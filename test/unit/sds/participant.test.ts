import { expect, test } from "vitest";
import { Peer, START } from "./sds-peer.ts";

test("C16: m3, m2, m1 are delivered as m1, m2, m3 once m1 is there", () => {
  const [alice, bob] = [new Peer("alice"), new Peer("bob")];
  const [m1, m2, m3] = ["one", "two", "three"].map((text) => alice.send(text));
  bob.receive(m3.wire);
  bob.receive(m2.wire);
  expect(bob.delivered).toEqual([]);
  bob.receive(m1.wire);
  expect(bob.delivered).toEqual([m1.messageId, m2.messageId, m3.messageId]);
});

test("an answer acknowledges", () => {
  const [alice, bob] = [new Peer("alice"), new Peer("bob")];
  const m1 = alice.publish("one");
  bob.receive(m1.wire);
  const outcome = bob.tick(START + 2000);
  expect(outcome.outgoing).toHaveLength(1);
  const ack = alice.receive(outcome.outgoing[0].wire);
  expect(ack.acknowledged).toEqual([m1.messageId]);
});
