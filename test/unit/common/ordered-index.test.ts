import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OrderedIndex } from "../../../src/common/ordered-index.ts";
import { Journal, Table } from "../../../src/common/table.ts";

interface Row {
  readonly order: number | undefined;
}

const write = fc.record({
  key: fc.integer({ min: 0, max: 1_200 }).map((key) => `k${key}`),
  // `undefined` deletes; a row without an order stays out.
  row: fc.option(fc.record({ order: fc.option(fc.integer({ min: 0, max: 400 }), { nil: undefined }) }), {
    nil: undefined,
  }),
});
type Write = typeof write extends fc.Arbitrary<infer W> ? W : never;

function apply(table: Table<string, Row>, writes: readonly Write[]): void {
  for (const { key, row } of writes)
    if (row) table.put(key, row);
    else table.delete(key);
}

/** What the index is to say: sorted anew. */
function expectRight(table: Table<string, Row>, index: OrderedIndex<Row>): void {
  const sorted = [...table.entries()]
    .flatMap(([key, { order }]) => (order === undefined ? [] : [{ order, key }]))
    .toSorted((a, b) => a.order - b.order || (a.key < b.key ? -1 : 1));
  expect([...index.ascending()]).toEqual(sorted.map(({ key }) => key));
  expect([...index.descending()]).toEqual(sorted.map(({ key }) => key).toReversed());
  expect(index.size).toBe(sorted.length);
  expect(index.first()).toEqual(sorted[0]);
  expect(index.last()).toBe(sorted.at(-1)?.order);
}

describe("the order of a table's keys", () => {
  test("follows any writes, in the middle and at the ends, over many blocks and down to nothing", () => {
    const writes = fc.array(write, { maxLength: 3_000, size: "max" });
    fc.assert(
      fc.property(writes, writes, (stored, written) => {
        const journal = new Journal();
        const table = new Table<string, Row>("t", journal, []);
        apply(table, stored);
        const index = new OrderedIndex(table, ({ order }) => order);
        expectRight(table, index);
        journal.take();
        const before = new Map(table.entries());
        apply(table, written);
        expectRight(table, index);
        const keys = [...table.keys()];
        journal.rollback();
        expect(new Map(table.entries())).toEqual(before);
        expectRight(table, index);
        for (const key of [...table.keys(), ...keys]) table.delete(key);
        expectRight(table, index);
        apply(table, stored);
        expectRight(table, index);
      }),
      { numRuns: 40 },
    );
  });

  test("what comes before the only one that is left of many", () => {
    const table = new Table<string, Row>("t", new Journal(), []);
    const index = new OrderedIndex(table, ({ order }) => order);
    for (let count = 1; count <= 1_100; count++) {
      for (let at = 0; at < count; at++) table.put(`k${at}`, { order: 10 * at });
      for (let at = 0; at < count - 1; at++) table.delete(`k${at}`);
      table.put("before", { order: 10 * count - 15 });
      expectRight(table, index);
      table.delete(`k${count - 1}`);
      expectRight(table, index);
      table.delete("before");
    }
  });

  test.each([
    ["ascending", (at: number) => at],
    ["descending", (at: number) => -at],
    ["from both ends towards the middle", (at: number) => (at % 2 === 0 ? at : 100_000 - at)],
    ["all alike", () => 7],
  ])("thousands that come %s", (_, orderOf) => {
    const table = new Table<string, Row>("t", new Journal(), []);
    const index = new OrderedIndex(table, ({ order }) => order);
    for (let at = 0; at < 5_000; at++) table.put(`k${at}`, { order: orderOf(at) });
    expectRight(table, index);
    for (let at = 0; at < 5_000; at += 3) table.delete(`k${at}`);
    expectRight(table, index);
    while (index.size > 0) table.delete(index.first()?.key ?? expect.unreachable());
    expectRight(table, index);
  });
});
