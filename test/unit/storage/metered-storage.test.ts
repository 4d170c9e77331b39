import { beforeEach, expect, test } from "vitest";
import { MemoryStorage } from "../../../packages/reliable-channel/mock/memory-storage.ts";
import type { RowChange } from "../../../src/common/table.ts";
import { MeteredStorage } from "../../../src/storage/metered-storage.ts";

const CHANNEL = ["https://a.example", "room"] as const;
const EVENT: RowChange = { table: "events", key: [...CHANNEL, 1], row: { seq: 1, message: new Uint8Array(300) } };

let disk: MemoryStorage;
let heard: (number | "refused")[];
let storage: MeteredStorage;

beforeEach(() => {
  disk = new MemoryStorage();
  heard = [];
  storage = new MeteredStorage(disk, {
    onWritten: (bytes) => heard.push(bytes),
    onRefused: () => heard.push("refused"),
  });
});

test("tells how much content was written, sealed or not", async () => {
  await storage.commit([
    EVENT,
    { table: "sdsWires", key: [...CHANNEL, "m1"], row: { wire: { by: 1, sealed: new Uint8Array(50) } } },
    { table: "channels", key: [...CHANNEL, "row"], row: { contentTopic: "/a/1/b/proto" } },
    { table: "events", key: [...CHANNEL, 2], row: undefined },
  ]);
  expect(heard).toEqual([350]);
});

test("tells that there was no room before whoever wrote hears of it, and of other failures nothing", async () => {
  for (const name of ["QuotaExceededError", "UnknownError"]) {
    disk.beforeCommit = () => {
      throw new DOMException("the disk is full", name);
    };
    const failed = storage.commit([EVENT]).catch(() => [...heard]);
    expect(await failed).toEqual(["refused"]);
  }
});

test("reads what is stored", async () => {
  await storage.commit([EVENT]);
  expect(await storage.get("events", EVENT.key)).toEqual(EVENT.row);
  expect(await storage.scan("events", CHANNEL, { after: 0, limit: 1 })).toEqual([{ key: EVENT.key, row: EVENT.row }]);
});
