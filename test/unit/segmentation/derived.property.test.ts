/** What a reassembler derives from its rows is right after every undo and every restart. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { GivenUp } from "../../../src/segmentation/losses.ts";
import { Harness, messagesOf, patternPayload } from "./support.ts";

const PAYLOADS = [patternPayload(200), patternPayload(250), patternPayload(64)];
/** Three times the segments of three payloads, of two senders, at Lamport times close to each other. */
const messages = [0, 1, 2].flatMap((copy) =>
  PAYLOADS.flatMap((payload, n) => {
    const senderId = `s${n % 2}`;
    const segments = messagesOf(payload, { name: `${copy}.${n}.`, senderId });
    return segments.map((segment, i) => {
      const follows = segments[i - 1]?.messageId;
      return { ...segment, lamport: 4 * copy + n + i, ...(follows === undefined ? {} : { follows }) };
    });
  }),
);
const ids = messages.map(({ messageId }) => messageId);

const givenUp: fc.Arbitrary<GivenUp> = fc
  .record({
    messageId: fc.constantFrom(...ids, "x", "y", "z"),
    reason: fc.constant("not found in time"),
    senderId: fc.constantFrom("s0", "s1", undefined),
    since: fc.nat(12),
    before: fc.nat(16),
    followers: fc.array(fc.record({ messageId: fc.constantFrom(...ids), distance: fc.integer({ min: 1, max: 3 }) }), {
      maxLength: 2,
    }),
  })
  .map(({ senderId, ...known }) => (senderId === undefined ? known : { senderId, ...known }));

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("add" as const), message: fc.constantFrom(...messages) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("giveUp" as const), lost: givenUp }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("release" as const),
      messageId: fc.constantFrom(...ids),
      late: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("expire" as const), after: fc.constantFrom(400, 1_100) }) },
);

const limits = { sets: 2, bufferedBytes: 2_000, setIdleMs: 1_000, completedSets: 3, lostIds: 4 };

function take(h: Harness, each: typeof step extends fc.Arbitrary<infer S> ? S : never): unknown {
  if (each.kind === "add") return [h.reassembler.add(each.message)];
  if (each.kind === "giveUp") return [h.reassembler.giveUp(each.lost)];
  if (each.kind === "release") return [h.reassembler.release(each.messageId, each.late)];
  h.now += each.after;
  return [h.reassembler.expire()];
}

test("so one that starts again, or takes back what it did, before every event, tells and keeps the same", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), (steps) => {
      const [steady, restarted, unsteady] = [new Harness({ limits }), new Harness({ limits }), new Harness({ limits })];
      for (const [i, each] of steps.entries()) {
        const expected = take(steady, each);
        steady.commit();
        restarted.restart();
        expect(take(restarted, each)).toEqual(expected);
        restarted.commit();
        const { now } = unsteady;
        for (const other of [each, ...steps.slice(i, i + 3)]) take(unsteady, other);
        unsteady.journal.rollback();
        unsteady.now = now;
        expect(take(unsteady, each)).toEqual(expected);
        unsteady.commit();
        expect(restarted.rows).toEqual(steady.rows);
        expect(unsteady.rows).toEqual(steady.rows);
        expect(restarted.reassembler.nextDueMs()).toBe(steady.reassembler.nextDueMs());
        expect(unsteady.reassembler.nextDueMs()).toBe(steady.reassembler.nextDueMs());
      }
    }),
  );
});
