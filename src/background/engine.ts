/**
 * Everything the background runs, put together over one database: built from what is stored, and thrown away as a whole.
 *
 * An engine ends when its worker is killed, when a commit failed, when another context took the database over, when the
 * person chose another network, and when the vault is locked or unlocked. In each case the next one begins from storage;
 * there is no other way to recover.
 */
import type { Storage } from "../channel/ports.ts";
import { systemClock } from "../common/clock.ts";
import { Journal } from "../common/table.ts";
import { Transactor } from "../common/transactor.ts";
import { systemRandom } from "../encryption/random.ts";
import { DataKeys } from "../keys/data-keys.ts";
import { KeyStore } from "../keys/key-store.ts";
import { type SessionArea, Vault } from "../keys/vault.ts";
import type { NetworkConfig } from "../messaging/network-config.ts";
import { testPeer } from "../messaging/peer-test.ts";
import { createWakuMessaging, createWakuReceiver } from "../messaging/waku-messaging.ts";
import type { Badge } from "../provider/badge.ts";
import { CallResults } from "../provider/call-results.ts";
import { CipherPages } from "../provider/cipher-pages.ts";
import { Permissions, type PromptWindow } from "../provider/permissions.ts";
import type { HeldPort } from "../provider/runtime-port.ts";
import { SeenFailures } from "../provider/seen-failures.ts";
import { createProviderServer, type NetworkView } from "../provider/server.ts";
import { type SettingsArea, UiKeys } from "../provider/ui-keys.ts";
import { type NetworkControl, UiServer } from "../provider/ui-server.ts";
import { Database } from "../storage/database.ts";
import { MeteredStorage } from "../storage/metered-storage.ts";
import { SealedStorage } from "../storage/sealed-storage.ts";
import type { StorageMeter } from "../storage/storage-meter.ts";
import { UI_PORT } from "../ui/background-api.ts";
import { lockedChannels, runningChannels, usesOf } from "./channels.ts";
import { useFastKeccak } from "./fast-keccak.ts";

/** What the browser gives to an engine. */
export interface EngineSurroundings {
  readonly network: NetworkConfig;
  /** Stores another network; the engine is then replaced. */
  readonly setNetwork: NetworkControl["setConfig"];
  /** Of the worker: where a commit of this engine is refused for want of room, the next one is to know. */
  readonly storageMeter: StorageMeter;
  /** `storage.local`. */
  readonly settings: SettingsArea;
  /** Shows on the toolbar what waits for the person. */
  readonly setBadge: (badge: Badge) => void;
  /** `storage.session`. */
  readonly session: SessionArea;
  /** Asks for an alarm, should the worker not live until then; `undefined` cancels it. */
  readonly wakeAt: (at: number | undefined) => void;
  /** Begins the next engine, from what is stored now. */
  readonly replace: () => void;
  readonly promptWindow: PromptWindow;
  /** Identifies the running browser session. */
  readonly browserSession: string;
  readonly extensionId: string;
  readonly extensionUrl: string;
  readonly version: string;
  /** Called once if the engine cannot go on. */
  readonly onBroken: () => void;
}

export interface Engine {
  /** Serves a port of a page, the popup or the prompt. */
  accept(port: HeldPort): void;
  stop(): Promise<void>;
}

/** Rejects if it cannot be put together, and then leaves nothing behind that runs or holds the database. */
export async function startEngine(surroundings: EngineSurroundings): Promise<Engine> {
  await useFastKeccak();
  const storage = await Database.open();
  try {
    return await startOn(storage, surroundings);
  } catch (thrown) {
    storage.close();
    throw thrown;
  }
}

async function startOn(database: Database, surroundings: EngineSurroundings): Promise<Engine> {
  const { network, extensionId, extensionUrl, version } = surroundings;
  const dataKeys = new DataKeys();
  const { storageMeter } = surroundings;
  const metered = new MeteredStorage(database, storageMeter);
  // Before anything is taken in: where storage is full, that would be refused, and this engine would end at once.
  await storageMeter.read();
  const storage = new SealedStorage(metered, dataKeys);
  const clock = systemClock;
  const rowsOf = <S extends Storage>(storage: S) => {
    const journal = new Journal();
    const transactor = new Transactor(journal, storage, surroundings.onBroken);
    return { storage, room: storageMeter, journal, transactor, clock };
  };
  const rows = rowsOf(storage);

  // Before anything else: until the vault was read, nobody knows what may be written in plain.
  const { session, wakeAt } = surroundings;
  const vault = await Vault.load({ ...rows, dataKeys, session, wakeAt, resealContent: () => storage.reseal() });
  const keys = await KeyStore.load({ ...rows, dataKeys, usesOf: (id) => usesOf(id, channels.manager.summaries()) });
  vault.onRotation(() => keys.reseal());
  const cipherPages = new CipherPages();
  // While it is locked there is nothing to seal with, and what is received are ciphertexts: they pass the seal by.
  const unsealed = rowsOf(metered);
  const channels = vault.locked
    ? await lockedChannels(unsealed, await createWakuReceiver({ ...unsealed, network }))
    : await runningChannels(
        rows,
        await createWakuMessaging({ ...rows, network }),
        keys,
        cipherPages,
        network.rateLimit,
      );
  const { manager } = channels;
  const results = new CallResults(rows);
  const newId = () => crypto.randomUUID();
  const { promptWindow: window, browserSession } = surroundings;
  const permissions = await Permissions.load({ ...rows, results, window, keys, vault, browserSession, newId });

  const view: NetworkView = channels;
  const control: NetworkControl = {
    ...view,
    listen: (listener) => {
      const ends = [channels.listen(listener), channels.onBudget(listener)];
      return () => {
        for (const end of ends) end();
      };
    },
    peers: channels.peers,
    config: () => network,
    setConfig: surroundings.setNetwork,
    test: testPeer,
    diagnostics: channels.diagnostics,
  };
  const provider = await createProviderServer({
    manager,
    permissions,
    results,
    network: view,
    keys,
    vault,
    cipherPages,
    clock,
    newId,
    extensionId,
    epoch: (origin) => channels.shareOf(origin) ?? null,
  });
  const { settings, setBadge } = surroundings;
  const random = systemRandom;
  const uiKeys = await UiKeys.load({
    keys,
    vault,
    manager,
    permissions,
    transactor: rows.transactor,
    clock,
    random,
    settings,
  });
  const ui = new UiServer({
    manager,
    permissions,
    network: control,
    cipherPages,
    keys: uiKeys,
    vault,
    seenFailures: await SeenFailures.load(settings),
    budget: channels.budget,
    setBadge,
    clock,
    version,
    browser: navigator.userAgent,
    extensionId,
    extensionUrl,
  });
  const ports = new Set<HeldPort>();

  const stop = async (): Promise<void> => {
    for (const change of ["online", "offline"]) globalThis.removeEventListener(change, channels.networkChanged);
    await Promise.all([ui.stop(), vault.stop(), channels.stop()]).finally(() => database.close());
  };

  await permissions.resume();
  for (const change of ["online", "offline"]) globalThis.addEventListener(change, channels.networkChanged);
  vault.listen((state) => {
    if ((state === "locked") !== channels.locked) surroundings.replace();
  });
  vault.start();
  try {
    await channels.start();
  } catch (thrown) {
    // The next engine has the same identity on the network: two nodes would get in each other's way.
    await stop().catch(() => undefined);
    throw thrown;
  }

  return {
    accept(port) {
      if (!provider.accept(port) && !ui.accept(port)) {
        port.close();
        return;
      }
      for (const known of ports) if (known.closed) ports.delete(known);
      ports.add(port);
    },
    async stop() {
      // The pages' ends notice, and connect to the engine that follows. Popup and prompt get their answers first.
      for (const port of ports) if (port.name !== UI_PORT) port.close();
      await stop();
    },
  };
}
