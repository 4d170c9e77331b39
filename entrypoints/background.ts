import { browser } from "@wxt-dev/webextension-polyfill/browser";
import { defineBackground } from "wxt/utils/define-background";
import { clearClipboardWhenDue } from "../src/background/clipboard-clearing.ts";
import { startEngine } from "../src/background/engine.ts";
import { EngineKeeper } from "../src/background/engine-keeper.ts";
import { readNetwork, writeNetwork } from "../src/background/network-setting.ts";
import { systemClock } from "../src/common/clock.ts";
import { LIMITS } from "../src/limits.ts";
import { NETWORK_SETTING } from "../src/messaging/network-config.ts";
import { browserSession } from "../src/provider/browser-session.ts";
import { CLIPBOARD_CLEARED } from "../src/provider/clear-clipboard.ts";
import { createPromptWindow } from "../src/provider/prompt-window.ts";
import { HeldPort } from "../src/provider/runtime-port.ts";
import { StorageMeter } from "../src/storage/storage-meter.ts";
import { CLIPBOARD_ALARM, clipboardDeadline } from "../src/ui/clipboard-deadline.ts";

/** Wakes the worker when the vault is due to be locked. */
const LOCK_ALARM = "lock";

/**
 * The worker may be killed at any instruction and started by any event, so every listener is registered here and now, and
 * each waits for the one engine.
 */
export default defineBackground(() => {
  // Manifest version 2, in Firefox, calls it otherwise.
  const action = browser.action ?? browser.browserAction;
  const promptWindow = createPromptWindow(browser);
  const storageMeter = new StorageMeter({ estimate: async () => navigator.storage.estimate(), clock: systemClock });
  const keeper: EngineKeeper = new EngineKeeper(
    async (onBroken) =>
      startEngine({
        network: await readNetwork(browser.storage.local),
        setNetwork: (config) => writeNetwork(browser.storage.local, config),
        storageMeter,
        settings: browser.storage.local,
        setBadge({ text, colour }) {
          void action.setBadgeText({ text });
          void action.setBadgeBackgroundColor({ color: colour });
        },
        session: browser.storage.session,
        wakeAt(at) {
          if (at === undefined) void browser.alarms.clear(LOCK_ALARM);
          else void browser.alarms.create(LOCK_ALARM, { when: at });
        },
        replace: () => keeper.replace(),
        promptWindow,
        browserSession: await browserSession(browser.storage.session, () => crypto.randomUUID()),
        extensionId: browser.runtime.id,
        extensionUrl: browser.runtime.getURL(""),
        version: browser.runtime.getManifest().version,
        onBroken,
      }),
    systemClock,
  );

  browser.runtime.onConnect.addListener((port) => keeper.serve(new HeldPort(port)));
  browser.storage.onChanged.addListener((changes, area) => {
    if (area === "local" && NETWORK_SETTING in changes) keeper.replace();
  });

  browser.alarms.onAlarm.addListener(({ name }) => {
    if (name === CLIPBOARD_ALARM) void clearClipboardWhenDue(browser, systemClock);
  });
  browser.runtime.onMessage.addListener((message: unknown) => {
    if (message === CLIPBOARD_CLEARED) void clipboardDeadline(browser).clear();
  });
  // While a node is unreachable nothing else would wake a worker that was suspended.
  void browser.alarms.create("wake", { periodInMinutes: LIMITS.background.wakeMs / 60_000 });
  browser.runtime.onStartup.addListener(() => undefined);
});
