/**
 * MurmurHash3 for 32-bit platforms with seed 0, as `@waku/sds` hashes message ids: over the UTF-16 code units of a text,
 * which for ASCII are its bytes. Units beyond one byte run into each other there, and so they do here.
 *
 * Source: https://github.com/aappleby/smhasher, `MurmurHash3_x86_32`
 */

const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;

/** A signed 32-bit integer. */
export function murmur3(text: string): number {
  const { length } = text;
  const whole = length - (length % 4);
  let hash = 0;
  for (let i = 0; i < whole; i += 4) {
    const block =
      text.charCodeAt(i) |
      (text.charCodeAt(i + 1) << 8) |
      (text.charCodeAt(i + 2) << 16) |
      (text.charCodeAt(i + 3) << 24);
    hash ^= scramble(block);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = length - 1; i >= whole; i--) tail = (tail << 8) | text.charCodeAt(i);
  hash ^= scramble(tail) ^ length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function scramble(block: number): number {
  const mixed = Math.imul(block, C1);
  return Math.imul((mixed << 15) | (mixed >>> 17), C2);
}
