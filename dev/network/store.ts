import { fromHex, toHex } from "../../src/common/bytes.ts";
import { ProtobufWriter } from "../../src/common/protobuf.ts";
import type { Archive, ArchivedMessage, ArchivePage } from "./archive.ts";
import type { Faults } from "./faults.ts";
import type { Answer, Protocol, Status } from "./protocols.ts";
import { BAD_REQUEST, BAD_RESPONSE, CODEC, SUCCESS, TOO_MANY_REQUESTS } from "./protocols.ts";
import { missingField, RequestFields, unzigzag } from "./request-fields.ts";
import { encodeWakuMessage } from "./waku-message.ts";

const HASH_BYTES = 32;
const NO_HASH = "00".repeat(HASH_BYTES);
/** Content topics that a query with a cursor may name. */
const CONTENT_TOPICS = 10;

/** 13/WAKU2-STORE, version 3. */
export class Store implements Protocol {
  readonly service = "store";
  readonly codec = CODEC.store;
  readonly tooMany = { code: TOO_MANY_REQUESTS, desc: "TOO_MANY_REQUESTS" };
  readonly #archive: Archive;
  readonly #faults: Faults;

  constructor(archive: Archive, faults: Faults) {
    this.#archive = archive;
    this.#faults = faults;
  }

  answer(request: Uint8Array): Answer {
    const fields = RequestFields.read(request);
    if (!fields.ok) return this.#undecodable(fields.error);
    const requestId = fields.value.string(1);
    if (requestId === undefined) return this.#undecodable(missingField("request_id"));
    const hashes = fields.value.allBytes(20).map(hashIn);
    const page = this.#page(fields.value, hashes);
    // A failed query is answered without the id of its request.
    if ("code" in page) return { bytes: this.refusal("", page), status: page, hashes };
    const sent = this.#faults.tamperStore?.(page) ?? page;
    const includeData = (fields.value.varint(2) ?? 0n) !== 0n;
    const status = { code: SUCCESS, desc: "OK" };
    const response = new ProtobufWriter().string(1, requestId).varint(10, status.code).string(11, status.desc);
    for (const entry of sent.messages) response.bytes(20, encodeEntry(entry, includeData));
    if (sent.cursor !== undefined) response.bytes(51, hashBytes(sent.cursor));
    return { bytes: response.finish(), status, hashes };
  }

  refusal(requestId: string, { code, desc }: Status): Uint8Array {
    return new ProtobufWriter()
      .string(1, requestId)
      .varint(10, code)
      .string(11, desc ?? "")
      .finish();
  }

  #undecodable(error: string): Answer {
    const status = { code: BAD_REQUEST, desc: `decoding rpc failed: ${error}` };
    return { bytes: this.refusal("", status), status, hashes: [] };
  }

  #page(fields: RequestFields, hashes: readonly string[]): ArchivePage | Status {
    const contentTopics = fields.allStrings(11);
    const cursorBytes = fields.bytes(51);
    const cursor = cursorBytes === undefined ? undefined : hashIn(cursorBytes);
    if (cursor === NO_HASH) return invalidQuery("INVALID_QUERY: all zeroes cursor hash");
    if (cursor !== undefined && contentTopics.length > CONTENT_TOPICS) {
      return invalidQuery("INVALID_QUERY: too many content topics");
    }
    const page = this.#archive.query({
      pubsubTopic: fields.string(10),
      contentTopics,
      start: timeIn(fields.varint(12)),
      end: timeIn(fields.varint(13)),
      hashes,
      cursor,
      forward: (fields.varint(52) ?? 0n) !== 0n,
      limit: limitIn(fields.varint(53)),
    });
    return page ?? invalidQuery("DRIVER_ERROR: cursor not found");
  }
}

function invalidQuery(cause: string): Status {
  return { code: BAD_RESPONSE, desc: `BAD_RESPONSE: archive error: ${cause}` };
}

const timeIn = (value: bigint | undefined): bigint | undefined => (value === undefined ? undefined : unzigzag(value));
const limitIn = (value: bigint | undefined): number | undefined => (value === undefined ? undefined : Number(value));

/** Hashes of the wrong length are cut or filled with zeroes, not refused. */
function hashIn(bytes: Uint8Array): string {
  return toHex(bytes.subarray(0, HASH_BYTES)).padEnd(2 * HASH_BYTES, "0");
}

function hashBytes(hash: string): Uint8Array {
  return fromHex(hash) ?? new Uint8Array(0);
}

function encodeEntry(entry: ArchivedMessage, includeData: boolean): Uint8Array {
  const encoded = new ProtobufWriter().bytes(1, hashBytes(entry.hash));
  if (includeData) encoded.bytes(2, encodeWakuMessage(entry.message)).string(3, entry.pubsubTopic);
  return encoded.finish();
}
