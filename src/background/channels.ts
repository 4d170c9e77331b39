/** The channels of an engine: running over the messaging layer, or locked and only receiving. */
import { LockedChannels } from "../channel/locked-channels.ts";
import type { MessageReceiver, MessagingClient, Storage, StorageRoom } from "../channel/ports.ts";
import { ReliableChannelManager } from "../channel/reliable-channel-manager.ts";
import type { ChannelManagerApi, ChannelSummary } from "../channel/types.ts";
import type { Clock } from "../common/clock.ts";
import type { Journal } from "../common/table.ts";
import type { Transactor } from "../common/transactor.ts";
import type { KeyStore, KeyUse } from "../keys/key-store.ts";
import type { NetworkConfig } from "../messaging/network-config.ts";
import type { CipherPages } from "../provider/cipher-pages.ts";
import type { NetworkView } from "../provider/server.ts";
import type { NetworkControl } from "../provider/ui-server.ts";
import { ciphers } from "./ciphers.ts";

export interface EngineChannels extends NetworkView, Pick<NetworkControl, "peers" | "diagnostics"> {
  readonly manager: ChannelManagerApi;
  readonly locked: boolean;
  /** The epoch budget, and what it is for one origin; `undefined` where nothing is limited. */
  readonly budget: () => ReturnType<ReliableChannelManager["quota"]>;
  readonly shareOf: (origin: string) => ReturnType<ReliableChannelManager["shareOf"]>;
  /** Called after something of the budget was used. */
  readonly onBudget: (listener: () => void) => () => void;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** The device went online or offline. */
  readonly networkChanged: () => void;
}

interface Rows {
  readonly storage: Storage;
  readonly room: StorageRoom;
  readonly journal: Journal;
  readonly transactor: Transactor;
  readonly clock: Clock;
}

export async function runningChannels(
  rows: Rows,
  messaging: MessagingClient,
  keys: KeyStore,
  pages: CipherPages,
  rateLimit?: NetworkConfig["rateLimit"],
): Promise<EngineChannels> {
  const manager = await ReliableChannelManager.load({
    ...rows,
    messaging,
    cipherFor: ciphers(keys, pages),
    ...(rateLimit === undefined ? {} : { rateLimit }),
  });
  pages.listen({
    ready: (channel) => manager.cipherReady(channel),
    away: (channel) => manager.cipherAway(channel),
  });
  return {
    manager,
    locked: false,
    budget: () => manager.quota(),
    shareOf: (origin) => manager.shareOf(origin),
    onBudget: (listener) => manager.onBudget(listener),
    status: () => messaging.connectionStatus(),
    listen: (listener) => manager.onHealth(listener),
    peers: () => messaging.peers(),
    diagnostics: () => messaging.diagnostics(),
    start: () => manager.start(),
    stop: () => manager.stop(),
    networkChanged: () => messaging.networkChanged(),
  };
}

export async function lockedChannels(rows: Rows, messaging: MessageReceiver): Promise<EngineChannels> {
  const manager = await LockedChannels.load({ ...rows, messaging });
  return {
    manager,
    locked: true,
    budget: () => undefined,
    shareOf: () => undefined,
    onBudget: () => () => {},
    status: () => messaging.connectionStatus(),
    listen: (listener) => manager.onHealth(listener),
    peers: () => messaging.peers(),
    diagnostics: () => messaging.diagnostics(),
    start: () => manager.start(),
    stop: () => manager.stop(),
    networkChanged: () => messaging.networkChanged(),
  };
}

/** Which channels have a key, as the key store asks. */
export function usesOf(id: string, summaries: readonly ChannelSummary[]): readonly KeyUse[] {
  return summaries.flatMap(({ origin, channelId, keyId, earlierKeyIds }): readonly KeyUse[] => {
    if (keyId === id) return [{ origin, channelId, as: "writes" }];
    return earlierKeyIds.includes(id) ? [{ origin, channelId, as: "reads" }] : [];
  });
}
