/**
 * State as rows.
 *
 * The protocol core keeps all its state in tables. It reads and writes them synchronously, in memory; each write is
 * also noted in the journal, from which the shell commits everything one event changed in one storage transaction.
 * So there is exactly one description of the state, it is always what storage holds plus the journal, and a crash at
 * any instruction loses only events that nobody was told about.
 */

import { Column, type Entry, type Key } from "./entries.ts";

/** A key inside storage: the owning scope (such as a channel) followed by the row's own key. */
export type StoredKey = readonly Key[];

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
export class Table<K extends Key, V> {
  readonly name: string;
  readonly #journal: Journal;
  readonly #scope: StoredKey;
  readonly #column: Column<K, V>;
  readonly #observers: Observer<K, V>[] = [];

  /** @param column where it shares its keys with other tables; their rows under them are found by one look-up */
  constructor(
    name: string,
    journal: Journal,
    scope: StoredKey,
    rows: Iterable<readonly [K, V]> = [],
    column: Column<K, V> = Column.only(),
  ) {
    this.name = name;
    this.#journal = journal;
    this.#scope = scope;
    this.#column = column;
    for (const [key, row] of rows) {
      const entry = column.at(key);
      column.replace(entry, column.rowOf(entry), row);
    }
  }

  get size(): number {
    return this.#column.size;
  }

  get(key: K): V | undefined {
    const entry = this.#column.find(key);
    return entry && this.#column.rowOf(entry);
  }

  has(key: K): boolean {
    return this.get(key) !== undefined;
  }

  /** In no order that code may rely on: where one is needed, it is in the key, and an index keeps it. */
  *entries(): Generator<[K, V], undefined> {
    for (const [{ key }, row] of this.#column.entries()) yield [key, row];
  }

  *keys(): Generator<K, undefined> {
    for (const [{ key }] of this.#column.entries()) yield key;
  }

  *values(): Generator<V, undefined> {
    for (const [, row] of this.#column.entries()) yield row;
  }

  put(key: K, row: V): void {
    const entry = this.#column.at(key);
    this.#write(entry, this.#column.rowOf(entry), row);
  }

  delete(key: K): void {
    const entry = this.#column.find(key);
    if (entry) this.deleteEntry(entry);
  }

  /** Deletes the row of an entry that an observer was told of, without looking it up. */
  deleteEntry(entry: Entry<K>): void {
    const row = this.#column.rowOf(entry);
    if (row !== undefined) this.#write(entry, row, undefined);
  }

  /** For indexes derived from the rows: called after every write and after every undo of one, and now for each row. */
  observe(observer: Observer<K, V>): void {
    this.#observers.push(observer);
    this.#column.forEach((entry, row) => {
      observer(entry.key, undefined, row, entry);
    });
  }

  #write(entry: Entry<K>, before: V | undefined, after: V | undefined): void {
    this.#set(entry, before, after);
    this.#journal.note(new TableWrite(this.name, within(this.#scope, entry.key), entry, before, after, this.#restore));
  }

  readonly #restore: Restore<K, V> = (entry, after, before) => this.#set(entry, after, before);

  /** All of it or, where an observer throws, nothing. */
  #set(entry: Entry<K>, before: V | undefined, after: V | undefined): void {
    let told = 0;
    this.#column.replace(entry, before, after);
    try {
      for (const observer of this.#observers) {
        observer(entry.key, before, after, entry);
        told++;
      }
    } catch (thrown) {
      this.#column.replace(entry, after, before);
      for (const observer of this.#observers.slice(0, told)) observer(entry.key, after, before, entry);
      throw thrown;
    }
  }
}

/** Not by spreading: that takes three times as long, and makes room for many more. */
function within(scope: StoredKey, key: Key): StoredKey {
  const stored = new Array<Key>(scope.length + 1);
  for (let at = 0; at < scope.length; at++) stored[at] = scope[at] as Key;
  stored[scope.length] = key;
  return stored;
}

/** One that throws has made nothing of what it was told. */
type Observer<K extends Key, V> = (key: K, before: V | undefined, after: V | undefined, entry: Entry<K>) => void;
type Restore<K extends Key, V> = (entry: Entry<K>, after: V | undefined, before: V | undefined) => void;

/** One object for each write, and no closure: there are more of these than of anything else. */
class TableWrite<K extends Key, V> implements Write {
  readonly table: string;
  readonly key: StoredKey;
  readonly row: V | undefined;
  readonly #entry: Entry<K>;
  readonly #before: V | undefined;
  readonly #restore: Restore<K, V>;

  constructor(
    table: string,
    key: StoredKey,
    entry: Entry<K>,
    before: V | undefined,
    after: V | undefined,
    restore: Restore<K, V>,
  ) {
    this.table = table;
    this.key = key;
    this.row = after;
    this.#entry = entry;
    this.#before = before;
    this.#restore = restore;
  }

  undo(): void {
    this.#restore(this.#entry, this.row, this.#before);
  }
}

/** Rows too large to hold in memory, such as message bytes: the core only writes them; shells read them from storage. */
export class ColdTable<K extends Key, V> {
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
    return within(this.#scope, key);
  }
}

/** Rows of one scope as storage gave them, by table name: own key and row. */
export type StoredRows = (table: string) => Iterable<readonly [Key, unknown]>;

/**
 * A table over rows that this project wrote. Storage is inside the border: its schema version says that the rows have
 * this shape, so they are not parsed again.
 */
export function tableOf<K extends Key, V>(
  name: string,
  journal: Journal,
  scope: StoredKey,
  stored: StoredRows,
  column?: Column<K, V>,
): Table<K, V> {
  return new Table<K, V>(name, journal, scope, stored(name) as Iterable<readonly [K, V]>, column);
}
