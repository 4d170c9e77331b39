/** The boundaries that a run passes, and the one at which it is to be killed. */
export class CrashPoints {
  readonly labels: string[] = [];
  readonly #crashAt: number | undefined;

  /** @param crashAt position of the boundary, from 0; none if absent. */
  constructor(crashAt?: number) {
    this.#crashAt = crashAt;
  }

  /** Where it was killed. */
  get crashedAt(): string | undefined {
    return this.#crashAt === undefined ? undefined : this.labels[this.#crashAt];
  }

  /** Passes a boundary. Whether life goes on. */
  pass(label: string): boolean {
    this.labels.push(label);
    return this.labels.length - 1 !== this.#crashAt;
  }
}
