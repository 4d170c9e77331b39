import { defineContentScript } from "wxt/utils/define-content-script";
import { version } from "../package.json";
import { installProvider } from "../src/provider/install.ts";

export default defineContentScript({
  matches: ["https://*/*", "http://localhost/*", "http://127.0.0.1/*"],
  runAt: "document_start",
  world: "MAIN",
  main() {
    installProvider({
      name: "Reliable Channel",
      icon: `data:image/svg+xml,${encodeURIComponent(ICON)}`,
      rdns: "example.reliable-channel",
      version,
    });
  },
});

/** Two pages and the line between them. */
const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1d4ed8"/><path d="M9 16h14" stroke="#fff" stroke-width="3"/><circle cx="8" cy="16" r="4" fill="#fff"/><circle cx="24" cy="16" r="4" fill="#fff"/></svg>';
