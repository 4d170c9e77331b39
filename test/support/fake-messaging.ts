/**
 * A messaging layer without a network: what a `MessagingClient` promises, and nothing else. Tasks live in a `FakeMailbox`,
 * which stands for what the real one keeps in storage: a restarted client goes on with the same mailbox.
 */
import type {
  ConnectionStatus,
  MessageEnvelope,
  MessagingClient,
  MessagingDiagnostics,
  MessagingEvent,
  MessagingListener,
  ReceivedMessage,
  SendFailure,
  TopicHealth,
  Wanted,
} from "../../src/channel/ports.ts";
import { toHex } from "../../src/common/bytes.ts";
import type { Clock } from "../../src/common/clock.ts";
import { keccak256 } from "../../src/common/keccak.ts";
import { err, ok, type Result } from "../../src/common/result.ts";

interface FakeTask {
  readonly id: string;
  readonly key: string;
  readonly envelope: MessageEnvelope;
  readonly message: ReceivedMessage;
  state: "queued" | "propagated" | "sent" | "error";
  error: string;
  /** The listener made its outcome durable. */
  settled: boolean;
}

export class FakeMailbox {
  readonly tasks: FakeTask[] = [];
  readonly topics = new Set<string>();
  /** Hashes of messages that were handled: a restart does not fetch them again. */
  readonly received: Set<string>;
  /** Why the network refuses the `index`th task, if it does. */
  refusal: (index: number) => string | undefined = () => undefined;

  constructor(received = new Set<string>()) {
    this.received = received;
  }
}

/** Where fake clients meet: keeps every message, as a store node does, and hands it to subscribers. */
export class FakeNetwork {
  readonly clock: Clock;
  readonly clients = new Set<FakeMessaging>();
  readonly stored: ReceivedMessage[] = [];
  #nextId = 1;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  newId(): string {
    return `messaging-${this.#nextId++}`;
  }

  /** Carries out everything that is queued, until nothing is. */
  async settle(): Promise<void> {
    for (let busy = true; busy; ) {
      await quiet();
      busy = false;
      for (const client of [...this.clients]) busy = (await client.work()) || busy;
    }
  }

  /** A message from outside, such as a peer's captured one. */
  async inject(message: ReceivedMessage): Promise<void> {
    if (!message.ephemeral) this.stored.push(message);
    for (const client of this.clients) client.push(message);
    await this.settle();
  }
}

export class FakeMessaging implements MessagingClient {
  readonly network: FakeNetwork;
  readonly mailbox: FakeMailbox;
  readonly sent: MessageEnvelope[] = [];
  readonly subscriptions: string[] = [];
  readonly retrievals: Wanted[] = [];
  /** Whether `settle` carries tasks out by itself; otherwise tests say what becomes of each. */
  automatic = true;
  status: ConnectionStatus = "Connected";
  /** Stands before a `send` is taken on: what it throws is thrown, what it returns as failed is returned. */
  onSend: (envelope: MessageEnvelope) => Promise<Result<void>> = async () => ok(undefined);
  /** Called before an event is told to the listener. */
  beforeTell: (event: MessagingEvent) => void = () => {};
  readonly #inbox: ReceivedMessage[] = [];
  /** Tasks whose outcome the listener was asked to take since this start: it is not asked twice. */
  readonly #asked = new Set<FakeTask>();
  #listener: MessagingListener = async () => true;
  #started = false;

  constructor(network: FakeNetwork, mailbox = new FakeMailbox()) {
    this.network = network;
    this.mailbox = mailbox;
  }

  listen(listener: MessagingListener): void {
    this.#listener = listener;
  }

  async start(): Promise<void> {
    this.#started = true;
    this.network.clients.add(this);
    this.catchUp();
  }

  async stop(): Promise<void> {
    this.#started = false;
    this.network.clients.delete(this);
  }

  async send(envelope: MessageEnvelope, idempotencyKey: string): Promise<Result<string, SendFailure>> {
    const allowed = await this.onSend(envelope);
    if (!allowed.ok) return err({ kind: "queue-full", error: allowed.error });
    const known = this.mailbox.tasks.find((task) => task.key === idempotencyKey);
    if (known) {
      // The real layer does not wait with it until its caller has the identifier.
      if (known.state === "sent" || known.state === "error") void this.#tellOutcome(known).catch(() => {});
      return ok(known.id);
    }
    const id = this.network.newId();
    const timestamp = this.network.clock.now();
    const message: ReceivedMessage = {
      ...envelope,
      timestamp,
      messageHash: toHex(keccak256(envelope.payload, new TextEncoder().encode(`${id}${timestamp}`))),
    };
    this.mailbox.tasks.push({ id, key: idempotencyKey, envelope, message, state: "queued", error: "", settled: false });
    this.sent.push(envelope);
    return ok(id);
  }

  async subscribe(contentTopic: string): Promise<void> {
    this.subscriptions.push(contentTopic);
    this.mailbox.topics.add(contentTopic);
    this.#catchUp(contentTopic);
  }

  async unsubscribe(contentTopic: string): Promise<void> {
    this.mailbox.topics.delete(contentTopic);
  }

  async retrieve(contentTopic: string, wanted: Wanted): Promise<void> {
    this.retrievals.push(wanted);
    if (this.status === "Disconnected" || !this.mailbox.topics.has(contentTopic)) return;
    const isWanted = ({ messageHash, timestamp }: ReceivedMessage) =>
      "hashes" in wanted ? wanted.hashes.includes(messageHash) : timestamp >= wanted.from && timestamp <= wanted.to;
    const found = this.network.stored.filter((message) => message.contentTopic === contentTopic && isWanted(message));
    for (const message of found) {
      // What is asked for by hash is told again.
      if ("hashes" in wanted) this.#inbox.push(message);
      else this.push(message);
    }
  }

  async rewind(contentTopic: string, to: number): Promise<void> {
    for (const message of this.network.stored) {
      if (message.contentTopic !== contentTopic || message.timestamp < to) continue;
      this.mailbox.received.delete(message.messageHash);
      // A topic that is not subscribed is looked through once it is.
      if (this.mailbox.topics.has(contentTopic)) this.#inbox.push(message);
    }
  }

  connectionStatus(): ConnectionStatus {
    return this.status;
  }

  topicHealth(contentTopic: string): TopicHealth {
    return this.mailbox.topics.has(contentTopic) ? "SUFFICIENTLY_HEALTHY" : "NOT_SUBSCRIBED";
  }

  peers() {
    const usable = this.status === "Disconnected" ? 0 : 2;
    return { lightpush: usable, filter: usable, store: usable };
  }

  networkChanged(): void {}

  diagnostics(): MessagingDiagnostics {
    return {
      network: "fake",
      status: this.status,
      peers: { lightpush: [], filter: [], store: [] },
      lacks: [],
      subscriptions: [],
      queue: { queued: 0, propagated: 0, pushing: 0, oldestMs: 0 },
      lastErrors: [],
    };
  }

  /** Looks in the store for what was not handled yet, as the real layer does from time to time. */
  catchUp(): void {
    for (const topic of this.mailbox.topics) this.#catchUp(topic);
  }

  push(message: ReceivedMessage): void {
    if (this.mailbox.topics.has(message.contentTopic) && !this.mailbox.received.has(message.messageHash)) {
      this.#inbox.push(message);
    }
  }

  /** Tells the listener, as the real layer does. */
  async tell(event: MessagingEvent): Promise<boolean> {
    this.beforeTell(event);
    return this.#listener(event);
  }

  /** Outcomes a test decides on, for the `index`th task. */
  async propagate(index: number): Promise<boolean> {
    const task = this.#task(index);
    task.state = "propagated";
    return this.#propagated(task);
  }

  async confirm(index: number): Promise<boolean> {
    const task = this.#task(index);
    task.state = "sent";
    return this.#tellOutcome(task);
  }

  async fail(index: number, error: string): Promise<boolean> {
    const task = this.#task(index);
    task.state = "error";
    task.error = error;
    return this.#tellOutcome(task);
  }

  /** One round of whatever is to be done. Whether there was anything. */
  async work(): Promise<boolean> {
    if (!this.#started) return false;
    let busy = false;
    if (this.automatic && this.status !== "Disconnected") {
      for (const task of this.mailbox.tasks) {
        if (!this.#started) return false;
        if (task.state === "queued") {
          busy = true;
          await this.#carry(task);
        } else if (task.state !== "propagated" && !task.settled && !this.#asked.has(task)) {
          busy = true;
          await this.#tellOutcome(task);
        }
      }
    }
    for (let message = this.#inbox.shift(); message; message = this.#inbox.shift()) {
      if (!this.#started) return false;
      busy = true;
      if (await this.tell({ type: "received", message })) this.mailbox.received.add(message.messageHash);
    }
    return busy;
  }

  async #carry(task: FakeTask): Promise<void> {
    const refused = this.mailbox.refusal(this.mailbox.tasks.indexOf(task));
    if (refused !== undefined) {
      task.state = "error";
      task.error = refused;
      await this.#tellOutcome(task);
      return;
    }
    task.state = "sent";
    if (!task.envelope.ephemeral) this.network.stored.push(task.message);
    for (const client of this.network.clients) client.push(task.message);
    await this.#propagated(task);
    await this.#tellOutcome(task);
  }

  #propagated({ id: requestId, message: { messageHash } }: FakeTask): Promise<boolean> {
    return this.tell({ type: "propagated", requestId, messageHash });
  }

  async #tellOutcome(task: FakeTask): Promise<boolean> {
    const { id: requestId, message, state, error } = task;
    this.#asked.add(task);
    const event: MessagingEvent =
      state === "error"
        ? { type: "error", requestId, kind: "refused", error }
        : { type: "sent", requestId, messageHash: message.messageHash };
    task.settled = await this.tell(event);
    return task.settled;
  }

  #catchUp(contentTopic: string): void {
    for (const message of this.network.stored) if (message.contentTopic === contentTopic) this.push(message);
  }

  #task(index: number): FakeTask {
    const task = this.mailbox.tasks[index];
    if (task === undefined) throw new Error(`there is no task ${index}`);
    return task;
  }
}

/** Chains of promises come to rest before a macrotask runs. */
async function quiet(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
