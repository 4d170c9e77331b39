/** Storage whose meter hears how much is written to it, and when the browser refuses to. */
import type { Storage } from "../channel/ports.ts";
import type { RowChange, StoredKey } from "../common/table.ts";
import { contentColumn, readContent } from "./content-columns.ts";
import { contentBytes } from "./content-sealer.ts";
import type { StorageMeter } from "./storage-meter.ts";

export class MeteredStorage implements Storage {
  readonly #storage: Storage;
  readonly #meter: Pick<StorageMeter, "onWritten" | "onRefused">;

  constructor(storage: Storage, meter: Pick<StorageMeter, "onWritten" | "onRefused">) {
    this.#storage = storage;
    this.#meter = meter;
  }

  async commit(changes: readonly RowChange[]): Promise<void> {
    try {
      await this.#storage.commit(changes);
    } catch (thrown) {
      // Before anybody hears of it: whoever begins anew is to find it full.
      if (thrown instanceof DOMException && thrown.name === "QuotaExceededError") this.#meter.onRefused();
      throw thrown;
    }
    this.#meter.onWritten(changes.reduce((bytes, change) => bytes + sizeOf(change), 0));
  }

  get(table: string, key: StoredKey): Promise<unknown> {
    return this.#storage.get(table, key);
  }

  scan(...args: Parameters<Storage["scan"]>): ReturnType<Storage["scan"]> {
    return this.#storage.scan(...args);
  }
}

/** What people wrote is what takes room. */
function sizeOf({ table, key, row }: RowChange): number {
  const column = contentColumn(table, key);
  return column === undefined ? 0 : contentBytes(readContent(column, row));
}
