/** What an answer of a lightpush node means for the message. Status codes of WAKU2-LIGHTPUSH v3. */
import type { LightpushAnswer } from "./service-nodes.ts";

export type LightpushVerdict =
  /** Relayed to at least one peer. */
  | "propagated"
  /** Nobody to relay to, or the same bytes came before: it may be out all the same. */
  | "no-relay-peers"
  /** The node wants fewer requests. */
  | "throttled"
  /** The node cannot now; another attempt may succeed. */
  | "unavailable"
  /** The message itself is refused. */
  | "refused"
  /** It is, for its size. */
  | "too-large";

const SUCCESS = 200;
const PAYLOAD_TOO_LARGE = 413;
const INVALID_MESSAGE = 420;
const TOO_MANY_REQUESTS = 429;
const INTERNAL_ERROR = 500;
const SERVICE_UNAVAILABLE = 503;
const OUT_OF_RLN_PROOF = 504;
const NO_PEERS_TO_RELAY = 505;
/** How a node words that a proof was stale rather than the message wrong, and that the message is too large. */
const RLN_FAILURE = "RLN validation failed";
const SIZE_EXCEEDED = "Message size exceeded";

export function verdictOf(answer: LightpushAnswer): LightpushVerdict {
  switch (answer.status) {
    case SUCCESS:
      return answer.relayPeerCount > 0 ? "propagated" : "no-relay-peers";
    case NO_PEERS_TO_RELAY:
      return "no-relay-peers";
    case TOO_MANY_REQUESTS:
      return "throttled";
    case INTERNAL_ERROR:
    case SERVICE_UNAVAILABLE:
    case OUT_OF_RLN_PROOF:
      return "unavailable";
    case PAYLOAD_TOO_LARGE:
      return "too-large";
    case INVALID_MESSAGE:
      if (answer.statusText.includes(RLN_FAILURE)) return "unavailable";
      return answer.statusText.includes(SIZE_EXCEEDED) ? "too-large" : "refused";
    default:
      return "refused";
  }
}
