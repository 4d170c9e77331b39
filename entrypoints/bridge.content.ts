import { defineContentScript } from "wxt/utils/define-content-script";
import type { BridgeRuntime } from "../src/provider/bridge.ts";
import { bridge, offerPort } from "../src/provider/bridge.ts";

declare const chrome: { readonly runtime?: BridgeRuntime } | undefined;

export default defineContentScript({
  matches: ["https://*/*", "http://localhost/*", "http://127.0.0.1/*"],
  runAt: "document_start",
  // The page need not hear that this script started.
  noScriptStartedPostMessage: true,
  main(ctx) {
    if (!isSecureContext || window !== window.top || window.origin === "null") return;
    offerPort((port) => {
      const { invalidated } = bridge(port, () => (typeof chrome === "undefined" ? undefined : chrome.runtime));
      ctx.onInvalidated(invalidated);
    });
  },
});
