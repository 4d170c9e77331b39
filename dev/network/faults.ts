import type { ArchivePage } from "./archive.ts";
import type { ServiceName, Status } from "./protocols.ts";

/** What a node does wrong with one request. */
export type Fault =
  /** Answers with this status and does nothing. */
  | { readonly kind: "refuse"; readonly status: Status }
  /** Does its work only after this many milliseconds. */
  | { readonly kind: "delay"; readonly ms: number }
  /** Never answers; the work is done only if `processed`. */
  | { readonly kind: "drop"; readonly processed?: boolean }
  /** Sends half of its answer, then resets the stream; the work is done unless `processed` is false. */
  | { readonly kind: "cut"; readonly processed?: boolean }
  /** Stands still until the fault is cleared, as a paused process does; then goes on. */
  | { readonly kind: "hold" };

/** What a node does wrong with the pushes of its filter. */
export type PushFault =
  | { readonly kind: "drop" }
  | { readonly kind: "delay"; readonly ms: number }
  /** Pushes each message this many times. */
  | { readonly kind: "duplicate"; readonly copies: number }
  /** Gathers this many pushes of a peer, or what came until the fault is cleared, then sends them newest first. */
  | { readonly kind: "reorder"; readonly window: number };

interface Switched<T> {
  readonly fault: T;
  left: number;
}

/** The faults of one node, switched by tests while it runs. */
export class Faults {
  readonly #requests = new Map<ServiceName, Switched<Fault>>();
  #pushes: Switched<PushFault> | undefined;
  #released: (() => void)[] = [];
  #awaited: { readonly service: ServiceName; readonly resolve: () => void }[] = [];

  /** Publishes to nobody and hears nobody, as a node without relay peers: lightpush answers 505. */
  noRelayPeers = false;
  /** Changes pages of the store before they are sent. */
  tamperStore: ((page: ArchivePage) => ArchivePage) | undefined;

  /** Chooses the fault of each request that none was set for, for runs that leave it to chance. */
  choose: ((service: ServiceName) => Fault | undefined) | undefined;

  /** Applies `fault` to the next `times` requests of `service`: by default to all until cleared. */
  set(service: ServiceName, fault: Fault, times = Number.POSITIVE_INFINITY): void {
    this.#requests.set(service, { fault, left: times });
  }

  setPushes(fault: PushFault, times = Number.POSITIVE_INFINITY): void {
    this.#pushes = { fault, left: times };
  }

  /** Switches the faults of one service off, or everything; what was held goes on. */
  clear(service?: ServiceName): void {
    if (service === undefined) {
      this.#requests.clear();
      this.#pushes = undefined;
      this.noRelayPeers = false;
      this.tamperStore = undefined;
      this.choose = undefined;
    } else {
      this.#requests.delete(service);
      if (service === "filter") this.#pushes = undefined;
    }
    const released = this.#released;
    this.#released = [];
    for (const release of released) release();
  }

  /** Resolves at the next `clear`. */
  cleared(): Promise<void> {
    return new Promise((resolve) => this.#released.push(resolve));
  }

  /** Resolves when the next request of `service` has met its fault. */
  struck(service: ServiceName): Promise<void> {
    return new Promise((resolve) => this.#awaited.push({ service, resolve }));
  }

  /** The fault of the request that has just arrived. */
  takeRequest(service: ServiceName): Fault | undefined {
    const switched = this.#requests.get(service);
    if (switched === undefined) return this.choose?.(service);
    if (--switched.left <= 0) this.#requests.delete(service);
    const awaited = this.#awaited.filter((each) => each.service === service);
    this.#awaited = this.#awaited.filter((each) => each.service !== service);
    for (const { resolve } of awaited) resolve();
    return switched.fault;
  }

  /** The fault of the push that is about to go out. */
  takePush(): PushFault | undefined {
    const switched = this.#pushes;
    if (switched === undefined) return undefined;
    if (--switched.left <= 0) this.#pushes = undefined;
    return switched.fault;
  }
}
