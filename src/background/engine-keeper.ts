/**
 * Keeps one engine running, whatever happens to it: a start that fails is tried again, an engine that breaks is replaced,
 * and so is one whose settings changed. Ports wait for the engine that will serve them.
 */
import type { Clock } from "../common/clock.ts";
import { LIMITS } from "../limits.ts";
import type { HeldPort } from "../provider/runtime-port.ts";
import type { Engine } from "./engine.ts";

const { restartMaxMs, restartMs, stopMs } = LIMITS.background;

/** One engine, from its start on. */
interface Life {
  broken: boolean;
}

export class EngineKeeper {
  readonly #start: (onBroken: () => void) => Promise<Engine>;
  readonly #clock: Clock;
  /** The engine that serves, now or once it runs. Never rejects. */
  #engine: Promise<Engine>;
  /** The engine that serves now. One that was replaced may still fail, which is then nobody's business. */
  #serving: Life | undefined;
  /** A successor is due and has not begun, so it will begin from everything that is known by now. */
  #replacing = false;
  #failures = 0;

  /** Starts at once. `start` begins from storage; it is told what to call if the engine cannot go on. */
  constructor(start: (onBroken: () => void) => Promise<Engine>, clock: Clock) {
    this.#start = start;
    this.#clock = clock;
    this.#engine = this.#run();
  }

  serve(port: HeldPort): void {
    void this.#engine.then((engine) => engine.accept(port));
  }

  /** Ends the engine and begins the next one, for which something was changed. */
  replace(): void {
    this.#replace(async () => {});
  }

  #replace(before: () => Promise<void>): void {
    if (this.#replacing) return;
    this.#replacing = true;
    const last = this.#engine;
    this.#engine = (async () => {
      const engine = await last;
      this.#serving = undefined;
      await this.#stop(engine);
      await before();
      return this.#run();
    })();
  }

  async #run(): Promise<Engine> {
    for (;;) {
      this.#replacing = false;
      const life: Life = { broken: false };
      const startedAt = this.#clock.now();
      const broke = (): Promise<void> => {
        if (this.#clock.now() - startedAt >= restartMaxMs) this.#failures = 0;
        return this.#pause();
      };
      const onBroken = (): void => {
        life.broken = true;
        if (this.#serving === life) this.#replace(broke);
      };
      const engine = await this.#start(onBroken).catch(() => undefined);
      if (engine && !life.broken) {
        this.#serving = life;
        return engine;
      }
      if (engine) await this.#stop(engine);
      await broke();
    }
  }

  /** An engine that does not come to its end does not hold up the next one. */
  async #stop(engine: Engine): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(stopMs, resolve);
      const done = (): void => {
        cancel();
        resolve();
      };
      engine.stop().then(done, done);
    });
  }

  /** What breaks again and again, such as a full disk, is not helped by trying harder. */
  async #pause(): Promise<void> {
    const delayMs = Math.min(restartMs * 2 ** this.#failures++, restartMaxMs);
    await new Promise<void>((resolve) => this.#clock.after(delayMs, resolve));
  }
}
