import { sha256 } from "@noble/hashes/sha2.js";
import { concat, utf8 } from "../../src/common/bytes.ts";
import type { Result } from "../../src/common/result.ts";
import { err, ok } from "../../src/common/result.ts";
import type { Status } from "./protocols.ts";
import { INTERNAL_ERROR, INVALID_MESSAGE } from "./protocols.ts";

/** A network: which cluster, and how many shards its content topics are spread over. */
export interface Sharding {
  readonly clusterId: number;
  readonly shards: number;
}

export const pubsubTopicOf = (clusterId: number, shard: number): string => `/waku/2/rs/${clusterId}/${shard}`;

export function pubsubTopicsOf(sharding: Sharding): readonly string[] {
  return Array.from({ length: sharding.shards }, (_, shard) => pubsubTopicOf(sharding.clusterId, shard));
}

/** The pubsub topic of a content topic: 51/WAKU2-RELAY-SHARDING, automatic sharding. Refusals as lightpush words them. */
export function autoshard(sharding: Sharding, contentTopic: string): Result<string, Status> {
  const parsed = parseContentTopic(contentTopic);
  if (!parsed.ok) return err({ code: INVALID_MESSAGE, desc: `Invalid content-topic:${parsed.error}` });
  const { generation, application, version } = parsed.value;
  if (generation > 0) {
    return err({ code: INTERNAL_ERROR, desc: "Auto-sharding error: Generation > 0 are not supported yet" });
  }
  const digest = sha256(concat(utf8(application), utf8(version)));
  // Only the last 64 bits of the hash count.
  const value = new DataView(digest.buffer, digest.byteOffset).getBigUint64(24);
  return ok(pubsubTopicOf(sharding.clusterId, Number(value % BigInt(sharding.shards))));
}

interface ParsedContentTopic {
  readonly generation: number;
  readonly application: string;
  readonly version: string;
}

/** 23/WAKU2-TOPICS: `/application/version/name/encoding`, with an optional generation in front. */
function parseContentTopic(topic: string): Result<ParsedContentTopic> {
  if (!topic.startsWith("/")) return err(`invalid format: content-topic '${topic}' must start with slash`);
  const parts = topic.slice(1).split("/");
  if (parts.length !== 4 && parts.length !== 5) {
    return err(
      "invalid format: Invalid content topic structure. Expected either /<application>/<version>/<topic-name>/<encoding>" +
        " or /<gen>/<application>/<version>/<topic-name>/<encoding>",
    );
  }
  const [application = "", version = "", name = "", encoding = ""] = parts.slice(-4);
  const generation = parts.length === 5 ? (parts[0] ?? "") : "0";
  if (generation === "") return err("missing part: generation");
  if (!/^[+-]?\d+$/.test(generation)) return err("invalid format: generation should be a numeric value");
  if (application === "") return err("missing part: application");
  if (version === "") return err("missing part: version");
  if (name === "") return err("missing part: topic-name");
  if (encoding === "") return err("missing part: encoding");
  return ok({ generation: Number(generation), application, version });
}
