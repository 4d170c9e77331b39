import { describe, expect, test } from "vitest";
import { MemoryStorage } from "../../../packages/reliable-channel/mock/memory-storage.ts";
import { Journal } from "../../../src/common/table.ts";
import { Transactor } from "../../../src/common/transactor.ts";
import { LIMITS } from "../../../src/limits.ts";
import { MessagingTables } from "../../../src/messaging/messaging-tables.ts";
import { PeerCache } from "../../../src/messaging/peer-cache.ts";

async function open(storage: MemoryStorage, clusterId = 42): Promise<PeerCache> {
  const journal = new Journal();
  const tables = await MessagingTables.load(storage, journal);
  return new PeerCache(tables, new Transactor(journal, storage), clusterId);
}

describe("peer cache", () => {
  test("what served is there after a restart, the latest first, for its own network only", async () => {
    const storage = new MemoryStorage();
    const cache = await open(storage);
    cache.serves("a", "/dns4/a/tcp/443/wss/p2p/a", 1);
    cache.serves("b", "/dns4/b/tcp/443/wss/p2p/b", 2);
    cache.serves("a", "/dns4/new/tcp/443/wss/p2p/a", 3);
    await expect
      .poll(async () => (await open(storage)).addresses())
      .toEqual(["/dns4/new/tcp/443/wss/p2p/a", "/dns4/b/tcp/443/wss/p2p/b"]);
    expect((await open(storage, 1)).addresses()).toEqual([]);
  });

  test("it is bounded, forgets what is gone, and is not written for every connection", async () => {
    const storage = new MemoryStorage();
    const cache = await open(storage);
    for (let i = 0; i < LIMITS.messaging.cachedPeers + 5; i++) cache.serves(`p${i}`, `/dns4/p${i}`, i);
    expect(cache.addresses()).toHaveLength(LIMITS.messaging.cachedPeers);
    cache.forget("/dns4/p7");
    expect(cache.addresses()).not.toContain("/dns4/p7");
    expect(cache.addresses()).toHaveLength(LIMITS.messaging.cachedPeers - 1);
    await expect.poll(async () => (await open(storage)).addresses()).toEqual(cache.addresses());
    const commits = storage.commits;
    cache.serves("p20", "/dns4/p20", 20 + LIMITS.messaging.cacheNoteMs - 1);
    cache.serves("p20", "/dns4/p20", 20 + LIMITS.messaging.cacheNoteMs);
    await expect.poll(() => storage.commits).toBe(commits + 1);
    expect(cache.addresses()[0]).toBe("/dns4/p20");
  });
});
