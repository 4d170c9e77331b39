/** Channels of a few members over a network that loses, reorders and duplicates, whose processes die: all ends well. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { lip109Layout } from "../../../src/sds/lip109-layout.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import { breaches, falselyDelivered } from "../../support/simulation/breaches.ts";
import type { LogEvent } from "../../support/simulation/member.ts";
import { concurrentOrder } from "../../support/simulation/order.ts";
import { eventsOf, type SimulationRun, simulate } from "../../support/simulation/simulation.ts";

const scenario = fc.record({
  seed: fc.nat(),
  members: fc.integer({ min: 2, max: 5 }),
  messages: fc.integer({ min: 1, max: 25 }),
  loss: fc.double({ min: 0, max: 0.7, noNaN: true }),
  duplication: fc.double({ min: 0, max: 0.3, noNaN: true }),
  gapMs: fc.constantFrom(20, 500, 5_000),
  failures: fc.constantFrom(0, 0.2),
  restarts: fc.constantFrom(0, 0.05),
  layout: fc.constantFrom(nimLayout, lip109Layout),
});

/** Requests that counted as sent or as failed; a second attempt is not told. */
function decided(run: SimulationRun): number {
  return eventsOf(run, "sent") + eventsOf(run, "send-error");
}

function expectNothingLost(run: SimulationRun, messages: number): void {
  expect(breaches(run)).toEqual([]);
  expect(decided(run)).toBe(messages);
  expect(eventsOf(run, "lost")).toBe(0);
  expect(run.convergedMs).toBeDefined();
  expect(run.sameLog).toBe(true);
}

test("any seed, with a store: I1–I5 hold, nothing is lost, and everyone ends with the same log", () => {
  fc.assert(
    fc.property(scenario, (options) => {
      // What fails is in no store, whoever has it.
      const run = simulate({ ...options, store: true, failures: 0 });
      expectNothingLost(run, options.messages);
    }),
    { numRuns: 150 },
  );
});

test("any seed, without a store, once the network loses nothing and sending fails no more: the same", () => {
  fc.assert(
    fc.property(scenario, (options) => {
      const run = simulate({ ...options, healedAfterMs: 0 });
      expectNothingLost(run, options.messages);
    }),
    { numRuns: 150 },
  );
});

test("any seed, where the network never stops losing, nor sending to fail: I1–I5 hold all the same, and no message is told lost twice", () => {
  fc.assert(
    fc.property(scenario, (options) => {
      const run = simulate({ ...options, patienceMs: 30 * 60_000 });
      expect(breaches(run)).toEqual([]);
      expect(decided(run)).toBe(options.messages);
      if (run.convergedMs !== undefined) expect(run.sameLog).toBe(true);
    }),
    { numRuns: 300 },
  );
});

const lossy = { members: 3, duplication: 0, layout: lip109Layout, restarts: 0.05 };

test.each([
  { ...lossy, seed: 48, messages: 23, loss: 0.499261116841808, gapMs: 5_000, patienceMs: 30 * 60_000 },
  { ...lossy, seed: 52, messages: 23, loss: 0.499261116841808, gapMs: 5_000, patienceMs: 30 * 60_000 },
  { ...lossy, seed: 1070, messages: 25, loss: 0.7, gapMs: 20_000, layout: nimLayout, patienceMs: 40 * 60_000 },
  { ...lossy, seed: 1358, messages: 25, loss: 0.7, gapMs: 20_000, patienceMs: 40 * 60_000 },
  { ...lossy, seed: 1470, messages: 25, loss: 0.5, gapMs: 500, layout: nimLayout, patienceMs: 40 * 60_000 },
])("seed $seed, where parts of a long message are given up: its loss is told before what waited for it", (options) => {
  const run = simulate(options);
  expect(eventsOf(run, "lost")).toBeGreaterThan(0);
  expect(breaches(run)).toEqual([]);
});

test("of what is told delivered, at most one in a thousand is with nobody: a filter hit may be chance", () => {
  let [told, untrue] = [0, 0];
  for (let seed = 1; seed <= 240; seed++) {
    const layout = seed % 2 === 0 ? nimLayout : lip109Layout;
    const loss = [0.2, 0.5, 0.6][seed % 3] ?? 0;
    const run = simulate({ seed, members: 2 + (seed % 4), messages: 25, loss, gapMs: 500, restarts: 0.05, layout });
    told += eventsOf(run, "delivered");
    untrue += falselyDelivered(run).length;
  }
  expect(told).toBeGreaterThan(4_000);
  expect(untrue).toBeLessThanOrEqual(told / 1_000);
});

test("the same seed gives the same run", () => {
  const options = { seed: 7, members: 4, messages: 20, loss: 0.3 };
  const [first, second] = [simulate(options), simulate(options)];
  expect(first.members.map(({ events }) => events)).toEqual(second.members.map(({ events }) => events));
  expect(first.sent).toEqual(second.sent);
});

describe("what the properties look for is found where it is", () => {
  const run = simulate({ seed: 11, members: 3, messages: 30, loss: 0.3, failures: 0.3, store: true });

  /** The run as it would be had the log of one member, of whom `of` is true, been `log`. */
  function altered(of: (events: readonly LogEvent[]) => boolean, log: (events: readonly LogEvent[]) => LogEvent[]) {
    const chosen = run.members.find(({ events }) => of(events));
    if (chosen === undefined) throw new Error("nothing of the kind happened");
    const { name, events } = chosen;
    const members = run.members.map((member) => (member === chosen ? { name, events: log(events) } : member));
    return breaches({ ...run, members }).map((breach) => breach.split(" ")[0]);
  }

  const any = (type: LogEvent["type"]) => (events: readonly LogEvent[]) => events.some((event) => event.type === type);
  const without = (events: readonly LogEvent[], gone: LogEvent | undefined) => events.filter((event) => event !== gone);
  const first = (events: readonly LogEvent[], type: LogEvent["type"]) =>
    events.filter((event) => event.type === type)[0];

  test("and the run itself has none", () => {
    expect(breaches(run)).toEqual([]);
    for (const type of ["sent", "send-error", "delivered"] as const) expect(eventsOf(run, type)).toBeGreaterThan(0);
  });

  test("I1: an outcome of what was never sent", () => {
    const found = altered(any("sent"), (events) => [...events, { type: "sent", requestId: "nobody's" }]);
    expect(found).toEqual(["I1"]);
  });

  test.each(["sent", "delivered"] as const)("I2: %s twice", (type) => {
    const found = altered(any(type), (events) => [
      ...events,
      ...events.filter((event) => event === first(events, type)),
    ]);
    expect(found).toContain("I2");
  });

  test("I2: both sent and failed", () => {
    const found = altered(any("send-error"), (events) => [
      ...events,
      ...events.flatMap((event) =>
        event === first(events, "send-error") && "requestId" in event
          ? [{ type: "sent" as const, requestId: event.requestId }]
          : [],
      ),
    ]);
    expect(found).toEqual(["I2"]);
  });

  test("I3: delivered, and sent only then", () => {
    const found = altered(any("sent"), (events) => {
      const sent = first(events, "sent");
      return sent === undefined ? [] : [...without(events, sent), sent];
    });
    expect(found).toEqual(["I3"]);
  });

  test("delivered, though nobody has all of it", () => {
    const [requestId = ""] = [...run.holders.keys()];
    expect(falselyDelivered(run)).toEqual([]);
    expect(falselyDelivered({ ...run, holders: new Map([...run.holders, [requestId, []]]) })).toEqual([requestId]);
  });

  test("I4: a message twice, and one whose bytes are not the sender's", () => {
    const again = altered(any("received"), (events) => [
      ...events,
      ...events.filter((event) => event === first(events, "received")),
    ]);
    expect(again).toEqual(["I4"]);
    const changed = altered(any("received"), (events) =>
      events.map((event) =>
        event === first(events, "received") && event.type === "received"
          ? { ...event, payload: event.payload.toReversed() }
          : event,
      ),
    );
    expect(changed).toEqual(["I4"]);
  });

  test("I5: a sender's first message after its second", () => {
    const found = altered(any("received"), (events) => {
      const early = first(events, "received");
      return early === undefined ? [] : [...without(events, early), early];
    });
    expect(found).toContain("I5");
  });
});

test("concurrent messages come in one order here and in another there; dependent ones never do", () => {
  const run = simulate({ seed: 3, members: 5, messages: 40, loss: 0.2, gapMs: 200, store: true });
  expect(breaches(run)).toEqual([]);
  expect(run.sameLog).toBe(true);
  const { pairs, alike } = concurrentOrder(run);
  expect(alike).toBeGreaterThan(0);
  expect(alike).toBeLessThan(pairs);
});
