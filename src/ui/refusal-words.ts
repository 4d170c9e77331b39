/** What people read where a command was refused: one whole sentence per reason, in their language. */
import { LIMITS } from "../limits.ts";
import type { UiRefusal, UiRefusalKind } from "./background-api.ts";
import type { MessageKey, Translator } from "./translate.ts";

/** Words without a number in them. */
const WORDS = {
  "key-not-found": "keyGone",
  "key-locked": "refusedLocked",
  "key-damaged": "refusedKeyDamaged",
  "key-no-name": "refusedKeyName",
  "key-bad-key": "refusedInternal",
  "key-consent-needed": "refusedOtherSite",
  "key-in-use": "refusedKeyInUse",
  "text-empty": "refusedEmpty",
  "text-too-long": "refusedKeyTooLong",
  "text-unknown": "refusedNoKey",
  "text-mistyped": "refusedHex",
  "text-bad-jwk": "refusedJwk",
  "text-invitation": "refusedInvitationHere",
  "text-backup": "refusedBackupHere",
  "vault-wrong-password": "refusedPassword",
  "vault-damaged": "refusedVaultDamaged",
  "vault-lost-parameters": "refusedVaultLost",
  "vault-weak-parameters": "refusedVaultWeak",
  "vault-locked": "refusedLocked",
  "vault-no-password": "refusedNoPassword",
  "vault-has-password": "refusedHasPassword",
  "vault-bad-time": "refusedTime",
  "backup-wrong-password": "refusedPassphrase",
  "backup-damaged": "refusedBackupDamaged",
  "backup-lost-parameters": "refusedBackupLost",
  "backup-weak-parameters": "refusedBackupWeak",
  "backup-not-a-backup": "refusedNoBackup",
  "backup-newer-version": "refusedBackupVersion",
  "backup-too-long": "refusedBackupTooLong",
  "backup-too-much": "refusedBackupTooMuch",
  "invitation-not-an-invitation": "refusedNoInvitation",
  "invitation-newer-version": "refusedInvitationVersion",
  "invitation-typo": "refusedInvitationTypo",
  "invitation-unusable": "refusedInvitationUnusable",
  "invitation-too-long": "refusedInvitationTooLong",
  "channel-unknown-channel": "channelGone",
  "channel-already-exists": "refusedChannelExists",
  "channel-closed": "refusedChannelClosed",
  "channel-mismatch": "refusedOtherChannel",
  "channel-limit": "refusedChannelLimit",
  "channel-key-required": "refusedKeyRequired",
  "channel-locked": "refusedLocked",
  "channel-invalid": "refusedChannelInvalid",
  "channel-empty-payload": "refusedInternal",
  "channel-payload-too-large": "refusedInternal",
  "channel-unsupported": "refusedInternal",
  "channel-encryption-failed": "refusedInternal",
  "no-site": "errorSite",
  "label-missing": "refusedChannelName",
  "not-encrypted": "refusedNotEncrypted",
  "no-key-to-share": "refusedNothingToShare",
  "qr-too-long": "refusedQr",
  "other-channel": "refusedOtherChannel",
  "other-key": "refusedOtherKey",
  "not-sent-again": "refusedRetry",
  "prompt-gone": "refusedPromptGone",
  "prompt-busy": "refusedPromptBusy",
  "tests-busy": "refusedTestsBusy",
  "bad-network": "refusedNetwork",
  internal: "refusedInternal",
} as const satisfies Partial<Record<UiRefusalKind, MessageKey>>;

export function refusalWords({ kind, bytes = 0 }: UiRefusal, { t, plural }: Pick<Translator, "t" | "plural">): string {
  const { keys } = LIMITS;
  switch (kind) {
    case "text-wrong-length":
      return plural("refusedLength", bytes);
    case "key-name-too-long":
    case "label-too-long":
      return t("refusedNameTooLong", String(keys.nameChars));
    case "key-too-many-keys":
      return t("refusedTooManyKeys", String(keys.keys));
    case "key-too-many-sites":
      return t("refusedTooManySites", String(keys.originsPerKey));
    case "vault-bad-password":
    case "backup-bad-password":
      return t("refusedNewPassword", String(keys.passwordMinChars), String(keys.passwordMaxChars));
    default:
      return t(WORDS[kind]);
  }
}
