/** A site that encrypts itself in Firefox, where page and extension see each other's objects through walls. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LocalNetwork, startLocalNetwork } from "../../../dev/network/local-network.ts";
import { NETWORK_SETTING, type NetworkConfig } from "../../../src/messaging/network-config.ts";
import { FirefoxProfile } from "../../support/firefox.ts";
import { type PageServer, startPageServer } from "../../support/page-server.ts";

/** The site turns every bit; it notes what each function was given, and whether that held the message. */
const SITE = `<!doctype html><title>A site that encrypts</title><script>
  const turn = (bytes) => bytes.map((byte) => byte ^ 0xff);
  const note = (name, given, content) => {
    if (new TextDecoder().decode(content).includes("Fox")) asked[name].resolve(given instanceof Uint8Array);
  };
  window.asked = { encrypt: Promise.withResolvers(), decrypt: Promise.withResolvers() };
  window.functions = {
    encrypt(content) {
      note("encrypt", content, content);
      return turn(content);
    },
    async decrypt(payload) {
      note("decrypt", payload, turn(payload));
      return turn(payload);
    },
  };
</script>`;

describe("a site that encrypts, in Firefox", () => {
  let firefox: FirefoxProfile;
  let server: PageServer;
  let network: LocalNetwork;

  beforeAll(async () => {
    [server, network, firefox] = await Promise.all([
      startPageServer({ "/": { html: SITE } }),
      startLocalNetwork({ port: 0 }),
      FirefoxProfile.launch(),
    ]);
  });

  afterAll(async () => {
    await firefox?.close();
    await Promise.all([server?.close(), network?.stop()]);
  });

  test("its functions get bytes of their own world, and what they return goes over the network and comes back", async () => {
    const config: NetworkConfig = {
      name: "local",
      clusterId: network.clusterId,
      shards: network.shards,
      bootstrap: network.multiaddrs,
    };
    const prompt = await firefox.open(firefox.extensionUrl("prompt.html"));
    await firefox.evaluate(
      prompt,
      `browser.storage.local.set({ ${JSON.stringify(NETWORK_SETTING)}: ${JSON.stringify(config)} })`,
    );
    const page = await firefox.open(server.origin);
    const sent = firefox.evaluate(
      page,
      `(async () => {
        const channel = await reliableChannel.createReliableChannel({
          channelId: "den",
          contentTopic: "/test/1/den/proto",
          encryption: { mode: "page", ...functions },
        });
        const outcome = new Promise((resolve) => {
          channel.on("reliable:message:sent", () => resolve("sent"));
          channel.on("reliable:message:send-error", ({ error }) => resolve(error));
        });
        await channel.send(new TextEncoder().encode("Fox"));
        return outcome;
      })()`,
    );
    await firefox.evaluate(
      prompt,
      `new Promise((resolve) => {
        const look = () => {
          const button = document.querySelector('[data-testid="prompt-always"]:enabled');
          if (button === null) return;
          observer.disconnect();
          button.click();
          resolve(null);
        };
        const observer = new MutationObserver(look);
        observer.observe(document, { subtree: true, childList: true, attributes: true });
        look();
      })`,
    );
    expect(await sent).toBe("sent");
    // What a page publishes comes back to it.
    for (const name of ["encrypt", "decrypt"]) {
      expect(await firefox.evaluate(page, `asked.${name}.promise`)).toBe(true);
    }
    const payloads = network.nodes.flatMap(({ archive }) => archive.messages()).map(({ message }) => message.payload);
    expect(payloads.length).toBeGreaterThan(0);
    for (const payload of payloads) expect(Buffer.from(payload).includes("Fox")).toBe(false);
  });
});
