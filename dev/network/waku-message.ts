import { messageHashStr } from "@waku/core";
import { EMPTY } from "../../src/common/bytes.ts";
import { ProtobufWriter } from "../../src/common/protobuf.ts";
import type { Result } from "../../src/common/result.ts";
import { err, ok } from "../../src/common/result.ts";
import type { DecodeError } from "./request-fields.ts";
import { invalidLength, missingField, RequestFields, unzigzag, zigzag } from "./request-fields.ts";

/** Bytes of `meta` at most, 14/WAKU2-MESSAGE. */
const META_BYTES = 64;

/** 14/WAKU2-MESSAGE, as a node holds it: every field present. */
export interface WakuMessage {
  readonly payload: Uint8Array;
  readonly contentTopic: string;
  readonly version: number;
  /** Nanoseconds since the Unix epoch; 0 where the sender set none. */
  readonly timestamp: bigint;
  readonly meta: Uint8Array;
  readonly proof: Uint8Array;
  readonly ephemeral: boolean;
}

export function decodeWakuMessage(bytes: Uint8Array): Result<WakuMessage, DecodeError> {
  const fields = RequestFields.read(bytes);
  if (!fields.ok) return fields;
  const payload = fields.value.bytes(1);
  if (payload === undefined) return err(missingField("payload"));
  const contentTopic = fields.value.string(2);
  if (contentTopic === undefined) return err(missingField("content_topic"));
  const meta = fields.value.bytes(11) ?? EMPTY;
  if (meta.length > META_BYTES) return err(invalidLength("meta"));
  return ok({
    payload,
    contentTopic,
    version: Number(BigInt.asUintN(32, fields.value.varint(3) ?? 0n)),
    timestamp: unzigzag(fields.value.varint(10) ?? 0n),
    meta,
    proof: fields.value.bytes(21) ?? EMPTY,
    ephemeral: (fields.value.varint(31) ?? 0n) !== 0n,
  });
}

/** As logos-delivery writes it: empty fields too. The limit on the size of a message is a limit on these bytes. */
export function encodeWakuMessage(message: WakuMessage): Uint8Array {
  return new ProtobufWriter()
    .bytes(1, message.payload)
    .string(2, message.contentTopic)
    .varint(3, message.version)
    .varint(10, zigzag(message.timestamp))
    .bytes(11, message.meta)
    .bytes(21, message.proof)
    .varint(31, message.ephemeral ? 1 : 0)
    .finish();
}

/** The deterministic message hash of 14/WAKU2-MESSAGE in hex: 32 bytes. */
export function hashOf(pubsubTopic: string, message: WakuMessage): string {
  return messageHashStr(pubsubTopic, { ...message, rateLimitProof: undefined });
}

/** Milliseconds as the nanoseconds that messages carry. */
export const nanoseconds = (ms: number): bigint => BigInt(Math.round(ms * 1000)) * 1000n;
