import type { LocalNetwork } from "../../../dev/network/local-network.ts";
import { MemoryStorage } from "../../../packages/reliable-channel/mock/memory-storage.ts";
import type { MessagingClient, MessagingEvent } from "../../../src/channel/ports.ts";
import { ReliableChannelManager } from "../../../src/channel/reliable-channel-manager.ts";
import type { ChannelEvent, RequestId } from "../../../src/channel/types.ts";
import { fromUtf8, utf8 } from "../../../src/common/bytes.ts";
import { type Clock, systemClock } from "../../../src/common/clock.ts";
import { Journal } from "../../../src/common/table.ts";
import { Transactor } from "../../../src/common/transactor.ts";
import { LIMITS } from "../../../src/limits.ts";
import { createWakuMessaging } from "../../../src/messaging/waku-messaging.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import type { MemberRecord, Sent } from "../../support/invariants.ts";

const ORIGIN = "https://site.example";

/** One channel of a test: the id and the topic are its own, so tests run beside each other. */
export interface Room {
  readonly channelId: string;
  readonly contentTopic: string;
}

/** One browser profile on the local network: our channel layer over our messaging layer, with all that both told. */
export class NetworkMember {
  readonly name: string;
  readonly manager: ReliableChannelManager;
  readonly messaging: MessagingClient;
  readonly #logs = new Map<string, ChannelEvent[]>();
  readonly #sent = new Map<string, Sent[]>();
  readonly #heard: MessagingEvent[];
  readonly #watchers: Set<() => void>;

  private constructor(
    name: string,
    manager: ReliableChannelManager,
    messaging: MessagingClient,
    heard: MessagingEvent[],
    watchers: Set<() => void>,
  ) {
    this.name = name;
    this.manager = manager;
    this.messaging = messaging;
    this.#heard = heard;
    this.#watchers = watchers;
    manager.listen(({ channelId }, notice) => {
      if (notice.type === "event") this.#logs.set(channelId, [...this.#log(channelId), notice.event]);
      this.#tell();
    });
  }

  /** `clock`: of the channel layer. The messaging layer has real requests to wait for, so its time is the real one. */
  static async start(name: string, network: LocalNetwork, clock: Clock = systemClock): Promise<NetworkMember> {
    const [storage, journal] = [new MemoryStorage(), new Journal()];
    const transactor = new Transactor(journal, storage);
    const { clusterId, shards, multiaddrs: bootstrap } = network;
    const messaging = await createWakuMessaging({
      storage,
      journal,
      transactor,
      clock: systemClock,
      network: { name: "local", clusterId, shards, bootstrap },
    });
    const heard: MessagingEvent[] = [];
    const watchers = new Set<() => void>();
    const listen = messaging.listen.bind(messaging);
    // What the messaging layer tells is noted once the channel layer is done with it.
    messaging.listen = (listener) =>
      listen(async (event) => {
        const known = await listener(event);
        heard.push(event);
        for (const watcher of [...watchers]) watcher();
        return known;
      });
    const manager = await ReliableChannelManager.load({ storage, journal, transactor, messaging, clock });
    const member = new NetworkMember(name, manager, messaging, heard, watchers);
    await manager.start();
    return member;
  }

  /** Resolves once the channel is there and two nodes push its topic. */
  async open({ channelId, contentTopic }: Room): Promise<void> {
    const created = await this.manager.createReliableChannel({
      origin: ORIGIN,
      channelId,
      contentTopic,
      senderId: this.name,
      encryption: "none",
    });
    if (!created.ok) throw new Error(created.error.message);
    await this.served(contentTopic);
  }

  async close({ channelId }: Room): Promise<void> {
    const closed = await this.manager.closeChannel({ origin: ORIGIN, channelId }, "page");
    if (!closed.ok) throw new Error(closed.error.message);
  }

  /** Resolves once two nodes push the topic. */
  served(contentTopic: string): Promise<void> {
    return this.until(() => this.messaging.topicHealth(contentTopic) === "SUFFICIENTLY_HEALTHY");
  }

  async send({ channelId }: Room, text: string): Promise<RequestId> {
    const payload = utf8(text);
    const afterSeq = this.#log(channelId).at(-1)?.seq ?? 0;
    const sent = await this.manager.send({ origin: ORIGIN, channelId }, payload);
    if (!sent.ok) throw new Error(sent.error.message);
    this.#sent.set(channelId, [...(this.#sent.get(channelId) ?? []), { requestId: sent.value, payload, afterSeq }]);
    return sent.value;
  }

  /** Resolves at the first thing told after which `condition` holds, or at once. */
  async until(condition: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      const watcher = () => {
        if (!condition()) return;
        this.#watchers.delete(watcher);
        resolve();
      };
      this.#watchers.add(watcher);
      watcher();
    });
  }

  /** Everything received in a room: sender and text. */
  received({ channelId }: Room): readonly (readonly [senderId: string, text: string])[] {
    return this.#log(channelId).flatMap((event) =>
      event.type === "reliable:message:received" ? [[event.senderId, fromUtf8(event.message) ?? "?"] as const] : [],
    );
  }

  /** What became of a request, in the order of the log, without the common prefix of the names. */
  outcomes({ channelId }: Room, requestId: RequestId): readonly string[] {
    return this.#log(channelId).flatMap((event) =>
      "requestId" in event && event.requestId === requestId ? [event.type.replace("reliable:message:", "")] : [],
    );
  }

  /** Resolves once another member is known to have the message. */
  delivered(room: Room, requestId: RequestId): Promise<void> {
    return this.until(() => this.outcomes(room, requestId).includes("delivered"));
  }

  /** Every SDS message that the messaging layer brought on a room's topic, those of our own among them. */
  wires({ contentTopic }: Room) {
    return this.#heard.flatMap((event) => {
      if (event.type !== "received" || event.message.contentTopic !== contentTopic) return [];
      const decoded = nimLayout.decode(event.message.payload);
      return decoded.ok ? [{ ...decoded.value, ephemeral: event.message.ephemeral }] : [];
    });
  }

  /** With the log as it is stored: what became of requests while the channel was closed was told to nobody. */
  async record({ channelId }: Room): Promise<MemberRecord> {
    const log = await this.manager.channel({ origin: ORIGIN, channelId })?.history(0, LIMITS.eventLog.events);
    return { senderId: this.name, sent: this.#sent.get(channelId) ?? [], log: log ?? [] };
  }

  stop(): Promise<void> {
    return this.manager.stop();
  }

  #log(channelId: string): readonly ChannelEvent[] {
    return this.#logs.get(channelId) ?? [];
  }

  #tell(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}
