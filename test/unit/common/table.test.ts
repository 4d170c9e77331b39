import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ColdTable, Journal, Table } from "../../../src/common/table.ts";

describe("Table", () => {
  test("notes every write in the journal under its scope", () => {
    const journal = new Journal();
    const table = new Table<string, number>("t", journal, ["origin", "channel"]);
    table.put("a", 1);
    table.put("a", 2);
    table.delete("a");
    expect(journal.take()).toEqual([
      { table: "t", key: ["origin", "channel", "a"], row: 1 },
      { table: "t", key: ["origin", "channel", "a"], row: 2 },
      { table: "t", key: ["origin", "channel", "a"], row: undefined },
    ]);
    expect(journal.take()).toEqual([]);
  });

  test("deleting what is not there writes nothing", () => {
    const journal = new Journal();
    new Table<string, number>("t", journal, []).delete("a");
    expect(journal.take()).toEqual([]);
  });

  test("a cold table only writes", () => {
    const journal = new Journal();
    const table = new ColdTable<number, string>("log", journal, ["c"]);
    table.put(7, "x");
    table.delete(7);
    expect(journal.take()).toEqual([
      { table: "log", key: ["c", 7], row: "x" },
      { table: "log", key: ["c", 7], row: undefined },
    ]);
  });

  test("a rollback restores every row and every observer's index, for any writes", () => {
    const write = fc.record({ key: fc.integer({ min: 0, max: 4 }), row: fc.option(fc.integer(), { nil: undefined }) });
    fc.assert(
      fc.property(fc.array(write), fc.array(write), (before, after) => {
        const journal = new Journal();
        const table = new Table<number, number>("t", journal, []);
        const index = new Map<number, number>();
        table.observe((key, _was, is) => (is === undefined ? index.delete(key) : index.set(key, is)));
        const apply = ({ key, row }: { key: number; row: number | undefined }) =>
          row === undefined ? table.delete(key) : table.put(key, row);
        before.forEach(apply);
        journal.take();
        const kept = new Map(table.entries());
        after.forEach(apply);
        journal.rollback();
        expect(new Map(table.entries())).toEqual(kept);
        expect(index).toEqual(kept);
        expect(journal.take()).toEqual([]);
      }),
    );
  });
});
