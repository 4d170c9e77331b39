/** The crashes that everybody thinks of, by name. `crash.test.ts` goes through all others too. */
import { expect, test, vi } from "vitest";
import { describeFailures, enumerateCrashes } from "../../support/crash-enumerator.ts";
import { SCENARIOS } from "./crash-scenarios.ts";

// Segments of the real size would spend the time of these tests on hashing.
vi.mock("../../../src/limits.ts", async (original) => {
  const { LIMITS } = await original<typeof import("../../../src/limits.ts")>();
  const segmentation = { ...LIMITS.segmentation, segmentBytes: 256 };
  return { LIMITS: { ...LIMITS, segmentation, eventLog: { ...LIMITS.eventLog, events: 7, trimEvents: 2 } } };
});

const SEND = "a three-segment send, the sender killed";
const RECEIVE = "a three-segment receive with one segment out of order, the receiver killed";
const LOCKED = "a receive while the vault is locked, the receiver killed";

test.each([
  ["crash before commit", SEND, "before storage.commit"],
  ["crash before commit", RECEIVE, "before storage.commit"],
  ["crash after commit before dispatch", SEND, "before messaging.send"],
  ["crash after dispatch before mark", SEND, "after messaging.send"],
  ["crash after delivery before the page heard", RECEIVE, "before notice"],
  ["crash between parking and the topic's progress", LOCKED, "after callback of messaging.listen received"],
  ["crash in the middle of taking in what is parked", LOCKED, "before cipher.decrypt"],
])("%s: %s", { timeout: 60_000 }, async (_, name, boundary) => {
  const scenario = SCENARIOS.find((each) => each.name === name) ?? expect.unreachable(name);
  const report = await enumerateCrashes(scenario, (label) => label === boundary || label.startsWith(`${boundary} `));
  expect(report.boundaries.length).toBeGreaterThan(0);
  expect(report.failures, describeFailures(report)).toEqual([]);
});
