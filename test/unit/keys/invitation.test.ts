import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Bytes, concat, utf8 } from "../../../src/common/bytes.ts";
import { ProtobufWriter } from "../../../src/common/protobuf.ts";
import { toBase32 } from "../../../src/keys/base32.ts";
import { type Invitation, readInvitation, writeInvitation } from "../../../src/keys/invitation.ts";
import { LIMITS } from "../../../src/limits.ts";
import { bytes } from "./support.ts";

const KEY = Uint8Array.from({ length: 32 }, (_, i) => i);
const INVITATION: Invitation = {
  key: KEY,
  channelId: "friends",
  contentTopic: "/demo/1/friends/proto",
  profile: "logos",
  placement: "envelope",
  name: "Friends",
};

const part = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }).map((text) => text.replaceAll("/", "-"));
const invitations: fc.Arbitrary<Invitation> = fc.record(
  {
    key: bytes(32),
    channelId: fc.string({ unit: "grapheme", minLength: 1, maxLength: 16 }),
    contentTopic: fc.tuple(part, part, part, part).map((parts) => `/${parts.join("/")}`),
    profile: fc.constantFrom("logos", "logos-raw", "waku-sdk"),
    placement: fc.constantFrom("envelope", "content"),
    name: fc.string({ minLength: 1, maxLength: 20 }).filter((name) => name.trim() === name && name !== ""),
  },
  { requiredKeys: ["key", "channelId", "contentTopic", "profile", "placement"] },
);

function codeOf(fields: Bytes, prefix = "RCI1-"): string {
  const checksum = createHash("sha256")
    .update(concat(utf8("reliable-channel invitation 1\n"), fields))
    .digest();
  return prefix + toBase32(concat(fields, checksum.subarray(0, 5)));
}

describe("an invitation", () => {
  test("golden vector", () => {
    const code = writeInvitation(INVITATION);
    expect(code).toMatchInlineSnapshot(
      `"RCI1-18G000820C20A1G7104GM2RC1M70Y40H289H858P2WC1J6GV3GEHW7RJ0XK74TB5DSJ766GN5XJ6AVBF5WRJYSKJD5JPWS3K5XR74VVMDWG00A00683MCWK9CNQ68WY58YH4148"`,
    );
    expect(readInvitation(code)).toEqual({ ok: true, value: INVITATION });
  });

  test("reads back, whatever case, spaces and hyphens it went through", () => {
    fc.assert(
      fc.property(invitations, (invitation) => {
        const code = writeInvitation(invitation);
        // What a QR code holds in its short form.
        expect(code).toMatch(/^[0-9A-Z-]+$/);
        const grouped = code.replace(/^(RCI1-)(.*)$/, (_, prefix, body) => prefix + body.match(/.{1,5}/g).join("-"));
        for (const text of [code, ` ${code}\n`, code.toLowerCase(), grouped, grouped.replaceAll(/(.{40})/g, "$1\n")]) {
          expect(readInvitation(text)).toEqual({ ok: true, value: invitation });
        }
      }),
    );
  });

  test("every typo is noticed: a character changed, lost, doubled, or swapped with the next", () => {
    const alphabet = [..."0123456789ABCDEFGHJKMNPQRSTVWXYZ"];
    fc.assert(
      fc.property(invitations, fc.nat(), fc.constantFrom(...alphabet), (invitation, at, typed) => {
        const code = writeInvitation(invitation);
        const body = code.slice(5);
        const i = at % body.length;
        const [before, here, next, after] = [
          body.slice(0, i),
          body.slice(i, i + 1),
          body.slice(i + 1, i + 2),
          body.slice(i + 2),
        ];
        const typos = [before + typed + next + after, before + next + after, before + here + here + next + after];
        if (here !== next) typos.push(before + next + here + after);
        for (const typo of typos) {
          if (typo === body) continue;
          expect(readInvitation(`RCI1-${typo}`)).toMatchObject({ ok: false, error: { kind: "typo" } });
        }
      }),
    );
  });

  test("never throws, never lets through what it would not have written, and repeats nothing of it", () => {
    const texts = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.string({ maxLength: 200 }).map((text) => `RCI1-${text}`),
      bytes(0, 200).map((fields) => codeOf(fields)),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const read = readInvitation(text);
        if (read.ok) expect(readInvitation(writeInvitation(read.value))).toEqual(read);
        else expect(text.length > 40 && read.error.message.includes(text.slice(5, 25))).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  test("has a name of one line that can be seen, whatever its sender wrote", () => {
    for (const [written, read] of [
      ["Fri\u202eends\n\u200b ", "Friends"],
      ["\u202e", undefined],
      ["x".repeat(LIMITS.keys.nameChars + 1), undefined],
    ]) {
      const invitation = readInvitation(writeInvitation({ ...INVITATION, name: written ?? "" }));
      expect(invitation.ok && invitation.value.name).toBe(read);
    }
  });

  test("says what is wrong", () => {
    const code = writeInvitation(INVITATION);
    const kindOf = (text: string) => {
      const read = readInvitation(text);
      return read.ok ? "fine" : read.error.kind;
    };
    expect(kindOf("hello")).toBe("not-an-invitation");
    expect(kindOf("")).toBe("not-an-invitation");
    expect(kindOf(code.replace("RCI1", "RCI2"))).toBe("newer-version");
    expect(kindOf(code.slice(0, -1))).toBe("typo");
    expect(kindOf("RCI1-")).toBe("typo");
    expect(kindOf(`RCI1-${"0".repeat(LIMITS.keys.invitationChars)}`)).toBe("too-long");
  });

  test("an intact one that no channel can be made of is unusable", () => {
    const fields = (
      over: Partial<Record<"key" | "channelId" | "topic", Bytes>> & { profile?: number; placement?: number },
    ) =>
      new ProtobufWriter()
        .bytes(1, over.key ?? KEY)
        .bytes(2, over.channelId ?? utf8("room"))
        .bytes(3, over.topic ?? utf8("/a/1/b/proto"))
        .varint(4, over.profile ?? 0)
        .varint(5, over.placement ?? 0)
        .finish();
    const kindOf = (payload: Bytes) => {
      const read = readInvitation(codeOf(payload));
      return read.ok ? "fine" : read.error.kind;
    };
    expect(kindOf(fields({}))).toBe("fine");
    expect(kindOf(fields({ key: KEY.slice(1) }))).toBe("unusable");
    expect(kindOf(fields({ channelId: new Uint8Array(0) }))).toBe("unusable");
    expect(kindOf(fields({ channelId: Uint8Array.of(0xff) }))).toBe("unusable");
    expect(kindOf(fields({ channelId: new Uint8Array(LIMITS.sds.identifierBytes + 1).fill(97) }))).toBe("unusable");
    expect(kindOf(fields({ topic: utf8("no slash") }))).toBe("unusable");
    expect(kindOf(fields({ profile: 3 }))).toBe("unusable");
    expect(kindOf(fields({ placement: 2 }))).toBe("unusable");
    expect(kindOf(new ProtobufWriter().bytes(1, KEY).finish())).toBe("unusable");
    expect(kindOf(Uint8Array.of(0xff, 0xff))).toBe("unusable");
    expect(kindOf(concat(fields({}), new ProtobufWriter().varint(99, 1).finish()))).toBe("fine");
  });
});
