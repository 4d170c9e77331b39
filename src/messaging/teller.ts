import type { MessagingEvent, MessagingListener } from "../channel/ports.ts";

/** Tells the listener of one event at a time per subject, in the order told. */
export class Teller {
  #listener: MessagingListener | undefined;
  readonly #tails = new Map<string, Promise<unknown>>();

  listen(listener: MessagingListener): void {
    this.#listener = listener;
  }

  /** Whether everything that the event caused is durable. A listener that throws could not make it so. */
  tell(subject: string, event: MessagingEvent): Promise<boolean> {
    const before = this.#tails.get(subject);
    const told = (async () => {
      await before;
      try {
        return (await this.#listener?.(event)) === true;
      } catch {
        return false;
      }
    })();
    this.#tails.set(subject, told);
    void told.then(() => {
      if (this.#tails.get(subject) === told) this.#tails.delete(subject);
    });
    return told;
  }
}
