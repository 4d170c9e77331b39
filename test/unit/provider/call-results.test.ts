import { describe, expect, test } from "vitest";
import { MemoryStorage } from "../../../packages/reliable-channel/mock/memory-storage.ts";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { ok } from "../../../src/common/result.ts";
import { Journal } from "../../../src/common/table.ts";
import { Transactor } from "../../../src/common/transactor.ts";
import { LIMITS } from "../../../src/limits.ts";
import { CallResults } from "../../../src/provider/call-results.ts";

const SITE = "https://site.example";
const DAY = 86_400_000;

function setUp() {
  const clock = new VirtualClock();
  const storage = new MemoryStorage();
  const journal = new Journal();
  const transactor = new Transactor(journal, storage);
  const results = new CallResults({ clock, storage, journal, transactor });
  const put = (callId: string) => transactor.run(() => results.put(SITE, callId, ok(callId)));
  return { clock, storage, results, put };
}

describe("CallResults", () => {
  test("keeps a result for its origin, for as long as it is promised", async () => {
    const { clock, results, put } = setUp();
    await put("a");
    expect(await results.find(SITE, "a")).toEqual(ok("a"));
    expect(await results.find("https://other.example", "a")).toBeUndefined();
    await clock.advance(LIMITS.keptResultsMs);
    await put("b");
    await clock.settle();
    expect(await results.find(SITE, "a")).toEqual(ok("a"));
  });

  test("forgets old results while the background lives on", async () => {
    const { clock, storage, put } = setUp();
    for (let i = 0; i < 600; i++) await put(`old ${i}`);
    await clock.advance(LIMITS.keptResultsMs + 2 * DAY);
    await put("new");
    await clock.settle();
    expect(storage.count("callResults")).toBe(1);
  });
});
