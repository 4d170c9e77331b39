/** 100,000 mutated segments of each text of LIP-243. */
import { expect, test } from "vitest";
import { Journal } from "../../../src/common/table.ts";
import { openReassemblerTables, Reassembler } from "../../../src/segmentation/reassembler.ts";
import { mutated } from "../../support/mutation.ts";
import { seededRandom } from "../../support/simulation/random.ts";
import { configOf, earlierSegmentsOf, patternPayload, segmentsOf } from "./support.ts";

const MESSAGES = 100_000;
const LIMITS = { sets: 20, bufferedBytes: 64 * 1024, setIdleMs: 60_000, completedSets: 50, lostIds: 50 };

const payloads = [20, 200, 500, 900].map(patternPayload);
const texts = [
  { text: "r3", corpus: payloads.flatMap((payload) => segmentsOf(payload, configOf(192))) },
  { text: "r1", corpus: payloads.flatMap((payload) => earlierSegmentsOf(payload, 192)) },
];

test.each(texts)("$text: nothing throws, and memory stays bounded", { timeout: 60_000 }, ({ corpus }) => {
  const journal = new Journal();
  const tables = openReassemblerTables(journal, ["channel"]);
  const clock = { ms: 1_000_000, wentOnMs: 0 };
  const reassembler = new Reassembler(tables, "segments", clock, LIMITS);
  const random = seededRandom(243);
  let buffered = 0;
  let delivered = 0;
  const waiting: string[] = [];
  for (let i = 0; i < MESSAGES; i++) {
    clock.ms += 10;
    // The untouched ones too, so that sets come to their end.
    const whole = corpus[Math.floor(random() * corpus.length)];
    const content = whole !== undefined && random() < 0.05 ? whole : mutated(corpus, random);
    const messageId = `m${i}`;
    const { outcome } = reassembler.add({ senderId: `s${i % 7}`, messageId, content, lamport: i });
    if (outcome.kind === "buffered") {
      buffered++;
      waiting.push(messageId);
    }
    // SDS delivers some at once and some later.
    while (waiting.length > 10 || (waiting.length > 0 && random() < 0.7)) {
      const { message } = reassembler.release(waiting.shift() ?? "");
      if (message !== undefined) delivered++;
    }
    if (i % 500 !== 0) continue;
    reassembler.expire();
    const progress = reassembler.progress();
    // What SDS holds back is bounded by SDS, here by the ten that wait.
    expect(progress.length).toBeLessThanOrEqual(LIMITS.sets + 11);
    expect(progress.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(LIMITS.bufferedBytes + 11 * 2_000);
    expect(tables.completed.size).toBeLessThanOrEqual(LIMITS.completedSets);
    journal.take();
  }
  expect(buffered).toBeGreaterThan(MESSAGES / 20);
  expect(delivered).toBeGreaterThan(100);
  clock.ms += 2 * 3_600_000;
  reassembler.expire();
  expect(tables.sets.size).toBe(0);
  expect(tables.segments.size).toBe(0);
});
