/**
 * A file of 10 MiB from a page to a page in another profile, beside its bytes pushed as they are.
 *
 * The peer pushes as many messages of as many bytes by bare `@waku/sdk` and waits until another bare node has them all:
 * no segments, no SDS, no storage, no page. Both keep to what service nodes admit, and push as many at once.
 */
import { LIMITS } from "../../src/limits.ts";
import { PushPace } from "../../src/messaging/push-pace.ts";
import { startSdkNode } from "../../test/support/sdk-node.ts";
import { CONTENT_TOPIC, type Member, Members, settle } from "../members.ts";
import { atLeast, type Row } from "../row.ts";

const BYTES = 10 * 1024 * 1024;
const GOAL = 0.7;
/** Milliseconds after which the pace has no debt left, so that both begin with full buckets. */
const REST_MS = 5_000;

export async function rows(): Promise<readonly Row[]> {
  await using members = await Members.meet();
  await settle(REST_MS);
  const ours = await sendFile(members.alice, members.bob);
  const paced = await pushRaw(members, true);
  const unpaced = await pushRaw(members, false);
  return [
    {
      what: "10 MiB, from a page to a page in another profile",
      ours: ours / 1000,
      unit: "s",
      peer: { name: "its bytes by lightpush of bare @waku/sdk, at the pace that nodes admit", value: paced / 1000 },
      ...atLeast(paced / ours, GOAL),
      note: `without any pace, which real nodes refuse, the peer takes ${(unpaced / 1000).toFixed(1)} s`,
    },
  ];
}

async function sendFile(sender: Member, receiver: Member): Promise<number> {
  const arrived = receiver.channel.page.evaluate(
    (bytes) =>
      new Promise<number>((resolve) => {
        window.testChannel?.channel.on("reliable:message:received", ({ message }) => {
          if (message.length === bytes) resolve(performance.timeOrigin + performance.now());
        });
      }),
    BYTES,
  );
  const before = await sender.channel.page.evaluate(async (bytes) => {
    const file = new Uint8Array(bytes).map((_, at) => (at * at) >> 7);
    const now = performance.timeOrigin + performance.now();
    await window.testChannel?.channel.send(file);
    return now;
  }, BYTES);
  return (await arrived) - before;
}

/** Milliseconds between looks for a node that may be asked, where an answer must come first. */
const POLL_MS = 100;

/** Milliseconds until the bytes are at another node. */
async function pushRaw({ stack: { network } }: Members, isPaced: boolean): Promise<number> {
  const { segmentBytes, headerReserveBytes } = LIMITS.segmentation;
  const count = Math.ceil(BYTES / (segmentBytes - headerReserveBytes));
  const [sender, receiver] = [await startSdkNode(network), await startSdkNode(network)];
  const [{ lightPush }, { filter }] = [sender, receiver];
  if (lightPush === undefined || filter === undefined) throw new Error("It is no light node");
  const topic = { contentTopic: `${CONTENT_TOPIC}-${isPaced}` };
  const missing = new Set(Array.from({ length: count }, (_, at) => at));
  const { promise, resolve } = Promise.withResolvers<void>();
  await filter.subscribe([receiver.createDecoder(topic)], ({ payload }) => {
    missing.delete(new DataView(payload.buffer, payload.byteOffset).getUint32(0));
    if (missing.size === 0) resolve();
  });
  const encoder = sender.createEncoder(topic);
  const paces = network.nodes.map(() => new PushPace());
  const before = performance.now();
  const waiting = [...missing];
  await Promise.all(
    Array.from({ length: LIMITS.messaging.parallelSends }, async () => {
      for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
        const pace = isPaced ? await started(paces) : undefined;
        const payload = new Uint8Array(segmentBytes);
        new DataView(payload.buffer).setUint32(0, at);
        const { failures } = await lightPush.send(encoder, { payload }, { autoRetry: false });
        pace?.ended(Date.now());
        if (failures.length > 0) waiting.push(at);
      }
    }),
  );
  await promise;
  const time = performance.now() - before;
  await Promise.all([sender.stop(), receiver.stop()]);
  return time;
}

/** Waits until one of the nodes may be asked, and returns its pace. */
async function started(paces: readonly PushPace[]): Promise<PushPace> {
  for (;;) {
    const now = Date.now();
    const pace = paces.find((each) => each.start(now));
    if (pace !== undefined) return pace;
    const readyAt = Math.min(...paces.map((each) => each.readyAt(now)), now + POLL_MS);
    await settle(Math.max(1, readyAt - now));
  }
}
