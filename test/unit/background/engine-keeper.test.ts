import { describe, expect, test } from "vitest";
import { FakePort } from "../../../packages/reliable-channel/mock/fake-ports.ts";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import type { Engine } from "../../../src/background/engine.ts";
import { EngineKeeper } from "../../../src/background/engine-keeper.ts";
import { HeldPort } from "../../../src/provider/runtime-port.ts";

/** One start of an engine, to be carried out or failed by the test. */
class Life implements Engine {
  readonly ports: HeldPort[] = [];
  readonly onBroken: () => void;
  readonly started: Promise<Engine>;
  stopped = false;
  succeed!: () => void;
  fail!: () => void;
  /** What `stop` waits for. */
  stopping: Promise<void> = Promise.resolve();

  constructor(onBroken: () => void) {
    this.onBroken = onBroken;
    this.started = new Promise((resolve, reject) => {
      this.succeed = () => resolve(this);
      this.fail = () => reject(new Error("storage is unavailable"));
    });
  }

  accept(port: HeldPort): void {
    this.ports.push(port);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.stopping;
  }
}

function setUp() {
  const clock = new VirtualClock();
  const lives: Life[] = [];
  const keeper = new EngineKeeper((onBroken) => {
    const life = new Life(onBroken);
    lives.push(life);
    return life.started;
  }, clock);
  const life = (index: number): Life => {
    const found = lives[index];
    if (found === undefined) throw new Error(`engine ${index} was not started`);
    return found;
  };
  return { clock, keeper, lives, life };
}

const port = (): HeldPort => new HeldPort(FakePort.pair("bridge", undefined).server);

describe("EngineKeeper", () => {
  test("ports that come while the engine starts wait for it", async () => {
    const { clock, keeper, life } = setUp();
    const held = [port(), port()];
    for (const each of held) keeper.serve(each);
    await clock.settle();
    life(0).succeed();
    await clock.settle();
    expect(life(0).ports).toEqual(held);
  });

  test("a start that fails is tried again, once, however many ports wait", async () => {
    const { clock, keeper, lives, life } = setUp();
    const held = Array.from({ length: 20 }, port);
    for (const each of held) keeper.serve(each);
    life(0).fail();
    await clock.advance(60_000);
    expect(lives).toHaveLength(2);
    life(1).succeed();
    await clock.advance(60_000);
    expect([lives.length, life(1).ports, life(1).stopped]).toEqual([2, held, false]);
  });

  test("a start that keeps failing is tried again at growing intervals, and without anybody asking", async () => {
    const { clock, lives } = setUp();
    const starts: number[] = [];
    for (let i = 0; i < 12; i++) {
      starts.push(clock.now());
      lives.at(-1)?.fail();
      while (lives.length === starts.length) await clock.advance(1_000);
    }
    const gaps = starts.slice(1).map((at, index) => at - (starts[index] ?? 0));
    expect(gaps[0]).toBe(1_000);
    expect(gaps.at(-1)).toBe(60_000);
    expect(gaps).toEqual(gaps.toSorted((a, b) => a - b));
  });

  test("an engine that breaks is stopped, and the next one serves", async () => {
    const { clock, keeper, lives, life } = setUp();
    life(0).succeed();
    await clock.settle();
    life(0).onBroken();
    life(0).onBroken();
    const late = port();
    keeper.serve(late);
    await clock.advance(1_000);
    expect([life(0).stopped, lives.length]).toEqual([true, 2]);
    life(1).succeed();
    await clock.advance(60_000);
    expect([lives.length, life(1).ports, life(0).ports]).toEqual([2, [late], []]);
  });

  test("an engine that breaks while it starts never serves", async () => {
    const { clock, keeper, lives, life } = setUp();
    const held = port();
    keeper.serve(held);
    life(0).onBroken();
    life(0).succeed();
    await clock.advance(1_000);
    life(1).succeed();
    await clock.settle();
    expect([life(0).stopped, life(0).ports, life(1).ports, lives.length]).toEqual([true, [], [held], 2]);
  });

  test("an engine that was replaced and fails at its end does not take the next one down", async () => {
    const { clock, keeper, lives, life } = setUp();
    life(0).succeed();
    await clock.settle();
    keeper.replace();
    await clock.settle();
    life(1).succeed();
    await clock.settle();
    life(0).onBroken();
    await clock.advance(60_000);
    expect([lives.length, life(1).stopped]).toEqual([2, false]);
  });

  test("replacing twice before the next one began replaces once", async () => {
    const { clock, keeper, lives, life } = setUp();
    life(0).succeed();
    await clock.settle();
    keeper.replace();
    keeper.replace();
    await clock.settle();
    life(1).succeed();
    await clock.advance(60_000);
    expect([lives.length, life(1).stopped]).toEqual([2, false]);
    keeper.replace();
    await clock.settle();
    expect([lives.length, life(1).stopped]).toEqual([3, true]);
  });

  test("an engine that does not come to its end is left behind", async () => {
    const { clock, keeper, lives, life } = setUp();
    life(0).stopping = new Promise(() => {});
    life(0).succeed();
    await clock.settle();
    keeper.replace();
    await clock.advance(60_000);
    expect(lives).toHaveLength(2);
  });
});
