/**
 * The invitation: a channel and its key as one line of text, to be pasted on the other side or read from a QR code.
 *
 *     RCI1-  base32( protobuf fields ‖ checksum )
 *
 *     1 key bytes(32)   2 channel id   3 content topic   4 profile   5 placement   6 name (optional)
 *
 * The checksum is the first 5 bytes of SHA-256 over a name of its own and the fields: one mistyped invitation in 10^12
 * passes. It keeps no secret and authenticates nobody. Whoever has the invitation has the key.
 *
 * Upper case and digits only, which a QR code holds in half the space. White space and hyphens between them mean nothing.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import type { Profile } from "../channel/types.ts";
import { type Bytes, concat, equalBytes, fromUtf8, ownBytes, utf8 } from "../common/bytes.ts";
import { contentTopicProblem } from "../common/content-topic.ts";
import { type Field, ProtobufWriter, readFields } from "../common/protobuf.ts";
import { err, ok, type Result } from "../common/result.ts";
import { KEY_BYTES } from "../encryption/aead.ts";
import type { Placement } from "../encryption/cipher.ts";
import { LIMITS } from "../limits.ts";
import { fromBase32, toBase32 } from "./base32.ts";
import { trimPasted } from "./key-formats.ts";
import { visibleName } from "./visible-name.ts";

const VERSION = 1;
const DOMAIN = utf8(`reliable-channel invitation ${VERSION}\n`);
const CHECKSUM_BYTES = 5;
const FIELD = { key: 1, channelId: 2, contentTopic: 3, profile: 4, placement: 5, name: 6 } as const;
/** Their positions are the numbers on the wire: new ones are added at the end. */
const PROFILES: readonly Profile[] = ["logos", "logos-raw", "waku-sdk"];
const PLACEMENTS: readonly Placement[] = ["envelope", "content"];

export interface Invitation {
  readonly key: Bytes;
  /** At most `LIMITS.sds.identifierBytes` in UTF-8, as is the content topic. */
  readonly channelId: string;
  readonly contentTopic: string;
  readonly profile: Profile;
  readonly placement: Placement;
  /** What the sender calls the channel: one visible line, at most `LIMITS.keys.nameChars` characters. */
  readonly name?: string;
}

export interface InvitationError {
  /** - `typo`: it was an invitation and something in it is mistyped, missing or too much. */
  readonly kind: "not-an-invitation" | "newer-version" | "typo" | "unusable" | "too-long";
  /** For people; holds nothing of the text. */
  readonly message: string;
}

const failed = (kind: InvitationError["kind"], message: string) => err<InvitationError>({ kind, message });
const UNUSABLE = failed("unusable", "The invitation is intact, but what it says makes no sense here.");

export function writeInvitation(invitation: Invitation): string {
  const { key, channelId, contentTopic, profile, placement, name } = invitation;
  const writer = new ProtobufWriter()
    .bytes(FIELD.key, key)
    .string(FIELD.channelId, channelId)
    .string(FIELD.contentTopic, contentTopic)
    .varint(FIELD.profile, PROFILES.indexOf(profile))
    .varint(FIELD.placement, PLACEMENTS.indexOf(placement));
  if (name !== undefined) writer.string(FIELD.name, name);
  const fields = writer.finish();
  return `RCI${VERSION}-${toBase32(concat(fields, checksumOf(fields)))}`;
}

/** Reads what anyone may have written: never throws, and gives only what a channel can be made of. */
export function readInvitation(pasted: string): Result<Invitation, InvitationError> {
  if (pasted.length > LIMITS.keys.invitationChars) {
    return failed("too-long", "This is too long to be an invitation.");
  }
  const text = /^RCI(\d+)-(.*)$/is.exec(trimPasted(pasted));
  if (text === null) return failed("not-an-invitation", "This is no invitation: those begin with RCI1-.");
  const [, version = "", body = ""] = text;
  if (version !== String(VERSION)) {
    return failed("newer-version", "This invitation was made by another version of the extension: update first.");
  }
  const bytes = fromBase32(body.replaceAll(/[\s-]/g, ""));
  const fields = bytes?.subarray(0, Math.max(0, bytes.length - CHECKSUM_BYTES));
  if (!bytes || !fields || !equalBytes(bytes.subarray(fields.length), checksumOf(fields))) {
    return failed("typo", "The invitation has a typo, or part of it is missing.");
  }
  const parsed = readFields(fields);
  return parsed === undefined ? UNUSABLE : fromFields(parsed);
}

function fromFields(fields: readonly Field[]): Result<Invitation, InvitationError> {
  const read = (number: number, kind: Field["kind"]) => {
    const field = fields.find((other) => other.number === number);
    return field?.kind === kind ? field.value : undefined;
  };
  const textOf = (number: number): string | undefined => {
    const value = read(number, "bytes");
    return value instanceof Uint8Array && value.length <= LIMITS.sds.identifierBytes ? fromUtf8(value) : undefined;
  };
  const key = read(FIELD.key, "bytes");
  const [channelId, contentTopic] = [textOf(FIELD.channelId), textOf(FIELD.contentTopic)];
  const name = visibleName(textOf(FIELD.name) ?? "");
  const profile = PROFILES[Number(read(FIELD.profile, "varint") ?? -1)];
  const placement = PLACEMENTS[Number(read(FIELD.placement, "varint") ?? -1)];
  if (!(key instanceof Uint8Array) || key.length !== KEY_BYTES || !channelId || !contentTopic) return UNUSABLE;
  if (profile === undefined || placement === undefined) return UNUSABLE;
  if (contentTopicProblem(contentTopic) !== undefined) return UNUSABLE;
  const named = name.length > 0 && [...name].length <= LIMITS.keys.nameChars;
  return ok({ key: ownBytes(key), channelId, contentTopic, profile, placement, ...(named ? { name } : {}) });
}

function checksumOf(fields: Uint8Array): Bytes {
  return sha256(concat(DOMAIN, fields)).slice(0, CHECKSUM_BYTES);
}
