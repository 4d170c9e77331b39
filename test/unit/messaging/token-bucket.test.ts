import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { TokenBucket } from "../../../src/messaging/token-bucket.ts";

/** What one peer may ask of a lightpush node within ten seconds. */
const ADMITTED = 37;

describe("token bucket", () => {
  test("however it is used, no ten seconds hold more than a node admits", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2_000 }), { minLength: 50, maxLength: 200 }), (pauses) => {
        const bucket = new TokenBucket(0);
        const taken: number[] = [];
        let now = 0;
        for (const pause of pauses) {
          now += pause;
          while (bucket.take(now)) taken.push(now);
        }
        for (const start of taken)
          expect(taken.filter((at) => at >= start && at < start + 10_000).length).toBeLessThanOrEqual(ADMITTED);
      }),
    );
  });

  test("it is ready when it says so", () => {
    const bucket = new TokenBucket(0);
    for (let i = 0; i < LIMITS.messaging.lightpushBurst; i++) expect(bucket.take(0)).toBe(true);
    const readyAt = bucket.readyAt(0);
    expect(bucket.take(readyAt - 1)).toBe(false);
    expect(bucket.take(readyAt)).toBe(true);
  });

  test("a rejection stops it for the node's window and halves the rate, which successes restore", () => {
    const bucket = new TokenBucket(0);
    bucket.rejected(0);
    expect(bucket.take(LIMITS.messaging.lightpushPauseMs)).toBe(false);
    const slow = bucket.readyAt(LIMITS.messaging.lightpushPauseMs) - LIMITS.messaging.lightpushPauseMs;
    expect(slow).toBe(Math.ceil(2000 / LIMITS.messaging.lightpushPerSecond));
    for (let i = 0; i < 32; i++) bucket.admitted();
    const restored = bucket.readyAt(LIMITS.messaging.lightpushPauseMs) - LIMITS.messaging.lightpushPauseMs;
    expect(restored).toBe(Math.ceil(1000 / LIMITS.messaging.lightpushPerSecond));
  });
});
