/** A payload of 10 MiB hashed and split into encoded segments, without parity. */
import { keccak_256 } from "@noble/hashes/sha3.js";
import { useFastKeccak } from "../../src/background/fast-keccak.ts";
import { LIMITS } from "../../src/limits.ts";
import { performSegmentation } from "../../src/segmentation/segmenter.ts";
import { compare } from "../compare.ts";
import { atLeast, type Row } from "../row.ts";

const PAYLOAD = new Uint8Array(10 * 1024 * 1024).map((_, at) => at);

export async function rows(): Promise<readonly Row[]> {
  await useFastKeccak();
  const { ours, peer, ratio } = await compare(
    {
      times: 2,
      prepare: () => (times) => {
        for (let i = 0; i < times; i++) if (!performSegmentation(PAYLOAD).ok) throw new Error("Not split");
      },
    },
    {
      times: 1,
      prepare: () => () => {
        keccak_256(PAYLOAD);
        const segments: Uint8Array[] = [];
        const { segmentBytes } = LIMITS.segmentation;
        for (let at = 0; at < PAYLOAD.length; at += segmentBytes) segments.push(PAYLOAD.slice(at, at + segmentBytes));
      },
    },
  );
  return [
    {
      what: "Segmentation of 10 MiB: hash + split",
      ours: ours / 1000,
      unit: "ms",
      peer: { name: "plain @noble/hashes", value: peer / 1000 },
      ...atLeast(ratio, 8),
      note: "the goal counts parity, which is not made yet",
    },
  ];
}
