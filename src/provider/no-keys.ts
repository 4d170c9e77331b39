/** For a background that holds no channel keys and no vault: every key is unknown, and nothing is ever locked. */
import { err } from "../common/result.ts";
import type { KeyStore } from "../keys/key-store.ts";
import type { LockView } from "./permissions.ts";

const unknown = err({ kind: "not-found", message: "There is no such key." } as const);

export const NO_KEYS: Pick<KeyStore, "make" | "import" | "bytes" | "bind" | "list" | "resolve"> = {
  make: async () => unknown,
  import: async () => unknown,
  bytes: () => unknown,
  bind: () => unknown,
  list: () => [],
  resolve: () => unknown,
};

export const NEVER_LOCKED: LockView = { locked: false, listen: () => () => {} };
