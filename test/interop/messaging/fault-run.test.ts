import { expect, test } from "vitest";
import { faultRun } from "../../soak/fault-run.ts";

/** Chosen once, so that a failure can be looked at again; `npm run soak` takes a new one each time. */
const SEED = 20_260_801;

test("500 messages of two senders while nodes die, part and refuse: nothing is lost, nothing logged twice, one outcome each", async () => {
  const report = await faultRun({ seed: SEED, messages: 500, limits: "none", speed: 10, faulty: 0.3 });
  expect(report.received).toBe(500);
  expect((report.outcomes["sent"] ?? 0) + (report.outcomes["send-error"] ?? 0)).toBe(500);
  for (const kind of ["refuse", "delay", "cut"]) expect(report.faults[kind]).toBeGreaterThan(20);
  expect(Object.keys(report.incidents).length).toBeGreaterThan(1);
}, 120_000);
