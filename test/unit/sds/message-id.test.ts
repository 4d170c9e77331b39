import { expect, test } from "vitest";
import { fromHex } from "../../../src/common/bytes.ts";
import { messageIdOf } from "../../../src/sds/message-id.ts";
import vectors from "../../vectors/sds/nim_message_ids.json" with { type: "json" };

test.each(vectors.vectors)("nim_message_ids: $messageId", ({ senderId, timestampNs, contentHex, messageId }) => {
  expect(messageIdOf(senderId, BigInt(timestampNs), fromHex(contentHex) ?? new Uint8Array())).toBe(messageId);
});
