/**
 * Where rows hold what people wrote. Everything else in storage is metadata, and stays readable with the vault locked:
 * origins, channel ids, content topics, sender and message ids, times, sizes, counts, hashes, errors, names of keys, and
 * results of calls, which are identifiers. So the popup can say what there is, and what waits, before it is unlocked.
 */
import type { Bytes } from "../common/bytes.ts";
import type { StoredKey } from "../common/table.ts";

export interface ContentColumn {
  /** The column; `undefined` where the row as a whole is the content. */
  readonly column?: string;
  /** The keys of such rows begin with this, or with a channel's origin and id. */
  readonly scope: "channel" | StoredKey;
}

export const CONTENT_COLUMNS: Readonly<Record<string, ContentColumn>> = {
  events: { column: "message", scope: "channel" },
  segments: { column: "payload", scope: "channel" },
  sdsWires: { column: "wire", scope: "channel" },
  outbox: { column: "wire", scope: "channel" },
  // Ciphertexts, unless an unencrypted channel shares the topic. A locked vault has them written past the seal.
  parked: { column: "payload", scope: "channel" },
  // The tasks themselves are in the same table, in a scope of their own.
  messagingTasks: { scope: ["payload"] },
};

/** Which column of that row is content; `undefined` if none is. */
export function contentColumn(table: string, key: StoredKey): ContentColumn | undefined {
  const found = CONTENT_COLUMNS[table];
  if (found === undefined || found.scope === "channel") return found;
  return found.scope.every((part, index) => key[index] === part) ? found : undefined;
}

/** What stands in the content column: bytes, sealed bytes, or nothing. */
export function readContent({ column }: ContentColumn, row: unknown): unknown {
  if (column === undefined) return row;
  return typeof row === "object" && row !== null ? Reflect.get(row, column) : undefined;
}

export function withContent({ column }: ContentColumn, row: unknown, content: unknown): unknown {
  if (column === undefined || typeof row !== "object" || row === null) return content;
  return { ...row, [column]: content };
}

export function isPlain(content: unknown): content is Bytes {
  return content instanceof Uint8Array;
}
