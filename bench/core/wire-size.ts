/** What a message of 10 bytes takes on the wire: the payload of its Waku message, in a conversation of two members. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { wireOf } from "../../src/channel/profiles.ts";
import { concat } from "../../src/common/bytes.ts";
import { ok } from "../../src/common/result.ts";
import { KeyCipher } from "../../src/encryption/key-cipher.ts";
import { median } from "../compare.ts";
import { CHANNEL, OurParticipant } from "../our-sds.ts";
import { atMost, type Row } from "../row.ts";
import { PEER, WakuParticipant } from "../waku-sds.ts";

const CONTENT_BYTES = 10;
/** Messages of the conversation, and those of it that count: its beginning has nothing to say yet. */
const MESSAGES = 40;
const COUNTED = 20;
const LIMIT = 600;
const TRANSCRIPTS = join(import.meta.dirname, "../../test/vectors/logos-delivery/channel-transcripts.json");

export async function rows(): Promise<readonly Row[]> {
  const ours = await ourBytes();
  const what = `Bytes on the wire around ${CONTENT_BYTES} bytes, two active members, encrypted`;
  return [
    { name: "nim-sds, captured", value: capturedBytes() },
    { name: PEER, value: await peerBytes() },
  ].map((peer) => ({ what, ours, unit: "B", peer, ratio: peer.value / ours, ...atMost(ours, LIMIT, "B") }));
}

async function ourBytes(): Promise<number> {
  const wire = wireOf("logos");
  if (wire === undefined) throw new Error("There is no such profile");
  const key = new Uint8Array(32);
  const keys = { current: () => ok(key), earlier: () => [], unavailable: () => undefined };
  const cipher = new KeyCipher({ keys, marker: wire.marker });
  const members = [new OurParticipant("alice", 0), new OurParticipant("bob", 0)] as const;
  const sizes: number[] = [];
  for (let i = 0; i < MESSAGES; i++) {
    const [sender, receiver] = i % 2 === 0 ? members : ([members[1], members[0]] as const);
    const split = wire.split(contentOf(i));
    if (!split.ok) throw new Error(split.error.message);
    const message = sender.send(concat(...split.value));
    receiver.receive(message);
    const sealed = await cipher.encrypt(message, { channelId: CHANNEL, contentTopic: "/bench/1/wire/proto" });
    if (!sealed.ok) throw new Error(sealed.error);
    if (i >= MESSAGES - COUNTED) sizes.push(sealed.value.length);
  }
  return median(sizes);
}

async function peerBytes(): Promise<number> {
  const members = [new WakuParticipant("alice", 0), new WakuParticipant("bob", 0)] as const;
  const sizes: number[] = [];
  for (let i = 0; i < MESSAGES; i++) {
    const [sender, receiver] = i % 2 === 0 ? members : ([members[1], members[0]] as const);
    const message = await sender.send(contentOf(i));
    await receiver.receive(message);
    if (i >= MESSAGES - COUNTED) sizes.push(message.length);
  }
  return median(sizes);
}

/** What two members of the reference sent each other: a few plain texts of about this length. */
function capturedBytes(): number {
  const { transcripts } = JSON.parse(readFileSync(TRANSCRIPTS, "utf8")) as {
    readonly transcripts: Readonly<
      Record<string, { readonly timeline: readonly { readonly kind: string; readonly payloadBytes?: number }[] }>
    >;
  };
  const timeline = transcripts["a_plain_3_plus_3"]?.timeline ?? [];
  return median(timeline.flatMap(({ kind, payloadBytes }) => (kind === "wire" && payloadBytes ? [payloadBytes] : [])));
}

function contentOf(index: number): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`text ${index}`.padEnd(CONTENT_BYTES, "."));
}
