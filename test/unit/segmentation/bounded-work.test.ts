/** What strangers can make a reassembler do and keep when messages are given up: bounded work, and bounded rows. */
import { describe, expect, test, vi } from "vitest";
import { Journal } from "../../../src/common/table.ts";
import { LIMITS } from "../../../src/limits.ts";
import type { GivenUp } from "../../../src/segmentation/losses.ts";
import { openReassemblerTables, Reassembler } from "../../../src/segmentation/reassembler.ts";
import { forgedSegment, givenUp } from "./support.ts";

const SLOTS = LIMITS.segmentation.totalSegments;
const { copies, followers } = LIMITS.segmentation;

/** The rows of a reassembler, what is told, and how often rows are looked at. */
class Watched {
  readonly journal = new Journal();
  readonly tables = openReassemblerTables(this.journal, ["channel"]);
  readonly clock = { ms: 0, wentOnMs: 0 };
  readonly reassembler = new Reassembler(this.tables, "segments", this.clock);
  told = 0;
  readonly #all = Object.values(this.tables);
  readonly #looks = this.#all.map((table) => vi.spyOn(table, "get"));
  readonly #walks = this.#all.flatMap((table) => [
    vi.spyOn(table, "entries"),
    vi.spyOn(table, "keys"),
    vi.spyOn(table, "values"),
  ]);

  add(messageId: string, n: number, index: number, lamport = 10): void {
    const content = forgedSegment(n, {
      index,
      dataSegmentCount: SLOTS,
      originalPayloadLength: SLOTS,
      segmentPayload: Uint8Array.of(1),
    });
    this.reassembler.add({ messageId, senderId: "alice", content, lamport });
    this.journal.take();
  }

  /** Gives up, in one event. Returns the rows that it writes, looks at singly, and how often it walks through them all. */
  giveUp(lost: readonly GivenUp[]): { readonly written: number; readonly looks: number; readonly walks: number } {
    for (const spy of [...this.#looks, ...this.#walks]) spy.mockClear();
    for (const each of lost) if (this.reassembler.giveUp(each) !== undefined) this.told++;
    const count = (spies: readonly { readonly mock: { readonly calls: readonly unknown[] } }[]) =>
      spies.reduce((sum, { mock }) => sum + mock.calls.length, 0);
    const [looks, walks] = [count(this.#looks), count(this.#walks)];
    return { written: this.journal.take().length, looks, walks };
  }

  largestRow(): number {
    const rows = this.#all.flatMap((table) => [...table.values()] as unknown[]);
    return Math.max(...rows.map((row) => JSON.stringify(row).length));
  }
}

describe("giving up segments of a message that is held", () => {
  /** What one more follower names: as many ids as a history may have, each at a distance of its own. */
  function namedBy(follower: string): readonly GivenUp[] {
    return Array.from({ length: SLOTS - 1 }, (_, i) =>
      givenUp(`${follower}-${i}`, { followers: [{ messageId: follower, distance: i + 1 }] }),
    );
  }

  test("costs the same for each, however much of it was given up before", () => {
    const watched = new Watched();
    watched.add("end", 1, SLOTS - 1);
    const first = watched.giveUp(namedBy("end"));
    for (let i = 1; i < 2 * copies; i++) {
      watched.add(`m${i}`, 1, SLOTS - 1 - i);
      const { looks, walks } = watched.giveUp(namedBy(`m${i}`));
      expect(looks).toBeLessThanOrEqual(first.looks);
      expect(walks).toBe(0);
    }
  });

  test("keeps a count for each slot, as high as there can be messages, and then writes nothing", () => {
    const watched = new Watched();
    watched.add("end", 1, SLOTS - 1);
    for (let i = 0; i < 2 * copies; i++) watched.giveUp(namedBy("end"));
    expect(watched.giveUp(namedBy("end")).written).toBe(0);
    const [set] = watched.tables.sets.values();
    expect(set?.givenUp).toHaveLength(SLOTS - 1);
    expect(Math.max(...(set?.givenUp ?? []))).toBe(copies);
    expect(watched.told).toBe(copies);
  });
});

test("giving up looks at no row of a lost message that has nothing to do with it, however many are remembered", () => {
  const watched = new Watched();
  const COUNT = 1_100;
  for (let i = 0; i < COUNT; i++) watched.add(`d${i}`, i, 5);
  expect(watched.tables.completed.size).toBe(LIMITS.segmentation.completedSets);
  const namers = Array.from({ length: 100 }, (_, i) => ({ messageId: `namer${i}`, distance: 1 }));
  const lost = Array.from({ length: 255 }, (_, i) => givenUp(`x${i}`, { senderId: "bob", followers: namers }));
  const { looks, walks } = watched.giveUp(lost);
  expect(walks).toBe(0);
  expect(looks).toBeLessThanOrEqual(2 * lost.length * namers.length);
  expect(watched.told).toBe(lost.length);
});

test("giving up what may be the end of a message walks through nothing, whether held, lost or told by its id", () => {
  const watched = new Watched();
  // Some of these are held, and others displaced.
  for (let i = 0; i < 500; i++) watched.add(`d${i}`, i, 5, 1_000 + i);
  const lost = Array.from({ length: 500 }, (_, i) => givenUp(`x${i}`, { since: i, before: 2 * i }));
  const { looks, walks } = watched.giveUp([...lost, ...lost]);
  expect(walks).toBe(0);
  expect(looks).toBeLessThanOrEqual(10 * lost.length);
});

test("of a lost message, the ids that tell what is its are kept within bounds", () => {
  const watched = new Watched();
  const longId = (name: string) => name.padStart(LIMITS.sds.identifierBytes, "i");
  for (let copy = 0; copy < copies; copy++) {
    for (let slot = 1; slot < SLOTS; slot += 2) watched.add(longId(`${copy}/${slot}`), 1, slot);
  }
  watched.clock.ms += LIMITS.segmentation.heldBackMs;
  watched.reassembler.expire();
  const [row] = watched.tables.completed.values();
  expect(row?.unheard?.followers).toHaveLength(followers);
  expect(watched.largestRow()).toBeLessThan(followers * (LIMITS.sds.identifierBytes + 100));
});
