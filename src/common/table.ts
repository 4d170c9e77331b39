/**
 * State as rows.
 *
 * The protocol core keeps all its state in tables. It reads and writes them synchronously, in memory; each write is
 * also noted in the journal, from which the shell commits everything one event changed in one storage transaction.
 * So there is exactly one description of the state, it is always what storage holds plus the journal, and a crash at
 * any instruction loses only events that nobody was told about.
 */

/** A key inside storage: the owning scope (such as a channel) followed by the row's own key. */
export type StoredKey = readonly (string | number)[];

/** One row to write, or to delete where `row` is `undefined`. */
export interface RowChange {
  readonly table: string;
  readonly key: StoredKey;
  readonly row: unknown;
}

/** A change that can be taken back as long as it is not committed. */
interface Write extends RowChange {
  undo?(): void;
}

/** What the running event has changed so far, in order. */
export class Journal {
  #writes: Write[] = [];

  /** A write that leaves nothing in memory has nothing to undo. */
  note(write: Write): void {
    this.#writes.push(write);
  }

  /** Takes the changes out, for a commit. */
  take(): readonly RowChange[] {
    const taken = this.#writes;
    this.#writes = [];
    return taken;
  }

  /** Undoes everything since the last `take`, newest first: the event never happened. */
  rollback(): void {
    const writes = this.#writes;
    this.#writes = [];
    for (const write of writes.toReversed()) write.undo?.();
  }
}

/** Rows that the core works on: in memory as a whole, and in storage. Rows are immutable; to change one, put another. */
export class Table<K extends string | number, V> {
  readonly name: string;
  readonly #journal: Journal;
  readonly #scope: StoredKey;
  readonly #rows: Map<K, V>;
  readonly #observers: ((key: K, before: V | undefined, after: V | undefined) => void)[] = [];

  constructor(name: string, journal: Journal, scope: StoredKey, rows: Iterable<readonly [K, V]> = []) {
    this.name = name;
    this.#journal = journal;
    this.#scope = scope;
    this.#rows = new Map(rows);
  }

  get size(): number {
    return this.#rows.size;
  }

  get(key: K): V | undefined {
    return this.#rows.get(key);
  }

  has(key: K): boolean {
    return this.#rows.has(key);
  }

  /** In insertion order; after a restart, in key order. Code that needs an order keeps it in the key. */
  entries(): IterableIterator<[K, V]> {
    return this.#rows.entries();
  }

  keys(): IterableIterator<K> {
    return this.#rows.keys();
  }

  values(): IterableIterator<V> {
    return this.#rows.values();
  }

  put(key: K, row: V): void {
    this.#write(key, this.#rows.get(key), row);
  }

  delete(key: K): void {
    const before = this.#rows.get(key);
    if (before !== undefined) this.#write(key, before, undefined);
  }

  /** For indexes derived from the rows: called after every write and after every undo of one, and now for each row. */
  observe(observer: (key: K, before: V | undefined, after: V | undefined) => void): void {
    this.#observers.push(observer);
    for (const [key, row] of this.#rows) observer(key, undefined, row);
  }

  #write(key: K, before: V | undefined, after: V | undefined): void {
    // First: a write that fails half-way, as where an observer throws, is undone as well.
    this.#journal.note(new TableWrite(this.name, [...this.#scope, key], key, before, after, this.#restore));
    this.#set(key, before, after);
  }

  readonly #restore: Restore<K, V> = (key, after, before) => this.#set(key, after, before);

  #set(key: K, before: V | undefined, after: V | undefined): void {
    if (after === undefined) this.#rows.delete(key);
    else this.#rows.set(key, after);
    for (const observer of this.#observers) observer(key, before, after);
  }
}

type Restore<K, V> = (key: K, after: V | undefined, before: V | undefined) => void;

/** One object for each write, and no closure: there are more of these than of anything else. */
class TableWrite<K, V> implements Write {
  readonly table: string;
  readonly key: StoredKey;
  readonly row: V | undefined;
  readonly #own: K;
  readonly #before: V | undefined;
  readonly #restore: Restore<K, V>;

  constructor(
    table: string,
    key: StoredKey,
    own: K,
    before: V | undefined,
    after: V | undefined,
    restore: Restore<K, V>,
  ) {
    this.table = table;
    this.key = key;
    this.row = after;
    this.#own = own;
    this.#before = before;
    this.#restore = restore;
  }

  undo(): void {
    this.#restore(this.#own, this.row, this.#before);
  }
}

/** Rows too large to hold in memory, such as message bytes: the core only writes them; shells read them from storage. */
export class ColdTable<K extends string | number, V> {
  readonly name: string;
  readonly #journal: Journal;
  readonly #scope: StoredKey;

  constructor(name: string, journal: Journal, scope: StoredKey) {
    this.name = name;
    this.#journal = journal;
    this.#scope = scope;
  }

  put(key: K, row: V): void {
    this.#journal.note({ table: this.name, key: this.storedKey(key), row });
  }

  delete(key: K): void {
    this.#journal.note({ table: this.name, key: this.storedKey(key), row: undefined });
  }

  storedKey(key: K): StoredKey {
    return [...this.#scope, key];
  }
}

/** Rows of one scope as storage gave them, by table name: own key and row. */
export type StoredRows = (table: string) => Iterable<readonly [string | number, unknown]>;

/**
 * A table over rows that this project wrote. Storage is inside the border: its schema version says that the rows have
 * this shape, so they are not parsed again.
 */
export function tableOf<K extends string | number, V>(
  name: string,
  journal: Journal,
  scope: StoredKey,
  stored: StoredRows,
): Table<K, V> {
  return new Table<K, V>(name, journal, scope, stored(name) as Iterable<readonly [K, V]>);
}
