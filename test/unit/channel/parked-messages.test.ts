/** What comes and what is sent while the cipher of a channel is away: because its vault is locked, or because its page is. */
import fc from "fast-check";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { MemoryStorage } from "../../../packages/reliable-channel/mock/memory-storage.ts";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { ParkedMessages } from "../../../src/channel/parked-messages.ts";
import type { ReceivedMessage } from "../../../src/channel/ports.ts";
import { openParkedTables } from "../../../src/channel/rows.ts";
import type { ChannelEvent, EncryptionMode } from "../../../src/channel/types.ts";
import { toHex, utf8 } from "../../../src/common/bytes.ts";
import { Journal } from "../../../src/common/table.ts";
import type { Placement } from "../../../src/encryption/cipher.ts";
import { none } from "../../../src/encryption/none.ts";
import { LIMITS } from "../../../src/limits.ts";
import { AwayCipher } from "../../support/away-cipher.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { assertInvariants, type Sent } from "../../support/invariants.ts";
import { passTime } from "../../support/passing-time.ts";
import { ORIGIN, Peer, TOPIC } from "../../support/peer.ts";

// Segments of the real size would spend the time of these tests on hashing.
vi.mock("../../../src/limits.ts", async (original) => {
  const { LIMITS } = await original<typeof import("../../../src/limits.ts")>();
  return { LIMITS: { ...LIMITS, segmentation: { ...LIMITS.segmentation, segmentBytes: 256 } } };
});

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const KEY = { origin: ORIGIN, channelId: "room" };
/** Three segments where one has 256 bytes. */
const LARGE = new Uint8Array(300).fill(7);

let clock: VirtualClock;
let network: FakeNetwork;

beforeEach(() => {
  clock = new VirtualClock();
  network = new FakeNetwork(clock);
});

interface Member {
  readonly peer: Peer;
  readonly cipher: AwayCipher;
}

async function member(
  name: string,
  placement: Placement = "envelope",
  encryption: EncryptionMode = "page",
): Promise<Member> {
  const cipher = new AwayCipher();
  const peer = await Peer.start(name, network, { cipherFor: (mode) => (mode === "none" ? none : cipher) });
  const params = { ...KEY, contentTopic: TOPIC, senderId: name, encryption, keyId: "red", placement };
  const created = await peer.manager.createReliableChannel(params);
  expect(created.ok).toBe(true);
  await network.settle();
  return { peer, cipher };
}

async function goAway({ peer, cipher }: Member): Promise<void> {
  cipher.away = true;
  peer.manager.cipherAway(KEY);
  await network.settle();
}

async function comeBack({ peer, cipher }: Member): Promise<void> {
  cipher.away = false;
  peer.manager.cipherReady(KEY);
  await network.settle();
}

const pass = (ms: number) => passTime(clock, () => network.settle(), ms);

async function say({ peer }: Member, ...texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    await peer.send(text);
    await network.settle();
  }
}

/** A message with the marker of all of them, which nothing opens. */
function garbage(index: number, bytes = 100): ReceivedMessage {
  const payload = new Uint8Array(bytes).fill(index);
  const [some] = network.stored;
  if (some === undefined) throw new Error("nothing was sent, so there is no marker");
  return { ...some, payload, timestamp: clock.now(), messageHash: toHex(utf8(`garbage ${index}`)).padEnd(64, "0") };
}

const shownAs = (log: readonly ChannelEvent[]) =>
  log.map((event) => ("message" in event ? new TextDecoder().decode(event.message) : event.type));

describe.each(["envelope", "content"] as const)("while the cipher is away, placement %s", (placement) => {
  test("what comes is parked, as it came, and is taken in in order when the cipher is back", async () => {
    const [alice, bob] = [await member("alice", placement), await member("bob", placement)];
    await say(alice, "before");
    await goAway(bob);
    await say(alice, "one", "two");
    await alice.peer.send(LARGE);
    await network.settle();
    expect(await bob.peer.received()).toEqual(["before"]);
    const parked = await bob.peer.storage.scan("parked", []);
    expect(parked.length).toBeGreaterThanOrEqual(5);
    expect(JSON.stringify(parked.map(({ row }) => toHex((row as ReceivedMessage).payload)))).not.toContain(
      toHex(utf8("one")),
    );
    await comeBack(bob);
    await say(alice, "after");
    expect(await bob.peer.received()).toEqual(["before", "one", "two", new TextDecoder().decode(LARGE), "after"]);
    expect(bob.peer.storage.count("parked") + bob.peer.storage.count("parkedSizes")).toBe(0);
  });

  test("what comes while the parked are taken in comes after them", async () => {
    const [alice, bob] = [await member("alice", placement), await member("bob", placement)];
    await goAway(bob);
    await say(alice, "one", "two", "three");
    let open = () => {};
    bob.cipher.beforeDecrypt = () => new Promise((resolve) => (open = resolve));
    bob.cipher.away = false;
    bob.peer.manager.cipherReady(KEY);
    await clock.settle();
    bob.cipher.beforeDecrypt = async () => {};
    await say(alice, "four");
    expect(await bob.peer.received()).toEqual([]);
    open();
    await network.settle();
    expect(await bob.peer.received()).toEqual(["one", "two", "three", "four"]);
    // Each was decrypted once: nothing is asked about before its turn.
    expect(bob.cipher.decryptions).toBe(4);
  });

  test("a message whose decryption it left waits too, and so does what came after it", async () => {
    const [alice, bob] = [await member("alice", placement), await member("bob", placement)];
    let open = () => {};
    bob.cipher.beforeDecrypt = () => new Promise((resolve) => (open = resolve));
    await alice.peer.send("caught in between");
    const arrives = network.settle();
    await clock.settle();
    bob.cipher.away = true;
    bob.cipher.beforeDecrypt = async () => {};
    open();
    await arrives;
    await say(alice, "after it");
    expect(await bob.peer.log()).toEqual([]);
    expect(bob.peer.channel().diagnostics().undecryptable).toBe(0);
    await comeBack(bob);
    expect(await bob.peer.received()).toEqual(["caught in between", "after it"]);
  });

  test("what was decrypted while the one before it failed to be waits behind that one", async () => {
    const [alice, bob] = [await member("alice", placement), await member("bob", placement)];
    await bob.peer.kill();
    await say(alice, "one", "two");
    await bob.peer.restart();
    const channel = bob.peer.channel();
    let open = () => {};
    bob.cipher.beforeDecrypt = () => new Promise((resolve) => (open = resolve));
    const [one, two] = network.stored;
    if (one === undefined || two === undefined) throw new Error("too little was sent");
    const first = channel.onMessageReceived(one);
    await clock.settle();
    bob.cipher.beforeDecrypt = async () => {};
    const second = channel.onMessageReceived(two);
    await clock.settle();
    bob.cipher.away = true;
    open();
    expect(await Promise.all([first, second])).toEqual(["parked", "parked"]);
    expect(bob.peer.storage.count("parked")).toBe(2);
    await comeBack(bob);
    expect(await bob.peer.received()).toEqual(["one", "two"]);
  });

  test("a channel that is deleted while the cipher is at work parks nothing any more", async () => {
    const [alice, bob] = [await member("alice", placement), await member("bob", placement)];
    let open = () => {};
    bob.cipher.beforeDecrypt = () => new Promise((resolve) => (open = resolve));
    await alice.peer.send("too late");
    const arrives = network.settle();
    await clock.settle();
    await bob.peer.manager.deleteChannel(KEY);
    bob.cipher.away = true;
    open();
    await arrives;
    expect(bob.peer.mailbox.received.size).toBe(network.stored.length);
    expect(bob.peer.storage.filled()).toEqual([]);
  });

  test("it comes back while a message is being parked: nothing is left lying", async () => {
    const [alice, bob] = [await member("alice", placement), await member("bob", placement)];
    bob.cipher.away = true;
    bob.peer.storage.beforeCommit = (changes) => {
      // The page was announced before the message was there to be taken in.
      if (changes.some(({ table }) => table === "parked")) bob.cipher.away = false;
    };
    await say(alice, "hello");
    expect(await bob.peer.received()).toEqual(["hello"]);
  });

  test("a restart keeps what is parked, and one that is told twice is parked once", async () => {
    const [alice, bob] = [await member("alice", placement), await member("bob", placement)];
    await goAway(bob);
    await say(alice, "one", "two");
    const before = bob.peer.storage.count("parked");
    for (const message of network.stored) await bob.peer.messaging.tell({ type: "received", message });
    expect(bob.peer.storage.count("parked")).toBe(before);
    await bob.peer.restart();
    await network.settle();
    expect(await bob.peer.log()).toEqual([]);
    bob.cipher.away = false;
    await bob.peer.restart();
    await network.settle();
    expect(await bob.peer.received()).toEqual(["one", "two"]);
  });

  test("timers stand still: nothing is given up, sent again or reported lost, however long it lasts", async () => {
    const [alice, bob] = [await member("alice", placement), await member("bob", placement)];
    alice.peer.messaging.automatic = false;
    await alice.peer.send(LARGE);
    await network.settle();
    const requestId = await bob.peer.send("from bob");
    await network.settle();
    const [first, ...others] = alice.peer.mailbox.tasks.map(({ message }) => message).slice(-3);
    if (first === undefined) throw new Error("nothing to send");
    await network.inject(first);
    await goAway(bob);
    for (const message of others) await network.inject(message);
    const sent = bob.peer.messaging.sent.length;
    await pass(2 * LIMITS.segmentation.setIdleMs);
    expect(bob.peer.messaging.sent.length).toBe(sent);
    expect(await bob.peer.outcomes(requestId)).toEqual(["sent"]);
    await comeBack(bob);
    await pass(2 * SECOND);
    const events = (await bob.peer.log()).filter(({ type }) => type !== "reliable:message:sent");
    expect(shownAs(events)).toEqual([new TextDecoder().decode(LARGE)]);
    // And they run again: what alice never acknowledged is sent once more.
    await pass(20 * SECOND);
    expect(bob.peer.messaging.sent.length).toBeGreaterThan(sent);
  });

  test("what the parked depend on is looked for once they are taken in, and not before", async () => {
    const [alice, bob] = [await member("alice", placement), await member("bob", placement)];
    await goAway(bob);
    await bob.peer.messaging.unsubscribe(TOPIC);
    await say(alice, "missed");
    const [missed] = network.stored;
    if (missed === undefined) throw new Error("nothing was sent");
    bob.peer.mailbox.received.add(missed.messageHash);
    await bob.peer.messaging.subscribe(TOPIC);
    await say(alice, "after it");
    await network.inject(garbage(1));
    await pass(2 * SECOND);
    expect(bob.peer.messaging.retrievals).toEqual([]);
    await comeBack(bob);
    expect(bob.peer.messaging.retrievals).toHaveLength(1);
    expect(await bob.peer.received()).toEqual(["missed", "after it"]);
  });

  test("what no cipher opens is counted when its turn comes, and holds up nothing", async () => {
    const [alice, bob] = [await member("alice", placement), await member("bob", placement)];
    await say(alice, "first");
    await goAway(bob);
    await network.inject(garbage(1));
    await say(alice, "second");
    await comeBack(bob);
    expect(await bob.peer.received()).toEqual(["first", "second"]);
    const counted = bob.peer.channel().diagnostics();
    expect(counted.undecryptable + counted.unreadable).toBe(1);
    expect(bob.peer.storage.count("parked")).toBe(0);
  });

  test("a channel that is closed meanwhile has it when it is opened again; one that is deleted leaves nothing", async () => {
    const [alice, bob] = [await member("alice", placement), await member("bob", placement)];
    await goAway(bob);
    await say(alice, "kept");
    await bob.peer.manager.closeChannel(KEY, "page");
    await comeBack(bob);
    const params = { ...KEY, contentTopic: TOPIC, senderId: "bob", encryption: "page" } as const;
    expect(await bob.peer.manager.createReliableChannel(params)).toMatchObject({ ok: true });
    await network.settle();
    expect(await bob.peer.received()).toEqual(["kept"]);
    await goAway(bob);
    await say(alice, "never seen");
    expect(bob.peer.storage.count("parked")).toBeGreaterThan(0);
    await bob.peer.manager.deleteChannel(KEY);
    await network.settle();
    expect(bob.peer.storage.filled()).toEqual([]);
  });

  test("P: any interleaving of away, back, restarts and arrivals gives the log that there is without them", async () => {
    await holdsForAnyInterleaving("page", placement);
  });

  test("P: any interleaving of locking, unlocking, restarts and arrivals gives the log that there is without them", async () => {
    await holdsForAnyInterleaving("key", placement);
  });
});

type Step = "say" | "say much" | "reply" | "away" | "back" | "restart" | "again" | "garbage" | "pass";

/** Bob's cipher comes and goes as the steps say; without `disturbed`, it stays. */
async function run(
  steps: readonly Step[],
  encryption: "key" | "page",
  placement: Placement,
  disturbed: boolean,
): Promise<readonly string[]> {
  clock = new VirtualClock();
  network = new FakeNetwork(clock);
  const [alice, bob] = [await member("alice", placement, encryption), await member("bob", placement, encryption)];
  const sent: { alice: Sent[]; bob: Sent[] } = { alice: [], bob: [] };
  await say(alice, "marker");
  sent.alice.push({ requestId: "marker", payload: utf8("marker") });
  let away = false;
  const setAway = async (wanted: boolean) => {
    if (!disturbed || wanted === away) return;
    away = wanted;
    if (encryption === "page") await (away ? goAway(bob) : comeBack(bob));
    else await (away ? bob.peer.lock() : bob.peer.restart());
    await network.settle();
  };
  for (const [index, step] of steps.entries()) {
    const payload = step === "say much" ? LARGE.slice().fill(index) : utf8(`${step} ${index}`);
    switch (step) {
      case "say":
      case "say much":
        sent.alice.push({ requestId: await alice.peer.send(payload), payload });
        break;
      case "reply": {
        if (away && (encryption === "key" || placement === "content")) break;
        sent.bob.push({ requestId: await bob.peer.send(payload), payload });
        break;
      }
      case "away":
      case "back":
        await setAway(step === "away");
        break;
      case "restart":
        if (disturbed) await (away && encryption === "key" ? bob.peer.lock() : bob.peer.restart());
        break;
      case "again":
        for (const message of network.stored.slice(-3)) await bob.peer.messaging.tell({ type: "received", message });
        break;
      case "garbage":
        await network.inject(garbage(index));
        break;
      case "pass":
        await pass(4 * SECOND);
        break;
    }
    await network.settle();
  }
  await setAway(false);
  await pass(15 * SECOND);
  const [aliceLog, bobLog] = [await alice.peer.log(), await bob.peer.log()];
  // "marker" was sent before its id was of interest.
  const known = new Set(sent.alice.map(({ requestId }) => requestId));
  const ofKnown = aliceLog.filter((event) => !("requestId" in event) || known.has(event.requestId));
  assertInvariants(
    [
      { senderId: "alice", sent: sent.alice, log: ofKnown },
      { senderId: "bob", sent: sent.bob, log: bobLog },
    ],
    { complete: true },
  );
  expect(bob.peer.storage.count("parked")).toBe(0);
  return bobLog.flatMap((event) => ("message" in event ? [toHex(event.message.slice(0, 40))] : []));
}

async function holdsForAnyInterleaving(encryption: "key" | "page", placement: Placement): Promise<void> {
  const step = fc.constantFrom<Step>(
    ...(["say", "say", "say much", "reply", "away", "away", "back", "restart", "again", "garbage", "pass"] as const),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
      const undisturbed = await run(steps, encryption, placement, false);
      expect(await run(steps, encryption, placement, true)).toEqual(undisturbed);
    }),
    { numRuns: 100 },
  );
}

describe("while the page that encrypts envelopes is away", () => {
  test("what is sent waits, unencrypted nowhere but in storage, and goes out in order when it is back", async () => {
    const [alice, bob] = [await member("alice"), await member("bob")];
    await goAway(alice);
    const ids = [await alice.peer.send("one"), await alice.peer.send("two")];
    await pass(5 * MINUTE);
    expect(alice.peer.messaging.sent).toEqual([]);
    expect(alice.peer.channel().status().pending).toBe(2);
    expect(await alice.peer.log()).toEqual([]);
    await comeBack(alice);
    await pass(5 * SECOND);
    expect(await bob.peer.received()).toEqual(["one", "two"]);
    for (const id of ids) expect(await alice.peer.outcomes(id)).toEqual(["sent", "delivered"]);
    for (const { payload } of network.stored) expect(new TextDecoder().decode(payload)).not.toContain("one");
  });

  test("the parked are taken in before what waited in the outbox goes out", async () => {
    const [alice, bob] = [await member("alice"), await member("bob")];
    await goAway(bob);
    await say(alice, "for bob");
    await bob.peer.send("from bob");
    await network.settle();
    const seen: string[] = [];
    bob.peer.messaging.onSend = async () => {
      seen.push(...(await bob.peer.received()), "sent");
      return { ok: true, value: undefined };
    };
    await comeBack(bob);
    expect(seen.slice(0, 2)).toEqual(["for bob", "sent"]);
  });
});

test("with placement content, nothing can be sent while it is away, and the error says why", async () => {
  const alice = await member("alice", "content");
  await goAway(alice);
  expect(await alice.peer.manager.send(KEY, utf8("now"))).toEqual({
    ok: false,
    error: { kind: "encryption-failed", message: expect.stringContaining("nobody is there") },
  });
  expect(alice.peer.storage.count("requests")).toBe(0);
});

test.each(["envelope", "content"] as const)(
  "a channel with a key whose vault is locked refuses to send: %s",
  async (placement) => {
    const alice = await member("alice", placement, "key");
    await goAway(alice);
    expect(await alice.peer.manager.send(KEY, utf8("now"))).toMatchObject({ ok: false, error: { kind: "locked" } });
    expect(alice.peer.storage.count("requests")).toBe(0);
  },
);

describe("bounds", () => {
  /** So that few messages fill it. */
  const BYTES = 1_000_000;
  const FITTING = Math.floor(LIMITS.parked.bytes / BYTES);

  test.each(["page", "key"] as const)(
    "32 MiB reached, mode %s: what comes then is skipped, and fetched after the drain; nothing is lost",
    async (encryption) => {
      const [alice, bob] = [await member("alice", "envelope", encryption), await member("bob", "envelope", encryption)];
      await say(alice, "marker");
      if (encryption === "page") await goAway(bob);
      else await bob.peer.lock();
      for (let index = 0; index < FITTING; index++) {
        const message = garbage(index, BYTES);
        expect(await bob.peer.messaging.tell({ type: "received", message })).toBe(true);
      }
      const large = garbage(FITTING, BYTES);
      expect(await bob.peer.messaging.tell({ type: "received", message: large })).toBe(true);
      await alice.peer.send(LARGE);
      for (const text of ["one", "two"]) await say(alice, text);
      const parked = bob.peer.storage.count("parked");
      expect(parked).toBeGreaterThanOrEqual(FITTING);
      if (encryption === "page") await comeBack(bob);
      else await bob.peer.restart();
      await network.settle();
      const texts = (await bob.peer.received()).map((text) => (text.length > 10 ? "large" : text));
      expect(texts).toEqual(["marker", "large", "one", "two"]);
      expect(bob.peer.storage.count("parked")).toBe(0);
      expect(bob.peer.channel().diagnostics().undecryptable).toBe(FITTING);
    },
  );

  test("the one that came first is first also after an event that took it in was undone", async () => {
    await say(await member("alice"), "marker");
    const journal = new Journal();
    const parked = new ParkedMessages(
      openParkedTables(KEY, journal, () => []),
      new MemoryStorage(),
    );
    const [first, second] = [garbage(1), garbage(2)];
    for (const message of [first, second]) parked.park(message, 0);
    journal.take();
    parked.remove(first.messageHash);
    expect(parked.oldest).toBe(second.messageHash);
    journal.rollback();
    expect(parked.oldest).toBe(first.messageHash);
  });

  test("as many as may wait, and not one more", async () => {
    const [alice, bob] = [await member("alice"), await member("bob")];
    await say(alice, "marker");
    await goAway(bob);
    const { messages } = LIMITS.parked;
    for (let index = 0; index < messages; index++) {
      await bob.peer.messaging.tell({ type: "received", message: garbage(index, 0) });
    }
    await bob.peer.messaging.tell({ type: "received", message: garbage(messages, 0) });
    await bob.peer.messaging.tell({ type: "received", message: garbage(0, 0) });
    expect(bob.peer.storage.count("parked")).toBe(messages);
  });

  test("what no network carries is refused, and so is what does not have the marker: neither takes up room", async () => {
    const [alice, bob] = [await member("alice"), await member("bob")];
    await say(alice, "marker");
    await goAway(bob);
    const tooLarge = garbage(1, LIMITS.messaging.statusMessageBytes + 1);
    const otherMarker = { ...garbage(2), meta: utf8("another layer") };
    for (const message of [tooLarge, otherMarker]) {
      expect(await bob.peer.messaging.tell({ type: "received", message })).toBe(true);
    }
    expect(bob.peer.storage.count("parked")).toBe(0);
    expect(bob.peer.channel().diagnostics()).toMatchObject({ unreadable: 1, otherMarker: 1 });
  });
});

describe("channels of one topic", () => {
  const OTHER = { origin: "https://other.example", channelId: "room" };

  test("what one of them reads is nothing strange to the other, whoever comes to it first", async () => {
    const alice = await member("alice");
    const mine = new AwayCipher();
    const theirs: AwayCipher = Object.assign(new AwayCipher(), {
      decrypt: async () => ({ ok: false as const, error: "not of this cipher" }),
    });
    const bob = await Peer.start("bob", network, {
      cipherFor: (_mode, _marker, _keys, { origin }) => (origin === ORIGIN ? mine : theirs),
    });
    const params = { contentTopic: TOPIC, senderId: "bob", encryption: "page" } as const;
    for (const key of [KEY, OTHER]) await bob.manager.createReliableChannel({ ...key, ...params });
    const both = [
      { key: KEY, cipher: mine },
      { key: OTHER, cipher: theirs },
    ];
    for (const order of [both, both.toReversed()]) {
      for (const { cipher } of both) cipher.away = true;
      await say(alice, "hello");
      for (const { key, cipher } of order) {
        cipher.away = false;
        bob.manager.cipherReady(key);
        await network.settle();
      }
    }
    expect(await bob.received()).toEqual(["hello", "hello"]);
    expect(bob.manager.channel(OTHER)?.diagnostics().undecryptable).toBe(0);
  });

  test("one that has no room for what comes holds up no other, and gets it when there is room", async () => {
    const alice = await member("alice");
    await say(alice, "marker");
    const [mine, theirs] = [new AwayCipher(), new AwayCipher()];
    const bob = await Peer.start("bob", network, {
      cipherFor: (_mode, _marker, _keys, { origin }) => (origin === ORIGIN ? mine : theirs),
    });
    const params = { contentTopic: TOPIC, senderId: "bob", encryption: "page" } as const;
    for (const key of [KEY, OTHER]) await bob.manager.createReliableChannel({ ...key, ...params });
    theirs.away = true;
    bob.manager.cipherAway(OTHER);
    for (let index = 0; index < LIMITS.parked.messages; index++) {
      await bob.manager.channel(OTHER)?.onMessageReceived(garbage(index, 0));
    }
    await say(alice, "one", "two");
    expect(await bob.received()).toEqual(["marker", "one", "two"]);
    theirs.away = false;
    bob.manager.cipherReady(OTHER);
    await network.settle();
    const others = (await bob.manager.channel(OTHER)?.history(0, 10)) ?? [];
    expect(others.map(({ type }) => type)).toEqual(Array(3).fill("reliable:message:received"));
    expect(await bob.received()).toEqual(["marker", "one", "two"]);
  });
});

describe("a slow cipher", () => {
  const OTHER = { origin: "https://other.example", channelId: "room" };

  interface Two {
    readonly alice: Peer;
    readonly bob: Peer;
    readonly slow: AwayCipher;
  }

  /** Alice sends in the clear. Bob has the same channel, and one of another site on its topic, whose cipher is slow. */
  async function two(): Promise<Two> {
    const alice = await Peer.start("alice", network);
    await alice.open();
    const slow = new AwayCipher();
    slow.slow = true;
    const bob = await Peer.start("bob", network, { cipherFor: (mode) => (mode === "none" ? none : slow) });
    await bob.open();
    const params = { ...OTHER, contentTopic: TOPIC, senderId: "bob", encryption: "page" } as const;
    expect((await bob.manager.createReliableChannel(params)).ok).toBe(true);
    await network.settle();
    return { alice, bob, slow };
  }

  async function slowMember(name: string): Promise<Member> {
    const one = await member(name);
    one.cipher.slow = true;
    return one;
  }

  /** The functions of a page that each take so long. */
  const taking = (ms: number) => () => new Promise<void>((resolve) => void clock.after(ms, resolve));

  test("that never answers holds up no other channel of its topic", async () => {
    const { alice, bob, slow } = await two();
    slow.beforeDecrypt = () => new Promise(() => {});
    for (let index = 0; index < 5; index++) await alice.send(`${index}`);
    await network.settle();
    expect(await bob.received()).toEqual(["0", "1", "2", "3", "4"]);
    expect(slow.decryptions).toBe(1);
  });

  test("may leave behind no more than may be parked, which holds up no other channel either", async () => {
    const { alice, bob, slow } = await two();
    await alice.send("marker");
    await network.settle();
    slow.beforeDecrypt = () => new Promise(() => {});
    for (let index = 0; index <= LIMITS.parked.messages; index++) {
      await bob.manager.channel(OTHER)?.onMessageReceived(garbage(index, 0));
    }
    await alice.send("after");
    await network.settle();
    expect(bob.storage.count("parked")).toBe(LIMITS.parked.messages);
    expect(await bob.received()).toEqual(["marker", "after"]);
  });

  test("takes in in the order of arrival, over a restart in the middle too, each message once", async () => {
    const [alice, bob] = [await slowMember("alice"), await slowMember("bob")];
    bob.cipher.beforeDecrypt = () => new Promise(() => {});
    await say(alice, "one", "two", "three");
    expect(await bob.peer.received()).toEqual([]);
    bob.cipher.beforeDecrypt = async () => {};
    await bob.peer.restart();
    await say(alice, "four");
    expect(await bob.peer.received()).toEqual(["one", "two", "three", "four"]);
    expect(bob.peer.storage.count("parked") + bob.peer.storage.count("parkedSizes")).toBe(0);
  });

  test("that keeps up has its timers run: what nobody acknowledges is sent again, and then given up", async () => {
    const [alice, bob] = [await slowMember("alice"), await slowMember("bob")];
    await say(alice, "marker");
    bob.cipher.beforeDecrypt = taking(0.5 * SECOND);
    await alice.peer.kill();
    const id = await bob.peer.send("into the void");
    for (let index = 0; index < 250; index++) {
      await network.inject(garbage(index));
      await pass(SECOND);
    }
    expect(await bob.peer.outcomes(id)).toEqual(["sent", "delivery-error"]);
  });

  test("that has fallen behind gives up nothing that is among the parked", async () => {
    const [alice, bob] = [await slowMember("alice"), await slowMember("bob")];
    await say(alice, "marker");
    // The acknowledgement waits behind much that the page is slow with.
    bob.cipher.beforeDecrypt = taking(10 * SECOND);
    for (let index = 0; index < 100; index++) await network.inject(garbage(index));
    const id = await bob.peer.send("acknowledged long ago");
    await pass(100 * 10 * SECOND);
    bob.cipher.beforeDecrypt = async () => {};
    await pass(5 * MINUTE);
    expect(bob.peer.storage.count("parked")).toBe(0);
    expect(await bob.peer.outcomes(id)).toEqual(["sent", "delivered"]);
  });

  test("what only it can read is not counted by another channel, and what nobody can read is counted by both", async () => {
    const { alice, bob, slow } = await two();
    await alice.send("marker");
    await network.settle();
    const [mine, theirs] = [bob.channel(), bob.manager.channel(OTHER)];
    let open = () => {};
    slow.beforeDecrypt = () => new Promise((resolve) => (open = resolve));
    // The marker is read here, and means nothing there.
    expect(theirs?.diagnostics().undecryptable).toBe(0);
    await network.inject(garbage(1));
    expect(mine.diagnostics().unreadable).toBe(0);
    open();
    await network.settle();
    expect(mine.diagnostics().unreadable).toBe(1);
    expect(theirs?.diagnostics().undecryptable).toBe(1);
    const sealed = await slow.encrypt(network.stored[0]?.payload.slice() ?? new Uint8Array());
    if (!sealed.ok) throw new Error(sealed.error);
    await network.inject({ ...garbage(2), payload: sealed.value });
    open();
    await network.settle();
    expect(mine.diagnostics()).toMatchObject({ unreadable: 1, otherLayout: 0 });
    expect(await theirs?.history(0, 10)).toHaveLength(1);
  });

  test("has nothing searched in the stores that may be among the parked", async () => {
    const [alice, bob] = [await slowMember("alice"), await slowMember("bob")];
    await bob.peer.kill();
    await say(alice, "one", "two");
    network.stored.reverse();
    bob.cipher.beforeDecrypt = taking(0.5 * SECOND);
    await bob.peer.restart();
    const settled = network.settle();
    await pass(5 * SECOND);
    await settled;
    expect(await bob.peer.received()).toEqual(["one", "two"]);
    expect(bob.peer.messaging.retrievals).toEqual([]);
  });
});
