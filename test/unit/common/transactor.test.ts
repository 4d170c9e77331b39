import { describe, expect, test } from "vitest";
import { Journal, type RowChange, Table } from "../../../src/common/table.ts";
import { Transactor } from "../../../src/common/transactor.ts";

function setUp() {
  const journal = new Journal();
  const table = new Table<string, number>("t", journal, []);
  const commits: (readonly RowChange[])[] = [];
  const gates: { open: () => void; fail: (reason: Error) => void }[] = [];
  const target = {
    commit: (changes: readonly RowChange[]) => {
      commits.push(changes);
      return new Promise<void>((resolve, reject) => gates.push({ open: resolve, fail: reject }));
    },
  };
  const broken: unknown[] = [];
  const transactor = new Transactor(journal, target, (reason) => broken.push(reason));
  return { table, transactor, commits, gates, broken };
}

describe("Transactor", () => {
  test("resolves an event only when what it changed is durable", async () => {
    const { table, transactor, commits, gates } = setUp();
    let done = false;
    const running = transactor.run(() => table.put("a", 1)).then(() => (done = true));
    await Promise.resolve();
    expect([table.get("a"), commits.length, done]).toEqual([1, 1, false]);
    gates[0]?.open();
    await running;
    expect(done).toBe(true);
  });

  test("events that arrive during a commit share the next one, in order, none split", async () => {
    const { table, transactor, commits, gates } = setUp();
    const first = transactor.run(() => table.put("a", 1));
    const second = transactor.run(() => table.put("b", 2));
    const third = transactor.run(() => table.put("c", 3));
    gates[0]?.open();
    await first;
    expect(commits.map((changes) => changes.map(({ key }) => key[0]))).toEqual([["a"], ["b", "c"]]);
    gates[1]?.open();
    await Promise.all([second, third]);
  });

  test("an event that throws changed nothing, and the next one goes on", async () => {
    const { table, transactor, commits, gates } = setUp();
    await expect(
      transactor.run(() => {
        table.put("a", 1);
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    expect(table.has("a")).toBe(false);
    const next = transactor.run(() => table.put("b", 2));
    gates[0]?.open();
    await next;
    expect(commits).toEqual([[{ table: "t", key: ["b"], row: 2 }]]);
  });

  test("a failed commit rejects what waited and refuses everything from then on", async () => {
    const { table, transactor, gates, broken } = setUp();
    const first = transactor.run(() => table.put("a", 1));
    const second = transactor.run(() => table.put("b", 2));
    const failure = new Error("quota exceeded");
    gates[0]?.fail(failure);
    await expect(first).rejects.toBe(failure);
    await expect(second).rejects.toBe(failure);
    await expect(transactor.run(() => table.put("c", 3))).rejects.toBe(failure);
    expect(broken).toEqual([failure]);
  });

  test("an event that changes nothing needs no transaction but keeps its place", async () => {
    const { table, transactor, commits, gates } = setUp();
    const order: string[] = [];
    const first = transactor.run(() => table.put("a", 1)).then(() => order.push("first"));
    const second = transactor.run(() => table.get("a")).then(() => order.push("second"));
    gates[0]?.open();
    await Promise.all([first, second]);
    expect([order, commits.length]).toEqual([["first", "second"], 1]);
  });

  test("an event may change any number of rows", async () => {
    const { table, transactor, commits, gates } = setUp();
    const rows = 300_000;
    const running = transactor.run(() => {
      for (let i = 0; i < rows; i++) table.put(String(i), i);
    });
    gates[0]?.open();
    await running;
    expect(commits[0]).toHaveLength(rows);
  });
});
