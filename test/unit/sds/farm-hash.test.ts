import { expect, test } from "vitest";
import { fromHex } from "../../../src/common/bytes.ts";
import { farmHash64 } from "../../../src/sds/farm-hash.ts";
import vectors from "../../vectors/sds/nim_hashes.json" with { type: "json" };

test.each(vectors.vectors)("FarmHash64 of $inputHex is Nim's", ({ inputHex, hashU64Hex }) => {
  const { high, low } = farmHash64(fromHex(inputHex) ?? new Uint8Array(1));
  expect(high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0")).toBe(hashU64Hex);
});
