import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ok, type Result } from "../../../src/common/result.ts";
import { InTurn } from "../../../src/encryption/in-turn.ts";

describe("decrypting in turn", () => {
  test("N08: nothing is handed on until the first is through, then everything in the order of arrival", async () => {
    const turn = new InTurn();
    const handed: string[] = [];
    let finishFirst: (outcome: Result<string>) => void = () => {};
    const first = turn.take(
      () => new Promise<Result<string>>((resolve) => (finishFirst = resolve)),
      (outcome) => handed.push(outcome.ok ? outcome.value : outcome.error),
    );
    let secondRan = false;
    const second = turn.take(
      async () => {
        secondRan = true;
        return ok("second");
      },
      (outcome) => handed.push(outcome.ok ? outcome.value : outcome.error),
    );
    for (let i = 0; i < 10; i++) await Promise.resolve();
    expect(secondRan).toBe(true);
    expect(handed).toEqual([]);
    finishFirst(ok("first"));
    await Promise.all([first, second]);
    expect(handed).toEqual(["first", "second"]);
  });

  test("keeps the order whatever finishes first, and whatever fails", async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }), async (s, fails) => {
        const turn = new InTurn();
        const handed: string[] = [];
        const all = fails.map((failing, index) =>
          turn.take(
            async () => {
              await s.schedule(Promise.resolve());
              if (failing) throw new Error(`no ${index}`);
              return ok(`${index}`);
            },
            async (outcome) => {
              await s.schedule(Promise.resolve());
              handed.push(outcome.ok ? outcome.value : outcome.error);
            },
          ),
        );
        await s.waitFor(Promise.all(all));
        expect(handed).toEqual(fails.map((failing, index) => (failing ? `no ${index}` : `${index}`)));
      }),
    );
  });

  test("one that cannot be handed on fails alone", async () => {
    const turn = new InTurn();
    const first = turn.take(
      async () => ok(1),
      () => {
        throw new Error("storage is gone");
      },
    );
    const second = turn.take(
      async () => ok(2),
      (outcome) => outcome,
    );
    await expect(first).rejects.toThrow("storage is gone");
    expect(await second).toEqual(ok(2));
  });
});
