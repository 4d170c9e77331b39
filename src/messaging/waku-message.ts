/** One message as it is on the wire, 14/WAKU2-MESSAGE, and its deterministic hash. */
import { sha256 } from "@noble/hashes/sha2.js";
import { type Bytes, concat, utf8 } from "../common/bytes.ts";

export interface WakuMessage {
  readonly contentTopic: string;
  readonly payload: Bytes;
  /** Empty where the message has none. */
  readonly meta: Bytes;
  readonly ephemeral: boolean;
  /** Nanoseconds since the Unix epoch; 0 where the message has none. */
  readonly timestamp: bigint;
}

const NANOSECONDS = 1_000_000n;

export function nanoseconds(ms: number): bigint {
  return BigInt(Math.floor(ms)) * NANOSECONDS;
}

export function milliseconds(ns: bigint): number {
  return Number(ns / NANOSECONDS);
}

/**
 * SHA-256 over pubsub topic, payload, content topic, meta and the timestamp as eight big-endian bytes: 32 bytes.
 * 14/WAKU2-MESSAGE, "Deterministic message hashing".
 */
export function messageHash(pubsubTopic: string, message: WakuMessage): Bytes {
  const timestamp = new Uint8Array(8);
  new DataView(timestamp.buffer).setBigInt64(0, BigInt.asIntN(64, message.timestamp));
  return new Uint8Array(
    sha256(concat(utf8(pubsubTopic), message.payload, utf8(message.contentTopic), message.meta, timestamp)),
  );
}
