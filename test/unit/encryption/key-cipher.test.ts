import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RELIABLE_CHANNEL_MARKER } from "../../../src/channel/wire-marker.ts";
import { type Bytes, concat, fromHex, toHex, utf8 } from "../../../src/common/bytes.ts";
import { err, ok } from "../../../src/common/result.ts";
import { seal } from "../../../src/encryption/aead.ts";
import { encryptAll } from "../../../src/encryption/cipher.ts";
import { type ChannelKeys, KEY_CIPHER_OVERHEAD, KeyCipher } from "../../../src/encryption/key-cipher.ts";
import type { RandomBytes } from "../../../src/encryption/random.ts";
import golden from "../../vectors/encryption/key-cipher.json" with { type: "json" };
import { bytes, fixedRandom, flipBit } from "../keys/support.ts";

const hex = (text: string): Bytes => fromHex(text) ?? new Uint8Array(0);
const KEY = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
const OTHER = Uint8Array.from({ length: 32 }, (_, i) => 255 - i);
const CONTEXT = { channelId: "room", contentTopic: "/app/1/room/proto" };

function keysOf(current: Bytes | string, ...earlier: Bytes[]): ChannelKeys {
  return {
    current: () => (typeof current === "string" ? err(current) : ok(current)),
    earlier: () => earlier,
    unavailable: () => (typeof current === "string" ? current : undefined),
  };
}

function cipherOf(keys: ChannelKeys, random?: RandomBytes): KeyCipher {
  return new KeyCipher({ keys, marker: RELIABLE_CHANNEL_MARKER, ...(random ? { random } : {}) });
}

async function encrypted(cipher: KeyCipher, plaintext: Bytes, context = CONTEXT): Promise<Bytes> {
  const result = await cipher.encrypt(plaintext, context);
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

describe("the cipher of mode key", () => {
  test.each(golden.vectors)("golden vector: $name", async (vector) => {
    const cipher = cipherOf(keysOf(hex(vector.key)), fixedRandom(hex(vector.nonce)));
    const context = { channelId: vector.channelId, contentTopic: vector.contentTopic };
    expect(toHex(await encrypted(cipher, hex(vector.plaintext), context))).toBe(vector.ciphertext);
    expect(await cipher.decrypt(hex(vector.ciphertext), context)).toEqual(ok(hex(vector.plaintext)));
  });

  test("frames as 0x01, nonce, ciphertext and tag, bound to marker, channel and topic", async () => {
    const nonce = Uint8Array.from({ length: 24 }, (_, i) => i);
    const associatedData = concat(
      ...["RELIABLE-CHANNEL-API/1", CONTEXT.channelId, CONTEXT.contentTopic].flatMap((part) => [
        Uint8Array.of(0, part.length),
        utf8(part),
      ]),
    );
    const sealed = seal(KEY, utf8("hello"), associatedData, fixedRandom(nonce));
    const ciphertext = await encrypted(cipherOf(keysOf(KEY), fixedRandom(nonce)), utf8("hello"));
    expect(ciphertext).toEqual(concat(Uint8Array.of(1), sealed));
    expect(ciphertext.length).toBe(5 + KEY_CIPHER_OVERHEAD);
  });

  test("N05: what a member encrypted is read by every other member", async () => {
    await fc.assert(
      fc.asyncProperty(bytes(32), bytes(0, 300), async (key, plaintext) => {
        const ciphertext = await encrypted(cipherOf(keysOf(key)), plaintext);
        expect(await cipherOf(keysOf(key)).decrypt(ciphertext, CONTEXT)).toEqual(ok(plaintext));
      }),
    );
  });

  test("never encrypts the same twice alike", async () => {
    const cipher = cipherOf(keysOf(KEY));
    const all = await Promise.all(Array.from({ length: 200 }, () => encrypted(cipher, utf8("same"))));
    expect(new Set(all.map(toHex)).size).toBe(200);
  });

  test("any ciphertext bit flipped, any other channel, topic, marker or key: no plaintext", async () => {
    await fc.assert(
      fc.asyncProperty(
        bytes(32),
        bytes(1, 64),
        fc.string({ maxLength: 20 }),
        fc.string({ maxLength: 20 }),
        fc.nat(),
        async (key, plaintext, channelId, contentTopic, position) => {
          const context = { channelId, contentTopic };
          const cipher = cipherOf(keysOf(key));
          const ciphertext = await encrypted(cipher, plaintext, context);
          const attempts = [
            cipher.decrypt(flipBit(ciphertext, position), context),
            cipher.decrypt(ciphertext.slice(0, -1), context),
            cipher.decrypt(concat(ciphertext, Uint8Array.of(0)), context),
            cipher.decrypt(ciphertext, { ...context, channelId: `${channelId}x` }),
            cipher.decrypt(ciphertext, { ...context, contentTopic: `${contentTopic}x` }),
            // The boundary between the two is part of what is bound.
            cipher.decrypt(ciphertext, { channelId: `${channelId}${contentTopic}x`, contentTopic: "" }),
            cipherOf(keysOf(flipBit(key, position))).decrypt(ciphertext, context),
            new KeyCipher({ keys: keysOf(key), marker: utf8("RELIABLE-CHANNEL-API/2") }).decrypt(ciphertext, context),
          ];
          for (const attempt of await Promise.all(attempts)) expect(attempt.ok).toBe(false);
        },
      ),
    );
  });

  test("a channel's id and topic do not run into each other", async () => {
    const ciphertext = await encrypted(cipherOf(keysOf(KEY)), utf8("x"), { channelId: "ab", contentTopic: "c" });
    const moved = await cipherOf(keysOf(KEY)).decrypt(ciphertext, { channelId: "a", contentTopic: "bc" });
    expect(moved.ok).toBe(false);
  });

  test("N06: a wrong key is an error in words, and bytes from strangers are refused before any key is asked for", async () => {
    const ciphertext = await encrypted(cipherOf(keysOf(OTHER)), utf8("secret"));
    expect(await cipherOf(keysOf(KEY)).decrypt(ciphertext, CONTEXT)).toEqual(
      err("encrypted with another key, or changed on its way"),
    );
    let asked = 0;
    const keys = {
      ...keysOf(KEY),
      current: () => {
        asked++;
        return ok(KEY);
      },
    };
    const reject = async (data: Bytes) => (await cipherOf(keys).decrypt(data, CONTEXT)).ok;
    expect(await reject(new Uint8Array(0))).toBe(false);
    expect(await reject(concat(Uint8Array.of(1), new Uint8Array(39)))).toBe(false);
    for (const version of [0, 2, 10, 255]) expect(await reject(new Uint8Array(80).fill(version))).toBe(false);
    expect(asked).toBe(0);
  });

  test("earlier keys read what was written before the change, and never write", async () => {
    const before = await encrypted(cipherOf(keysOf(OTHER)), utf8("before"));
    const after = cipherOf(keysOf(KEY, OTHER));
    expect(await after.decrypt(before, CONTEXT)).toEqual(ok(utf8("before")));
    const written = await encrypted(after, utf8("after"));
    expect((await cipherOf(keysOf(OTHER)).decrypt(written, CONTEXT)).ok).toBe(false);
    expect(await cipherOf(keysOf(KEY)).decrypt(written, CONTEXT)).toEqual(ok(utf8("after")));
  });

  test("without a key there is an error and nothing to send, never the plain text", async () => {
    const cipher = cipherOf(keysOf("The vault is locked: unlock it first."));
    expect(await cipher.encrypt(utf8("secret"), CONTEXT)).toEqual(err("The vault is locked: unlock it first."));
    expect(cipher.unavailable()).toBe("The vault is locked: unlock it first.");
    expect(await cipherOf(keysOf(KEY.slice(0, 31))).encrypt(utf8("secret"), CONTEXT)).toEqual(
      err("a channel key has 32 bytes, not 31"),
    );
  });
});

describe("encrypting the segments of one message", () => {
  const segments = [utf8("one"), utf8("two"), utf8("three")];

  test("N09: a failure at any of them leaves nothing to wrap or send", async () => {
    for (let failing = 0; failing < segments.length; failing++) {
      const seen: Bytes[] = [];
      const cipher = {
        encrypt: async (segment: Bytes) => (seen.push(segment) > failing ? err("no key today") : ok(segment)),
        decrypt: async (segment: Bytes) => ok(segment),
      };
      expect(await encryptAll(cipher, segments, CONTEXT)).toEqual(err("no key today"));
      expect(seen).toEqual(segments.slice(0, failing + 1));
    }
  });

  test("N02: the cipher is called once for each, in order", async () => {
    const cipher = cipherOf(keysOf(KEY));
    const calls: unknown[][] = [];
    const made: unknown[] = [];
    const counting = {
      decrypt: cipher.decrypt.bind(cipher),
      encrypt: async (...given: Parameters<KeyCipher["encrypt"]>) => {
        calls.push(given);
        const encrypted = await cipher.encrypt(...given);
        made.push(encrypted.ok && encrypted.value);
        return encrypted;
      },
    };
    const all = await encryptAll(counting, segments, CONTEXT);
    if (!all.ok) throw new Error(all.error);
    expect(calls).toEqual(segments.map((segment) => [segment, CONTEXT]));
    expect(all.value).toEqual(made);
    const read = await Promise.all(all.value.map((ciphertext) => cipher.decrypt(ciphertext, CONTEXT)));
    expect(read).toEqual(segments.map((segment) => ok(segment)));
  });
});
