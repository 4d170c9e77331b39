/** Carries out how the person chose a key: makes it, takes the one that is here, or takes in pasted text. */
import { err, ok } from "../common/result.ts";
import { parseKey } from "../keys/key-formats.ts";
import type { KeyStore, StoredKeyId } from "../keys/key-store.ts";
import type { UiKeyChoice } from "../ui/background-api.ts";
import { type Carried, keyRefusal, textRefusal } from "./refusals.ts";

/** What a choice needs of the key store. */
export type ChoosableKeys = Pick<KeyStore, "make" | "import" | "bytes" | "bind">;

export interface ChosenKey {
  readonly keyId: StoredKeyId;
  /**
   * Inside a transaction: lets the origin use it. Refused where the key is another site's and the person was not asked
   * about that.
   */
  bind(origin: string): Carried<void>;
}

/** The key, stored and readable; or why there is none. */
export async function carryOut(keys: ChoosableKeys, choice: UiKeyChoice): Promise<Carried<ChosenKey>> {
  const keyId = await storedKey(keys, choice);
  if (!keyId.ok) return keyId;
  const readable = keys.bytes(keyId.value);
  if (!readable.ok) return err(keyRefusal(readable.error));
  const consent = choice.kind === "pick" && choice.allowNewSite === true ? "given" : "none";
  return ok({
    keyId: keyId.value,
    bind(origin) {
      const bound = keys.bind(keyId.value, origin, consent);
      return bound.ok ? ok(undefined) : err(keyRefusal(bound.error));
    },
  });
}

async function storedKey(keys: ChoosableKeys, choice: UiKeyChoice): Promise<Carried<StoredKeyId>> {
  switch (choice.kind) {
    case "pick":
      return ok(choice.keyId);
    case "make": {
      const made = await keys.make(choice.name);
      return made.ok ? ok(made.value.id) : err(keyRefusal(made.error));
    }
    case "import": {
      const parsed = parseKey(choice.text);
      if (!parsed.ok) return err(textRefusal(parsed.error));
      const imported = await keys.import(choice.name, parsed.value.key, "imported");
      return imported.ok ? ok(imported.value.key.id) : err(keyRefusal(imported.error));
    }
  }
}
