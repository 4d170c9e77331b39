import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ownBytes, toHex } from "../../../src/common/bytes.ts";
import { writeInvitation } from "../../../src/keys/invitation.ts";
import { formatKey, KEY_FORMATS, parseKey } from "../../../src/keys/key-formats.ts";
import { LIMITS } from "../../../src/limits.ts";
import { bytes } from "./support.ts";

const KEY = Uint8Array.from({ length: 32 }, (_, i) => (i * 37 + 250) & 0xff);
const HEX = "fa1f44698eb3d8fd22476c91b6db00254a6f94b9de03284d7297bce1062b5075";
const BASE64 = "+h9EaY6z2P0iR2yRttsAJUpvlLneAyhNcpe84QYrUHU=";
const BASE64URL = "-h9EaY6z2P0iR2yRttsAJUpvlLneAyhNcpe84QYrUHU";

/** Secrets of 32 bytes whose text differs between the two base64 alphabets. */
const telling = bytes(32).filter((key) => /[+/]/.test(Buffer.from(key).toString("base64")));

describe("a pasted key", () => {
  test.each([
    ["hexadecimal", HEX, "hex"],
    ["hexadecimal in upper case", HEX.toUpperCase(), "hex"],
    ["hexadecimal with 0x", `0x${HEX}`, "hex"],
    ["base64", BASE64, "base64"],
    ["base64 without padding", BASE64.slice(0, -1), "base64"],
    ["base64url", BASE64URL, "base64url"],
    ["base64url with padding", `${BASE64URL}=`, "base64url"],
    ["a JWK", `{"kty":"oct","k":"${BASE64URL}"}`, "jwk"],
    ["a JWK with more in it", `{ "alg": "A256GCM", "k": "${BASE64URL}", "kty": "oct", "ext": true }`, "jwk"],
  ])("is found to be %s", (_name, text, format) => {
    for (const pasted of [text, `  ${text}\r\n`, `\n\t${text}\u00a0`, `\ufeff\u200b${text}\u200b`]) {
      expect(parseKey(pasted)).toEqual({ ok: true, value: { format, key: KEY } });
    }
  });

  test("every key reads back from every format, and is found to be in that one", () => {
    fc.assert(
      fc.property(telling, fc.constantFrom(...KEY_FORMATS), (key, format) => {
        expect(parseKey(formatKey(key, format))).toEqual({ ok: true, value: { format, key } });
      }),
    );
  });

  test("64 hexadecimal digits are a key in hexadecimal, although they are base64 of 48 bytes too", () => {
    fc.assert(
      fc.property(bytes(32), (key) => {
        expect(parseKey(toHex(key))).toEqual({ ok: true, value: { format: "hex", key } });
      }),
    );
  });

  test("a key whose base64 begins as hexadecimal may begin is read as what it is", () => {
    for (const start of ["0X", "0x"]) {
      const key = ownBytes(Buffer.from(`${start}${"P".repeat(40)}A=`, "base64"));
      for (const format of ["base64", "base64url"] as const) {
        expect(parseKey(formatKey(key, format))).toMatchObject({ ok: true, value: { key } });
      }
    }
    expect(parseKey(`0x${"a".repeat(41)}`)).toMatchObject({ error: { kind: "mistyped" } });
  });

  test("says which format and how many bytes it found where the length is wrong", () => {
    fc.assert(
      fc.property(
        bytes(1, 64).filter((data) => data.length !== 32),
        (data) => {
          const found = (text: string) => {
            const parsed = parseKey(text);
            return parsed.ok ? "a key" : parsed.error;
          };
          const wrong = { kind: "wrong-length", bytes: data.length };
          expect(found(`0x${toHex(data)}`)).toMatchObject({ ...wrong, format: "hex" });
          expect(found(formatKey(data, "jwk"))).toMatchObject({ ...wrong, format: "jwk" });
        },
      ),
    );
    expect(parseKey(HEX.slice(2))).toMatchObject({ error: { kind: "wrong-length", format: "hex", bytes: 31 } });
    expect(parseKey(HEX.slice(1))).toMatchObject({ error: { kind: "mistyped", format: "hex" } });
    expect(parseKey("c2hvcnQga2V5IQ==")).toMatchObject({
      error: { kind: "wrong-length", format: "base64", bytes: 10 },
    });
  });

  test.each([
    ["nothing", "  \n", "empty"],
    ["words", "correct horse battery staple", "unknown"],
    ["both alphabets at once", `${BASE64.slice(0, 42)}-`, "unknown"],
    ["a key with a line break in it", `${HEX.slice(0, 32)}\n${HEX.slice(32)}`, "unknown"],
    ["0x without digits", "0xyz", "mistyped"],
    ["broken JSON", '{"kty":"oct"', "bad-jwk"],
    ["a JWK of another kind", '{"kty":"EC","crv":"P-256"}', "bad-jwk"],
    ["a JWK without its key", '{"kty":"oct"}', "bad-jwk"],
    ["a JWK whose key is a number", '{"kty":"oct","k":7}', "bad-jwk"],
    ["a JWK whose key is hexadecimal with a sign", '{"kty":"oct","k":"+f"}', "bad-jwk"],
    ["other JSON", "{}", "bad-jwk"],
    ["a backup", '{\n "format": "reliable-channel-backup", "version": 1 }', "backup"],
    ["far too much", "A".repeat(LIMITS.keys.pastedChars + 1), "too-long"],
  ])("%s is refused as what it is", (_name, text, kind) => {
    expect(parseKey(text)).toMatchObject({ ok: false, error: { kind } });
  });

  test("an invitation is recognised as one", () => {
    const code = writeInvitation({
      key: KEY,
      channelId: "room",
      contentTopic: "/app/1/room/proto",
      profile: "logos",
      placement: "envelope",
    });
    expect(parseKey(code.toLowerCase())).toMatchObject({ ok: false, error: { kind: "invitation" } });
  });

  test("nothing that was pasted is repeated in an error", () => {
    const secrets = fc.oneof(
      fc.string({ minLength: 6, maxLength: 80 }),
      bytes(6, 60).map((data) => toHex(data)),
      bytes(6, 60).map((data) => formatKey(data, "base64")),
      bytes(6, 60).map((data) => formatKey(data, "jwk")),
    );
    fc.assert(
      fc.property(secrets, (text) => {
        const parsed = parseKey(text);
        if (parsed.ok) return;
        const told = JSON.stringify(parsed.error);
        const pieces = Array.from({ length: Math.max(0, text.length - 11) }, (_, i) => text.slice(i, i + 12));
        for (const piece of pieces) expect(told.includes(piece)).toBe(false);
      }),
    );
  });
});

test("exports", () => {
  expect(formatKey(KEY, "hex")).toBe(HEX);
  expect(formatKey(KEY, "base64")).toBe(BASE64);
  expect(formatKey(KEY, "base64url")).toBe(BASE64URL);
  expect(JSON.parse(formatKey(KEY, "jwk"))).toEqual({ kty: "oct", k: BASE64URL });
});
