import type { Clock } from "../../src/common/clock.ts";
import { ProtobufWriter } from "../../src/common/protobuf.ts";
import type { ArchivedMessage } from "./archive.ts";
import { FilterSubscriptions } from "./filter-subscriptions.ts";
import type { Answer, Protocol, Status } from "./protocols.ts";
import { BAD_REQUEST, CODEC, NOT_FOUND, SERVICE_UNAVAILABLE, SUCCESS, TOO_MANY_REQUESTS } from "./protocols.ts";
import { RequestFields } from "./request-fields.ts";
import { encodeWakuMessage } from "./waku-message.ts";

const CONTENT_TOPICS = 100;
/** Milliseconds for which a message is not pushed again: longer than the relay's own memory, as captured. */
const PUSHED_MS = 300_000;

const PING = 0n;
const SUBSCRIBE = 1n;
const UNSUBSCRIBE = 2n;
const UNSUBSCRIBE_ALL = 3n;

const OK: Status = { code: SUCCESS, desc: "OK" };
const NO_SUBSCRIPTION: Status = { code: NOT_FOUND, desc: "NOT_FOUND: peer has no subscriptions" };
const badRequest = (cause: string): Status => ({ code: BAD_REQUEST, desc: `BAD_REQUEST: ${cause}` });

/** Sends one push to a peer, and resolves when it is on its way or the peer is not there. */
export type Push = (peer: string, push: Uint8Array) => Promise<void>;

/** 12/WAKU2-FILTER, version 2. */
export class Filter implements Protocol {
  readonly service = "filter";
  readonly codec = CODEC.filterSubscribe;
  readonly tooMany = { code: TOO_MANY_REQUESTS, desc: "filter request rejected due rate limit exceeded" };
  readonly subscriptions: FilterSubscriptions;
  readonly #clock: Clock;
  readonly #push: Push;
  readonly #pushedAt = new Map<string, number>();

  constructor(clock: Clock, push: Push) {
    this.#clock = clock;
    this.#push = push;
    this.subscriptions = new FilterSubscriptions(clock);
  }

  answer(request: Uint8Array, from: string): Answer | undefined {
    const fields = RequestFields.read(request);
    const requestId = fields.ok ? fields.value.string(1) : undefined;
    if (!fields.ok || requestId === undefined) return undefined;
    const status = this.#handle(fields.value, from);
    return status === undefined ? undefined : { bytes: this.refusal(requestId, status), status, hashes: [] };
  }

  refusal(requestId: string, { code, desc }: Status): Uint8Array {
    const response = new ProtobufWriter().string(1, requestId).varint(10, code);
    return (desc === undefined ? response : response.string(11, desc)).finish();
  }

  /** Pushes a message to all who want it, the one who published it included. */
  async deliver({ hash, pubsubTopic, message }: ArchivedMessage): Promise<void> {
    const peers = this.subscriptions.subscribersOf(pubsubTopic, message.contentTopic);
    if (peers.length === 0 || this.#wasPushed(hash)) return;
    const push = new ProtobufWriter().bytes(1, encodeWakuMessage(message)).string(2, pubsubTopic).finish();
    await Promise.all(peers.map((peer) => this.#push(peer, push)));
  }

  #handle(fields: RequestFields, from: string): Status | undefined {
    const kind = fields.varint(2) ?? PING;
    if (kind === PING) return this.subscriptions.refresh(from) ? OK : NO_SUBSCRIPTION;
    if (kind === UNSUBSCRIBE_ALL) return this.subscriptions.removeAll(from) ? OK : NO_SUBSCRIPTION;
    if (kind !== SUBSCRIBE && kind !== UNSUBSCRIBE) return undefined;
    const pubsubTopic = fields.string(10);
    const contentTopics = fields.allStrings(11);
    if (pubsubTopic === undefined || contentTopics.length === 0) {
      return badRequest("pubsubTopic and contentTopics must be specified");
    }
    if (contentTopics.length > CONTENT_TOPICS) return badRequest(`exceeds maximum content topics: ${CONTENT_TOPICS}`);
    if (kind === UNSUBSCRIBE) {
      return this.subscriptions.remove(from, pubsubTopic, contentTopics) ? OK : NO_SUBSCRIPTION;
    }
    const added = this.subscriptions.add(from, pubsubTopic, contentTopics);
    return added.ok ? OK : { code: SERVICE_UNAVAILABLE, desc: `SERVICE_UNAVAILABLE: ${added.error}` };
  }

  #wasPushed(hash: string): boolean {
    const now = this.#clock.now();
    for (const [known, at] of this.#pushedAt) {
      if (now - at <= PUSHED_MS) break;
      this.#pushedAt.delete(known);
    }
    const pushed = this.#pushedAt.has(hash);
    // Taken out and put back, so that the map stays in the order of time.
    this.#pushedAt.delete(hash);
    this.#pushedAt.set(hash, now);
    return pushed;
  }
}
