/**
 * One life of the extension's background: the real one, put together as `src/background/` does, but over a storage and
 * service nodes in memory.
 */
import { lockedChannels, runningChannels, usesOf } from "../../../src/background/channels.ts";
import type { Storage, StorageRoom } from "../../../src/channel/ports.ts";
import type { ChannelManagerApi } from "../../../src/channel/types.ts";
import { utf8 } from "../../../src/common/bytes.ts";
import type { Clock } from "../../../src/common/clock.ts";
import { keccak256 } from "../../../src/common/keccak.ts";
import { Journal } from "../../../src/common/table.ts";
import { Transactor } from "../../../src/common/transactor.ts";
import { DataKeys } from "../../../src/keys/data-keys.ts";
import { KeyStore } from "../../../src/keys/key-store.ts";
import type { DeriveKey } from "../../../src/keys/password-seal.ts";
import { type SessionArea, Vault } from "../../../src/keys/vault.ts";
import {
  createMessageReceiver,
  createMessagingClient,
  type MessagingClientParts,
} from "../../../src/messaging/messaging-client.ts";
import { MessagingTables } from "../../../src/messaging/messaging-tables.ts";
import type { NetworkConfig } from "../../../src/messaging/network-config.ts";
import type { ServiceNodes } from "../../../src/messaging/service-nodes.ts";
import { CallResults } from "../../../src/provider/call-results.ts";
import { CipherPages } from "../../../src/provider/cipher-pages.ts";
import { Permissions, type PromptWindow } from "../../../src/provider/permissions.ts";
import type { HeldPort } from "../../../src/provider/runtime-port.ts";
import { createProviderServer } from "../../../src/provider/server.ts";
import { SealedStorage } from "../../../src/storage/sealed-storage.ts";

export const EXTENSION_ID = "mock";
const NETWORK: NetworkConfig = {
  name: "mock",
  clusterId: 0,
  shards: 1,
  bootstrap: [],
  traits: { confirmation: "expected", peerExchange: false },
};

export interface BackgroundParts {
  /** What outlives it: the disk, and the session of the browser. */
  readonly disk: Storage;
  readonly session: SessionArea;
  readonly clock: Clock;
  readonly nodes: ServiceNodes;
  readonly window: PromptWindow;
}

export interface Background {
  readonly manager: ChannelManagerApi;
  readonly permissions: Permissions;
  readonly vault: Vault;
  accept(port: HeldPort): void;
}

/** Where it is locked, the channels only receive: whoever unlocks it ends this life and begins the next. */
export async function startBackground({ disk, session, clock, nodes, window }: BackgroundParts): Promise<Background> {
  const dataKeys = new DataKeys();
  const storage = new SealedStorage(disk, dataKeys);
  const rowsOf = (storage: Storage) => {
    const journal = new Journal();
    return { storage, room: ENDLESS_ROOM, journal, transactor: new Transactor(journal, storage), clock };
  };
  const rows = rowsOf(storage);
  const newId = () => crypto.randomUUID();
  const messagingOver = async (over: typeof rows): Promise<MessagingClientParts> => {
    const tables = await MessagingTables.load(over.storage, over.journal);
    return { ...over, tables, nodes, network: NETWORK, newId };
  };
  const resealContent = () => storage.reseal();
  const vault = await Vault.load({ ...rows, dataKeys, session, resealContent, derive: deriveQuickly });
  const keys = await KeyStore.load({ ...rows, dataKeys, usesOf: (id) => usesOf(id, channels.manager.summaries()) });
  vault.onRotation(() => keys.reseal());
  const cipherPages = new CipherPages();
  // What is received while it is locked are ciphertexts: they pass the seal by.
  const unsealed = rowsOf(disk);
  const channels = vault.locked
    ? await lockedChannels(unsealed, createMessageReceiver(await messagingOver(unsealed)))
    : await runningChannels(rows, createMessagingClient(await messagingOver(rows)), keys, cipherPages);
  const { manager } = channels;
  const results = new CallResults(rows);
  const permissions = await Permissions.load({ ...rows, results, window, keys, vault, browserSession: "mock", newId });
  const server = await createProviderServer({
    manager,
    permissions,
    results,
    network: channels,
    cipherPages,
    keys,
    vault,
    clock,
    newId,
    extensionId: EXTENSION_ID,
  });
  await permissions.resume();
  vault.start();
  await channels.start();
  return { manager, permissions, vault, accept: (port) => void server.accept(port) };
}

/** The memory of a test. */
const ENDLESS_ROOM: StorageRoom = { isFull: () => false, listen: () => () => {} };

/** Nobody guesses the password of a mock, so it need not take long. */
const deriveQuickly: DeriveKey = async (password, salt, iterations) =>
  keccak256(utf8(password), salt, utf8(String(iterations)));
