import { describe, expect, test } from "vitest";
import { hashOf } from "../../../dev/network/waku-message.ts";
import { EMPTY, fromHex, utf8 } from "../../../src/common/bytes.ts";

const PAYLOAD = fromHex("010203045445535405060708") ?? EMPTY;
const ASCENDING = Uint8Array.from({ length: 64 }, (_, i) => i);

describe("the deterministic message hash of 14/WAKU2-MESSAGE", () => {
  test.for([
    ["empty meta", PAYLOAD, EMPTY, "cccab07fed94181c83937c8ca8340c9108492b7ede354a6d95421ad34141fd37"],
    ["meta", PAYLOAD, utf8("super-secret"), "b9b4852f9d8c489846e8bfc6c5ca6a1a8d460a40d28832a966e029eb39619199"],
    ["64 bytes of meta", PAYLOAD, ASCENDING, "653460d04f66c5b11814d235152f4f246e6f03ef80a305a825913636fbafd0ba"],
    ["empty payload", EMPTY, utf8("super-secret"), "0f6448cc23b2db6c696aa6ab4b693eff4cf3549ff346fe1dbeb281697396a09f"],
  ] as const)("%s", ([, payload, meta, hash]) => {
    const contentTopic = "/waku/2/default-content/proto";
    const message = { payload, meta, contentTopic, timestamp: 0x175789bfa23f8400n };
    expect(hashOf("/waku/2/rs/0/0", { ...message, version: 0, proof: EMPTY, ephemeral: false })).toBe(hash);
  });
});
