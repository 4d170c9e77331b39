export interface Received {
  readonly messageId: string;
  readonly senderId: string;
  readonly content: Uint8Array;
  /** In the unit of the layout; 0 where it has none. */
  readonly lamport: number;
  /** The last entry of its causal history: of a message in several parts, the part before this one. */
  readonly follows?: string;
}

export type Outgoing =
  | {
      readonly kind: "retransmission" | "repair";
      /** The wires table keeps its exact bytes. */
      readonly messageId: string;
      /** Store nodes need not keep it. */
      readonly ephemeral: boolean;
    }
  /** `wrapSync` makes it once it may go. */
  | { readonly kind: "sync" };

export interface Lost {
  readonly messageId: string;
  readonly senderId?: string;
  readonly reason: string;
  /** Lamport time of the earliest message that names it: it is older. */
  readonly before: number;
  /** A Lamport time that it is younger than. */
  readonly since: number;
  readonly followers: readonly Follower[];
}

/** A parked message that names a missing one of the same sender. */
export interface Follower {
  readonly messageId: string;
  /** Place in its causal history counted from the end: 1 for the entry just before the message itself. */
  readonly distance: number;
}

export interface Missing {
  readonly messageId: string;
  /** Message hash, lower-case hexadecimal. */
  readonly hint?: string;
  readonly senderId?: string;
  /** Milliseconds since the Unix epoch, by Lamport time, of the earliest message that waits for it, if one does. */
  readonly neededAt?: number;
}

/** Why a message was dropped. */
export type Dropped =
  | "undecodable"
  | "foreign channel"
  | "message id empty or too long"
  | "sender id too long"
  | "Lamport timestamp out of range"
  | "own message"
  | "duplicate";

/** What an event meant. */
export interface SdsOutcome {
  /** New content that arrived with this call, whether delivered or parked: buffer it. */
  readonly arrived?: Received;
  /** Ids whose dependencies are now met, in causal order; only ids with content. */
  readonly delivered: readonly string[];
  /** Those of them whose place was passed: something that may depend on them was delivered without them. */
  readonly late: readonly string[];
  /** Own messages that another participant is now known to have. */
  readonly acknowledged: readonly string[];
  /** Own messages in several parts, as `Part` names them, that one other participant is now known to have whole. */
  readonly whole: readonly string[];
  /** Messages to put through the rate limiter now. */
  readonly outgoing: readonly Outgoing[];
  /** The message that was heard, new or not: a repair of it that still waits for the rate limiter is needed no more. */
  readonly heard?: string;
  /** Own messages whose retransmissions are exhausted. */
  readonly exhausted: readonly string[];
  /** Dependencies given up, once each. */
  readonly lost: readonly Lost[];
  /** Dependencies newly known to be missing, or now known with a hint. */
  readonly missing: readonly Missing[];
  /** Why the message was dropped, for diagnostics. */
  readonly dropped?: Dropped;
}

/** An outcome in the making. */
export interface OutcomeDraft {
  arrived?: Received;
  readonly delivered: string[];
  readonly late: string[];
  readonly acknowledged: string[];
  readonly whole: string[];
  readonly outgoing: Outgoing[];
  readonly exhausted: string[];
  readonly lost: Lost[];
  readonly missing: Missing[];
  dropped?: Dropped;
}

export function emptyOutcome(): OutcomeDraft {
  return { delivered: [], late: [], acknowledged: [], whole: [], outgoing: [], exhausted: [], lost: [], missing: [] };
}

export function droppedOutcome(reason: Dropped): SdsOutcome {
  return { ...emptyOutcome(), dropped: reason };
}
