import fc from "fast-check";
import { type Bytes, ownBytes } from "../../../src/common/bytes.ts";
import type { RandomBytes } from "../../../src/encryption/random.ts";

/** Arbitrary bytes of that length, or of a length up to `max`. */
export function bytes(min: number, max = min): fc.Arbitrary<Bytes> {
  return fc.uint8Array({ minLength: min, maxLength: max }).map(ownBytes);
}

/** A source that gives these bytes, from their beginning, each time. */
export function fixedRandom(source: Uint8Array): RandomBytes {
  return (length) => {
    if (length > source.length) throw new RangeError(`${length} bytes were asked for, and there are ${source.length}`);
    return ownBytes(source.subarray(0, length));
  };
}

/** A source that never repeats and is the same in every run. */
export function countingRandom(): RandomBytes {
  let count = 0;
  return (length) => {
    count++;
    return Uint8Array.from({ length }, (_, i) => (count * 89 + i * 31 + ((count * i) >> 3)) & 0xff);
  };
}

export function flipBit(data: Uint8Array, position: number): Bytes {
  const copy = ownBytes(data);
  const bit = position % (8 * copy.length);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}
