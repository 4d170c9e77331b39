/** The border for frames of the popup and the prompt. They are our own, and yet nothing but commands comes through. */
import * as v from "valibot";
import { KEY_FORMATS } from "../keys/key-formats.ts";
import { LIMITS } from "../limits.ts";

const { keys, provider, sds } = LIMITS;

const text = (characters: number) => v.pipe(v.string(), v.maxLength(characters));
/** Checked again by whoever takes it, who has words for what is too long: here ends only what is far beyond that. */
const bounded = (characters: number) => text(2 * characters);
const pasted = bounded(keys.backupChars);
const name = bounded(2 * keys.nameChars);
const password = bounded(keys.passwordMaxChars);
const identifier = bounded(sds.identifierBytes);
const origin = bounded(provider.originBytes);
const channel = v.object({ origin: v.string(), channelId: v.string() });
const keyId = identifier;

const keyChoice = v.variant("kind", [
  v.object({ kind: v.literal("make"), name }),
  v.object({ kind: v.literal("pick"), keyId, allowNewSite: v.exactOptional(v.boolean()) }),
  v.object({ kind: v.literal("import"), text: pasted, name }),
]);

const network = v.object({
  name: v.string(),
  clusterId: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  shards: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  bootstrap: v.array(v.string()),
  rateLimit: v.exactOptional(
    v.object({ enabled: v.boolean(), epochSeconds: v.number(), messagesPerEpoch: v.number() }),
  ),
});

/** Everything else. */
const plainCommand = v.variant("type", [
  v.object({
    type: v.literal("answerPrompt"),
    id: v.string(),
    decision: v.picklist(["always", "once", "reject", "block"]),
    key: v.exactOptional(keyChoice),
  }),
  v.object({ type: v.literal("revokeSite"), origin: v.string() }),
  v.object({ type: v.literal("revokeAllSites") }),
  v.object({ type: v.literal("unblockSite"), origin: v.string() }),
  v.object({ type: v.literal("closeChannel"), channel }),
  v.object({ type: v.literal("setNetwork"), config: network }),
  v.object({ type: v.literal("seeFailures") }),
  v.object({ type: v.literal("testPeer"), address: text(LIMITS.ui.addressChars), config: network }),
  v.object({ type: v.literal("readDiagnostics") }),
]);

/** What `UiKeys` carries out. */
const keyCommand = v.variant("type", [
  v.object({ type: v.literal("welcome"), password: v.nullable(password) }),
  v.object({
    type: v.literal("setPassword"),
    current: v.exactOptional(password),
    password: v.nullable(password),
  }),
  v.object({ type: v.literal("unlock"), password }),
  v.object({ type: v.literal("lock") }),
  v.object({ type: v.literal("setAutoLock"), minutes: v.nullable(v.number()) }),
  v.object({ type: v.literal("makeKey"), name }),
  v.object({ type: v.literal("inspectKeyText"), text: pasted }),
  v.object({ type: v.literal("importKey"), text: pasted, name }),
  v.object({ type: v.literal("renameKey"), keyId, name }),
  v.object({ type: v.literal("exportKey"), keyId, format: v.picklist(KEY_FORMATS) }),
  v.object({ type: v.literal("deleteKey"), keyId }),
  v.object({ type: v.literal("takeKeyFromSite"), keyId, origin }),
  v.object({
    type: v.literal("createChannel"),
    origin,
    channelId: identifier,
    contentTopic: identifier,
    key: v.exactOptional(keyChoice),
  }),
  v.object({ type: v.literal("openChannel"), channel }),
  v.object({ type: v.literal("renameChannel"), channel, label: name }),
  v.object({ type: v.literal("changeChannelKey"), channel, key: keyChoice }),
  v.object({ type: v.literal("deleteChannel"), channel }),
  v.object({ type: v.literal("createInvitation"), channel }),
  v.object({
    type: v.literal("acceptInvitation"),
    text: pasted,
    origin,
    allowNewSite: v.exactOptional(v.boolean()),
  }),
  v.object({ type: v.literal("retryRequest"), channel, requestId: v.string() }),
  v.object({ type: v.literal("exportBackup"), passphrase: password, channel: v.exactOptional(channel) }),
  v.object({ type: v.literal("importBackup"), text: pasted, passphrase: password }),
]);

const anyCommand = v.object({ type: v.literal("command"), id: v.number() });
const plainFrame = v.object({ command: plainCommand });
const keyFrame = v.object({ command: keyCommand });

export type PlainCommand = v.InferOutput<typeof plainCommand>;
export type KeyCommand = v.InferOutput<typeof keyCommand>;

export type ParsedCommand =
  | { readonly kind: "plain"; readonly id: number; readonly command: PlainCommand }
  | { readonly kind: "key"; readonly id: number; readonly command: KeyCommand }
  /** Asks for something, and nobody knows for what. */
  | { readonly kind: "senseless"; readonly id: number };

/** `undefined` for what is no command at all. */
export function parseCommand(frame: unknown): ParsedCommand | undefined {
  const head = v.safeParse(anyCommand, frame);
  if (!head.success) return undefined;
  const { id } = head.output;
  const plain = v.safeParse(plainFrame, frame);
  if (plain.success) return { kind: "plain", id, command: plain.output.command };
  const key = v.safeParse(keyFrame, frame);
  return key.success ? { kind: "key", id, command: key.output.command } : { kind: "senseless", id };
}
