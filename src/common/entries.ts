/**
 * Where tables hold their rows in memory: under each key an entry, with a field for each table that shares it.
 *
 * To find a key among many costs more than what is done with its row, as the processor waits for memory. So tables of the
 * same keys share them; and who has the entry, as indexes do, need not look it up.
 */

export type Key = string | number;

/** What there is under a key. Tables have their rows in fields of classes derived from this, `undefined` where there is none. */
export class Entry<K extends Key> {
  readonly key: K;
  /** Tables that have a row here; with none it is no longer among the others. */
  rows = 0;

  constructor(key: K) {
    this.key = key;
  }
}

/** Of a table that shares its keys with no other one. */
class OnlyEntry<K extends Key, V> extends Entry<K> {
  row: V | undefined = undefined;
}

/** The entries that tables share, by key. An undo must concern them all, so these tables have one journal. */
export class Entries<K extends Key, E extends Entry<K>> {
  readonly #byKey = new Map<K, E>();
  readonly #make: new (
    key: K,
  ) => E;

  constructor(make: new (key: K) => E) {
    this.#make = make;
  }

  /** For one table: its rows are in this field, which no other one has. */
  column<F extends Exclude<keyof E & string, keyof Entry<K>>>(field: F): Column<K, NonNullable<E[F]>> {
    return new Column(this.#byKey, this.#make, field);
  }
}

/** The rows of one table. */
export class Column<K extends Key, V> {
  readonly #byKey: Map<K, Entry<K>>;
  readonly #make: new (
    key: K,
  ) => Entry<K>;
  readonly #field: string;
  #size = 0;

  constructor(byKey: Map<K, Entry<K>>, make: new (key: K) => Entry<K>, field: string) {
    this.#byKey = byKey;
    this.#make = make;
    this.#field = field;
  }

  /** For a table of its own. */
  static only<K extends Key, V>(): Column<K, V> {
    return new Entries<K, OnlyEntry<K, V>>(OnlyEntry).column("row") as Column<K, V>;
  }

  get size(): number {
    return this.#size;
  }

  find(key: K): Entry<K> | undefined {
    return this.#byKey.get(key);
  }

  /** The entry of this key, or a new one, which joins the others with its first row. */
  at(key: K): Entry<K> {
    return this.#byKey.get(key) ?? new this.#make(key);
  }

  rowOf(entry: Entry<K>): V | undefined {
    return (entry as Fields<K, V>)[this.#field];
  }

  /** Puts the row `after` in place of `before`, which is there. `undefined` stands for none. */
  replace(entry: Entry<K>, before: V | undefined, after: V | undefined): void {
    (entry as Fields<K, V>)[this.#field] = after;
    if (before === undefined && after !== undefined) {
      this.#size++;
      if (entry.rows++ === 0) this.#byKey.set(entry.key, entry);
    } else if (before !== undefined && after === undefined) {
      this.#size--;
      if (--entry.rows === 0) this.#byKey.delete(entry.key);
    }
  }

  /** In the order in which the entries came to be. */
  *entries(): Generator<readonly [entry: Entry<K>, row: V], undefined> {
    for (const entry of this.#byKey.values()) {
      const row = this.rowOf(entry);
      if (row !== undefined) yield [entry, row];
    }
  }

  /** The same at once, which takes less time: a walk through a full history is part of every start. `each` must not write. */
  forEach(each: (entry: Entry<K>, row: V) => void): void {
    let left = this.#size;
    for (const entry of this.#byKey.values()) {
      if (left === 0) return;
      const row = this.rowOf(entry);
      if (row === undefined) continue;
      left--;
      each(entry, row);
    }
  }
}

/** An entry as one table sees it: `Entries.column` says that the field is there and has rows of this kind. */
type Fields<K extends Key, V> = Entry<K> & { [field: string]: V | undefined };
