/**
 * Which prompt is shown: one after another, each until it is answered. A prompt that the background no longer has, and
 * that was not answered here, is expired, and stays on screen as such until the person goes on.
 */
import type { UiPrompt } from "./background-api.ts";

export interface PromptQueue {
  /** The prompt on screen. */
  readonly shown: UiPrompt | undefined;
  readonly expired: boolean;
  /** Prompts that this page answered, or is answering. */
  readonly answered: ReadonlySet<string>;
  /** Prompts that wait behind the one on screen. */
  readonly waiting: readonly UiPrompt[];
}

export const EMPTY_QUEUE: PromptQueue = { shown: undefined, expired: false, answered: new Set(), waiting: [] };

/** The prompts that the background has, oldest first. */
export function withPrompts(queue: PromptQueue, prompts: readonly UiPrompt[]): PromptQueue {
  const open = prompts.filter(({ id }) => !queue.answered.has(id));
  const { shown } = queue;
  if (shown === undefined || queue.answered.has(shown.id)) {
    return { ...queue, shown: open[0], expired: false, waiting: open.slice(1) };
  }
  const still = open.find(({ id }) => id === shown.id);
  return {
    ...queue,
    shown: still ?? shown,
    expired: still === undefined,
    waiting: open.filter(({ id }) => id !== shown.id),
  };
}

/** The prompt on screen is answered, or expired and read: the next one comes. */
export function answered(queue: PromptQueue): PromptQueue {
  if (queue.shown === undefined) return queue;
  const done = new Set(queue.answered).add(queue.shown.id);
  return { shown: queue.waiting[0], expired: false, answered: done, waiting: queue.waiting.slice(1) };
}

/** Position of the prompt on screen among all that this page saw or waits for. */
export function position(queue: PromptQueue): { readonly position: number; readonly total: number } {
  const position = queue.answered.size + 1;
  return { position, total: position + queue.waiting.length };
}
