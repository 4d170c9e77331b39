/** Mutations of wire messages: what a careless or hostile peer may send. */
import type { Bytes } from "../../src/common/bytes.ts";
import { concat } from "../../src/common/bytes.ts";
import type { Random } from "./simulation/random.ts";

/** Values at which readers of protobuf go wrong: ends of ranges, continuation bits, tags of other wire types. */
const NASTY = [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff, 0x08, 0x0a, 0x0b, 0x0d, 0x12, 0x22] as const;

/** One to four mutations of one of `corpus`. */
export function mutated(corpus: readonly Bytes[], random: Random): Bytes {
  const below = (end: number) => Math.floor(random() * end);
  const any = () => corpus[below(corpus.length)] ?? new Uint8Array(0);
  let bytes = new Uint8Array(any());
  for (let left = 1 + below(4); left > 0; left--) {
    // Near one end or the other there is more to break than in the middle of content.
    const near = below(Math.min(bytes.length, 200));
    const at = random() < 0.5 ? near : Math.max(0, bytes.length - 1 - near);
    switch (below(7)) {
      case 0:
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
        break;
      case 1:
        if (at < bytes.length) bytes[at] = NASTY[below(NASTY.length)] ?? 0;
        break;
      case 2:
        if (at < bytes.length) bytes[at] = below(256);
        break;
      case 3:
        bytes = bytes.slice(0, at);
        break;
      case 4:
        bytes = concat(bytes.subarray(0, at), bytes.subarray(at + 1 + below(8)));
        break;
      case 5:
        bytes = concat(
          bytes.subarray(0, at),
          Uint8Array.from({ length: 1 + below(8) }, () => below(256)),
          bytes.subarray(at),
        );
        break;
      default: {
        const other = any();
        bytes = concat(bytes.subarray(0, at), other.subarray(below(other.length)));
      }
    }
  }
  return bytes;
}
