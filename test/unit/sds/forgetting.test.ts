import fc from "fast-check";
import { expect, test } from "vitest";
import { OrderedIndex } from "../../../src/common/ordered-index.ts";
import { Journal, Table } from "../../../src/common/table.ts";
import { LIMITS } from "../../../src/limits.ts";
import { forgetBeyond } from "../../../src/sds/forgetting.ts";

function filled(rows: number, bound: number) {
  const journal = new Journal();
  const table = new Table<string, number>("t", journal, []);
  const order = new OrderedIndex(table, (row) => row);
  let forgottenAtOnce = 0;
  for (let row = 0; row < rows; row++) {
    table.put(`id ${row}`, row);
    const before = table.size;
    forgetBeyond(bound, table, order);
    expect(table.size).toBeLessThanOrEqual(bound);
    forgottenAtOnce = Math.max(forgottenAtOnce, before - table.size);
  }
  return { journal, table, order, forgottenAtOnce };
}

test("what comes first is forgotten, the bound holds after every row, and nearly as many stay as it allows", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 700 }), fc.integer({ min: 0, max: 800 }), (bound, more) => {
      const rows = bound + more;
      const { table, order } = filled(rows, bound);
      expect(table.size).toBeGreaterThanOrEqual(Math.min(rows, 0.99 * bound));
      const newest = Array.from({ length: table.size }, (_, at) => `id ${rows - table.size + at}`);
      expect([...order.ascending()]).toEqual(newest);
    }),
    { numRuns: 30 },
  );
});

test("one by one at a small bound, and never more at once than a message can bear", () => {
  expect(filled(30, 10).forgottenAtOnce).toBe(1);
  expect(filled(20_000, 10_000).forgottenAtOnce).toBe(LIMITS.sds.forgottenRows);
});

test("an event that is undone has forgotten nothing", () => {
  const { journal, table, order } = filled(1_000, 1_000);
  journal.take();
  table.put("one more", 1_000);
  forgetBeyond(1_000, table, order);
  expect(table.has("id 0")).toBe(false);
  journal.rollback();
  expect([...order.ascending()]).toEqual(Array.from({ length: 1_000 }, (_, at) => `id ${at}`));
  expect(table.size).toBe(1_000);
});
