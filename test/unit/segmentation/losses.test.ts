/** Which losses a reassembler tells of what SDS gives up, and of what comes too late. */
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { configOf, givenUp, Harness, messagesOf, patternPayload } from "./support.ts";

const CHUNK = configOf(192).chunkBytes;

/** A message of three segments, at the Lamport times 10, 11 and 12. */
function parts(name = "m") {
  const [first, second, third] = messagesOf(patternPayload(3 * CHUNK), { name });
  if (!(first && second && third)) expect.unreachable();
  return [
    { ...first, lamport: 10 },
    { ...second, lamport: 11, follows: first.messageId },
    { ...third, lamport: 12, follows: second.messageId },
  ] as const;
}

describe("what comes too late for its place", () => {
  test("is told lost, and then delivered", () => {
    const h = new Harness();
    const [first, second, third] = parts();
    h.take(second, third);
    h.add(first);
    const { lost, message } = h.reassembler.release("m0", true);
    expect(lost).toEqual({ senderId: "alice", messageId: "m0", reason: "too late for its place" });
    expect(message).toMatchObject({ senderId: "alice", messageId: "m0" });
  });

  test.each([
    ["by its first segment", givenUp("m0", { followers: [{ messageId: "m1", distance: 1 }] }), "m0"],
    ["by its last segment, before anything of it was here", givenUp("m2", { before: 5 }), "m2"],
  ])("is told no second time, if it was told %s", (_, lost, told) => {
    const h = new Harness();
    const [first, second, third] = parts();
    h.add(second);
    expect(h.giveUp(lost)).toMatchObject({ messageId: told });
    h.restart();
    h.add(third);
    h.release("m1");
    h.release("m2");
    h.add(first);
    h.release("m0", true);
    expect(h.delivered).toHaveLength(1);
    expect(h.lost).toEqual([]);
    expect(h.storedRows).toEqual({ segmentSets: 0, segments: 0, completedSets: 0, lostIds: 0 });
  });
});

describe("what SDS gives up", () => {
  test("and a held segment comes right after is of its message, which is told by its first id", () => {
    const h = new Harness();
    const [, second, third] = parts();
    h.add(third);
    h.add(second);
    const followers = [{ messageId: "m1", distance: 1 }];
    expect(h.giveUp(givenUp("m0", { followers }))).toMatchObject({ messageId: "m0", senderId: "alice" });
    h.now += LIMITS.segmentation.setIdleMs;
    h.expire();
    expect(h.lost).toEqual([]);
  });

  test("twice for a slot is of two messages with one payload", () => {
    const h = new Harness();
    for (const message of [parts("a")[1], parts("b")[1]]) h.add(message);
    for (const name of ["a", "b"]) {
      const followers = [{ messageId: `${name}1`, distance: 1 }];
      expect(h.giveUp(givenUp(`${name}0`, { followers }))).toMatchObject({ messageId: `${name}0` });
    }
  });

  test("twice for a slot, though nothing of the second message is known, is told by the same id after a restart", () => {
    const told = [false, true].map((restarts) => {
      const h = new Harness();
      const [first, , third] = parts();
      h.add({ ...third, messageId: "z" });
      h.add({ ...first, messageId: "a" });
      if (restarts) h.restart();
      const followers = [{ messageId: "z", distance: 1 }];
      return ["x", "y"].map((id) => h.giveUp(givenUp(id, { followers }))?.messageId);
    });
    expect(told).toEqual([
      ["a", "a"],
      ["a", "a"],
    ]);
  });

  test.each([
    ["of another sender", { senderId: "bob" }],
    ["older than what is here", { before: 11 }],
    ["younger than what comes after it", { since: 12 }],
  ])("%s is not the end of a message that lacks its end", (_, known) => {
    const h = new Harness();
    const [first, second] = parts();
    h.take(first, second);
    expect(h.giveUp(givenUp("x", known))).toMatchObject({ messageId: "x" });
  });

  test("of a sender that nobody named has a loss of its own", () => {
    const h = new Harness();
    const [first, second] = parts();
    h.take(first, second);
    const { senderId: _, ...nameless } = givenUp("x");
    expect(h.giveUp(nameless)).toEqual({ messageId: "x", reason: "not found in time" });
  });

  test("may be the end of a message: they have one loss between them, whichever is told first", () => {
    const [first, second] = parts();
    const held = new Harness();
    held.take(first, second);
    expect(held.giveUp(givenUp("x"))).toMatchObject({ messageId: "m0" });
    expect(held.giveUp(givenUp("y"))).toBeUndefined();
    held.now += LIMITS.segmentation.setIdleMs;
    held.expire();
    expect(held.lost).toEqual([]);

    const dropped = new Harness();
    dropped.take(first, second);
    dropped.now += LIMITS.segmentation.setIdleMs;
    dropped.expire();
    dropped.restart();
    expect(dropped.lost).toMatchObject([{ messageId: "m0" }]);
    expect(dropped.giveUp(givenUp("x"))).toBeUndefined();

    const late = new Harness();
    expect(late.giveUp(givenUp("x"))).toMatchObject({ messageId: "x" });
    late.restart();
    late.take(first, second);
    late.now += 2 * LIMITS.segmentation.setIdleMs;
    late.expire();
    expect(late.lost).toEqual([]);
  });

  test("cannot be the end of a message whose end is here", () => {
    const h = new Harness();
    const [first, , third] = parts();
    h.take(first, third);
    expect(h.giveUp(givenUp("x"))).toMatchObject({ messageId: "x" });
    h.now += LIMITS.segmentation.setIdleMs;
    h.expire();
    expect(h.lost).toMatchObject([{ messageId: "m0" }]);
    expect(h.giveUp(givenUp("y"))).toMatchObject({ messageId: "y" });
  });

  test("is remembered within bounds, the latest longest", () => {
    const h = new Harness();
    const bound = LIMITS.segmentation.lostIds;
    for (let i = 0; i <= bound; i++) h.giveUp(givenUp(`x${i}`));
    expect(h.storedRows).toMatchObject({ lostIds: bound });
    expect([h.isRemembered("x0"), h.isRemembered(`x${bound}`)]).toEqual([false, true]);
  });
});

test("as many losses as SDS may give up at once are remembered: none of what comes after all is told again", () => {
  const h = new Harness({ codec: "raw" });
  const ids = Array.from({ length: LIMITS.sds.missing }, (_, i) => `x${i}`);
  for (const messageId of ids) expect(h.giveUp(givenUp(messageId))).toBeDefined();
  h.restart();
  for (const messageId of ids) {
    h.add({ senderId: "alice", messageId, content: Uint8Array.of(1) });
    h.release(messageId, true);
  }
  expect(h.delivered).toHaveLength(ids.length);
  expect(h.lost).toEqual([]);
});

test("last short segment lost: without parity, its message is", () => {
  const h = new Harness();
  const messages = messagesOf(patternPayload(3 * CHUNK + 17));
  h.take(...messages.slice(0, -1));
  h.now += LIMITS.segmentation.setIdleMs;
  h.expire();
  expect(h.lost).toEqual([{ senderId: "alice", messageId: "m0", reason: "segments missing" }]);
});
