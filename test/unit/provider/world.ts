/** Pages, bridges and a background that can die, on one virtual clock and one storage. */

import { FakeMessagePort, FakePort } from "../../../packages/reliable-channel/mock/fake-ports.ts";
import { MemoryStorage } from "../../../packages/reliable-channel/mock/memory-storage.ts";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { usesOf } from "../../../src/background/channels.ts";
import type { ConnectionStatus } from "../../../src/channel/ports.ts";
import { err, ok } from "../../../src/common/result.ts";
import { Journal } from "../../../src/common/table.ts";
import { Transactor } from "../../../src/common/transactor.ts";
import { systemRandom } from "../../../src/encryption/random.ts";
import { DataKeys } from "../../../src/keys/data-keys.ts";
import { KeyStore } from "../../../src/keys/key-store.ts";
import { Vault } from "../../../src/keys/vault.ts";
import type { NetworkConfig } from "../../../src/messaging/network-config.ts";
import type { Badge } from "../../../src/provider/badge.ts";
import { bridge } from "../../../src/provider/bridge.ts";
import { CallResults } from "../../../src/provider/call-results.ts";
import { CipherPages } from "../../../src/provider/cipher-pages.ts";
import type { BackgroundFrame, LinkFrame, PageFrame, ResetFrame } from "../../../src/provider/frames.ts";
import { createPageClient } from "../../../src/provider/page-client.ts";
import { Permissions, type PromptWindow } from "../../../src/provider/permissions.ts";
import type { ReliableChannelProvider } from "../../../src/provider/provider-api.ts";
import { HeldPort } from "../../../src/provider/runtime-port.ts";
import { SeenFailures } from "../../../src/provider/seen-failures.ts";
import { createProviderServer } from "../../../src/provider/server.ts";
import { UiKeys } from "../../../src/provider/ui-keys.ts";
import { type NetworkControl, UiServer } from "../../../src/provider/ui-server.ts";
import type { PromptDecision, UiKeyChoice, UiSnapshot } from "../../../src/ui/background-api.ts";
import { UI_PORT } from "../../../src/ui/background-api.ts";
import { FakeChannelManager } from "../../support/fake-channel-manager.ts";
import { FakeSession, quickDerive } from "../keys/vault-world.ts";

export const EXTENSION_ID = "extension-id";
export const EXTENSION_URL = "chrome-extension://extension-id/";
export const SITE = "https://site.example";
export const TOPIC = "/test/1/chat/proto";

/** One life of the background. */
export interface Worker {
  readonly manager: FakeChannelManager;
  readonly permissions: Permissions;
  readonly keys: KeyStore;
  readonly vault: Vault;
  readonly cipherPages: CipherPages;
  readonly transactor: Transactor;
  accept(port: HeldPort): void;
  setNetwork(status: ConnectionStatus): void;
  /** Its engine ends, and answers the popup before. */
  stopUi(): Promise<void>;
}

/** One life of a page. */
export class Page {
  readonly provider: ReliableChannelProvider;
  /** What listeners threw. */
  readonly reported: unknown[] = [];
  /** Every port that the bridge opened, newest last. */
  readonly ports: FakePort[] = [];
  /** The background's ends of them. */
  readonly serverPorts: FakePort[] = [];
  readonly restored: () => void;
  readonly focused: () => void;
  readonly invalidated: () => void;
  /** Frames that the page posted. */
  readonly posted: (PageFrame | ResetFrame)[] = [];

  constructor(world: World, origin: string) {
    const [pageEnd, bridgeEnd] = FakeMessagePort.pair<BackgroundFrame | LinkFrame, PageFrame | ResetFrame>();
    const client = createPageClient(
      {
        post: (frame) => {
          pageEnd.postMessage(frame);
          this.posted.push(frame);
        },
        uuid: () => crypto.randomUUID(),
        after: (delayMs, callback) => world.clock.after(delayMs, callback),
        now: () => world.clock.now(),
        report: (thrown) => this.reported.push(thrown),
      },
      { uuid: crypto.randomUUID(), name: "Test", icon: "data:image/svg+xml,", rdns: "example.test", version: "0.0.0" },
    );
    pageEnd.onmessage = ({ data }) => client.receive(data);
    this.provider = client.provider;
    this.restored = client.restored;
    this.focused = client.focused;
    const { invalidated } = bridge(bridgeEnd, () => ({
      id: world.installed ? EXTENSION_ID : undefined,
      connect: ({ name }) => {
        const { client: port, server } = FakePort.pair(name, {
          id: EXTENSION_ID,
          origin,
          frameId: 0,
          url: `${origin}/`,
        });
        this.ports.push(port);
        this.serverPorts.push(server);
        world.connected(server);
        return port;
      },
    }));
    this.invalidated = invalidated;
  }
}

export class World {
  readonly clock = new VirtualClock();
  readonly storage = new MemoryStorage();
  /** `storage.session`. */
  readonly session = new FakeSession();
  /** `storage.local`. */
  readonly settings = new FakeSession();
  /** The epoch budget; `undefined` where nothing is limited. */
  budget: UiSnapshot["budget"] | undefined;
  /** What the test of an address comes to. */
  testPeer: (address: string) => ReturnType<NetworkControl["test"]> = async () =>
    err({ kind: "no-answer", message: "no answer in time" });
  messagingDiagnostics: ReturnType<NetworkControl["diagnostics"]>;
  /** What the extension's button shows. */
  badge: Badge | undefined;
  /** Whether the extension is still the one whose content scripts run. */
  installed = true;
  /** Whether a connecting page starts the background, as in a browser. */
  reachable = true;
  browserSession = "first session";
  readonly window = { open: false, opened: 0, focused: 0 };
  #onWindowClosed: () => void = () => {};
  #worker: Promise<Worker> | undefined;
  #ports: FakePort[] = [];
  #config: NetworkConfig = { name: "local", clusterId: 42, shards: 8, bootstrap: [] };

  /** The running background; starts one if there is none. */
  worker(): Promise<Worker> {
    this.#worker ??= this.#start();
    return this.#worker;
  }

  /** The browser stops the background: its ports die, its memory is gone, what it had not committed never happened. */
  async kill(): Promise<void> {
    const ports = this.#ports;
    this.#ports = [];
    this.#worker = undefined;
    this.storage.beforeCommit = () => {};
    this.storage.afterCommit = () => {};
    for (const port of ports) port.disconnect();
    await this.clock.settle();
  }

  page(origin = SITE): Page {
    return new Page(this, origin);
  }

  /** A bridge's port arrives at the background. */
  connected(server: FakePort): void {
    if (!this.reachable) {
      queueMicrotask(() => server.disconnect());
      return;
    }
    this.#ports.push(server);
    const held = new HeldPort(server);
    void this.worker().then(({ accept }) => accept(held));
  }

  /** A port of the popup, and the frames that arrive at it. */
  async popup(sender = { id: EXTENSION_ID, url: `${EXTENSION_URL}popup.html` }) {
    const { client, server } = FakePort.pair(UI_PORT, sender);
    const frames: unknown[] = [];
    client.onMessage.addListener((frame) => frames.push(frame));
    this.connected(server);
    await this.clock.settle();
    const snapshot = (): UiSnapshot => {
      const last = frames.findLast((frame) => (frame as UiSnapshot).type === "snapshot");
      if (!last) throw new Error("no snapshot yet");
      return last as UiSnapshot;
    };
    return { port: client, frames, snapshot };
  }

  /** Lets the pages that lost their background find the next one. */
  async recover(): Promise<void> {
    await this.clock.advance(1);
  }

  /** The person answers the oldest open prompt. */
  async answer(decision: PromptDecision, key?: UiKeyChoice): Promise<void> {
    const { permissions } = await this.worker();
    await this.clock.settle();
    const [prompt] = permissions.prompts();
    if (!prompt) throw new Error("no prompt is open");
    const answered = await permissions.answer(prompt.id, decision, key);
    if (!answered.ok) throw new Error(answered.error.message);
    await this.clock.settle();
  }

  /** The person closes the prompt window. */
  async closeWindow(): Promise<void> {
    this.window.open = false;
    this.#onWindowClosed();
    await this.clock.settle();
  }

  /** A page that the person allowed before. */
  async trustedPage(origin = SITE): Promise<Page> {
    const page = this.page(origin);
    const connected = page.provider.connect();
    await this.answer("always");
    await connected;
    return page;
  }

  async #start(): Promise<Worker> {
    const { storage, clock } = this;
    const journal = new Journal();
    const transactor = new Transactor(journal, storage);
    const manager = await FakeChannelManager.load({ journal, transactor, storage, clock });
    const listeners = new Set<() => void>();
    let status: ConnectionStatus = "Connected";
    const promptWindow: PromptWindow = {
      open: async () => {
        if (this.window.open) this.window.focused++;
        else this.window.opened++;
        this.window.open = true;
      },
      isOpen: async () => this.window.open,
      close: async () => {
        this.window.open = false;
      },
      onClosed: (listener) => {
        this.#onWindowClosed = listener;
      },
    };
    const network: NetworkControl = {
      status: () => status,
      peers: () => ({ lightpush: 1, filter: 1, store: 1 }),
      config: () => this.#config,
      setConfig: async (config) => {
        this.#config = config;
        return ok(undefined);
      },
      test: (address) => this.testPeer(address),
      diagnostics: () => this.messagingDiagnostics,
      listen: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    };
    const rows = { journal, transactor, storage, clock };
    const dataKeys = new DataKeys();
    const vault = await Vault.load({
      ...rows,
      dataKeys,
      session: this.session,
      resealContent: async () => true,
      derive: quickDerive,
    });
    const keys = await KeyStore.load({
      ...rows,
      dataKeys,
      usesOf: (id) => usesOf(id, manager.summaries()),
    });
    vault.onRotation(() => keys.reseal());
    const extension = { extensionId: EXTENSION_ID, extensionUrl: EXTENSION_URL, version: "0.0.0" };
    const results = new CallResults(rows);
    const cipherPages = new CipherPages();
    const newId = () => crypto.randomUUID();
    const permissions = await Permissions.load({
      ...rows,
      results,
      keys,
      vault,
      window: promptWindow,
      browserSession: this.browserSession,
      newId,
    });
    const pages = await createProviderServer({
      manager,
      permissions,
      results,
      keys,
      vault,
      cipherPages,
      network,
      clock,
      newId,
      ...extension,
    });
    const { settings } = this;
    const kdf = { random: systemRandom, derive: quickDerive };
    const commands = { keys, vault, manager, permissions, transactor, settings, clock, ...kdf };
    const ui = new UiServer({
      manager,
      permissions,
      network,
      cipherPages,
      keys: await UiKeys.load(commands),
      vault,
      seenFailures: await SeenFailures.load(settings),
      budget: () => this.budget,
      browser: "Test browser",
      setBadge: (badge) => {
        this.badge = badge;
      },
      clock,
      ...extension,
    });
    await permissions.resume();
    return {
      stopUi: () => ui.stop(),
      manager,
      permissions,
      keys,
      vault,
      cipherPages,
      transactor,
      accept: (port) => {
        if (!pages.accept(port) && !ui.accept(port)) port.close();
      },
      setNetwork: (next) => {
        status = next;
        for (const listener of listeners) listener();
      },
    };
  }
}

/** The error of a call that has to fail. */
export async function failureOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    (value) => {
      throw new Error(`expected a failure, got ${String(value)}`);
    },
    (error) => error,
  );
}
