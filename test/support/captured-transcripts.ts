/** Conversations of the reference node (logos-delivery of summer 2026), as they were captured, message by message. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

export interface CapturedMessage {
  readonly kind: "wire";
  /** Milliseconds since the conversation began. */
  readonly at: number;
  readonly contentTopic: string;
  readonly meta: string;
  /** Nanoseconds since the Unix epoch. */
  readonly timestamp: string;
  readonly ephemeral: boolean;
  readonly hash: string;
  readonly payloadGzipBase64: string;
}

interface CapturedEvent {
  readonly kind: "event";
  readonly at: number;
  readonly side: string;
  readonly event: string;
  readonly sender?: string;
  readonly payload?: { readonly text: string };
}

export interface Transcript {
  readonly channelId: string;
  readonly contentTopic: string;
  readonly timeline: readonly (CapturedMessage | CapturedEvent)[];
}

/** What the node in someone's place told its application after a message: sender and text of each message received. */
export interface Step {
  readonly message: CapturedMessage;
  readonly received: readonly (readonly [sender: string, text: string])[];
}

const file = new URL("../vectors/logos-delivery/channel-transcripts.json", import.meta.url);
const { transcripts } = JSON.parse(readFileSync(file, "utf8")) as { readonly transcripts: Record<string, Transcript> };

/** By name. */
export const capturedTranscripts: Readonly<Record<string, Transcript>> = transcripts;

/** Whoever wrote the messages down was told of one up to this long after a node had told its application, in milliseconds. */
const LAG_MS = 10;

/** The conversation in the place of `side`, such as `nim-alice`. */
export function stepsOf({ timeline }: Transcript, side: string): readonly Step[] {
  const messages = timeline.filter((step) => step.kind === "wire");
  const events = timeline.filter(
    (step) => step.kind === "event" && step.event === "channel_message_received" && step.side.startsWith(side),
  ) as readonly CapturedEvent[];
  const causeOf = (event: CapturedEvent) => messages.findLast(({ at }) => at <= event.at + LAG_MS);
  return messages.map((message) => ({
    message,
    received: events
      .filter((event) => causeOf(event) === message)
      .map(({ sender = "", payload }) => [sender, payload?.text ?? ""] as const),
  }));
}

export function payloadOf({ payloadGzipBase64 }: CapturedMessage): Uint8Array<ArrayBuffer> {
  return new Uint8Array(gunzipSync(Buffer.from(payloadGzipBase64, "base64")));
}
