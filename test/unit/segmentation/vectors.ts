/** The golden vectors of the segment wire format and the payloads they are made from. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import * as v from "valibot";
import type { Bytes } from "../../../src/common/bytes.ts";

const Cases = v.object({
  cases: v.array(
    v.object({
      generation: v.picklist(["r1", "r3"]),
      payloadLength: v.number(),
      seed: v.number(),
      segmentSizeBytes: v.optional(v.number()),
      chunkSize: v.number(),
      dataCount: v.number(),
      parityCount: v.number(),
      payloadKeccak256: v.string(),
      segmentLengths: v.array(v.number()),
      segmentSha256: v.array(v.string()),
      segmentHex: v.optional(v.array(v.string())),
    }),
  ),
});

const file = new URL("../../vectors/segmentation/segment-wire.json", import.meta.url);

export const { cases: segmentWireCases } = v.parse(Cases, JSON.parse(readFileSync(file, "utf8")));

/** The vectors' payloads: xorshift32 from the seed, each step four little-endian bytes. */
export function xorshiftPayload(length: number, seed: number): Bytes {
  const payload = new Uint8Array(length);
  let x = seed === 0 ? 1 : seed;
  for (let i = 0; i < length; i++) {
    if (i % 4 === 0) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
    }
    payload[i] = x >>> (8 * (i % 4));
  }
  return payload;
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
