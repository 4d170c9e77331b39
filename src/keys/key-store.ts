/**
 * The channel keys of the profile of the browser: what they are called, who may use them, and their bytes, sealed.
 *
 * Pages never see a key, nor its id here. A page holds a handle, which is random, belongs to one origin and one key, and
 * means nothing to anybody else. A key belongs to the origin that first used it. Any other origin needs the person's
 * explicit consent, since whoever uses a key reads what others wrote under it.
 */
import * as v from "valibot";
import type { Storage } from "../channel/ports.ts";
import type { ChannelKey } from "../channel/types.ts";
import { type Bytes, equalBytes, utf8 } from "../common/bytes.ts";
import type { Clock } from "../common/clock.ts";
import { err, ok, type Result } from "../common/result.ts";
import { type Journal, Table } from "../common/table.ts";
import type { Transactor } from "../common/transactor.ts";
import { KEY_BYTES } from "../encryption/aead.ts";
import type { ChannelKeys } from "../encryption/key-cipher.ts";
import { type RandomBytes, systemRandom } from "../encryption/random.ts";
import { LIMITS } from "../limits.ts";
import { isSealed, type Sealed } from "../storage/content-sealer.ts";
import { toBase64 } from "./base64.ts";
import type { DataKeys } from "./data-keys.ts";
import { type Fingerprint, fingerprintOf } from "./fingerprint.ts";
import { formatKey, type KeyFormat } from "./key-formats.ts";
import { visibleName } from "./visible-name.ts";

const TABLE = "keys";
/** Bytes of ids and handles: not to be guessed. */
const ID_BYTES = 16;

/** Identifies a key inside the extension. */
export type StoredKeyId = string;
/** What a page calls a key by: `KeyId` of the page contract. Valid for one origin. */
export type KeyHandle = string;

const row = v.object({
  name: v.string(),
  /** Milliseconds since the Unix epoch, as all times here. */
  createdAt: v.number(),
  source: v.picklist(["made", "imported", "invitation", "backup"]),
  /** The first of the origins that use it. */
  owner: v.exactOptional(v.string()),
  origins: v.array(v.object({ origin: v.string(), handle: v.string(), since: v.number() })),
  key: v.custom<Sealed>(isSealed),
});
type KeyRow = v.InferOutput<typeof row>;

export type KeySource = KeyRow["source"];

export interface KeyInfo {
  readonly id: StoredKeyId;
  readonly name: string;
  readonly createdAt: number;
  readonly source: KeySource;
  /** The first of the origins that may use it. */
  readonly owner?: string;
  /** Every origin that may use it. */
  readonly origins: readonly string[];
  /** Absent while the vault is locked, and of a key that is damaged. */
  readonly fingerprint?: Fingerprint;
  /** Channels that write with it, or read with it what was written before. */
  readonly uses: readonly KeyUse[];
}

export interface KeyUse extends ChannelKey {
  /** `writes`: the channel's current key. `reads`: an earlier one. */
  readonly as: "writes" | "reads";
}

export interface KeyError {
  readonly kind:
    | "not-found"
    | "locked"
    | "damaged"
    | "no-name"
    | "name-too-long"
    | "bad-key"
    | "too-many-keys"
    | "too-many-sites"
    | "consent-needed"
    | "in-use";
  readonly message: string;
  /** With `consent-needed`: whose key it is. */
  readonly owner?: string;
  /** With `in-use`: what will break. */
  readonly uses?: readonly KeyUse[];
}

export interface KeyStoreParts {
  readonly storage: Storage;
  readonly journal: Journal;
  readonly transactor: Transactor;
  readonly clock: Clock;
  readonly dataKeys: DataKeys;
  /** Which channels, open or closed, have this key. */
  readonly usesOf: (id: StoredKeyId) => readonly KeyUse[];
  readonly random?: RandomBytes;
}

const failed = (kind: KeyError["kind"], message: string) => err<KeyError>({ kind, message });
const NOT_FOUND = failed("not-found", "There is no such key.");
const LOCKED = failed("locked", "The vault is locked: unlock it first.");

export class KeyStore {
  readonly #parts: KeyStoreParts & { readonly random: RandomBytes };
  readonly #table: Table<StoredKeyId, KeyRow>;

  static async load(parts: KeyStoreParts): Promise<KeyStore> {
    const stored = await parts.storage.scan(TABLE, []);
    const rows = stored.flatMap(({ key: [id], row: value }) => {
      const parsed = v.safeParse(row, value);
      // One that cannot be read stays in storage as it is.
      return typeof id === "string" && parsed.success ? [[id, parsed.output] as const] : [];
    });
    return new KeyStore(parts, rows);
  }

  private constructor(parts: KeyStoreParts, rows: Iterable<readonly [StoredKeyId, KeyRow]>) {
    this.#parts = { ...parts, random: parts.random ?? systemRandom };
    this.#table = new Table(TABLE, parts.journal, [], rows);
  }

  /** Every key, oldest first. */
  list(): readonly KeyInfo[] {
    return [...this.#table.entries()]
      .sort(([idA, a], [idB, b]) => a.createdAt - b.createdAt || (idA < idB ? -1 : 1))
      .map(([id, stored]) => this.#infoOf(id, stored));
  }

  info(id: StoredKeyId): KeyInfo | undefined {
    const stored = this.#table.get(id);
    return stored && this.#infoOf(id, stored);
  }

  async make(name: string): Promise<Result<KeyInfo, KeyError>> {
    return this.#add(name, this.#parts.random(KEY_BYTES), "made");
  }

  /** `known` if the very same key was there already; it then keeps its name. */
  async import(
    name: string,
    key: Bytes,
    source: Exclude<KeySource, "made">,
  ): Promise<Result<{ readonly key: KeyInfo; readonly known: boolean }, KeyError>> {
    if (key.length !== KEY_BYTES) {
      return failed("bad-key", `A channel key has ${KEY_BYTES} bytes, not ${key.length}.`);
    }
    if (this.#locked) return LOCKED;
    const known = this.find(key);
    if (known) return ok({ key: known, known: true });
    const added = await this.#add(name, key, source);
    return added.ok ? ok({ key: added.value, known: false }) : added;
  }

  /** The key with these bytes, if it is here and the vault is not locked. */
  find(key: Uint8Array): KeyInfo | undefined {
    for (const [id, stored] of this.#table.entries()) {
      const bytes = this.#open(id, stored);
      if (bytes.ok && equalBytes(bytes.value, key)) return this.#infoOf(id, stored);
    }
    return undefined;
  }

  async rename(id: StoredKeyId, name: string): Promise<Result<void, KeyError>> {
    const given = nameOf(name);
    if (!given.ok) return given;
    return this.#change(id, (stored) => ({ ...stored, name: given.value }));
  }

  /**
   * Inside a transaction: lets an origin use a key, and gives the handle it knows the key by, the same each time. For an
   * origin that is not the key's first one, `consent` says that the person saw the warning and agreed.
   */
  bind(id: StoredKeyId, origin: string, consent: "none" | "given" = "none"): Result<KeyHandle, KeyError> {
    const stored = this.#table.get(id);
    if (stored === undefined) return NOT_FOUND;
    const bound = stored.origins.find((other) => other.origin === origin);
    if (bound) return ok(bound.handle);
    const { owner } = stored;
    if (owner !== undefined && owner !== origin && consent !== "given") {
      const message = "Another site uses this key. Sharing it needs a consent of its own.";
      return err({ kind: "consent-needed", message, owner });
    }
    if (stored.origins.length >= LIMITS.keys.originsPerKey) {
      return failed("too-many-sites", `A key serves ${LIMITS.keys.originsPerKey} sites at most.`);
    }
    const handle = this.#newId();
    const entry = { origin, handle, since: this.#parts.clock.now() };
    this.#table.put(id, { ...stored, owner: owner ?? origin, origins: [...stored.origins, entry] });
    return ok(handle);
  }

  /**
   * Takes a key from an origin: its handle becomes unknown. Refused while a channel of the origin has the key. One that was
   * the origin's alone is nobody's again, and so free for the site that was meant.
   */
  async unbind(id: StoredKeyId, origin: string): Promise<Result<void, KeyError>> {
    return this.#parts.transactor.run((): Result<void, KeyError> => {
      const stored = this.#table.get(id);
      if (stored === undefined) return NOT_FOUND;
      const uses = this.#parts.usesOf(id).filter((use) => use.origin === origin);
      if (uses.length > 0) return err({ kind: "in-use", message: "Channels of the site have this key.", uses });
      const { owner, ...rest } = stored;
      const origins = stored.origins.filter((other) => other.origin !== origin);
      const next = owner === origin ? origins[0]?.origin : owner;
      this.#table.put(id, { ...rest, ...(next === undefined ? {} : { owner: next }), origins });
      return ok(undefined);
    });
  }

  /** The key behind a handle. Another origin's handle is as unknown as one that never was. */
  resolve(origin: string, handle: KeyHandle): Result<StoredKeyId, KeyError> {
    for (const [id, { origins }] of this.#table.entries()) {
      if (origins.some((bound) => bound.origin === origin && bound.handle === handle)) return ok(id);
    }
    return NOT_FOUND;
  }

  /** The key as text, for a person who asked for it. */
  export(id: StoredKeyId, format: KeyFormat): Result<string, KeyError> {
    const key = this.bytes(id);
    return key.ok ? ok(formatKey(key.value, format)) : key;
  }

  /** Refused with what will break, unless that was confirmed. */
  async delete(id: StoredKeyId, confirmed: "none" | "breaks-channels" = "none"): Promise<Result<void, KeyError>> {
    const deleted = await this.#parts.transactor.run((): Result<void, KeyError> => {
      if (!this.#table.has(id)) return NOT_FOUND;
      const uses = this.#parts.usesOf(id);
      if (uses.length > 0 && confirmed !== "breaks-channels") {
        return err({ kind: "in-use", message: "Channels use this key; they cannot go on without it.", uses });
      }
      this.#table.delete(id);
      return ok(undefined);
    });
    return deleted;
  }

  /** The 32 bytes of a key, for ciphers, exports, invitations and backups. */
  bytes(id: StoredKeyId): Result<Bytes, KeyError> {
    const stored = this.#table.get(id);
    return stored === undefined ? NOT_FOUND : this.#open(id, stored);
  }

  /** The keys of one channel as its cipher asks for them. `ids` is called each time, so that a change takes effect at once. */
  channelKeys(
    ids: () => { readonly current: StoredKeyId | undefined; readonly earlier: readonly StoredKeyId[] },
  ): ChannelKeys {
    return {
      current: () => {
        const { current } = ids();
        const key = current === undefined ? NOT_FOUND : this.bytes(current);
        return key.ok ? key : err(key.error.message);
      },
      earlier: () =>
        ids()
          .earlier.slice(0, LIMITS.keys.earlierKeys)
          .flatMap((id) => {
            const key = this.bytes(id);
            return key.ok ? [key.value] : [];
          }),
      unavailable: () => (this.#locked ? LOCKED.error.message : undefined),
    };
  }

  /** Inside the transaction that replaced the data key; see `Vault.onRotation`. */
  reseal(): void {
    for (const [id, stored] of [...this.#table.entries()]) {
      const key = this.#open(id, stored);
      const sealed = key.ok ? this.#parts.dataKeys.seal(key.value, associatedData(id)) : undefined;
      // What cannot be opened is left for someone who perhaps can.
      if (sealed?.ok) this.#table.put(id, { ...stored, key: sealed.value });
    }
  }

  get #locked(): boolean {
    return this.#parts.dataKeys.current === undefined;
  }

  async #add(name: string, key: Bytes, source: KeySource): Promise<Result<KeyInfo, KeyError>> {
    const given = nameOf(name);
    if (!given.ok) return given;
    const id = this.#newId();
    return this.#parts.transactor.run((): Result<KeyInfo, KeyError> => {
      // Two imports of one key at once are one key.
      const known = this.find(key);
      if (known) return ok(known);
      if (this.#table.size >= LIMITS.keys.keys)
        return failed("too-many-keys", `There are ${LIMITS.keys.keys} keys at most.`);
      const sealed = this.#parts.dataKeys.seal(key, associatedData(id));
      if (!sealed.ok) return LOCKED;
      const createdAt = this.#parts.clock.now();
      const stored = { name: given.value, createdAt, source, origins: [], key: sealed.value };
      this.#table.put(id, stored);
      return ok(this.#infoOf(id, stored));
    });
  }

  async #change(id: StoredKeyId, change: (stored: KeyRow) => KeyRow): Promise<Result<void, KeyError>> {
    return this.#parts.transactor.run((): Result<void, KeyError> => {
      const stored = this.#table.get(id);
      if (stored === undefined) return NOT_FOUND;
      this.#table.put(id, change(stored));
      return ok(undefined);
    });
  }

  #open(id: StoredKeyId, stored: KeyRow): Result<Bytes, KeyError> {
    const key = this.#parts.dataKeys.unseal(stored.key, associatedData(id));
    if (key.ok) return key;
    if (key.error === "locked") return LOCKED;
    return failed("damaged", "The stored key was changed or damaged. Nothing was deleted.");
  }

  #infoOf(id: StoredKeyId, stored: KeyRow): KeyInfo {
    const { name, createdAt, source, owner, origins } = stored;
    const key = this.#open(id, stored);
    return {
      id,
      name,
      createdAt,
      source,
      ...(owner === undefined ? {} : { owner }),
      origins: origins.map(({ origin }) => origin),
      ...(key.ok ? { fingerprint: fingerprintOf(key.value) } : {}),
      uses: this.#parts.usesOf(id),
    };
  }

  #newId(): string {
    return toBase64(this.#parts.random(ID_BYTES), "base64url");
  }
}

const associatedData = (id: StoredKeyId): Bytes => utf8(JSON.stringify([TABLE, id]));

function nameOf(name: string): Result<string, KeyError> {
  const given = visibleName(name);
  const { nameChars } = LIMITS.keys;
  if (given.length === 0) return failed("no-name", "A key needs a name.");
  if ([...given].length > nameChars) return failed("name-too-long", `A name has ${nameChars} characters at most.`);
  return ok(given);
}
