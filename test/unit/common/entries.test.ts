import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Entries, Entry } from "../../../src/common/entries.ts";
import { OrderedIndex } from "../../../src/common/ordered-index.ts";
import { Journal, Table } from "../../../src/common/table.ts";

class Shared extends Entry<string> {
  left: number | undefined = undefined;
  right: number | undefined = undefined;
}

const SIDES = ["left", "right"] as const;

/** Two tables that share their keys, and beside each one that does not: all is done to both. */
function twins(stored: ReadonlyMap<string, number>) {
  const [journal, plainJournal] = [new Journal(), new Journal()];
  const entries = new Entries<string, Shared>(Shared);
  const pairs = SIDES.map((side) => {
    const shared = new Table(side, journal, ["scope"], stored, entries.column(side));
    const plain = new Table(side, plainJournal, ["scope"], stored);
    return [shared, plain].map((table) => ({ table, order: new OrderedIndex(table, (row) => row) }));
  });
  return { journals: [journal, plainJournal], pairs };
}

type Twins = ReturnType<typeof twins>;

/** Everything that can be asked of a table. */
function seen({ table, order }: Twins["pairs"][number][number]) {
  return {
    rows: new Map([...table.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    size: table.size,
    got: KEYS.map((key) => [table.get(key), table.has(key)]),
    order: [...order.ascending()],
  };
}

function expectAlike({ pairs }: Twins): void {
  for (const [shared, plain] of pairs) {
    if (shared === undefined || plain === undefined) throw new Error("No twins");
    expect(seen(shared)).toEqual(seen(plain));
    expect([...shared.table.keys()].length).toBe(shared.table.size);
    expect([...shared.table.values()].length).toBe(shared.table.size);
  }
}

const KEYS = Array.from({ length: 6 }, (_, at) => `k${at}`);

const change = fc.oneof(
  fc.record({ side: fc.nat(1), key: fc.constantFrom(...KEYS), row: fc.option(fc.nat(9), { nil: undefined }) }),
  // Deletes what comes first, without looking it up.
  fc.record({ side: fc.nat(1), first: fc.constant(true) }),
);
type Change = typeof change extends fc.Arbitrary<infer C> ? C : never;

function apply({ pairs }: Twins, one: Change): void {
  for (const { table, order } of pairs[one.side] ?? []) {
    if ("first" in one) order.deleteFirst();
    else if (one.row === undefined) table.delete(one.key);
    else table.put(one.key, one.row);
  }
}

describe("tables that share their keys", () => {
  test("are like tables that do not, through any writes, commits and undoing", () => {
    const stored = fc.dictionary(fc.constantFrom(...KEYS), fc.nat(9)).map((rows) => new Map(Object.entries(rows)));
    fc.assert(
      fc.property(stored, fc.array(fc.tuple(fc.array(change, { maxLength: 12 }), fc.boolean())), (rows, events) => {
        const both = twins(rows);
        expectAlike(both);
        for (const [changes, throws] of events) {
          for (const one of changes) apply(both, one);
          expectAlike(both);
          const [noted, plainly] = both.journals.map((journal) => (throws ? journal.rollback() : journal.take()));
          expect(JSON.stringify(noted)).toBe(JSON.stringify(plainly));
          expectAlike(both);
        }
      }),
    );
  });

  test("an observer that throws leaves nothing behind in either of them", () => {
    const both = twins(new Map([["k0", 1]]));
    const [left] = both.pairs[0] ?? [];
    const [right] = both.pairs[1] ?? [];
    left?.table.observe((_key, _before, after) => {
      if (after === 7) throw new Error("seven");
    });
    right?.table.put("k1", 3);
    expect(() => left?.table.put("k1", 7)).toThrow("seven");
    both.journals[0]?.rollback();
    expect(left?.table.has("k1")).toBe(false);
    expect(right?.table.has("k1")).toBe(false);
    expect([...(left?.order.ascending() ?? [])]).toEqual(["k0"]);
  });
});
