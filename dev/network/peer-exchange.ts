import { ProtobufWriter } from "../../src/common/protobuf.ts";
import type { Answer, Protocol, Status } from "./protocols.ts";
import { BAD_REQUEST, CODEC, SUCCESS, TOO_MANY_REQUESTS } from "./protocols.ts";
import { missingField, RequestFields } from "./request-fields.ts";

/**
 * 34/WAKU2-PEER-EXCHANGE. Nodes name only peers that they found by discv5. There is none on a local network, so the
 * list is empty, as it is on a real node without discv5.
 */
export class PeerExchange implements Protocol {
  readonly service = "peerExchange";
  readonly codec = CODEC.peerExchange;
  readonly tooMany = { code: TOO_MANY_REQUESTS };

  answer(rpc: Uint8Array): Answer {
    const fields = RequestFields.read(rpc);
    const error = !fields.ok ? fields.error : fields.value.bytes(1) === undefined ? missingField("request") : undefined;
    const status = error === undefined ? { code: SUCCESS } : { code: BAD_REQUEST, desc: error };
    return { bytes: this.refusal("", status), status, hashes: [] };
  }

  /** Requests of this protocol have no id. */
  refusal(_requestId: string, { code, desc }: Status): Uint8Array {
    const response = new ProtobufWriter().varint(10, code);
    if (desc !== undefined) response.string(11, desc);
    const request = new ProtobufWriter().varint(1, 0).finish();
    return new ProtobufWriter().bytes(1, request).bytes(2, response.finish()).finish();
  }
}
