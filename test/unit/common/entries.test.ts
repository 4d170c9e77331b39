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

  test.each(["before", "after"])(
    "an observer that throws %s an index heard of the write leaves nothing behind",
    (when) => {
      const journal = new Journal();
      const entries = new Entries<string, Shared>(Shared);
      const left = new Table("left", journal, [], [["k0", 1]], entries.column("left"));
      const right = new Table("right", journal, [], [], entries.column("right"));
      const throwAtSeven = () =>
        left.observe((_key, _before, after) => {
          if (after === 7) throw new Error("seven");
        });
      if (when === "before") throwAtSeven();
      const order = new OrderedIndex(left, (row) => row);
      if (when === "after") throwAtSeven();
      right.put("k1", 3);
      expect(() => left.put("k1", 7)).toThrow("seven");
      journal.rollback();
      expect([left.has("k1"), right.has("k1")]).toEqual([false, false]);
      expect([left.size, right.size, order.size]).toEqual([1, 0, 1]);
      expect([...order.ascending()]).toEqual(["k0"]);
    },
  );
});
