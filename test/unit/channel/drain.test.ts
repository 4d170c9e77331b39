import { expect, test } from "vitest";
import { Drain } from "../../../src/channel/drain.ts";

/** A queue whose items are worked off when the test says so. */
class Queue {
  readonly items: string[] = [];
  readonly begun: string[] = [];
  readonly #ends: ((failure?: Error) => void)[] = [];
  readonly drain = new Drain(
    () => this.items[0],
    async (item) => {
      this.begun.push(item);
      await new Promise<void>((resolve, reject) => {
        this.#ends.push((failure) => (failure ? reject(failure) : resolve()));
      });
      this.items.shift();
    },
  );

  async end(failure?: Error): Promise<void> {
    this.#ends.shift()?.(failure);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("one item after the other, in one run; what comes meanwhile is worked off too", async () => {
  const queue = new Queue();
  queue.items.push("one", "two");
  const runs = [queue.drain.run(), queue.drain.run()];
  expect(queue.begun).toEqual(["one"]);
  queue.items.push("three");
  for (const _ of "123") await queue.end();
  await Promise.all(runs);
  expect(queue.begun).toEqual(["one", "two", "three"]);
});

test("where one fails the run ends, and the next one begins with it again", async () => {
  const queue = new Queue();
  queue.items.push("one", "two");
  const run = queue.drain.run();
  await queue.end(new Error("cannot be read"));
  await run;
  expect(queue.begun).toEqual(["one"]);
  void queue.drain.run();
  for (const _ of "12") await queue.end();
  expect(queue.begun).toEqual(["one", "one", "two"]);
});

test("with nothing to do a run is over at once, and does not keep the next one from beginning", async () => {
  const queue = new Queue();
  await queue.drain.run();
  queue.items.push("one");
  void queue.drain.run();
  await queue.end();
  expect(queue.items).toEqual([]);
});

test("whoever waits for the item under way hears when it is done, and when it failed", async () => {
  const queue = new Queue();
  await queue.drain.settled();
  queue.items.push("one");
  for (const failure of [new Error("cannot be read"), undefined]) {
    void queue.drain.run();
    const settled = queue.drain.settled();
    await queue.end(failure);
    await settled;
  }
  expect(queue.items).toEqual([]);
});
