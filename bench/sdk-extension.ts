/** An extension whose worker is bare `@waku/sdk`: it connects, subscribes and asks the store, each time it starts. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium } from "playwright-core";
import { build } from "vite";
import type { LocalNetwork } from "../dev/network/local-network.ts";
import { chromiumPath } from "../test/support/chromium.ts";

const ENTRY = "sdk-worker";
const MANIFEST = {
  manifest_version: 3,
  name: "Bare SDK",
  version: "1",
  background: { service_worker: "background.js" },
};

/** What a page of it sees of the browser. */
declare const chrome: { readonly runtime: { sendMessage(message: unknown): Promise<unknown> } };

export class SdkExtension implements AsyncDisposable {
  readonly context: BrowserContext;
  readonly extensionId: string;
  readonly #directory: string;

  private constructor(context: BrowserContext, extensionId: string, directory: string) {
    this.context = context;
    this.extensionId = extensionId;
    this.#directory = directory;
  }

  static async launch(network: LocalNetwork, contentTopic: string): Promise<SdkExtension> {
    const directory = await mkdtemp(join(tmpdir(), "reliable-channel-bench-"));
    const extension = join(directory, "extension");
    await build({
      root: join(import.meta.dirname, ".."),
      configFile: false,
      logLevel: "silent",
      publicDir: false,
      plugins: [
        {
          name: ENTRY,
          resolveId: (id) => (id === ENTRY ? join(import.meta.dirname, ENTRY) : null),
          load: (id) => (id.endsWith(ENTRY) ? workerScript(network, contentTopic) : null),
        },
      ],
      build: {
        outDir: extension,
        rollupOptions: { input: ENTRY, output: { format: "iife", entryFileNames: "background.js" } },
      },
    });
    await writeFile(join(extension, "manifest.json"), JSON.stringify(MANIFEST));
    const context = await chromium.launchPersistentContext(join(directory, "profile"), {
      executablePath: chromiumPath(),
      headless: true,
      args: [
        ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
        `--disable-extensions-except=${extension}`,
        `--load-extension=${extension}`,
        "--disable-background-networking",
        "--no-first-run",
      ],
    });
    const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent("serviceworker"));
    return new SdkExtension(context, new URL(worker.url()).host, directory);
  }

  /** A function that starts the worker if it is dead, as the message of any page does. */
  async waker(): Promise<() => Promise<unknown>> {
    const page = await this.context.newPage();
    await page.goto(`chrome-extension://${this.extensionId}/manifest.json`);
    return () => page.evaluate(() => chrome.runtime.sendMessage("wake"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

function workerScript({ clusterId, shards, multiaddrs }: LocalNetwork, contentTopic: string): string {
  return `
    import { bootstrap } from "@libp2p/bootstrap";
    import { createLightNode, Protocols } from "@waku/sdk";
    chrome.runtime.onMessage.addListener((message, sender, answer) => answer("awake"));
    const run = async () => {
      const node = await createLightNode({
        networkConfig: { clusterId: ${clusterId}, numShardsInCluster: ${shards} },
        defaultBootstrap: false,
        discovery: { dns: false, peerExchange: false, peerCache: false },
        connectionManager: { dialCooldown: 1, failedDialCooldown: 2 },
        libp2p: {
          filterMultiaddrs: false,
          hideWebSocketInfo: true,
          peerDiscovery: [bootstrap({ list: ${JSON.stringify(multiaddrs)}, timeout: 0 })],
        },
      });
      await node.start();
      await node.waitForPeers([Protocols.LightPush, Protocols.Filter, Protocols.Store]);
      const decoder = node.createDecoder({ contentTopic: ${JSON.stringify(contentTopic)} });
      await node.filter.subscribe([decoder], () => undefined);
      for await (const page of node.store.queryGenerator([decoder])) await Promise.all(page);
    };
    run();
  `;
}
