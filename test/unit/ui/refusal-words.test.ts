import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { systemRandom } from "../../../src/encryption/random.ts";
import { readBackup, writeBackup } from "../../../src/keys/backup.ts";
import { parseKey } from "../../../src/keys/key-formats.ts";
import { LIMITS } from "../../../src/limits.ts";
import { backupRefusal, textRefusal } from "../../../src/provider/refusals.ts";
import type { UiRefusal, UiRefusalKind } from "../../../src/ui/background-api.ts";
import { refusalWords } from "../../../src/ui/refusal-words.ts";
import { createTranslator } from "../../../src/ui/translate.ts";
import { quickDerive } from "../keys/vault-world.ts";

const LOCALES = join(import.meta.dirname, "../../../public/_locales");

/** As a browser substitutes. */
function translator(locale: string) {
  const words: Record<string, { message: string; placeholders?: Record<string, { content: string }> }> = JSON.parse(
    readFileSync(join(LOCALES, locale, "messages.json"), "utf8"),
  );
  return createTranslator({
    getMessage(key, values) {
      const { message = "", placeholders = {} } = words[key] ?? {};
      return message.replaceAll(/\$([a-z]+)\$/g, (_, name: string) => {
        const at = Number(placeholders[name]?.content.slice(1)) - 1;
        return values[at] ?? `no ${name}`;
      });
    },
  });
}

const english = translator("en");
const said = (refusal: UiRefusal, to = english): string => refusalWords(refusal, to);

/** Every kind that the background can answer with: a new one has to come here, and needs words. */
const KINDS: Readonly<Record<UiRefusalKind, true>> = {
  "key-not-found": true,
  "key-locked": true,
  "key-damaged": true,
  "key-no-name": true,
  "key-name-too-long": true,
  "key-bad-key": true,
  "key-too-many-keys": true,
  "key-too-many-sites": true,
  "key-consent-needed": true,
  "key-in-use": true,
  "text-empty": true,
  "text-too-long": true,
  "text-unknown": true,
  "text-mistyped": true,
  "text-wrong-length": true,
  "text-bad-jwk": true,
  "text-invitation": true,
  "text-backup": true,
  "vault-wrong-password": true,
  "vault-damaged": true,
  "vault-lost-parameters": true,
  "vault-weak-parameters": true,
  "vault-bad-password": true,
  "vault-locked": true,
  "vault-no-password": true,
  "vault-has-password": true,
  "vault-bad-time": true,
  "backup-wrong-password": true,
  "backup-damaged": true,
  "backup-lost-parameters": true,
  "backup-weak-parameters": true,
  "backup-bad-password": true,
  "backup-not-a-backup": true,
  "backup-newer-version": true,
  "backup-too-long": true,
  "backup-too-much": true,
  "invitation-not-an-invitation": true,
  "invitation-newer-version": true,
  "invitation-typo": true,
  "invitation-unusable": true,
  "invitation-too-long": true,
  "channel-empty-payload": true,
  "channel-payload-too-large": true,
  "channel-unknown-channel": true,
  "channel-already-exists": true,
  "channel-closed": true,
  "channel-mismatch": true,
  "channel-limit": true,
  "channel-unsupported": true,
  "channel-key-required": true,
  "channel-encryption-failed": true,
  "channel-locked": true,
  "channel-invalid": true,
  "no-site": true,
  "label-missing": true,
  "label-too-long": true,
  "not-encrypted": true,
  "no-key-to-share": true,
  "qr-too-long": true,
  "other-channel": true,
  "other-key": true,
  "not-sent-again": true,
  "prompt-gone": true,
  "prompt-busy": true,
  "tests-busy": true,
  "bad-network": true,
  internal: true,
};
const kinds = Object.keys(KINDS) as UiRefusalKind[];

describe("the words of a refused command", () => {
  it.each(["en", "de", "fr"])(
    "are a whole sentence for every reason in %s, with nothing of the background's own words",
    (locale) => {
      const to = translator(locale);
      for (const kind of kinds) {
        const words = said({ kind, message: "internal words", bytes: 31 }, to);
        expect(words, kind).toMatch(/^\p{Lu}.*\.$/su);
        expect(words, kind).not.toMatch(/internal words|\$|undefined|no [a-z]+$/);
      }
    },
  );

  it.each(["de", "fr"])("are not the English ones in %s", (locale) => {
    const to = translator(locale);
    for (const kind of kinds) expect(said({ kind, message: "" }, to), kind).not.toBe(said({ kind, message: "" }));
  });

  it("tell the failures of a password apart, and those of a backup", () => {
    for (const of of ["vault", "backup"] as const) {
      const failures = ["wrong-password", "damaged", "lost-parameters", "weak-parameters", "bad-password"] as const;
      expect(new Set(failures.map((failure) => said({ kind: `${of}-${failure}`, message: "" }))).size).toBe(5);
    }
  });

  it("say how long a pasted key is, and how long one must be", () => {
    const short = parseKey("ab".repeat(31));
    expect(short.ok ? "" : said(textRefusal(short.error))).toMatch(/31 bytes.*32 bytes/);
    const one = parseKey("0xab");
    expect(one.ok ? "" : said(textRefusal(one.error))).toMatch(/1 byte long/);
    expect(said({ kind: "key-name-too-long", message: "" })).toContain(String(LIMITS.keys.nameChars));
  });

  it("belong to what really happened to a backup", async () => {
    const parts = { random: systemRandom, derive: quickDerive };
    const written = await writeBackup({ createdAt: 0, keys: [], channels: [] }, "garden gate", parts);
    const text = written.ok ? written.value : "";
    const words = async (changed: string, passphrase = "garden gate"): Promise<string> => {
      const read = await readBackup(changed, passphrase, parts);
      return read.ok ? "restored" : said(backupRefusal(read.error));
    };
    expect(await words(text)).toBe("restored");
    expect(await words(text, "garden gates")).toBe("The passphrase is wrong.");
    expect(
      await words(text.replace(/"sealed": "(.)/, (_, first: string) => `"sealed": "${first === "A" ? "B" : "A"}`)),
    ).toMatch(/changed or damaged/);
    expect(await words(text.replace(/"salt": "[^"]*"/, '"salt": ""'))).toMatch(/missing in this backup/);
    expect(await words(text.replace(/"iterations": \d+/, '"iterations": 1'))).toMatch(/more weakly/);
    expect(await words(text.replace('"version": 1', '"version": 2'))).toMatch(/another version/);
    expect(await words("{}")).toMatch(/no backup/);
  });
});
