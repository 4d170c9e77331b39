/** One browser profile without a browser: the real channel layer over storage in memory and a fake network. */

import { MemoryStorage } from "../../packages/reliable-channel/mock/memory-storage.ts";
import { LockedChannels } from "../../src/channel/locked-channels.ts";
import type { StorageRoom } from "../../src/channel/ports.ts";
import type { ReliableChannel } from "../../src/channel/reliable-channel.ts";
import { type CipherFor, ReliableChannelManager } from "../../src/channel/reliable-channel-manager.ts";
import type { Chance } from "../../src/channel/shell.ts";
import type { ChannelEvent, ChannelKey, ChannelNotice, Profile } from "../../src/channel/types.ts";
import { utf8 } from "../../src/common/bytes.ts";
import { Journal } from "../../src/common/table.ts";
import { Transactor } from "../../src/common/transactor.ts";
import type { Cipher } from "../../src/encryption/cipher.ts";
import { none } from "../../src/encryption/none.ts";
import type { RateLimitConfig } from "../../src/rate-limit/rate-limit-manager.ts";
import { FakeMailbox, FakeMessaging, type FakeNetwork } from "./fake-messaging.ts";

export const ORIGIN = "https://site.example";
export const TOPIC = "/test/1/room/proto";

/** Chance that repeats with its seed (mulberry32), so that a failing run can be run again. */
export function seededChance(seed: number): Chance {
  let state = seed >>> 0;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  let ids = 0;
  // None of these: what follows from message ids is then the same wherever a test draws otherwise.
  const nanoseconds = () => 0;
  return { random, nanoseconds, newId: () => `${seed}-${++ids}-${Math.floor(random() * 2 ** 32).toString(16)}` };
}

export interface PeerOptions {
  readonly rateLimit?: RateLimitConfig;
  readonly room?: StorageRoom;
  readonly seed?: number;
  readonly cipher?: Cipher;
  readonly cipherFor?: CipherFor;
  /** Of the channels that it opens. */
  readonly profile?: Profile;
}

let seeds = 1;

export class Peer {
  readonly name: string;
  readonly network: FakeNetwork;
  readonly storage: MemoryStorage;
  readonly mailbox: FakeMailbox;
  readonly options: PeerOptions;
  readonly chance: Chance;
  /** Everything told since the last start. */
  notices: { readonly channel: ChannelKey; readonly notice: ChannelNotice }[] = [];
  messaging: FakeMessaging;
  manager: ReliableChannelManager;
  #locked: LockedChannels | undefined;

  private constructor(name: string, network: FakeNetwork, options: PeerOptions, parts: LoadedParts) {
    this.name = name;
    this.network = network;
    this.options = options;
    this.storage = parts.storage;
    this.mailbox = parts.mailbox;
    this.chance = parts.chance;
    this.messaging = parts.messaging;
    this.manager = parts.manager;
    this.#observe();
  }

  static async start(name: string, network: FakeNetwork, options: PeerOptions = {}): Promise<Peer> {
    const storage = new MemoryStorage();
    const mailbox = new FakeMailbox();
    const chance = seededChance(options.seed ?? seeds++);
    const parts = await load({ storage, mailbox, chance, network, options });
    const peer = new Peer(name, network, options, parts);
    await peer.manager.start();
    return peer;
  }

  /** Stops without saying goodbye, as a killed worker does. */
  async kill(): Promise<void> {
    await (this.#locked ?? this.manager).stop();
    this.#locked = undefined;
  }

  /** Locks its vault: what is returned is all that runs until `restart` unlocks it. */
  async lock(): Promise<LockedChannels> {
    await this.kill();
    const { storage, network, mailbox } = this;
    const journal = new Journal();
    // Tasks are out of reach.
    const messaging = new FakeMessaging(network, new FakeMailbox(mailbox.received));
    const transactor = new Transactor(journal, storage);
    const { room } = this.options;
    const parts = { storage, journal, transactor, messaging, clock: network.clock };
    this.#locked = await LockedChannels.load({ ...parts, ...(room === undefined ? {} : { room }) });
    this.messaging = messaging;
    await this.#locked.start();
    return this.#locked;
  }

  /** Starts again from what is stored. */
  async restart(): Promise<void> {
    await this.kill();
    const parts = await load(this);
    this.messaging = parts.messaging;
    this.manager = parts.manager;
    this.notices = [];
    this.#observe();
    await this.manager.start();
  }

  async open(channelId = "room", contentTopic = TOPIC): Promise<ReliableChannel> {
    const created = await this.manager.createReliableChannel({
      origin: ORIGIN,
      channelId,
      contentTopic,
      senderId: this.name,
      encryption: "none",
      ...(this.options.profile === undefined ? {} : { profile: this.options.profile }),
    });
    if (!created.ok) throw new Error(created.error.message);
    return this.channel(channelId);
  }

  channel(channelId = "room"): ReliableChannel {
    const channel = this.manager.channel({ origin: ORIGIN, channelId });
    if (channel === undefined) throw new Error(`${this.name} has no open channel ${channelId}`);
    return channel;
  }

  /** Sends and returns the request id. */
  async send(payload: string | Uint8Array<ArrayBuffer>, channelId = "room", ephemeral = false): Promise<string> {
    const bytes = typeof payload === "string" ? utf8(payload) : payload;
    const sent = await this.manager.send({ origin: ORIGIN, channelId }, bytes, { ephemeral });
    if (!sent.ok) throw new Error(sent.error.message);
    return sent.value;
  }

  /** The channel's event log, from its beginning. */
  log(channelId = "room"): Promise<readonly ChannelEvent[]> {
    return this.channel(channelId).history(0, 10_000);
  }

  /** Texts received, in the order of the log. */
  async received(channelId = "room"): Promise<string[]> {
    const events = await this.log(channelId);
    return events.flatMap((event) =>
      event.type === "reliable:message:received" ? [new TextDecoder().decode(event.message)] : [],
    );
  }

  /** What became of a request, in the order of the log, without the common prefix of the names. */
  async outcomes(requestId: string, channelId = "room"): Promise<string[]> {
    const events = await this.log(channelId);
    return events.flatMap((event) =>
      "requestId" in event && event.requestId === requestId ? [event.type.replace("reliable:message:", "")] : [],
    );
  }

  #observe(): void {
    this.manager.listen((channel, notice) => this.notices.push({ channel, notice }));
  }
}

interface LoadedParts {
  readonly storage: MemoryStorage;
  readonly mailbox: FakeMailbox;
  readonly chance: Chance;
  readonly messaging: FakeMessaging;
  readonly manager: ReliableChannelManager;
}

async function load(
  from: Pick<LoadedParts, "storage" | "mailbox" | "chance"> & {
    readonly network: FakeNetwork;
    readonly options: PeerOptions;
  },
): Promise<LoadedParts> {
  const { storage, mailbox, chance, network, options } = from;
  const journal = new Journal();
  const messaging = new FakeMessaging(network, mailbox);
  const manager = await ReliableChannelManager.load({
    storage,
    journal,
    transactor: new Transactor(journal, storage),
    messaging,
    clock: network.clock,
    chance,
    ...(options.rateLimit === undefined ? {} : { rateLimit: options.rateLimit }),
    ...(options.room === undefined ? {} : { room: options.room }),
    cipherFor: options.cipherFor ?? (() => options.cipher ?? none),
  });
  return { storage, mailbox, chance, messaging, manager };
}
