import { createHash } from "node:crypto";
import { MemoryStorage } from "../../../packages/reliable-channel/mock/memory-storage.ts";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { utf8 } from "../../../src/common/bytes.ts";
import { Journal, type RowChange } from "../../../src/common/table.ts";
import { Transactor } from "../../../src/common/transactor.ts";
import { DataKeys } from "../../../src/keys/data-keys.ts";
import { KeyStore, type KeyUse } from "../../../src/keys/key-store.ts";
import type { DeriveKey } from "../../../src/keys/password-seal.ts";
import { type SessionArea, Vault } from "../../../src/keys/vault.ts";
import { SealedStorage } from "../../../src/storage/sealed-storage.ts";

/** As unguessable as it needs to be in a test, and quick. */
export const quickDerive: DeriveKey = async (password, salt, iterations) =>
  new Uint8Array(createHash("sha256").update(utf8(password)).update(salt).update(String(iterations)).digest());

export class FakeSession implements SessionArea {
  readonly items = new Map<string, unknown>();

  async get(key: string): Promise<Record<string, unknown>> {
    return this.items.has(key) ? { [key]: structuredClone(this.items.get(key)) } : {};
  }

  async set(items: Record<string, unknown>): Promise<void> {
    // What survives JSON survives a session area.
    for (const [key, value] of Object.entries(items)) this.items.set(key, JSON.parse(JSON.stringify(value)));
  }

  async remove(key: string): Promise<void> {
    this.items.delete(key);
  }
}

/** What outlives a worker: the disk, the session of the browser, and time. */
export class Machine {
  readonly disk = new MemoryStorage();
  readonly session = new FakeSession();
  readonly clock = new VirtualClock();
  readonly woken: (number | undefined)[] = [];
  uses: KeyUse[] = [];
  derive: DeriveKey = quickDerive;

  /** A worker begins. */
  async boot(): Promise<Life> {
    const [journal, dataKeys] = [new Journal(), new DataKeys()];
    const storage = new SealedStorage(this.disk, dataKeys);
    const transactor = new Transactor(journal, storage);
    const rows = { storage, journal, transactor, clock: this.clock };
    const vault = await Vault.load({
      ...rows,
      dataKeys,
      session: this.session,
      resealContent: () => storage.reseal(),
      wakeAt: (at) => this.woken.push(at),
      derive: (...args) => this.derive(...args),
    });
    const keys = await KeyStore.load({ ...rows, dataKeys, usesOf: () => this.uses });
    vault.onRotation(() => keys.reseal());
    vault.start();
    return { vault, keys, storage, transactor, dataKeys };
  }

  /** The browser ends: what is in the session is gone. */
  endBrowser(): void {
    this.session.items.clear();
  }

  /** Everything on the disk, as bytes and text in a row. */
  async dump(tables: readonly string[]): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    const add = (value: unknown): void => {
      if (value instanceof Uint8Array) parts.push(value);
      else if (typeof value === "object" && value !== null) for (const inner of Object.values(value)) add(inner);
      else parts.push(utf8(String(value)));
    };
    for (const table of tables) for (const { key, row } of await this.disk.scan(table, [])) add([key, row]);
    return Buffer.concat(parts);
  }
}

export interface Life {
  readonly vault: Vault;
  readonly keys: KeyStore;
  readonly storage: SealedStorage;
  readonly transactor: Transactor;
  readonly dataKeys: DataKeys;
}

/** The forms in which a secret may lie on a disk. */
export function formsOf(secret: Uint8Array): readonly Buffer[] {
  const raw = Buffer.from(secret);
  const texts = [
    raw.toString("hex"),
    raw.toString("hex").toUpperCase(),
    raw.toString("base64"),
    raw.toString("base64url"),
  ];
  const base64 = [0, 1, 2].map((skip) =>
    raw.subarray(skip, skip + 3 * Math.floor((raw.length - skip) / 3)).toString("base64"),
  );
  return [
    raw,
    // Text as a string in UTF-16, which is how browsers store one that is not Latin-1.
    Buffer.from(raw.toString("latin1"), "utf16le"),
    ...[...texts, ...base64].flatMap((text) => [Buffer.from(text), Buffer.from(text, "utf16le")]),
  ];
}

export function contains(dump: Buffer, secret: Uint8Array): boolean {
  return formsOf(secret).some((form) => form.length > 0 && dump.includes(form));
}

export const put = (table: string, key: RowChange["key"], row: unknown): RowChange => ({ table, key, row });
