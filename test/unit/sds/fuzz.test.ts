/** 100,000 mutated messages of each layout. */
import { expect, test } from "vitest";
import type { Bytes } from "../../../src/common/bytes.ts";
import { EMPTY, utf8 } from "../../../src/common/bytes.ts";
import { Journal } from "../../../src/common/table.ts";
import { BloomFilter } from "../../../src/sds/bloom-filter.ts";
import type { SdsLayout } from "../../../src/sds/layout.ts";
import { lip109Layout } from "../../../src/sds/lip109-layout.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import { openSdsTables, Participant } from "../../../src/sds/participant.ts";
import { mutated } from "../../support/mutation.ts";
import { seededRandom } from "../../support/simulation/random.ts";
import { CHANNEL, START } from "./sds-peer.ts";

const MESSAGES = 100_000;
const ROUND = 25;
const HASH = "ab".repeat(32);
/** Small enough for the floods here to reach them. */
const LIMITS = {
  parkedMessages: 50,
  missing: 100,
  log: 200,
  seenIds: 2_000,
  members: 100,
  repairs: 20,
  filterIds: 64,
  wireBytes: 256 * 1024,
};
/** Of these a message changes nothing at all. */
const REFUSED = /^(undecodable|foreign channel|message id|sender id|Lamport)/;

/** Messages of every kind that there is, of this channel and of another; each round's have ids of their own. */
function corpusOf(layout: SdsLayout, own: readonly string[], round: number): readonly Bytes[] {
  const lamportTimestamp = BigInt(Math.floor(START / layout.lamportUnitMs));
  const hint = new Uint8Array(32).fill(7);
  const history = [`m1/${round - 1}`, `gap/${round}`, ...own].map((messageId) => ({
    messageId,
    retrievalHint: hint,
    senderId: "carol",
  }));
  const filter = layout.encodeFilter(BloomFilter.empty(layout.filterShape(3, 1)));
  const plain = {
    senderId: "bob",
    messageId: `m1/${round}`,
    channelId: CHANNEL,
    lamportTimestamp,
    causalHistory: history,
    bloomFilter: filter,
    content: utf8("some content"),
    repairRequest: [],
  };
  const messages = [
    plain,
    { ...plain, messageId: `m2/${round}`, bloomFilter: EMPTY, causalHistory: [] },
    { ...plain, messageId: `m3/${round}`, content: EMPTY, repairRequest: history },
    { ...plain, messageId: `m4/${round}`, bloomFilter: filter.subarray(0, 40), repairRequest: history.slice(0, 1) },
    { ...plain, messageId: `m5/${round}`, senderId: "alice", bloomFilter: EMPTY },
    {
      ...plain,
      messageId: `m6/${round}`,
      senderId: "",
      bloomFilter: EMPTY,
      causalHistory: [{ messageId: `m4/${round}` }],
    },
    { ...plain, messageId: `m7/${round}`, channelId: "another", bloomFilter: EMPTY },
    { ...plain, messageId: `m8/${round}`, lamportTimestamp: undefined, bloomFilter: EMPTY, causalHistory: [] },
  ];
  return messages.map((message) => layout.encode(message));
}

test.each([nimLayout, lip109Layout])(
  "$name: nothing throws, nothing foreign leaves a trace, memory stays bounded",
  {
    timeout: 60_000,
  },
  (layout) => {
    const journal = new Journal();
    const tables = openSdsTables(journal, [CHANNEL], () => []);
    const alice = new Participant({ participantId: "alice", channelId: CHANNEL, layout, limits: LIMITS }, tables);
    const own: string[] = [];
    let now = START;
    for (let i = 0; i < 10; i++) {
      const { messageId } = alice.wrapOutgoing(utf8(`${i}`), { now, nanoseconds: 0, ephemeral: false });
      alice.onPropagated(messageId, HASH, now);
      own.push(messageId);
    }
    journal.take();
    let corpus = corpusOf(layout, own, 0);
    const random = seededRandom(109);
    const counts = { refused: 0, taken: 0 };
    for (let i = 0; i < MESSAGES; i++) {
      now += i % 100 === 0 ? 5_000 : 1;
      if (i % ROUND === 0) corpus = corpusOf(layout, own, i / ROUND);
      const wire = mutated(corpus, random);
      const { dropped } = alice.handleIncoming(wire, { now, messageHash: HASH, random: random() });
      const changes = journal.take().length;
      if (dropped !== undefined && REFUSED.test(dropped)) {
        counts.refused++;
        if (changes > 0) expect.unreachable(`${dropped}, and yet it changed ${changes} rows`);
      } else if (dropped === undefined) counts.taken++;
      if (i % 500 !== 0) continue;
      alice.tick({ now, random: random(), online: true });
      journal.take();
      expect(tables.incoming.size).toBeLessThanOrEqual(LIMITS.parkedMessages);
      expect(tables.missing.size).toBeLessThanOrEqual(LIMITS.missing);
      expect(tables.log.size).toBeLessThanOrEqual(LIMITS.log);
      expect(tables.seen.size).toBeLessThanOrEqual(LIMITS.seenIds);
      expect(tables.members.size).toBeLessThanOrEqual(LIMITS.members);
      expect(tables.repairs.size).toBeLessThanOrEqual(LIMITS.repairs);
      expect(tables.summary.size).toBeLessThanOrEqual(LIMITS.filterIds);
      const kept = [...tables.wireSizes.values()].reduce((sum, { bytes }) => sum + bytes, 0);
      expect(kept).toBeLessThanOrEqual(LIMITS.wireBytes + own.length * 32_768);
    }
    // Both ways were gone often, or this would test nothing.
    expect(counts.refused).toBeGreaterThan(MESSAGES / 20);
    expect(counts.taken).toBeGreaterThan(MESSAGES / 50);
    expect(
      layout.decode(alice.wrapOutgoing(utf8("still here"), { now, nanoseconds: 0, ephemeral: false }).wire).ok,
    ).toBe(true);
  },
);
