import { describe, expect, test } from "vitest";
import { dispatch, TinyEmitter } from "../../../src/provider/emitter.ts";

interface Events {
  tick: number;
  tock: string;
}

function emitter() {
  const reported: unknown[] = [];
  return { emitter: new TinyEmitter<Events>((thrown) => reported.push(thrown)), reported };
}

describe("TinyEmitter", () => {
  test("tells listeners in the order they were added, and says whether there were any", () => {
    const { emitter: events } = emitter();
    const told: string[] = [];
    const returned = events
      .on("tick", (n) => told.push(`on ${n}`))
      .addListener("tick", (n) => told.push(`addListener ${n}`))
      .once("tick", (n) => told.push(`once ${n}`));
    expect(returned).toBe(events);
    expect(events.emit("tick", 1)).toBe(true);
    expect(events.emit("tick", 2)).toBe(true);
    expect(events.emit("tock", "nobody")).toBe(false);
    expect(told).toEqual(["on 1", "addListener 1", "once 1", "on 2", "addListener 2"]);
  });

  test("off removes one registration, the newest; removeAllListeners removes the rest", () => {
    const { emitter: events } = emitter();
    let calls = 0;
    const listener = () => {
      calls++;
    };
    events.on("tick", listener).on("tick", listener).on("tock", listener);
    events.off("tick", listener);
    expect(events.listenerCount("tick")).toBe(1);
    events.removeListener("tick", () => {});
    expect(events.listenerCount("tick")).toBe(1);
    events.removeAllListeners("tick");
    expect(events.listenerCount("tick")).toBe(0);
    expect(events.listenerCount("tock")).toBe(1);
    events.removeAllListeners();
    events.emit("tock", "");
    expect(calls).toBe(0);
  });

  test("a listener that throws is reported and stops nobody", () => {
    const { emitter: events, reported } = emitter();
    const told: number[] = [];
    events.on("tick", () => {
      throw new Error("first");
    });
    events.on("tick", (n) => {
      told.push(n);
    });
    expect(dispatch(events, "tick", 1)).toEqual({ ran: 2, threw: true, promises: [] });
    expect(told).toEqual([1]);
    expect(reported).toEqual([new Error("first")]);
  });

  test("listeners added or removed while an event is told take part from the next one on", () => {
    const { emitter: events } = emitter();
    const told: string[] = [];
    const second = () => {
      told.push("second");
    };
    events.on("tick", () => {
      told.push("first");
      events.off("tick", second);
      events.on("tick", () => {
        told.push("third");
      });
    });
    events.on("tick", second);
    events.emit("tick", 1);
    expect(told).toEqual(["first", "second"]);
    events.emit("tick", 2);
    expect(told).toEqual(["first", "second", "first", "third"]);
  });

  test("an event named like a method of Object has no listeners of its own", () => {
    const events = new TinyEmitter<Record<string, number>>(() => {});
    for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
      expect(events.listenerCount(name)).toBe(0);
      expect(events.emit(name, 1)).toBe(false);
    }
  });

  test("a listener that is no function is refused at once, as Node.js does", () => {
    const { emitter: events } = emitter();
    expect(() => events.on("tick", undefined as unknown as () => void)).toThrow(TypeError);
  });

  test("a page that replaces emit does not take part in delivery", () => {
    const { emitter: events } = emitter();
    const told: number[] = [];
    events.on("tick", (n) => {
      told.push(n);
    });
    Object.defineProperty(events, "emit", { value: () => false });
    dispatch(events, "tick", 1);
    expect(told).toEqual([1]);
  });
});
