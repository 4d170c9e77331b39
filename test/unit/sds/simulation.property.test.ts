/** Channels of a few members over a network that loses, reorders and duplicates, whose processes die: all ends well. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { lip109Layout } from "../../../src/sds/lip109-layout.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import { breaches, eventsOf, simulate } from "../../support/simulation/simulation.ts";

const scenario = fc.record({
  seed: fc.nat(),
  members: fc.integer({ min: 2, max: 5 }),
  messages: fc.integer({ min: 1, max: 25 }),
  loss: fc.double({ min: 0, max: 0.7, noNaN: true }),
  duplication: fc.double({ min: 0, max: 0.3, noNaN: true }),
  gapMs: fc.constantFrom(20, 500, 5_000),
  restarts: fc.constantFrom(0, 0.05),
  layout: fc.constantFrom(nimLayout, lip109Layout),
});

test("any seed, with a store: I1–I5 hold, nothing is lost, and everyone ends with the same log", () => {
  fc.assert(
    fc.property(scenario, (options) => {
      const run = simulate({ ...options, store: true });
      expect(breaches(run)).toEqual([]);
      expect(eventsOf(run, "lost")).toBe(0);
      expect(run.convergedMs).toBeDefined();
      expect(run.sameLog).toBe(true);
    }),
    { numRuns: 150 },
  );
});

test("any seed, without a store, once the network loses nothing more: the same", () => {
  fc.assert(
    fc.property(scenario, (options) => {
      const run = simulate({ ...options, healedAfterMs: 0 });
      expect(breaches(run)).toEqual([]);
      expect(eventsOf(run, "lost")).toBe(0);
      expect(run.convergedMs).toBeDefined();
      expect(run.sameLog).toBe(true);
    }),
    { numRuns: 150 },
  );
});

test("any seed, where the network never stops losing: I1–I5 hold all the same, and no message is told lost twice", () => {
  fc.assert(
    fc.property(scenario, (options) => {
      const run = simulate({ ...options, patienceMs: 30 * 60_000 });
      expect(breaches(run)).toEqual([]);
      if (run.convergedMs !== undefined) expect(run.sameLog).toBe(true);
    }),
    { numRuns: 300 },
  );
});

const lossy = { members: 3, duplication: 0, layout: lip109Layout, restarts: 0.05 };

test.each([
  { ...lossy, seed: 37, messages: 23, loss: 0.499261116841808, gapMs: 5_000, patienceMs: 30 * 60_000 },
  { ...lossy, seed: 52, messages: 23, loss: 0.499261116841808, gapMs: 5_000, patienceMs: 30 * 60_000 },
  { ...lossy, seed: 1070, messages: 25, loss: 0.7, gapMs: 20_000, layout: nimLayout, patienceMs: 40 * 60_000 },
  { ...lossy, seed: 1358, messages: 25, loss: 0.7, gapMs: 20_000, patienceMs: 40 * 60_000 },
  { ...lossy, seed: 1470, messages: 25, loss: 0.5, gapMs: 500, layout: nimLayout, patienceMs: 40 * 60_000 },
])("seed $seed, where parts of a long message are given up: its loss is told before what waited for it", (options) => {
  const run = simulate(options);
  expect(eventsOf(run, "lost")).toBeGreaterThan(0);
  expect(breaches(run)).toEqual([]);
});

test("the same seed gives the same run", () => {
  const options = { seed: 7, members: 4, messages: 20, loss: 0.3 };
  const [first, second] = [simulate(options), simulate(options)];
  expect(first.members.map(({ events }) => events)).toEqual(second.members.map(({ events }) => events));
  expect(first.sent).toEqual(second.sent);
});
