/**
 * The protobuf wire format, as far as the project's messages need it: varints and length-delimited fields.
 *
 * The reader is the border for bytes from strangers. It never throws, never allocates from a claimed length (a field's
 * bytes are a view of the input), and stops at the first byte that makes no sense.
 *
 * Source: https://protobuf.dev/programming-guides/encoding/
 */
import type { Bytes } from "./bytes.ts";
import { EMPTY, utf8 } from "./bytes.ts";

const WIRE_VARINT = 0;
const WIRE_FIXED64 = 1;
const WIRE_BYTES = 2;
const WIRE_FIXED32 = 5;
const MAX_FIELD_NUMBER = 2 ** 29 - 1;
/** A varint of 64 bits has at most ten bytes. */
const MAX_VARINT_BYTES = 10;
const TWO_32 = 2 ** 32;

export type Field =
  | { readonly number: number; readonly kind: "varint"; readonly value: bigint }
  | { readonly number: number; readonly kind: "bytes"; readonly value: Uint8Array }
  | { readonly number: number; readonly kind: "fixed"; readonly value: Uint8Array };

/** The fields of a message in the order of the wire, or `undefined` where the bytes are not a message. */
export function readFields(message: Uint8Array): readonly Field[] | undefined {
  const fields: Field[] = [];
  const cursor = new Cursor(message);
  while (cursor.at < message.length) {
    if (!cursor.readVarint()) return undefined;
    // The tag: three bits of wire type below the field number.
    const wireType = cursor.low & 7;
    const number = cursor.high * (TWO_32 / 8) + (cursor.low >>> 3);
    if (number < 1 || number > MAX_FIELD_NUMBER) return undefined;
    switch (wireType) {
      case WIRE_VARINT: {
        if (!cursor.readVarint()) return undefined;
        fields.push({ number, kind: "varint", value: cursor.value() });
        break;
      }
      case WIRE_BYTES: {
        if (!cursor.readVarint()) return undefined;
        // Exact where it matters: a length beyond 2⁵³ is beyond every message, rounded or not.
        const value = cursor.take(cursor.high * TWO_32 + cursor.low);
        if (value === undefined) return undefined;
        fields.push({ number, kind: "bytes", value });
        break;
      }
      case WIRE_FIXED64:
      case WIRE_FIXED32: {
        const value = cursor.take(wireType === WIRE_FIXED64 ? 8 : 4);
        if (value === undefined) return undefined;
        fields.push({ number, kind: "fixed", value });
        break;
      }
      default:
        return undefined;
    }
  }
  return fields;
}

/**
 * A place in the bytes, and the varint read last as two unsigned halves of 32 bits: tags and lengths, the most of what
 * is read, then never become a bigint.
 */
class Cursor {
  at = 0;
  low = 0;
  high = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** False where the bytes end within the varint, or where it does not fit 64 bits. */
  readVarint(): boolean {
    let low = 0;
    let high = 0;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = this.#bytes[this.at];
      if (byte === undefined) return false;
      this.at++;
      const group = byte & 0x7f;
      const shift = 7 * i;
      if (shift < 28) low |= group << shift;
      else if (shift === 28) {
        // The fifth group straddles the halves: four bits below, three above.
        low |= group << 28;
        high = group >>> 4;
      } else high |= group << (shift - 32);
      if (byte < 0x80) {
        this.low = low >>> 0;
        this.high = high >>> 0;
        // Of the tenth group one bit is left: 9 · 7 + 1 = 64.
        return i < MAX_VARINT_BYTES - 1 || group <= 1;
      }
    }
    return false;
  }

  value(): bigint {
    return this.high === 0 ? BigInt(this.low) : (BigInt(this.high) << 32n) | BigInt(this.low);
  }

  /** A view of the next `length` bytes, or `undefined` where there are fewer. */
  take(length: number): Uint8Array | undefined {
    if (length > this.#bytes.length - this.at) return undefined;
    const taken = this.#bytes.subarray(this.at, this.at + length);
    this.at += length;
    return taken;
  }
}

/** Buffers of writers that have finished: to allocate one costs more than to fill it. */
const idleBuffers: Bytes[] = [];
const BUFFER_BYTES = 4_096;
/** Buffers kept, as many as messages nest here, and the bytes of each at most: of a full segment with all around it. */
const IDLE_BUFFERS = 4;
const IDLE_BYTES = 160 * 1024;

/** Writes one message. Fields stand in the order of the calls. Nothing may be called after `finish`. */
export class ProtobufWriter {
  #buffer: Bytes = idleBuffers.pop() ?? new Uint8Array(BUFFER_BYTES);
  #length = 0;

  /** A negative value is written as its two's complement of 64 bits, as `int64` is. */
  varint(field: number, value: number | bigint): this {
    this.#reserve(2 * MAX_VARINT_BYTES);
    this.#push(field * 8 + WIRE_VARINT);
    this.#push(value);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#reserve(2 * MAX_VARINT_BYTES + value.length);
    this.#push(field * 8 + WIRE_BYTES);
    this.#push(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  string(field: number, value: string): this {
    this.#reserve(2 * MAX_VARINT_BYTES + value.length);
    const start = this.#length;
    this.#push(field * 8 + WIRE_BYTES);
    this.#push(value.length);
    // Nearly every text is ASCII, where each UTF-16 unit is its own byte in UTF-8.
    let units = 0;
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      units |= unit;
      this.#buffer[this.#length + i] = unit;
    }
    this.#length += value.length;
    if (units < 0x80) return this;
    this.#length = start;
    return this.bytes(field, utf8(value));
  }

  /** A message within this one; it is finished with this. */
  message(field: number, message: ProtobufWriter): this {
    this.bytes(field, message.#buffer.subarray(0, message.#length));
    message.#release();
    return this;
  }

  finish(): Bytes {
    const message = this.#buffer.slice(0, this.#length);
    this.#release();
    return message;
  }

  #release(): void {
    if (idleBuffers.length < IDLE_BUFFERS && this.#buffer.length <= IDLE_BYTES) idleBuffers.push(this.#buffer);
    this.#buffer = EMPTY;
    this.#length = 0;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#buffer.length));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }

  /** Appends a varint; the room for it was reserved. */
  #push(value: number | bigint): void {
    let rest: number;
    if (typeof value === "number" && value >= 0 && value < TWO_32) rest = value;
    else {
      let wide = BigInt.asUintN(64, BigInt(value));
      for (; wide >= 0x80n; wide >>= 7n) this.#buffer[this.#length++] = Number(wide & 0x7fn) | 0x80;
      rest = Number(wide);
    }
    for (; rest >= 0x80; rest >>>= 7) this.#buffer[this.#length++] = (rest & 0x7f) | 0x80;
    this.#buffer[this.#length++] = rest;
  }
}
