/** One life of a background, and its end: whatever it still does after that changes nothing. */
import type { Storage } from "../../../src/channel/ports.ts";
import type { Clock } from "../../../src/common/clock.ts";
import type { HeldPort } from "../../../src/provider/runtime-port.ts";
import { type Background, type BackgroundParts, startBackground } from "./background.ts";
import { type FakeNetwork, FakeServiceNodes } from "./fake-service-nodes.ts";

export class Life {
  readonly background: Promise<Background>;
  readonly nodes: FakeServiceNodes;
  readonly #ports: HeldPort[] = [];
  #isOver = false;

  constructor({ network, ...parts }: Omit<BackgroundParts, "nodes"> & { readonly network: FakeNetwork }) {
    const { clock, disk } = parts;
    this.nodes = new FakeServiceNodes(network, () => clock.now());
    this.background = startBackground({
      ...parts,
      disk: this.#disk(disk),
      clock: this.#clock(clock),
      nodes: this.nodes,
    });
  }

  accept(port: HeldPort): void {
    this.#ports.push(port);
    void this.background.then((background) => {
      if (!this.#isOver) background.accept(port);
    });
  }

  end(): void {
    this.#isOver = true;
    void this.nodes.stop();
    for (const port of this.#ports) port.close();
  }

  #disk(disk: Storage): Storage {
    const unlessOver = <T>(work: () => Promise<T>): Promise<T> => (this.#isOver ? new Promise(() => {}) : work());
    return {
      commit: (changes) => unlessOver(() => disk.commit(changes)),
      get: (table, key) => unlessOver(() => disk.get(table, key)),
      scan: (table, scope, range) => unlessOver(() => disk.scan(table, scope, range)),
    };
  }

  #clock(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      after: (delayMs, callback) =>
        clock.after(delayMs, () => {
          if (!this.#isOver) callback();
        }),
    };
  }
}
