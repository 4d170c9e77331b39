import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Bytes } from "../../../src/common/bytes.ts";
import { err, ok } from "../../../src/common/result.ts";
import { type PageCall, PageCipher } from "../../../src/encryption/page-cipher.ts";

const INPUT = Uint8Array.of(1, 2, 3);
const OUTPUT = Uint8Array.of(9);
const AWAY = "no page is open";

/** Pages that answer one call each, in turn; behind the last there is none. */
function pages(calls: readonly PageCall[]) {
  const left = [...calls];
  const asked: [string, Bytes][] = [];
  const cipher = new PageCipher({
    unavailable: () => (left.length === 0 ? AWAY : undefined),
    call: async (operation, input) => {
      asked.push([operation, input]);
      return left.shift() ?? { outcome: "away" };
    },
  });
  return { cipher, asked };
}

describe("the cipher of a page", () => {
  test("hands the page what is to be encrypted or decrypted, and hands on what it returned", async () => {
    const { cipher, asked } = pages([
      { outcome: "done", output: OUTPUT },
      { outcome: "done", output: INPUT },
    ]);
    expect(await cipher.encrypt(INPUT)).toEqual(ok(OUTPUT));
    expect(await cipher.decrypt(OUTPUT)).toEqual(ok(INPUT));
    expect(asked).toEqual([
      ["encrypt", INPUT],
      ["decrypt", OUTPUT],
    ]);
  });

  test("N03 a function that fails is an error that says why, and is not asked of another page", async () => {
    const { cipher, asked } = pages([
      { outcome: "refused", reason: "no key today" },
      { outcome: "done", output: OUTPUT },
    ]);
    expect(await cipher.encrypt(INPUT)).toEqual(err("no key today"));
    expect(asked).toHaveLength(1);
  });

  test("without a page it is unavailable, and an error then says the same", async () => {
    const { cipher } = pages([]);
    expect(cipher.unavailable()).toBe(AWAY);
    expect(await cipher.decrypt(INPUT)).toEqual(err(AWAY));
  });

  test("whatever pages come and go, the first that answers decides, and it is unavailable only if none did", async () => {
    const call = fc.oneof(
      fc.constant<PageCall>({ outcome: "away" }),
      fc.constant<PageCall>({ outcome: "done", output: OUTPUT }),
      fc.string().map((reason): PageCall => ({ outcome: "refused", reason })),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(call, { maxLength: 6 }), fc.constantFrom("encrypt", "decrypt"), async (calls, name) => {
        const { cipher, asked } = pages(calls);
        const result = await cipher[name](INPUT);
        const deciding = calls.find(({ outcome }) => outcome !== "away");
        if (deciding === undefined) {
          expect(result).toEqual(err(AWAY));
          expect(cipher.unavailable()).toBe(AWAY);
        } else {
          expect(result).toEqual(
            deciding.outcome === "done" ? ok(OUTPUT) : err((deciding as { reason: string }).reason),
          );
          expect(asked).toHaveLength(calls.indexOf(deciding) + 1);
        }
        // Nothing but what a page made of it, never the plain text.
        if (result.ok) expect(result.value).toBe(OUTPUT);
      }),
    );
  });
});
