/**
 * Rows RC05–RC13 of the scenario catalogue with nothing replaced: our channels over our messaging client on the local
 * network. Where the catalogue waits so that something has time to go wrong, what is sent next is waited for instead: it
 * comes after whatever was before it.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LocalNetwork, startLocalNetwork } from "../../../dev/network/local-network.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import { AcceleratedClock } from "../../support/accelerated-clock.ts";
import { assertInvariants } from "../../support/invariants.ts";
import { NetworkMember, type Room } from "./network-member.ts";

/** T_req, 30 to 300 s, is then 1 to 10 s; the gap would be given up after 20. */
const SPEED = 30;

let network: LocalNetwork;
let alice: NetworkMember;
let bob: NetworkMember;
let carol: NetworkMember;
/** Time passes faster in his channels. */
let dave: NetworkMember;

beforeAll(async () => {
  network = await startLocalNetwork();
  [alice, bob, carol, dave] = await Promise.all([
    NetworkMember.start("alice", network),
    NetworkMember.start("bob", network),
    NetworkMember.start("carol", network),
    NetworkMember.start("dave", network, new AcceleratedClock(SPEED)),
  ]);
});

afterAll(async () => {
  await Promise.all([alice, bob, carol, dave].map((member) => member.stop()));
  await network.stop();
});

function room(name: string): Room {
  return { channelId: name, contentTopic: `/interop/1/${name}/proto` };
}

async function has(member: NetworkMember, at: Room, count: number): Promise<void> {
  await member.until(() => member.received(at).length >= count);
}

/** Ids of the first `count` messages of a sender, once `member` saw so many on the wire, each however often it came. */
async function idsOf(member: NetworkMember, at: Room, sender: string, count: number): Promise<readonly string[]> {
  const ids = () => {
    const messages = member.wires(at).filter(({ senderId, content }) => senderId === sender && content.length > 0);
    return [...new Set(messages.map(({ messageId }) => messageId))].slice(0, count);
  };
  await member.until(() => ids().length === count);
  return ids();
}

async function holds(at: Room, members: readonly NetworkMember[]): Promise<void> {
  assertInvariants(await Promise.all(members.map((member) => member.record(at))), { complete: true });
}

describe.concurrent("over our own messaging client", () => {
  test("RC05 what A sends, B receives once, and A learns that it was delivered", async () => {
    const at = room("rc05");
    await Promise.all([alice.open(at), bob.open(at)]);
    const m1 = await alice.send(at, "m1");
    await Promise.all([has(bob, at, 1), alice.delivered(at, m1)]);
    expect(bob.received(at)).toEqual([["alice", "m1"]]);
    expect(alice.outcomes(at, m1)).toEqual(["sent", "delivered"]);
    await holds(at, [alice, bob]);
  });

  test("RC08 a conversation: each delivers what the other sent, and a reply names what it answers", async () => {
    const at = room("rc08");
    await Promise.all([alice.open(at), bob.open(at)]);
    await alice.send(at, "m1");
    await has(bob, at, 1);
    await bob.send(at, "m2");
    await has(alice, at, 1);
    const m3 = await alice.send(at, "m3");
    await Promise.all([has(bob, at, 2), alice.delivered(at, m3)]);
    expect(alice.received(at)).toEqual([["bob", "m2"]]);
    expect(bob.received(at)).toEqual([
      ["alice", "m1"],
      ["alice", "m3"],
    ]);
    const [first, last] = await idsOf(bob, at, "alice", 2);
    const reply = bob.wires(at).find(({ messageId }) => messageId === last);
    expect(reply?.causalHistory.map(({ messageId }) => messageId)).toContain(first);
    await holds(at, [alice, bob]);
  });

  test("RC09 B joins after m1 was sent, and delivers m1 and m2", async () => {
    const at = room("rc09");
    await alice.open(at);
    const m1 = await alice.send(at, "m1");
    await alice.until(() => alice.outcomes(at, m1).includes("sent"));
    await bob.open(at);
    const m2 = await alice.send(at, "m2");
    await Promise.all([has(bob, at, 2), alice.delivered(at, m1), alice.delivered(at, m2)]);
    expect(bob.received(at)).toEqual([
      ["alice", "m1"],
      ["alice", "m2"],
    ]);
    for (const id of [m1, m2]) expect(alice.outcomes(at, id)).toEqual(["sent", "delivered"]);
    await holds(at, [alice, bob]);
  });

  test("RC10a m2 waits for m1, which came before B had the channel; RC10b B asks for it, A sends it again, and both are delivered", async () => {
    const at = room("rc10");
    await Promise.all([alice.open(at), carol.open(at)]);
    await dave.messaging.subscribe(at.contentTopic);
    await dave.served(at.contentTopic);
    const m1 = await alice.send(at, "m1");
    // Acknowledged by another member, or A would send it again of its own accord.
    const [[gap]] = await Promise.all([idsOf(dave, at, "alice", 1), alice.delivered(at, m1)]);
    const stores = network.nodes.map(({ faults }) => faults);
    for (const faults of stores) {
      faults.tamperStore = (page) => ({
        ...page,
        messages: page.messages.filter(({ message }) => {
          if (message.contentTopic !== at.contentTopic) return true;
          const decoded = nimLayout.decode(message.payload);
          return !decoded.ok || decoded.value.messageId !== gap;
        }),
      });
    }

    await dave.open(at);
    const m2 = await alice.send(at, "m2");
    const [, waiting] = await idsOf(dave, at, "alice", 2);
    const reply = dave.wires(at).find(({ messageId }) => messageId === waiting);
    expect(reply?.causalHistory.map(({ messageId }) => messageId)).toContain(gap);
    // RC10a: it came, and is parked; he asks no sooner than after 30 s.
    expect((await dave.record(at)).log).toEqual([]);

    // RC10b: with his next sync message, as he sends nothing himself.
    const asks = () =>
      carol.wires(at).some(({ repairRequest }) => repairRequest.some(({ messageId }) => messageId === gap));
    const answers = () => carol.wires(at).some(({ messageId, ephemeral }) => messageId === gap && ephemeral);
    await Promise.all([carol.until(asks), carol.until(answers)]);
    await Promise.all([has(dave, at, 2), has(carol, at, 2), alice.delivered(at, m2)]);
    expect(dave.received(at)).toEqual([
      ["alice", "m1"],
      ["alice", "m2"],
    ]);
    for (const faults of stores) faults.tamperStore = undefined;
    await holds(at, [alice, carol, dave]);
  });

  test("RC12 with three members, B and C receive exactly once each", async () => {
    const at = room("rc12");
    await Promise.all([alice, bob, carol].map((member) => member.open(at)));
    await alice.send(at, "to all");
    await Promise.all([has(bob, at, 1), has(carol, at, 1)]);
    const last = await alice.send(at, "the last one");
    await Promise.all([has(bob, at, 2), has(carol, at, 2), alice.delivered(at, last)]);
    for (const member of [bob, carol]) {
      expect(member.received(at)).toEqual([
        ["alice", "to all"],
        ["alice", "the last one"],
      ]);
    }
    expect(alice.received(at)).toEqual([]);
    await holds(at, [alice, bob, carol]);
  });

  test("RC13 a channel that is closed and created again goes on", async () => {
    const at = room("rc13");
    await Promise.all([alice.open(at), bob.open(at)]);
    await alice.send(at, "m1");
    await alice.close(at);
    await alice.open(at);
    const m2 = await alice.send(at, "m2");
    await Promise.all([has(bob, at, 2), alice.delivered(at, m2)]);
    await bob.send(at, "that was all");
    await has(alice, at, 1);
    expect(bob.received(at)).toEqual([
      ["alice", "m1"],
      ["alice", "m2"],
    ]);
    await holds(at, [alice, bob]);
  });
});
