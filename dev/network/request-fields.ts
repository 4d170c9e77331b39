import { fromUtf8 } from "../../src/common/bytes.ts";
import type { Field } from "../../src/common/protobuf.ts";
import { readFields } from "../../src/common/protobuf.ts";
import type { Result } from "../../src/common/result.ts";
import { err, ok } from "../../src/common/result.ts";

/** Why a request could not be decoded, in the words of logos-delivery's `ProtobufError`. */
export type DecodeError = string;

export const UNDECODABLE: DecodeError = "(kind: DecodeFailure, error: VarintDecode)";
export const missingField = (name: string): DecodeError => `(kind: MissingRequiredField, field: "${name}")`;
export const invalidLength = (name: string): DecodeError => `(kind: InvalidLengthField, field: "${name}")`;

/** The fields of one request by number. As in protobuf, the last of a repeated scalar counts. */
export class RequestFields {
  readonly #fields: readonly Field[];

  private constructor(fields: readonly Field[]) {
    this.#fields = fields;
  }

  static read(message: Uint8Array): Result<RequestFields, DecodeError> {
    const fields = readFields(message);
    return fields === undefined ? err(UNDECODABLE) : ok(new RequestFields(fields));
  }

  bytes(number: number): Uint8Array | undefined {
    return this.allBytes(number).at(-1);
  }

  allBytes(number: number): readonly Uint8Array[] {
    return this.#fields.flatMap((field) => (field.number === number && field.kind === "bytes" ? [field.value] : []));
  }

  string(number: number): string | undefined {
    return this.allStrings(number).at(-1);
  }

  allStrings(number: number): readonly string[] {
    return this.allBytes(number).map(text);
  }

  varint(number: number): bigint | undefined {
    return this.allVarints(number).at(-1);
  }

  allVarints(number: number): readonly bigint[] {
    return this.#fields.flatMap((field) => (field.number === number && field.kind === "varint" ? [field.value] : []));
  }
}

/** All requests carry their id in field 1; an answer to one that has none says so in its own way. */
export function requestIdOf(request: Uint8Array): string | undefined {
  const fields = RequestFields.read(request);
  return fields.ok ? fields.value.string(1) : undefined;
}

/** Nim strings are bytes: topics that are not UTF-8 are no error to the node. */
function text(bytes: Uint8Array): string {
  return fromUtf8(bytes) ?? new TextDecoder().decode(bytes);
}

/** The `sint64` encoding of protobuf. */
export const zigzag = (value: bigint): bigint => BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
export const unzigzag = (value: bigint): bigint => BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
