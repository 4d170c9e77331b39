/**
 * Storage whose content columns are sealed by a data key while a password is set.
 *
 * Readers and writers notice nothing: they write and read bytes. The seal names table, column and key of its row, so a row
 * cannot be moved to another place. While the vault is locked, rows with content are neither read nor written, and the
 * caller gets a `LockedError`; rows of metadata are.
 *
 * Rows from before the password, or under an earlier data key, are sealed anew by `reseal`, a bounded batch at a time. One
 * may still be read meanwhile. A batch is read and written with commits held back, since it would otherwise write over
 * what came in between.
 */
import type { Storage } from "../channel/ports.ts";
import { type Bytes, utf8 } from "../common/bytes.ts";
import type { RowChange, StoredKey } from "../common/table.ts";
import { LIMITS } from "../limits.ts";
import { CONTENT_COLUMNS, contentColumn, isPlain, readContent, withContent } from "./content-columns.ts";
import {
  BrokenSealError,
  type ContentSealer,
  contentBytes,
  isSealed,
  LockedError,
  type SealFailure,
} from "./content-sealer.ts";

interface StoredRow {
  readonly key: StoredKey;
  readonly row: unknown;
}

export class SealedStorage implements Storage {
  readonly #storage: Storage;
  readonly #sealer: ContentSealer;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(storage: Storage, sealer: ContentSealer) {
    this.#storage = storage;
    this.#sealer = sealer;
  }

  async commit(changes: readonly RowChange[]): Promise<void> {
    // Sealed now, and not when its turn comes: a data key that becomes the current one meanwhile is not yet durable.
    const sealed = changes.map((change) => this.#sealed(change));
    return this.#exclusively(() => this.#storage.commit(sealed));
  }

  async get(table: string, key: StoredKey): Promise<unknown> {
    return this.#unsealed(table, key, await this.#storage.get(table, key));
  }

  async scan(
    table: string,
    scope: StoredKey,
    range?: { readonly after?: string | number; readonly limit?: number },
  ): Promise<readonly StoredRow[]> {
    const rows = await this.#storage.scan(table, scope, range);
    return rows.map(({ key, row }) => ({ key, row: this.#unsealed(table, key, row) }));
  }

  /**
   * Seals every content row with the data key that is the current one at the call, and must be durable by then. True once
   * nothing is sealed otherwise; false if that data key stopped being the current one. Idempotent, so a run that was cut
   * short is simply run again.
   */
  async reseal(): Promise<boolean> {
    const by = this.#sealer.current;
    if (by === undefined) return false;
    for (const [table, { scope }] of Object.entries(CONTENT_COLUMNS)) {
      const scopes = scope === "channel" ? await this.#channelScopes() : [scope];
      for (const within of scopes) if (!(await this.#resealScope(table, within, by))) return false;
    }
    return true;
  }

  async #channelScopes(): Promise<readonly StoredKey[]> {
    const channels = await this.#storage.scan("channels", []);
    return channels.map(({ key }) => key.slice(0, -1));
  }

  async #resealScope(table: string, scope: StoredKey, by: number): Promise<boolean> {
    let after: string | number | undefined;
    // Rows may be a few bytes or many megabytes: begin with one, and adapt.
    let limit = 1;
    for (;;) {
      const range = { ...(after === undefined ? {} : { after }), limit };
      const batch = await this.#resealBatch(table, scope, range, by);
      if (batch === undefined) return false;
      const { rows, bytes } = batch;
      after = rows.at(-1)?.key.at(-1);
      if (rows.length < limit || after === undefined) return true;
      if (bytes > LIMITS.keys.resealBytes) limit = Math.max(1, Math.floor(limit / 2));
      else if (2 * bytes < LIMITS.keys.resealBytes) limit = Math.min(2 * limit, LIMITS.keys.resealRows);
    }
  }

  #resealBatch(
    table: string,
    scope: StoredKey,
    range: { readonly after?: string | number; readonly limit: number },
    by: number,
  ): Promise<{ readonly rows: readonly StoredRow[]; readonly bytes: number } | undefined> {
    return this.#exclusively(async () => {
      const rows = await this.#storage.scan(table, scope, range);
      if (this.#sealer.current !== by || !this.#sealer.seals) return undefined;
      const changes: RowChange[] = [];
      let bytes = 0;
      for (const { key, row } of rows) {
        const column = contentColumn(table, key);
        const content = column && readContent(column, row);
        bytes += contentBytes(content);
        const stale = isSealed(content) ? content.by !== by : isPlain(content);
        if (stale) changes.push(this.#sealed({ table, key, row: this.#unsealed(table, key, row) }));
      }
      if (changes.length > 0) await this.#storage.commit(changes);
      return { rows, bytes };
    });
  }

  #sealed(change: RowChange): RowChange {
    const { table, key, row } = change;
    const column = contentColumn(table, key);
    const content = column && readContent(column, row);
    if (column === undefined || !isPlain(content) || !this.#sealer.seals) return change;
    const sealed = this.#sealer.seal(content, associatedData(table, column.column, key));
    if (!sealed.ok) throw errorOf(sealed.error, table);
    return { table, key, row: withContent(column, row, sealed.value) };
  }

  #unsealed(table: string, key: StoredKey, row: unknown): unknown {
    const column = contentColumn(table, key);
    const content = column && readContent(column, row);
    if (column === undefined || !isSealed(content)) return row;
    const plain = this.#sealer.unseal(content, associatedData(table, column.column, key));
    if (!plain.ok) throw errorOf(plain.error, table);
    return withContent(column, row, plain.value);
  }

  /** One at a time, in the order of the calls. */
  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#writing.then(work);
    this.#writing = done.catch(() => undefined);
    return done;
  }
}

function associatedData(table: string, column: string | undefined, key: StoredKey): Bytes {
  return utf8(JSON.stringify([table, column ?? null, ...key]));
}

function errorOf(failure: SealFailure, table: string): Error {
  return failure === "locked" ? new LockedError() : new BrokenSealError(table);
}
