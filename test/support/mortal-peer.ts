/**
 * A browser profile that can be killed at any boundary: the channel layer as `Peer` runs it, each start of it in a life of
 * its own. The page beside it survives: it remembers what it was told, calls again what was not answered, and after a
 * restart reads what it has not acknowledged.
 */

import { MemoryStorage } from "../../packages/reliable-channel/mock/memory-storage.ts";
import type { VirtualClock } from "../../packages/reliable-channel/mock/virtual-clock.ts";
import { LockedChannels } from "../../src/channel/locked-channels.ts";
import type {
  MessageReceiver,
  MessagingClient,
  MessagingEvent,
  Storage,
  StorageRoom,
} from "../../src/channel/ports.ts";
import type { ReliableChannel } from "../../src/channel/reliable-channel.ts";
import { type ManagerParts, ReliableChannelManager } from "../../src/channel/reliable-channel-manager.ts";
import type { Chance } from "../../src/channel/shell.ts";
import type { ChannelEvent, ChannelKey, ChannelNotice, EncryptionMode, RequestId } from "../../src/channel/types.ts";
import type { Bytes } from "../../src/common/bytes.ts";
import type { Clock } from "../../src/common/clock.ts";
import { Journal } from "../../src/common/table.ts";
import { Transactor } from "../../src/common/transactor.ts";
import type { Cipher, CipherTraits } from "../../src/encryption/cipher.ts";
import { none } from "../../src/encryption/none.ts";
import type { RateLimitConfig } from "../../src/rate-limit/rate-limit-manager.ts";
import type { CrashPoints } from "./crash-points.ts";
import { FakeMailbox, FakeMessaging, type FakeNetwork } from "./fake-messaging.ts";
import type { MemberRecord, Sent } from "./invariants.ts";
import { Life, type PortKinds } from "./life.ts";
import { ORIGIN, seededChance, TOPIC } from "./peer.ts";

type Kinds<T> = Readonly<Record<keyof T, "async" | "sync">>;

/** Every method of every port that the channel layer is given. A new one does not compile until it stands here. */
export const PORT_METHODS = {
  storage: { commit: "async", get: "async", scan: "async" } satisfies Kinds<Storage>,
  messaging: {
    listen: "sync",
    start: "async",
    stop: "async",
    send: "async",
    subscribe: "async",
    unsubscribe: "async",
    retrieve: "async",
    rewind: "async",
    connectionStatus: "sync",
    topicHealth: "sync",
    peers: "sync",
    networkChanged: "sync",
    diagnostics: "sync",
  } satisfies Kinds<MessagingClient>,
  room: { isFull: "sync", listen: "sync" } satisfies Kinds<StorageRoom>,
  clock: { now: "sync", after: "sync" } satisfies Kinds<Clock>,
  chance: { newId: "sync", random: "sync", nanoseconds: "sync" } satisfies Kinds<Chance>,
  cipher: { encrypt: "async", decrypt: "async", unavailable: "sync" } satisfies Kinds<Omit<Cipher, keyof CipherTraits>>,
} as const;

/** What a manager is made of, and how each part is under a life's control. */
export const MANAGER_PARTS = {
  storage: "port",
  room: "port",
  messaging: "port",
  clock: "port",
  chance: "port",
  cipherFor: "port",
  journal: "memory",
  transactor: "over the storage port",
  rateLimit: "configuration",
} satisfies Record<keyof ManagerParts, string>;

/** What comes in through the listener of the messaging port. */
export const MESSAGING_EVENTS = {
  propagated: true,
  sent: true,
  error: true,
  received: true,
  health: true,
} satisfies Record<MessagingEvent["type"], true>;

/** What goes out to the listeners of the manager. */
export const NOTICES = {
  event: true,
  progress: true,
  status: true,
  diagnostics: true,
  close: true,
} satisfies Record<ChannelNotice["type"], true>;

const ROOM: ChannelKey = { origin: ORIGIN, channelId: "room" };
/** Answers that must be handed on before nothing more comes: longer than any chain of storage calls. */
const QUIET_TURNS = 6;

export interface World {
  readonly clock: VirtualClock;
  readonly network: FakeNetwork;
  readonly points: CrashPoints;
}

export interface MortalPeerOptions {
  readonly rateLimit?: RateLimitConfig;
  readonly room?: StorageRoom;
  /** Of its channel; unencrypted by default. */
  readonly encryption?: EncryptionMode;
  readonly cipher?: Cipher;
}

export class MortalPeer {
  readonly name: string;
  readonly storage = new MemoryStorage();
  readonly mailbox = new FakeMailbox();
  readonly sent: Sent[] = [];
  /** What the page was told or read, by what it is about: the cursors under which it came. */
  readonly heard = new Map<string, Set<number>>();
  readonly heardNotices: ChannelNotice[] = [];
  /** Whether its messaging layer carries tasks out by itself. */
  automatic = true;
  lives = 0;
  readonly #world: World;
  readonly #chance: Chance;
  readonly #options: MortalPeerOptions;
  #life = new Life();
  #messaging: FakeMessaging | undefined;
  #manager: ReliableChannelManager | undefined;
  /** Whether its vault is, as soon as it begins anew. */
  #isLocked = false;
  #stop: (() => Promise<void>) | undefined;

  constructor(name: string, world: World, options: MortalPeerOptions = {}) {
    this.name = name;
    this.#world = world;
    this.#chance = seededChance(7);
    this.#options = options;
  }

  /** Lets it live until `action` came to its end, starting it as often as that takes: `action` may begin more than once. */
  async act<T>(action: () => Promise<T>): Promise<T> {
    for (;;) {
      if (this.#stop === undefined || this.#life.isOver) {
        await this.#untilDead(() => this.#begin());
        continue;
      }
      const done = await this.#untilDead(action);
      if (done) return done.value;
    }
  }

  /** Everything that can happen without time passing, happens. */
  async settle(): Promise<void> {
    for (;;) {
      await this.act(async () => {});
      const before = this.#progress;
      await this.#untilDead(async () => {
        await this.#world.network.settle();
        for (let turn = 0; turn < QUIET_TURNS; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
      });
      if (!this.#life.isOver && this.#progress === before) return;
    }
  }

  /** Time passes, from timer to timer. */
  async pass(ms: number): Promise<void> {
    const { clock } = this.#world;
    const end = clock.now() + ms;
    await this.settle();
    while (clock.now() < end) {
      await clock.advance(Math.min(end, Math.max(clock.now() + 1, clock.next ?? end)) - clock.now());
      await this.settle();
    }
  }

  /** The page's calls: each is heard by a living program only, and answered by a living one only. */
  open(): Promise<void> {
    return this.act(async () => {
      if (this.manager.channelExists(ROOM)) return;
      const { encryption = "none" } = this.#options;
      const params = { ...ROOM, contentTopic: TOPIC, senderId: this.name, encryption, keyId: "red" };
      await this.#call("create", () => this.manager.createReliableChannel(params));
      await this.#attach();
    });
  }

  /** The person makes the channel, before the page asks for it. */
  prepare(): Promise<void> {
    return this.act(async () => {
      if (this.manager.channelExists(ROOM)) return;
      await this.#call("create", () =>
        this.manager.createReliableChannel({ ...ROOM, contentTopic: TOPIC, encryption: "none", prepared: true }),
      );
    });
  }

  /** The page attaches to it under its own name. */
  takeUp(): Promise<void> {
    return this.act(async () => {
      const params = { ...ROOM, contentTopic: TOPIC, senderId: this.name, encryption: "none" as const };
      const attached = await this.#call("attach", () => this.manager.attach(params));
      if (!attached.ok) throw new Error(attached.error.message);
      await this.#attach();
    });
  }

  async send(payload: Bytes, idempotencyKey: string): Promise<RequestId> {
    const requestId = await this.act(async () => {
      const answer = await this.#call("send", () => this.manager.send(ROOM, payload, { idempotencyKey }));
      if (!answer.ok) throw new Error(answer.error.message);
      return answer.value;
    });
    this.sent.push({ requestId, payload });
    return requestId;
  }

  close(): Promise<void> {
    return this.act(async () => {
      if (this.manager.channelExists(ROOM)) await this.#call("close", () => this.manager.closeChannel(ROOM, "page"));
    });
  }

  retry(requestId: RequestId): Promise<void> {
    return this.act(async () => {
      // If it was taken up before the answer came, there is nothing more to be done.
      if (this.channel.request(requestId)?.state !== "send-error") return;
      await this.#call("retry", () => this.channel.retry(requestId));
    });
  }

  /** Ends in order, as when the person chooses another network. What is done next starts it again. */
  async stop(): Promise<void> {
    await this.act(() => this.#call("stop", async () => this.#stop?.()));
    this.#life.end();
  }

  /** From now on it lives with its vault locked. */
  async lock(): Promise<void> {
    await this.stop();
    this.#isLocked = true;
  }

  async unlock(): Promise<void> {
    await this.stop();
    this.#isLocked = false;
  }

  /** The page handled everything that it heard. */
  acknowledge(): Promise<void> {
    return this.act(async () => {
      const newest = Math.max(0, ...[...this.heard.values()].flatMap((seqs) => [...seqs]));
      await this.#call("acknowledge", () => this.channel.acknowledge(newest));
    });
  }

  get manager(): ReliableChannelManager {
    if (this.#manager === undefined) throw new Error(`${this.name} was not started`);
    return this.#manager;
  }

  get channel(): ReliableChannel {
    const channel = this.manager.channel(ROOM);
    if (channel === undefined) throw new Error(`${this.name} has no open channel`);
    return channel;
  }

  /** For tests that decide what becomes of tasks. */
  get messaging(): FakeMessaging {
    if (this.#messaging === undefined) throw new Error(`${this.name} was not started`);
    return this.#messaging;
  }

  /** The whole log, as storage has it. */
  async log(): Promise<readonly ChannelEvent[]> {
    const rows = await this.storage.scan("events", [ROOM.origin, ROOM.channelId]);
    return rows.map(({ row }) => row as ChannelEvent);
  }

  async record(): Promise<MemberRecord> {
    return { senderId: this.name, sent: this.sent, log: await this.log() };
  }

  /** Throws unless the page heard every event of the log, each under one cursor. */
  async assertHeard(): Promise<void> {
    for (const event of await this.log()) {
      const cursors = [...(this.heard.get(subjectOf(event)) ?? [])];
      if (cursors.length === 0) throw new Error(`the page of ${this.name} never heard of ${subjectOf(event)}`);
      if (cursors.length > 1 || cursors[0] !== event.seq) {
        throw new Error(`${subjectOf(event)} is logged under ${event.seq} and was heard under ${cursors.join(", ")}`);
      }
    }
    const logged = new Set((await this.log()).map(subjectOf));
    for (const subject of this.heard.keys()) {
      if (!logged.has(subject))
        throw new Error(`the page of ${this.name} heard of ${subject}, which is not in the log`);
    }
  }

  async #begin(): Promise<void> {
    // The messaging layer dies with the program; what it keeps is in the mailbox.
    void this.#messaging?.stop();
    const { clock, network, points } = this.#world;
    const life = new Life(points);
    this.#life = life;
    this.#manager = undefined;
    this.#stop = undefined;
    this.lives++;
    // While it is locked, tasks are out of reach.
    const messaging = new FakeMessaging(
      network,
      this.#isLocked ? new FakeMailbox(this.mailbox.received) : this.mailbox,
    );
    messaging.automatic = this.automatic;
    this.#messaging = messaging;
    const port = <T extends object>(name: keyof typeof PORT_METHODS, target: T): T =>
      life.port<T>(name, target, PORT_METHODS[name] satisfies PortKinds);
    const journal = new Journal();
    const storage = port<Storage>("storage", this.storage);
    const transactor = new Transactor(journal, storage);
    if (this.#isLocked) {
      const receiver = port<MessageReceiver>("messaging", messaging);
      const lockedParts = { storage, journal, transactor, messaging: receiver, clock: port<Clock>("clock", clock) };
      const locked = await LockedChannels.load(lockedParts);
      await locked.start();
      this.#stop = () => locked.stop();
      return;
    }
    const { rateLimit, room, cipher = none } = this.#options;
    const manager = await ReliableChannelManager.load({
      storage,
      journal,
      transactor,
      messaging: port<MessagingClient>("messaging", messaging),
      clock: port<Clock>("clock", clock),
      chance: port<Chance>("chance", this.#chance),
      cipherFor: () => port<Cipher>("cipher", cipher),
      ...(rateLimit === undefined ? {} : { rateLimit }),
      ...(room === undefined ? {} : { room: port<StorageRoom>("room", room) }),
    });
    const told = life.outward("notice", (_channel, notice) => this.#hear(notice as ChannelNotice));
    manager.listen(told);
    await manager.start();
    this.#manager = manager;
    this.#stop = () => manager.stop();
    await this.#attach();
  }

  /** A page that comes back reads what it has not acknowledged. */
  async #attach(): Promise<void> {
    const channel = this.#manager?.channel(ROOM);
    if (channel === undefined) return;
    const events = await this.#call("history", () => channel.history(channel.acknowledged(), 1000));
    for (const event of events) this.#note(event);
  }

  #hear(notice: ChannelNotice): void {
    this.heardNotices.push(notice);
    if (notice.type === "event") this.#note(notice.event);
  }

  #note(event: ChannelEvent): void {
    const subject = subjectOf(event);
    const cursors = this.heard.get(subject) ?? new Set<number>();
    this.heard.set(subject, cursors.add(event.seq));
  }

  #call<T>(name: string, call: () => Promise<T>): Promise<T> {
    return this.#life.inward(`page call ${name}`, call)() as Promise<T>;
  }

  /** The value that `action` came to, or nothing if the life ended before. */
  async #untilDead<T>(action: () => Promise<T>): Promise<{ readonly value: T } | undefined> {
    const running = action();
    // `#begin` has put a new one in place by now.
    const life = this.#life;
    const done = running.then(
      (value) => ({ value }),
      (reason) => {
        // What the dead have to say is of no interest.
        if (life.isOver) return undefined;
        throw reason;
      },
    );
    const result = await Promise.race([done, life.ended.then(() => undefined)]);
    return life.isOver ? undefined : result;
  }

  get #progress(): number {
    return this.#world.points.labels.length;
  }
}

/** What an event is about: the same event under two cursors would be two events. */
function subjectOf(event: ChannelEvent): string {
  return `${event.type} ${"requestId" in event ? event.requestId : event.messageId}`;
}
