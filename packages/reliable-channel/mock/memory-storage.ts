import type { Storage } from "../../../src/channel/ports.ts";
import type { RowChange, StoredKey } from "../../../src/common/table.ts";

/** Rows in memory that behave as the database does: copied in and out, ordered by key, one commit at a time. */
export class MemoryStorage implements Storage {
  readonly #tables = new Map<string, Map<string, { readonly key: StoredKey; readonly row: unknown }>>();
  /** Called before each commit; what it throws fails the commit, and nothing of it is stored. */
  beforeCommit: (changes: readonly RowChange[]) => void | Promise<void> = () => {};
  /** Called after each commit is stored; what it throws reaches the caller although the rows are there. */
  afterCommit: (changes: readonly RowChange[]) => void | Promise<void> = () => {};
  commits = 0;

  async commit(changes: readonly RowChange[]): Promise<void> {
    await this.beforeCommit(changes);
    const copied = structuredClone(changes);
    for (const { table, key, row } of copied) {
      const rows = this.#rows(table);
      if (row === undefined) rows.delete(JSON.stringify(key));
      else rows.set(JSON.stringify(key), { key, row });
    }
    this.commits++;
    await this.afterCommit(changes);
  }

  async get(table: string, key: StoredKey): Promise<unknown> {
    return structuredClone(this.#rows(table).get(JSON.stringify(key))?.row);
  }

  async scan(
    table: string,
    scope: StoredKey,
    range: { readonly after?: string | number; readonly limit?: number } = {},
  ): Promise<readonly { readonly key: StoredKey; readonly row: unknown }[]> {
    const { after, limit } = range;
    const within = [...this.#rows(table).values()].filter(
      ({ key }) =>
        key.length > scope.length &&
        scope.every((part, index) => key[index] === part) &&
        (after === undefined || compareKeys([key[scope.length] ?? ""], [after]) > 0),
    );
    return structuredClone(within.sort((a, b) => compareKeys(a.key, b.key)).slice(0, limit));
  }

  /** Names of the tables that have rows. */
  filled(): readonly string[] {
    return [...this.#tables.keys()].filter((table) => this.count(table) > 0);
  }

  /** How many rows a table has. */
  count(table: string): number {
    return this.#rows(table).size;
  }

  #rows(table: string): Map<string, { readonly key: StoredKey; readonly row: unknown }> {
    const rows = this.#tables.get(table) ?? new Map<string, { readonly key: StoredKey; readonly row: unknown }>();
    this.#tables.set(table, rows);
    return rows;
  }
}

/** IndexedDB's order: numbers before strings, arrays part by part, the shorter one first. */
function compareKeys(a: StoredKey, b: StoredKey): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [x, y] = [a[i], b[i]];
    if (x === y) continue;
    if (typeof x === "number" && typeof y === "number") return x - y;
    if (typeof x === "string" && typeof y === "string") return x < y ? -1 : 1;
    return typeof x === "number" ? -1 : 1;
  }
  return a.length - b.length;
}
