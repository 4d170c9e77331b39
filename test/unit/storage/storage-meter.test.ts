import { beforeEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { LIMITS } from "../../../src/limits.ts";
import { StorageMeter } from "../../../src/storage/storage-meter.ts";

const { bytes: BOUND, readAfterBytes, readEveryMs, refusedMs, restMs, resumeBelow } = LIMITS.storage;
const GIB = 2 ** 30;

let clock: VirtualClock;
let answer: { usage?: number; quota?: number } | Error;
let readAt: number[];
let told: boolean[];
let meter: StorageMeter;

beforeEach(async () => {
  clock = new VirtualClock(0);
  answer = { usage: 0, quota: 100 * GIB };
  readAt = [];
  told = [];
  meter = new StorageMeter({
    estimate: async () => {
      readAt.push(clock.now());
      if (answer instanceof Error) throw answer;
      return answer;
    },
    clock,
  });
  meter.listen(() => told.push(meter.isFull()));
  await meter.read();
});

async function used(usage: number, quota = 100 * GIB): Promise<boolean> {
  answer = { usage, quota };
  await meter.read();
  return meter.isFull();
}

describe("what is used", () => {
  test("is bounded by a GiB, or by half of what is granted where that is less", async () => {
    expect(BOUND).toBe(GIB);
    expect([await used(GIB - 1), await used(GIB)]).toEqual([false, true]);
    expect(await used(0)).toBe(false);
    expect([await used(GIB / 4 - 1, GIB / 2), await used(GIB / 4, GIB / 2)]).toEqual([false, true]);
  });

  test("must fall well below the bound for there to be room again, and each change is told once", async () => {
    expect(await used(BOUND)).toBe(true);
    expect(await used(BOUND - 1)).toBe(true);
    expect(await used(BOUND * resumeBelow - 1)).toBe(false);
    expect(await used(BOUND - 1)).toBe(false);
    expect(told).toEqual([true, false]);
  });

  test("is not bounded where the browser does not tell, and is as it was where it does not tell any more", async () => {
    answer = new Error("no such function");
    await meter.read();
    expect(meter.isFull()).toBe(false);
    expect(await used(BOUND)).toBe(true);
    for (const silence of [new Error("not now"), {}]) {
      answer = silence;
      await meter.read();
      expect(meter.isFull()).toBe(true);
    }
    answer = { usage: 0 };
    await meter.read();
    expect(meter.isFull()).toBe(false);
  });

  test("is told to nobody who does not listen any more", async () => {
    let heard = 0;
    meter.listen(() => heard++)();
    expect(await used(BOUND)).toBe(true);
    expect(heard).toBe(0);
  });
});

describe("it is read", () => {
  test("from time to time", async () => {
    await clock.advance(2 * readEveryMs);
    expect(readAt).toEqual([0, readEveryMs, 2 * readEveryMs]);
  });

  test("sooner after many bytes, and not more often than it may be", async () => {
    for (let i = 0; i < 10; i++) meter.onWritten(readAfterBytes / 10 - 1);
    await clock.advance(restMs);
    expect(readAt).toEqual([0]);
    for (let i = 0; i < 10; i++) meter.onWritten(readAfterBytes);
    await clock.advance(0);
    expect(readAt).toEqual([0, restMs]);
    meter.onWritten(readAfterBytes);
    await clock.advance(restMs - 1);
    expect(readAt).toHaveLength(2);
    await clock.advance(1 + readEveryMs);
    expect(readAt).toEqual([0, restMs, 2 * restMs, 2 * restMs + readEveryMs]);
  });

  test("soon after whatever is written while it is full, as that may have made room", async () => {
    await used(BOUND);
    answer = { usage: 0, quota: 100 * GIB };
    meter.onWritten(0);
    await clock.advance(restMs);
    expect(meter.isFull()).toBe(false);
  });

  test("by a clock that goes back, no later than by one that does not", async () => {
    clock = new VirtualClock(1_000_000);
    let reads = 0;
    let behindMs = 0;
    const jumping = { now: () => clock.now() - behindMs, after: clock.after.bind(clock) };
    meter = new StorageMeter({ estimate: async () => ({ usage: reads++ }), clock: jumping });
    await meter.read();
    behindMs = 500_000;
    meter.onWritten(readAfterBytes);
    await clock.advance(restMs);
    expect(reads).toBe(2);
  });
});

describe("a commit that the browser refused", () => {
  test("means full, whatever it says of the room, for a while", async () => {
    meter.onRefused();
    expect(meter.isFull()).toBe(true);
    expect(await used(0)).toBe(true);
    await clock.advance(refusedMs - 1);
    expect(meter.isFull()).toBe(true);
    await clock.advance(1);
    expect(meter.isFull()).toBe(false);
    expect(told).toEqual([true, false]);
  });

  test("means so for as long after the last one", async () => {
    meter.onRefused();
    await clock.advance(refusedMs - 1);
    meter.onRefused();
    await clock.advance(refusedMs - 1);
    expect(meter.isFull()).toBe(true);
    await clock.advance(1);
    expect(meter.isFull()).toBe(false);
  });
});
