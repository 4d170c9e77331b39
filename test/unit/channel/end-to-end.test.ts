/** Rows RC08–RC10b and O2 of the scenario catalogue: whole conversations, on a virtual clock. */
import { beforeEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { EMPTY, toHex } from "../../../src/common/bytes.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { passTime } from "../../support/passing-time.ts";
import { Peer, TOPIC } from "../../support/peer.ts";

const SECOND = 1000;

let clock: VirtualClock;
let network: FakeNetwork;

beforeEach(() => {
  clock = new VirtualClock();
  network = new FakeNetwork(clock);
});

const pass = (ms: number) => passTime(clock, () => network.settle(), ms);

async function member(name: string): Promise<Peer> {
  const peer = await Peer.start(name, network);
  await peer.open();
  await network.settle();
  return peer;
}

/** Every SDS message that a member handed to the network, decoded. */
function sentBy(peer: Peer) {
  return peer.messaging.sent.flatMap(({ payload, ephemeral }) => {
    const decoded = nimLayout.decode(payload);
    return decoded.ok ? [{ ...decoded.value, ephemeral }] : [];
  });
}

test("RC08 a conversation: each delivers what the other sent, and a reply names what it answers", async () => {
  const [alice, bob] = [await member("alice"), await member("bob")];
  await alice.send("m1");
  await pass(5 * SECOND);
  await bob.send("m2");
  await pass(5 * SECOND);
  await alice.send("m3");
  await pass(5 * SECOND);
  expect(await alice.received()).toEqual(["m2"]);
  expect(await bob.received()).toEqual(["m1", "m3"]);
  const [m1, m3] = sentBy(alice).filter(({ content }) => content.length > 0);
  expect(m3?.causalHistory.map(({ messageId }) => messageId)).toContain(m1?.messageId);
});

describe("RC09 B joins after m1 was sent, and delivers m1 and m2", () => {
  test.each([
    ["which the store has", true],
    ["which no store has: A sends it again", false],
  ])("%s", async (_, stored) => {
    const alice = await member("alice");
    const m1 = await alice.send("m1");
    await pass(2 * SECOND);
    if (!stored) network.stored.length = 0;
    const bob = await member("bob");
    await pass(10 * SECOND);
    const m2 = await alice.send("m2");
    await pass(10 * SECOND);
    expect(await bob.received()).toEqual(["m1", "m2"]);
    for (const id of [m1, m2]) expect(await alice.outcomes(id)).toEqual(["sent", "delivered"]);
  });
});

describe("RC10 B is subscribed without a channel when m1 arrives, and another member acknowledges it", () => {
  let alice: Peer;
  let bob: Peer;

  beforeEach(async () => {
    alice = await member("alice");
    await member("carol");
    bob = await Peer.start("bob", network);
    await bob.messaging.subscribe(TOPIC);
    await alice.send("m1");
    await pass(5 * SECOND);
    expect(bob.mailbox.received.size).toBeGreaterThan(0);
  });

  async function join(): Promise<void> {
    await bob.open();
    await pass(5 * SECOND);
    await alice.send("m2");
  }

  test("RC10a with no store that has m1, m2 is parked", async () => {
    network.stored.length = 0;
    await join();
    await pass(10 * SECOND);
    expect(bob.mailbox.received.size).toBeGreaterThan(1);
    expect(await bob.log()).toEqual([]);
    expect((await bob.storage.scan("sdsIncoming", [])).length).toBe(1);
  });

  test("RC10b B asks for m1, A sends it again, and B delivers both within 330 s", async () => {
    network.stored.length = 0;
    await join();
    for (let at = 0; at < 330 && (await bob.received()).length === 0; at += 10) {
      await pass(10 * SECOND);
      await bob.send(`B at ${at}`);
    }
    await network.settle();
    expect(await bob.received()).toEqual(["m1", "m2"]);
    const m1 = sentBy(alice).find(({ content }) => content.length > 0);
    const asked = sentBy(bob).flatMap(({ repairRequest }) => repairRequest.map(({ messageId }) => messageId));
    expect(asked).toContain(m1?.messageId);
    expect(sentBy(alice).filter(({ messageId }) => messageId === m1?.messageId)).toMatchObject([
      { ephemeral: false },
      { ephemeral: true },
    ]);
  });

  test("where the store has m1, B fetches it at once, although it came by before", async () => {
    await join();
    await network.settle();
    expect(await bob.received()).toEqual(["m1", "m2"]);
  });
});

test("the hint for a message that was sent again is the hash that stores have, not that of the ephemeral copy", async () => {
  const alice = await member("alice");
  await alice.send("m1");
  // Nobody acknowledges it.
  await pass(10 * SECOND);
  await alice.send("m2");
  await pass(1 * SECOND);
  const [m1, again, m2] = sentBy(alice).filter(({ content }) => content.length > 0);
  expect(again).toMatchObject({ messageId: m1?.messageId, ephemeral: true });
  const hint = m2?.causalHistory.find(({ messageId }) => messageId === m1?.messageId)?.retrievalHint;
  expect(network.stored.map(({ messageHash }) => messageHash)).toContain(toHex(hint ?? EMPTY));
});

describe("O2 two devices with the same sender id", () => {
  test("others receive from both, both receive from others, and neither takes the other for somebody else", async () => {
    const [phone, laptop, bob] = [await member("alice"), await member("alice"), await member("bob")];
    const fromPhone = await phone.send("from the phone");
    await pass(5 * SECOND);
    const fromLaptop = await laptop.send("from the laptop");
    await pass(5 * SECOND);
    const fromBob = await bob.send("from bob");
    await pass(5 * SECOND);
    expect(await bob.received()).toEqual(["from the phone", "from the laptop"]);
    expect([await phone.received(), await laptop.received()]).toEqual([["from bob"], ["from bob"]]);
    expect(await phone.outcomes(fromPhone)).toEqual(["sent", "delivered"]);
    expect(await laptop.outcomes(fromLaptop)).toEqual(["sent", "delivered"]);
    expect(await bob.outcomes(fromBob)).toEqual(["sent", "delivered"]);
    for (const device of [phone, laptop]) expect(device.channel().summary().members).toBe(1);
    // The second device's message names the first one's: it is in its log.
    const [first, second] = [phone, laptop].map((each) => sentBy(each).find(({ content }) => content.length > 0));
    expect(second?.causalHistory.map(({ messageId }) => messageId)).toContain(first?.messageId);
  });

  test("alone together they acknowledge nothing: nobody else has the message", async () => {
    const [phone] = [await member("alice"), await member("alice")];
    const id = await phone.send("anyone?");
    await pass(400 * SECOND);
    expect(await phone.outcomes(id)).toEqual(["sent", "delivery-error"]);
  });

  test("both at the same moment: everything arrives once, and whatever was parked is released", async () => {
    const [phone, laptop, bob] = [await member("alice"), await member("alice"), await member("bob")];
    for (let i = 0; i < 5; i++) await Promise.all([phone.send(`phone ${i}`), laptop.send(`laptop ${i}`)]);
    await pass(10 * SECOND);
    const received = await bob.received();
    expect(received.toSorted()).toEqual(
      ["phone", "laptop"].flatMap((device) => [0, 1, 2, 3, 4].map((i) => `${device} ${i}`)).toSorted(),
    );
    for (const device of ["phone", "laptop"]) {
      const own = received.filter((text) => text.startsWith(device));
      expect(own).toEqual([0, 1, 2, 3, 4].map((i) => `${device} ${i}`));
    }
    expect(await bob.storage.scan("sdsIncoming", [])).toEqual([]);
  });
});

test("what is no longer asked for after seven days leaves no trace in SDS", async () => {
  const alice = await member("alice");
  alice.mailbox.refusal = () => "420: never";
  const id = await alice.send("refused");
  await pass(5 * SECOND);
  expect(await alice.outcomes(id)).toEqual(["send-error"]);
  expect((await alice.storage.scan("sdsOutgoing", [])).length).toBe(1);
  await alice.kill();
  await clock.advance(8 * 24 * 3600 * SECOND);
  await alice.restart();
  await network.settle();
  expect(alice.channel().request(id)).toBeUndefined();
  for (const table of ["sdsOutgoing", "sdsWires", "sdsWireSizes"]) {
    expect([table, await alice.storage.scan(table, [])]).toEqual([table, []]);
  }
});
