/**
 * A light client without any library of Waku's but its message types: one request a stream, read to its end. The
 * reference node was observed with the same kind of client.
 */
import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { identify, identifyPush } from "@libp2p/identify";
import type { Connection, Libp2p, PrivateKey, Stream } from "@libp2p/interface";
import { mplex } from "@libp2p/mplex";
import { ping } from "@libp2p/ping";
import { webSockets } from "@libp2p/websockets";
import { multiaddr } from "@multiformats/multiaddr";
import { proto_filter_v2, proto_lightpush, proto_metadata, proto_store, type WakuMessage } from "@waku/proto";
import { createLibp2p } from "libp2p";
import { FrameStream } from "../../../dev/network/frames.ts";
import { CODEC } from "../../../dev/network/protocols.ts";
import { lengthPrefixed } from "../../../src/messaging/length-prefix.ts";
import { Inbox } from "./inbox.ts";

export type Muxer = "yamux" | "mplex";
export type FilterKind = "SUBSCRIBER_PING" | "SUBSCRIBE" | "UNSUBSCRIBE" | "UNSUBSCRIBE_ALL";

export interface ClientOptions {
  readonly muxer?: Muxer;
  /** What the client tells of itself; without it, it does not speak the protocol at all. */
  readonly metadata?: { readonly clusterId: number; readonly shards: number[] } | undefined;
  readonly privateKey?: PrivateKey;
}

export interface Pushed {
  readonly streamId: string;
  readonly pubsubTopic: string | undefined;
  readonly message: WakuMessage;
}

/** A message as tests write it: what is left out is not sent. */
export interface Draft {
  readonly payload: Uint8Array;
  readonly contentTopic: string;
  readonly timestamp?: bigint | undefined;
  readonly meta?: Uint8Array | undefined;
  readonly version?: number | undefined;
  readonly ephemeral?: boolean | undefined;
}

let requests = 0;
export const newRequestId = (): string => `request-${++requests}`;

export class RawClient {
  readonly libp2p: Libp2p;
  readonly pushed = new Inbox<Pushed>();
  readonly metadataAsked = new Inbox<Uint8Array>();
  readonly identified = new Inbox<{ readonly connectionId: string; readonly protocols: readonly string[] }>();
  /** Ids of connections that have ended. */
  readonly closed = new Inbox<string>();

  static async start({ muxer = "yamux", metadata, privateKey }: ClientOptions): Promise<RawClient> {
    const libp2p = await createLibp2p({
      ...(privateKey === undefined ? {} : { privateKey }),
      transports: [webSockets()],
      streamMuxers: [muxer === "yamux" ? yamux() : mplex()],
      connectionEncrypters: [noise()],
      connectionMonitor: { enabled: false },
      services: { identify: identify(), identifyPush: identifyPush(), ping: ping() },
    });
    const client = new RawClient(libp2p);
    await libp2p.handle(CODEC.filterPush, ({ stream }) => void client.#takePushes(stream), { maxInboundStreams: 100 });
    if (metadata !== undefined) {
      const own = proto_metadata.WakuMetadataResponse.encode(metadata);
      await libp2p.handle(CODEC.metadata, ({ stream }) => void client.#answerMetadata(stream, own));
    }
    return client;
  }

  private constructor(libp2p: Libp2p) {
    this.libp2p = libp2p;
    libp2p.addEventListener("connection:close", ({ detail }) => this.closed.add(detail.id));
    libp2p.addEventListener("peer:identify", ({ detail: { connection, protocols } }) =>
      this.identified.add({ connectionId: connection.id, protocols }),
    );
  }

  get peerId(): string {
    return this.libp2p.peerId.toString();
  }

  async connect(address: string): Promise<Connection> {
    return this.libp2p.dial(multiaddr(address));
  }

  async stop(): Promise<void> {
    await this.libp2p.stop();
  }

  /** Resolves once the connection has ended, which may be now. */
  async untilClosed(connection: Connection): Promise<void> {
    await this.closed.until(1, (id) => id === connection.id);
  }

  /** The first frame of the answer, or `undefined` where the stream ended without one. Throws where it was reset. */
  async ask(connection: Connection, codec: string, request: Uint8Array): Promise<Uint8Array | undefined> {
    const stream = await connection.newStream(codec, { maxOutboundStreams: 2_000 });
    const reader = new FrameStream(stream.source);
    const [answer] = await Promise.all([reader.next(), stream.sink([lengthPrefixed(request)])]);
    await reader.drain();
    return answer;
  }

  async lightpush(
    connection: Connection,
    message: Draft,
    pubsubTopic?: string | undefined,
    requestId = newRequestId(),
  ): Promise<proto_lightpush.LightPushResponseV3> {
    const request = proto_lightpush.LightPushRequestV3.encode({
      requestId,
      ...(pubsubTopic === undefined ? {} : { pubsubTopic }),
      message: draft(message),
    });
    return proto_lightpush.LightPushResponseV3.decode(answered(await this.ask(connection, CODEC.lightpush, request)));
  }

  async filter(
    connection: Connection,
    kind: FilterKind,
    pubsubTopic?: string | undefined,
    contentTopics: readonly string[] = [],
    requestId = newRequestId(),
  ): Promise<proto_filter_v2.FilterSubscribeResponse> {
    const request = proto_filter_v2.FilterSubscribeRequest.encode({
      requestId,
      filterSubscribeType: proto_filter_v2.FilterSubscribeRequest.FilterSubscribeType[kind],
      ...(pubsubTopic === undefined ? {} : { pubsubTopic }),
      contentTopics: [...contentTopics],
    });
    const answer = answered(await this.ask(connection, CODEC.filterSubscribe, request));
    return proto_filter_v2.FilterSubscribeResponse.decode(answer);
  }

  async query(
    connection: Connection,
    query: Partial<proto_store.StoreQueryRequest>,
  ): Promise<proto_store.StoreQueryResponse> {
    const request = proto_store.StoreQueryRequest.encode({
      requestId: newRequestId(),
      paginationForward: true,
      ...query,
    });
    return proto_store.StoreQueryResponse.decode(answered(await this.ask(connection, CODEC.store, request)));
  }

  async #takePushes(stream: Stream): Promise<void> {
    const reader = new FrameStream(stream.source);
    try {
      for (let push = await reader.next(); push !== undefined; push = await reader.next()) {
        const { pubsubTopic, wakuMessage } = proto_filter_v2.MessagePush.decode(push);
        if (wakuMessage !== undefined) this.pushed.add({ streamId: stream.id, pubsubTopic, message: wakuMessage });
      }
      await stream.close();
    } catch {
      // The connection is gone, and with it its pushes.
    }
  }

  async #answerMetadata(stream: Stream, own: Uint8Array): Promise<void> {
    const reader = new FrameStream(stream.source);
    try {
      const asked = await reader.next();
      if (asked !== undefined) this.metadataAsked.add(asked);
      await stream.sink([lengthPrefixed(own)]);
      await reader.drain();
    } catch {
      // The connection is gone.
    }
  }
}

/** Without the fields that are not set: the encoder would write them. */
function draft(message: Draft): WakuMessage {
  const { payload, contentTopic, timestamp, meta, version, ephemeral } = message;
  return {
    payload,
    contentTopic,
    ...(timestamp === undefined ? {} : { timestamp }),
    ...(meta === undefined ? {} : { meta }),
    ...(version === undefined ? {} : { version }),
    ...(ephemeral === undefined ? {} : { ephemeral }),
  };
}

function answered(answer: Uint8Array | undefined): Uint8Array {
  if (answer === undefined) throw new Error("the stream ended without an answer");
  return answer;
}
