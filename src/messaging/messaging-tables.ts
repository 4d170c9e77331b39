/** The rows of the messaging layer, and how they come back at a start. */
import type { MessageHash, MessagingRequestId, SendFailure, Storage } from "../channel/ports.ts";
import type { Bytes } from "../common/bytes.ts";
import { ColdTable, type Journal, type StoredKey, Table } from "../common/table.ts";
import type { NodeIdentity } from "./node-identity.ts";
import type { PeerName } from "./service-nodes.ts";

export type TaskState = "queued" | "propagated" | "sent" | "error";

/** One message that was taken on. Its payload is a row of its own, written once. */
export interface TaskRow {
  readonly requestId: MessagingRequestId;
  readonly idempotencyKey: string;
  /** Position in the order of the calls. */
  readonly order: number;
  readonly contentTopic: string;
  readonly pubsubTopic: string;
  readonly meta: Bytes;
  readonly ephemeral: boolean;
  /** Milliseconds since the Unix epoch, as all times here but the stamp. */
  readonly createdAt: number;
  readonly state: TaskState;
  /** Nanoseconds since the Unix epoch: the timestamp that the bytes of the last push carry. */
  readonly stamp: bigint | undefined;
  readonly stampedAt: number;
  /** The hash of every push, the last one's last. */
  readonly hashes: readonly MessageHash[];
  /** The hash that was propagated or confirmed. */
  readonly hash: MessageHash | undefined;
  readonly propagatedAt: number;
  /** The lightpush node that propagated it. */
  readonly through: PeerName | undefined;
  /** Milliseconds online that the present state has used up. */
  readonly onlineMs: number;
  readonly failure: SendFailure | undefined;
  readonly finalAt: number;
  /** The listener has made the outcome durable. */
  readonly told: boolean;
}

export interface TopicRow {
  /** Everything up to here was handled: milliseconds since the Unix epoch. */
  readonly at: number;
}

export interface MetaRow {
  readonly identity: NodeIdentity;
}

/** A service node that was of use, so that the next start finds it without asking anybody. */
export interface PeerRow {
  readonly peer: PeerName;
  /** A multiaddr with its peer id. */
  readonly address: string;
  readonly seenAt: number;
}

/** What was learned about one network, by cluster. */
export interface NetworkRow {
  /** A store node was seen on it, so one is expected from then on. */
  readonly storeSeen: boolean;
  /** The most recently seen last. */
  readonly peers: readonly PeerRow[];
}

const TASKS = "messagingTasks";
const TOPICS = "messagingTopics";
const META = "messagingMeta";
const TASK_SCOPE: StoredKey = ["task"];
const PAYLOAD_SCOPE: StoredKey = ["payload"];
const META_KEY = "identity";
const NODE_SCOPE: StoredKey = ["node"];
const NETWORK_SCOPE: StoredKey = ["network"];
const NOTHING_LEARNED: NetworkRow = { storeSeen: false, peers: [] };

export class MessagingTables {
  readonly tasks: Table<MessagingRequestId, TaskRow>;
  readonly topics: Table<string, TopicRow>;
  readonly meta: Table<string, MetaRow>;
  readonly #networks: Table<number, NetworkRow>;
  readonly #payloads: ColdTable<MessagingRequestId, Bytes>;
  readonly #storage: Storage;

  private constructor(storage: Storage, journal: Journal, rows: StoredRows) {
    this.#storage = storage;
    this.tasks = new Table(TASKS, journal, TASK_SCOPE, rows.tasks);
    this.topics = new Table(TOPICS, journal, [], rows.topics);
    this.meta = new Table(META, journal, NODE_SCOPE, rows.meta);
    this.#networks = new Table(META, journal, NETWORK_SCOPE, rows.networks);
    this.#payloads = new ColdTable(TASKS, journal, PAYLOAD_SCOPE);
  }

  static async load(storage: Storage, journal: Journal): Promise<MessagingTables> {
    const [tasks, topics, meta, networks] = await Promise.all([
      storage.scan(TASKS, TASK_SCOPE),
      storage.scan(TOPICS, []),
      storage.scan(META, NODE_SCOPE),
      storage.scan(META, NETWORK_SCOPE),
    ]);
    return new MessagingTables(storage, journal, {
      // Nothing else writes these tables, so their rows are what was put.
      tasks: tasks.map(({ key, row }) => [String(key.at(-1)), row as TaskRow]),
      topics: topics.map(({ key, row }) => [String(key.at(-1)), row as TopicRow]),
      meta: meta.map(({ key, row }) => [String(key.at(-1)), row as MetaRow]),
      networks: networks.map(({ key, row }) => [Number(key.at(-1)), row as NetworkRow]),
    });
  }

  get identity(): NodeIdentity | undefined {
    return this.meta.get(META_KEY)?.identity;
  }

  putIdentity(identity: NodeIdentity): void {
    this.meta.put(META_KEY, { identity });
  }

  /** What earlier sessions learned about the network of this cluster. */
  learned(clusterId: number): NetworkRow {
    return this.#networks.get(clusterId) ?? NOTHING_LEARNED;
  }

  putLearned(clusterId: number, learned: NetworkRow): void {
    this.#networks.put(clusterId, learned);
  }

  putPayload(requestId: MessagingRequestId, payload: Bytes): void {
    this.#payloads.put(requestId, payload);
  }

  deletePayload(requestId: MessagingRequestId): void {
    this.#payloads.delete(requestId);
  }

  async payload(requestId: MessagingRequestId): Promise<Bytes | undefined> {
    const row = await this.#storage.get(TASKS, this.#payloads.storedKey(requestId));
    return row === undefined ? undefined : (row as Bytes);
  }
}

interface StoredRows {
  readonly tasks: Iterable<readonly [string, TaskRow]>;
  readonly topics: Iterable<readonly [string, TopicRow]>;
  readonly meta: Iterable<readonly [string, MetaRow]>;
  readonly networks: Iterable<readonly [number, NetworkRow]>;
}
