/** How far requests are. */
import type { RequestFailureKind, RequestState } from "../channel/types.ts";
import type { UiRequest, UiSnapshot } from "./background-api.ts";
import type { StatusWords } from "./status.ts";
import type { MessageKey } from "./translate.ts";

const WORDS: Readonly<Record<RequestState, StatusWords>> = {
  queued: { label: "requestQueued", tone: "idle" },
  sending: { label: "requestSending", tone: "busy" },
  sent: { label: "requestSent", tone: "warn" },
  delivered: { label: "requestDelivered", tone: "good" },
  "send-error": { label: "requestSendError", tone: "bad" },
  "delivery-error": { label: "requestDeliveryError", tone: "bad" },
};

export function requestWords(state: RequestState): StatusWords {
  return WORDS[state];
}

/** In a used-up epoch, what has not begun to leave waits for the next one. */
export function waitsForEpoch({ state }: Pick<UiRequest, "state">, budget: UiSnapshot["budget"]): boolean {
  return state === "queued" && budget !== null && budget.remaining === 0;
}

export function requestWordsIn(budget: UiSnapshot["budget"], request: Pick<UiRequest, "state">): StatusWords {
  return waitsForEpoch(request, budget) ? { label: "requestWaits", tone: "warn" } : requestWords(request.state);
}

const FAILURES: Readonly<Record<RequestFailureKind, MessageKey>> = {
  unreachable: "failUnreachable",
  "too-large": "failTooLarge",
  refused: "failRefused",
  "queue-full": "failQueueFull",
  unacknowledged: "failUnacknowledged",
  "rate-limit": "failRateLimit",
  encryption: "failEncryption",
  "not-kept": "failNotKept",
  internal: "failInternal",
};

/** Why a request failed. */
export function failureWords({ failure }: Pick<UiRequest, "failure">): MessageKey {
  return failure === undefined ? "requestNoReason" : FAILURES[failure];
}

/** Only what the network did not take can be sent again, and only if it is kept. */
export function canRetry({ state, ephemeral }: Pick<UiRequest, "state" | "ephemeral">): boolean {
  return state === "send-error" && ephemeral === undefined;
}

export function hasFailed(state: RequestState): boolean {
  return state === "send-error" || state === "delivery-error";
}

export interface Done {
  readonly done: number;
  readonly total: number;
}

/** Parts confirmed by the network; once all are, parts that somebody else acknowledged. */
export function partsDone({ state, segments }: UiRequest): Done {
  const { total, confirmed, acknowledged } = segments;
  return { done: Math.min(total, state === "sent" ? Math.max(acknowledged, 0) : confirmed), total };
}

/** Requests per state, in the order in which a message passes through them; states without any are left out. */
export function countStates(requests: readonly UiRequest[]): readonly (readonly [RequestState, number])[] {
  const states = Object.keys(WORDS) as RequestState[];
  return states
    .map((state) => [state, requests.filter((request) => request.state === state).length] as const)
    .filter(([, count]) => count > 0);
}

/** A fraction in whole percent, never 100 before everything is done. */
export function percent({ done, total }: Done): number {
  return total <= 0 ? 0 : Math.min(100, Math.floor((100 * done) / total));
}
