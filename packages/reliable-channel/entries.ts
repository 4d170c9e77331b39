import { fileURLToPath } from "node:url";

/** The package's folder. */
export const PACKAGE: string = fileURLToPath(new URL(".", import.meta.url));

/** What may be imported, by the name of its file in `dist`: `exports` of package.json says the same. */
export const ENTRIES = { index: "index.ts", "mock/index": "mock/index.ts" } as const;
