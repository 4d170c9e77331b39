/** The network that browsers of a test meet on: two service nodes in memory, and time that passes faster than outside. */

import type { Clock } from "../../../src/common/clock.ts";
import { ok } from "../../../src/common/result.ts";
import type { MockNetwork, MockNetworkOptions, MockProvider, MockProviderOptions } from "./api.ts";
import { Browser } from "./browser.ts";
import { FakeNetwork, type FakeNode } from "./fake-service-nodes.ts";
import { provideHexadecimal } from "./hexadecimal.ts";
import { afterOutside } from "./macrotask.ts";
import { VirtualClock } from "./virtual-clock.ts";

const SPEED = 100;
/** Milliseconds outside between two steps of time. */
const STEP_MS = 10;
const KEY_BYTES = 32;
/** Of the lightpush protocol: the message itself is refused. */
const REFUSED = 420;
const RELAYED = { status: 200, statusText: "", relayPeerCount: 1 };

export function createMockNetwork(options: MockNetworkOptions = {}): MockNetwork {
  provideHexadecimal();
  return new Network(options);
}

class Network implements MockNetwork {
  readonly #clock = new VirtualClock(Date.now());
  readonly #network = new FakeNetwork();
  readonly #sharedKey = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  readonly #browsers: Browser[] = [];
  readonly #speed: number;
  #passing: Promise<void> = Promise.resolve();
  #cancelStep: () => void = () => {};
  #closed = false;
  #online = true;
  #losing = 0;
  #refusal: string | undefined;

  constructor({ speed = SPEED }: MockNetworkOptions) {
    this.#speed = speed;
    for (const name of ["first", "second"]) this.#serve(this.#network.node(name));
    if (speed > 0) this.#stepLater();
  }

  now(): number {
    return this.#clock.now();
  }

  advance(ms: number): Promise<void> {
    this.#passing = this.#passing.then(() => this.#clock.advance(ms));
    return this.#passing;
  }

  createProvider(options: MockProviderOptions = {}): MockProvider {
    const clock: Clock = this.#clock;
    const parts = { clock, network: this.#network, sharedKey: this.#sharedKey, isOnline: () => this.#online };
    const browser = new Browser(parts, options);
    this.#browsers.push(browser);
    return browser;
  }

  offline(): void {
    this.#setOnline(false);
  }

  online(): void {
    this.#setOnline(true);
  }

  lose(count = 1): void {
    this.#losing = count;
  }

  refuse(reason: string | undefined): void {
    this.#refusal = reason;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelStep();
    for (const browser of this.#browsers) browser.end();
    await this.#passing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #serve(node: FakeNode): void {
    node.answerLightpush = (pubsubTopic, message) => {
      if (!message.ephemeral) {
        if (this.#refusal !== undefined) return ok({ status: REFUSED, statusText: this.#refusal, relayPeerCount: 0 });
        if (this.#losing > 0) {
          this.#losing--;
          return ok(RELAYED);
        }
      }
      this.#network.publish(pubsubTopic, message);
      return ok(RELAYED);
    };
  }

  #setOnline(online: boolean): void {
    this.#online = online;
    for (const browser of this.#browsers) browser.connectionChanged();
  }

  /** Time passes only while the test lets anything happen: whoever debugs it may take their time. */
  #stepLater(): void {
    this.#cancelStep = afterOutside(STEP_MS, () => {
      void this.advance(STEP_MS * this.#speed).then(() => {
        if (!this.#closed) this.#stepLater();
      });
    });
  }
}
