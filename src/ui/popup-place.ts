/** Where the popup was left, drafts included. It closes at every click elsewhere, and must lose nothing by it. */
import * as v from "valibot";

const placeSchema = v.object({
  tab: v.picklist(["channels", "keys", "activity", "sites", "network"]),
  channel: v.nullable(v.object({ origin: v.string(), channelId: v.string() })),
  /** The form that is open under Channels, and the one under Keys. */
  channelForm: v.nullable(v.picklist(["create", "accept"])),
  keyForm: v.nullable(v.picklist(["make", "import", "protect", "backup"])),
  /** The key that is shown. */
  key: v.nullable(v.string()),
  /** What is typed and no secret, by field. Keys, invitations and passwords never come here. */
  drafts: v.record(v.string(), v.string()),
  search: v.string(),
  /** The network form where it was edited and not saved. */
  network: v.nullable(
    v.object({
      preset: v.string(),
      name: v.string(),
      clusterId: v.string(),
      shards: v.string(),
      bootstrap: v.string(),
    }),
  ),
  /** The form of the sending budget where it was edited and not saved. */
  budget: v.nullable(v.object({ enabled: v.boolean(), messages: v.string(), seconds: v.string() })),
});

export type PopupPlace = Readonly<v.InferOutput<typeof placeSchema>>;
export type PopupTab = PopupPlace["tab"];

export const TABS: readonly PopupTab[] = ["channels", "keys", "activity", "sites", "network"];
export const FIRST_PLACE: PopupPlace = {
  tab: "channels",
  channel: null,
  channelForm: null,
  keyForm: null,
  key: null,
  drafts: {},
  search: "",
  network: null,
  budget: null,
};

/** Fields whose text is kept while it is typed. */
export type DraftField = "site" | "channelId" | "contentTopic" | "channelKeyName" | "keyName" | "importName";

/** What was typed, field by field. */
export interface Drafts {
  get(field: DraftField): string;
  set(field: DraftField, text: string): void;
  /** Forgets all of it: it was saved or given up. */
  clear(): void;
}

/** The key in `storage.session`. */
export const PLACE_KEY = "popupPlace";

/** What was stored, or the first place where that cannot be read, as after an update. */
export function parsePlace(stored: unknown): PopupPlace {
  const parsed = v.safeParse(placeSchema, stored);
  return parsed.success ? parsed.output : FIRST_PLACE;
}

/** The tab that an arrow key, Home or End leads to; `undefined` for any other key. */
export function tabByKey(current: PopupTab, key: string): PopupTab | undefined {
  const at = TABS.indexOf(current);
  switch (key) {
    case "ArrowRight":
    case "ArrowDown":
      return TABS[(at + 1) % TABS.length];
    case "ArrowLeft":
    case "ArrowUp":
      return TABS.at(at - 1);
    case "Home":
      return TABS[0];
    case "End":
      return TABS.at(-1);
    default:
      return undefined;
  }
}
