/**
 * The send scheduler's rows of the reference, over the epoch budget and the send service together. RLN rows: an edge node
 * attaches no proof, so there is no RLN limit beside the budget; what such a row demands of the budget alone is tested.
 */
import { describe, expect, test } from "vitest";
import { ok } from "../../../src/common/result.ts";
import { Journal, Table } from "../../../src/common/table.ts";
import { type BudgetRow, type QueuedMessage, RateLimitManager } from "../../../src/rate-limit/rate-limit-manager.ts";
import { MessagingBench } from "../messaging/messaging-bench.ts";

const EPOCH_MS = 600_000;

function limiter(messagesPerEpoch: number): RateLimitManager {
  const journal = new Journal();
  const created = RateLimitManager.create(
    { enabled: true, epochSeconds: EPOCH_MS / 1000, messagesPerEpoch },
    {
      queue: new Table<number, QueuedMessage>("queue", journal, []),
      budget: new Table<string, BudgetRow>("budget", journal, []),
    },
  );
  if (!created.ok) throw new Error(created.error);
  return created.value;
}

function segment(entry: number): QueuedMessage {
  return {
    origin: "https://a.example",
    channelId: "c",
    owner: { kind: "segment", entry },
    messageId: `m${entry}`,
    ephemeral: false,
    enqueuedAt: 0,
  };
}

/** How many of `count` queued messages each epoch lets go. */
function admitted(manager: RateLimitManager, count: number, epochs: number): number[] {
  for (let entry = 0; entry < count; entry++) manager.enqueueToSend(segment(entry));
  return Array.from({ length: epochs }, (_, epoch) => manager.release(epoch * EPOCH_MS).ready.length);
}

describe("the budget and the send service", () => {
  test("M06 a message that is pushed twice is charged once: retries are free", async () => {
    const b = await new MessagingBench().start();
    const node = b.network.node("a");
    const relay = node.answerLightpush;
    let pushes = 0;
    node.answerLightpush = (pubsubTopic, message) =>
      ++pushes === 1 ? ok({ status: 503, statusText: "busy", relayPeerCount: 0 }) : relay(pubsubTopic, message);
    b.nodes.connect(node);
    const manager = limiter(3);
    const now = b.clock.now();
    manager.enqueueToSend(segment(1));
    const { ready } = manager.release(now);
    const ids = await Promise.all(ready.map(({ messageId }) => b.send({}, messageId)));
    await b.clock.advance(5_000);
    expect(ids.map((id) => b.outcome(id))).toEqual([["propagated", "sent"]]);
    expect(pushes).toBe(2);
    expect(manager.quota(now)).toMatchObject({ limit: 3, remaining: 2 });
  });

  test("M07 the second of two under a budget of one is handed over only in the next epoch", async () => {
    const b = await new MessagingBench().start();
    b.nodes.connect(b.network.node("a"));
    const manager = limiter(1);
    manager.enqueueToSend(segment(1));
    manager.enqueueToSend(segment(2));
    const release = async () => {
      const ids = [];
      for (const { messageId } of manager.release(b.clock.now()).ready) ids.push(await b.send({}, messageId));
      await b.clock.advance(5_000);
      return ids.map((id) => b.outcome(id));
    };
    expect(await release()).toEqual([["propagated", "sent"]]);
    expect(await release()).toEqual([]);
    expect(b.network.pushes).toHaveLength(1);
    await b.clock.advance((manager.nextDeadline(b.clock.now()) ?? 0) - b.clock.now());
    expect(await release()).toEqual([["propagated", "sent"]]);
    expect(b.network.pushes).toHaveLength(2);
  });
});

describe("the budget alone, where the row sets it against an RLN limit", () => {
  test("M11 cap 3 (RLN limit 100 exempt: no proofs on an edge node): three pass, the fourth waits", () => {
    expect(admitted(limiter(3), 4, 1)).toEqual([3]);
  });

  test("M13 cap 5, RLN limit 2 (exempt: no RLN limit can be lower than the budget): five pass, in one epoch", () => {
    expect(admitted(limiter(5), 6, 2)).toEqual([5, 1]);
  });

  test("M14 cap 1 (RLN limit 100 exempt): one passes, the second waits for the next epoch", () => {
    expect(admitted(limiter(1), 2, 2)).toEqual([1, 1]);
  });
});
