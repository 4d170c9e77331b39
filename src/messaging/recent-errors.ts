import type { Clock } from "../common/clock.ts";
import type { Result } from "../common/result.ts";
import { LIMITS } from "../limits.ts";
import type { Answer, ServiceNodes } from "./service-nodes.ts";

export interface RecentError {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** Which service of which peer, and its words or ours: neither keys nor content. */
  readonly what: string;
}

const OK = 200;

/** What went wrong lately on the way to service nodes, for diagnostics. */
export class RecentErrors {
  readonly #clock: Clock;
  #errors: RecentError[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(what: string): void {
    this.#errors = [...this.#errors, { at: this.#clock.now(), what }].slice(-LIMITS.messaging.lastErrors);
  }

  /** The latest last. */
  list(): readonly RecentError[] {
    return this.#errors;
  }

  /** The same service nodes, with every request that fails noted. */
  watching(nodes: ServiceNodes): ServiceNodes {
    const noted = async <T extends Answer>(what: string, asked: Promise<Result<T>>): Promise<Result<T>> => {
      const answer = await asked;
      if (!answer.ok) this.note(`${what}: ${answer.error}`);
      else if (answer.value.status !== OK) this.note(`${what}: ${answer.value.status} ${answer.value.statusText}`);
      return answer;
    };
    return {
      listen: (listener) => nodes.listen(listener),
      start: () => nodes.start(),
      stop: () => nodes.stop(),
      networkChanged: () => nodes.networkChanged(),
      peers: (service, pubsubTopic) => nodes.peers(service, pubsubTopic),
      lightpush: (peer, ...rest) => noted(`lightpush ${peer}`, nodes.lightpush(peer, ...rest)),
      storeQuery: (peer, query) => noted(`store ${peer}`, nodes.storeQuery(peer, query)),
      filterSubscribe: (peer, ...rest) => noted(`filter ${peer}`, nodes.filterSubscribe(peer, ...rest)),
      filterUnsubscribe: (peer, ...rest) => noted(`filter ${peer}`, nodes.filterUnsubscribe(peer, ...rest)),
      filterPing: (peer) => noted(`filter ${peer}`, nodes.filterPing(peer)),
    };
  }
}
