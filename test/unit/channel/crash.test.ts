/** The channel layer, killed at every boundary of every scenario and started again from what is stored. */
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { describeFailures, enumerateCrashes } from "../../support/crash-enumerator.ts";
import { CrashPoints } from "../../support/crash-points.ts";
import { SCENARIOS } from "./crash-scenarios.ts";

// Segments of the real size would spend the time of these tests on hashing.
vi.mock("../../../src/limits.ts", async (original) => {
  const { LIMITS } = await original<typeof import("../../../src/limits.ts")>();
  const segmentation = { ...LIMITS.segmentation, segmentBytes: 256 };
  return { LIMITS: { ...LIMITS, segmentation, eventLog: { ...LIMITS.eventLog, events: 7, trimEvents: 2 } } };
});

for (const scenario of SCENARIOS) {
  test(`killed at every boundary: ${scenario.name}`, { timeout: 120_000 }, async () => {
    const report = await enumerateCrashes(scenario);
    process.stdout.write(`${report.boundaries.length} boundaries: ${report.name}\n`);
    expect(report.failures, describeFailures(report)).toEqual([]);
  });
}

/** Recovery is code too: it is killed as well. */
test("killed up to four times in one run, at random boundaries", { timeout: 120_000 }, async () => {
  const gaps = fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 2, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...SCENARIOS), gaps, async (scenario, between) => {
      let at = -1;
      const positions = between.map((gap) => {
        at += gap;
        return at;
      });
      await scenario.run(new CrashPoints(...positions));
    }),
    { numRuns: 400 },
  );
});
