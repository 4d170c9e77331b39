import type { LocalNetwork } from "../../dev/network/local-network.ts";
import { MemoryStorage } from "../../packages/reliable-channel/mock/memory-storage.ts";
import { ReliableChannelManager } from "../../src/channel/reliable-channel-manager.ts";
import type { ChannelEvent } from "../../src/channel/types.ts";
import type { Bytes } from "../../src/common/bytes.ts";
import type { Clock } from "../../src/common/clock.ts";
import { Journal } from "../../src/common/table.ts";
import { Transactor } from "../../src/common/transactor.ts";
import { createWakuMessaging } from "../../src/messaging/waku-messaging.ts";
import type { MemberRecord, Sent } from "../support/invariants.ts";

const ORIGIN = "https://soak.example";
const CHANNEL = "soak";
const TOPIC = "/soak/1/room/proto";

/** One browser profile that takes part, restarted on the same storage. */
export class Member {
  readonly name: string;
  readonly sent: Sent[] = [];
  readonly #storage = new MemoryStorage();
  readonly #network: LocalNetwork;
  readonly #clock: Clock;
  #manager: ReliableChannelManager | undefined;
  #restarting: Promise<void> = Promise.resolve();

  constructor(name: string, network: LocalNetwork, clock: Clock) {
    this.name = name;
    this.#network = network;
    this.#clock = clock;
  }

  async start(): Promise<void> {
    const [journal, storage, clock] = [new Journal(), this.#storage, this.#clock];
    const transactor = new Transactor(journal, storage);
    const { clusterId, shards, multiaddrs: bootstrap } = this.#network;
    const network = { name: "soak", clusterId, shards, bootstrap };
    const messaging = await createWakuMessaging({ storage, journal, transactor, clock, network });
    this.#manager = await ReliableChannelManager.load({ storage, journal, transactor, messaging, clock });
    await this.#manager.start();
    if (this.#manager.channel({ origin: ORIGIN, channelId: CHANNEL })) return;
    const created = await this.#manager.createReliableChannel({
      origin: ORIGIN,
      channelId: CHANNEL,
      contentTopic: TOPIC,
      senderId: this.name,
      encryption: "none",
    });
    if (!created.ok) throw new Error(created.error.message);
  }

  async stop(): Promise<void> {
    await this.#restarting;
    await this.#manager?.stop();
  }

  /** As when a worker is killed and comes back. */
  restart(): Promise<void> {
    this.#restarting = this.#restarting.then(async () => {
      const before = this.#manager;
      this.#manager = undefined;
      await before?.stop();
      await this.start();
    });
    return this.#restarting;
  }

  async send(payload: Bytes): Promise<void> {
    await this.#restarting;
    const manager = this.#manager;
    const channel = manager?.channel({ origin: ORIGIN, channelId: CHANNEL });
    if (!manager || !channel) throw new Error(`${this.name} is not there`);
    const answer = await manager.send({ origin: ORIGIN, channelId: CHANNEL }, payload, {});
    if (!answer.ok) throw new Error(answer.error.message);
    this.sent.push({ requestId: answer.value, payload });
  }

  async log(): Promise<readonly ChannelEvent[]> {
    await this.#restarting;
    return this.#manager?.channel({ origin: ORIGIN, channelId: CHANNEL })?.history(0, 100_000) ?? [];
  }

  async record(): Promise<MemberRecord> {
    return { senderId: this.name, sent: [...this.sent], log: await this.log() };
  }

  /** Requests without an outcome. */
  async pending(): Promise<number> {
    const done = new Set((await this.log()).filter(isOutcome).map(({ requestId }) => requestId));
    return this.sent.filter(({ requestId }) => !done.has(requestId)).length;
  }
}

type Outcome = Extract<ChannelEvent, { type: "reliable:message:sent" | "reliable:message:send-error" }>;

function isOutcome(event: ChannelEvent): event is Outcome {
  return event.type === "reliable:message:sent" || event.type === "reliable:message:send-error";
}
