/**
 * The IndexedDB schema: one object store per table, keys out of line. A key is the row's scope (for a channel's rows its
 * origin and channel id) followed by the row's own key, so that a prefix of it finds everything of one channel.
 */
export const DATABASE_NAME = "reliable-channel";
export const SCHEMA_VERSION = 3;

/** Holds the generation of the writer; see `database.ts`. */
export const WRITER_STORE = "writer";

/** Object stores by the layer that owns their rows. A new one is added with a new schema version. */
export const TABLES = [
  // channel
  "channels",
  "requests",
  "pending",
  "requestSegments",
  "outbox",
  "upkeep",
  "events",
  "parkedSizes",
  "parked",
  // segmentation
  "segmentSets",
  "segments",
  "completedSets",
  "lostIds",
  // sds
  "sdsMeta",
  "sdsLog",
  "sdsSeen",
  "sdsOutgoing",
  "sdsHolders",
  "sdsIncoming",
  "sdsMissing",
  "sdsMembers",
  "sdsSummary",
  "sdsRepairs",
  "sdsWireSizes",
  "sdsWires",
  // rate-limit
  "rateLimitQueue",
  "rateLimitBudget",
  // messaging
  "messagingTasks",
  "messagingTopics",
  "messagingMeta",
  // provider
  "grants",
  "prompts",
  "callResults",
  // keys
  "vault",
  "keys",
] as const;
