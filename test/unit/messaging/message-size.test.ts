import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import type { Profile } from "../../../src/channel/types.ts";
import { ok } from "../../../src/common/result.ts";
import { KeyCipher } from "../../../src/encryption/key-cipher.ts";
import { LIMITS, PAGE_LIMITS } from "../../../src/limits.ts";
import { nanoseconds } from "../../../src/messaging/waku-message.ts";
import { encodedBytes } from "../../../src/messaging/waku-message-codec.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { Peer, TOPIC } from "../../support/peer.ts";

const KEY = new Uint8Array(32).fill(7);

function cipher(): KeyCipher {
  const keys = { current: () => ok(KEY), earlier: () => [], unavailable: () => undefined };
  return new KeyCipher({ keys, marker: new Uint8Array(0) });
}

/** Two members that have talked, so that histories and filters are filled. */
async function talked(profile: Profile): Promise<{ readonly alice: Peer; readonly bob: Peer }> {
  const network = new FakeNetwork(new VirtualClock());
  const alice = await Peer.start("a".repeat(64), network, { cipher: cipher(), profile });
  const bob = await Peer.start("b".repeat(64), network, { cipher: cipher(), profile });
  for (const peer of [alice, bob]) await peer.open();
  for (let i = 0; i < 60; i++) {
    await (i % 2 === 0 ? alice : bob).send(`message ${i}`);
    await network.settle();
  }
  return { alice, bob };
}

describe("O6 what the stages add to a message stays within what the network carries", () => {
  test.each<[Profile, number]>([
    ["logos", 3 * LIMITS.segmentation.segmentBytes],
    ["logos-raw", LIMITS.segmentation.rawBytes],
    ["waku-sdk", LIMITS.segmentation.rawBytes],
  ])("%s: the largest wire message, encrypted, with history and filter, fits 150 KiB", async (profile, bytes) => {
    const { alice, bob } = await talked(profile);
    const before = alice.messaging.sent.length;
    await alice.send(new Uint8Array(bytes).fill(1));
    await alice.network.settle();
    const sizes = alice.messaging.sent
      .slice(before)
      .map((envelope) => encodedBytes({ ...envelope, timestamp: nanoseconds(alice.network.clock.now()) }));
    expect(Math.max(...sizes)).toBeGreaterThan(LIMITS.segmentation.segmentBytes);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(LIMITS.messaging.messageBytes);
    const received = (await bob.log()).filter((event) => event.type === "reliable:message:received").at(-1);
    expect(received?.type === "reliable:message:received" && received.message.length).toBe(bytes);
    expect(alice.messaging.sent.every(({ contentTopic }) => contentTopic === TOPIC)).toBe(true);
  });

  test("the most that a page's own cipher may return fits 150 KiB, with the longest topic and marker", () => {
    const envelope = {
      payload: new Uint8Array(PAGE_LIMITS.cipherOutputBytes),
      contentTopic: "t".repeat(LIMITS.sds.identifierBytes),
      meta: new Uint8Array(LIMITS.messaging.metaBytes),
      ephemeral: true,
      timestamp: nanoseconds(Date.UTC(2100, 0)),
    };
    const { messageBytes, messageOverheadBytes } = LIMITS.messaging;
    expect(encodedBytes(envelope) + messageOverheadBytes).toBeLessThanOrEqual(messageBytes);
  });

  test.each<Profile>(["logos-raw", "waku-sdk"])("%s: one byte more is refused at the call", async (profile) => {
    const { alice } = await talked(profile);
    await expect(alice.send(new Uint8Array(LIMITS.segmentation.rawBytes + 1))).rejects.toThrow("exceeds 130000 bytes");
  });
});
