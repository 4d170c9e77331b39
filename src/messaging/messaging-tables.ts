/** The rows of the messaging layer, and how they come back at a start. */
import type { MessageHash, MessagingRequestId, Storage } from "../channel/ports.ts";
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
  readonly error: string | undefined;
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

const TASKS = "messagingTasks";
const TOPICS = "messagingTopics";
const META = "messagingMeta";
const TASK_SCOPE: StoredKey = ["task"];
const PAYLOAD_SCOPE: StoredKey = ["payload"];
const META_KEY = "node";

export class MessagingTables {
  readonly tasks: Table<MessagingRequestId, TaskRow>;
  readonly topics: Table<string, TopicRow>;
  readonly meta: Table<string, MetaRow>;
  readonly #payloads: ColdTable<MessagingRequestId, Bytes>;
  readonly #storage: Storage;

  private constructor(storage: Storage, journal: Journal, rows: StoredRows) {
    this.#storage = storage;
    this.tasks = new Table(TASKS, journal, TASK_SCOPE, rows.tasks);
    this.topics = new Table(TOPICS, journal, [], rows.topics);
    this.meta = new Table(META, journal, [], rows.meta);
    this.#payloads = new ColdTable(TASKS, journal, PAYLOAD_SCOPE);
  }

  static async load(storage: Storage, journal: Journal): Promise<MessagingTables> {
    const [tasks, topics, meta] = await Promise.all([
      storage.scan(TASKS, TASK_SCOPE),
      storage.scan(TOPICS, []),
      storage.scan(META, []),
    ]);
    return new MessagingTables(storage, journal, {
      // Nothing else writes these tables, so their rows are what was put.
      tasks: tasks.map(({ key, row }) => [String(key.at(-1)), row as TaskRow]),
      topics: topics.map(({ key, row }) => [String(key.at(-1)), row as TopicRow]),
      meta: meta.map(({ key, row }) => [String(key.at(-1)), row as MetaRow]),
    });
  }

  get identity(): NodeIdentity | undefined {
    return this.meta.get(META_KEY)?.identity;
  }

  putIdentity(identity: NodeIdentity): void {
    this.meta.put(META_KEY, { identity });
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
}
