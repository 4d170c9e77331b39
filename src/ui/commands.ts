/** How views give commands: with a notice of what came of it, or with the answer in their own hands. */
import type { Result } from "../common/result.ts";
import type { UiCommand, UiCommandValue } from "./background-api.ts";
import type { CommandError } from "./background-link.ts";
import { errorWords, type NoticeText } from "./notice.ts";

export interface Commands {
  /** The answer and nothing more. */
  ask<C extends UiCommand>(command: C): Promise<Result<UiCommandValue<C>, CommandError>>;
  /** Shows `done` where it worked, and the error in words where it did not. */
  run<C extends UiCommand>(command: C, done: string): Promise<Result<UiCommandValue<C>, CommandError>>;
  tell(notice: NoticeText): void;
}

export function createCommands(ask: Commands["ask"], tell: Commands["tell"]): Commands {
  return {
    ask,
    tell,
    async run(command, done) {
      const answer = await ask(command);
      tell(answer.ok ? { tone: "done", text: done } : { tone: "failed", text: errorWords(answer.error) });
      return answer;
    },
  };
}
