import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { UiPrompt } from "../../../src/ui/background-api.ts";
import { answered, EMPTY_QUEUE, position, withPrompts } from "../../../src/ui/prompt-queue.ts";

const prompt = (id: string): UiPrompt => ({
  id,
  origin: `https://${id}.example`,
  requestedAt: 1,
  scopes: ["channel:receive"],
});
const [a, b, c] = [prompt("a"), prompt("b"), prompt("c")];

describe("the prompt queue", () => {
  it("shows one prompt after another", () => {
    let queue = withPrompts(EMPTY_QUEUE, [a, b]);
    expect(queue.shown).toBe(a);
    expect(position(queue)).toEqual({ position: 1, total: 2 });
    queue = withPrompts(answered(queue), [b]);
    expect(queue.shown).toBe(b);
    expect(position(queue)).toEqual({ position: 2, total: 2 });
    queue = withPrompts(answered(queue), []);
    expect(queue.shown).toBeUndefined();
    expect(queue.expired).toBe(false);
  });

  it("does not swap the prompt under the person's hand when another comes", () => {
    const queue = withPrompts(withPrompts(EMPTY_QUEUE, [b]), [a, b, c]);
    expect(queue.shown).toBe(b);
    expect(queue.waiting).toEqual([a, c]);
  });

  it("says that a prompt expired when the background has it no more, and goes on from there", () => {
    let queue = withPrompts(withPrompts(EMPTY_QUEUE, [a, b]), [b]);
    expect(queue).toMatchObject({ shown: a, expired: true, waiting: [b] });
    queue = answered(queue);
    expect(queue).toMatchObject({ shown: b, expired: false, waiting: [] });
  });

  it("takes back an expiry when a restarted background has the prompt again", () => {
    const gone = withPrompts(withPrompts(EMPTY_QUEUE, [a]), []);
    expect(withPrompts(gone, [a])).toMatchObject({ shown: a, expired: false });
  });

  it("never shows an answered prompt again, though a late snapshot still has it", () => {
    const queue = answered(withPrompts(EMPTY_QUEUE, [a]));
    expect(withPrompts(queue, [a]).shown).toBeUndefined();
    expect(withPrompts(queue, [a, b]).shown).toBe(b);
  });

  it("shows every prompt that stays, once, whatever the order of news and answers", () => {
    const steps = fc.array(fc.option(fc.subarray([a, b, c]), { nil: undefined }));
    fc.assert(
      fc.property(steps, (news) => {
        let queue = EMPTY_QUEUE;
        const done: string[] = [];
        for (const prompts of [...news, [a, b, c], undefined, undefined, undefined]) {
          if (prompts !== undefined) queue = withPrompts(queue, prompts);
          else if (queue.shown !== undefined) {
            done.push(queue.shown.id);
            queue = answered(queue);
          }
        }
        expect(done.toSorted()).toEqual(["a", "b", "c"]);
      }),
    );
  });
});
