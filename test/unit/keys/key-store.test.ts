import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toHex } from "../../../src/common/bytes.ts";
import type { Result } from "../../../src/common/result.ts";
import { fingerprintOf } from "../../../src/keys/fingerprint.ts";
import { KEY_FORMATS, parseKey } from "../../../src/keys/key-formats.ts";
import type { KeyError, KeyInfo, KeyStore } from "../../../src/keys/key-store.ts";
import { LIMITS } from "../../../src/limits.ts";
import { bytes, flipBit } from "./support.ts";
import { type Life, Machine } from "./vault-world.ts";

const [SITE, OTHER] = ["https://a.example", "https://b.example"];
const KEY = Uint8Array.from({ length: 32 }, (_, i) => i);

function valueIn<T>(result: Result<T, KeyError>): T {
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

const kindOf = (result: Result<unknown, KeyError>): string => (result.ok ? "ok" : result.error.kind);
const make = async (keys: KeyStore, name = "Friends"): Promise<KeyInfo> => valueIn(await keys.make(name));
const bind = ({ transactor, keys }: Life, ...args: Parameters<KeyStore["bind"]>) =>
  transactor.run(() => keys.bind(...args));

describe("keys", () => {
  test("are made at random, and are there after a restart with all that is known of them", async () => {
    const machine = new Machine();
    const first = await machine.boot();
    const [a, b] = [await make(first.keys, " Friends\n "), await make(first.keys, "Work")];
    expect(a).toMatchObject({ name: "Friends", source: "made", origins: [], uses: [] });
    const [keyA, keyB] = [valueIn(first.keys.bytes(a.id)), valueIn(first.keys.bytes(b.id))];
    expect(keyA).toHaveLength(32);
    expect(toHex(keyA)).not.toBe(toHex(keyB));
    expect(a.fingerprint).toEqual(fingerprintOf(keyA));
    const second = await machine.boot();
    expect(second.keys.list()).toEqual(first.keys.list());
    expect(valueIn(second.keys.bytes(a.id))).toEqual(keyA);
  });

  test("are imported once: one that is there already is recognised and keeps its name", async () => {
    const { keys } = await new Machine().boot();
    const first = valueIn(await keys.import("Friends", KEY, "imported"));
    expect(first).toMatchObject({ known: false, key: { name: "Friends", source: "imported" } });
    expect(valueIn(await keys.import("Another name", KEY.slice(), "invitation"))).toEqual({
      key: first.key,
      known: true,
    });
    const twins = await Promise.all([1, 2].map((n) => keys.import(`Twin ${n}`, flipBit(KEY, 1), "imported")));
    expect(new Set(twins.map((twin) => valueIn(twin).key.id)).size).toBe(1);
    expect(keys.list()).toHaveLength(2);
    expect(keys.find(flipBit(KEY, 2))).toBeUndefined();
    expect(kindOf(await keys.import("Short", KEY.slice(1), "imported"))).toBe("bad-key");
  });

  test("go out in every format and come back the same", async () => {
    const { keys } = await new Machine().boot();
    await fc.assert(
      fc.asyncProperty(bytes(32), fc.constantFrom(...KEY_FORMATS), async (key, format) => {
        const { key: info } = valueIn(await keys.import("k", key, "imported"));
        const parsed = parseKey(valueIn(keys.export(info.id, format)));
        expect(parsed).toMatchObject({ ok: true, value: { key } });
        await keys.delete(info.id);
      }),
      { numRuns: 30 },
    );
    expect(kindOf(keys.export("unknown", "hex"))).toBe("not-found");
  });

  test("have names of one line that can be seen", async () => {
    const { keys } = await new Machine().boot();
    const { id } = await make(keys);
    expect(kindOf(await keys.rename(id, " Fam\u202eily\u0000\n "))).toBe("ok");
    expect(keys.info(id)?.name).toBe("Family");
    for (const [name, kind] of [
      ["", "no-name"],
      ["  ", "no-name"],
      ["\u200b", "no-name"],
      ["x".repeat(LIMITS.keys.nameChars + 1), "name-too-long"],
    ] as const) {
      expect(kindOf(await keys.rename(id, name))).toBe(kind);
      expect(kindOf(await keys.make(name))).toBe(kind);
    }
    expect(kindOf(await keys.rename("unknown", "x"))).toBe("not-found");
  });

  test("are bounded in number", async () => {
    const { keys } = await new Machine().boot();
    for (let i = 0; i < LIMITS.keys.keys; i++) await make(keys, `Key ${i}`);
    expect(kindOf(await keys.make("One more"))).toBe("too-many-keys");
  });

  test("that were changed on the disk are told from those that are locked, and stay where they are", async () => {
    const machine = new Machine();
    const { keys } = await machine.boot();
    const [a, b] = [await make(keys, "A"), await make(keys, "B")];
    const move = await machine.disk.get("keys", [a.id]);
    await machine.disk.commit([
      { table: "keys", key: [b.id], row: move },
      { table: "keys", key: ["c"], row: "garbage" },
    ]);
    const next = await machine.boot();
    expect(kindOf(next.keys.bytes(a.id))).toBe("ok");
    // The very same sealed bytes under another id: bound to theirs.
    expect(kindOf(next.keys.bytes(b.id))).toBe("damaged");
    expect(next.keys.info(b.id)?.fingerprint).toBeUndefined();
    expect(next.keys.list()).toHaveLength(2);
    expect(machine.disk.count("keys")).toBe(3);
  });
});

describe("who may use a key", () => {
  test("the first origin owns it, and has a handle that is the same each time and after a restart", async () => {
    const machine = new Machine();
    const life = await machine.boot();
    const { id } = await make(life.keys);
    const handle = valueIn(await bind(life, id, SITE));
    expect(valueIn(await bind(life, id, SITE))).toBe(handle);
    expect(handle).not.toContain(id);
    expect(life.keys.info(id)).toMatchObject({ owner: SITE, origins: [SITE] });
    const next = await machine.boot();
    expect(valueIn(next.keys.resolve(SITE, handle))).toBe(id);
  });

  test("another origin needs a consent of its own, and gets a handle of its own", async () => {
    const life = await new Machine().boot();
    const { id } = await make(life.keys);
    const handle = valueIn(await bind(life, id, SITE));
    expect(await bind(life, id, OTHER)).toMatchObject({ ok: false, error: { kind: "consent-needed", owner: SITE } });
    expect(life.keys.info(id)?.origins).toEqual([SITE]);
    const theirs = valueIn(await bind(life, id, OTHER, "given"));
    expect(theirs).not.toBe(handle);
    expect(valueIn(await bind(life, id, OTHER))).toBe(theirs);
    expect(life.keys.info(id)).toMatchObject({ owner: SITE, origins: [SITE, OTHER] });
  });

  test("a handle of another origin is as unknown as one that never was", async () => {
    const life = await new Machine().boot();
    const { id } = await make(life.keys);
    const handle = valueIn(await bind(life, id, SITE));
    const theirs = valueIn(await bind(life, id, OTHER, "given"));
    const unknown = life.keys.resolve(SITE, "no such handle");
    expect(life.keys.resolve(OTHER, handle)).toEqual(unknown);
    expect(life.keys.resolve(SITE, theirs)).toEqual(unknown);
    expect(life.keys.resolve(SITE, id)).toEqual(unknown);
    expect(kindOf(unknown)).toBe("not-found");
  });

  test("taken from the only origin that had it, it is nobody's: the next one may have it, and the handle is unknown", async () => {
    const life = await new Machine().boot();
    const { id } = await make(life.keys);
    const handle = valueIn(await bind(life, id, SITE));
    for (let i = 0; i < 2; i++) expect(kindOf(await life.keys.unbind(id, SITE))).toBe("ok");
    expect(life.keys.info(id)?.origins).toEqual([]);
    expect(life.keys.info(id)).not.toHaveProperty("owner");
    expect(kindOf(life.keys.resolve(SITE, handle))).toBe("not-found");
    expect(kindOf(await bind(life, id, OTHER))).toBe("ok");
    expect(kindOf(await bind(life, id, SITE))).toBe("consent-needed");
    expect(kindOf(await life.keys.unbind("unknown", SITE))).toBe("not-found");
  });

  test("taken from its owner, it is the next origin's; taken from another one, it stays the owner's", async () => {
    const life = await new Machine().boot();
    const [a, b] = [await make(life.keys, "A"), await make(life.keys, "B")];
    for (const { id } of [a, b]) {
      valueIn(await bind(life, id, SITE));
      valueIn(await bind(life, id, OTHER, "given"));
    }
    await life.keys.unbind(a.id, SITE);
    await life.keys.unbind(b.id, OTHER);
    expect(life.keys.list()).toMatchObject(
      [
        { id: a.id, owner: OTHER, origins: [OTHER] },
        { id: b.id, owner: SITE, origins: [SITE] },
      ].toSorted((x, y) => (x.id < y.id ? -1 : 1)),
    );
  });

  test.each(["writes", "reads"] as const)(
    "it is not taken from an origin with a channel that %s with it",
    async (as) => {
      const machine = new Machine();
      const life = await machine.boot();
      const { id } = await make(life.keys);
      valueIn(await bind(life, id, SITE));
      valueIn(await bind(life, id, OTHER, "given"));
      machine.uses = [{ origin: SITE, channelId: "room", as }];
      expect(await life.keys.unbind(id, SITE)).toMatchObject({
        ok: false,
        error: { kind: "in-use", uses: machine.uses },
      });
      expect(kindOf(await life.keys.unbind(id, OTHER))).toBe("ok");
      expect(life.keys.info(id)?.origins).toEqual([SITE]);
    },
  );

  test("a key serves a bounded number of sites, and none that does not exist", async () => {
    const life = await new Machine().boot();
    const { id } = await make(life.keys);
    for (let i = 0; i < LIMITS.keys.originsPerKey; i++) valueIn(await bind(life, id, `https://${i}.example`, "given"));
    expect(kindOf(await bind(life, id, SITE, "given"))).toBe("too-many-sites");
    expect(kindOf(await bind(life, "unknown", SITE))).toBe("not-found");
  });
});

describe("deleting a key", () => {
  test("that channels use says which, and does it only when that was confirmed", async () => {
    const machine = new Machine();
    const { keys } = await machine.boot();
    const { id } = await make(keys);
    machine.uses = [{ origin: SITE, channelId: "room", as: "writes" }];
    expect(await keys.delete(id)).toMatchObject({ ok: false, error: { kind: "in-use", uses: machine.uses } });
    expect(keys.info(id)?.uses).toEqual(machine.uses);
    expect(kindOf(await keys.delete(id, "breaks-channels"))).toBe("ok");
    expect(keys.info(id)).toBeUndefined();
    expect(machine.disk.count("keys")).toBe(0);
    expect(kindOf(await keys.delete(id))).toBe("not-found");
  });

  test("that nothing uses needs no confirmation, and works while locked", async () => {
    const { keys, vault } = await new Machine().boot();
    const { id } = await make(keys);
    await vault.setPassword("correct horse");
    await vault.lock();
    expect(kindOf(await keys.make("New"))).toBe("locked");
    expect(kindOf(await keys.import("New", KEY, "imported"))).toBe("locked");
    expect(kindOf(keys.export(id, "hex"))).toBe("locked");
    expect(kindOf(await keys.delete(id))).toBe("ok");
  });
});

describe("the keys of a channel", () => {
  test("follow a change, a lock and a deletion at once", async () => {
    const { keys, vault } = await new Machine().boot();
    const [a, b] = [await make(keys, "A"), await make(keys, "B")];
    const [keyA, keyB] = [valueIn(keys.bytes(a.id)), valueIn(keys.bytes(b.id))];
    let ids: { readonly current: string | undefined; readonly earlier: readonly string[] } = {
      current: a.id,
      earlier: [],
    };
    const ring = keys.channelKeys(() => ids);
    expect([ring.current(), ring.earlier(), ring.unavailable()]).toEqual([{ ok: true, value: keyA }, [], undefined]);
    ids = { current: b.id, earlier: [a.id, "deleted"] };
    expect([ring.current(), ring.earlier()]).toEqual([{ ok: true, value: keyB }, [keyA]]);
    await vault.setPassword("correct horse");
    expect([ring.current(), ring.earlier()]).toEqual([{ ok: true, value: keyB }, [keyA]]);
    await vault.lock();
    expect(ring.unavailable()).toBe("The vault is locked: unlock it first.");
    expect([ring.current().ok, ring.earlier()]).toEqual([false, []]);
    await vault.unlock("correct horse");
    await keys.delete(b.id);
    expect([ring.current(), ring.earlier(), ring.unavailable()]).toEqual([
      { ok: false, error: "There is no such key." },
      [keyA],
      undefined,
    ]);
    ids = { current: undefined, earlier: new Array(100).fill(a.id) };
    expect(ring.current().ok).toBe(false);
    expect(ring.earlier()).toHaveLength(LIMITS.keys.earlierKeys);
  });
});
