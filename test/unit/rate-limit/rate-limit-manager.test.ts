import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Journal, Table } from "../../../src/common/table.ts";
import { LIMITS } from "../../../src/limits.ts";
import {
  type BudgetRow,
  type QueuedMessage,
  type RateLimitConfig,
  RateLimitManager,
  UNLIMITED,
} from "../../../src/rate-limit/rate-limit-manager.ts";

const EPOCH_MS = 600_000;

function setUp(config: RateLimitConfig) {
  const journal = new Journal();
  const queue = new Table<number, QueuedMessage>("queue", journal, []);
  const budget = new Table<string, BudgetRow>("budget", journal, []);
  /** A manager over the same rows, as after a restart, perhaps with another setting. */
  const restart = (changed = config) => {
    const created = RateLimitManager.create(changed, { queue, budget });
    if (!created.ok) throw new Error(created.error);
    return created.value;
  };
  return { manager: restart(), restart, queue, journal };
}

function limited(messagesPerEpoch: number): RateLimitConfig {
  return { enabled: true, epochSeconds: 600, messagesPerEpoch };
}

let entry = 0;
function message(overrides: Partial<QueuedMessage> = {}): QueuedMessage {
  entry++;
  return {
    origin: "https://a.example",
    channelId: "c",
    owner: { kind: "segment", entry },
    messageId: `m${entry}`,
    ephemeral: false,
    enqueuedAt: 0,
    ...overrides,
  };
}

const idsOf = (messages: readonly QueuedMessage[]) => messages.map(({ messageId }) => messageId);

describe("rate limit", () => {
  test("M08 disabled: everything passes, in order", () => {
    const { manager } = setUp({ ...UNLIMITED, messagesPerEpoch: 1 });
    const sent = Array.from({ length: 10 }, () => message());
    for (const one of sent) manager.enqueueToSend(one);
    expect(idsOf(manager.release(0).ready)).toEqual(idsOf(sent));
    expect(manager.quota(0)).toBeUndefined();
  });

  test("M09 enabled with a budget of 0 admits nothing and drops nothing", () => {
    const { manager, queue } = setUp(limited(0));
    manager.enqueueToSend(message());
    expect(manager.release(5 * EPOCH_MS).ready).toEqual([]);
    expect(queue.size).toBe(1);
  });

  test("M10 an epoch of no length is a construction error while enabled, and fine while disabled", () => {
    const journal = new Journal();
    const tables = {
      queue: new Table<number, QueuedMessage>("queue", journal, []),
      budget: new Table<string, BudgetRow>("budget", journal, []),
    };
    const config = { enabled: true, epochSeconds: 0, messagesPerEpoch: 1 };
    expect(RateLimitManager.create(config, tables)).toMatchObject({ ok: false });
    expect(RateLimitManager.create({ ...config, enabled: false }, tables)).toMatchObject({ ok: true });
  });

  test("M12 M15 one message an epoch, by the wall clock: pass, wait, and pass at the roll", () => {
    const { manager } = setUp(limited(1));
    const [first, second] = [message(), message()];
    manager.enqueueToSend(first);
    manager.enqueueToSend(second);
    expect(idsOf(manager.release(EPOCH_MS + 1).ready)).toEqual([first.messageId]);
    expect(manager.release(2 * EPOCH_MS - 1).ready).toEqual([]);
    expect(manager.nextDeadline(2 * EPOCH_MS - 1)).toBe(2 * EPOCH_MS);
    expect(idsOf(manager.release(2 * EPOCH_MS).ready)).toEqual([second.messageId]);
  });

  test("a restart does not refill the budget, and neither does a clock that goes back", () => {
    const { manager, restart } = setUp(limited(2));
    for (let i = 0; i < 4; i++) manager.enqueueToSend(message());
    expect(manager.release(3 * EPOCH_MS).ready).toHaveLength(2);
    const restarted = restart();
    expect(restarted.release(3 * EPOCH_MS + 5).ready).toEqual([]);
    expect(restarted.release(2 * EPOCH_MS).ready).toEqual([]);
    expect(restarted.quota(3 * EPOCH_MS)).toEqual({ limit: 2, remaining: 0, resetsAt: 4 * EPOCH_MS });
    expect(restarted.release(4 * EPOCH_MS).ready).toHaveLength(2);
  });

  test("a clock that was far ahead once blocks for an epoch at most, and refills nothing", () => {
    const { manager, restart, queue } = setUp(limited(3));
    const start = 1000 * EPOCH_MS;
    const years = 4 * 365 * 86_400_000;
    for (let i = 0; i < 2; i++) manager.enqueueToSend(message());
    expect(manager.release(start + years).ready).toHaveLength(2);
    for (let i = 0; i < 9; i++) manager.enqueueToSend(message());
    // Set right: what was used counts now, also for whoever looks before anything goes.
    expect(manager.quota(start)).toEqual({ limit: 3, remaining: 1, resetsAt: start + EPOCH_MS });
    expect(manager.nextDeadline(start)).toBe(start + EPOCH_MS);
    expect(manager.release(start).ready).toHaveLength(1);
    const restarted = restart();
    expect(restarted.release(start + 1).ready).toEqual([]);
    expect(restarted.release(start + EPOCH_MS).ready).toHaveLength(3);
    expect(restarted.release(start + EPOCH_MS + 1).ready).toEqual([]);
    expect(queue.size).toBe(5);
  });

  test("a clock that was far ahead with the budget used up blocks for one epoch, not for each that comes", () => {
    const { manager } = setUp(limited(1));
    const start = 1000 * EPOCH_MS;
    for (let i = 0; i < 3; i++) manager.enqueueToSend(message());
    expect(manager.release(5000 * EPOCH_MS).ready).toHaveLength(1);
    expect(manager.release(start).ready).toEqual([]);
    expect(manager.release(start + EPOCH_MS).ready).toHaveLength(1);
    expect(manager.release(start + 2 * EPOCH_MS).ready).toHaveLength(1);
  });

  test("another period neither refills the budget of the running epoch nor stops it for longer than that", () => {
    const { manager, restart } = setUp(limited(2));
    for (let i = 0; i < 8; i++) manager.enqueueToSend(message());
    const start = 1000 * EPOCH_MS;
    expect(manager.release(start).ready).toHaveLength(2);
    // Shorter: what was used counts until the next of the shorter epochs.
    const shorter = restart({ enabled: true, epochSeconds: 10, messagesPerEpoch: 2 });
    expect(shorter.quota(start + 1)).toEqual({ limit: 2, remaining: 0, resetsAt: start + 10_000 });
    expect(shorter.release(start + 1).ready).toEqual([]);
    expect(shorter.release(start + 10_000).ready).toHaveLength(2);
    // Longer: counted by the longer period, the number of the epoch is far lower.
    const longer = restart(limited(2));
    expect(longer.quota(start + 10_001)).toEqual({ limit: 2, remaining: 0, resetsAt: start + EPOCH_MS });
    expect(longer.release(start + 20_000).ready).toHaveLength(2);
  });

  test("an origin sees what it used itself, and nothing of the others", () => {
    const { manager } = setUp(limited(5));
    expect(manager.shareOf("https://a.example", EPOCH_MS)).toEqual({ limit: 5, remaining: 5, resetsAt: 2 * EPOCH_MS });
    for (let i = 0; i < 3; i++) manager.enqueueToSend(message());
    manager.enqueueToSend(message({ origin: "https://b.example" }));
    manager.release(EPOCH_MS);
    expect(manager.shareOf("https://a.example", EPOCH_MS)?.remaining).toBe(2);
    expect(manager.shareOf("https://b.example", EPOCH_MS)?.remaining).toBe(4);
    expect(manager.shareOf("https://c.example", EPOCH_MS)?.remaining).toBe(5);
    expect(manager.quota(EPOCH_MS)?.remaining).toBe(1);
    expect(manager.shareOf("https://a.example", 2 * EPOCH_MS)?.remaining).toBe(5);
  });

  test("origins take turns, and segments go before upkeep", () => {
    const { manager } = setUp(limited(5));
    const a = [message(), message(), message()];
    const b = message({ origin: "https://b.example" });
    const sync = message({ owner: { kind: "sync" }, origin: "https://b.example" });
    for (const one of [...a, sync, b]) manager.enqueueToSend(one);
    expect(idsOf(manager.release(0).ready)).toEqual(idsOf([a[0] ?? b, b, a[1] ?? b, a[2] ?? b, sync]));
  });

  describe("what upkeep sends", () => {
    /** Of no id: it is made when it is released. */
    const sync = (channelId = "c"): QueuedMessage => {
      const { messageId: _, ...rest } = message({ owner: { kind: "sync" }, channelId });
      return rest;
    };
    const repair = (messageId: string, overrides: Partial<QueuedMessage> = {}) =>
      message({ owner: { kind: "repair" }, ephemeral: true, messageId, ...overrides });

    test("waits once for each channel, in its first place", () => {
      const { manager, queue, restart } = setUp(limited(0));
      const others = { channelId: "other" };
      const waiting = [
        sync(),
        repair("m"),
        repair("n"),
        repair("m", others),
        repair("m", { origin: "https://b.example" }),
        sync("other"),
        message({ owner: { kind: "retransmission" }, messageId: "m" }),
      ];
      for (const one of [...waiting, ...waiting]) manager.enqueueToSend({ ...one });
      expect([...queue.values()]).toEqual(waiting);
      // Known again after a restart.
      for (const one of waiting) restart().enqueueToSend({ ...one });
      expect(queue.size).toBe(waiting.length);
      const released = restart({ ...limited(0), enabled: false });
      expect(released.release(0).ready).toEqual(waiting);
      released.enqueueToSend(repair("m"));
      expect(queue.size).toBe(1);
    });

    test("is withdrawn where there is no reason for it any more", () => {
      const { manager, queue } = setUp(limited(0));
      const channel = { origin: "https://a.example", channelId: "c" };
      const [segment, retransmission] = [
        message({ messageId: "m" }),
        message({ messageId: "m", owner: { kind: "retransmission" } }),
      ];
      for (const one of [segment, retransmission, repair("m"), sync()]) manager.enqueueToSend(one);
      manager.withdraw(channel, "repair", "m");
      manager.withdraw(channel, "repair", "another");
      manager.withdraw({ ...channel, channelId: "other" }, "retransmission", "m");
      manager.withdraw(channel, "sync");
      expect([...queue.values()]).toEqual([segment, retransmission]);
      // It may be needed again.
      manager.enqueueToSend(repair("m"));
      expect(queue.size).toBe(3);
    });

    test("waits as before where the event that withdrew it is undone", () => {
      const { manager, queue, journal } = setUp(limited(0));
      manager.enqueueToSend(repair("m"));
      journal.take();
      manager.withdraw({ origin: "https://a.example", channelId: "c" }, "repair", "m");
      journal.rollback();
      manager.enqueueToSend(repair("m"));
      expect(queue.size).toBe(1);
    });

    test("is bounded where others decide how much it is", () => {
      const { manager, queue } = setUp(limited(0));
      for (let i = 0; i <= LIMITS.rateLimit.upkeep; i++) manager.enqueueToSend(repair(`m${i}`));
      expect(queue.size).toBe(LIMITS.rateLimit.upkeep);
      // Others are not concerned, nor is what we decide ourselves.
      for (const one of [repair("m", { channelId: "other" }), sync(), message()]) manager.enqueueToSend(one);
      expect(queue.size).toBe(LIMITS.rateLimit.upkeep + 3);
    });
  });

  test("M19 an ephemeral message that waited a minute is refused; others wait for ever", () => {
    const { manager } = setUp(limited(0));
    const ephemeral = message({ ephemeral: true });
    manager.enqueueToSend(ephemeral);
    manager.enqueueToSend(message());
    expect(manager.release(60_000).refused).toEqual([]);
    expect(manager.nextDeadline(60_000)).toBe(60_000);
    expect(idsOf(manager.release(60_001).refused)).toEqual([ephemeral.messageId]);
    expect(manager.release(10 * EPOCH_MS).refused).toEqual([]);
  });

  test("an ephemeral message that is no segment waits for ever too, so nothing is due before the epoch ends", () => {
    const { manager } = setUp(limited(0));
    for (const kind of ["retransmission", "sync", "repair"] as const) {
      manager.enqueueToSend(message({ ephemeral: true, owner: { kind } }));
    }
    expect(manager.release(60_001)).toEqual({ ready: [], refused: [] });
    expect(manager.nextDeadline(60_001)).toBe(EPOCH_MS);
  });

  test("whatever is queued, when, and for whom: no epoch exceeds its budget, each channel stays in order, nothing is lost", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("send" as const), origin: fc.constantFrom("a", "b", "c") }),
      fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: EPOCH_MS }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, limit) => {
        const { manager, queue } = setUp(limited(limit));
        const released: QueuedMessage[] = [];
        const perEpoch = new Map<number, number>();
        const enqueued: QueuedMessage[] = [];
        let now = 0;
        for (const one of steps) {
          if (one.kind === "wait") now += one.ms;
          else {
            const queued = message({ origin: one.origin });
            enqueued.push(queued);
            manager.enqueueToSend(queued);
          }
          const { ready } = manager.release(now);
          released.push(...ready);
          const epoch = Math.floor(now / EPOCH_MS);
          perEpoch.set(epoch, (perEpoch.get(epoch) ?? 0) + ready.length);
        }
        for (const count of perEpoch.values()) expect(count).toBeLessThanOrEqual(limit);
        for (const origin of ["a", "b", "c"]) {
          const sent = enqueued.filter((one) => one.origin === origin);
          const went = released.filter((one) => one.origin === origin);
          expect(idsOf(went)).toEqual(idsOf(sent.slice(0, went.length)));
        }
        expect(released.length + queue.size).toBe(enqueued.length);
      }),
    );
  });
});
