/** Channels with the cipher `key`: who can read what, and what becomes of a channel when its key changes. */
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import type { ReceivedMessage } from "../../../src/channel/ports.ts";
import type { CipherFor } from "../../../src/channel/reliable-channel-manager.ts";
import { type Bytes, ownBytes, toHex, utf8 } from "../../../src/common/bytes.ts";
import { keccak256 } from "../../../src/common/keccak.ts";
import { err, ok } from "../../../src/common/result.ts";
import type { Cipher, Placement } from "../../../src/encryption/cipher.ts";
import { type ChannelKeys, KeyCipher } from "../../../src/encryption/key-cipher.ts";
import { none } from "../../../src/encryption/none.ts";
import { LIMITS } from "../../../src/limits.ts";
import type { SdsMessage } from "../../../src/sds/message.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import { decodeSegment } from "../../../src/segmentation/segment-message.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { passTime } from "../../support/passing-time.ts";
import { ORIGIN, Peer, TOPIC } from "../../support/peer.ts";
import { flipBit } from "../keys/support.ts";

const KEY = { origin: ORIGIN, channelId: "room" };
/** What stands behind a key's id, on every peer alike. */
const BYTES = new Map(["red", "blue"].map((id, index) => [id, new Uint8Array(32).fill(index + 1)] as const));

const cipherFor: CipherFor = (mode, marker, ids) => {
  if (mode === "none") return none;
  if (mode !== "key") return undefined;
  const bytesOf = (id: string | undefined) => BYTES.get(id ?? "") ?? ownBytes(Buffer.from(id ?? "", "hex"));
  const keys: ChannelKeys = {
    current: () => ok(bytesOf(ids().current)),
    earlier: () => ids().earlier.map(bytesOf),
    unavailable: () => undefined,
  };
  return new KeyCipher({ keys, marker });
};

let clock: VirtualClock;
let network: FakeNetwork;

beforeEach(() => {
  clock = new VirtualClock();
  network = new FakeNetwork(clock);
});

async function member(
  name: string,
  keyId: string,
  options: {
    readonly placement?: Placement;
    readonly cipherFor?: CipherFor;
    readonly channelId?: string;
    readonly contentTopic?: string;
  } = {},
): Promise<Peer> {
  const peer = await Peer.start(name, network, { cipherFor: options.cipherFor ?? cipherFor });
  const created = await peer.manager.createReliableChannel({
    ...KEY,
    channelId: options.channelId ?? KEY.channelId,
    contentTopic: options.contentTopic ?? TOPIC,
    senderId: name,
    encryption: "key",
    keyId,
    placement: options.placement ?? "envelope",
  });
  expect(created.ok).toBe(true);
  await network.settle();
  return peer;
}

const pass = (ms: number) => passTime(clock, () => network.settle(), ms);

/** A cipher that keeps what it is given and what it makes of it, and does as `encrypt` and `decrypt` say. */
function watched(hooks: Partial<Pick<Cipher, "encrypt" | "decrypt">> = {}) {
  const seen = { encrypted: [] as { readonly input: Bytes; readonly output: Bytes }[], decrypted: [] as Bytes[] };
  const watchedFor = (...parts: Parameters<CipherFor>): Cipher | undefined => {
    const real = cipherFor(...parts);
    return (
      real && {
        async encrypt(plaintext, context) {
          const input = plaintext.slice();
          const encrypted = await (hooks.encrypt ?? real.encrypt.bind(real))(plaintext, context);
          if (encrypted.ok) seen.encrypted.push({ input, output: encrypted.value.slice() });
          return encrypted;
        },
        async decrypt(ciphertext, context) {
          seen.decrypted.push(ciphertext);
          return (hooks.decrypt ?? real.decrypt.bind(real))(ciphertext, context);
        },
      }
    );
  };
  return { seen, cipherFor: watchedFor };
}

function sdsMessage(wire: Uint8Array): SdsMessage {
  const decoded = nimLayout.decode(wire);
  return decoded.ok ? decoded.value : expect.unreachable(decoded.error);
}

function segment(content: Uint8Array) {
  const decoded = decodeSegment(content);
  return decoded.ok ? decoded.value : expect.unreachable(decoded.error);
}

/** Stands for bytes that are too many to be shown where they differ. */
function digests(all: readonly Uint8Array[]): readonly string[] {
  return all.map((bytes) => toHex(keccak256(bytes)));
}

/** Whether `bytes` holds `part` as a contiguous run. */
function holds(bytes: Uint8Array, part: Uint8Array): boolean {
  return Buffer.from(bytes).includes(part);
}

/** Everything that was handed to the network in the place of `peer`, as it travels; also what no store keeps. */
function travelling(peer: Peer): readonly ReceivedMessage[] {
  return peer.mailbox.tasks.map(({ message }) => message);
}

/** Every stored row. */
async function rows(peer: Peer): Promise<unknown> {
  const tables = peer.storage.filled().toSorted();
  return Promise.all(tables.map(async (table) => [table, await peer.storage.scan(table, [])]));
}

const NOTHING_UNREAD = { otherMarker: 0, undecryptable: 0, otherLayout: 0, unreadable: 0, otherChannel: 0 };

let hashes = 0;

/** The same bytes as another Waku message. */
function anew(message: ReceivedMessage, changes: Partial<ReceivedMessage> = {}): ReceivedMessage {
  return { ...message, ...changes, messageHash: (++hashes).toString(16).padStart(64, "0") };
}

/** Straight to the channels, as often as it is called: below them nothing is heard twice. */
async function hear(peer: Peer, ...messages: readonly ReceivedMessage[]): Promise<void> {
  for (const message of messages) await peer.messaging.tell({ type: "received", message });
  await network.settle();
}

describe("a channel with a key", () => {
  test("N02 the cipher gets each SDS message once, with its segment inside, and the wire is its output", async () => {
    const { seen, cipherFor } = watched();
    const alice = await member("alice", "red", { cipherFor });
    const payload = new Uint8Array(250_000).map((_, index) => (index * 31 + Math.floor(index / 251) * 7) & 0xff);
    await alice.send(payload);
    await network.settle();
    const segments = seen.encrypted.map(({ input }) => segment(sdsMessage(input).content));
    expect(segments).toMatchObject([0, 1, 2].map((index) => ({ index, dataSegmentCount: 3, isParity: false })));
    expect(Buffer.concat(segments.map(({ segmentPayload }) => segmentPayload)).equals(payload)).toBe(true);
    expect(seen.encrypted.map(({ input }) => sdsMessage(input))).toMatchObject(
      segments.map(() => ({ channelId: "room", senderId: "alice" })),
    );
    const wire = travelling(alice);
    expect(digests(wire.map(({ payload }) => payload))).toEqual(digests(seen.encrypted.map(({ output }) => output)));
    for (const { input } of seen.encrypted) {
      for (const plain of [input, sdsMessage(input).content, segment(sdsMessage(input).content).segmentPayload]) {
        expect(wire.some(({ payload }) => holds(payload, plain))).toBe(false);
      }
    }
  });

  test("members with the key read each other, and the wire holds no SDS message", async () => {
    const [alice, bob] = [await member("alice", "red"), await member("bob", "red")];
    const id = await alice.send("secret");
    for (let i = 0; i < 20; i++) {
      await clock.advance(250);
      await network.settle();
    }
    expect(await bob.received()).toEqual(["secret"]);
    expect(await alice.outcomes(id)).toEqual(["sent", "delivered"]);
    expect(network.stored.length).toBeGreaterThan(0);
    for (const { payload } of network.stored) {
      expect(nimLayout.decode(payload).ok).toBe(false);
      expect(new TextDecoder().decode(payload)).not.toContain("secret");
    }
  });

  test("O4 with another key nothing is shown, nothing is stored, and it is counted once", async () => {
    const [alice, mallory] = [await member("alice", "red"), await member("mallory", "blue")];
    await alice.send("secret");
    await network.settle();
    const [message] = network.stored;
    if (message === undefined) throw new Error("nothing was sent");
    expect(mallory.channel().diagnostics()).toEqual({ ...NOTHING_UNREAD, undecryptable: 1 });
    await hear(mallory, message, message);
    expect(await mallory.log()).toEqual([]);
    expect(["sdsSeen", "segments"].map((table) => mallory.storage.count(table))).toEqual([0, 0]);
    expect(mallory.channel().diagnostics()).toEqual({ ...NOTHING_UNREAD, undecryptable: 1 });
  });

  test("an unencrypted member neither reads nor is read: nothing falls back to plain text", async () => {
    const alice = await member("alice", "red");
    const eve = await Peer.start("eve", network, { cipherFor });
    await eve.open();
    await network.settle();
    await alice.send("secret");
    await eve.send("forged");
    await network.settle();
    expect([await alice.log(), await eve.log()].map((log) => log.map(({ type }) => type))).toEqual([
      ["reliable:message:sent"],
      ["reliable:message:sent"],
    ]);
  });

  test("after a change of key, what the others still write with the earlier one can be read, also after a restart", async () => {
    const [alice, bob] = [await member("alice", "red"), await member("bob", "red")];
    expect(await alice.manager.changeKey(KEY, "blue")).toEqual(ok(undefined));
    await alice.restart();
    await network.settle();
    expect(alice.channel().summary()).toMatchObject({ keyId: "blue", earlierKeyIds: ["red"] });
    await bob.send("with the old key");
    await network.settle();
    expect(await alice.received()).toEqual(["with the old key"]);
    await alice.send("with the new key");
    await network.settle();
    expect(await bob.received()).toEqual([]);
    await bob.manager.changeKey(KEY, "blue");
    await alice.send("once more");
    for (let i = 0; i < 40; i++) {
      await clock.advance(250);
      await network.settle();
    }
    expect((await bob.received()).at(-1)).toBe("once more");
  });

  test("it remembers as many earlier keys as it reads with, the newest, however often its key is changed", async () => {
    const alice = await member("alice", "key 0");
    const { earlierKeys } = LIMITS.keys;
    const newest = earlierKeys + 3;
    for (let i = 1; i <= newest; i++) await alice.manager.changeKey(KEY, `key ${i}`);
    await alice.restart();
    expect(alice.channel().summary()).toMatchObject({
      keyId: `key ${newest}`,
      earlierKeyIds: Array.from({ length: earlierKeys }, (_, i) => `key ${newest - 1 - i}`),
    });
  });

  test("made with the keys that it had elsewhere, it has all of them in its first transaction, and reads with them", async () => {
    const [alice, bob] = [await member("alice", "red"), await Peer.start("bob", network, { cipherFor })];
    const params = { ...KEY, contentTopic: TOPIC, encryption: "key", keyId: "blue" } as const;
    const made: unknown[] = [];
    bob.storage.beforeCommit = (changes) => {
      made.push(...changes.flatMap(({ table, row }) => (table === "channels" ? [row] : [])));
    };
    await bob.manager.createReliableChannel({ ...params, earlierKeyIds: ["red"] });
    expect(made[0]).toMatchObject({ keys: { current: "blue", earlier: ["red"] } });
    await network.settle();
    await alice.send("with the old key");
    await network.settle();
    expect(await bob.received()).toEqual(["with the old key"]);
    expect(bob.channel().summary()).toMatchObject({ keyId: "blue", earlierKeyIds: ["red"] });
  });

  test("it cannot be created without a key, and a mode without a cipher is refused", async () => {
    const alice = await Peer.start("alice", network, { cipherFor });
    const params = { ...KEY, contentTopic: TOPIC };
    expect(await alice.manager.createReliableChannel({ ...params, encryption: "key" })).toMatchObject({
      ok: false,
      error: { kind: "key-required" },
    });
    expect(await alice.manager.createReliableChannel({ ...params, encryption: "page" })).toMatchObject({
      ok: false,
      error: { kind: "unsupported" },
    });
    expect(alice.manager.channelExists(KEY)).toBe(false);
  });
});

describe("with placement content", () => {
  const placement = "content" as const;

  test("N02 N05 the cipher gets each serialised segment once; the wire shows its output inside a readable SDS message", async () => {
    const { seen, cipherFor } = watched();
    const [alice, bob] = [
      await member("alice", "red", { placement, cipherFor }),
      await member("bob", "red", { placement }),
    ];
    const long = "inside ".repeat(30_000);
    const ids = [await alice.send("inside"), await alice.send(long)];
    await pass(5_000);
    expect(await bob.received()).toEqual(["inside", long]);
    for (const id of ids) expect(await alice.outcomes(id)).toEqual(["sent", "delivered"]);
    const segments = seen.encrypted.map(({ input }) => segment(input));
    expect(segments).toMatchObject(
      [
        [0, 1],
        [0, 3],
        [1, 3],
        [2, 3],
      ].map(([index, dataSegmentCount]) => ({ index, dataSegmentCount, isParity: false, paritySegmentCount: 0 })),
    );
    const [only, ...parts] = segments;
    expect(only).toMatchObject({ segmentPayload: utf8("inside"), originalPayloadHash: keccak256(utf8("inside")) });
    expect(Buffer.concat(parts.map(({ segmentPayload }) => segmentPayload)).equals(utf8(long))).toBe(true);

    const wire = travelling(alice).map(({ payload }) => payload);
    const contents = wire.map((payload) => sdsMessage(payload)).filter(({ content }) => content.length > 0);
    expect(contents).toMatchObject(segments.map(() => ({ channelId: "room", senderId: "alice" })));
    expect(digests(contents.map(({ content }) => content))).toEqual(
      digests(seen.encrypted.map(({ output }) => output)),
    );
    for (const { input, output } of seen.encrypted) {
      expect(wire.filter((payload) => holds(payload, output))).toHaveLength(1);
      expect(wire.some((payload) => holds(payload, input))).toBe(false);
    }
    expect(wire.some((payload) => holds(payload, utf8("inside")))).toBe(false);
  });

  test("N03 N09 if any segment cannot be encrypted, send says why and nothing reaches the wire", async () => {
    for (const failing of [1, 2, 3]) {
      let calls = 0;
      const encrypt: Cipher["encrypt"] = async (plaintext) =>
        ++calls === failing ? err("no key today") : ok(plaintext);
      const alice = await member("alice", "red", { placement, cipherFor: watched({ encrypt }).cipherFor });
      const before = await rows(alice);
      const sent = await alice.channel().send(new Uint8Array(300_000).fill(1));
      await pass(10_000);
      expect(sent).toMatchObject({ ok: false, error: { message: expect.stringContaining("no key today") } });
      expect(calls).toBe(failing);
      expect(alice.messaging.sent).toEqual([]);
      expect(await rows(alice)).toEqual(before);
    }
  });

  test("N06 with another key there is no received event, but a loss that says why", async () => {
    const [alice, mallory] = [
      await member("alice", "red", { placement }),
      await member("mallory", "blue", { placement }),
    ];
    await alice.send("secret");
    await network.settle();
    expect(await mallory.log()).toMatchObject([
      { type: "reliable:message:lost", senderId: "alice", reason: expect.stringContaining("decryption failed") },
    ]);
  });

  test("N07 the cipher of another channel on the topic, and the sender's own, are not asked", async () => {
    const [mine, others] = [watched(), watched()];
    const alice = await member("alice", "red", { placement, cipherFor: mine.cipherFor });
    const bob = await Peer.start("bob", network, { cipherFor: others.cipherFor });
    await bob.manager.createReliableChannel({
      origin: ORIGIN,
      channelId: "another",
      contentTopic: TOPIC,
      encryption: "key",
      keyId: "red",
      placement,
    });
    await network.settle();
    await alice.send("not for you");
    await network.settle();
    expect([others.seen.decrypted, mine.seen.decrypted]).toEqual([[], []]);
    expect(await bob.log("another")).toEqual([]);
  });

  test("N08 a message does not overtake one that is still being decrypted", async () => {
    const gates: (() => void)[] = [];
    const decrypt: Cipher["decrypt"] = async (ciphertext) => {
      if (gates.length === 0) await new Promise<void>((resolve) => gates.push(resolve));
      return ok(ciphertext);
    };
    const encrypt: Cipher["encrypt"] = async (plaintext) => ok(plaintext);
    const alice = await member("alice", "red", { placement, cipherFor: watched({ encrypt }).cipherFor });
    await alice.send("first");
    await alice.send("second");
    await network.settle();
    const captured = network.stored.splice(0);
    const bob = await member("bob", "red", { placement, cipherFor: watched({ decrypt }).cipherFor });
    const taken = captured.map((message) => bob.channel().onMessageReceived(message));
    await clock.settle();
    expect(await bob.received()).toEqual([]);
    gates[0]?.();
    await Promise.all(taken);
    expect(await bob.received()).toEqual(["first", "second"]);
  });

  test("a retransmission is the same bytes, without the cipher", async () => {
    const { seen, cipherFor } = watched();
    const alice = await member("alice", "red", { placement, cipherFor });
    await alice.send("again");
    await pass(7_000);
    const contents = alice.messaging.sent.filter(({ payload }) => sdsMessage(payload).content.length > 0);
    expect(contents.length).toBeGreaterThan(1);
    expect(contents[1]?.payload).toEqual(contents[0]?.payload);
    expect(contents[1]?.ephemeral).toBe(true);
    expect(seen.encrypted).toHaveLength(1);
  });
});

describe("N10 SDS-R rebroadcast: B asks for what no store has, and A, the author, sends it again", () => {
  /** As in RC10b: B is subscribed without a channel when m1 comes, carol acknowledges it, and no store keeps it. */
  async function rebroadcast(placement: Placement) {
    const { seen, cipherFor } = watched();
    const alice = await member("alice", "red", { placement, cipherFor });
    await member("carol", "red", { placement });
    const bob = await Peer.start("bob", network, { cipherFor: watched().cipherFor });
    await bob.messaging.subscribe(TOPIC);
    await alice.send("m1");
    await pass(5_000);
    expect(bob.mailbox.received.size).toBeGreaterThan(0);
    network.stored.length = 0;
    await bob.manager.createReliableChannel({
      ...KEY,
      contentTopic: TOPIC,
      senderId: "bob",
      encryption: "key",
      keyId: "red",
      placement,
    });
    await pass(5_000);
    await alice.send("m2");
    for (let at = 0; at < 330 && (await bob.received()).length === 0; at += 10) {
      await pass(10_000);
      await bob.send(`B at ${at}`);
    }
    await network.settle();
    expect(await bob.received()).toEqual(["m1", "m2"]);
    return { alice, seen };
  }

  test("placement content: the same bytes, no cipher call, sent ephemeral", async () => {
    const { alice, seen } = await rebroadcast("content");
    const [original] = alice.messaging.sent;
    const { messageId } = sdsMessage(original?.payload ?? new Uint8Array());
    const copies = alice.messaging.sent.filter(({ payload }) => sdsMessage(payload).messageId === messageId);
    expect(copies).toHaveLength(2);
    expect(copies.map(({ ephemeral }) => ephemeral)).toEqual([false, true]);
    expect(copies[1]?.payload).toEqual(original?.payload);
    // Once for m1 and once for m2.
    expect(seen.encrypted.map(({ input }) => new TextDecoder().decode(segment(input).segmentPayload))).toEqual([
      "m1",
      "m2",
    ]);
  });

  test("placement envelope: the same SDS message, sent ephemeral; its envelope is encrypted anew, as at every dispatch", async () => {
    const { alice, seen } = await rebroadcast("envelope");
    const [original] = seen.encrypted;
    const { messageId } = sdsMessage(original?.input ?? new Uint8Array());
    const copies = seen.encrypted.filter(({ input }) => sdsMessage(input).messageId === messageId);
    expect(copies).toHaveLength(2);
    expect(copies[1]?.input).toEqual(original?.input);
    expect(copies[1]?.output).not.toEqual(original?.output);
    const sent = copies.map(({ output }) => alice.messaging.sent.filter(({ payload }) => holds(payload, output)));
    expect(sent).toMatchObject([[{ ephemeral: false }], [{ ephemeral: true }]]);
    // One call for each message on the wire, and nothing on the wire without one.
    expect(alice.messaging.sent.map(({ payload }) => payload)).toEqual(seen.encrypted.map(({ output }) => output));
  });
});

describe("any ciphertext bit flipped, any other channel, topic or key", () => {
  /** What differs between the sender's channel and the listener's, or between what was sent and what is heard. */
  const difference = fc.oneof(
    fc.nat().map((bit) => ({ what: "bit" as const, bit })),
    fc.nat({ max: 255 }).map((bit) => ({ what: "key" as const, bit })),
    fc.stringMatching(/^[a-z0-9]{1,12}$/).map((channelId) => ({ what: "channel" as const, channelId })),
    fc
      .stringMatching(/^[a-z0-9]{1,12}$/)
      .map((name) => ({ what: "topic" as const, contentTopic: `/test/1/${name}/proto` })),
  );
  type Difference = typeof difference extends fc.Arbitrary<infer T> ? T : never;

  /** One whose channel differs in that from alice's. */
  function listener(placement: Placement, given: Difference): Promise<Peer> {
    const red = BYTES.get("red") ?? expect.unreachable();
    const keyId = given.what === "key" ? Buffer.from(flipBit(red, given.bit)).toString("hex") : "red";
    return member("bob", keyId, {
      placement,
      ...("channelId" in given ? { channelId: given.channelId } : {}),
      ...("contentTopic" in given ? { contentTopic: given.contentTopic } : {}),
    });
  }

  /** What alice sends: a message, an ephemeral one, retransmissions and a sync. */
  async function sentByAlice(placement: Placement): Promise<readonly ReceivedMessage[]> {
    const alice = await member("alice", "red", { placement });
    await alice.send("secret");
    await alice.send("brief secret", "room", true);
    await pass(40_000);
    await alice.kill();
    network.stored.length = 0;
    return travelling(alice);
  }

  test("placement envelope: no plaintext, one count for each message hash, and nothing else", async () => {
    const sent = await sentByAlice("envelope");
    expect(sent.length).toBeGreaterThan(3);
    const control = await member("bob", "red");
    await hear(control, ...sent);
    expect(await control.received()).toEqual(["secret", "brief secret"]);
    await control.kill();
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(fc.constantFrom(...sent), fc.constantFrom(...sent)),
        difference,
        async (pair, given) => {
          fc.pre(!("channelId" in given && given.channelId === KEY.channelId));
          fc.pre(!("contentTopic" in given && given.contentTopic === TOPIC));
          const bob = await listener("envelope", given);
          const channelId = "channelId" in given ? given.channelId : KEY.channelId;
          const [first, second] = pair.map((message) =>
            anew(message, {
              ...("contentTopic" in given ? { contentTopic: given.contentTopic } : {}),
              ...(given.what === "bit" ? { payload: flipBit(message.payload, given.bit) } : {}),
            }),
          );
          if (first === undefined || second === undefined) expect.unreachable();
          const before = { filled: bob.storage.filled(), rows: await rows(bob) };
          bob.notices = [];
          await hear(bob, first, first);
          expect(bob.channel(channelId).diagnostics()).toEqual({ ...NOTHING_UNREAD, undecryptable: 1 });
          await hear(bob, second, second, first);
          await pass(3_000);
          await hear(bob, first);
          expect(bob.channel(channelId).diagnostics()).toEqual({ ...NOTHING_UNREAD, undecryptable: 2 });
          expect(bob.notices.map(({ notice }) => notice.type)).toEqual(["diagnostics", "diagnostics"]);
          expect(await bob.log(channelId)).toEqual([]);
          expect(bob.messaging.sent).toEqual([]);
          expect(bob.messaging.retrievals).toEqual([]);
          expect(bob.channel(channelId).summary().members).toBe(0);
          expect({ filled: bob.storage.filled(), rows: await rows(bob) }).toEqual(before);
          await bob.kill();
        },
      ),
      { numRuns: 60 },
    );
  });

  test("placement content: no plaintext, one loss that says why, and one count for each message hash; SDS takes it as heard", async () => {
    const [message] = await sentByAlice("content");
    if (message === undefined) expect.unreachable();
    const original = sdsMessage(message.payload);
    await fc.assert(
      fc.asyncProperty(difference, async (given) => {
        fc.pre(!("channelId" in given && given.channelId === KEY.channelId));
        fc.pre(!("contentTopic" in given && given.contentTopic === TOPIC));
        // What the ones before answered.
        network.stored.length = 0;
        const bob = await listener("content", given);
        const channelId = "channelId" in given ? given.channelId : KEY.channelId;
        // The ciphertext of alice's channel, in an SDS message that anybody may write.
        const content = given.what === "bit" ? flipBit(ownBytes(original.content), given.bit) : original.content;
        const heard = anew(message, {
          payload: nimLayout.encode({ ...original, channelId, content }),
          ...("contentTopic" in given ? { contentTopic: given.contentTopic } : {}),
        });
        await hear(bob, heard, heard);
        await pass(3_000);
        await hear(bob, heard);
        expect(bob.channel(channelId).diagnostics()).toEqual({ ...NOTHING_UNREAD, undecryptable: 1 });
        await hear(bob, anew(heard), heard);
        expect(bob.channel(channelId).diagnostics()).toEqual({ ...NOTHING_UNREAD, undecryptable: 2 });
        expect(await bob.log(channelId)).toMatchObject([
          {
            type: "reliable:message:lost",
            messageId: original.messageId,
            senderId: "alice",
            reason: expect.stringContaining("decryption failed"),
          },
        ]);
        expect(["segments", "segmentSets"].map((table) => bob.storage.count(table))).toEqual([0, 0]);
        // Ids, history and filter travel in clear: the message is known, its sender a member, and it is acknowledged.
        const contents = (await bob.storage.scan("sdsSeen", [])).filter(
          ({ row }) => (row as { readonly kind: string }).kind === "content",
        );
        expect(contents).toMatchObject([{ key: [ORIGIN, channelId, original.messageId] }]);
        expect(bob.channel(channelId).summary().members).toBe(1);
        // Nothing but acknowledgements.
        expect(bob.messaging.sent.length).toBeGreaterThan(0);
        for (const { payload } of bob.messaging.sent) expect(sdsMessage(payload).content.length).toBe(0);
        await bob.kill();
      }),
      { numRuns: 60 },
    );
  });

  test("placement content: a message for another channel is counted as that, once, and nothing else", async () => {
    const [message] = await sentByAlice("content");
    if (message === undefined) expect.unreachable();
    const bob = await member("bob", "red", { placement: "content", channelId: "another" });
    const before = await rows(bob);
    await hear(bob, message, message);
    await pass(3_000);
    await hear(bob, message);
    expect(bob.channel("another").diagnostics()).toEqual({ ...NOTHING_UNREAD, otherChannel: 1 });
    expect([await bob.log("another"), bob.messaging.sent]).toEqual([[], []]);
    expect(await rows(bob)).toEqual(before);
  });

  test("placement content: with any bit of the SDS message flipped, what is delivered is what was sent, or nothing is", async () => {
    const [message] = await sentByAlice("content");
    if (message === undefined) expect.unreachable();
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (bit) => {
        const bob = await member("bob", "red", { placement: "content" });
        await hear(bob, anew(message, { payload: flipBit(message.payload, bit) }));
        expect(["", "secret"]).toContain((await bob.received()).join());
        await bob.kill();
      }),
      { numRuns: 100 },
    );
  });

  test("placement content proves nothing of the SDS message around it: the sender and the id are whatever they say", async () => {
    const [message] = await sentByAlice("content");
    if (message === undefined) expect.unreachable();
    const forged = { ...sdsMessage(message.payload), senderId: "mallory", messageId: "made up" };
    const bob = await member("bob", "red", { placement: "content" });
    await hear(bob, anew(message, { payload: nimLayout.encode(forged) }));
    expect(await bob.log()).toMatchObject([
      { type: "reliable:message:received", senderId: "mallory", messageId: "made up", message: utf8("secret") },
    ]);
  });
});

describe("without encryption", () => {
  test("N04 the payload goes out unchanged: what is on the wire is an SDS message of a segment of it", async () => {
    const { seen, cipherFor } = watched();
    const alice = await Peer.start("alice", network, { cipherFor });
    await alice.open();
    const payload = new Uint8Array(150_000).map((_, index) => (index * 31 + Math.floor(index / 251) * 7) & 0xff);
    await alice.send(payload);
    await network.settle();
    const wire = alice.messaging.sent.map(({ payload }) => payload);
    const segments = wire.map((bytes) => segment(sdsMessage(bytes).content));
    expect(segments.map(({ index, dataSegmentCount }) => [index, dataSegmentCount])).toEqual([
      [0, 2],
      [1, 2],
    ]);
    expect(Buffer.concat(segments.map(({ segmentPayload }) => segmentPayload)).equals(payload)).toBe(true);
    const kept = (await alice.storage.scan("sdsWires", [])).map(({ row }) => (row as { readonly wire: Bytes }).wire);
    expect(digests(wire).toSorted()).toEqual(digests(kept).toSorted());
    // The cipher of mode `none` is asked, and changes nothing.
    expect(digests(seen.encrypted.map(({ input }) => input))).toEqual(digests(wire));
    expect(digests(seen.encrypted.map(({ output }) => output))).toEqual(digests(wire));
  });
});

describe("what a person does with a channel", () => {
  test("a name is kept, and the channel id is its name until then", async () => {
    const alice = await member("alice", "red");
    expect(alice.manager.summaries()).toMatchObject([{ label: "room" }]);
    await alice.manager.rename(KEY, "The shed");
    await alice.restart();
    expect(alice.manager.summaries()).toMatchObject([{ label: "The shed" }]);
  });

  test("deleting while a message is being handed over leaves nothing behind either", async () => {
    const alice = await member("alice", "red");
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    alice.messaging.onSend = async () => {
      await held;
      return ok(undefined);
    };
    await alice.send(new Uint8Array(300_000).fill(1));
    await clock.settle();
    const deleted = alice.manager.deleteChannel(KEY);
    await alice.open();
    release();
    expect(await deleted).toEqual(ok(undefined));
    await network.settle();
    expect(alice.messaging.sent.length).toBeLessThanOrEqual(1);
    expect(await alice.log()).toEqual([]);
    await alice.manager.deleteChannel(KEY);
    await network.settle();
    expect(alice.storage.filled()).toEqual([]);
  });

  test("a closed channel is still listed; a deleted one leaves nothing behind, and can be made anew", async () => {
    const alice = await member("alice", "red");
    await alice.send("gone");
    await network.settle();
    await alice.manager.closeChannel(KEY, "user");
    expect(alice.manager.summaries()).toMatchObject([{ status: { state: "closed" } }]);
    expect(await alice.manager.deleteChannel(KEY)).toEqual(ok(undefined));
    expect(await alice.manager.deleteChannel(KEY)).toMatchObject({ ok: false });
    await network.settle();
    expect(alice.storage.filled()).toEqual([]);
    expect(alice.mailbox.topics.size).toBe(0);
    await alice.restart();
    expect(alice.manager.summaries()).toEqual([]);
    await alice.open();
    expect(await alice.log()).toEqual([]);
  });
});
