/** The form of the sending budget: what is typed stays text until it is saved. */
import { err, ok, type Result } from "../common/result.ts";
import { LIMITS } from "../limits.ts";
import type { RateLimitSetting } from "../messaging/network-config.ts";

export interface BudgetForm {
  readonly enabled: boolean;
  readonly messages: string;
  readonly seconds: string;
}

export type BudgetField = "messages" | "seconds";
/** Fields that hold no whole number within these bounds. */
export type BudgetErrors = Readonly<Partial<Record<BudgetField, { readonly min: number; readonly max: number }>>>;

const { epochMaxMessages, epochMaxSeconds, epochMessages, epochSeconds } = LIMITS.rateLimit;

const UNSET: RateLimitSetting = { enabled: false, epochSeconds, messagesPerEpoch: epochMessages };

const BOUNDS: Readonly<Record<BudgetField, { readonly min: number; readonly max: number }>> = {
  messages: { min: 0, max: epochMaxMessages },
  // LIP-173: an epoch of no length is refused.
  seconds: { min: 1, max: epochMaxSeconds },
};

export function budgetFormOf(setting: RateLimitSetting = UNSET): BudgetForm {
  return {
    enabled: setting.enabled,
    messages: String(setting.messagesPerEpoch),
    seconds: String(setting.epochSeconds),
  };
}

export function sameBudget(a: BudgetForm, b: BudgetForm): boolean {
  return a.enabled === b.enabled && a.messages === b.messages && a.seconds === b.seconds;
}

/** The setting that the form describes, or which fields are wrong. What is typed counts also where it is off. */
export function parseBudgetForm({ enabled, messages, seconds }: BudgetForm): Result<RateLimitSetting, BudgetErrors> {
  const messagesPerEpoch = wholeNumber(messages, BOUNDS.messages);
  const period = wholeNumber(seconds, BOUNDS.seconds);
  if (messagesPerEpoch !== undefined && period !== undefined) {
    return ok({ enabled, epochSeconds: period, messagesPerEpoch });
  }
  return err({
    ...(messagesPerEpoch === undefined ? { messages: BOUNDS.messages } : {}),
    ...(period === undefined ? { seconds: BOUNDS.seconds } : {}),
  });
}

function wholeNumber(text: string, { min, max }: { readonly min: number; readonly max: number }): number | undefined {
  if (!/^\d{1,9}$/.test(text.trim())) return undefined;
  const value = Number(text);
  return value >= min && value <= max ? value : undefined;
}
