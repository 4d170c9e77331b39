import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromHex, utf8 } from "../../../src/common/bytes.ts";
import { pbkdf2 } from "../../../src/keys/password-seal.ts";
import type { Vault } from "../../../src/keys/vault.ts";
import { readVaultRow, type VaultRow } from "../../../src/keys/vault-row.ts";
import { LIMITS } from "../../../src/limits.ts";
import { TABLES } from "../../../src/storage/schema.ts";
import { flipBit } from "./support.ts";
import { contains, Machine, quickDerive } from "./vault-world.ts";

const PASSWORD = "correct horse";
const ok = { ok: true, value: undefined };

async function stored(machine: Machine): Promise<VaultRow> {
  const row = readVaultRow(await machine.disk.get("vault", ["vault"]));
  if (row === undefined) throw new Error("there is no vault row");
  return row;
}

const store = (machine: Machine, row: unknown) => machine.disk.commit([{ table: "vault", key: ["vault"], row }]);

async function kindOf(result: ReturnType<Vault["unlock"]>): Promise<string> {
  const outcome = await result;
  return outcome.ok ? "ok" : outcome.error.kind;
}

/** A machine with a password and one key, whose worker is gone. */
async function locked(): Promise<{ readonly machine: Machine; readonly secret: Uint8Array; readonly keyId: string }> {
  const machine = new Machine();
  const { vault, keys } = await machine.boot();
  expect(await vault.setPassword(PASSWORD)).toEqual(ok);
  const made = await keys.make("Friends");
  if (!made.ok) throw new Error(made.error.message);
  const secret = keys.bytes(made.value.id);
  if (!secret.ok) throw new Error(secret.error.message);
  await vault.settled();
  machine.endBrowser();
  return { machine, secret: secret.value, keyId: made.value.id };
}

describe("a vault without a password", () => {
  test("is open from the first start on, and after every other", async () => {
    const machine = new Machine();
    const first = await machine.boot();
    const made = await first.keys.make("Friends");
    expect(first.vault.state).toBe("open");
    expect(first.vault.hasPassword).toBe(false);
    machine.endBrowser();
    const second = await machine.boot();
    expect(second.vault.state).toBe("open");
    expect(made.ok && second.keys.bytes(made.value.id)).toEqual(made.ok && first.keys.bytes(made.value.id));
    expect(machine.session.items.size).toBe(0);
  });

  test("still keeps keys sealed in their rows: only the data key is in clear", async () => {
    const machine = new Machine();
    const { keys } = await machine.boot();
    const made = await keys.make("Friends");
    const secret = made.ok ? keys.bytes(made.value.id) : made;
    if (!secret.ok) throw new Error(secret.error.message);
    expect(contains(await machine.dump(TABLES), secret.value)).toBe(false);
    const row = await stored(machine);
    expect(row.protection.kind === "none" && contains(await machine.dump(TABLES), row.protection.dataKey)).toBe(true);
  });

  test("has nothing to unlock, lock or change", async () => {
    const { vault } = await new Machine().boot();
    expect(await kindOf(vault.unlock(PASSWORD))).toBe("no-password");
    expect(await kindOf(vault.changePassword(PASSWORD, PASSWORD))).toBe("no-password");
    expect(await kindOf(vault.removePassword(PASSWORD))).toBe("no-password");
    await vault.lock();
    expect(vault.state).toBe("open");
    expect(await kindOf(vault.setPassword("short"))).toBe("bad-password");
    expect(await kindOf(vault.setPassword("x".repeat(LIMITS.keys.passwordMaxChars + 1)))).toBe("bad-password");
    expect(vault.state).toBe("open");
  });
});

describe("a vault with a password", () => {
  test("opens with it and with no other, and what is in it is what was", async () => {
    const { machine, secret, keyId } = await locked();
    const { vault, keys } = await machine.boot();
    expect(vault.state).toBe("locked");
    expect(keys.bytes(keyId)).toMatchObject({ ok: false, error: { kind: "locked" } });
    expect(keys.list()).toMatchObject([{ name: "Friends" }]);
    expect(keys.info(keyId)?.fingerprint).toBeUndefined();
    for (const wrong of ["", "correct hors", `${PASSWORD} `, PASSWORD.toUpperCase()]) {
      expect(await kindOf(vault.unlock(wrong))).toBe("wrong-password");
      expect(vault.state).toBe("locked");
    }
    expect(await vault.unlock(PASSWORD)).toEqual(ok);
    expect(vault.state).toBe("unlocked");
    expect(keys.bytes(keyId)).toEqual({ ok: true, value: secret });
  });

  test("lets nothing of password, data key or channel keys onto the disk, while a canary is found", async () => {
    const { machine, secret } = await locked();
    const { vault, dataKeys } = await machine.boot();
    await vault.unlock(PASSWORD);
    const dump = await machine.dump(TABLES);
    expect(dataKeys.ring).toHaveLength(1);
    for (const [, dataKey] of dataKeys.ring) expect(contains(dump, dataKey)).toBe(false);
    expect(contains(dump, secret)).toBe(false);
    expect(contains(dump, utf8(PASSWORD))).toBe(false);
    for (const form of [secret, Buffer.from(secret).toString("hex"), Buffer.from(secret).toString("base64")]) {
      await machine.disk.commit([{ table: "prompts", key: ["canary"], row: { form } }]);
      expect(contains(await machine.dump(TABLES), secret)).toBe(true);
    }
  });

  test("makes a new data key when the first password is set, and puts keys under it in the same transaction", async () => {
    const machine = new Machine();
    const { vault, keys, dataKeys } = await machine.boot();
    const made = await keys.make("Friends");
    const before = made.ok ? keys.bytes(made.value.id) : made;
    const [[, old] = [0, new Uint8Array(0)]] = dataKeys.ring;
    const oldKey = new Uint8Array(old);
    const commits = machine.disk.commits;
    await vault.setPassword(PASSWORD);
    expect(machine.disk.commits).toBe(commits + 1);
    expect(made.ok && keys.bytes(made.value.id)).toEqual(before);
    const [row] = await machine.disk.scan("keys", []);
    expect(row?.row).toMatchObject({ key: { by: 2 } });
    await vault.settled();
    expect(dataKeys.ring.map(([number]) => number)).toEqual([2]);
    expect((await stored(machine)).earlier).toEqual([]);
    expect(contains(await machine.dump(TABLES), oldKey)).toBe(false);
  });

  test("stays unlocked when the worker dies, and is locked once the browser ended", async () => {
    const { machine, secret, keyId } = await locked();
    const first = await machine.boot();
    await first.vault.unlock(PASSWORD);
    first.vault.stop();
    const second = await machine.boot();
    expect(second.vault.state).toBe("unlocked");
    expect(second.keys.bytes(keyId)).toEqual({ ok: true, value: secret });
    machine.endBrowser();
    expect((await machine.boot()).vault.state).toBe("locked");
  });

  test("takes no session of another vault, and none that makes no sense", async () => {
    const { machine } = await locked();
    const { vault } = await machine.boot();
    await vault.unlock(PASSWORD);
    const [session] = machine.session.items.values();
    const other = await locked();
    for (const value of [session, "text", null, { vaultId: 1 }, { ...(session as object), ring: [[2, "AA=="]] }]) {
      other.machine.session.items.set("vault", value);
      expect((await other.machine.boot()).vault.state).toBe("locked");
      expect(other.machine.session.items.size).toBe(0);
    }
  });

  test("locks at once: keys are gone from memory and session", async () => {
    const { machine, keyId } = await locked();
    const { vault, keys, dataKeys } = await machine.boot();
    await vault.unlock(PASSWORD);
    const held = dataKeys.ring.map(([, key]) => key);
    const told: string[] = [];
    vault.listen((state) => told.push(state));
    const done = vault.lock();
    expect(vault.state).toBe("locked");
    expect(told).toEqual(["locked"]);
    expect(keys.bytes(keyId)).toMatchObject({ error: { kind: "locked" } });
    for (const key of held) expect(key.every((byte) => byte === 0)).toBe(true);
    await done;
    expect(machine.session.items.size).toBe(0);
    expect((await machine.boot()).vault.state).toBe("locked");
  });

  test("a lock that comes while something else is under way is not undone by it", async () => {
    const { machine } = await locked();
    const { vault } = await machine.boot();
    await vault.unlock(PASSWORD);
    const changing = vault.changePassword(PASSWORD, "another password");
    const locking = vault.lock();
    expect(await kindOf(changing)).toBe("locked");
    await locking;
    expect(vault.state).toBe("locked");
    expect(machine.session.items.size).toBe(0);
    expect(await kindOf(vault.unlock(PASSWORD))).toBe("ok");
  });

  test("who starts after a lock finds it locked, also where the lock had to wait for something under way", async () => {
    const { machine } = await locked();
    const { vault } = await machine.boot();
    await vault.unlock(PASSWORD);
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    machine.derive = async (...args) => {
      await released;
      return quickDerive(...args);
    };
    const changing = vault.changePassword(PASSWORD, "another password");
    const locking = vault.lock();
    const stopped = vault.stop();
    release();
    await stopped;
    expect((await machine.boot()).vault.state).toBe("locked");
    await Promise.all([changing, locking]);
  });

  test("a lock that comes while a password is being checked prevents what it was asked for", async () => {
    for (const change of ["changePassword", "removePassword"] as const) {
      const { machine } = await locked();
      const { vault } = await machine.boot();
      await vault.unlock(PASSWORD);
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      const { promise: deriving, resolve: started } = Promise.withResolvers<void>();
      machine.derive = async (...args) => {
        started();
        await released;
        return quickDerive(...args);
      };
      const changing = vault[change](PASSWORD, "another password");
      await deriving;
      const locking = vault.lock();
      release();
      expect(await kindOf(changing)).toBe("locked");
      await locking;
      expect(vault.state).toBe("locked");
      expect(await kindOf(vault.unlock(PASSWORD))).toBe("ok");
    }
  });

  test("changes its password", async () => {
    const { machine, secret, keyId } = await locked();
    const { vault } = await machine.boot();
    expect(await kindOf(vault.changePassword(PASSWORD, "another password"))).toBe("locked");
    await vault.unlock(PASSWORD);
    expect(await kindOf(vault.changePassword("wrong one", "another password"))).toBe("wrong-password");
    expect(await kindOf(vault.changePassword(PASSWORD, "short"))).toBe("bad-password");
    expect(await vault.changePassword(PASSWORD, "another password")).toEqual(ok);
    machine.endBrowser();
    const next = await machine.boot();
    expect(await kindOf(next.vault.unlock(PASSWORD))).toBe("wrong-password");
    expect(await kindOf(next.vault.unlock("another password"))).toBe("ok");
    expect(next.keys.bytes(keyId)).toEqual({ ok: true, value: secret });
  });

  test("loses its password to the one who knows it, and takes another with a new data key", async () => {
    const { machine, secret, keyId } = await locked();
    const { vault } = await machine.boot();
    await vault.unlock(PASSWORD);
    expect(await kindOf(vault.removePassword("wrong one"))).toBe("wrong-password");
    expect(await vault.removePassword(PASSWORD)).toEqual(ok);
    expect(vault.state).toBe("open");
    machine.endBrowser();
    const next = await machine.boot();
    expect(next.vault.state).toBe("open");
    expect(next.keys.bytes(keyId)).toEqual({ ok: true, value: secret });
    await next.vault.setPassword("another password");
    await next.vault.settled();
    expect((await stored(machine)).dataKeyNumber).toBe(3);
    expect(await kindOf(next.vault.setPassword("third password"))).toBe("has-password");
    expect(next.keys.bytes(keyId)).toEqual({ ok: true, value: secret });
  });

  test("equal passwords from different keyboards are equal", async () => {
    const machine = new Machine();
    machine.derive = pbkdf2;
    const { vault } = await machine.boot();
    await vault.setPassword("Caf\u00e9 12345");
    await vault.lock();
    expect(await kindOf(vault.unlock("Cafe\u0301 12345"))).toBe("ok");
    expect((await stored(machine)).protection).toMatchObject({
      wrapped: { kdf: { name: "PBKDF2-SHA-256", iterations: LIMITS.keys.kdfIterations } },
    });
    expect(LIMITS.keys.kdfIterations).toBeGreaterThanOrEqual(600_000);
  });
});

describe("auto-lock", () => {
  const minutes = (count: number) => count * 60_000;

  test("locks after the time without use, and use puts it off", async () => {
    const { machine } = await locked();
    const { vault } = await machine.boot();
    await vault.unlock(PASSWORD);
    expect(await vault.setAutoLock(minutes(10))).toEqual(ok);
    await machine.clock.advance(minutes(9));
    await vault.touch();
    expect(vault.locksAt).toBe(machine.clock.now() + minutes(10));
    await machine.clock.advance(minutes(9));
    expect(vault.state).toBe("unlocked");
    await machine.clock.advance(minutes(1));
    expect(vault.state).toBe("locked");
    expect(machine.session.items.size).toBe(0);
  });

  test("its deadline survives the worker: it is not put off by a restart", async () => {
    const { machine } = await locked();
    const first = await machine.boot();
    await first.vault.unlock(PASSWORD);
    await first.vault.setAutoLock(minutes(10));
    expect(machine.woken.at(-1)).toBe(first.vault.locksAt);
    first.vault.stop();
    await machine.clock.sleep(minutes(6));
    const second = await machine.boot();
    expect(second.vault.state).toBe("unlocked");
    await machine.clock.advance(minutes(4));
    expect(second.vault.state).toBe("locked");
  });

  test("a worker that starts after the deadline finds the vault locked and clears the session", async () => {
    const { machine } = await locked();
    const first = await machine.boot();
    await first.vault.unlock(PASSWORD);
    first.vault.stop();
    await machine.clock.sleep(LIMITS.keys.autoLockMs);
    expect((await machine.boot()).vault.state).toBe("locked");
    expect(machine.session.items.size).toBe(0);
  });

  test("a machine that slept past the deadline is locked when it wakes", async () => {
    const { machine } = await locked();
    const { vault } = await machine.boot();
    await vault.unlock(PASSWORD);
    await machine.clock.sleep(LIMITS.keys.autoLockMs + 1);
    expect(vault.state).toBe("locked");
  });

  test("a clock that was set back does not keep it unlocked", async () => {
    const { machine } = await locked();
    const { vault } = await machine.boot();
    await vault.unlock(PASSWORD);
    vault.stop();
    await machine.clock.sleep(-minutes(60 * 24));
    expect((await machine.boot()).vault.state).toBe("locked");
  });

  test("never, if the person wants that, and only within bounds otherwise", async () => {
    const { machine } = await locked();
    const { vault } = await machine.boot();
    await vault.unlock(PASSWORD);
    expect(await vault.setAutoLock(null)).toEqual(ok);
    expect(vault.locksAt).toBeNull();
    await machine.clock.advance(2 * LIMITS.keys.autoLockMaxMs);
    expect(vault.state).toBe("unlocked");
    for (const time of [0, -1, Number.NaN, LIMITS.keys.autoLockMinMs - 1, LIMITS.keys.autoLockMaxMs + 1]) {
      expect(await kindOf(vault.setAutoLock(time))).toBe("bad-time");
    }
  });
});

describe("what is damaged", () => {
  type Wrapped = { readonly kdf: Record<string, unknown>; readonly sealed: Uint8Array; readonly checksum: Uint8Array };

  async function unlockedWith(change: (wrapped: Wrapped) => unknown): Promise<string> {
    const { machine } = await locked();
    const row = await stored(machine);
    const wrapped = row.protection.kind === "password" ? row.protection.wrapped : undefined;
    const changed = { ...row, protection: { kind: "password", wrapped: change(wrapped as Wrapped) } };
    await store(machine, changed);
    const { vault } = await machine.boot();
    const kind = await kindOf(vault.unlock(PASSWORD));
    expect(vault.state).toBe("locked");
    // Nothing was deleted, nothing repaired.
    expect(await machine.disk.get("vault", ["vault"])).toEqual(changed);
    expect(machine.disk.count("keys")).toBe(1);
    return kind;
  }

  test("a wrong password, a tampered blob and lost parameters are three different errors", async () => {
    const { machine } = await locked();
    const { vault } = await machine.boot();
    expect(await kindOf(vault.unlock("not the password"))).toBe("wrong-password");
    expect(await unlockedWith((wrapped) => ({ ...wrapped, sealed: flipBit(wrapped.sealed, 300) }))).toBe("damaged");
    expect(await unlockedWith(({ sealed, checksum }) => ({ sealed, checksum }))).toBe("lost-parameters");
  });

  test("any flipped bit of the blob is damage, and not a wrong password", async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom("sealed", "checksum"), fc.nat(), async (part, bit) => {
        const kind = await unlockedWith((wrapped) => ({ ...wrapped, [part]: flipBit(wrapped[part], bit) }));
        expect(kind).toBe("damaged");
      }),
      { numRuns: 30 },
    );
    const salted = (salt: Uint8Array) => flipBit(salt, 5);
    const kdf = await unlockedWith((w) => ({ ...w, kdf: { ...w.kdf, salt: salted(w.kdf["salt"] as Uint8Array) } }));
    expect(kdf).toBe("damaged");
    expect(await unlockedWith((wrapped) => ({ kdf: wrapped.kdf }))).toBe("damaged");
  });

  test("parameters that ask for less work are refused, whoever wrote them", async () => {
    for (const iterations of [1, 1000, LIMITS.keys.kdfIterations - 1]) {
      const kind = await unlockedWith((wrapped) => ({ ...wrapped, kdf: { ...wrapped.kdf, iterations } }));
      expect(kind).toBe("weak-parameters");
    }
    const endless = 2 ** 40;
    expect(await unlockedWith((w) => ({ ...w, kdf: { ...w.kdf, iterations: endless } }))).toBe("damaged");
  });

  test.each([
    { name: "MD5" },
    { salt: undefined },
    { salt: new Uint8Array(3) },
    { iterations: "600000" },
    { iterations: 0 },
  ])("unreadable parameters are lost parameters: %j", async (change) => {
    const kind = await unlockedWith((wrapped) => ({ ...wrapped, kdf: { ...wrapped.kdf, ...change } }));
    expect(kind).toBe("lost-parameters");
  });

  test("a record that is missing beside keys, or unreadable, opens nothing and is not replaced", async () => {
    for (const row of [undefined, "garbage", { id: "x" }, { protection: { kind: "none" } }]) {
      const { machine } = await locked();
      await store(machine, row);
      const { vault, keys, dataKeys } = await machine.boot();
      expect(vault.state).toBe("damaged");
      expect(vault.locked).toBe(true);
      expect(dataKeys.seals).toBe(true);
      expect(await kindOf(vault.unlock(PASSWORD))).toBe("lost-parameters");
      expect(await kindOf(vault.setPassword(PASSWORD))).toBe("lost-parameters");
      expect((await keys.make("New")).ok).toBe(false);
      expect(await machine.disk.get("vault", ["vault"])).toEqual(row);
      expect(machine.disk.count("keys")).toBe(1);
    }
  });
});

test("PBKDF2-SHA-256 as RFC 7914 §11 has it", async () => {
  const derived = await pbkdf2("passwd", utf8("salt"), 1);
  expect(derived).toEqual(fromHex("55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"));
});
