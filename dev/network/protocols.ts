/** The protocols of a Waku service node, by the names that libp2p negotiates. */
export const CODEC = {
  relay: "/vac/waku/relay/2.0.0",
  metadata: "/vac/waku/metadata/1.0.0",
  lightpush: "/vac/waku/lightpush/3.0.0",
  lightpushLegacy: "/vac/waku/lightpush/2.0.0-beta1",
  filterSubscribe: "/vac/waku/filter-subscribe/2.0.0-beta1",
  filterPush: "/vac/waku/filter-push/2.0.0-beta1",
  store: "/vac/waku/store-query/3.0.0",
  peerExchange: "/vac/waku/peer-exchange/2.0.0-alpha1",
} as const;

/** What a test can switch faults on for, and what the request log is kept by. */
export type ServiceName = "metadata" | "lightpush" | "lightpushLegacy" | "filter" | "store" | "peerExchange";

/** The outcome of a request as the protocols word it. */
export interface Status {
  readonly code: number;
  readonly desc?: string | undefined;
}

export const SUCCESS = 200;
export const BAD_RESPONSE = 300;
export const BAD_REQUEST = 400;
export const NOT_FOUND = 404;
export const INVALID_MESSAGE = 420;
export const TOO_MANY_REQUESTS = 429;
export const INTERNAL_ERROR = 500;
export const SERVICE_UNAVAILABLE = 503;
export const NO_PEERS_TO_RELAY = 505;

/** The request id of answers to requests that the node did not read or could not decode. */
export const NO_REQUEST_ID = "N/A";

/** What a protocol makes of one request. */
export interface Answer {
  readonly bytes: Uint8Array;
  readonly status: Status;
  /** Deterministic hashes (hex) of the messages that the request carried or asked for. */
  readonly hashes: readonly string[];
}

/** A request-response protocol of the node, without any I/O of its own. */
export interface Protocol {
  readonly service: ServiceName;
  readonly codec: string;
  /** The answer of a node that admits no more requests. */
  readonly tooMany: Status;
  /** The answer to one request, or `undefined` where the node closes the stream without a word. */
  answer(request: Uint8Array, from: string): Promise<Answer | undefined> | Answer | undefined;
  /** A refusal with this status, in the protocol's own layout. */
  refusal(requestId: string, status: Status): Uint8Array;
}
