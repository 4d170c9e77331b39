/**
 * The bloom filter of LIP-109, as far as both wire layouts agree on it: parameters, positions, bits.
 *
 * Its bytes are the words of the wire as they travel. Where those are little-endian, bit `i` is byte `i >> 3`, bit
 * `i & 7`; where they are big-endian, the bytes of each word of eight stand the other way round.
 */
import type { Bytes } from "../common/bytes.ts";
import { LIMITS } from "../limits.ts";

/** The absolute values of an identifier's hash and of the hash of the identifier followed by " b", as 32-bit limbs. */
export interface HashPair {
  readonly aHigh: number;
  readonly aLow: number;
  readonly bHigh: number;
  readonly bLow: number;
}

export interface FilterShape {
  /** Identifiers it is made for. */
  readonly capacity: number;
  /** False positives it is made for, 0–1. */
  readonly errorRate: number;
  /** Positions per identifier. */
  readonly hashes: number;
  /** Bits. */
  readonly bits: number;
  /** The words are big-endian; otherwise little-endian. */
  readonly bigEndianWords?: true;
}

/** The least trustworthy answer that still says something. */
const SENSELESS_DOUBT = 0.5;

/** The parameters that nim-sds and `@waku/sds` derive from a capacity and an error rate. */
export function filterShape(capacity: number, errorRate: number): FilterShape {
  const bitsPerElement = Math.ceil(-Math.log(errorRate) / Math.LN2 ** 2);
  return { capacity, errorRate, hashes: Math.round(Math.LN2 * bitsPerElement), bits: capacity * bitsPerElement };
}

/** Bytes that hold the bits: 8 · (1 + ⌊bits / 64⌋), always one word more than needed when they fill it exactly. */
export function filterBytes(bits: number): number {
  return 8 * (1 + Math.floor(bits / 64));
}

export class BloomFilter {
  readonly shape: FilterShape;
  readonly bytes: Uint8Array;
  /** What turns the place of a byte in little-endian words into its place here. */
  readonly #flip: 0 | 7;
  #fill: number | undefined;

  private constructor(shape: FilterShape, bytes: Uint8Array) {
    this.shape = shape;
    this.bytes = bytes;
    this.#flip = shape.bigEndianWords ? 7 : 0;
  }

  static empty(shape: FilterShape): BloomFilter {
    return new BloomFilter(shape, new Uint8Array(filterBytes(shape.bits)));
  }

  /** A filter from elsewhere, or `undefined` where its parameters and its bits do not fit together. */
  static of(shape: FilterShape, bytes: Uint8Array): BloomFilter | undefined {
    const { hashes, bits } = shape;
    const sensible = Number.isSafeInteger(bits) && bits > 0 && bits <= bytes.length * 8;
    if (!sensible || !Number.isSafeInteger(hashes) || hashes < 1 || hashes > LIMITS.sds.filterHashes) return undefined;
    return new BloomFilter(shape, bytes);
  }

  insert(pair: HashPair): void {
    const { hashes, bits } = this.shape;
    const step = modulo(pair.bHigh, pair.bLow, bits);
    let position = modulo(pair.aHigh, pair.aLow, bits);
    for (let n = 0; n < hashes; n++) {
      const index = (position >> 3) ^ this.#flip;
      this.bytes[index] = this.#byte(index) | (1 << (position & 7));
      position += step;
      if (position >= bits) position -= bits;
    }
    this.#fill = undefined;
  }

  has(pair: HashPair): boolean {
    const { hashes, bits } = this.shape;
    let position = modulo(pair.aHigh, pair.aLow, bits);
    if (!this.#isSet(position)) return false;
    const step = modulo(pair.bHigh, pair.bLow, bits);
    for (let n = 1; n < hashes; n++) {
      position += step;
      if (position >= bits) position -= bits;
      if (!this.#isSet(position)) return false;
    }
    return true;
  }

  /**
   * How likely it is, 0–1, that a hit for `pair` means nothing; 1 where the filter makes no sense.
   *
   * It follows the bits that are there, not the error rate that a filter claims. Two kinds of false positives add up:
   * all positions set by chance, fewer than `hashes` where the step divides the bits; and a position sequence that
   * coincides with another identifier's, whole or but for its ends. With double hashing only bits² sequences exist, so
   * in small filters the second kind dominates.
   */
  doubt(pair: HashPair): number {
    const { hashes, bits } = this.shape;
    const step = modulo(pair.bHigh, pair.bLow, bits);
    const distinct = Math.min(hashes, bits / greatestCommonDivisor(bits, step));
    const fill = this.#fillRatio();
    const identifiers = (-bits / hashes) * Math.log(1 - fill);
    const doubt = fill ** distinct + sequenceCollisions(identifiers, bits);
    return doubt < SENSELESS_DOUBT ? doubt : 1;
  }

  #fillRatio(): number {
    if (this.#fill === undefined) {
      this.#fill = Math.min(1, setBits(this.bytes) / this.shape.bits);
    }
    return this.#fill;
  }

  #isSet(position: number): boolean {
    return (this.#byte((position >> 3) ^ this.#flip) & (1 << (position & 7))) !== 0;
  }

  #byte(index: number): number {
    return this.bytes[index] ?? 0;
  }

  /** The bits on a buffer of their own. */
  copyBytes(): Bytes {
    return new Uint8Array(this.bytes);
  }
}

/** The chance that an identifier's position sequence is nearly one of `identifiers` others' in a filter of `bits`. */
export function sequenceCollisions(identifiers: number, bits: number): number {
  // Equal or opposite step, and a start that is equal or a few steps off: about six sequences per identifier.
  return (6 * identifiers) / bits ** 2;
}

/** Four bytes at a time: a filter may have thousands, most of them empty. */
function setBits(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const whole = bytes.length - (bytes.length % 4);
  let set = 0;
  for (let at = 0; at < whole; at += 4) for (let rest = view.getUint32(at); rest !== 0; rest &= rest - 1) set++;
  for (let at = whole; at < bytes.length; at++) for (let rest = view.getUint8(at); rest !== 0; rest &= rest - 1) set++;
  return set;
}

/** (high · 2³² + low) mod m. Exact for m ≤ 2²¹: a filter within one Waku message has fewer bits. */
function modulo(high: number, low: number, m: number): number {
  const value = (high % m) * (0x100000000 % m) + low;
  const rest = value - Math.floor(value / m) * m;
  if (rest < 0) return rest + m;
  return rest >= m ? rest - m : rest;
}

function greatestCommonDivisor(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}
