import "fake-indexeddb/auto";
import { openDB } from "idb";
import { afterEach, describe, expect, test } from "vitest";
import { Database, StaleWriterError } from "../../../src/storage/database.ts";
import { TABLES } from "../../../src/storage/schema.ts";

const opened: Database[] = [];
let names = 0;

async function open(name = `test-${names++}`): Promise<Database> {
  const database = await Database.open(name);
  opened.push(database);
  return database;
}

afterEach(() => {
  for (const database of opened.splice(0)) database.close();
});

describe("Database", () => {
  test("stores, replaces and deletes rows of several tables in one transaction", async () => {
    const database = await open();
    await database.commit([
      { table: "channels", key: ["o", "c", "row"], row: { a: 1 } },
      { table: "events", key: ["o", "c", 1], row: "one" },
      { table: "events", key: ["o", "c", 1], row: "uno" },
      { table: "events", key: ["o", "c", 2], row: "two" },
      { table: "events", key: ["o", "c", 2], row: undefined },
    ]);
    expect(await database.get("channels", ["o", "c", "row"])).toEqual({ a: 1 });
    expect(await database.get("events", ["o", "c", 1])).toBe("uno");
    expect(await database.get("events", ["o", "c", 2])).toBeUndefined();
  });

  test("scans one scope in key order, from a key, up to a limit, and no neighbour's rows", async () => {
    const database = await open();
    const put = (key: (string | number)[], row: unknown) => ({ table: "events", key, row });
    await database.commit([
      put(["o", "c", 10], "ten"),
      put(["o", "c", 2], "two"),
      put(["o", "c", 1], "one"),
      put(["o", "cc", 3], "neighbour"),
      put(["o", "b", 4], "neighbour"),
    ]);
    const rows = async (...args: Parameters<Database["scan"]>) => (await database.scan(...args)).map(({ row }) => row);
    expect(await rows("events", ["o", "c"])).toEqual(["one", "two", "ten"]);
    expect(await rows("events", ["o", "c"], { after: 1 })).toEqual(["two", "ten"]);
    expect(await rows("events", ["o", "c"], { after: 1, limit: 1 })).toEqual(["two"]);
    expect(await rows("events", [])).toHaveLength(5);
  });

  test("keeps rows and bytes across openings", async () => {
    const name = `test-${names++}`;
    const first = await open(name);
    await first.commit([{ table: "sdsWires", key: ["o", "c", "m"], row: { wire: Uint8Array.of(1, 2, 3) } }]);
    first.close();
    const second = await open(name);
    expect(await second.get("sdsWires", ["o", "c", "m"])).toEqual({ wire: Uint8Array.of(1, 2, 3) });
  });

  test("a database of an earlier version gets the tables that came later, and keeps its rows", async () => {
    const name = `test-${names++}`;
    const earlier = await openDB(name, 1, {
      upgrade(database) {
        for (const store of ["writer", "events"]) database.createObjectStore(store);
      },
    });
    await earlier.put("events", "kept", ["o", "c", 1]);
    earlier.close();
    const database = await open(name);
    await database.commit(TABLES.map((table) => ({ table, key: ["o", "c", 2], row: "new" })));
    expect((await database.scan("events", [])).map(({ row }) => row)).toEqual(["kept", "new"]);
    expect(await database.scan("parked", [])).toHaveLength(1);
  });

  test("two contexts writing at once: the newer one wins, and the older one can finish nothing", async () => {
    const name = `test-${names++}`;
    const older = await open(name);
    const newer = await open(name);
    const change = { table: "events", key: ["o", "c", 1], row: "older" };
    await expect(older.commit([change])).rejects.toBeInstanceOf(StaleWriterError);
    expect(await newer.get("events", ["o", "c", 1])).toBeUndefined();
    await newer.commit([{ ...change, row: "newer" }]);
    expect(await older.get("events", ["o", "c", 1])).toBe("newer");
  });

  test("a row that cannot be stored fails the whole transaction", async () => {
    const database = await open();
    const changes = [
      { table: "events", key: ["o", "c", 1], row: "fine" },
      { table: "events", key: ["o", "c", 2], row: () => "not cloneable" },
    ];
    await expect(database.commit(changes)).rejects.toThrow();
    expect(await database.get("events", ["o", "c", 1])).toBeUndefined();
  });
});
