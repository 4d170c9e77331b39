import type { ServiceName } from "./protocols.ts";

/** Entries kept; beyond it the oldest goes. */
const ENTRIES = 20_000;

export interface SeenRequest {
  readonly service: ServiceName;
  readonly codec: string;
  readonly peer: string;
  /** Milliseconds, when its answer was ready. */
  readonly at: number;
  /** The status answered, or `undefined` where there was no answer. */
  readonly statusCode: number | undefined;
  /** Message hashes (hex) that the request carried or asked for. */
  readonly hashes: readonly string[];
}

/** Every request that one node has seen. */
export class RequestLog {
  readonly #entries: SeenRequest[] = [];
  #waiting: { readonly wanted: (request: SeenRequest) => boolean; readonly resolve: (request: SeenRequest) => void }[] =
    [];

  note(request: SeenRequest): void {
    this.#entries.push(request);
    if (this.#entries.length > ENTRIES) this.#entries.shift();
    const met = this.#waiting.filter(({ wanted }) => wanted(request));
    this.#waiting = this.#waiting.filter((waiting) => !met.includes(waiting));
    for (const { resolve } of met) resolve(request);
  }

  of(service: ServiceName): readonly SeenRequest[] {
    return this.#entries.filter((entry) => entry.service === service);
  }

  count(service: ServiceName): number {
    return this.of(service).length;
  }

  /** The next request of `service` from now on, or the next that is `wanted`. */
  next(service: ServiceName, wanted: (request: SeenRequest) => boolean = () => true): Promise<SeenRequest> {
    return new Promise((resolve) =>
      this.#waiting.push({ wanted: (request) => request.service === service && wanted(request), resolve }),
    );
  }

  clear(): void {
    this.#entries.length = 0;
  }
}
