import type { Connection, Libp2p } from "@libp2p/interface";
import type { Clock } from "../../src/common/clock.ts";
import type { Faults } from "./faults.ts";
import { PushStream } from "./push-stream.ts";

/** Milliseconds that the delivery of a message waits for a peer that does not read. */
const PATIENCE_MS = 20_000;

/** Sends the pushes of the filter, with the faults that a test asked for. */
export class Pusher {
  readonly #clock: Clock;
  readonly #faults: Faults;
  readonly #streams = new WeakMap<Connection, Promise<PushStream>>();
  readonly #held = new Map<string, Uint8Array[]>();

  constructor(clock: Clock, faults: Faults) {
    this.#clock = clock;
    this.#faults = faults;
  }

  async push(libp2p: Libp2p, peer: string, push: Uint8Array): Promise<void> {
    const fault = this.#faults.takePush();
    switch (fault?.kind) {
      case undefined:
        return this.#send(libp2p, peer, push);
      case "drop":
        return;
      case "delay":
        this.#clock.after(fault.ms, () => void this.#send(libp2p, peer, push));
        return;
      case "duplicate":
        for (let copy = 0; copy < fault.copies; copy++) await this.#send(libp2p, peer, push);
        return;
      case "reorder": {
        const held = this.#held.get(peer) ?? [];
        if (held.length === 0) void this.#faults.cleared().then(() => this.#release(libp2p, peer));
        this.#held.set(peer, [...held, push]);
        if (held.length + 1 >= fault.window) await this.#release(libp2p, peer);
      }
    }
  }

  async #release(libp2p: Libp2p, peer: string): Promise<void> {
    const held = this.#held.get(peer) ?? [];
    this.#held.delete(peer);
    for (const push of held.toReversed()) await this.#send(libp2p, peer, push);
  }

  async #send(libp2p: Libp2p, peer: string, push: Uint8Array): Promise<void> {
    const connection = libp2p
      .getConnections()
      .find(({ remotePeer, status }) => status === "open" && remotePeer.toString() === peer);
    // What cannot be pushed is gone: the store has it.
    if (connection === undefined) return;
    const opening =
      this.#streams.get(connection) ?? PushStream.open(connection, () => this.#streams.delete(connection));
    this.#streams.set(connection, opening);
    let cancel = (): void => {};
    const impatience = new Promise<void>((resolve) => {
      cancel = this.#clock.after(PATIENCE_MS, resolve);
    });
    try {
      await Promise.race([opening.then((stream) => stream.write(push)), impatience]);
    } catch {
      this.#streams.delete(connection);
    } finally {
      cancel();
    }
  }
}
