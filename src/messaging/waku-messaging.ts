/** The Messaging API over the Waku network. */

import type { DnsClient } from "@waku/interfaces";
import type { MessageReceiver, MessagingClient, Storage } from "../channel/ports.ts";
import type { Clock } from "../common/clock.ts";
import type { Journal } from "../common/table.ts";
import type { Transactor } from "../common/transactor.ts";
import { createMessageReceiver, createMessagingClient, type MessagingClientParts } from "./messaging-client.ts";
import { MessagingTables } from "./messaging-tables.ts";
import type { NetworkConfig } from "./network-config.ts";
import { currentIdentity } from "./node-identity.ts";
import { PeerCache } from "./peer-cache.ts";
import { WakuServiceNodes } from "./waku-service-nodes.ts";

export interface WakuMessagingOptions {
  readonly storage: Storage;
  readonly journal: Journal;
  readonly transactor: Transactor;
  readonly clock: Clock;
  readonly network: NetworkConfig;
  /** How DNS lists of nodes are read; DNS over HTTPS by default. */
  readonly dns?: DnsClient;
}

/** The client over the Waku network, resuming from what `storage` holds. To change the network, stop it and make another. */
export async function createWakuMessaging(options: WakuMessagingOptions): Promise<MessagingClient> {
  return createMessagingClient(await partsOf(options));
}

/** The same for as long as nothing can be sent. */
export async function createWakuReceiver(options: WakuMessagingOptions): Promise<MessageReceiver> {
  return createMessageReceiver(await partsOf(options));
}

async function partsOf(options: WakuMessagingOptions): Promise<MessagingClientParts> {
  const { storage, journal, transactor, clock, network, dns } = options;
  const tables = await MessagingTables.load(storage, journal);
  const stored = tables.identity;
  const identity = await currentIdentity(stored, clock.now());
  if (identity !== stored) await transactor.run(() => tables.putIdentity(identity));
  return {
    tables,
    transactor,
    nodes: new WakuServiceNodes({
      network,
      privateKey: identity.privateKey,
      clock,
      cache: new PeerCache(tables, transactor, network.clusterId),
      dns,
    }),
    clock,
    network,
    newId: () => crypto.randomUUID(),
  };
}
