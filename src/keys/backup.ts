/**
 * The backup file: channels and keys behind a passphrase of their own, as text that says what it is. Nothing is written
 * that could not be read: a backup is looked at again when what it holds is nowhere else.
 *
 * It holds no sender ids and no messages. Whoever restores it gets sender ids of their own: two browsers that wrote under
 * one would take each other's messages for their own.
 */
import * as v from "valibot";
import type { EncryptionMode, Profile } from "../channel/types.ts";
import { type Bytes, fromUtf8, utf8 } from "../common/bytes.ts";
import { err, ok, type Result } from "../common/result.ts";
import { KEY_BYTES } from "../encryption/aead.ts";
import type { Placement } from "../encryption/cipher.ts";
import { LIMITS } from "../limits.ts";
import { fromBase64, toBase64 } from "./base64.ts";
import { trimPasted } from "./key-formats.ts";
import {
  openWithPassword,
  type PasswordKdf,
  type PasswordSealError,
  passwordProblem,
  sealWithPassword,
} from "./password-seal.ts";

const FORMAT = "reliable-channel-backup";
const VERSION = 1;
const PURPOSE = `${FORMAT} ${VERSION}`;

export interface BackupKey {
  /** Unique within the backup: what its channels call it by. */
  readonly id: string;
  readonly name: string;
  readonly key: Bytes;
}

export interface BackupChannel {
  readonly origin: string;
  readonly channelId: string;
  readonly contentTopic: string;
  readonly profile: Profile;
  readonly encryption: EncryptionMode;
  readonly placement: Placement;
  /** With encryption `key`: the key that writes, and those that only read, newest first. */
  readonly keyId?: string;
  readonly earlierKeyIds?: readonly string[];
  readonly name?: string;
}

export interface Backup {
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
  readonly keys: readonly BackupKey[];
  readonly channels: readonly BackupChannel[];
}

export interface ReadableBackup extends Backup {
  /** Channels that are in it beside those, and make no sense. */
  readonly unreadableChannels: number;
}

export interface BackupError {
  /** - `too-much`: what is to be saved is more, or longer, than a backup may hold. */
  readonly kind:
    | PasswordSealError["kind"]
    | "not-a-backup"
    | "newer-version"
    | "too-long"
    | "too-much"
    | "bad-password";
  readonly message: string;
}

const failed = (kind: BackupError["kind"], message: string) => err<BackupError>({ kind, message });
const NOT_A_BACKUP = failed("not-a-backup", "This is no backup of Reliable Channel.");
const DAMAGED = failed("damaged", "The backup was changed or damaged.");
const TOO_MUCH = failed("too-much", "This is more than a backup may hold, or longer.");

const identifier = v.pipe(v.string(), v.minBytes(1), v.maxBytes(LIMITS.sds.identifierBytes));
const name = v.pipe(v.string(), v.maxBytes(4 * LIMITS.keys.nameChars));
const channel = v.object({
  origin: v.pipe(v.string(), v.minBytes(1), v.maxBytes(LIMITS.provider.originBytes)),
  channelId: identifier,
  contentTopic: identifier,
  profile: v.picklist(["logos", "logos-raw", "waku-sdk"]),
  encryption: v.picklist(["none", "key", "page"]),
  placement: v.picklist(["envelope", "content"]),
  keyId: v.exactOptional(identifier),
  earlierKeyIds: v.exactOptional(
    v.pipe(
      v.array(identifier),
      // Earlier versions saved all that there were.
      v.transform((ids) => ids.slice(0, LIMITS.keys.earlierKeys)),
    ),
  ),
  name: v.exactOptional(name),
});
const contents = v.object({
  createdAt: v.number(),
  keys: v.pipe(
    v.array(
      v.object({
        id: identifier,
        name,
        key: v.pipe(
          v.string(),
          v.transform((text) => fromBase64(text)),
          v.custom<Bytes>((key) => key instanceof Uint8Array && key.length === KEY_BYTES),
        ),
      }),
    ),
    v.maxLength(LIMITS.keys.keys),
  ),
  channels: v.pipe(v.array(v.unknown()), v.maxLength(LIMITS.keys.backupChannels)),
});

const file = v.object({ format: v.literal(FORMAT), version: v.number() });
const blob = v.object({
  kdf: v.object({ name: v.string(), iterations: v.number(), salt: v.string() }),
});
const sealed = v.object({ sealed: v.string(), checksum: v.string() });

export async function writeBackup(
  { createdAt, keys, channels }: Backup,
  passphrase: string,
  parts: PasswordKdf,
): Promise<Result<string, BackupError>> {
  const problem = passwordProblem(passphrase);
  if (problem !== undefined) return failed("bad-password", problem);
  const plain = JSON.stringify({ createdAt, keys: keys.map((key) => ({ ...key, key: toBase64(key.key) })), channels });
  if (readContents(plain)?.unreadableChannels !== 0) return TOO_MUCH;
  const written = await sealWithPassword(utf8(plain), passphrase, PURPOSE, parts);
  const { kdf } = written;
  const json = {
    format: FORMAT,
    version: VERSION,
    kdf: { ...kdf, salt: toBase64(kdf.salt) },
    sealed: toBase64(written.sealed),
    checksum: toBase64(written.checksum),
  };
  const text = `${JSON.stringify(json, undefined, 2)}\n`;
  return text.length > LIMITS.keys.backupChars ? TOO_MUCH : ok(text);
}

/** Reads what anyone may have written: never throws, and everything in what it gives is of the right form. */
export async function readBackup(
  text: string,
  passphrase: string,
  { derive }: Pick<PasswordKdf, "derive">,
): Promise<Result<ReadableBackup, BackupError>> {
  if (text.length > LIMITS.keys.backupChars) return failed("too-long", "This is too long to be a backup.");
  const json = parseJson(trimPasted(text));
  const header = v.safeParse(file, json);
  if (!header.success) return NOT_A_BACKUP;
  if (header.output.version !== VERSION) {
    return failed("newer-version", "This backup was made by another version of the extension: update first.");
  }
  const opened = await openWithPassword(binary(json), passphrase, PURPOSE, derive);
  if (!opened.ok) return opened;
  const read = readContents(fromUtf8(opened.value) ?? "");
  return read === undefined ? DAMAGED : ok(read);
}

/** One channel that makes no sense, such as one of a later version, keeps no other from being read. */
function readContents(json: string): ReadableBackup | undefined {
  const read = v.safeParse(contents, parseJson(json));
  if (!read.success) return undefined;
  const { channels: saved, ...rest } = read.output;
  const channels = saved.flatMap((each) => {
    const parsed = v.safeParse(channel, each);
    return parsed.success ? [parsed.output] : [];
  });
  return { ...rest, channels, unreadableChannels: saved.length - channels.length };
}

/** The blob as it was before it became text. Whatever is missing or unreadable in it stays missing. */
function binary(json: unknown): unknown {
  const parameters = v.safeParse(blob, json);
  const body = v.safeParse(sealed, json);
  return {
    ...(parameters.success
      ? { kdf: { ...parameters.output.kdf, salt: fromBase64(parameters.output.kdf.salt) } }
      : undefined),
    ...(body.success
      ? { sealed: fromBase64(body.output.sealed), checksum: fromBase64(body.output.checksum) }
      : undefined),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
