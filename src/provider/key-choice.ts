/** Carries out how the person chose a key: makes it, takes the one that is here, or takes in pasted text. */
import { err, ok, type Result } from "../common/result.ts";
import { parseKey } from "../keys/key-formats.ts";
import type { KeyStore, StoredKeyId } from "../keys/key-store.ts";
import type { UiKeyChoice } from "../ui/background-api.ts";

/** What a choice needs of the key store. */
export type ChoosableKeys = Pick<KeyStore, "make" | "import" | "bytes" | "bind">;

export interface ChosenKey {
  readonly keyId: StoredKeyId;
  /**
   * Inside a transaction: lets the origin use it. An error in words where the key is another site's and the person was
   * not asked about that.
   */
  bind(origin: string): Result<void>;
}

/** The key, stored and readable; or in words why there is none. */
export async function carryOut(keys: ChoosableKeys, choice: UiKeyChoice): Promise<Result<ChosenKey>> {
  const keyId = await storedKey(keys, choice);
  if (!keyId.ok) return keyId;
  const readable = keys.bytes(keyId.value);
  if (!readable.ok) return err(readable.error.message);
  const consent = choice.kind === "pick" && choice.allowNewSite === true ? "given" : "none";
  return ok({
    keyId: keyId.value,
    bind(origin) {
      const bound = keys.bind(keyId.value, origin, consent);
      return bound.ok ? ok(undefined) : err(bound.error.message);
    },
  });
}

async function storedKey(keys: ChoosableKeys, choice: UiKeyChoice): Promise<Result<StoredKeyId>> {
  switch (choice.kind) {
    case "pick":
      return ok(choice.keyId);
    case "make": {
      const made = await keys.make(choice.name);
      return made.ok ? ok(made.value.id) : err(made.error.message);
    }
    case "import": {
      const parsed = parseKey(choice.text);
      if (!parsed.ok) return err(parsed.error.message);
      const imported = await keys.import(choice.name, parsed.value.key, "imported");
      return imported.ok ? ok(imported.value.key.id) : err(imported.error.message);
    }
  }
}
