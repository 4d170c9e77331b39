/** The protobuf form of a Waku message, 14/WAKU2-MESSAGE. */
import { proto_message } from "@waku/proto";
import { EMPTY, ownBytes } from "../common/bytes.ts";
import { LIMITS } from "../limits.ts";
import type { WakuMessage } from "./waku-message.ts";

export function toWire(message: WakuMessage): proto_message.WakuMessage {
  return {
    payload: message.payload,
    contentTopic: message.contentTopic,
    timestamp: message.timestamp,
    ...(message.meta.length > 0 && { meta: message.meta }),
    ...(message.ephemeral && { ephemeral: true }),
  };
}

/** Copies the bytes out of the frame that they came in, which would otherwise be kept, and stored, as a whole. */
export function fromWire(message: proto_message.WakuMessage): WakuMessage {
  return {
    payload: ownBytes(message.payload),
    contentTopic: message.contentTopic,
    timestamp: message.timestamp ?? 0n,
    meta: ownBytes(message.meta ?? EMPTY),
    ephemeral: message.ephemeral ?? false,
  };
}

/** Bytes of the message as a service node encodes it, which is what the network's limit is about. */
export function encodedBytes(message: WakuMessage): number {
  const { messageOverheadBytes, messageOverheadWithMetaBytes } = LIMITS.messaging;
  const overhead = message.meta.length > 0 ? messageOverheadWithMetaBytes : messageOverheadBytes;
  return proto_message.WakuMessage.encode(toWire(message)).length + overhead;
}
