import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toHex, utf8 } from "../../../src/common/bytes.ts";
import { systemRandom } from "../../../src/encryption/random.ts";
import { type Backup, type ReadableBackup, readBackup, writeBackup } from "../../../src/keys/backup.ts";
import { toBase64 } from "../../../src/keys/base64.ts";
import { pbkdf2, sealWithPassword } from "../../../src/keys/password-seal.ts";
import { LIMITS } from "../../../src/limits.ts";
import { bytes } from "./support.ts";
import { quickDerive } from "./vault-world.ts";

const PASSPHRASE = "a long passphrase";
const QUICK = { random: systemRandom, derive: quickDerive };

const identifiers = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 });
/** As long as a host name can be (RFC 1035 §2.3.4), with scheme and port. */
const LONGEST_ORIGIN = `https://${["a", "b", "c"].map((label) => label.repeat(63)).join(".")}.${"d".repeat(61)}:65535`;
const backups: fc.Arbitrary<Backup> = fc.record({
  createdAt: fc.nat(),
  keys: fc.array(fc.record({ id: identifiers, name: fc.string({ maxLength: 20 }), key: bytes(32) }), { maxLength: 4 }),
  channels: fc.array(
    fc.record(
      {
        origin: fc.oneof(fc.webUrl(), fc.constant(LONGEST_ORIGIN)),
        channelId: identifiers,
        contentTopic: identifiers,
        profile: fc.constantFrom("logos", "logos-raw", "waku-sdk"),
        encryption: fc.constantFrom("none", "key", "page"),
        placement: fc.constantFrom("envelope", "content"),
        keyId: identifiers,
        earlierKeyIds: fc.array(identifiers, { maxLength: 2 * LIMITS.keys.earlierKeys }),
        name: fc.string({ maxLength: 20 }),
      },
      { requiredKeys: ["origin", "channelId", "contentTopic", "profile", "encryption", "placement"] },
    ),
    { maxLength: 4 },
  ),
});

const BACKUP: Backup = {
  createdAt: 1_800_000_000_000,
  keys: [{ id: "k", name: "Friends", key: Uint8Array.from({ length: 32 }, (_, i) => i + 100) }],
  channels: [
    {
      origin: "https://a.example",
      channelId: "room",
      contentTopic: "/demo/1/room/proto",
      profile: "logos",
      encryption: "key",
      placement: "envelope",
      keyId: "k",
    },
  ],
};

async function written(backup: Backup = BACKUP, parts = QUICK): Promise<string> {
  const text = await writeBackup(backup, PASSPHRASE, parts);
  if (!text.ok) throw new Error(text.error.message);
  return text.value;
}

/** As it is read back: a channel reads with so many earlier keys and no more. */
function readable({ channels, ...backup }: Backup): ReadableBackup {
  const cut = channels.map((channel) => {
    const { earlierKeyIds } = channel;
    if (earlierKeyIds === undefined) return channel;
    return { ...channel, earlierKeyIds: earlierKeyIds.slice(0, LIMITS.keys.earlierKeys) };
  });
  return { ...backup, channels: cut, unreadableChannels: 0 };
}

async function kindOf(text: string, passphrase = PASSPHRASE): Promise<string> {
  const read = await readBackup(text, passphrase, QUICK);
  return read.ok ? "ok" : read.error.kind;
}

/** A backup that says this, made by whoever knows the passphrase. */
async function saying(contents: unknown): Promise<string> {
  const plain = utf8(typeof contents === "string" ? contents : JSON.stringify(contents));
  const { kdf, sealed, checksum } = await sealWithPassword(plain, PASSPHRASE, "reliable-channel-backup 1", QUICK);
  return JSON.stringify({
    format: "reliable-channel-backup",
    version: 1,
    kdf: { ...kdf, salt: toBase64(kdf.salt) },
    sealed: toBase64(sealed),
    checksum: toBase64(checksum),
  });
}

describe("a backup", () => {
  test("reads back with its passphrase, and with no other", async () => {
    await fc.assert(
      fc.asyncProperty(backups, async (backup) => {
        const text = await written(backup);
        expect(await readBackup(`\n${text}`, PASSPHRASE, QUICK)).toEqual({ ok: true, value: readable(backup) });
        expect(await kindOf(text, `${PASSPHRASE}.`)).toBe("wrong-password");
      }),
    );
  });

  test("is written only if it can be read: whatever is in it, what would be refused is refused before", async () => {
    const longer = fc.integer({ min: 1, max: 2 * LIMITS.provider.originBytes }).map((length) => "x".repeat(length));
    const odd = backups.chain((backup) =>
      fc
        .record({ key: fc.boolean(), field: fc.constantFrom("origin", "channelId", "keyId", "name"), longer })
        .map(({ key, field, longer }): Backup => {
          const [first] = BACKUP.channels;
          if (key || first === undefined)
            return { ...backup, keys: [...BACKUP.keys, ...backup.keys].map((k) => ({ ...k, name: longer })) };
          return { ...backup, channels: [...backup.channels, { ...first, [field]: longer }] };
        }),
    );
    const outcomes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(odd, async (backup) => {
        const text = await writeBackup(backup, PASSPHRASE, QUICK);
        outcomes.add(text.ok ? "written" : text.error.kind);
        if (text.ok) {
          expect(await readBackup(text.value, PASSPHRASE, QUICK)).toEqual({ ok: true, value: readable(backup) });
        }
      }),
    );
    expect([...outcomes].toSorted()).toEqual(["too-much", "written"]);
    const [key] = BACKUP.keys;
    const [channel] = BACKUP.channels;
    if (!key || !channel) throw new Error("nothing to repeat");
    const many = (channels: number, keys: number): Backup => {
      return { ...BACKUP, channels: new Array(channels).fill(channel), keys: new Array(keys).fill(key) };
    };
    const { backupChannels, keys } = LIMITS.keys;
    expect(await kindOf(await written(many(backupChannels, keys)))).toBe("ok");
    for (const tooMany of [many(backupChannels + 1, 1), many(1, keys + 1)]) {
      expect(await writeBackup(tooMany, PASSPHRASE, QUICK)).toMatchObject({ ok: false, error: { kind: "too-much" } });
    }
    // Each within its bounds, and all of them together more characters than a backup may have.
    const wide = { ...channel, contentTopic: "t".repeat(256), channelId: "c".repeat(256), origin: LONGEST_ORIGIN };
    const wideKeys = new Array(LIMITS.keys.earlierKeys).fill("k".repeat(256));
    const tooLong = { ...BACKUP, channels: new Array(backupChannels).fill({ ...wide, earlierKeyIds: wideKeys }) };
    expect(await writeBackup(tooLong, PASSPHRASE, QUICK)).toMatchObject({ ok: false, error: { kind: "too-much" } });
  });

  test("with the real key derivation", async () => {
    const text = await written(BACKUP, { random: systemRandom, derive: pbkdf2 });
    expect(await readBackup(text, PASSPHRASE, { derive: pbkdf2 })).toEqual({ ok: true, value: readable(BACKUP) });
    expect(JSON.parse(text)).toMatchObject({
      format: "reliable-channel-backup",
      version: 1,
      kdf: { name: "PBKDF2-SHA-256", iterations: LIMITS.keys.kdfIterations },
    });
  });

  test("shows nothing of what is in it", async () => {
    const text = await written();
    const [key] = BACKUP.keys;
    for (const secret of [
      "Friends",
      "a.example",
      "room",
      PASSPHRASE,
      ...(key ? [toHex(key.key), toBase64(key.key)] : []),
    ]) {
      expect(text).not.toContain(secret);
    }
  });

  test("wrong passphrase, damage, lost parameters, a newer version and something else are told apart", async () => {
    const text = await written();
    const json: Record<string, unknown> & { kdf: Record<string, unknown>; sealed: string } = JSON.parse(text);
    const changed = (change: object) => JSON.stringify({ ...json, ...change });
    const kdf = (change: object) => changed({ kdf: { ...json.kdf, ...change } });
    expect(await kindOf(text, "not the passphrase")).toBe("wrong-password");
    expect(await kindOf(changed({ sealed: json.sealed.replace(/^..../, "AAAA") }))).toBe("damaged");
    expect(await kindOf(changed({ sealed: "!" }))).toBe("damaged");
    expect(await kindOf(changed({ sealed: undefined }))).toBe("damaged");
    expect(await kindOf(changed({ kdf: undefined }))).toBe("lost-parameters");
    expect(await kindOf(kdf({ salt: "?" }))).toBe("lost-parameters");
    expect(await kindOf(kdf({ iterations: 1000 }))).toBe("weak-parameters");
    expect(await kindOf(kdf({ iterations: 1e12 }))).toBe("damaged");
    expect(await kindOf(changed({ version: 2 }))).toBe("newer-version");
    expect(await kindOf(changed({ format: "other" }))).toBe("not-a-backup");
    expect(await kindOf(text.slice(0, -20))).toBe("not-a-backup");
    expect(await kindOf(" ".repeat(LIMITS.keys.backupChars + 1))).toBe("too-long");
    expect(await writeBackup(BACKUP, "short", QUICK)).toMatchObject({ ok: false, error: { kind: "bad-password" } });
  });

  test("any changed character is noticed or means the same; nothing throws", async () => {
    const text = await written();
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 1), fc.string({ minLength: 1, maxLength: 1 }), async (at, character) => {
        const read = await readBackup(text.slice(0, at) + character + text.slice(at + 1), PASSPHRASE, QUICK);
        if (read.ok) expect(read.value).toEqual(readable(BACKUP));
      }),
      { numRuns: 300 },
    );
  });

  test("whoever knows the passphrase still cannot make it say what makes no sense", async () => {
    const reading = async (contents: unknown) => kindOf(await saying(contents));
    const key = { id: "k", name: "n", key: toBase64(new Uint8Array(32)) };
    expect(await reading({ createdAt: 1, keys: [key], channels: [] })).toBe("ok");
    expect(await reading({ createdAt: 1, keys: [{ ...key, key: toBase64(new Uint8Array(31)) }], channels: [] })).toBe(
      "damaged",
    );
    expect(await reading({ createdAt: 1, keys: new Array(LIMITS.keys.keys + 1).fill(key), channels: [] })).toBe(
      "damaged",
    );
    const tooMany = new Array(LIMITS.keys.backupChannels + 1).fill(BACKUP.channels[0]);
    expect(await reading({ createdAt: 1, keys: [], channels: tooMany })).toBe("damaged");
    expect(await reading({ createdAt: 1, keys: [] })).toBe("damaged");
    expect(await reading("no json")).toBe("damaged");
  });

  test("with a channel that makes no sense brings the others, and says how many it does not bring", async () => {
    const [channel] = BACKUP.channels;
    if (channel === undefined) throw new Error("no channel");
    const senseless = [
      { origin: "x" },
      null,
      { ...channel, profile: "of a later version" },
      { ...channel, origin: "x".repeat(LIMITS.provider.originBytes + 1) },
      { ...channel, earlierKeyIds: ["k", 1] },
    ];
    const others = [channel, { ...channel, origin: LONGEST_ORIGIN }];
    const text = await saying({ createdAt: 1, keys: [], channels: [others[0], ...senseless, others[1]] });
    expect(await readBackup(text, PASSPHRASE, QUICK)).toEqual({
      ok: true,
      value: { createdAt: 1, keys: [], channels: others, unreadableChannels: senseless.length },
    });
  });
});
