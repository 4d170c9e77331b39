import { LIMITS } from "../limits.ts";
import type { PeerName } from "./service-nodes.ts";

/** Which service nodes did not answer lately. They are used only where there is no other. */
export class PeerHealth {
  readonly #failedAt = new Map<PeerName, number>();

  failed(peer: PeerName, now: number): void {
    this.#failedAt.set(peer, now);
  }

  answered(peer: PeerName): void {
    this.#failedAt.delete(peer);
  }

  /** `peers` with the ones that failed lately at the end, the longest ago first among them. */
  order(peers: readonly PeerName[], now: number): readonly PeerName[] {
    const penalty = (peer: PeerName) => {
      const at = this.#failedAt.get(peer);
      return at === undefined || now - at >= LIMITS.messaging.peerFailureMs ? 0 : at;
    };
    return peers.toSorted((a, b) => penalty(a) - penalty(b));
  }

  healthy(peer: PeerName, now: number): boolean {
    const at = this.#failedAt.get(peer);
    return at === undefined || now - at >= LIMITS.messaging.peerFailureMs;
  }
}
