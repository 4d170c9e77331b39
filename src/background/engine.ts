/**
 * Everything the background runs, put together over one database: built from what is stored, and thrown away as a whole.
 *
 * An engine ends when its worker is killed, when a commit failed, when another context took the database over, or when the
 * person chose another network. In each case the next one begins from storage; there is no other way to recover.
 */
import { ReliableChannelManager } from "../channel/reliable-channel-manager.ts";
import { systemClock } from "../common/clock.ts";
import { Journal } from "../common/table.ts";
import { Transactor } from "../common/transactor.ts";
import { createWakuMessaging } from "../messaging/messaging-client.ts";
import type { NetworkConfig } from "../messaging/network-config.ts";
import { CallResults } from "../provider/call-results.ts";
import { Permissions, type PromptWindow } from "../provider/permissions.ts";
import type { HeldPort } from "../provider/runtime-port.ts";
import { createProviderServer, type NetworkView } from "../provider/server.ts";
import { type NetworkControl, UiServer } from "../provider/ui-server.ts";
import { Database } from "../storage/database.ts";
import { useFastKeccak } from "./fast-keccak.ts";

/** What the browser gives to an engine. */
export interface EngineSurroundings {
  readonly network: NetworkConfig;
  /** Stores another network; the engine is then replaced. */
  readonly setNetwork: NetworkControl["setConfig"];
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

async function startOn(storage: Database, surroundings: EngineSurroundings): Promise<Engine> {
  const { network, extensionId, extensionUrl, version } = surroundings;
  const journal = new Journal();
  const transactor = new Transactor(journal, storage, surroundings.onBroken);
  const clock = systemClock;
  const rows = { storage, journal, transactor, clock };

  const messaging = await createWakuMessaging({ ...rows, network });
  const manager = await ReliableChannelManager.load({ ...rows, messaging });
  const results = new CallResults(rows);
  const newId = () => crypto.randomUUID();
  const { promptWindow: window, browserSession } = surroundings;
  const permissions = await Permissions.load({ ...rows, results, window, browserSession, newId });

  const view: NetworkView = {
    status: () => messaging.connectionStatus(),
    listen: (listener) => manager.onHealth(listener),
  };
  const control: NetworkControl = {
    ...view,
    peers: () => messaging.peers(),
    config: () => network,
    setConfig: surroundings.setNetwork,
  };
  const provider = await createProviderServer({ manager, permissions, results, network: view, clock, extensionId });
  const ui = new UiServer({ manager, permissions, network: control, clock, version, extensionId, extensionUrl });
  const ports = new Set<HeldPort>();

  const networkChanged = () => messaging.networkChanged();
  const stop = async (): Promise<void> => {
    for (const change of ["online", "offline"]) globalThis.removeEventListener(change, networkChanged);
    await manager.stop().finally(() => storage.close());
  };

  await permissions.resume();
  for (const change of ["online", "offline"]) globalThis.addEventListener(change, networkChanged);
  try {
    await manager.start();
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
      // The pages' ends notice, and connect to the engine that follows.
      for (const port of ports) port.close();
      await stop();
    },
  };
}
