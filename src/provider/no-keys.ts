/** For a background that holds no channel keys: every key is unknown. */
import { err } from "../common/result.ts";
import type { KeyStore } from "../keys/key-store.ts";

const unknown = err({ kind: "not-found", message: "There is no such key." } as const);

export const NO_KEYS: Pick<KeyStore, "make" | "import" | "bytes" | "bind" | "list" | "resolve"> = {
  make: async () => unknown,
  import: async () => unknown,
  bytes: () => unknown,
  bind: () => unknown,
  list: () => [],
  resolve: () => unknown,
};
