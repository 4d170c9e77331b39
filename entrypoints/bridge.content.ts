import { defineContentScript } from "wxt/utils/define-content-script";
import type { BridgeRuntime } from "../src/provider/bridge.ts";
import { bridge, offerPort } from "../src/provider/bridge.ts";
import { type ClearingRuntime, clearClipboardOnRequest } from "../src/provider/clear-clipboard.ts";

declare const chrome: { readonly runtime?: BridgeRuntime & ClearingRuntime } | undefined;

export default defineContentScript({
  matches: ["https://*/*", "http://localhost/*", "http://127.0.0.1/*"],
  runAt: "document_start",
  // The page need not hear that this script started.
  noScriptStartedPostMessage: true,
  main(ctx) {
    if (!isSecureContext || window !== window.top || window.origin === "null") return;
    const runtime = () => (typeof chrome === "undefined" ? undefined : chrome.runtime);
    const own = runtime();
    if (own) clearClipboardOnRequest(own, (text) => navigator.clipboard.writeText(text), window);
    offerPort((port) => {
      const { invalidated } = bridge(port, runtime);
      ctx.onInvalidated(invalidated);
    });
  },
});
