/** Many messages of 100 bytes at once, until the sender is told that each is sent. */
import { utf8 } from "../../src/common/bytes.ts";
import { startSdkNode } from "../../test/support/sdk-node.ts";
import { CONTENT_TOPIC, type Member, Members } from "../members.ts";
import { atLeast, type Row } from "../row.ts";

const MESSAGES = 1_000;
/** Requests that a page has open at once: below what an origin may have. */
const OPEN = 200;

export async function rows(): Promise<readonly Row[]> {
  await using members = await Members.meet();
  const ours = await burst(members.alice);
  const peer = await peerBurst(members);
  return [
    {
      what: `${MESSAGES.toLocaleString("en")} messages of 100 B from one page, until all are sent`,
      ours: ours / 1000,
      unit: "s",
      peer: { name: "@waku/sdk ReliableChannel in Node.js", value: peer / 1000 },
      ...atLeast(peer / ours, 3),
      note: "ours keeps to what service nodes admit, 37 requests per 10 s each; the peer does not",
    },
  ];
}

function burst({ channel: { page } }: Member): Promise<number> {
  return page.evaluate(
    async ({ messages, open }) => {
      const channel = window.testChannel?.channel;
      if (channel === undefined) throw new Error("The channel is not attached");
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      let sent = 0;
      let begun = 0;
      const before = performance.now();
      const next = (): void => {
        if (begun === messages) return;
        channel.send(new TextEncoder().encode(`message ${begun++}`.padEnd(100, "."))).catch(reject);
      };
      channel.on("reliable:message:sent", () => {
        sent++;
        if (sent === messages) resolve(performance.now() - before);
        else next();
      });
      channel.on("reliable:message:send-error", ({ error }) => reject(new Error(error)));
      for (let i = 0; i < open; i++) next();
      return promise;
    },
    { messages: MESSAGES, open: OPEN },
  );
}

async function peerBurst({ stack }: Members): Promise<number> {
  const { ReliableChannel } = await import("@waku/sdk");
  const node = await startSdkNode(stack.network);
  const topic = { contentTopic: `${CONTENT_TOPIC}2` };
  const channel = await ReliableChannel.create(
    node,
    "bench",
    "carol",
    node.createEncoder(topic),
    node.createDecoder(topic),
  );
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const sent = new Set<string>();
  const before = performance.now();
  channel.addEventListener("message-sent", ({ detail }) => {
    sent.add(detail);
    if (sent.size === MESSAGES) resolve(performance.now() - before);
  });
  channel.addEventListener("sending-message-irrecoverable-error", ({ detail }) =>
    reject(new Error(String(detail.error))),
  );
  for (let i = 0; i < MESSAGES; i++) channel.send(utf8(`message ${i}`.padEnd(100, ".")));
  const time = await promise;
  await channel.stop();
  await node.stop();
  return time;
}
