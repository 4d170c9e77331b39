import "fake-indexeddb/auto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemoryStorage } from "../../../packages/reliable-channel/mock/memory-storage.ts";
import type { Storage } from "../../../src/channel/ports.ts";
import { type Bytes, utf8 } from "../../../src/common/bytes.ts";
import type { RowChange, StoredKey } from "../../../src/common/table.ts";
import { DataKeys } from "../../../src/keys/data-keys.ts";
import { LIMITS } from "../../../src/limits.ts";
import { CONTENT_COLUMNS } from "../../../src/storage/content-columns.ts";
import { BrokenSealError, isSealed, LockedError } from "../../../src/storage/content-sealer.ts";
import { Database } from "../../../src/storage/database.ts";
import { TABLES } from "../../../src/storage/schema.ts";
import { SealedStorage } from "../../../src/storage/sealed-storage.ts";
import { bytes, flipBit } from "../keys/support.ts";
import { contains, type Life, Machine } from "../keys/vault-world.ts";

const PASSWORD = "correct horse";
const SECRET = utf8("Meet me at the harbour, half past nine.");
const CHANNEL = ["https://a.example", "room"] as const;

/** One row with content in every place where there is any, and rows beside them that have none. */
function rowsWith(content: Bytes): readonly RowChange[] {
  return [
    { table: "channels", key: [...CHANNEL, "row"], row: { contentTopic: "/a/1/b/proto" } },
    { table: "events", key: [...CHANNEL, 1], row: { seq: 1, type: "reliable:message:received", message: content } },
    { table: "events", key: [...CHANNEL, 2], row: { seq: 2, type: "reliable:message:sent", requestId: "r" } },
    { table: "segments", key: [...CHANNEL, "m1"], row: { setKey: "s", slot: 0, payload: content } },
    { table: "sdsWires", key: [...CHANNEL, "m1"], row: { wire: content } },
    { table: "outbox", key: [...CHANNEL, 1], row: { messageId: "m1", ephemeral: true, wire: content } },
    { table: "outbox", key: [...CHANNEL, 2], row: { messageId: "m2", ephemeral: false } },
    { table: "parked", key: [...CHANNEL, 1], row: { payload: content, meta: utf8("marker"), messageHash: "h1" } },
    { table: "rateLimitQueue", key: [1], row: { origin: CHANNEL[0], messageId: "m3" } },
    { table: "messagingTasks", key: ["payload", "t1"], row: content },
    { table: "messagingTasks", key: ["task", "t1"], row: { requestId: "t1", meta: utf8("marker"), stamp: 1n } },
  ];
}

const ROWS = rowsWith(SECRET);
const CONTENT_ROWS = ROWS.filter(({ row }) => contains(Buffer.from(bytesIn(row)), SECRET));

function bytesIn(row: unknown): Uint8Array {
  if (row instanceof Uint8Array) return row;
  return Object.values(row as object).find((value) => value instanceof Uint8Array) ?? new Uint8Array(0);
}

async function expectRows(storage: Storage, rows: readonly RowChange[]): Promise<void> {
  for (const { table, key, row } of rows) {
    expect(await storage.get(table, key)).toEqual(row);
    const scanned = await storage.scan(table, key.slice(0, -1));
    expect(scanned.find((other) => JSON.stringify(other.key) === JSON.stringify(key))?.row).toEqual(row);
  }
}

async function withPassword(): Promise<{ readonly machine: Machine; readonly life: Life }> {
  const machine = new Machine();
  const life = await machine.boot();
  await life.vault.setPassword(PASSWORD);
  await life.vault.settled();
  return { machine, life };
}

test("every table with content is one of the schema", () => {
  for (const table of Object.keys(CONTENT_COLUMNS)) expect(TABLES).toContain(table);
  expect(new Set(CONTENT_ROWS.map(({ table }) => table))).toEqual(new Set(Object.keys(CONTENT_COLUMNS)));
});

describe("with a password", () => {
  test("readers and writers notice nothing", async () => {
    const { life } = await withPassword();
    await life.storage.commit(ROWS);
    await expectRows(life.storage, ROWS);
  });

  test("no content reaches the disk from the first write on, in any form; a planted canary is found", async () => {
    const { machine, life } = await withPassword();
    await life.storage.commit(ROWS);
    expect(contains(await machine.dump(TABLES), SECRET)).toBe(false);
    for (const text of [
      SECRET,
      Buffer.from(SECRET).toString("hex"),
      Buffer.from(SECRET).toString("base64"),
      String(Buffer.from(SECRET)),
    ]) {
      await machine.disk.commit([{ table: "prompts", key: ["canary"], row: { text } }]);
      expect(contains(await machine.dump(TABLES), SECRET)).toBe(true);
    }
  });

  test("what is metadata stays readable and is stored as it is", async () => {
    const { machine, life } = await withPassword();
    await life.storage.commit(ROWS);
    await life.vault.lock();
    const plain = ROWS.filter((row) => !CONTENT_ROWS.includes(row));
    for (const { table, key, row } of plain) {
      expect(await machine.disk.get(table, key)).toEqual(row);
      expect(await life.storage.get(table, key)).toEqual(row);
    }
  });

  test("any bit flipped: an error, and never plain text", async () => {
    const { machine, life } = await withPassword();
    await life.storage.commit(ROWS);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...CONTENT_ROWS), fc.nat(), async ({ table, key, row }, bit) => {
        const stored = await machine.disk.get(table, key);
        const { column } = CONTENT_COLUMNS[table] ?? {};
        const content: unknown = column === undefined ? stored : Reflect.get(stored as object, column);
        if (!isSealed(content)) throw new Error(`${table} is not sealed`);
        const changed = { ...content, sealed: flipBit(content.sealed, bit) };
        const spoilt = column === undefined ? changed : { ...(stored as object), [column]: changed };
        await machine.disk.commit([{ table, key, row: spoilt }]);
        await expect(life.storage.get(table, key)).rejects.toBeInstanceOf(BrokenSealError);
        await expect(life.storage.scan(table, key.slice(0, -1))).rejects.toBeInstanceOf(BrokenSealError);
        await machine.disk.commit([{ table, key, row: stored }]);
        expect(await life.storage.get(table, key)).toEqual(row);
      }),
    );
  });

  test("a sealed row opens at its own place only", async () => {
    const { machine, life } = await withPassword();
    await life.storage.commit(ROWS);
    const move = async (table: string, from: StoredKey, to: StoredKey) => {
      await machine.disk.commit([{ table, key: to, row: await machine.disk.get(table, from) }]);
      await expect(life.storage.get(table, to)).rejects.toBeInstanceOf(BrokenSealError);
    };
    await move("events", [...CHANNEL, 1], [...CHANNEL, 3]);
    await move("events", [...CHANNEL, 1], [CHANNEL[0], "other", 1]);
    await move("events", [...CHANNEL, 1], [...CHANNEL, "1"]);
    await move("messagingTasks", ["payload", "t1"], ["payload", "t2"]);
    const wire = await machine.disk.get("sdsWires", [...CHANNEL, "m1"]);
    await machine.disk.commit([{ table: "outbox", key: [...CHANNEL, "m1"], row: wire }]);
    await expect(life.storage.get("outbox", [...CHANNEL, "m1"])).rejects.toBeInstanceOf(BrokenSealError);
  });

  test("any content, of any length, reads back", async () => {
    const { life } = await withPassword();
    await fc.assert(
      fc.asyncProperty(bytes(0, 300), async (content) => {
        const rows = rowsWith(content);
        await life.storage.commit(rows);
        await expectRows(life.storage, rows);
      }),
      { numRuns: 30 },
    );
  });

  test("locked: content is neither read nor written, metadata is, and nothing of a refused transaction is stored", async () => {
    const { machine, life } = await withPassword();
    await life.storage.commit(ROWS);
    await life.vault.lock();
    for (const { table, key } of CONTENT_ROWS) {
      await expect(life.storage.get(table, key)).rejects.toBeInstanceOf(LockedError);
      await expect(life.storage.scan(table, key.slice(0, -1))).rejects.toBeInstanceOf(LockedError);
    }
    const commits = machine.disk.commits;
    for (const row of CONTENT_ROWS)
      await expect(life.storage.commit([...ROWS.slice(0, 1), row])).rejects.toBeInstanceOf(LockedError);
    expect(machine.disk.commits).toBe(commits);
    await life.storage.commit([{ table: "events", key: [...CHANNEL, 1], row: undefined }]);
    expect(await life.storage.get("events", [...CHANNEL, 1])).toBeUndefined();
    await life.vault.unlock(PASSWORD);
    await expectRows(
      life.storage,
      ROWS.filter(({ table }) => table !== "events"),
    );
  });

  test("before the vault was read nothing is known, so nothing is written in clear", async () => {
    const disk = new MemoryStorage();
    const storage = new SealedStorage(disk, new DataKeys());
    await expect(storage.commit(ROWS)).rejects.toBeInstanceOf(LockedError);
    expect(disk.commits).toBe(0);
  });
});

describe("a password that is set later", () => {
  test("what was there is sealed in the background and can be read all the while", async () => {
    const machine = new Machine();
    const { vault, storage } = await machine.boot();
    await storage.commit(ROWS);
    expect(contains(await machine.dump(TABLES), SECRET)).toBe(true);
    await vault.setPassword(PASSWORD);
    await expectRows(storage, ROWS);
    await vault.settled();
    expect(contains(await machine.dump(TABLES), SECRET)).toBe(false);
    await expectRows(storage, ROWS);
  });

  test("in batches that are bounded in bytes and rows", async () => {
    const machine = new Machine();
    const { vault, storage } = await machine.boot();
    const large = new Uint8Array(Math.floor(0.4 * LIMITS.keys.resealBytes)).fill(7);
    const key = (index: number) => [...CHANNEL, index];
    await storage.commit([
      ...ROWS.slice(0, 1),
      ...Array.from({ length: 300 }, (_, i) => ({
        table: "events",
        key: key(i),
        row: { message: utf8(`small ${i}`) },
      })),
      ...Array.from({ length: 24 }, (_, i) => ({ table: "events", key: key(1000 + i), row: { message: large } })),
    ]);
    const batches: { readonly rows: number; readonly bytes: number }[] = [];
    machine.disk.beforeCommit = (changes) => {
      const events = changes.filter(({ table }) => table === "events");
      const sizes = events.map(({ row }) => {
        const message: unknown = Reflect.get(row as object, "message");
        return isSealed(message) ? message.sealed.length : 0;
      });
      if (events.length > 0) batches.push({ rows: events.length, bytes: sizes.reduce((a, b) => a + b, 0) });
    };
    await vault.setPassword(PASSWORD);
    await vault.settled();
    expect(batches.reduce((sum, { rows }) => sum + rows, 0)).toBe(324);
    expect(Math.max(...batches.map(({ rows }) => rows))).toBe(LIMITS.keys.resealRows);
    // Small rows first make the batch wide; from then on it narrows to the bound.
    expect(batches.slice(-3).every(({ bytes }) => bytes <= LIMITS.keys.resealBytes)).toBe(true);
    const rows = await machine.disk.scan("events", CHANNEL);
    expect(rows.every(({ row }) => isSealed(Reflect.get(row as object, "message")))).toBe(true);
  });

  test("a run cut short at any batch, by a dead worker or a lock, is taken up again", async () => {
    const machine = new Machine();
    const { storage, vault } = await machine.boot();
    await storage.commit(ROWS);
    let commits = 0;
    machine.disk.beforeCommit = () => {
      // The password itself, then one batch at a time.
      if (commits++ > 0) throw new Error("the worker died");
    };
    await vault.setPassword(PASSWORD);
    await vault.settled();
    for (let life = 0; life < 20; life++) {
      let allowed = 1;
      machine.disk.beforeCommit = () => {
        if (allowed-- <= 0) throw new Error("the worker died");
      };
      const next = await machine.boot();
      await next.vault.settled();
      await expectRows(next.storage, ROWS);
      if (contains(await machine.dump(TABLES), SECRET)) continue;
      machine.disk.beforeCommit = () => {};
      break;
    }
    const last = await machine.boot();
    await last.vault.settled();
    expect(contains(await machine.dump(TABLES), SECRET)).toBe(false);
    expect(last.dataKeys.ring).toHaveLength(1);
    await expectRows(last.storage, ROWS);
  });

  test("locked in the middle, it goes on after the next unlocking", async () => {
    const machine = new Machine();
    const { storage, vault, dataKeys } = await machine.boot();
    await storage.commit(ROWS);
    let batches = 0;
    machine.disk.afterCommit = () => {
      if (++batches === 3) void vault.lock();
    };
    await vault.setPassword(PASSWORD);
    await vault.settled();
    expect(vault.state).toBe("locked");
    expect(contains(await machine.dump(TABLES), SECRET)).toBe(true);
    await vault.unlock(PASSWORD);
    await vault.settled();
    expect(contains(await machine.dump(TABLES), SECRET)).toBe(false);
    expect(dataKeys.ring).toHaveLength(1);
    await expectRows(storage, ROWS);
  });

  test("what is written, changed and deleted meanwhile is not written over", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(9), fc.option(bytes(1, 8), { nil: undefined })), { maxLength: 12 }),
        async (writes) => {
          const machine = new Machine();
          const { storage, vault } = await machine.boot();
          const expected = new Map<number, Bytes | undefined>();
          const change = (index: number, message: Bytes | undefined): RowChange => {
            expected.set(index, message);
            return { table: "events", key: [...CHANNEL, index], row: message && { message } };
          };
          await storage.commit([
            ...ROWS.slice(0, 1),
            ...Array.from({ length: 10 }, (_, i) => change(i, utf8(`row ${i}`))),
          ]);
          const setting = vault.setPassword(PASSWORD);
          for (const [index, message] of writes) await storage.commit([change(index, message)]);
          await setting;
          await vault.settled();
          for (const [index, message] of expected) {
            expect(await storage.get("events", [...CHANNEL, index])).toEqual(message && { message });
          }
          const rows = await machine.disk.scan("events", CHANNEL);
          expect(rows.every(({ row }) => isSealed(Reflect.get(row as object, "message")))).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });

  test("set, removed and set again before anything is through: everything is readable, under the last data key", async () => {
    const machine = new Machine();
    const { storage, vault, dataKeys } = await machine.boot();
    await storage.commit(ROWS);
    const changes = [
      vault.setPassword(PASSWORD),
      vault.removePassword(PASSWORD),
      vault.setPassword("another password"),
      vault.removePassword("another password"),
      vault.setPassword("third password"),
    ];
    for (const change of changes) expect(await change).toEqual({ ok: true, value: undefined });
    while (dataKeys.ring.length > 1) {
      await vault.settled();
      await Promise.resolve();
    }
    await expectRows(storage, ROWS);
    expect(contains(await machine.dump(TABLES), SECRET)).toBe(false);
    expect(dataKeys.current).toBe(4);
  });
});

test("a password that is removed: sealed rows stay readable, also after a restart, and new ones are stored as they are", async () => {
  const { machine, life } = await withPassword();
  await life.storage.commit(ROWS);
  await life.vault.removePassword(PASSWORD);
  machine.endBrowser();
  const { storage } = await machine.boot();
  await expectRows(storage, ROWS);
  await storage.commit(ROWS.filter(({ table }) => table === "events"));
  expect(await machine.disk.get("events", [...CHANNEL, 1])).toEqual(ROWS[1]?.row);
});

test("a transaction that waits its turn is not sealed with a data key that came after it and may never be stored", async () => {
  const disk = new MemoryStorage();
  const dataKeys = new DataKeys();
  dataKeys.hold([[1, new Uint8Array(32).fill(1)]], true);
  const storage = new SealedStorage(disk, dataKeys);
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  disk.beforeCommit = () => released;
  const [first, second] = ROWS.filter(({ table }) => table === "events").map((row) => storage.commit([row]));
  const third = storage.commit(ROWS.filter(({ table }) => table === "sdsWires"));
  dataKeys.hold([...dataKeys.ring, [2, new Uint8Array(32).fill(2)]], true);
  release();
  await Promise.all([first, second, third]);
  expect(await disk.get("sdsWires", [...CHANNEL, "m1"])).toMatchObject({ wire: { by: 1 } });
});

test("over IndexedDB, with several channels, batches and tables", async () => {
  const database = await Database.open("sealed-storage-test");
  const dataKeys = new DataKeys();
  dataKeys.hold([[1, new Uint8Array(32).fill(1)]], false);
  const storage = new SealedStorage(database, dataKeys);
  const rows = ["a", "b", "c"].flatMap((channel) => [
    { table: "channels", key: [channel, "room", "row"], row: { contentTopic: "/a/1/b/proto" } },
    ...Array.from({ length: 20 }, (_, i) => ({
      table: "events",
      key: [channel, "room", i],
      row: { message: utf8(`${i}`) },
    })),
  ]);
  await storage.commit([...ROWS, ...rows]);
  dataKeys.hold([...dataKeys.ring, [2, new Uint8Array(32).fill(2)]], true);
  expect(await storage.reseal()).toBe(true);
  dataKeys.hold(dataKeys.ring.slice(-1), true);
  await expectRows(storage, [...ROWS, ...rows]);
  for (const { table, key, row } of [...ROWS, ...rows]) {
    if (bytesIn(row).length > 0 && table !== "channels" && key[0] !== "task") {
      await expect(database.get(table, key)).resolves.not.toEqual(row);
    }
  }
  database.close();
});
