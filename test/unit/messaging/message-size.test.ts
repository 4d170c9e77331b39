import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import type { Profile } from "../../../src/channel/types.ts";
import { ok } from "../../../src/common/result.ts";
import { Journal } from "../../../src/common/table.ts";
import { KeyCipher } from "../../../src/encryption/key-cipher.ts";
import { LIMITS, PAGE_LIMITS } from "../../../src/limits.ts";
import { nanoseconds } from "../../../src/messaging/waku-message.ts";
import { encodedBytes } from "../../../src/messaging/waku-message-codec.ts";
import type { SdsLayout } from "../../../src/sds/layout.ts";
import { lip109Layout } from "../../../src/sds/lip109-layout.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import { openSdsTables, Participant } from "../../../src/sds/participant.ts";
import { FakeNetwork } from "../../support/fake-messaging.ts";
import { Peer, TOPIC } from "../../support/peer.ts";

const NOW = 1_750_000_000_000;
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

  test.each<[string, SdsLayout]>([
    ["nim-sds", nimLayout],
    ["lip-109", lip109Layout],
  ])(
    "%s: beside many others' messages that nobody named, the longest ids among them, the causal history leaves out what does not fit",
    (_, layout) => {
      const tables = openSdsTables(new Journal(), ["ch"], () => []);
      const sds = new Participant({ participantId: "me", channelId: "ch", layout }, tables);
      const long = (text: string) => text.padEnd(LIMITS.sds.identifierBytes, "x");
      for (let i = 0; i < LIMITS.sds.causalHistoryMax; i++) {
        const wire = layout.encode({
          senderId: long("sender"),
          messageId: long(`m${i} `),
          channelId: "ch",
          lamportTimestamp: BigInt(Math.floor(NOW / layout.lamportUnitMs)),
          causalHistory: [],
          bloomFilter: new Uint8Array(0),
          content: new Uint8Array(1),
          repairRequest: [],
        });
        sds.handleIncoming(wire, { now: NOW, messageHash: "ab".repeat(32), random: 0.5 });
      }
      const context = { now: NOW, nanoseconds: 0, ephemeral: false };
      const own = sds.wrapOutgoing(new Uint8Array(1), context);
      const { wire } = sds.wrapOutgoing(new Uint8Array(LIMITS.segmentation.rawBytes), context);
      expect(wire.length).toBeLessThanOrEqual(LIMITS.sds.messageBytes);
      const decoded = layout.decode(wire);
      const history = decoded.ok ? decoded.value.causalHistory.map(({ messageId }) => messageId) : [];
      expect(history).toContain(own.messageId);
      expect(history.length).toBeGreaterThanOrEqual(LIMITS.sds.causalHistory);
      // With a content as large as a segment there is room for all.
      const segment = sds.wrapOutgoing(new Uint8Array(LIMITS.segmentation.segmentBytes), context);
      expect(segment.wire.length).toBeLessThanOrEqual(LIMITS.sds.messageBytes);
    },
  );

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
