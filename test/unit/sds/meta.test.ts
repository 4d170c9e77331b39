import { describe, expect, test } from "vitest";
import { Journal } from "../../../src/common/table.ts";
import { Meta } from "../../../src/sds/meta.ts";
import { openSdsTables } from "../../../src/sds/tables.ts";

function setUp() {
  const journal = new Journal();
  const { meta: table } = openSdsTables(journal, ["channel"], () => []);
  return { journal, table, meta: new Meta(table) };
}

describe("the row of a participant", () => {
  test("an event that changes it many times writes it once, whole, before it returns", () => {
    const { journal, meta } = setUp();
    const owed = meta.during(() => {
      meta.change({ lamport: 7, ackOwed: { dueMs: 5 } });
      meta.nextSequence();
      meta.nextSequence();
      const { ackOwed } = meta.row;
      meta.clear("ackOwed");
      return ackOwed;
    });
    expect(owed).toEqual({ dueMs: 5 });
    const changes = journal.take();
    expect(changes).toMatchObject([{ table: "sdsMeta", row: { lamport: 7, sequence: 2 } }]);
    expect(changes[0]?.row).not.toHaveProperty("ackOwed");
  });

  test("a later event does not touch the row that an earlier one wrote", () => {
    const { journal, meta } = setUp();
    meta.during(() => meta.nextSequence());
    const changes = journal.take();
    meta.during(() => meta.nextSequence());
    meta.change({ lamport: 9 });
    expect(changes).toMatchObject([{ row: { sequence: 1, lamport: 0 } }]);
    expect(meta.row).toMatchObject({ sequence: 2, lamport: 9 });
  });

  test("an event that changes nothing writes nothing", () => {
    const { journal, meta } = setUp();
    meta.during(() => meta.clear("sync"));
    expect(journal.take()).toEqual([]);
    expect(meta.exists).toBe(false);
  });

  test("an event that throws leaves nothing of what it made of it", () => {
    const { journal, table, meta } = setUp();
    meta.during(() => meta.change({ lamport: 3 }));
    journal.take();
    const before = table.get("row");
    const event = () =>
      meta.during(() => {
        meta.change({ lamport: 4 });
        throw new Error("halfway");
      });
    expect(event).toThrow("halfway");
    expect(meta.row).toBe(before);
    expect(journal.take()).toEqual([]);
  });

  test("a rollback of what came with an event undoes it too", () => {
    const { journal, table, meta } = setUp();
    meta.during(() => meta.change({ lamport: 3 }));
    journal.rollback();
    expect(table.size).toBe(0);
    expect(meta.exists).toBe(false);
  });
});
