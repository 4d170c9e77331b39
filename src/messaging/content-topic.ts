/**
 * Content topics and the shard they fall on: 23/WAKU2-TOPICS and automatic sharding of 51/WAKU2-RELAY-SHARDING.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { concat, utf8 } from "../common/bytes.ts";
import { err, ok, type Result } from "../common/result.ts";

/** `/application/version/name/encoding`, or with the generation before it; only generation 0 exists. */
export function shardOf(contentTopic: string, shards: number): Result<number> {
  const parts = contentTopic.split("/");
  if (parts[0] !== "") return err(`content topic '${contentTopic}' must start with a slash`);
  const [application, version, name, encoding] = parts.slice(-4);
  if ((parts.length !== 5 && parts.length !== 6) || !application || !version || !name || !encoding)
    return err(`content topic '${contentTopic}' must be /application/version/name/encoding`);
  if (parts.length === 6 && parts[1] !== "0")
    return err(`content topic '${contentTopic}' has a generation other than 0`);
  const digest = sha256(concat(utf8(application), utf8(version)));
  const tail = new DataView(digest.buffer, digest.byteOffset + digest.length - 8, 8).getBigUint64(0);
  return ok(Number(tail % BigInt(shards)));
}

/** The pubsub topic of a static shard, 51/WAKU2-RELAY-SHARDING. */
export function pubsubTopicOf(clusterId: number, shard: number): string {
  return `/waku/2/rs/${clusterId}/${shard}`;
}

/** The shard of such a pubsub topic, or `undefined` where it is none of this cluster. */
export function shardOfPubsubTopic(clusterId: number, pubsubTopic: string): number | undefined {
  const prefix = `/waku/2/rs/${clusterId}/`;
  if (!pubsubTopic.startsWith(prefix)) return undefined;
  const shard = Number(pubsubTopic.slice(prefix.length));
  return Number.isInteger(shard) && shard >= 0 ? shard : undefined;
}
