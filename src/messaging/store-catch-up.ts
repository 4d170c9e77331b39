/**
 * Catch-up: what a store node has of one content topic within a time, oldest first. Hashes are asked for first, and only
 * messages that are not known yet are fetched (P2P-RELIABILITY, store-based reliability for receiving).
 */
import type { MessageHash } from "../channel/ports.ts";
import { toHex } from "../common/bytes.ts";
import { err, ok, type Result } from "../common/result.ts";
import { LIMITS } from "../limits.ts";
import type { PeerName, ServiceNodes, StoreAnswer, StoreQuery } from "./service-nodes.ts";
import { messageHash, milliseconds, type WakuMessage } from "./waku-message.ts";

export interface CatchUp {
  readonly nodes: ServiceNodes;
  readonly store: PeerName;
  readonly pubsubTopic: string;
  readonly contentTopic: string;
  /** Whether the message was received before; resolves once it is settled what became of it. */
  readonly known: (hash: MessageHash) => Promise<boolean>;
  /** Takes one message; resolves `true` once it is handled. */
  readonly take: (hash: MessageHash, message: WakuMessage) => Promise<boolean>;
  /** Everything up to this time was handled: milliseconds since the Unix epoch. */
  readonly progress: (at: number) => Promise<void>;
}

type Source = Omit<CatchUp, "progress">;

/** Why a walk ended early: the store failed, or the listener could not take a message yet. */
export type CatchUpError = "store" | "listener";

const STORE_OK = 200;

/** Walks from `from` to `to` (milliseconds, inclusive). An error leaves the walk where `progress` last was. */
export async function catchUp(parts: CatchUp, from: number, to: number): Promise<Result<void, CatchUpError>> {
  for (let start = from; start <= to; start += LIMITS.messaging.catchUpWindowMs) {
    const end = Math.min(to, start + LIMITS.messaging.catchUpWindowMs);
    const walked = await walkWindow(parts, start, end);
    if (!walked.ok) return walked;
    await parts.progress(end);
  }
  return ok(undefined);
}

/** Fetches and hands over those of `hashes` that the store has and that are not known; the value is what it lacks. */
export async function fetchByHash(
  parts: Source,
  hashes: readonly MessageHash[],
): Promise<Result<readonly MessageHash[], CatchUpError>> {
  const lacking: MessageHash[] = [];
  const wanted: MessageHash[] = [];
  for (const hash of hashes) if (!(await parts.known(hash))) wanted.push(hash);
  for (let i = 0; i < wanted.length; i += LIMITS.messaging.storeFetch) {
    const part = wanted.slice(i, i + LIMITS.messaging.storeFetch);
    const found = await fetchOnce(parts, part);
    if (!found.ok) return found;
    for (const hash of part) {
      const message = found.value.get(hash);
      if (!message) lacking.push(hash);
      else if (isGenuine(parts, hash, message) && !(await parts.take(hash, message))) return err("listener");
    }
  }
  return ok(lacking);
}

async function walkWindow(parts: CatchUp, from: number, to: number): Promise<Result<void, CatchUpError>> {
  const { pubsubTopic, contentTopic } = parts;
  const topic = { pubsubTopic, contentTopic, from, to };
  let cursor: StoreAnswer["cursor"];
  for (;;) {
    const page = await query(parts, { topic, includeData: false, ...(cursor && { cursor }) });
    if (!page.ok) return page;
    const missing: MessageHash[] = [];
    for (const { hash } of page.value.messages) if (!(await parts.known(hash))) missing.push(hash);
    const fetched = await fetch(parts, missing);
    if (!fetched.ok) return fetched;
    cursor = page.value.cursor;
    if (!cursor || page.value.messages.length === 0) return ok(undefined);
    if (fetched.value > from) await parts.progress(Math.min(fetched.value, to));
  }
}

/** Fetches and hands over messages by hash; the value is the newest timestamp among them, or 0. */
async function fetch(parts: CatchUp, hashes: readonly MessageHash[]): Promise<Result<number, CatchUpError>> {
  let newest = 0;
  for (let i = 0; i < hashes.length; i += LIMITS.messaging.storeFetch) {
    const wanted = hashes.slice(i, i + LIMITS.messaging.storeFetch);
    const found = await fetchOnce(parts, wanted);
    if (!found.ok) return found;
    for (const hash of wanted) {
      const message = found.value.get(hash);
      // A store that does not return what it lists.
      if (!message) return err("store");
      if (!isGenuine(parts, hash, message)) continue;
      if (!(await parts.take(hash, message))) return err("listener");
      newest = Math.max(newest, milliseconds(message.timestamp));
    }
  }
  return ok(newest);
}

async function fetchOnce(
  parts: Source,
  hashes: readonly MessageHash[],
): Promise<Result<ReadonlyMap<MessageHash, WakuMessage | undefined>, CatchUpError>> {
  const answer = await query(parts, { hashes, includeData: true });
  return answer.ok ? ok(new Map(answer.value.messages.map(({ hash, message }) => [hash, message]))) : answer;
}

/** What does not hash to its own name was made up or damaged on the way, and is nobody's message. */
function isGenuine(parts: Source, hash: MessageHash, message: WakuMessage): boolean {
  return message.contentTopic === parts.contentTopic && toHex(messageHash(parts.pubsubTopic, message)) === hash;
}

async function query(parts: Source, storeQuery: StoreQuery): Promise<Result<StoreAnswer, CatchUpError>> {
  const answer = await parts.nodes.storeQuery(parts.store, storeQuery);
  return answer.ok && answer.value.status === STORE_OK ? answer : err("store");
}
