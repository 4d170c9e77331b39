/**
 * Carries out what a person asks of keys, the vault, channels, invitations and backups. Every command may fail, and then
 * says in words why; what was not done then left nothing behind but, perhaps, a key that nothing uses.
 */
import type { ChannelKey, ChannelManagerApi, ChannelParams, ChannelSummary } from "../channel/types.ts";
import type { Clock } from "../common/clock.ts";
import { err, ok, type Result } from "../common/result.ts";
import type { Transactor } from "../common/transactor.ts";
import { type BackupChannel, readBackup, writeBackup } from "../keys/backup.ts";
import { fingerprintOf } from "../keys/fingerprint.ts";
import { type Invitation, readInvitation, writeInvitation } from "../keys/invitation.ts";
import { parseKey } from "../keys/key-formats.ts";
import type { KeyStore, StoredKeyId } from "../keys/key-store.ts";
import { type DeriveKey, type PasswordKdf, pbkdf2 } from "../keys/password-seal.ts";
import { qrCode } from "../keys/qr.ts";
import type { Vault } from "../keys/vault.ts";
import { LIMITS } from "../limits.ts";
import type { UiKeyCommands, UiKeyCommandValue, UiVaultSnapshot } from "../ui/background-api.ts";
import { carryOut } from "./key-choice.ts";
import type { Permissions } from "./permissions.ts";
import { isSiteOrigin } from "./principal.ts";
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
  readonly [K in keyof UiKeyCommands]: (command: UiKeyCommands[K]["params"]) => Promise<Result<UiKeyCommandValue<K>>>;
};

/** The words of a failure of a layer below. */
const words = <T>(result: Result<T, { readonly message: string }>): Result<T> =>
  result.ok ? result : err(result.error.message);
const done = (result: Result<unknown, { readonly message: string }>): Result<undefined> =>
  result.ok ? ok(undefined) : err(result.error.message);

/** What can be asked for whatever state the vault is in: it has words of its own. */
const ALWAYS: ReadonlySet<KeyCommand["type"]> = new Set(["welcome", "setPassword", "unlock", "lock", "setAutoLock"]);

export class UiKeys {
  readonly #parts: UiKeysParts & PasswordKdf;
  readonly #handlers: Handlers = {
    welcome: (command) => this.#welcome(command),
    setPassword: (command) => this.#setPassword(command),
    unlock: async ({ password }) => done(await this.#parts.vault.unlock(password)),
    lock: async () => {
      if (!this.#parts.vault.hasPassword)
        return err("Set a password first: without one there is nothing to unlock with.");
      await this.#parts.vault.lock();
      return ok(undefined);
    },
    setAutoLock: async ({ minutes }) =>
      done(await this.#parts.vault.setAutoLock(minutes === null ? null : minutes * MINUTE_MS)),
    makeKey: async ({ name }) => {
      const made = await this.#parts.keys.make(name);
      return made.ok ? ok({ keyId: made.value.id }) : words(made);
    },
    inspectKeyText: async ({ text }) => this.#inspect(text),
    importKey: async ({ text, name }) => {
      const chosen = await carryOut(this.#parts.keys, { kind: "import", text, name });
      return chosen.ok ? ok({ keyId: chosen.value.keyId }) : chosen;
    },
    renameKey: async ({ keyId, name }) => done(await this.#parts.keys.rename(keyId, name)),
    exportKey: async ({ keyId, format }) => {
      const text = this.#parts.keys.export(keyId, format);
      return text.ok ? ok({ text: text.value }) : words(text);
    },
    deleteKey: async ({ keyId }) => {
      const deleted = await this.#parts.keys.delete(keyId, "breaks-channels");
      // Deleted already: what the person wanted.
      return deleted.ok || deleted.error.kind === "not-found" ? ok(undefined) : words(deleted);
    },
    createChannel: (command) => this.#createChannel(command),
    renameChannel: async ({ channel, label }) => {
      const problem = labelProblem(label);
      return problem === undefined ? done(await this.#parts.manager.rename(channel, label.trim())) : err(problem);
    },
    changeChannelKey: (command) => this.#changeChannelKey(command),
    deleteChannel: async ({ channel }) => {
      const deleted = await this.#parts.manager.deleteChannel(channel);
      return deleted.ok || deleted.error.kind === "unknown-channel" ? ok(undefined) : done(deleted);
    },
    createInvitation: async ({ channel }) => this.#createInvitation(channel),
    acceptInvitation: (command) => this.#acceptInvitation(command),
    retryRequest: async ({ channel, requestId }) => {
      const open = this.#parts.manager.channel(channel);
      return open ? done(await open.retry(requestId)) : err("The channel is not open: only an open channel sends.");
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
      keys: keys.list().flatMap(({ id, name, fingerprint, createdAt, origins, uses }) => {
        // What cannot be opened is nothing that can be used.
        if (fingerprint === undefined) return [];
        const channels = uses.map(({ origin, channelId }) => ({ origin, channelId }));
        return [{ id, name, fingerprint, createdAt, origins, channels }];
      }),
    };
  }

  /** Called after the state of the vault changed. */
  listen(listener: () => void): () => void {
    return this.#parts.vault.listen(listener);
  }

  /** What a person does moves the time at which the vault locks. */
  async run<C extends KeyCommand>(command: C): Promise<Result<UiKeyCommandValue<C["type"]>>>;
  async run(command: KeyCommand): Promise<Result<unknown>> {
    const { vault } = this.#parts;
    await vault.touch();
    if (!ALWAYS.has(command.type) && vault.locked) {
      return err(
        vault.state === "damaged"
          ? "What is stored of the vault cannot be read. Nothing was deleted."
          : "The extension is locked: unlock it first.",
      );
    }
    return this.#handle(command);
  }

  #handle<K extends keyof UiKeyCommands>(
    command: { readonly type: K } & UiKeyCommands[K]["params"],
  ): Promise<Result<unknown>> {
    return this.#handlers[command.type](command);
  }

  async #welcome({ password }: UiKeyCommands["welcome"]["params"]): Promise<Result<undefined>> {
    if (password !== null) {
      const set = await this.#parts.vault.setPassword(password);
      if (!set.ok) return words(set);
    }
    await this.#parts.settings.set({ [WELCOMED]: true });
    this.#welcomed = true;
    return ok(undefined);
  }

  async #setPassword({ current, password }: UiKeyCommands["setPassword"]["params"]): Promise<Result<undefined>> {
    const { vault } = this.#parts;
    if (!vault.hasPassword) return password === null ? ok(undefined) : done(await vault.setPassword(password));
    if (current === undefined) return err("A password is set: the current one is needed to change it.");
    return done(
      password === null ? await vault.removePassword(current) : await vault.changePassword(current, password),
    );
  }

  #inspect(text: string): Result<UiKeyCommandValue<"inspectKeyText">> {
    const key = parseKey(text);
    if (key.ok) {
      const known = this.#parts.keys.find(key.value.key)?.name;
      const fingerprint = fingerprintOf(key.value.key);
      return ok({ kind: "key", format: key.value.format, fingerprint, ...(known === undefined ? {} : { known }) });
    }
    if (key.error.kind === "backup") return ok({ kind: "backup" });
    if (key.error.kind !== "invitation") return words(key);
    const invitation = readInvitation(text);
    if (!invitation.ok) return words(invitation);
    const { channelId, contentTopic, name } = invitation.value;
    const fingerprint = fingerprintOf(invitation.value.key);
    return ok({ kind: "invitation", channelId, contentTopic, fingerprint, ...(name === undefined ? {} : { name }) });
  }

  async #createChannel(command: UiKeyCommands["createChannel"]["params"]): Promise<Result<undefined>> {
    const { origin, channelId, contentTopic, key } = command;
    if (!isSiteOrigin(origin)) return NO_SITE;
    const known = this.#summary({ origin, channelId });
    if (known && known.status.state !== "closed") return err("The site has a channel of this name already.");
    // A closed one is opened again as it was made, with everything it had.
    if (known) return this.#open({ ...known, contentTopic });
    const params = { origin, channelId, contentTopic };
    if (key === undefined) return this.#open({ ...params, encryption: "none" });
    const keyId = await this.#chosen(key, origin);
    return keyId.ok ? this.#open({ ...params, encryption: "key", keyId: keyId.value }) : keyId;
  }

  async #changeChannelKey({ channel, key }: UiKeyCommands["changeChannelKey"]["params"]): Promise<Result<undefined>> {
    const summary = this.#summary(channel);
    if (!summary) return NO_CHANNEL;
    if (summary.encryption !== "key")
      return err("The channel is not encrypted, and a channel stays what it was made as.");
    const keyId = await this.#chosen(key, channel.origin);
    if (!keyId.ok) return keyId;
    if (keyId.value === summary.keyId) return ok(undefined);
    return done(await this.#parts.manager.changeKey(channel, keyId.value));
  }

  #createInvitation(channel: ChannelKey): Result<UiKeyCommandValue<"createInvitation">> {
    const summary = this.#summary(channel);
    if (!summary) return NO_CHANNEL;
    const { channelId, contentTopic, profile, placement, label, keyId } = summary;
    if (keyId === undefined) return err("Only an encrypted channel has a key to share.");
    const key = this.#parts.keys.bytes(keyId);
    if (!key.ok) return words(key);
    const named = label === channelId ? {} : { name: label };
    const text = writeInvitation({ key: key.value, channelId, contentTopic, profile, placement, ...named });
    const qr = qrCode(text);
    return qr.ok ? ok({ text, qr: qr.value.modules }) : qr;
  }

  async #acceptInvitation(command: UiKeyCommands["acceptInvitation"]["params"]): Promise<Result<undefined>> {
    const { text, origin, allowNewSite = false } = command;
    const invitation = readInvitation(text);
    if (!invitation.ok) return words(invitation);
    if (!isSiteOrigin(origin)) return NO_SITE;
    const { key, channelId, contentTopic, profile, placement, name } = invitation.value;
    const existing = this.#summary({ origin, channelId });
    if (existing) return this.#isThere(existing, invitation.value);
    const { keys } = this.#parts;
    const imported = await keys.import(keyName(name ?? channelId), key, "invitation");
    if (!imported.ok) return words(imported);
    const keyId = imported.value.key.id;
    const bound = await this.#bind(keyId, origin, allowNewSite);
    if (!bound.ok) return bound;
    const params = { origin, channelId, contentTopic, profile, placement, encryption: "key" as const, keyId };
    return this.#open({ ...params, ...(name === undefined ? {} : { label: name }) });
  }

  /** Nothing is to be done if it is the same channel. Its key is not for an invitation to change: anybody can write one. */
  #isThere(existing: ChannelSummary, { key, contentTopic, profile }: Invitation): Result<undefined> {
    const { channelId, keyId } = existing;
    const same =
      existing.encryption === "key" && existing.contentTopic === contentTopic && existing.profile === profile;
    if (!same) return err(`The site has another channel named ${channelId}.`);
    if (keyId !== undefined && this.#parts.keys.find(key)?.id === keyId) return ok(undefined);
    return err(`The site has the channel ${channelId} with another key: import the new key, and change the channel's.`);
  }

  async #exportBackup({
    passphrase,
  }: UiKeyCommands["exportBackup"]["params"]): Promise<Result<UiKeyCommandValue<"exportBackup">>> {
    const { keys, manager, clock } = this.#parts;
    const kept = keys.list().flatMap(({ id, name }) => {
      const key = keys.bytes(id);
      return key.ok ? [{ id, name, key: key.value }] : [];
    });
    const has = (id: string | undefined): id is string => kept.some((key) => key.id === id);
    const channels = manager.summaries().map((summary): BackupChannel => {
      const { origin, channelId, contentTopic, profile, encryption, placement, label, keyId } = summary;
      const earlierKeyIds = summary.earlierKeyIds.filter(has);
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
    });
    const written = await writeBackup({ createdAt: clock.now(), keys: kept, channels }, passphrase, this.#parts);
    return written.ok ? ok({ text: written.value }) : words(written);
  }

  async #importBackup({
    text,
    passphrase,
  }: UiKeyCommands["importBackup"]["params"]): Promise<Result<UiKeyCommandValue<"importBackup">>> {
    const backup = await readBackup(text, passphrase, this.#parts);
    if (!backup.ok) return words(backup);
    const restored = new Map<string, StoredKeyId>();
    let keys = 0;
    for (const { id, name, key } of backup.value.keys) {
      const imported = await this.#parts.keys.import(keyName(name), key, "backup");
      if (!imported.ok) return words(imported);
      restored.set(id, imported.value.key.id);
      if (!imported.value.known) keys++;
    }
    let channels = 0;
    for (const channel of backup.value.channels) if (await this.#restore(channel, restored)) channels++;
    return ok({ keys, channels });
  }

  /** False where it is there already, or cannot be made from what the backup has. */
  async #restore(saved: BackupChannel, restored: ReadonlyMap<string, StoredKeyId>): Promise<boolean> {
    const { origin, channelId, contentTopic, profile, encryption, placement, name } = saved;
    const channel = { origin, channelId };
    if (!isSiteOrigin(origin) || this.#summary(channel)) return false;
    const current = saved.keyId === undefined ? undefined : restored.get(saved.keyId);
    if (encryption === "key" && current === undefined) return false;
    const earlier = (saved.earlierKeyIds ?? []).flatMap((id) => restored.get(id) ?? []);
    // Oldest first: each takes the place of the one before, which can then still read.
    const sequence = encryption === "key" ? [...earlier.toReversed(), ...(current === undefined ? [] : [current])] : [];
    for (const keyId of sequence) {
      // Whoever made the backup had agreed to it.
      if (!(await this.#bind(keyId, origin, true)).ok) return false;
    }
    const [first, ...later] = sequence;
    const keyed = first === undefined ? {} : { keyId: first };
    const named = name === undefined ? {} : { label: name };
    const opened = await this.#open({ ...channel, contentTopic, profile, encryption, placement, ...keyed, ...named });
    if (!opened.ok) return false;
    for (const keyId of later) if (!(await this.#parts.manager.changeKey(channel, keyId)).ok) return false;
    return true;
  }

  /**
   * Makes a channel ready: open where the site may use it, and otherwise closed, so that nothing comes in for a site that
   * nobody allowed. The site opens it with its own `createReliableChannel`, is asked for no key, and may name the sender id.
   */
  async #open(params: ChannelParams): Promise<Result<undefined>> {
    const { manager, permissions } = this.#parts;
    const { origin, channelId } = params;
    const created = await manager.createReliableChannel({ ...params, prepared: true });
    if (!created.ok || permissions.grants(origin).length > 0) return done(created);
    return done(await manager.closeChannel({ origin, channelId }, "user"));
  }

  async #chosen(choice: Parameters<typeof carryOut>[1], origin: string): Promise<Result<StoredKeyId>> {
    const chosen = await carryOut(this.#parts.keys, choice);
    if (!chosen.ok) return chosen;
    const bound = await this.#parts.transactor.run(() => chosen.value.bind(origin));
    return bound.ok ? ok(chosen.value.keyId) : bound;
  }

  async #bind(keyId: StoredKeyId, origin: string, consent: boolean): Promise<Result<undefined>> {
    const { transactor, keys } = this.#parts;
    return done(await transactor.run(() => keys.bind(keyId, origin, consent ? "given" : "none")));
  }

  #summary({ origin, channelId }: ChannelKey): ChannelSummary | undefined {
    return this.#parts.manager.summaries().find((known) => known.origin === origin && known.channelId === channelId);
  }
}

const NO_CHANNEL = err("There is no such channel.");
const NO_SITE = err("A site's address is https:// and its name, without a path.");

/** What others called it is no reason to refuse their key. */
function keyName(given: string): string {
  const visible = given.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "").trim();
  const cut = [...visible].slice(0, LIMITS.keys.nameChars).join("").trim();
  return cut === "" ? "Invitation" : cut;
}

function labelProblem(label: string): string | undefined {
  const { nameChars } = LIMITS.keys;
  if (label.trim() === "") return "A channel needs a name.";
  return [...label.trim()].length > nameChars ? `A name has ${nameChars} characters at most.` : undefined;
}
