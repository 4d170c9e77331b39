import { ProtobufWriter } from "../../src/common/protobuf.ts";
import type { Result } from "../../src/common/result.ts";
import { err, ok } from "../../src/common/result.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Sharding } from "./autosharding.ts";
import { autoshard } from "./autosharding.ts";
import type { Answer, Protocol, Status } from "./protocols.ts";
import {
  BAD_REQUEST,
  CODEC,
  INVALID_MESSAGE,
  NO_PEERS_TO_RELAY,
  NO_REQUEST_ID,
  SUCCESS,
  TOO_MANY_REQUESTS,
} from "./protocols.ts";
import type { DecodeError } from "./request-fields.ts";
import { missingField, RequestFields } from "./request-fields.ts";
import type { WakuMessage } from "./waku-message.ts";
import { decodeWakuMessage, encodeWakuMessage, hashOf } from "./waku-message.ts";

/** What lightpush needs of its node. */
export interface Publisher {
  /** Stamps, delivers to the node's own archive and filter, then relays. Tells how many peers it was relayed to. */
  publish(pubsubTopic: string, message: WakuMessage): Promise<number>;
}

const NO_PEERS: Status = { code: NO_PEERS_TO_RELAY, desc: "No peers for topic, skipping publish" };
const DECODE_FAILURE = "decode_rpc_failure";

/** Both versions relay the same way and differ in how they say what became of it. */
async function push(publisher: Publisher, pubsubTopic: string, message: WakuMessage): Promise<Result<number, Status>> {
  // The limit counts the message as the node encodes it, empty fields included.
  if (encodeWakuMessage(message).length > LIMITS.messaging.messageBytes) {
    const desc = `Message size exceeded maximum of ${LIMITS.messaging.messageBytes} bytes`;
    return err({ code: INVALID_MESSAGE, desc });
  }
  const peers = await publisher.publish(pubsubTopic, message);
  return peers > 0 ? ok(peers) : err(NO_PEERS);
}

/** 19/WAKU2-LIGHTPUSH, version 3. */
export class Lightpush implements Protocol {
  readonly service = "lightpush";
  readonly codec = CODEC.lightpush;
  readonly tooMany = { code: TOO_MANY_REQUESTS, desc: "Request rejected due to too many requests" };
  readonly #publisher: Publisher;
  readonly #sharding: Sharding;

  constructor(publisher: Publisher, sharding: Sharding) {
    this.#publisher = publisher;
    this.#sharding = sharding;
  }

  async answer(request: Uint8Array): Promise<Answer> {
    const decoded = decodeRequest(request);
    if (!decoded.ok) {
      const status = { code: BAD_REQUEST, desc: `${DECODE_FAILURE}: ${decoded.error}` };
      return { bytes: this.refusal(NO_REQUEST_ID, status), status, hashes: [] };
    }
    const { requestId, message } = decoded.value;
    const topic = this.#topicOf(decoded.value);
    const pushed = topic.ok ? await push(this.#publisher, topic.value, message) : topic;
    const hashes = topic.ok ? [hashOf(topic.value, message)] : [];
    if (!pushed.ok) return { bytes: this.refusal(requestId, pushed.error), status: pushed.error, hashes };
    const bytes = new ProtobufWriter().string(1, requestId).varint(10, SUCCESS).varint(12, pushed.value).finish();
    return { bytes, status: { code: SUCCESS }, hashes };
  }

  refusal(requestId: string, { code, desc }: Status): Uint8Array {
    const response = new ProtobufWriter().string(1, requestId).varint(10, code);
    return (desc === undefined ? response : response.string(11, desc)).finish();
  }

  #topicOf({ pubsubTopic, message }: Request): Result<string, Status> {
    if (pubsubTopic === undefined) return autoshard(this.#sharding, message.contentTopic);
    if (pubsubTopic.trim() === "") return err({ code: BAD_REQUEST, desc: "topic must not be empty" });
    return ok(pubsubTopic);
  }
}

interface Request {
  readonly requestId: string;
  readonly pubsubTopic: string | undefined;
  readonly message: WakuMessage;
}

function decodeRequest(request: Uint8Array): Result<Request, DecodeError> {
  const fields = RequestFields.read(request);
  if (!fields.ok) return fields;
  const requestId = fields.value.string(1);
  if (requestId === undefined) return err(missingField("request_id"));
  const bytes = fields.value.bytes(21);
  if (bytes === undefined) return err(missingField("message"));
  const message = decodeWakuMessage(bytes);
  return message.ok ? ok({ requestId, pubsubTopic: fields.value.string(20), message: message.value }) : message;
}

/** 19/WAKU2-LIGHTPUSH, version 2: a boolean and a text instead of a status, and no autosharding. */
export class LegacyLightpush implements Protocol {
  readonly service = "lightpushLegacy";
  readonly codec = CODEC.lightpushLegacy;
  readonly tooMany = { code: TOO_MANY_REQUESTS, desc: "TOO_MANY_REQUESTS" };
  readonly #publisher: Publisher;

  constructor(publisher: Publisher) {
    this.#publisher = publisher;
  }

  async answer(request: Uint8Array): Promise<Answer> {
    const decoded = decodeLegacyRequest(request);
    if (!decoded.ok) {
      const status = { code: BAD_REQUEST, desc: decoded.error };
      return { bytes: this.refusal("", status), status, hashes: [] };
    }
    const { requestId, pubsubTopic, message } = decoded.value;
    const hashes = [hashOf(pubsubTopic, message)];
    const pushed = await push(this.#publisher, pubsubTopic, message);
    if (pushed.ok) return { bytes: legacyResponse(requestId, true, "OK"), status: { code: SUCCESS }, hashes };
    // This version keeps to itself why a message was not relayed.
    const desc = pushed.error.code === NO_PEERS_TO_RELAY ? "not_published_to_any_peer" : pushed.error.desc;
    const status = { code: pushed.error.code, desc };
    return { bytes: this.refusal(requestId, status), status, hashes };
  }

  refusal(requestId: string, { desc }: Status): Uint8Array {
    return legacyResponse(requestId, false, desc ?? "");
  }
}

interface LegacyRequest {
  readonly requestId: string;
  readonly pubsubTopic: string;
  readonly message: WakuMessage;
}

function decodeLegacyRequest(rpc: Uint8Array): Result<LegacyRequest, DecodeError> {
  const failure = (error: DecodeError): Result<never, DecodeError> => err(`${DECODE_FAILURE}: ${error}`);
  const fields = RequestFields.read(rpc);
  if (!fields.ok) return failure(fields.error);
  const requestId = fields.value.string(1);
  if (requestId === undefined) return failure(missingField("request_id"));
  const body = fields.value.bytes(2);
  if (body === undefined) return err("empty_request_body_failure");
  const request = RequestFields.read(body);
  if (!request.ok) return failure(request.error);
  const pubsubTopic = request.value.string(1);
  if (pubsubTopic === undefined) return failure(missingField("pubsub_topic"));
  const bytes = request.value.bytes(2);
  if (bytes === undefined) return failure(missingField("message"));
  const message = decodeWakuMessage(bytes);
  return message.ok ? ok({ requestId, pubsubTopic, message: message.value }) : failure(message.error);
}

function legacyResponse(requestId: string, success: boolean, info: string): Uint8Array {
  const response = new ProtobufWriter()
    .varint(1, success ? 1 : 0)
    .string(2, info)
    .finish();
  return new ProtobufWriter().string(1, requestId).bytes(3, response).finish();
}
