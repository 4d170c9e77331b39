/** What a real service node was seen to answer: logos-delivery 0.38.1, two meshed nodes, cluster 3, 8 shards. */
import { readFileSync } from "node:fs";
import type { FilterKind, Muxer } from "./raw-client.ts";

/** The network that the vectors were captured on. */
export const CAPTURED_NETWORK = { clusterId: 3, shards: 8 } as const;
export const CAPTURED_METADATA = { clusterId: 3, shards: [0, 1, 2, 3, 4, 5, 6, 7] };

export interface CapturedStatus {
  readonly statusCode: number;
  readonly statusDesc: string | null;
  readonly relayPeerCount?: number | null;
  readonly requestIdEchoed?: boolean;
  readonly requestId?: string;
}

/** The status of an answer in the form in which the vectors have it. */
export function capturedForm(
  answer: { statusCode?: number; statusDesc?: string; relayPeerCount?: number; requestId: string },
  requestId: string,
): CapturedStatus {
  const echoed = answer.requestId === requestId;
  return {
    statusCode: answer.statusCode ?? 0,
    statusDesc: answer.statusDesc ?? null,
    relayPeerCount: answer.relayPeerCount ?? null,
    requestIdEchoed: echoed,
    ...(echoed ? {} : { requestId: answer.requestId }),
  };
}

/** The same of a vector, without what was only measured. */
export function expectedForm(response: CapturedStatus): CapturedStatus {
  const { statusCode, statusDesc, relayPeerCount = null, requestIdEchoed = true, requestId } = response;
  return { statusCode, statusDesc, relayPeerCount, requestIdEchoed, ...(requestIdEchoed ? {} : { requestId }) };
}

export interface UndecodableCase {
  readonly name: string;
  readonly muxer?: Muxer;
  readonly rawRequestHex: string;
}

export interface LightpushCase {
  readonly name: string;
  readonly muxer: Muxer;
  readonly request: {
    readonly pubsubTopic: string | null;
    readonly contentTopic: string;
    readonly payloadBytes: number;
    readonly timestamp?: string;
    readonly metaBytes: number;
    readonly ephemeral: boolean | null;
    readonly version: number | null;
  };
  readonly response: CapturedStatus;
  readonly archivedAtServiceNode: boolean | null;
  readonly archivedAtOtherNode: boolean | null;
  readonly pushedToFilterSubscriber: boolean | null;
}

export interface UndecodableAnswer extends UndecodableCase {
  readonly response: { readonly rawHex: string };
}

export interface RateSample {
  readonly at: number;
  readonly code: number;
}

export interface SkewRow {
  readonly offsetSeconds: number;
  readonly lightpushCode: number;
  readonly archived: boolean;
  readonly filterPushed: boolean;
}

export interface LightpushVectors {
  readonly cases: readonly (LightpushCase | UndecodableAnswer)[];
  readonly loneNode: {
    readonly response: CapturedStatus;
    readonly archived: boolean;
    readonly pushedToFilter: number;
    readonly again: CapturedStatus;
    readonly pushedToFilterAfterAgain: number;
  };
  readonly maxMessageSize: {
    readonly contentTopic: string;
    readonly largestAcceptedPayload: number;
    readonly smallestRejectedPayload: number;
    readonly withMeta22AndLongTopic: {
      readonly contentTopic: string;
      readonly metaBytes: number;
      readonly largestAcceptedPayload: number;
    };
  };
  readonly duplicates: {
    readonly byDelaySeconds: Readonly<
      Record<string, { readonly second: CapturedStatus; readonly secondAfterSeconds: number }>
    >;
    readonly storeRowsForTheSevenMessages: number;
    readonly filterPushesSeenInTotal: readonly string[];
  };
  readonly timestampSkew: { readonly rows: readonly SkewRow[] };
  readonly missingTimestamp: readonly {
    readonly name: "missing" | "zero";
    readonly response: CapturedStatus;
    readonly inStore: boolean;
  }[];
  readonly rateLimit: {
    readonly countsStreamOpensNotRequests: Readonly<
      Record<
        Muxer,
        {
          readonly opened: number;
          readonly states: Readonly<Record<string, number>>;
          readonly requestAfterwards: CapturedStatus;
          readonly lastStreamRead: string;
        }
      >
    >;
    readonly fresh_node_one_peer_yamux: { readonly first60: readonly RateSample[] };
    readonly warm_one_peer_yamux: { readonly first60: readonly RateSample[] };
    readonly second_peer_after_first_exhausted: {
      readonly p1: { readonly requests: number; readonly ok: number };
      readonly p2: { readonly requests: number; readonly ok: number };
    };
    readonly through_the_rejections_25_per_second: {
      readonly runs: readonly { readonly muxer: Muxer; readonly rejected: number; readonly status: string }[];
    };
  };
}

export interface FilterRequest {
  readonly type: FilterKind;
  readonly pubsubTopic: string | null;
  /** A list, or "100 topics". */
  readonly contentTopics: readonly string[] | string;
}

export interface TtlRun {
  readonly subscribe: CapturedStatus & { readonly at: number };
  readonly ticksReceived: number;
}

export interface FilterVectors {
  readonly cases: readonly {
    readonly name: string;
    readonly muxer: Muxer;
    readonly request: FilterRequest;
    readonly response: CapturedStatus;
  }[];
  readonly undecodable: readonly {
    readonly name: string;
    readonly muxer: Muxer;
    readonly rawRequestHex: string;
    readonly nextRequestOnSameConnection: CapturedStatus;
    readonly connection: string;
  }[];
  readonly duplicateSubscriptionPushes: number;
  readonly ownPublishIsPushedBack: number;
  readonly pushShape: {
    readonly pubsubTopic: string;
    readonly message: {
      readonly payload: string;
      readonly contentTopic: string;
      readonly version: number;
      readonly timestamp: string;
      readonly meta: string;
      readonly ephemeral: boolean;
    };
  };
  readonly pushStreams: Readonly<Record<Muxer, { readonly pushes: number; readonly distinctStreams: number }>>;
  readonly twoConnectionsSamePeerId: {
    readonly firstGot: number;
    readonly secondGot: number;
    readonly firstStatus: string;
    readonly secondStatus: string;
  };
  readonly reconnect: {
    readonly sameHostAfter1s: {
      readonly pushedWhileAwayAndDeliveredLater: number;
      readonly pushesAfterReconnectWithoutResubscribe: number;
      readonly ping: CapturedStatus;
    };
    readonly newHostSamePeerIdAfter92s: {
      readonly stoppedAt: number;
      readonly reconnectedAt: number;
      readonly pushesWithoutResubscribe: number;
      readonly ping: CapturedStatus;
    };
  };
  readonly ttl: {
    readonly sentAtSeconds: readonly number[];
    readonly plain: TtlRun & {
      readonly pingAfterExpiry: CapturedStatus & { readonly at: number };
      readonly unsubAfterExpiry: CapturedStatus;
      readonly resubscribe: CapturedStatus;
      readonly firstMissedTickSentAt: number;
    };
    readonly pingedOnceAt205s: TtlRun & { readonly ping: CapturedStatus & { readonly at: number } };
    readonly resubscribedOnceAt205s: TtlRun & { readonly resubscribe: CapturedStatus & { readonly at: number } };
  };
  readonly rateLimit: Readonly<
    Record<Muxer, { readonly byCode: Readonly<Record<string, number>>; readonly sample429: SampleOf429 }>
  >;
}

export interface SampleOf429 {
  readonly code: number;
  readonly desc: string;
  readonly requestId: string;
}

export interface StoreQuery {
  readonly contentTopics?: readonly string[];
  readonly pubsubTopic?: string;
  readonly includeData?: boolean;
  readonly timeStart?: string;
  readonly timeEnd?: string;
  readonly messageHashes?: readonly string[];
  readonly paginationCursor?: string;
  readonly paginationForward?: boolean;
  readonly paginationLimit?: string;
}

export interface StoreCase {
  readonly name: string;
  readonly muxer: Muxer;
  readonly query: StoreQuery;
  readonly response: CapturedStatus & {
    readonly count: number;
    readonly cursor: string | null;
    /** Numbers of the setup, hashes of other messages, or "0,1..18,19 (20)". */
    readonly indices: string | readonly (number | string)[];
    readonly firstEntryShape: { readonly hasMessage: boolean; readonly pubsubTopic: string | null } | null;
  };
}

export interface StoreVectors {
  readonly setup: {
    readonly contentTopic: string;
    readonly pubsubTopic: string;
    readonly baseTimestamp: string;
    readonly stepNs: number;
    readonly hashes: readonly string[];
  };
  readonly cases: readonly (StoreCase | UndecodableAnswer)[];
  readonly sameTimestamp: { readonly pushed: readonly string[]; readonly forward: readonly string[] };
  readonly includeDataTrueEntry: {
    readonly messageHash: string;
    readonly pubsubTopic: string;
    readonly message: FilterVectors["pushShape"]["message"];
  };
  readonly ephemeral: { readonly push: CapturedStatus; readonly inStore: boolean };
  readonly timestampSkew: readonly SkewRow[];
  readonly rateLimit: { readonly burst: { readonly byCode: Readonly<Record<string, number>> } };
}

interface MetadataForm {
  readonly clusterId?: number;
  readonly shards: readonly number[];
}

export interface PeerVectors {
  readonly nodes: {
    readonly B: {
      readonly identify: { readonly protocols: readonly string[] };
      readonly muxerNegotiated: string;
      readonly mplexNegotiated: string;
      readonly encryption: string;
      readonly metadata: readonly {
        readonly request: MetadataForm;
        readonly response: MetadataForm;
        readonly connectionAfter: string;
      }[];
    };
    readonly metadataBehaviour: readonly {
      readonly client: string;
      readonly nodeAskedMetadata: boolean;
      readonly nodeRequestRawHex: string | null;
      readonly connectionAfter5s: string;
    }[];
  };
  readonly peerExchange: {
    readonly nodeProtocols: readonly string[];
    readonly request: { readonly numPeers: number };
    readonly rawHex: string;
  };
  readonly ipColocation: { readonly clients: readonly { readonly status: string }[] };
}

function vectors(file: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../vectors/logos-delivery/${file}.json`, import.meta.url), "utf8"));
}

export const lightpushVectors = vectors("lightpush") as LightpushVectors;
export const filterVectors = vectors("filter") as FilterVectors;
export const storeVectors = vectors("store") as StoreVectors;
export const peerVectors = vectors("peer") as PeerVectors;

/** A payload of so many bytes that no other case has. */
export function payloadOf(bytes: number, seed: string): Uint8Array {
  const payload = new Uint8Array(bytes);
  payload.set(new TextEncoder().encode(seed).subarray(0, bytes));
  return payload;
}
