/** Channels with the cipher `key`: who can read what, and what becomes of a channel when its key changes. */
import { beforeEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import type { CipherFor } from "../../../src/channel/reliable-channel-manager.ts";
import { err, ok } from "../../../src/common/result.ts";
import type { Cipher, Placement } from "../../../src/encryption/cipher.ts";
import { type ChannelKeys, KeyCipher } from "../../../src/encryption/key-cipher.ts";
import { none } from "../../../src/encryption/none.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { ORIGIN, Peer, TOPIC } from "../../support/peer.ts";

const KEY = { origin: ORIGIN, channelId: "room" };
/** What stands behind a key's id, on every peer alike. */
const BYTES = new Map(["red", "blue"].map((id, index) => [id, new Uint8Array(32).fill(index + 1)] as const));

const cipherFor: CipherFor = (mode, marker, ids) => {
  if (mode === "none") return none;
  if (mode !== "key") return undefined;
  const bytesOf = (id: string | undefined) => BYTES.get(id ?? "") ?? new Uint8Array(32);
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
  options: { readonly placement?: Placement; readonly cipherFor?: CipherFor } = {},
): Promise<Peer> {
  const peer = await Peer.start(name, network, { cipherFor: options.cipherFor ?? cipherFor });
  const created = await peer.manager.createReliableChannel({
    ...KEY,
    contentTopic: TOPIC,
    senderId: name,
    encryption: "key",
    keyId,
    placement: options.placement ?? "envelope",
  });
  expect(created.ok).toBe(true);
  await network.settle();
  return peer;
}

describe("a channel with a key", () => {
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
    await network.inject(message);
    expect(await mallory.log()).toEqual([]);
    expect(["sdsSeen", "segments"].map((table) => mallory.storage.count(table))).toEqual([0, 0]);
    expect(mallory.channel().diagnostics().undecryptable).toBe(1);
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

  /** A cipher that counts what it is given, and does as `encrypt` and `decrypt` say. */
  function watched(hooks: Partial<Pick<Cipher, "encrypt" | "decrypt">> = {}) {
    const seen = { encrypted: [] as Uint8Array[], decrypted: [] as Uint8Array[] };
    const cipher = (...parts: Parameters<CipherFor>): Cipher | undefined => {
      const real = cipherFor(...parts);
      return (
        real && {
          async encrypt(plaintext, context) {
            seen.encrypted.push(plaintext);
            return (hooks.encrypt ?? real.encrypt.bind(real))(plaintext, context);
          },
          async decrypt(ciphertext, context) {
            seen.decrypted.push(ciphertext);
            return (hooks.decrypt ?? real.decrypt.bind(real))(ciphertext, context);
          },
        }
      );
    };
    return { seen, cipherFor: cipher };
  }

  async function pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 250) {
      await clock.advance(250);
      await network.settle();
    }
  }

  test("N02 N05 the cipher gets the segment once; the wire shows its output inside a readable SDS message", async () => {
    const { seen, cipherFor } = watched();
    const [alice, bob] = [
      await member("alice", "red", { placement, cipherFor }),
      await member("bob", "red", { placement }),
    ];
    const id = await alice.send("inside");
    await pass(5_000);
    expect(await bob.received()).toEqual(["inside"]);
    expect(await alice.outcomes(id)).toEqual(["sent", "delivered"]);
    expect(seen.encrypted).toHaveLength(1);
    const decoded = nimLayout.decode(network.stored[0]?.payload ?? new Uint8Array(0));
    expect(decoded.ok && decoded.value.channelId).toBe("room");
    expect(decoded.ok && new TextDecoder().decode(decoded.value.content)).not.toContain("inside");
  });

  test("N03 N09 if any segment cannot be encrypted, send says why and nothing reaches the wire", async () => {
    let calls = 0;
    const encrypt: Cipher["encrypt"] = async (plaintext) => (++calls === 3 ? err("no key today") : ok(plaintext));
    const alice = await member("alice", "red", { placement, cipherFor: watched({ encrypt }).cipherFor });
    const sent = await alice.channel().send(new Uint8Array(300_000).fill(1));
    await network.settle();
    expect(sent).toMatchObject({ ok: false, error: { message: expect.stringContaining("no key today") } });
    expect(network.stored).toEqual([]);
    expect(alice.storage.count("sdsOutgoing")).toBe(0);
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

  test("N10 a retransmission is the same bytes, without the cipher", async () => {
    const { seen, cipherFor } = watched();
    const alice = await member("alice", "red", { placement, cipherFor });
    await alice.send("again");
    await pass(7_000);
    const contents = alice.messaging.sent.filter(({ payload }) => {
      const decoded = nimLayout.decode(payload);
      return decoded.ok && decoded.value.content.length > 0;
    });
    expect(contents.length).toBeGreaterThan(1);
    expect(contents[1]?.payload).toEqual(contents[0]?.payload);
    expect(contents[1]?.ephemeral).toBe(true);
    expect(seen.encrypted).toHaveLength(1);
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
