import type { IncomingStreamData, Stream, StreamHandler } from "@libp2p/interface";
import type { Clock } from "../../src/common/clock.ts";
import { lengthPrefixed } from "../../src/messaging/length-prefix.ts";
import type { Fault, Faults } from "./faults.ts";
import { FrameStream } from "./frames.ts";
import type { Answer, Protocol } from "./protocols.ts";
import { NO_REQUEST_ID } from "./protocols.ts";
import type { RateLimiter } from "./rate-limit.ts";
import { requestIdOf } from "./request-fields.ts";
import type { RequestLog } from "./request-log.ts";

const MPLEX = "/mplex/6.7.0";
/** Under mplex a real node never reads the streams that it rejects; with so many of them the connection breaks. */
const LEAKED_STREAMS = 200;

export interface ServeContext {
  readonly clock: Clock;
  readonly faults: Faults;
  readonly log: RequestLog;
  readonly limiter: RateLimiter;
}

/** The stream handler of one protocol: one request, one answer, then the stream is read to its end and closed. */
export function serve(protocol: Protocol, context: ServeContext): StreamHandler {
  const rejected = new WeakMap<object, number>();
  return async ({ stream, connection }) => {
    const peer = connection.remotePeer.toString();
    const reader = new FrameStream(stream.source);
    try {
      if (context.limiter.admit(peer, context.clock.now())) {
        await respond(protocol, context, peer, stream, reader);
      } else {
        note(protocol, context, peer, protocol.tooMany.code, []);
        await send(stream, protocol.refusal(NO_REQUEST_ID, protocol.tooMany));
        leak(connection, rejected);
      }
      // A js mplex peer gives up a connection on which streams are closed before it has finished writing to them.
      await reader.drain();
    } catch (reason) {
      stream.abort(reason instanceof Error ? reason : new Error(String(reason)));
    }
  };
}

async function respond(
  protocol: Protocol,
  context: ServeContext,
  peer: string,
  stream: Stream,
  reader: FrameStream,
): Promise<void> {
  const request = await reader.next();
  if (request === undefined) return stream.closeWrite();
  const fault = context.faults.takeRequest(protocol.service);
  const answer = await answerTo(protocol, context, peer, request, fault);
  note(protocol, context, peer, fault?.kind === "drop" ? undefined : answer?.status.code, answer?.hashes ?? []);
  if (fault?.kind === "drop") return;
  if (answer === undefined) {
    if (fault?.kind === "cut") stream.abort(new Error("cut"));
    return stream.closeWrite();
  }
  if (fault?.kind === "cut") return cut(stream, lengthPrefixed(answer.bytes));
  await send(stream, answer.bytes);
}

async function answerTo(
  protocol: Protocol,
  context: ServeContext,
  peer: string,
  request: Uint8Array,
  fault: Fault | undefined,
): Promise<Answer | undefined> {
  switch (fault?.kind) {
    case "refuse": {
      const bytes = protocol.refusal(requestIdOf(request) ?? NO_REQUEST_ID, fault.status);
      return { bytes, status: fault.status, hashes: [] };
    }
    case "delay":
      await new Promise<void>((resolve) => context.clock.after(fault.ms, resolve));
      break;
    case "hold":
      await context.faults.cleared();
      break;
    case "drop":
      if (fault.processed !== true) return undefined;
      break;
    case "cut":
      if (fault.processed === false) return undefined;
      break;
    case undefined:
  }
  return protocol.answer(request, peer);
}

async function send(stream: Stream, bytes: Uint8Array): Promise<void> {
  await stream.sink([lengthPrefixed(bytes)]);
}

/** Half of the answer, then the end of the stream without its other half. */
async function cut(stream: Stream, framed: Uint8Array): Promise<void> {
  await stream.sink([framed.subarray(0, Math.ceil(framed.length / 2))]);
  stream.abort(new Error("cut"));
}

function note(
  protocol: Protocol,
  { clock, log }: ServeContext,
  peer: string,
  statusCode: number | undefined,
  hashes: readonly string[],
): void {
  log.note({ service: protocol.service, codec: protocol.codec, peer, at: clock.now(), statusCode, hashes });
}

function leak(connection: IncomingStreamData["connection"], rejected: WeakMap<object, number>): void {
  const count = (rejected.get(connection) ?? 0) + 1;
  rejected.set(connection, count);
  if (count >= LEAKED_STREAMS && connection.multiplexer === MPLEX) connection.abort(new Error("too many streams"));
}
