import { defineConfig } from "wxt";
import { oneCopyOfEach } from "./scripts/lib/one-copy.mjs";

const UNUSED_PARTS_OF_SDK = /\/node_modules\/(lodash|@waku\/sds)\//;

export default defineConfig({
  modules: ["@wxt-dev/module-svelte", "@wxt-dev/webextension-polyfill"],
  imports: false,
  hooks: {
    "config:resolved": ({ config }) => {
      // Off, it still imports for what it takes to be a use of its names, such as a parameter called `storage`.
      Object.assign(config.imports, { autoImport: false });
    },
  },
  vite: () => ({
    plugins: [oneCopyOfEach()],
    // `@waku/enr` has an older copy of the same major version, with curves of its own: fourteen kilobytes.
    resolve: { dedupe: ["@libp2p/crypto"] },
    build: {
      rollupOptions: {
        treeshake: {
          // Nothing of `@waku/sdk`'s own reliable channel is used, but its packages do not say that they can be left out:
          // a tenth of the background.
          moduleSideEffects: (id) => !UNUSED_PARTS_OF_SDK.test(id),
        },
      },
    },
  }),
  manifest: ({ browser }) => ({
    name: "__MSG_extensionName__",
    description: "__MSG_extensionDescription__",
    default_locale: "en",
    permissions: ["storage", "alarms", "unlimitedStorage"],
    ...(browser === "firefox"
      ? {
          browser_specific_settings: {
            gecko: { id: "reliable-channel@reliable-channel.example", strict_min_version: "140.0" },
          },
        }
      : { minimum_chrome_version: "148", message_serialization: "structured_clone" }),
    content_security_policy: {
      extension_pages:
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src ws: wss: https:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    },
  }),
});
