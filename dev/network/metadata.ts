import { concat } from "../../src/common/bytes.ts";
import { ProtobufWriter } from "../../src/common/protobuf.ts";
import type { Sharding } from "./autosharding.ts";
import type { Answer, Protocol, Status } from "./protocols.ts";
import { CODEC, SUCCESS, TOO_MANY_REQUESTS } from "./protocols.ts";
import { RequestFields } from "./request-fields.ts";

/** 66/WAKU2-METADATA: which cluster and which shards. Request and response are the same message. */
export class Metadata implements Protocol {
  readonly service = "metadata";
  readonly codec = CODEC.metadata;
  readonly tooMany = { code: TOO_MANY_REQUESTS };
  readonly #sharding: Sharding;

  constructor(sharding: Sharding) {
    this.#sharding = sharding;
  }

  answer(request: Uint8Array): Answer | undefined {
    if (!RequestFields.read(request).ok) return undefined;
    return { bytes: this.own(), status: { code: SUCCESS }, hashes: [] };
  }

  /** This protocol has no refusals: a node that refuses sends nothing of itself. */
  refusal(_requestId: string, _status: Status): Uint8Array {
    return new Uint8Array(0);
  }

  /** What this node says of itself. */
  own(): Uint8Array {
    const shards = Array.from({ length: this.#sharding.shards }, (_, shard) => shard);
    const message = new ProtobufWriter().varint(1, this.#sharding.clusterId);
    // Field 2 is the older, unpacked form; nodes write both.
    for (const shard of shards) message.varint(2, shard);
    return message.bytes(3, concat(...shards.map(varint))).finish();
  }

  /** Whether what a peer says of itself fits. A peer without shards is a light node. */
  fits(response: Uint8Array): boolean {
    const fields = RequestFields.read(response);
    return fields.ok && fields.value.varint(1) === BigInt(this.#sharding.clusterId);
  }
}

function varint(value: number): Uint8Array {
  // A varint field is its tag, one byte for field 1, and the varint.
  return new ProtobufWriter().varint(1, value).finish().subarray(1);
}
