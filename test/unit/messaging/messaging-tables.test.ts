import "fake-indexeddb/auto";
import { expect, test } from "vitest";
import { utf8 } from "../../../src/common/bytes.ts";
import { Journal } from "../../../src/common/table.ts";
import { Transactor } from "../../../src/common/transactor.ts";
import { LIMITS } from "../../../src/limits.ts";
import { MessagingTables, type TaskRow } from "../../../src/messaging/messaging-tables.ts";
import { currentIdentity } from "../../../src/messaging/node-identity.ts";
import { Database } from "../../../src/storage/database.ts";

const TASK: TaskRow = {
  requestId: "id",
  idempotencyKey: "key",
  order: 1,
  contentTopic: "/a/1/b/c",
  pubsubTopic: "/waku/2/rs/42/0",
  meta: utf8("meta"),
  ephemeral: false,
  createdAt: 1,
  state: "propagated",
  stamp: 1_800_000_000_000_000_001n,
  stampedAt: 2,
  hashes: ["aa", "bb"],
  hash: "bb",
  propagatedAt: 3,
  through: "peer",
  onlineMs: 4,
  failure: undefined,
  finalAt: 0,
  told: false,
};

test("tasks, payloads, topics and the identity come back from IndexedDB as they were", async () => {
  const database = await Database.open("messaging tables");
  const journal = new Journal();
  const tables = await MessagingTables.load(database, journal);
  const identity = await currentIdentity(undefined, 1_000);
  await new Transactor(journal, database).run(() => {
    tables.tasks.put(TASK.requestId, TASK);
    tables.putPayload(TASK.requestId, utf8("payload"));
    tables.topics.put("/a/1/b/c", { at: 7 });
    tables.putIdentity(identity);
  });
  const again = await MessagingTables.load(database, new Journal());
  expect([...again.tasks.entries()]).toEqual([["id", TASK]]);
  expect(await again.payload("id")).toEqual(utf8("payload"));
  expect([...again.topics.entries()]).toEqual([["/a/1/b/c", { at: 7 }]]);
  expect(again.identity).toEqual(identity);
  database.close();
});

test("the identity is kept for a day, and then another one", async () => {
  const first = await currentIdentity(undefined, 1_000);
  expect(await currentIdentity(first, 1_000 + LIMITS.messaging.identityMs - 1)).toBe(first);
  const second = await currentIdentity(first, 1_000 + LIMITS.messaging.identityMs);
  expect(second.privateKey).not.toEqual(first.privateKey);
});
