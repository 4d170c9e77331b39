/** A channel of profile `waku-sdk` and the `ReliableChannel` of an unmodified `@waku/sdk`, on the local network. */
import type { IDecodedMessage, IWaku } from "@waku/interfaces";
import { ReliableChannel as SdkChannel } from "@waku/sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LocalNetwork, startLocalNetwork } from "../../../dev/network/local-network.ts";
import { MemoryStorage } from "../../../packages/reliable-channel/mock/memory-storage.ts";
import { ReliableChannelManager } from "../../../src/channel/reliable-channel-manager.ts";
import type { ChannelEvent } from "../../../src/channel/types.ts";
import { fromUtf8, utf8 } from "../../../src/common/bytes.ts";
import { systemClock } from "../../../src/common/clock.ts";
import { Journal } from "../../../src/common/table.ts";
import { Transactor } from "../../../src/common/transactor.ts";
import { createWakuMessaging } from "../../../src/messaging/waku-messaging.ts";
import { startSdkNode } from "../../support/sdk-node.ts";

const TOPIC = "/interop/1/room/proto";
const KEY = { origin: "https://site.example", channelId: "room" };
/** The SDK acknowledges with a sync message after a random part of half of this: milliseconds. */
const SDK_SYNC_MS = 2000;

let network: LocalNetwork;
let sdkNode: IWaku;
let sdk: SdkChannel<IDecodedMessage>;
let ours: Ours;

/** Our side, with what its channel logged. */
class Ours {
  readonly manager: ReliableChannelManager;
  readonly events: ChannelEvent[] = [];
  readonly #watchers = new Set<() => void>();

  private constructor(manager: ReliableChannelManager) {
    this.manager = manager;
    manager.listen((_, notice) => {
      if (notice.type === "event") this.events.push(notice.event);
      for (const watcher of this.#watchers) watcher();
    });
  }

  static async start(): Promise<Ours> {
    const storage = new MemoryStorage();
    const journal = new Journal();
    const transactor = new Transactor(journal, storage);
    const messaging = await createWakuMessaging({
      storage,
      journal,
      transactor,
      clock: systemClock,
      network: {
        name: "local",
        clusterId: network.clusterId,
        shards: network.shards,
        bootstrap: network.multiaddrs,
        traits: {},
      },
    });
    const manager = await ReliableChannelManager.load({ storage, journal, transactor, messaging, clock: systemClock });
    const started = new Ours(manager);
    await manager.start();
    const created = await manager.createReliableChannel({
      ...KEY,
      contentTopic: TOPIC,
      senderId: "ours",
      profile: "waku-sdk",
      encryption: "none",
    });
    if (!created.ok) throw new Error(created.error.message);
    await started.until(() => created.value.status().health === "SUFFICIENTLY_HEALTHY");
    return started;
  }

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

  async send(text: string): Promise<string> {
    const sent = await this.manager.send(KEY, utf8(text));
    if (!sent.ok) throw new Error(sent.error.message);
    return sent.value;
  }

  outcomes(requestId: string): string[] {
    return this.events.flatMap((event) => ("requestId" in event && event.requestId === requestId ? [event.type] : []));
  }

  received(): (readonly [string, string | undefined])[] {
    return this.events.flatMap((event) =>
      event.type === "reliable:message:received" ? [[event.senderId, fromUtf8(event.message)] as const] : [],
    );
  }
}

/** Resolves with the details of the events of one kind, once there are `count` that `wanted` takes. */
function sdkEvents<T>(name: "message-received" | "message-acknowledged", count: number, read: (detail: T) => string) {
  const seen: string[] = [];
  return new Promise<string[]>((resolve) => {
    sdk.addEventListener(name, (event) => {
      seen.push(read((event as CustomEvent<T>).detail));
      if (seen.length === count) resolve(seen);
    });
  });
}

async function startSdk(): Promise<void> {
  sdkNode = await startSdkNode(network);
  const [encoder, decoder] = [
    sdkNode.createEncoder({ contentTopic: TOPIC }),
    sdkNode.createDecoder({ contentTopic: TOPIC }),
  ];
  sdk = await SdkChannel.create(sdkNode, KEY.channelId, "sdk", encoder, decoder, { syncMinIntervalMs: SDK_SYNC_MS });
}

beforeAll(async () => {
  network = await startLocalNetwork();
  [ours] = await Promise.all([Ours.start(), startSdk()]);
});

afterAll(async () => {
  await sdk.stop();
  await sdkNode.stop();
  await ours.manager.stop();
  await network.stop();
});

test("messages arrive both ways, ours in order, and both sides learn that they did", async () => {
  const texts = ["one from ours", "two from ours", "three from ours"];
  const arrived = sdkEvents(
    "message-received",
    texts.length,
    ({ payload }: IDecodedMessage) => fromUtf8(payload) ?? "",
  );
  const ids: string[] = [];
  for (const text of texts) ids.push(await ours.send(text));
  // The SDK hands out what arrives as it arrives.
  expect((await arrived).toSorted()).toEqual(texts.toSorted());
  await ours.until(() => ids.every((id) => ours.outcomes(id).length === 2));
  for (const id of ids) expect(ours.outcomes(id)).toEqual(["reliable:message:sent", "reliable:message:delivered"]);

  const replies = ["one from the SDK", "two from the SDK"];
  const acknowledged = sdkEvents("message-acknowledged", replies.length, (messageId: string) => messageId);
  const sent: string[] = [];
  for (const reply of replies) {
    sent.push(sdk.send(utf8(reply)));
    // Sent at once, the second would not name the first: the SDK notes what it sent after a node took it.
    await ours.until(() => ours.received().length === sent.length);
  }
  expect(ours.received()).toEqual(replies.map((reply) => ["sdk", reply]));
  expect(new Set(await acknowledged)).toEqual(new Set(sent));

  const channel = ours.manager.channel(KEY);
  expect(channel?.diagnostics()).toEqual({
    otherMarker: 0,
    undecryptable: 0,
    otherLayout: 0,
    unreadable: 0,
    otherChannel: 0,
  });
  expect(channel?.summary().members).toBe(1);
});
