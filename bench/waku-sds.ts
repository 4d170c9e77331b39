/** `@waku/sds`, the peer of the SDS benchmarks, with any history. */
import { ContentMessage, type Message, MessageChannel, Message as SdsMessage } from "@waku/sds";
// Not exported by the package, and what its channel uses by default.
import { DefaultBloomFilter } from "../node_modules/@waku/sds/dist/bloom_filter/bloom.js";
import { MemLocalHistory } from "../node_modules/@waku/sds/dist/message_channel/mem_local_history.js";
import { historyId } from "./history.ts";
import { CHANNEL } from "./our-sds.ts";

export const PEER = "@waku/sds";
/** Its own filter: 10,000 ids at an error rate of 0.001. */
export const FILTER_OPTIONS = { capacity: 10_000, errorRate: 0.001 };
/** Entries of its causal histories. */
const CAUSAL_HISTORY = 200;
/** Messages pushed at once: each becomes an argument of a call. */
const CHUNK = 10_000;

const HASH = new Uint8Array(32).fill(7);
const CONTENT = new Uint8Array(1024).fill(7);
/** Its time comes from the clock; everything of the history is older. */
const BEFORE = BigInt(Date.now()) - 1_000_000n;

export class WakuParticipant {
  readonly channel: MessageChannel;

  constructor(senderId: string, history: number) {
    const log = new MemLocalHistory();
    for (let from = 0; from < history; from += CHUNK) {
      const messages: ContentMessage[] = [];
      for (let at = from; at < Math.min(history, from + CHUNK); at++) {
        messages.push(
          new ContentMessage(historyId(at), CHANNEL, "bob", [], BEFORE + BigInt(at), undefined, CONTENT, [], HASH),
        );
      }
      log.push(...messages);
    }
    this.channel = new MessageChannel(CHANNEL, senderId, {}, log);
  }

  /** The bytes for the network. */
  async send(content: Uint8Array): Promise<Uint8Array> {
    let wire: Uint8Array = new Uint8Array(0);
    this.channel.pushOutgoingMessage(content, async (message: Message) => {
      wire = message.encode();
      return { success: true, retrievalHint: HASH };
    });
    await this.channel.processTasks();
    return wire;
  }

  async receive(wire: Uint8Array): Promise<void> {
    const message = SdsMessage.decode(wire);
    if (message === undefined) throw new Error(`${PEER} cannot read its own message`);
    this.channel.pushIncomingMessage(message, HASH);
    await this.channel.processTasks();
  }
}

/** A message of another participant that has the same history, or these dependencies. */
export function wakuMessage(
  messageId: string,
  history: number,
  dependencies: readonly string[] = lastOf(history),
  content: Uint8Array = CONTENT,
): Uint8Array {
  const causalHistory = dependencies.map((id) => ({ messageId: id, retrievalHint: HASH, senderId: "bob" }));
  const filter = new DefaultBloomFilter(FILTER_OPTIONS).toBytes();
  return new ContentMessage(messageId, CHANNEL, "bob", causalHistory, BigInt(Date.now()), filter, content).encode();
}

function lastOf(history: number): readonly string[] {
  const ids: string[] = [];
  for (let at = Math.max(0, history - CAUSAL_HISTORY); at < history; at++) ids.push(historyId(at));
  return ids;
}
