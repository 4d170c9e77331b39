/** The enumerator itself: it must find what is wrong, and the dead must stay dead. */
import { describe, expect, test, vi } from "vitest";
import { describeFailures, enumerateCrashes } from "../../support/crash-enumerator.ts";
import { CrashPoints } from "../../support/crash-points.ts";
import { assertInvariants, type MemberRecord } from "../../support/invariants.ts";
import { Life } from "../../support/life.ts";

/** A program that has one letter to post, and a world that keeps letters and a note of it. */
class Desk {
  readonly letters: string[] = [];
  noted = false;

  async post(letter: string): Promise<void> {
    // The same letter again is no second letter.
    if (!this.letters.includes(letter)) this.letters.push(letter);
  }

  async note(): Promise<void> {
    this.noted = true;
  }

  async isNoted(): Promise<boolean> {
    return this.noted;
  }
}

const KINDS = { post: "async", note: "async", isNoted: "async" } as const;
type Program = (desk: Desk, life: number) => Promise<void>;

/** Starts the program again and again until it came to its end. */
async function untilDone(points: CrashPoints, desk: Desk, program: Program): Promise<void> {
  for (let lives = 1; ; lives++) {
    const life = new Life(points);
    await Promise.race([program(life.port("desk", desk, KINDS), lives).catch(() => {}), life.ended]);
    if (!life.isOver) return;
  }
}

function postingWith(program: Program) {
  return {
    name: "posting",
    async run(points: CrashPoints) {
      const desk = new Desk();
      await untilDone(points, desk, program);
      expect(desk.letters).toHaveLength(1);
    },
  };
}

const careful: Program = async (desk) => {
  if (await desk.isNoted()) return;
  await desk.post("letter");
  await desk.note();
};
const forgetful: Program = async (desk) => {
  if (await desk.isNoted()) return;
  await desk.note();
  await desk.post("letter");
};
const repetitive: Program = async (desk, life) => {
  if (await desk.isNoted()) return;
  await desk.post(`letter of life ${life}`);
  await desk.note();
};

describe("enumeration", () => {
  test("both sides of every call are boundaries, in order", async () => {
    const report = await enumerateCrashes(postingWith(careful));
    expect(report.boundaries).toEqual([
      "before desk.isNoted",
      "after desk.isNoted",
      "before desk.post",
      "after desk.post",
      "before desk.note",
      "after desk.note",
    ]);
    expect(report.failures).toEqual([]);
  });

  test("a program that loses its effect fails exactly where it is lost", async () => {
    const report = await enumerateCrashes(postingWith(forgetful));
    expect(report.failures.map(({ boundary }) => boundary)).toEqual(["after desk.note", "before desk.post"]);
    expect(describeFailures(report)).toContain("posting: 2 of 6 crashes did not end well");
  });

  test("a program that repeats its effect fails exactly where it is repeated", async () => {
    const report = await enumerateCrashes(postingWith(repetitive));
    expect(report.failures.map(({ boundary }) => boundary)).toEqual(["after desk.post", "before desk.note"]);
  });

  test("a run that is not like the first is no enumeration", async () => {
    let runs = 0;
    const unsteady: Program = async (desk) => {
      if (++runs % 2 === 0) await desk.isNoted();
      await careful(desk, 1);
    };
    const report = await enumerateCrashes(postingWith(unsteady));
    expect(report.failures.map(({ reason }) => reason)).toContainEqual(expect.stringContaining("the run was another"));
  });
});

describe("a life that is over", () => {
  const port = () => ({
    calls: [] as string[],
    async later(what: string) {
      this.calls.push(what);
    },
    now(what: string) {
      this.calls.push(what);
      return what;
    },
    listen(listener: () => void) {
      this.calls.push("listen");
      this.listener = listener;
      return () => this.calls.push("unlisten");
    },
    listener: () => {},
  });

  test("calls have no effect: those that answer later never do, those that answer at once throw", async () => {
    const target = port();
    const life = new Life();
    const handed = life.port("port", target, { later: "async", now: "sync" });
    life.end();
    const settled = vi.fn();
    handed.later("x").then(settled, settled);
    expect(() => handed.now("x")).toThrow("over");
    await new Promise((resolve) => setImmediate(resolve));
    expect(settled).not.toHaveBeenCalled();
    expect(target.calls).toEqual([]);
  });

  test("a call under way does not take effect any more", async () => {
    const target = port();
    const life = new Life();
    void life.port("port", target, { later: "async" }).later("x");
    life.end();
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(target.calls).toEqual([]);
  });

  test("what comes from outside is swallowed, and what was handed out to be called does nothing", () => {
    const target = port();
    const life = new Life();
    const heard = vi.fn();
    const unlisten = life.port("port", target, {}).listen(heard);
    target.listener();
    expect(heard).toHaveBeenCalledTimes(1);
    life.end();
    target.listener();
    unlisten();
    expect(heard).toHaveBeenCalledTimes(1);
    expect(target.calls).toEqual(["listen"]);
  });

  test("a method that nobody listed is a boundary all the same", () => {
    const points = new CrashPoints();
    new Life(points).port("port", port(), {}).now("x");
    expect(points.labels).toEqual(["before port.now", "after port.now"]);
  });
});

describe("invariants", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const alice = {
    senderId: "alice",
    sent: ["r1", "r2"].map((requestId) => ({ requestId, payload: bytes(requestId) })),
  };
  const at = 1;
  const sent = (seq: number, requestId: string) => ({ seq, at, type: "reliable:message:sent", requestId }) as const;
  const failed = (seq: number, requestId: string) =>
    ({ seq, at, type: "reliable:message:send-error", requestId, kind: "refused", error: "x" }) as const;
  const delivered = (seq: number, requestId: string) =>
    ({ seq, at, type: "reliable:message:delivered", requestId }) as const;
  const received = (seq: number, text: string, messageId = `m-${text}`, senderId = "alice") =>
    ({ seq, at, type: "reliable:message:received", message: bytes(text), messageId, senderId }) as const;
  const lost = (seq: number, messageId: string) =>
    ({ seq, at, type: "reliable:message:lost", messageId, reason: "x" }) as const;
  const check = (log: MemberRecord["log"], bobs: MemberRecord["log"] = [], complete = false) =>
    assertInvariants(
      [
        { ...alice, log },
        { senderId: "bob", sent: [], log: bobs },
      ],
      { complete },
    );

  test("a good run", () => {
    const log = [sent(1, "r1"), delivered(2, "r1"), sent(3, "r2")];
    expect(() => check(log, [received(1, "r1"), received(2, "r2")], true)).not.toThrow();
  });

  test.each<[string, MemberRecord["log"], MemberRecord["log"]]>([
    ["cursors ascend", [sent(2, "r1"), sent(1, "r2")], []],
    ["I1", [sent(1, "nobody's")], []],
    ["I2", [sent(1, "r1"), sent(2, "r1")], []],
    ["I2", [sent(1, "r1"), failed(2, "r1")], []],
    ["I2", [failed(1, "r1"), sent(2, "r1")], []],
    ["I3", [delivered(1, "r1"), sent(2, "r1")], []],
    ["I4", [], [received(1, "r1"), received(2, "r1", "another")]],
    ["I4", [], [received(1, "r1"), received(2, "r2", "m-r1")]],
    ["I4", [], [received(1, "r1", "m", "mallory")]],
    ["I4", [], [received(1, "nobody's")]],
    ["I4", [received(1, "r1")], []],
    ["I5", [], [received(1, "r2"), received(2, "r1")]],
  ])("%s is broken", (invariant, log, bobs) => {
    expect(() => check(log, bobs)).toThrow(invariant);
  });

  test("I4 is broken where something never came, if everything has", () => {
    expect(() => check([], [received(1, "r1")], true)).toThrow("I4");
  });

  test("I5 a message that was reported lost may come late", () => {
    expect(() => check([], [lost(1, "m-r1"), received(2, "r2"), received(3, "r1")])).not.toThrow();
  });

  test("I5 is broken where a reply is logged before what it answers", () => {
    const bob = {
      senderId: "bob",
      sent: [{ requestId: "b1", payload: bytes("answer"), afterSeq: 1 }],
      log: [received(1, "r1")],
    };
    const carol = (log: MemberRecord["log"]) => [{ ...alice, log: [] }, bob, { senderId: "carol", sent: [], log }];
    const answer = (seq: number) => received(seq, "answer", "m-answer", "bob");
    expect(() => assertInvariants(carol([received(1, "r1"), answer(2)]))).not.toThrow();
    expect(() => assertInvariants(carol([answer(1), received(2, "r1")]))).toThrow("I5");
  });
});
