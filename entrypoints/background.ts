import { browser } from "@wxt-dev/webextension-polyfill/browser";
import { defineBackground } from "wxt/utils/define-background";
import { type Engine, startEngine } from "../src/background/engine.ts";
import { readNetwork, writeNetwork } from "../src/background/network-setting.ts";
import { NETWORK_SETTING } from "../src/messaging/network-config.ts";
import { browserSession } from "../src/provider/browser-session.ts";
import { createPromptWindow } from "../src/provider/prompt-window.ts";
import { HeldPort } from "../src/provider/runtime-port.ts";

/** The shortest period that browsers allow, in minutes. */
const WAKE_MINUTES = 1;
const RESTART_MS = 1_000;

/**
 * The worker may be killed at any instruction and started by any event, so every listener is registered here and now, and
 * each waits for the one engine.
 */
export default defineBackground(() => {
  const promptWindow = createPromptWindow(browser);
  let engine = start();

  async function start(): Promise<Engine> {
    let broken = false;
    return startEngine({
      network: await readNetwork(browser.storage.local),
      setNetwork: (config) => writeNetwork(browser.storage.local, config),
      promptWindow,
      browserSession: await browserSession(browser.storage.session, () => crypto.randomUUID()),
      extensionId: browser.runtime.id,
      extensionUrl: browser.runtime.getURL(""),
      version: browser.runtime.getManifest().version,
      onBroken() {
        if (!broken) restart(RESTART_MS);
        broken = true;
      },
    });
  }

  /** The engine after this one: begun from storage, once this one has stopped. */
  function restart(delayMs: number): void {
    const last = engine;
    engine = last
      .then((running) => running.stop())
      .catch(() => undefined)
      .then(() => new Promise((resolve) => setTimeout(resolve, delayMs)))
      .then(start);
    // The next event asks again; until then nobody waits for it.
    engine.catch(() => undefined);
  }

  browser.runtime.onConnect.addListener((port) => {
    const held = new HeldPort(port);
    const serve = () => engine.then((running) => running.accept(held));
    serve().catch(() => {
      restart(RESTART_MS);
      return serve().catch(() => held.close());
    });
  });
  browser.storage.onChanged.addListener((changes, area) => {
    if (area === "local" && NETWORK_SETTING in changes) restart(0);
  });

  // While a node is unreachable nothing else would wake a worker that was suspended.
  browser.alarms.onAlarm.addListener(() => undefined);
  void browser.alarms.create("wake", { periodInMinutes: WAKE_MINUTES });
  browser.runtime.onStartup.addListener(() => undefined);
});
