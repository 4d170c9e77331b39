import { describe, expect, test } from "vitest";
import { type Bytes, EMPTY, fromHex, toHex, utf8 } from "../../../src/common/bytes.ts";
import { messageHash, type WakuMessage } from "../../../src/messaging/waku-message.ts";
import { encodedBytes } from "../../../src/messaging/waku-message-codec.ts";

function bytes(hex: string): Bytes {
  const read = fromHex(hex);
  if (!read) throw new Error(`not hexadecimal: ${hex}`);
  return read;
}

const message: WakuMessage = {
  contentTopic: "/waku/2/default-content/proto",
  payload: bytes("010203045445535405060708"),
  meta: EMPTY,
  ephemeral: false,
  timestamp: 0x175789bfa23f8400n,
};

describe("deterministic message hash, 14/WAKU2-MESSAGE", () => {
  const sixtyFour = Uint8Array.from({ length: 64 }, (_, i) => i);
  test.each<[string, Partial<WakuMessage>, string]>([
    ["no meta", {}, "cccab07fed94181c83937c8ca8340c9108492b7ede354a6d95421ad34141fd37"],
    [
      "meta",
      { meta: bytes("73757065722d736563726574") },
      "b9b4852f9d8c489846e8bfc6c5ca6a1a8d460a40d28832a966e029eb39619199",
    ],
    ["64 bytes of meta", { meta: sixtyFour }, "653460d04f66c5b11814d235152f4f246e6f03ef80a305a825913636fbafd0ba"],
    [
      "no payload",
      { payload: EMPTY, meta: bytes("73757065722d736563726574") },
      "0f6448cc23b2db6c696aa6ab4b693eff4cf3549ff346fe1dbeb281697396a09f",
    ],
  ])("%s", (_, part, hash) => {
    expect(toHex(messageHash("/waku/2/rs/0/0", { ...message, ...part }))).toBe(hash);
  });
});

describe("encoded size as a service node counts it", () => {
  const sized = (contentTopic: string, payload: number, meta: number): number =>
    encodedBytes({
      contentTopic,
      payload: new Uint8Array(payload),
      meta: new Uint8Array(meta),
      ephemeral: false,
      timestamp: 1_795_339_629_938_000_000n,
    });

  test("the largest message that a node accepted is 153,600 bytes, without meta and with", () => {
    expect(sized("/cap/1/lp2/proto", 153_558, 0)).toBe(153_600);
    const long = "/cap-long-application-name/1/some-long-topic-name-for-boundary/proto";
    expect(utf8(long)).toHaveLength(68);
    expect(sized(long, 153_484, 22)).toBe(153_600);
  });
});
