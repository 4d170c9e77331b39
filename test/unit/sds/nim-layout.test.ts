import { expect, test } from "vitest";
import { fromHex, toHex } from "../../../src/common/bytes.ts";
import type { HistoryEntry, SdsMessage } from "../../../src/sds/message.ts";
import { nimLayout } from "../../../src/sds/nim-layout.ts";
import vectors from "../../vectors/sds/nim_messages.json" with { type: "json" };

interface EntryVector {
  readonly messageId: string;
  readonly retrievalHintHex: string;
  readonly senderId: string;
}

interface MessageVector {
  readonly messageId: string;
  readonly lamportTimestamp: string;
  readonly channelId: string;
  readonly contentHex: string;
  readonly bloomFilterHex: string;
  readonly senderId: string;
  readonly causalHistory: readonly EntryVector[];
  readonly repairRequest: readonly EntryVector[];
}

interface Case {
  readonly name: string;
  readonly wireHex: string;
  readonly decoded: { readonly ok?: MessageVector; readonly err?: string; readonly processCrash?: string };
}

function bytes(hex: string): Uint8Array {
  const parsed = fromHex(hex);
  if (!parsed) throw new Error(`not hexadecimal: ${hex}`);
  return parsed;
}

function entryOf(vector: EntryVector): HistoryEntry {
  return {
    messageId: vector.messageId,
    ...(vector.retrievalHintHex ? { retrievalHint: bytes(vector.retrievalHintHex) } : {}),
    ...(vector.senderId ? { senderId: vector.senderId } : {}),
  };
}

function messageOf(vector: MessageVector): SdsMessage {
  return {
    messageId: vector.messageId,
    lamportTimestamp: BigInt(vector.lamportTimestamp),
    channelId: vector.channelId,
    content: bytes(vector.contentHex),
    bloomFilter: bytes(vector.bloomFilterHex),
    senderId: vector.senderId,
    causalHistory: vector.causalHistory.map(entryOf),
    repairRequest: vector.repairRequest.map(entryOf),
  };
}

test.each(vectors.encode)("nim_messages: encodes $name", ({ fields, wireHex }) => {
  expect(toHex(nimLayout.encode(messageOf(fields)))).toBe(wireHex);
});

const decodeCases: readonly Case[] = [...vectors.encode, ...vectors.decodeOnly];

test.each(decodeCases)("nim_messages: decodes or refuses $name as nim-sds does", ({ wireHex, decoded }) => {
  const result = nimLayout.decode(bytes(wireHex));
  if (decoded.ok) expect(result).toEqual({ ok: true, value: messageOf(decoded.ok) });
  else expect(result.ok).toBe(false);
});
