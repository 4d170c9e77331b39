import { expect, test } from "vitest";
import { fromHex, utf8 } from "../../../src/common/bytes.ts";
import { messageIdOf } from "../../../src/sds/message-id.ts";
import vectors from "../../vectors/sds/nim_message_ids.json" with { type: "json" };
import { Peer, START } from "./sds-peer.ts";

test("an id cannot be told from sender, time and content: the digits below a millisecond are drawn", () => {
  const idOf = (nanoseconds: number) => {
    const alice = new Peer("alice");
    return alice.sds.wrapOutgoing(utf8("yes"), { now: START, nanoseconds, ephemeral: false }).messageId;
  };
  const ofMillisecond = messageIdOf("alice", BigInt(START) * 1_000_000n, utf8("yes"));
  expect(new Set([ofMillisecond, idOf(250_000), idOf(750_000)]).size).toBe(3);
  expect(idOf(250_000)).toBe(messageIdOf("alice", BigInt(START) * 1_000_000n + 250_000n, utf8("yes")));
});

test.each(vectors.vectors)("nim_message_ids: $messageId", ({ senderId, timestampNs, contentHex, messageId }) => {
  expect(messageIdOf(senderId, BigInt(timestampNs), fromHex(contentHex) ?? new Uint8Array())).toBe(messageId);
});
