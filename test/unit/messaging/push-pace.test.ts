import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LightpushLimiter } from "../../../dev/network/rate-limit.ts";
import { LIMITS } from "../../../src/limits.ts";
import { PushPace } from "../../../src/messaging/push-pace.ts";

const { lightpushBurst, lightpushPerSecond, lightpushRequests, lightpushWindowMs } = LIMITS.messaging;

interface Due {
  readonly at: number;
  readonly event: (at: number) => void;
}

/**
 * Starts requests as soon as the pace allows, each with the next of the delays: until it arrives at the node, and until
 * its answer is back. Returns what the node refused.
 */
function refusedByNode(delays: readonly (readonly [toNode: number, back: number])[], parallel: number): number {
  const pace = new PushPace();
  const node = new LightpushLimiter();
  const due: Due[] = [];
  let [now, started, underWay, refused] = [0, 0, 0, 0];
  for (;;) {
    for (; started < delays.length && underWay < parallel && pace.start(now); started++) {
      const [toNode, back] = delays[started] ?? [0, 0];
      underWay++;
      const arrives = now + toNode;
      due.push({ at: arrives, event: (at) => void (node.admit("us", at) || refused++) });
      due.push({
        at: arrives + back,
        event: (at) => {
          underWay--;
          pace.ended(at);
        },
      });
    }
    due.sort((a, b) => a.at - b.at);
    const readyAt = started < delays.length && underWay < parallel ? pace.readyAt(now) : Number.POSITIVE_INFINITY;
    const next = due[0];
    if (next !== undefined && next.at <= readyAt) {
      due.shift();
      now = next.at;
      next.event(now);
    } else if (readyAt < Number.POSITIVE_INFINITY) now = readyAt;
    else return started === delays.length ? refused : Number.NaN;
  }
}

describe("the pace of pushes", () => {
  test("however late and bunched requests arrive, a node refuses none, and all are sent", () => {
    const delay = fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 4_000 }));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(delay, delay), { minLength: 60, maxLength: 200 }),
        fc.integer({ min: 1, max: 40 }),
        (delays, parallel) => {
          expect(refusedByNode(delays, parallel)).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("requests that stall while the node's window ends arrive in the next one, with those after them: it refuses none", () => {
    const prompt = (count: number) => Array.from({ length: count }, () => [5, 5] as const);
    const stalled = Array.from({ length: 4 }, () => [3_000, 5] as const);
    for (let first = 20; first < 60; first++)
      expect(refusedByNode([...prompt(first), ...stalled, ...prompt(60)], 4)).toBe(0);
  });

  test("at its full rate it uses nearly all that a node admits", () => {
    const pace = new PushPace();
    let count = 0;
    for (let now = 0; now < 10 * lightpushWindowMs; now += 10) {
      if (!pace.start(now)) continue;
      count++;
      pace.ended(now);
    }
    expect(count).toBeGreaterThanOrEqual(0.99 * 10 * (lightpushWindowMs / 1000) * lightpushPerSecond);
    expect(count).toBeLessThanOrEqual(10 * lightpushRequests);
  });

  test("it is ready when it says so", () => {
    const pace = new PushPace();
    for (let i = 0; i < lightpushBurst; i++) expect(pace.start(0)).toBe(true);
    // A node that has not answered yet may not have begun to count.
    expect(pace.readyAt(60_000)).toBe(Number.POSITIVE_INFINITY);
    pace.ended(60_000);
    const readyAt = pace.readyAt(60_000);
    expect(pace.start(readyAt - 1)).toBe(false);
    expect(pace.start(readyAt)).toBe(true);
  });

  test("a rejection stops it for the node's window and halves the rate, which successes restore", () => {
    const pace = new PushPace();
    expect(pace.start(0)).toBe(true);
    pace.ended(0);
    pace.rejected(0);
    expect(pace.start(lightpushWindowMs)).toBe(false);
    const slow = pace.readyAt(lightpushWindowMs) - lightpushWindowMs;
    expect(slow).toBe(Math.ceil(2000 / lightpushPerSecond));
    for (let i = 0; i < 32; i++) pace.admitted();
    const restored = pace.readyAt(lightpushWindowMs) - lightpushWindowMs;
    expect(restored).toBe(Math.ceil(1000 / lightpushPerSecond));
  });
});
