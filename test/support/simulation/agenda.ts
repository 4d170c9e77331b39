/** What is to happen when, on a clock that jumps from one event to the next. A binary heap; equal times keep their order. */
interface Appointment {
  readonly at: number;
  readonly order: number;
  readonly happen: () => void;
}

export class Agenda {
  readonly #heap: Appointment[] = [];
  #order = 0;
  #now: number;

  constructor(now: number) {
    this.#now = now;
  }

  get now(): number {
    return this.#now;
  }

  /** What lies in the past happens now. */
  at(time: number, happen: () => void): void {
    this.#heap.push({ at: Math.max(time, this.#now), order: this.#order++, happen });
    this.#rise(this.#heap.length - 1);
  }

  /** Lets the next event happen, if there is one until `end`. */
  step(end: number): boolean {
    const [first] = this.#heap;
    if (first === undefined || first.at > end) return false;
    const last = this.#heap.pop();
    if (last !== undefined && last !== first) {
      this.#heap[0] = last;
      this.#sink();
    }
    this.#now = first.at;
    first.happen();
    return true;
  }

  #rise(from: number): void {
    let child = from;
    while (child > 0) {
      const parent = (child - 1) >>> 1;
      if (!this.#isEarlier(child, parent)) return;
      this.#swap(child, parent);
      child = parent;
    }
  }

  #sink(): void {
    let parent = 0;
    for (;;) {
      const left = 2 * parent + 1;
      let earliest = parent;
      if (this.#isEarlier(left, earliest)) earliest = left;
      if (this.#isEarlier(left + 1, earliest)) earliest = left + 1;
      if (earliest === parent) return;
      this.#swap(parent, earliest);
      parent = earliest;
    }
  }

  #isEarlier(i: number, j: number): boolean {
    const [a, b] = [this.#heap[i], this.#heap[j]];
    if (a === undefined || b === undefined) return false;
    return a.at < b.at || (a.at === b.at && a.order < b.order);
  }

  #swap(i: number, j: number): void {
    const [a, b] = [this.#heap[i], this.#heap[j]];
    if (a === undefined || b === undefined) return;
    this.#heap[i] = b;
    this.#heap[j] = a;
  }
}
