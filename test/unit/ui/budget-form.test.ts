import { describe, expect, it } from "vitest";
import { budgetFormOf, parseBudgetForm, sameBudget } from "../../../src/ui/budget-form.ts";

const ON = { enabled: true, messages: "5", seconds: "60" };

describe("the form of the sending budget", () => {
  it("begins turned off, with what The Waku Network allows", () => {
    expect(budgetFormOf(undefined)).toEqual({ enabled: false, messages: "100", seconds: "600" });
  });

  it("shows a setting and reads the same one back, also while it is off", () => {
    for (const enabled of [true, false]) {
      const setting = { enabled, epochSeconds: 60, messagesPerEpoch: 0 };
      expect(parseBudgetForm(budgetFormOf(setting))).toEqual({ ok: true, value: setting });
    }
  });

  it.each([
    ["no period", { seconds: "0" }, { seconds: { min: 1, max: 86_400 } }],
    ["a period of more than a day", { seconds: "86401" }, { seconds: { min: 1, max: 86_400 } }],
    ["a fraction", { seconds: "1.5" }, { seconds: { min: 1, max: 86_400 } }],
    ["less than nothing", { messages: "-1" }, { messages: { min: 0, max: 1_000_000 } }],
    ["nothing", { messages: " " }, { messages: { min: 0, max: 1_000_000 } }],
    ["very much", { messages: "9".repeat(40) }, { messages: { min: 0, max: 1_000_000 } }],
    ["words", { messages: "many", seconds: "long" }, { messages: expect.anything(), seconds: expect.anything() }],
  ])("refuses %s, and says within which bounds", (_, change, error) => {
    expect(parseBudgetForm({ ...ON, ...change })).toEqual({ ok: false, error });
  });

  it("tells a changed form from one that is not", () => {
    expect(sameBudget(ON, { ...ON })).toBe(true);
    for (const change of [{ enabled: false }, { messages: "6" }, { seconds: "61" }]) {
      expect(sameBudget(ON, { ...ON, ...change })).toBe(false);
    }
  });
});
