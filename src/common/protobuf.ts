/**
 * The protobuf wire format, as far as the project's messages need it: varints and length-delimited fields.
 *
 * The reader is the border for bytes from strangers. It never throws, never allocates from a claimed length (a field's
 * bytes are a view of the input), and stops at the first byte that makes no sense.
 *
 * Source: https://protobuf.dev/programming-guides/encoding/
 */
import type { Bytes } from "./bytes.ts";
import { concat, utf8 } from "./bytes.ts";

const WIRE_VARINT = 0;
const WIRE_FIXED64 = 1;
const WIRE_BYTES = 2;
const WIRE_FIXED32 = 5;
const MAX_FIELD_NUMBER = 2 ** 29 - 1;
/** A varint of 64 bits has at most ten bytes. */
const MAX_VARINT_BYTES = 10;

export type Field =
  | { readonly number: number; readonly kind: "varint"; readonly value: bigint }
  | { readonly number: number; readonly kind: "bytes"; readonly value: Uint8Array }
  | { readonly number: number; readonly kind: "fixed"; readonly value: Uint8Array };

/** The fields of a message in the order of the wire, or `undefined` where the bytes are not a message. */
export function readFields(message: Uint8Array): readonly Field[] | undefined {
  const fields: Field[] = [];
  const cursor = { at: 0 };
  while (cursor.at < message.length) {
    const tag = readVarint(message, cursor);
    if (tag === undefined) return undefined;
    const number = Number(tag >> 3n);
    if (number < 1 || number > MAX_FIELD_NUMBER) return undefined;
    switch (Number(tag & 7n)) {
      case WIRE_VARINT: {
        const value = readVarint(message, cursor);
        if (value === undefined) return undefined;
        fields.push({ number, kind: "varint", value });
        break;
      }
      case WIRE_BYTES: {
        const length = readVarint(message, cursor);
        if (length === undefined || length > BigInt(message.length - cursor.at)) return undefined;
        const end = cursor.at + Number(length);
        fields.push({ number, kind: "bytes", value: message.subarray(cursor.at, end) });
        cursor.at = end;
        break;
      }
      case WIRE_FIXED64:
      case WIRE_FIXED32: {
        const end = cursor.at + ((tag & 7n) === BigInt(WIRE_FIXED64) ? 8 : 4);
        if (end > message.length) return undefined;
        fields.push({ number, kind: "fixed", value: message.subarray(cursor.at, end) });
        cursor.at = end;
        break;
      }
      default:
        return undefined;
    }
  }
  return fields;
}

function readVarint(bytes: Uint8Array, cursor: { at: number }): bigint | undefined {
  let low = 0;
  let high = 0n;
  for (let i = 0; i < MAX_VARINT_BYTES; i++) {
    const byte = bytes[cursor.at];
    if (byte === undefined) return undefined;
    cursor.at++;
    // Four groups of seven bits fit a plain number; nearly every varint ends there, without touching a bigint.
    if (i < 4) low |= (byte & 0x7f) << (7 * i);
    else high |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) {
      const value = high | BigInt(low);
      return value < 1n << 64n ? value : undefined;
    }
  }
  return undefined;
}

/** Writes one message. Fields stand in the order of the calls. */
export class ProtobufWriter {
  readonly #parts: Uint8Array[] = [];

  varint(field: number, value: number | bigint): this {
    this.#parts.push(varintBytes((BigInt(field) << 3n) | BigInt(WIRE_VARINT)), varintBytes(BigInt(value)));
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#parts.push(varintBytes((BigInt(field) << 3n) | BigInt(WIRE_BYTES)), varintBytes(BigInt(value.length)), value);
    return this;
  }

  string(field: number, value: string): this {
    return this.bytes(field, utf8(value));
  }

  finish(): Bytes {
    return concat(...this.#parts);
  }
}

function varintBytes(value: bigint): Uint8Array {
  let rest = BigInt.asUintN(64, value);
  const bytes: number[] = [];
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
