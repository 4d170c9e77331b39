/** What an end-to-end test stands on: a local Waku network, the demo site, and browser profiles that joined the network. */
import { type DemoSite, startDemoSite } from "../../dev/demo/server.ts";
import { type LocalNetwork, startLocalNetwork } from "../../dev/network/local-network.ts";
import type { NetworkConfig } from "../../src/messaging/network-config.ts";
import { ChromiumProfile, type ProfileOptions } from "./chromium.ts";

export class Stack implements AsyncDisposable {
  readonly network: LocalNetwork;
  readonly demo: DemoSite;
  /** Also those that are still starting, so that none outlives the stack. */
  readonly #profiles: Promise<ChromiumProfile>[] = [];

  private constructor(network: LocalNetwork, demo: DemoSite) {
    this.network = network;
    this.demo = demo;
  }

  /** Starts network and site on free ports. */
  static async start(): Promise<Stack> {
    const network = await startLocalNetwork({ port: 0 });
    try {
      return new Stack(network, await startDemoSite({ port: 0 }));
    } catch (error) {
      await network.stop();
      throw error;
    }
  }

  /** The setting that makes a profile join this network. */
  get networkConfig(): NetworkConfig {
    return {
      name: "local",
      clusterId: this.network.clusterId,
      shards: this.network.shards,
      bootstrap: this.network.multiaddrs,
    };
  }

  /** A browser profile; with the extension, it has joined the network. Closed with the stack. */
  async profile(options: ProfileOptions = {}): Promise<ChromiumProfile> {
    const launched = ChromiumProfile.launch(options);
    this.#profiles.push(launched);
    const profile = await launched;
    if (options.extension ?? true) await profile.setNetwork(this.networkConfig);
    return profile;
  }

  async close(): Promise<void> {
    // One that did not start has cleaned up after itself and was reported where it was asked for.
    await Promise.allSettled(this.#profiles.map(async (profile) => (await profile).close()));
    await this.demo.stop();
    await this.network.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
