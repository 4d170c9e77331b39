/**
 * Carries out what a person asks of keys, the vault, channels, invitations and backups. Every command may fail, and then
 * says why; what was not done then left nothing behind but, perhaps, a key that nothing uses.
 */
import type { ChannelError, ChannelKey, ChannelManagerApi, ChannelParams, ChannelSummary } from "../channel/types.ts";
import type { Clock } from "../common/clock.ts";
import { err, ok, type Result } from "../common/result.ts";
import type { Transactor } from "../common/transactor.ts";
import { type BackupChannel, type BackupKey, readBackup, writeBackup } from "../keys/backup.ts";
import { fingerprintOf } from "../keys/fingerprint.ts";
import { type Invitation, readInvitation, writeInvitation } from "../keys/invitation.ts";
import { parseKey } from "../keys/key-formats.ts";
import type { KeyInfo, KeyStore, KeyUse, StoredKeyId } from "../keys/key-store.ts";
import { type DeriveKey, type PasswordKdf, pbkdf2 } from "../keys/password-seal.ts";
import { qrCode } from "../keys/qr.ts";
import type { Vault } from "../keys/vault.ts";
import { visibleName } from "../keys/visible-name.ts";
import { LIMITS } from "../limits.ts";
import type {
  UiKey,
  UiKeyChoice,
  UiKeyCommands,
  UiKeyCommandValue,
  UiRefusal,
  UiVaultSnapshot,
} from "../ui/background-api.ts";
import { carryOut } from "./key-choice.ts";
import type { Permissions } from "./permissions.ts";
import { isSiteOrigin } from "./principal.ts";
import {
  backupRefusal,
  type Carried,
  channelRefusal,
  invitationRefusal,
  keyRefusal,
  refused,
  textRefusal,
  vaultRefusal,
} from "./refusals.ts";
import type { KeyCommand } from "./ui-command-schema.ts";

const MINUTE_MS = 60_000;
const WELCOMED = "welcomed";

/** `storage.local`, as far as it is used. */
export interface SettingsArea {
  get(key: string): Promise<Record<string, unknown>>;
  set(items: Record<string, unknown>): Promise<void>;
}

export interface UiKeysParts {
  readonly keys: KeyStore;
  readonly vault: Vault;
  readonly manager: ChannelManagerApi;
  readonly permissions: Permissions;
  readonly transactor: Pick<Transactor, "run">;
  readonly settings: SettingsArea;
  readonly clock: Clock;
  readonly random: PasswordKdf["random"];
  readonly derive?: DeriveKey;
}

type Handlers = {
  readonly [K in keyof UiKeyCommands]: (command: UiKeyCommands[K]["params"]) => Promise<Carried<UiKeyCommandValue<K>>>;
};

/** What is answered where there is nothing to answer with. */
function done<E>(result: Result<unknown, E>, refusal: (error: E) => UiRefusal): Carried<undefined> {
  return result.ok ? ok(undefined) : err(refusal(result.error));
}

/** What can be asked for whatever state the vault is in: it has words of its own. */
const ALWAYS: ReadonlySet<KeyCommand["type"]> = new Set(["welcome", "setPassword", "unlock", "lock", "setAutoLock"]);

export class UiKeys {
  readonly #parts: UiKeysParts & PasswordKdf;
  readonly #handlers: Handlers = {
    welcome: (command) => this.#welcome(command),
    setPassword: (command) => this.#setPassword(command),
    unlock: async ({ password }) => done(await this.#parts.vault.unlock(password), vaultRefusal),
    lock: async () => {
      if (!this.#parts.vault.hasPassword) {
        return refused("vault-no-password", "Set a password first: without one there is nothing to unlock with.");
      }
      await this.#parts.vault.lock();
      return ok(undefined);
    },
    setAutoLock: async ({ minutes }) =>
      done(await this.#parts.vault.setAutoLock(minutes === null ? null : minutes * MINUTE_MS), vaultRefusal),
    makeKey: async ({ name }) => {
      const made = await this.#parts.keys.make(name);
      return made.ok ? ok({ keyId: made.value.id }) : err(keyRefusal(made.error));
    },
    inspectKeyText: async ({ text }) => this.#inspect(text),
    importKey: async ({ text, name }) => {
      const chosen = await carryOut(this.#parts.keys, { kind: "import", text, name });
      return chosen.ok ? ok({ keyId: chosen.value.keyId }) : chosen;
    },
    renameKey: async ({ keyId, name }) => done(await this.#parts.keys.rename(keyId, name), keyRefusal),
    exportKey: async ({ keyId, format }) => {
      const text = this.#parts.keys.export(keyId, format);
      return text.ok ? ok({ text: text.value }) : err(keyRefusal(text.error));
    },
    deleteKey: async ({ keyId }) => {
      const deleted = await this.#parts.keys.delete(keyId, "breaks-channels");
      // Deleted already: what the person wanted.
      return deleted.ok || deleted.error.kind === "not-found" ? ok(undefined) : err(keyRefusal(deleted.error));
    },
    takeKeyFromSite: async ({ keyId, origin }) => done(await this.#parts.keys.unbind(keyId, origin), keyRefusal),
    createChannel: (command) => this.#createChannel(command),
    openChannel: async ({ channel }) => {
      const known = this.#summary(channel);
      if (!known) return NO_CHANNEL;
      // Open already: what the person wanted.
      return isClosed(known) ? this.#open(known) : ok(undefined);
    },
    renameChannel: async ({ channel, label }) => {
      const name = visibleName(label);
      return labelProblem(name) ?? done(await this.#parts.manager.rename(channel, name), channelRefusal);
    },
    changeChannelKey: (command) => this.#changeChannelKey(command),
    deleteChannel: async ({ channel }) => {
      const deleted = await this.#parts.manager.deleteChannel(channel);
      return deleted.ok || deleted.error.kind === "unknown-channel" ? ok(undefined) : done(deleted, channelRefusal);
    },
    createInvitation: async ({ channel }) => this.#createInvitation(channel),
    acceptInvitation: (command) => this.#acceptInvitation(command),
    retryRequest: async ({ channel, requestId }) => {
      const open = this.#parts.manager.channel(channel);
      if (!open) return refused("channel-closed", "The channel is not open: only an open channel sends.");
      return done(await open.retry(requestId), retryRefusal);
    },
    exportBackup: (command) => this.#exportBackup(command),
    importBackup: (command) => this.#importBackup(command),
  };
  #welcomed: boolean;

  static async load(parts: UiKeysParts): Promise<UiKeys> {
    const { [WELCOMED]: welcomed } = await parts.settings.get(WELCOMED);
    return new UiKeys(parts, welcomed === true);
  }

  private constructor(parts: UiKeysParts, welcomed: boolean) {
    this.#parts = { ...parts, derive: parts.derive ?? pbkdf2 };
    this.#welcomed = welcomed;
  }

  snapshot(): Pick<UiVaultSnapshot, "vault" | "keys"> {
    const { vault, keys } = this.#parts;
    const { state, autoLockMs, hasPassword } = vault;
    return {
      vault: {
        state,
        autoLockMinutes: autoLockMs === null ? null : autoLockMs / MINUTE_MS,
        welcomed: this.#welcomed || hasPassword,
      },
      // While none can be opened, one that never can is not to be told from the others.
      keys: vault.locked ? [] : keys.list().map(shownKey),
    };
  }

  /** Called after the state of the vault changed. */
  listen(listener: () => void): () => void {
    return this.#parts.vault.listen(listener);
  }

  /** What a person does moves the time at which the vault locks. */
  async run<C extends KeyCommand>(command: C): Promise<Carried<UiKeyCommandValue<C["type"]>>>;
  async run(command: KeyCommand): Promise<Carried<unknown>> {
    const { vault } = this.#parts;
    await vault.touch();
    if (!ALWAYS.has(command.type) && vault.locked) {
      return vault.state === "damaged"
        ? refused("vault-damaged", "What is stored of the vault cannot be read. Nothing was deleted.")
        : refused("vault-locked", "The extension is locked: unlock it first.");
    }
    return this.#handle(command);
  }

  #handle<K extends keyof UiKeyCommands>(
    command: { readonly type: K } & UiKeyCommands[K]["params"],
  ): Promise<Carried<unknown>> {
    return this.#handlers[command.type](command);
  }

  async #welcome({ password }: UiKeyCommands["welcome"]["params"]): Promise<Carried<undefined>> {
    if (password !== null) {
      const set = await this.#parts.vault.setPassword(password);
      if (!set.ok) return err(vaultRefusal(set.error));
    }
    await this.#parts.settings.set({ [WELCOMED]: true });
    this.#welcomed = true;
    return ok(undefined);
  }

  async #setPassword({ current, password }: UiKeyCommands["setPassword"]["params"]): Promise<Carried<undefined>> {
    const { vault } = this.#parts;
    if (!vault.hasPassword) {
      return password === null ? ok(undefined) : done(await vault.setPassword(password), vaultRefusal);
    }
    if (current === undefined) {
      return refused("vault-has-password", "A password is set: the current one is needed to change it.");
    }
    return done(
      password === null ? await vault.removePassword(current) : await vault.changePassword(current, password),
      vaultRefusal,
    );
  }

  #inspect(text: string): Carried<UiKeyCommandValue<"inspectKeyText">> {
    const key = parseKey(text);
    if (key.ok) {
      const known = this.#parts.keys.find(key.value.key)?.name;
      const fingerprint = fingerprintOf(key.value.key);
      return ok({ kind: "key", format: key.value.format, fingerprint, ...(known === undefined ? {} : { known }) });
    }
    if (key.error.kind === "backup") return ok({ kind: "backup" });
    if (key.error.kind !== "invitation") return err(textRefusal(key.error));
    const invitation = readInvitation(text);
    if (!invitation.ok) return err(invitationRefusal(invitation.error));
    const { channelId, contentTopic, name } = invitation.value;
    const fingerprint = fingerprintOf(invitation.value.key);
    return ok({ kind: "invitation", channelId, contentTopic, fingerprint, ...(name === undefined ? {} : { name }) });
  }

  async #createChannel(command: UiKeyCommands["createChannel"]["params"]): Promise<Carried<undefined>> {
    const { origin, channelId, contentTopic, key } = command;
    if (!isSiteOrigin(origin)) return NO_SITE;
    const known = this.#summary({ origin, channelId });
    if (known && !isClosed(known))
      return refused("channel-already-exists", "The site has a channel of this name already.");
    // A closed one is opened again as it was made, with everything it had: only where that is what was asked for.
    if (known) return this.#otherThan(known, command) ?? this.#open(known);
    const params = { origin, channelId, contentTopic };
    if (key === undefined) return this.#open({ ...params, encryption: "none" });
    const keyId = await this.#chosen(key, origin);
    return keyId.ok ? this.#open({ ...params, encryption: "key", keyId: keyId.value }) : keyId;
  }

  /** Why a channel is not the one that is asked for; `undefined` where it is. */
  #otherThan(
    { channelId, contentTopic, encryption, keyId }: ChannelSummary,
    asked: UiKeyCommands["createChannel"]["params"],
  ): Carried<never> | undefined {
    const { key } = asked;
    if (asked.contentTopic !== contentTopic || encryption !== (key === undefined ? "none" : "key")) {
      return otherChannel(channelId);
    }
    if (key === undefined) return undefined;
    const chosen = this.#present(key);
    if (!chosen.ok) return chosen;
    return chosen.value !== undefined && chosen.value === keyId ? undefined : otherKey(channelId);
  }

  /** The key of a choice, if it is here already. */
  #present(choice: UiKeyChoice): Carried<StoredKeyId | undefined> {
    switch (choice.kind) {
      case "make":
        return ok(undefined);
      case "pick":
        return ok(choice.keyId);
      case "import": {
        const parsed = parseKey(choice.text);
        return parsed.ok ? ok(this.#parts.keys.find(parsed.value.key)?.id) : err(textRefusal(parsed.error));
      }
    }
  }

  async #changeChannelKey({ channel, key }: UiKeyCommands["changeChannelKey"]["params"]): Promise<Carried<undefined>> {
    const summary = this.#summary(channel);
    if (!summary) return NO_CHANNEL;
    if (summary.encryption !== "key") {
      return refused("not-encrypted", "The channel is not encrypted, and a channel stays what it was made as.");
    }
    const keyId = await this.#chosen(key, channel.origin);
    if (!keyId.ok) return keyId;
    if (keyId.value === summary.keyId) return ok(undefined);
    return done(await this.#parts.manager.changeKey(channel, keyId.value), channelRefusal);
  }

  #createInvitation(channel: ChannelKey): Carried<UiKeyCommandValue<"createInvitation">> {
    const summary = this.#summary(channel);
    if (!summary) return NO_CHANNEL;
    const { channelId, contentTopic, profile, placement, label, keyId } = summary;
    if (keyId === undefined) return refused("no-key-to-share", "Only an encrypted channel has a key to share.");
    const key = this.#parts.keys.bytes(keyId);
    if (!key.ok) return err(keyRefusal(key.error));
    const named = label === channelId ? {} : { name: label };
    const text = writeInvitation({ key: key.value, channelId, contentTopic, profile, placement, ...named });
    const qr = qrCode(text);
    return qr.ok ? ok({ text, qr: qr.value.modules }) : refused("qr-too-long", qr.error);
  }

  async #acceptInvitation(command: UiKeyCommands["acceptInvitation"]["params"]): Promise<Carried<undefined>> {
    const { text, origin, allowNewSite = false } = command;
    const invitation = readInvitation(text);
    if (!invitation.ok) return err(invitationRefusal(invitation.error));
    if (!isSiteOrigin(origin)) return NO_SITE;
    const { key, channelId, contentTopic, profile, placement, name } = invitation.value;
    const existing = this.#summary({ origin, channelId });
    if (existing) return this.#isThere(existing, invitation.value);
    const { keys } = this.#parts;
    const imported = await keys.import(keyName(name ?? channelId), key, "invitation");
    if (!imported.ok) return err(keyRefusal(imported.error));
    const keyId = imported.value.key.id;
    const bound = await this.#bind(keyId, origin, allowNewSite);
    if (!bound.ok) return bound;
    const params = { origin, channelId, contentTopic, profile, placement, encryption: "key" as const, keyId };
    return this.#open({ ...params, ...labelled(name) });
  }

  /** Nothing is to be done if it is the same channel. Its key is not for an invitation to change: anybody can write one. */
  #isThere(existing: ChannelSummary, { key, contentTopic, profile, placement }: Invitation): Carried<undefined> {
    const { channelId, keyId } = existing;
    const same =
      existing.encryption === "key" &&
      existing.contentTopic === contentTopic &&
      existing.profile === profile &&
      existing.placement === placement;
    if (!same) return otherChannel(channelId);
    return keyId !== undefined && this.#parts.keys.find(key)?.id === keyId ? ok(undefined) : otherKey(channelId);
  }

  /** Everything, or one channel with the keys that it writes and reads with. */
  async #exportBackup({
    passphrase,
    channel,
  }: UiKeyCommands["exportBackup"]["params"]): Promise<Carried<UiKeyCommandValue<"exportBackup">>> {
    const { keys, manager, clock } = this.#parts;
    const one = channel && this.#summary(channel);
    if (channel && !one) return NO_CHANNEL;
    if (one?.keyId !== undefined) {
      // Without the key that it writes with, nobody could restore the channel.
      const key = keys.bytes(one.keyId);
      if (!key.ok) return err(keyRefusal(key.error));
    }
    const wanted = one && new Set([one.keyId, ...readWith(one)]);
    const kept: BackupKey[] = [];
    const missing: string[] = [];
    for (const { id, name } of keys.list()) {
      if (wanted?.has(id) === false) continue;
      const key = keys.bytes(id);
      if (key.ok) kept.push({ id, name, key: key.value });
      // The others are all the more worth a backup.
      else missing.push(name);
    }
    const channels = (one ? [one] : manager.summaries()).map((summary) => savedChannel(summary, kept));
    const written = await writeBackup({ createdAt: clock.now(), keys: kept, channels }, passphrase, this.#parts);
    return written.ok ? ok({ text: written.value, missing }) : err(backupRefusal(written.error));
  }

  async #importBackup({
    text,
    passphrase,
  }: UiKeyCommands["importBackup"]["params"]): Promise<Carried<UiKeyCommandValue<"importBackup">>> {
    const backup = await readBackup(text, passphrase, this.#parts);
    if (!backup.ok) return err(backupRefusal(backup.error));
    const restored = new Map<string, StoredKeyId>();
    let keys = 0;
    for (const { id, name, key } of backup.value.keys) {
      const imported = await this.#parts.keys.import(keyName(name), key, "backup");
      if (!imported.ok) return err(keyRefusal(imported.error));
      restored.set(id, imported.value.key.id);
      if (!imported.value.known) keys++;
    }
    let channels = 0;
    let failed = backup.value.unreadableChannels;
    for (const channel of backup.value.channels) {
      // One that is there already stays as it is.
      if (this.#summary(channel)) continue;
      if (await this.#restore(channel, restored)) channels++;
      else failed++;
    }
    return ok({ keys, channels, failed });
  }

  /** False where the channel cannot be made from what the backup has. */
  async #restore(saved: BackupChannel, restored: ReadonlyMap<string, StoredKeyId>): Promise<boolean> {
    const { origin, channelId, contentTopic, profile, encryption, placement } = saved;
    if (!isSiteOrigin(origin)) return false;
    const params = { origin, channelId, contentTopic, profile, encryption, placement, ...labelled(saved.name) };
    if (encryption !== "key") return (await this.#open(params)).ok;
    const keyId = saved.keyId === undefined ? undefined : restored.get(saved.keyId);
    if (keyId === undefined) return false;
    const earlierKeyIds = (saved.earlierKeyIds ?? []).flatMap((id) => restored.get(id) ?? []);
    for (const id of [keyId, ...earlierKeyIds]) {
      // Whoever made the backup had agreed to it.
      if (!(await this.#bind(id, origin, true)).ok) return false;
    }
    return (await this.#open({ ...params, keyId, earlierKeyIds })).ok;
  }

  /**
   * Makes a channel ready: open where the site may use it, and otherwise closed, so that nothing comes in for a site that
   * nobody allowed. The site opens it with its own `createReliableChannel`, is asked for no key, and may name the sender id.
   */
  async #open(params: ChannelParams): Promise<Carried<undefined>> {
    const { manager, permissions } = this.#parts;
    const { origin, channelId } = params;
    const created = await manager.createReliableChannel({ ...params, prepared: true });
    if (!created.ok || permissions.grants(origin).length > 0) return done(created, channelRefusal);
    return done(await manager.closeChannel({ origin, channelId }, "user"), channelRefusal);
  }

  async #chosen(choice: UiKeyChoice, origin: string): Promise<Carried<StoredKeyId>> {
    const chosen = await carryOut(this.#parts.keys, choice);
    if (!chosen.ok) return chosen;
    const bound = await this.#parts.transactor.run(() => chosen.value.bind(origin));
    return bound.ok ? ok(chosen.value.keyId) : bound;
  }

  async #bind(keyId: StoredKeyId, origin: string, consent: boolean): Promise<Carried<undefined>> {
    const { transactor, keys } = this.#parts;
    return done(await transactor.run(() => keys.bind(keyId, origin, consent ? "given" : "none")), keyRefusal);
  }

  #summary({ origin, channelId }: ChannelKey): ChannelSummary | undefined {
    return this.#parts.manager.summaries().find((known) => known.origin === origin && known.channelId === channelId);
  }
}

const NO_CHANNEL = refused("channel-unknown-channel", "There is no such channel.");
const NO_SITE = refused("no-site", "A site's address is https:// and its name, without a path.");

const otherChannel = (channelId: string) =>
  refused("other-channel", `The site has another channel named ${channelId}.`);
const otherKey = (channelId: string) =>
  refused(
    "other-key",
    `The site has the channel ${channelId} with another key: import the new key, and change the channel's.`,
  );

const isClosed = ({ status }: ChannelSummary): boolean => status.state === "closed";

function shownKey({ id, name, fingerprint, createdAt, origins, uses }: KeyInfo): UiKey {
  const channelsAs = (use: KeyUse["as"]): readonly ChannelKey[] =>
    uses.flatMap(({ as, origin, channelId }) => (as === use ? [{ origin, channelId }] : []));
  return {
    id,
    name,
    ...(fingerprint === undefined ? {} : { fingerprint }),
    createdAt,
    origins,
    channels: channelsAs("writes"),
    earlierIn: channelsAs("reads"),
  };
}

/** Earlier keys of a channel, newest first. Its row may have more, as earlier versions wrote it. */
const readWith = ({ earlierKeyIds }: ChannelSummary): readonly StoredKeyId[] =>
  earlierKeyIds.slice(0, LIMITS.keys.earlierKeys);

/** As a backup with these keys has it. */
function savedChannel(summary: ChannelSummary, keys: readonly BackupKey[]): BackupChannel {
  const { origin, channelId, contentTopic, profile, encryption, placement, label, keyId } = summary;
  const has = (id: string | undefined): id is string => keys.some((key) => key.id === id);
  const earlierKeyIds = readWith(summary).filter(has);
  return {
    origin,
    channelId,
    contentTopic,
    profile,
    encryption,
    placement,
    ...(has(keyId) ? { keyId } : {}),
    ...(earlierKeyIds.length > 0 ? { earlierKeyIds } : {}),
    ...(label === channelId ? {} : { name: label }),
  };
}

/** What others called it is no reason to refuse what they give. */
function cutName(given: string): string {
  return [...visibleName(given)].slice(0, LIMITS.keys.nameChars).join("").trim();
}

function keyName(given: string): string {
  return cutName(given) || "Invitation";
}

/** What others called a channel, where something of it can be seen. */
function labelled(given = ""): Pick<ChannelParams, "label"> {
  const label = cutName(given);
  return label === "" ? {} : { label };
}

/** Of a label that can be seen. */
function labelProblem(label: string): Carried<undefined> | undefined {
  const { nameChars } = LIMITS.keys;
  if (label === "") return refused("label-missing", "A channel needs a name.");
  if ([...label].length <= nameChars) return undefined;
  return refused("label-too-long", `A name has ${nameChars} characters at most.`);
}

/** The channel layer has one name for everything that makes no sense; here it is one thing. */
function retryRefusal(error: ChannelError): UiRefusal {
  return error.kind === "invalid" ? { kind: "not-sent-again", message: error.message } : channelRefusal(error);
}
