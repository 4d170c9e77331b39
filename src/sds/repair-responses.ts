import { OrderedIndex } from "../common/ordered-index.ts";
import type { RepairRow, SdsTables } from "./tables.ts";

export interface RepairBounds {
  readonly repairMinMs: number;
  readonly repairs: number;
}

/** The incoming repair request buffer of LIP-109: messages that someone misses and that we may have to send again. */
export class RepairResponses {
  readonly #repairs: SdsTables["repairs"];
  readonly #bounds: RepairBounds;
  readonly #byDue: OrderedIndex<RepairRow>;

  constructor(repairs: SdsTables["repairs"], bounds: RepairBounds) {
    this.#repairs = repairs;
    this.#bounds = bounds;
    this.#byDue = new OrderedIndex(repairs, ({ dueMs }) => dueMs);
  }

  /** A request is heard. Asked again, the answer is not put off; answered a moment ago, it is not answered again. */
  requested(messageId: string, dueMs: number): void {
    if (this.#repairs.has(messageId) || this.#repairs.size >= this.#bounds.repairs) return;
    this.#repairs.put(messageId, { dueMs, answered: false });
  }

  /** The message was heard again: someone else has answered. */
  heard(messageId: string, ms: number): void {
    if (this.#repairs.get(messageId)?.answered === false) this.#answered(messageId, ms);
  }

  nextDueMs(): number | undefined {
    return this.#byDue.first()?.order;
  }

  /** What is to be sent again at the awake time `ms`. */
  takeDue(ms: number): readonly string[] {
    const answers: string[] = [];
    for (let first = this.#byDue.first(); first && first.order <= ms; first = this.#byDue.first()) {
      if (this.#repairs.get(first.key)?.answered) this.#repairs.delete(first.key);
      else {
        answers.push(first.key);
        this.#answered(first.key, ms);
      }
    }
    return answers;
  }

  #answered(messageId: string, ms: number): void {
    this.#repairs.put(messageId, { dueMs: ms + this.#bounds.repairMinMs, answered: true });
  }
}
