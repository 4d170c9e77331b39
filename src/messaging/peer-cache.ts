import type { Transactor } from "../common/transactor.ts";
import { LIMITS } from "../limits.ts";
import type { MessagingTables, PeerRow } from "./messaging-tables.ts";
import type { PeerName } from "./service-nodes.ts";

/**
 * The service nodes of one network that were of use, in IndexedDB: a restarted worker dials them at once, before any list
 * is read. `@waku/sdk` keeps its cache in `localStorage`, which a worker lacks.
 */
export class PeerCache {
  readonly #tables: MessagingTables;
  readonly #transactor: Transactor;
  readonly #clusterId: number;

  constructor(tables: MessagingTables, transactor: Transactor, clusterId: number) {
    this.#tables = tables;
    this.#transactor = transactor;
    this.#clusterId = clusterId;
  }

  /** Multiaddrs with peer ids, the most recently used first. */
  addresses(): readonly string[] {
    return this.#peers()
      .map(({ address }) => address)
      .toReversed();
  }

  /** Notes that the peer serves at `address`, at `now` in milliseconds since the Unix epoch. */
  serves(peer: PeerName, address: string, now: number): void {
    const known = this.#peers().find((row) => row.peer === peer);
    if (known?.address === address && now - known.seenAt < LIMITS.messaging.cacheNoteMs) return;
    const others = this.#peers().filter((row) => row.peer !== peer);
    this.#put([...others, { peer, address, seenAt: now }].slice(-LIMITS.messaging.cachedPeers));
  }

  /** The address answers no more. */
  forget(address: string): void {
    const others = this.#peers().filter((row) => row.address !== address);
    if (others.length < this.#peers().length) this.#put(others);
  }

  #peers(): readonly PeerRow[] {
    return this.#tables.learned(this.#clusterId).peers;
  }

  #put(peers: readonly PeerRow[]): void {
    const event = () => this.#tables.putLearned(this.#clusterId, { ...this.#tables.learned(this.#clusterId), peers });
    // It fails only with its transactor, whose owner then starts again from storage; a lost note is nothing beside that.
    this.#transactor.run(event).catch(() => {});
  }
}
