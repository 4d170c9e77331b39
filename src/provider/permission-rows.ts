/** What the permissions keep in storage, and how it is read back. A row that cannot be read grants nothing. */
import * as v from "valibot";
import type { Storage } from "../channel/ports.ts";

const scope = v.picklist(["channel:create", "channel:send", "channel:receive"]);
const scopes = v.array(scope);
/** Left out: any topic. */
const contentTopics = v.exactOptional(v.array(v.string()));

const grant = v.object({
  /** Milliseconds since the Unix epoch. */
  since: v.number(),
  /** The browser session that it ends with; `null` if it does not end. */
  session: v.nullable(v.string()),
  scopes,
  contentTopics,
});

const site = v.object({
  grant: v.exactOptional(grant),
  blockedSince: v.exactOptional(v.number()),
  /** Milliseconds since the Unix epoch of the latest refused prompts. */
  refusals: v.array(v.number()),
  /** No prompts before this time; milliseconds since the Unix epoch. */
  pausedUntil: v.exactOptional(v.number()),
});

const prompt = v.object({
  id: v.string(),
  origin: v.string(),
  requestedAt: v.number(),
  scopes,
  contentTopics,
  channel: v.exactOptional(
    v.object({
      channelId: v.string(),
      contentTopic: v.string(),
      encryption: v.picklist(["none", "key", "page"]),
      profile: v.picklist(["logos", "logos-raw", "waku-sdk"]),
    }),
  ),
  /** The answer names a key for the channel. */
  keyChoice: v.exactOptional(v.object({ suggested: v.exactOptional(v.string()) })),
  /** The calls that wait for the answer. */
  callIds: v.array(v.string()),
});

export type SiteGrant = v.InferOutput<typeof grant>;
/** Keyed by origin. */
export type SiteRow = v.InferOutput<typeof site>;
/** Keyed by prompt id. */
export type PromptRow = v.InferOutput<typeof prompt>;

export const readSites = (storage: Storage): Promise<[string, SiteRow][]> => readRows(storage, "grants", site);
export const readPrompts = (storage: Storage): Promise<[string, PromptRow][]> => readRows(storage, "prompts", prompt);

async function readRows<S extends v.GenericSchema>(
  storage: Storage,
  table: string,
  schema: S,
): Promise<[string, v.InferOutput<S>][]> {
  const rows = await storage.scan(table, []);
  return rows.flatMap(({ key: [name], row }) => {
    const parsed = v.safeParse(schema, row);
    return typeof name === "string" && parsed.success ? [[name, parsed.output]] : [];
  });
}
