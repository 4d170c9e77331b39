/**
 * The vault: who may use the data key, which seals channel keys and, with a password, everything that people wrote.
 *
 * Without a password the data key stands in the database, so that keys are as safe as the profile of the browser and no
 * safer. With one, the database holds it only wrapped by a key derived from the password. While unlocked it is in
 * `storage.session`, which browsers keep in memory and hide from content scripts; that is how a restarted worker is still
 * unlocked.
 *
 * Setting the first password makes a new data key, since the old one lay on the disk and what is deleted there is not at
 * once gone. Channel keys are sealed anew in the same transaction, content in the background. Changing a password wraps
 * the same data key anew. Removing it leaves sealed content sealed, by a data key that anyone may read.
 *
 * A row that cannot be read opens nothing and is left as it is: it may be what a backup of the disk can repair.
 */
import type { Storage } from "../channel/ports.ts";
import { type Bytes, toHex, utf8 } from "../common/bytes.ts";
import type { Clock } from "../common/clock.ts";
import { err, ok, type Result } from "../common/result.ts";
import { type Journal, Table } from "../common/table.ts";
import type { Transactor } from "../common/transactor.ts";
import { KEY_BYTES, open, seal } from "../encryption/aead.ts";
import { type RandomBytes, systemRandom } from "../encryption/random.ts";
import { LIMITS } from "../limits.ts";
import type { DataKeys, KeyRing } from "./data-keys.ts";
import {
  type DeriveKey,
  openWithPassword,
  type PasswordSealError,
  passwordProblem,
  pbkdf2,
  sealWithPassword,
} from "./password-seal.ts";
import { readSession, readVaultRow, type VaultRow, writeSession } from "./vault-row.ts";

const TABLE = "vault";
const ROW = "vault";
const SESSION_KEY = "vault";
const ID_BYTES = 16;

/** `storage.session`, as far as it is used. */
export interface SessionArea {
  get(key: string): Promise<Record<string, unknown>>;
  set(items: Record<string, unknown>): Promise<void>;
  remove(key: string): Promise<void>;
}

export type VaultState =
  /** No password is set. */
  | "open"
  | "unlocked"
  | "locked"
  /** What is stored cannot be read; nothing can be unlocked. */
  | "damaged";

export interface VaultError {
  readonly kind: PasswordSealError["kind"] | "bad-password" | "locked" | "no-password" | "has-password" | "bad-time";
  readonly message: string;
}

export interface VaultParts {
  /** The storage itself or the sealed one: the vault's row holds no content. */
  readonly storage: Storage;
  readonly journal: Journal;
  readonly transactor: Transactor;
  readonly clock: Clock;
  readonly dataKeys: DataKeys;
  readonly session: SessionArea;
  /** Seals all stored content with the data key that is the current one at the call; false if it stops being that. */
  readonly resealContent: () => Promise<boolean>;
  /** Asks to be woken at a time, in milliseconds since the Unix epoch, should the worker not live until then. */
  readonly wakeAt?: (at: number | undefined) => void;
  readonly random?: RandomBytes;
  readonly derive?: DeriveKey;
}

const failed = (kind: VaultError["kind"], message: string) => err<VaultError>({ kind, message });
const LOCKED = failed("locked", "The vault is locked: unlock it first.");
const NO_PASSWORD = failed("no-password", "No password is set.");
const LOST = failed("lost-parameters", "The vault's own record is missing or unreadable. Nothing was deleted.");

export class Vault {
  readonly #parts: VaultParts & { readonly random: RandomBytes; readonly derive: DeriveKey };
  readonly #table: Table<string, VaultRow>;
  readonly #listeners = new Set<(state: VaultState) => void>();
  readonly #rotations: (() => void)[] = [];
  #until: number | null = null;
  #cancelTimer: (() => void) | undefined;
  #busy: Promise<unknown> = Promise.resolve();
  #resealing: Promise<void> | undefined;

  /** Reads what is stored, or makes the first data key. Unlocked if the session still holds the key and its time is not up. */
  static async load(parts: VaultParts): Promise<Vault> {
    const [stored, [anyKey], held] = await Promise.all([
      parts.storage.get(TABLE, [ROW]),
      parts.storage.scan("keys", [], { limit: 1 }),
      parts.session.get(SESSION_KEY),
    ]);
    const row = readVaultRow(stored);
    const vault = new Vault(parts, row);
    // A missing row beside keys is a loss, and not a beginning.
    if (row === undefined && stored === undefined && anyKey === undefined) await vault.#begin();
    else if (row !== undefined) await vault.#resume(row, held[SESSION_KEY]);
    return vault;
  }

  private constructor(parts: VaultParts, row: VaultRow | undefined) {
    this.#parts = { ...parts, random: parts.random ?? systemRandom, derive: parts.derive ?? pbkdf2 };
    this.#table = new Table(TABLE, parts.journal, [], row === undefined ? [] : [[ROW, row]]);
  }

  get state(): VaultState {
    const row = this.#row;
    if (row === undefined) return "damaged";
    if (row.protection.kind === "none") return this.#parts.dataKeys.current === undefined ? "damaged" : "open";
    return this.#parts.dataKeys.current === undefined ? "locked" : "unlocked";
  }

  /** Keys and content cannot be had for now. */
  get locked(): boolean {
    return this.#parts.dataKeys.current === undefined;
  }

  get hasPassword(): boolean {
    return this.#row?.protection.kind === "password";
  }

  /** Milliseconds without use until it locks; `null`: when the browser ends. */
  get autoLockMs(): number | null {
    return this.#row?.autoLockMs ?? null;
  }

  /** When it locks unless it is used: milliseconds since the Unix epoch. `null` if at no certain time. */
  get locksAt(): number | null {
    return this.state === "unlocked" ? this.#until : null;
  }

  /** Called after every change of the state. Returns what ends it. */
  listen(listener: (state: VaultState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Called inside the transaction that replaced the data key: whoever holds sealed rows seals them anew, at once. */
  onRotation(rotate: () => void): void {
    this.#rotations.push(rotate);
  }

  /** Takes up again what a restart cut short. */
  start(): void {
    this.#resealIfNeeded();
    this.#arm();
  }

  /** The worker ends, or its engine does. What is unlocked stays so. Resolves when the session says what whoever starts next is to find. */
  async stop(): Promise<void> {
    this.#disarm();
    await this.#busy;
  }

  /** Resolves when no content waits to be sealed anew, or none can be for now. */
  async settled(): Promise<void> {
    await this.#resealing;
  }

  unlock(password: string): Promise<Result<void, VaultError>> {
    return this.#inTurn(async () => {
      const row = this.#row;
      if (row === undefined) return LOST;
      if (row.protection.kind === "none") return NO_PASSWORD;
      const dataKey = await this.#unwrap(row, password);
      if (!dataKey.ok) return dataKey;
      this.#parts.dataKeys.hold(ringOf(row, dataKey.value), true);
      await this.#extend();
      this.#tell();
      this.#resealIfNeeded();
      return ok(undefined);
    });
  }

  /** At once: when this returns its promise, no key is left in memory. Resolves when none is left in the session either. */
  async lock(): Promise<void> {
    if (this.state !== "unlocked") return;
    this.#parts.dataKeys.lock();
    this.#disarm();
    this.#parts.wakeAt?.(undefined);
    this.#tell();
    // After whatever is under way, which may be about to keep the session.
    await this.#inTurn(() => (this.locked ? this.#parts.session.remove(SESSION_KEY) : Promise.resolve()));
  }

  /** Sets the first password. */
  setPassword(password: string): Promise<Result<void, VaultError>> {
    return this.#inTurn(async () => {
      const row = this.#row;
      if (row === undefined) return LOST;
      if (row.protection.kind === "password") return failed("has-password", "A password is set already: change it.");
      const problem = passwordProblem(password);
      if (problem !== undefined) return failed("bad-password", problem);
      const { dataKeys, random, transactor } = this.#parts;
      if (dataKeys.current === undefined) return LOST;

      const dataKey = random(KEY_BYTES);
      const wrapped = await sealWithPassword(dataKey, password, purposeOf(row), this.#parts);
      const dataKeyNumber = row.dataKeyNumber + 1;
      await transactor.run(() => {
        const earlier = dataKeys.ring.map(([number, key]) => {
          return { number, sealed: seal(dataKey, key, earlierData(row, number), random) };
        });
        this.#table.put(ROW, { ...row, dataKeyNumber, protection: { kind: "password", wrapped }, earlier });
        dataKeys.hold([...dataKeys.ring, [dataKeyNumber, dataKey]], true);
        for (const rotate of this.#rotations) rotate();
      });
      await this.#extend();
      this.#tell();
      this.#resealIfNeeded();
      return ok(undefined);
    });
  }

  changePassword(old: string, password: string): Promise<Result<void, VaultError>> {
    return this.#inTurn(async () => {
      const opened = await this.#confirm(old);
      if (!opened.ok) return opened;
      const problem = passwordProblem(password);
      if (problem !== undefined) return failed("bad-password", problem);
      const { row, dataKey } = opened.value;
      const wrapped = await sealWithPassword(dataKey, password, purposeOf(row), this.#parts);
      await this.#update((current) => ({ ...current, protection: { kind: "password", wrapped } }));
      return ok(undefined);
    });
  }

  /** From now on the data key stands in the database. */
  removePassword(password: string): Promise<Result<void, VaultError>> {
    return this.#inTurn(async () => {
      const opened = await this.#confirm(password);
      if (!opened.ok) return opened;
      const { dataKey } = opened.value;
      await this.#update((current) => {
        this.#parts.dataKeys.hold(ringOf(current, dataKey), false);
        return { ...current, protection: { kind: "none", dataKey } };
      });
      this.#disarm();
      this.#parts.wakeAt?.(undefined);
      await this.#parts.session.remove(SESSION_KEY);
      this.#tell();
      return ok(undefined);
    });
  }

  /** `null`: only when the browser ends. Otherwise within `LIMITS.keys.autoLockMinMs` and `autoLockMaxMs`. */
  setAutoLock(autoLockMs: number | null): Promise<Result<void, VaultError>> {
    return this.#inTurn(async () => {
      if (this.#row === undefined) return LOST;
      const { autoLockMinMs, autoLockMaxMs } = LIMITS.keys;
      if (autoLockMs !== null && !(autoLockMs >= autoLockMinMs && autoLockMs <= autoLockMaxMs)) {
        return failed("bad-time", `The vault can lock after ${autoLockMinMs} to ${autoLockMaxMs} ms.`);
      }
      await this.#update((current) => ({ ...current, autoLockMs }));
      if (this.state === "unlocked") await this.#extend();
      return ok(undefined);
    });
  }

  /** A person used the extension: the deadline moves. */
  async touch(): Promise<void> {
    if (this.state !== "unlocked" || this.#until === null || this.#lockIfDue()) return;
    const until = this.#parts.clock.now() + (this.autoLockMs ?? 0);
    if (until - this.#until < LIMITS.keys.autoLockStepMs) return;
    await this.#inTurn(async () => {
      if (this.state === "unlocked") await this.#extend();
    });
  }

  get #row(): VaultRow | undefined {
    return this.#table.get(ROW);
  }

  async #begin(): Promise<void> {
    const { random, dataKeys, transactor } = this.#parts;
    const dataKey = random(KEY_BYTES);
    const row: VaultRow = {
      id: toHex(random(ID_BYTES)),
      dataKeyNumber: 1,
      protection: { kind: "none", dataKey },
      earlier: [],
      autoLockMs: LIMITS.keys.autoLockMs,
    };
    await transactor.run(() => this.#table.put(ROW, row));
    dataKeys.hold([[1, dataKey]], false);
  }

  async #resume(row: VaultRow, held: unknown): Promise<void> {
    const { dataKeys, session, clock } = this.#parts;
    if (row.protection.kind === "none") {
      dataKeys.hold(ringOf(row, row.protection.dataKey), false);
      return;
    }
    const unlocked = readSession(held);
    const dataKey = unlocked?.ring.find(([number]) => number === row.dataKeyNumber)?.[1];
    if (unlocked?.vaultId === row.id && dataKey !== undefined && !this.#isOver(unlocked.until, clock.now())) {
      this.#until = unlocked.until;
      dataKeys.hold(ringOf(row, dataKey), true);
    } else if (held !== undefined) await session.remove(SESSION_KEY);
  }

  async #unwrap(row: VaultRow, password: string): Promise<Result<Bytes, VaultError>> {
    if (row.protection.kind === "none") return NO_PASSWORD;
    const dataKey = await openWithPassword(row.protection.wrapped, password, purposeOf(row), this.#parts.derive);
    if (!dataKey.ok || dataKey.value.length === KEY_BYTES) return dataKey;
    return failed("damaged", "What the password opens is no key. Nothing was deleted.");
  }

  /** The password, asked for once more before something is changed. */
  async #confirm(password: string): Promise<Result<{ readonly row: VaultRow; readonly dataKey: Bytes }, VaultError>> {
    const row = this.#row;
    if (row === undefined) return LOST;
    if (this.state === "locked") return LOCKED;
    const dataKey = await this.#unwrap(row, password);
    if (!dataKey.ok) return dataKey;
    // Deriving a key takes a while, and the time may have run out meanwhile.
    return this.locked ? LOCKED : ok({ row, dataKey: dataKey.value });
  }

  async #update(change: (row: VaultRow) => VaultRow): Promise<void> {
    await this.#parts.transactor.run(() => {
      const row = this.#row;
      if (row !== undefined) this.#table.put(ROW, change(row));
    });
  }

  /** Starts the time anew. */
  async #extend(): Promise<void> {
    const autoLockMs = this.autoLockMs;
    this.#until = autoLockMs === null ? null : this.#parts.clock.now() + autoLockMs;
    this.#parts.wakeAt?.(this.#until ?? undefined);
    this.#arm();
    await this.#keepSession();
  }

  /** Tells the session what a restarted worker needs. */
  async #keepSession(): Promise<void> {
    const row = this.#row;
    const { dataKeys, session } = this.#parts;
    if (row === undefined || this.state !== "unlocked") return;
    await session.set({ [SESSION_KEY]: writeSession({ vaultId: row.id, until: this.#until, ring: dataKeys.ring }) });
  }

  /** A deadline further away than it was ever set means that the clock went back; that is no reason to stay unlocked. */
  #isOver(until: number | null, now: number): boolean {
    return until !== null && (now >= until || until - now > (this.autoLockMs ?? LIMITS.keys.autoLockMaxMs));
  }

  #lockIfDue(): boolean {
    if (this.state !== "unlocked" || !this.#isOver(this.#until, this.#parts.clock.now())) return false;
    // Should the session keep it: its time is over, so whoever reads it next removes it.
    this.lock().catch(() => undefined);
    return true;
  }

  #disarm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** Looks at the clock from time to time, since it may jump and machines sleep. */
  #arm(): void {
    this.#disarm();
    if (this.state !== "unlocked" || this.#until === null) return;
    const left = Math.max(1, this.#until - this.#parts.clock.now());
    this.#cancelTimer = this.#parts.clock.after(Math.min(left, LIMITS.keys.autoLockCheckMs), () => {
      if (!this.#lockIfDue()) this.#arm();
    });
  }

  /** To be called in turn: the current data key is then durable, and nothing may be sealed with one that is not. */
  #resealIfNeeded(): void {
    if (this.state !== "unlocked" || (this.#row?.earlier.length ?? 0) === 0 || this.#resealing) return;
    // A storage that fails is its owner's to notice: everything then starts again, and this with it.
    this.#resealing = this.#reseal().catch(() => undefined);
  }

  async #reseal(): Promise<void> {
    const through = await this.#parts.resealContent();
    await this.#inTurn(async () => {
      this.#resealing = undefined;
      if (this.state !== "unlocked") return;
      // Another password was set meanwhile, or it was locked and unlocked: from the beginning.
      if (!through) return this.#resealIfNeeded();
      await this.#forgetEarlier();
    });
  }

  /** Nothing is sealed with an earlier data key any more. */
  async #forgetEarlier(): Promise<void> {
    const { dataKeys } = this.#parts;
    await this.#update((row) => ({ ...row, earlier: [] }));
    if (this.state !== "unlocked") return;
    dataKeys.hold(dataKeys.ring.slice(-1), true);
    await this.#keepSession();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener(this.state);
  }

  /** One change at a time, in the order of the calls. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work);
    this.#busy = done.catch(() => undefined);
    return done;
  }
}

const purposeOf = (row: VaultRow): string => `reliable-channel vault ${row.id}`;
const earlierData = (row: VaultRow, number: number): Bytes => utf8(`${purposeOf(row)} data key ${number}`);

/** Every data key that something may be sealed with, the current one last. */
function ringOf(row: VaultRow, dataKey: Bytes): KeyRing {
  const earlier = row.earlier.flatMap(({ number, sealed }) => {
    const key = open(dataKey, sealed, earlierData(row, number));
    return key?.length === KEY_BYTES ? [[number, key] as const] : [];
  });
  return [...earlier, [row.dataKeyNumber, dataKey]];
}
