import { ProtobufWriter } from "../../src/common/protobuf.ts";
import type { Answer, Protocol, Status } from "./protocols.ts";
import { BAD_REQUEST, CODEC, SUCCESS, TOO_MANY_REQUESTS } from "./protocols.ts";
import { missingField, RequestFields } from "./request-fields.ts";

/**
 * 34/WAKU2-PEER-EXCHANGE. Nodes name only peers that they found by discv5. There is none on a local network, so the
 * list is empty, as it is on a real node without discv5, unless it is given the records of other nodes.
 */
export class PeerExchange implements Protocol {
  readonly service = "peerExchange";
  readonly codec = CODEC.peerExchange;
  readonly tooMany = { code: TOO_MANY_REQUESTS };
  readonly #records: () => Promise<readonly Uint8Array[]>;

  constructor(records: () => Promise<readonly Uint8Array[]>) {
    this.#records = records;
  }

  async answer(rpc: Uint8Array): Promise<Answer> {
    const fields = RequestFields.read(rpc);
    const error = !fields.ok ? fields.error : fields.value.bytes(1) === undefined ? missingField("request") : undefined;
    const status = error === undefined ? { code: SUCCESS } : { code: BAD_REQUEST, desc: error };
    const records = error === undefined ? await this.#records() : [];
    return { bytes: this.#response(status, records), status, hashes: [] };
  }

  /** Requests of this protocol have no id. */
  refusal(_requestId: string, status: Status): Uint8Array {
    return this.#response(status, []);
  }

  #response({ code, desc }: Status, records: readonly Uint8Array[]): Uint8Array {
    const response = new ProtobufWriter();
    for (const record of records) response.bytes(1, new ProtobufWriter().bytes(1, record).finish());
    response.varint(10, code);
    if (desc !== undefined) response.string(11, desc);
    const request = new ProtobufWriter().varint(1, 0).finish();
    return new ProtobufWriter().bytes(1, request).bytes(2, response.finish()).finish();
  }
}
