import fc from "fast-check";
import { expect, test } from "vitest";
import { Journal } from "../../../src/common/table.ts";
import { openSdsTables, type SdsTables } from "../../../src/sds/participant.ts";
import type { IncomingRow, MissingRow } from "../../../src/sds/tables.ts";
import { WaitingIndex } from "../../../src/sds/waiting-index.ts";

const IDS = ["a", "b", "c", "d", "e"] as const;
const id = fc.constantFrom(...IDS);

const parked = (waitsFor: readonly string[]): IncomingRow => ({
  sequence: 0,
  senderId: "s",
  lamport: 0,
  bytes: 0,
  history: waitsFor,
  waitsFor,
});
const MISSING: MissingRow = { giveUpMs: 0, before: 0, mayPredateUs: false };

const step = fc.oneof(
  fc.record({ park: id, waitsFor: fc.uniqueArray(id) }),
  fc.record({ unpark: id }),
  fc.record({ miss: id }),
  fc.record({ find: id }),
  fc.record({ release: id }),
  fc.record({ deliver: id }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

interface World {
  readonly tables: SdsTables;
  readonly journal: Journal;
  readonly index: WaitingIndex;
  readonly released: Set<string>;
}

function world(): World {
  const journal = new Journal();
  const tables = openSdsTables(journal, ["ch"], () => []);
  return { tables, journal, index: new WaitingIndex(tables), released: new Set() };
}

function take({ tables, index, released }: World, it: Step): void {
  if ("park" in it) tables.incoming.put(it.park, parked(it.waitsFor.filter((other) => other !== it.park)));
  else if ("unpark" in it) tables.incoming.delete(it.unpark);
  else if ("miss" in it) tables.missing.put(it.miss, MISSING);
  else if ("find" in it) tables.missing.delete(it.find);
  else if ("release" in it) {
    if (!tables.incoming.has(it.release)) return;
    index.release(it.release);
    released.add(it.release);
  } else {
    index.delivered(it.deliver);
    released.delete(it.deliver);
  }
}

/** What follows from the rows and from what is released, read anew. */
function expectRight({ tables, index, released }: World): void {
  const isOpen = (other: string) => tables.incoming.has(other) || tables.missing.has(other) || released.has(other);
  for (const each of IDS) {
    const row = tables.incoming.get(each);
    expect(index.isFree(each)).toBe(row?.waitsFor.every((other) => !isOpen(other)) ?? false);
    const dependants = [...tables.incoming.entries()].filter(([, { waitsFor }]) => waitsFor.includes(each));
    expect([...index.dependantsOf(each)].toSorted()).toEqual(dependants.map(([other]) => other).toSorted());
  }
}

test("who waits for what, and who for nothing more, follows every write, release and delivery", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const it = world();
      for (const each of steps) {
        take(it, each);
        expectRight(it);
      }
    }),
  );
});

test("and an event that is undone, wherever it threw", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.array(step, { maxLength: 30 }), (before, undone) => {
      const it = world();
      for (const each of before) take(it, each);
      it.index.endRelease();
      it.released.clear();
      it.journal.take();
      for (const each of undone) take(it, each);
      it.index.endRelease();
      it.released.clear();
      it.journal.rollback();
      expectRight(it);
    }),
  );
});

test("and a restart", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const it = world();
      for (const each of steps) take(it, each);
      const rows: Record<string, [string, unknown][]> = {
        sdsIncoming: [...it.tables.incoming.entries()],
        sdsMissing: [...it.tables.missing.entries()],
      };
      const tables = openSdsTables(new Journal(), ["ch"], (table) => rows[table] ?? []);
      expectRight({ ...it, tables, index: new WaitingIndex(tables), released: new Set() });
    }),
  );
});
