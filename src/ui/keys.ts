/** What views need to know about keys, without their words. */
import type { ChannelKey } from "../channel/types.ts";
import type {
  KeyTextFormat,
  UiChannelDetails,
  UiFingerprint,
  UiKey,
  UiKeyChoice,
  UiKeyCommandValue,
} from "./background-api.ts";
import { labelOf } from "./channel-list.ts";
import type { MessageKey } from "./translate.ts";

export type KeyInspection = UiKeyCommandValue<"inspectKeyText">;

/** An invitation where a key was expected. The text is a secret. */
export interface PastedInvitation {
  readonly text: string;
  readonly found: KeyInspection & { readonly kind: "invitation" };
}

export const KEY_TEXT_FORMATS: readonly KeyTextFormat[] = ["hex", "base64", "base64url", "jwk"];

export const FORMAT_NAMES: Readonly<Record<KeyTextFormat, MessageKey>> = {
  hex: "formatHex",
  base64: "formatBase64",
  base64url: "formatBase64url",
  jwk: "formatJwk",
};

export const FORMAT_FOUND: Readonly<Record<KeyTextFormat, MessageKey>> = {
  hex: "foundHex",
  base64: "foundBase64",
  base64url: "foundBase64url",
  jwk: "foundJwk",
};

/** A key that cannot be opened has none, and is the same as no other. */
export function sameFingerprint(a: UiKey["fingerprint"], b: UiFingerprint): boolean {
  return a?.hex === b.hex && a.words.join(" ") === b.words.join(" ");
}

/** Keys that a channel can have: those that can be opened. */
export function usableKeys(keys: readonly UiKey[]): readonly UiKey[] {
  return keys.filter(({ fingerprint }) => fingerprint !== undefined);
}

/** Sites that keep a key, as channels of theirs have it. */
export function keepingSites({ channels, earlierIn }: UiKey): ReadonlySet<string> {
  return new Set([...channels, ...earlierIn].map(({ origin }) => origin));
}

/** Keys by name, as the words' language sorts them. */
export function listKeys(keys: readonly UiKey[], locale: string): readonly UiKey[] {
  const collator = new Intl.Collator(locale, { numeric: true });
  return keys.toSorted((a, b) => collator.compare(a.name, b.name) || a.createdAt - b.createdAt);
}

/** A key belongs to the sites that used it. One that no site used yet belongs to nobody. */
export function belongsElsewhere(key: UiKey, origin: string): boolean {
  return key.origins.length > 0 && !key.origins.includes(origin);
}

/** What the person calls the channels. */
export function channelLabels(
  channels: readonly ChannelKey[],
  details: readonly UiChannelDetails[],
): readonly string[] {
  return channels.map((channel) => labelOf(channel, details));
}

/** The key with this fingerprint, where it is here and is another site's. */
export function foreignFingerprint(
  fingerprint: UiFingerprint,
  keys: readonly UiKey[],
  origin: string,
): UiKey | undefined {
  const key = keys.find((candidate) => sameFingerprint(candidate.fingerprint, fingerprint));
  return key !== undefined && belongsElsewhere(key, origin) ? key : undefined;
}

/** What is chosen and typed in the choice of a key. */
export interface KeyChoiceForm {
  readonly kind: UiKeyChoice["kind"];
  readonly name: string;
  readonly keyId: string;
  readonly text: string;
  readonly found: KeyInspection | undefined;
}

/** The choice that the form describes, or `undefined` where it describes none yet. A pasted key that is here already is picked. */
export function keyChoiceOf(form: KeyChoiceForm, keys: readonly UiKey[]): UiKeyChoice | undefined {
  const name = form.name.trim();
  switch (form.kind) {
    case "make":
      return name === "" ? undefined : { kind: "make", name };
    case "pick":
      return keys.some(({ id }) => id === form.keyId) ? { kind: "pick", keyId: form.keyId } : undefined;
    case "import": {
      const { found } = form;
      if (found?.kind !== "key") return undefined;
      const known = keys.find(({ fingerprint }) => sameFingerprint(fingerprint, found.fingerprint));
      if (known !== undefined) return { kind: "pick", keyId: known.id };
      return name === "" ? undefined : { kind: "import", text: form.text, name };
    }
  }
}

/** The key whose use needs the separate warning: it is another site's. */
export function foreignKey(choice: UiKeyChoice | undefined, keys: readonly UiKey[], origin: string): UiKey | undefined {
  if (choice?.kind !== "pick" || choice.allowNewSite === true) return undefined;
  const key = keys.find(({ id }) => id === choice.keyId);
  return key !== undefined && belongsElsewhere(key, origin) ? key : undefined;
}
