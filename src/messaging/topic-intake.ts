import type { ReceivedMessage } from "../channel/ports.ts";
import { LIMITS } from "../limits.ts";

/** What became of a message that was offered. */
export type Intake = "handled" | "failed" | "full";

/** The messages of one content topic on their way to the listener: one at a time, in order, bounded. */
export class TopicIntake {
  readonly #handle: (message: ReceivedMessage) => Promise<boolean>;
  #tail: Promise<unknown> = Promise.resolve();
  #messages = 0;
  #bytes = 0;

  /** `handle` resolves `true` once what the message caused is durable. */
  constructor(handle: (message: ReceivedMessage) => Promise<boolean>) {
    this.#handle = handle;
  }

  async offer(message: ReceivedMessage): Promise<Intake> {
    const bytes = message.payload.length;
    if (this.#messages >= LIMITS.messaging.intakeMessages || this.#bytes + bytes > LIMITS.messaging.intakeBytes)
      return "full";
    this.#messages++;
    this.#bytes += bytes;
    const handled = this.#tail.then(() => this.#handle(message));
    this.#tail = handled;
    const ok = await handled;
    this.#messages--;
    this.#bytes -= bytes;
    return ok ? "handled" : "failed";
  }
}
