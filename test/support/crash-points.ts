/** The boundaries that a run passes, and those at which it is to be killed. */
export class CrashPoints {
  readonly labels: string[] = [];
  readonly #crashAt: readonly number[];

  /** @param crashAt positions of boundaries, from 0, counted on over every life. */
  constructor(...crashAt: readonly number[]) {
    this.#crashAt = crashAt;
  }

  /** Where it was killed first. */
  get crashedAt(): string | undefined {
    const [first] = this.#crashAt;
    return first === undefined ? undefined : this.labels[first];
  }

  /** Passes a boundary. Whether life goes on. */
  pass(label: string): boolean {
    this.labels.push(label);
    return !this.#crashAt.includes(this.labels.length - 1);
  }
}
