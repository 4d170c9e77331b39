/** Why a command of the popup or the prompt is refused: the failures of the layers below under one roof. */
import type { ChannelError } from "../channel/types.ts";
import { err, type Result } from "../common/result.ts";
import type { BackupError } from "../keys/backup.ts";
import type { InvitationError } from "../keys/invitation.ts";
import type { KeyTextError } from "../keys/key-formats.ts";
import type { KeyError } from "../keys/key-store.ts";
import type { VaultError } from "../keys/vault.ts";
import type { UiRefusal, UiRefusalKind } from "../ui/background-api.ts";

/** The outcome of a command, or of a part of one. */
export type Carried<T> = Result<T, UiRefusal>;

export const refused = (kind: UiRefusalKind, message: string): { readonly ok: false; readonly error: UiRefusal } =>
  err({ kind, message });

export const keyRefusal = ({ kind, message }: KeyError): UiRefusal => ({ kind: `key-${kind}`, message });
export const vaultRefusal = ({ kind, message }: VaultError): UiRefusal => ({ kind: `vault-${kind}`, message });
export const backupRefusal = ({ kind, message }: BackupError): UiRefusal => ({ kind: `backup-${kind}`, message });
export const channelRefusal = ({ kind, message }: ChannelError): UiRefusal => ({ kind: `channel-${kind}`, message });

export const invitationRefusal = ({ kind, message }: InvitationError): UiRefusal => {
  return { kind: `invitation-${kind}`, message };
};

export const textRefusal = ({ kind, message, bytes }: KeyTextError): UiRefusal => {
  return { kind: `text-${kind}`, message, ...(bytes === undefined ? {} : { bytes }) };
};
