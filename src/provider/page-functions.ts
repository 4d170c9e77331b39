/**
 * The functions of mode `page` that one page has, as the background calls them: asked over the page's port, answered
 * within `LIMITS.provider.cipherMs` of the page having taken the call. A page that does not even take it is frozen, and
 * loses its port (`page-session.ts`).
 */
import type { Bytes } from "../common/bytes.ts";
import type { Clock } from "../common/clock.ts";
import { LIMITS } from "../limits.ts";
import type { CipherFrame, CipherOperation, Push } from "./frames.ts";

const { cipherMs } = LIMITS.provider;

/** What became of a call. `away`: the page went before it answered. */
export type FunctionCall =
  | { readonly outcome: "done"; readonly output: Bytes }
  | { readonly outcome: "refused"; readonly reason: string }
  | { readonly outcome: "away" };

export interface PageFunctionsParts {
  /** Pushes to the page; calls `taken` when the page has it. */
  readonly push: (body: Push, taken: () => void) => void;
  readonly clock: Clock;
  /** An identifier that no call of any life of the background ever had. */
  readonly newId: () => string;
}

export class PageFunctions {
  readonly #parts: PageFunctionsParts;
  /** How each call that is under way ends. */
  readonly #underWay = new Map<string, (came: FunctionCall) => void>();

  constructor(parts: PageFunctionsParts) {
    this.#parts = parts;
  }

  /** The page has none any more. */
  end(): void {
    for (const settle of [...this.#underWay.values()]) settle({ outcome: "away" });
  }

  call(channelId: string, operation: CipherOperation["operation"], input: Bytes): Promise<FunctionCall> {
    const { push, clock, newId } = this.#parts;
    return new Promise((resolve) => {
      const operationId = newId();
      let cancel = () => {};
      const settle = (came: FunctionCall): void => {
        if (!this.#underWay.delete(operationId)) return;
        cancel();
        resolve(came);
      };
      const late = (): void => {
        settle({ outcome: "refused", reason: `the page's ${operation} did not answer within ${cipherMs / 1000} s` });
      };
      this.#underWay.set(operationId, settle);
      push({ kind: "cipher", channelId, operationId, operation, input }, () => {
        if (this.#underWay.has(operationId)) cancel = clock.after(cipherMs, late);
      });
    });
  }

  /** Answers to calls that nobody waits for, or that another page was asked, are nothing. */
  answered(frame: CipherFrame): void {
    const settle = this.#underWay.get(frame.operationId);
    if (frame.ok) settle?.({ outcome: "done", output: frame.output });
    else settle?.({ outcome: "refused", reason: frame.reason });
  }
}
