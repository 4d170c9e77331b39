/**
 * Durable rows in IndexedDB.
 *
 * There is one writer. A new one raises the stored generation when it opens the database, and every transaction checks
 * that the generation is still its own: a background that was replaced while it slept can finish nothing.
 */
import { type IDBPDatabase, openDB } from "idb";
import type { Storage } from "../channel/ports.ts";
import type { RowChange, StoredKey } from "../common/table.ts";
import { DATABASE_NAME, SCHEMA_VERSION, TABLES, WRITER_STORE } from "./schema.ts";

const GENERATION = "generation";

/** Another context opened the database for writing after this one did. */
export class StaleWriterError extends Error {
  override readonly name = "StaleWriterError";

  constructor() {
    super("another context took over the database");
  }
}

export class Database implements Storage {
  readonly #db: IDBPDatabase;
  readonly #generation: number;

  private constructor(db: IDBPDatabase, generation: number) {
    this.#db = db;
    this.#generation = generation;
  }

  /** Opens the database, creating or migrating it, and becomes its one writer. */
  static async open(name: string = DATABASE_NAME): Promise<Database> {
    const db = await openDB(name, SCHEMA_VERSION, {
      upgrade(database) {
        for (const store of [WRITER_STORE, ...TABLES]) {
          if (!database.objectStoreNames.contains(store)) database.createObjectStore(store);
        }
      },
      // A newer version of the extension wants to migrate: let go, or it waits for ever.
      blocking: (_current, _blocked, event) => (event.target as IDBDatabase | null)?.close(),
    });
    const tx = db.transaction(WRITER_STORE, "readwrite");
    const last: unknown = await tx.store.get(GENERATION);
    const generation = (typeof last === "number" ? last : 0) + 1;
    await tx.store.put(generation, GENERATION);
    await tx.done;
    return new Database(db, generation);
  }

  close(): void {
    this.#db.close();
  }

  async commit(changes: readonly RowChange[]): Promise<void> {
    const latest = lastWrites(changes);
    const stores = new Set(latest.map((change) => change.table));
    const tx = this.#db.transaction([WRITER_STORE, ...stores], "readwrite");
    const failed = tx.done.then(
      () => undefined,
      (reason: unknown) => ({ reason }),
    );
    if ((await tx.objectStore(WRITER_STORE).get(GENERATION)) !== this.#generation) {
      tx.abort();
      await failed;
      throw new StaleWriterError();
    }
    try {
      for (const { table, key, row } of latest) {
        const store = tx.objectStore(table);
        const request = row === undefined ? store.delete([...key]) : store.put(row, [...key]);
        // The transaction's own error says why; those of its requests only repeat it.
        request.catch(() => undefined);
      }
    } catch (thrown) {
      // A row that cannot be cloned is refused at once, and leaves the transaction as it was: half done.
      tx.abort();
      await failed;
      throw thrown;
    }
    const failure = await failed;
    if (failure) throw failure.reason;
  }

  async get(table: string, key: StoredKey): Promise<unknown> {
    return this.#db.get(table, [...key]);
  }

  async scan(
    table: string,
    scope: StoredKey,
    range: { readonly after?: string | number; readonly limit?: number } = {},
  ): Promise<readonly { readonly key: StoredKey; readonly row: unknown }[]> {
    const lower = range.after === undefined ? [...scope] : [...scope, range.after];
    // In IndexedDB's order arrays come after numbers and strings: [...scope, []] is above every key within the scope.
    const within = IDBKeyRange.bound(lower, [...scope, []], range.after !== undefined, true);
    const tx = this.#db.transaction(table, "readonly");
    const [keys, rows] = await Promise.all([
      tx.store.getAllKeys(within, range.limit),
      tx.store.getAll(within, range.limit),
    ]);
    return keys.map((key, index) => ({ key: key as (string | number)[], row: rows[index] as unknown }));
  }
}

/** A row written twice in one transaction is stored once, as it was last. */
function lastWrites(changes: readonly RowChange[]): readonly RowChange[] {
  const latest = new Map<string, RowChange>();
  for (const change of changes) latest.set(`${change.table}\n${JSON.stringify(change.key)}`, change);
  return [...latest.values()];
}
