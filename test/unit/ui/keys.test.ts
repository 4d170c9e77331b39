import { describe, expect, it } from "vitest";
import type { UiChannelDetails, UiKey } from "../../../src/ui/background-api.ts";
import {
  belongsElsewhere,
  channelLabels,
  foreignFingerprint,
  foreignKey,
  type KeyChoiceForm,
  keepingSites,
  keyChoiceOf,
  listKeys,
  sameFingerprint,
  usableKeys,
} from "../../../src/ui/keys.ts";

const SITE = "https://a.example";
const OTHER = "https://b.example";

function key(id: string, change: Partial<UiKey> = {}): UiKey {
  return {
    id,
    name: id,
    fingerprint: { words: [id, "canoe"], hex: "00000000" },
    createdAt: 0,
    origins: [],
    channels: [],
    earlierIn: [],
    ...change,
  };
}

const mine = key("mine", { origins: [SITE] });
const theirs = key("theirs", { origins: [OTHER] });
const fresh = key("fresh");
const keys = [mine, theirs, fresh];

describe("a key belongs", () => {
  it("to the sites that used it, and to nobody before the first did", () => {
    expect(belongsElsewhere(mine, SITE)).toBe(false);
    expect(belongsElsewhere(theirs, SITE)).toBe(true);
    expect(belongsElsewhere(fresh, SITE)).toBe(false);
  });

  it("elsewhere only until the person allowed it here", () => {
    expect(foreignKey({ kind: "pick", keyId: "theirs" }, keys, SITE)).toBe(theirs);
    expect(foreignKey({ kind: "pick", keyId: "theirs", allowNewSite: true }, keys, SITE)).toBeUndefined();
    expect(foreignKey({ kind: "pick", keyId: "mine" }, keys, SITE)).toBeUndefined();
    expect(foreignKey({ kind: "make", name: "theirs" }, keys, SITE)).toBeUndefined();
    expect(foreignKey(undefined, keys, SITE)).toBeUndefined();
  });
});

describe("a key that cannot be opened", () => {
  const damaged: UiKey = { id: "damaged", name: "damaged", createdAt: 0, origins: [SITE], channels: [], earlierIn: [] };

  it("is none that a channel can have, and the same as no other", () => {
    expect(usableKeys([mine, damaged, fresh])).toEqual([mine, fresh]);
    expect(sameFingerprint(damaged.fingerprint, { words: [], hex: "" })).toBe(false);
    expect(sameFingerprint(mine.fingerprint, { words: ["mine", "canoe"], hex: "00000000" })).toBe(true);
    expect(foreignFingerprint({ words: ["damaged", "canoe"], hex: "00000000" }, [damaged], OTHER)).toBeUndefined();
  });
});

describe("the sites of a key", () => {
  it("keep it for as long as a channel of theirs writes or reads with it", () => {
    const room = (origin: string) => ({ origin, channelId: "room" });
    const used = key("used", {
      origins: [SITE, OTHER, "https://c.example"],
      channels: [room(SITE)],
      earlierIn: [room(OTHER)],
    });
    expect([...keepingSites(used)]).toEqual([SITE, OTHER]);
    expect(keepingSites(mine).size).toBe(0);
  });
});

describe("the choice of a key", () => {
  const form: KeyChoiceForm = { kind: "make", name: "Garden", keyId: "", text: "", found: undefined };

  it("makes one, once it has a name", () => {
    expect(keyChoiceOf({ ...form, name: " Garden " }, keys)).toEqual({ kind: "make", name: "Garden" });
    expect(keyChoiceOf({ ...form, name: "  " }, keys)).toBeUndefined();
  });

  it("picks only what is here", () => {
    expect(keyChoiceOf({ ...form, kind: "pick", keyId: "mine" }, keys)).toEqual({ kind: "pick", keyId: "mine" });
    expect(keyChoiceOf({ ...form, kind: "pick", keyId: "deleted" }, keys)).toBeUndefined();
  });

  it("imports what was recognised as a key, and nothing else", () => {
    const pasted: KeyChoiceForm = { ...form, kind: "import", text: "ff" };
    const fingerprint = { words: ["dune", "garnet"], hex: "00000000" };
    expect(keyChoiceOf(pasted, keys)).toBeUndefined();
    expect(keyChoiceOf({ ...pasted, found: { kind: "backup" } }, keys)).toBeUndefined();
    expect(
      keyChoiceOf(
        { ...pasted, found: { kind: "invitation", channelId: "c", contentTopic: "/a/1/c/p", fingerprint } },
        keys,
      ),
    ).toBeUndefined();
    const found = { kind: "key", format: "hex", fingerprint } as const;
    expect(keyChoiceOf({ ...pasted, found }, keys)).toEqual({ kind: "import", text: "ff", name: "Garden" });
    expect(keyChoiceOf({ ...pasted, name: "", found }, keys)).toBeUndefined();
  });

  it("picks a pasted key that is here already, so that another site's key is never taken without the warning", () => {
    const found = {
      kind: "key",
      format: "jwk",
      fingerprint: { words: ["theirs", "canoe"], hex: "00000000" },
      known: "theirs",
    } as const;
    const choice = keyChoiceOf({ ...form, kind: "import", text: "ff", found }, keys);
    expect(choice).toEqual({ kind: "pick", keyId: "theirs" });
    expect(foreignKey(choice, keys, SITE)).toBe(theirs);
  });
});

describe("the list of keys", () => {
  it("is sorted by name, numbers as numbers, in the language of the words", () => {
    const names = ["Key 10", "key 9", "Äpfel", "Zoo"];
    const sorted = listKeys(
      names.map((name) => key(name)),
      "de",
    );
    expect(sorted.map(({ name }) => name)).toEqual(["Äpfel", "key 9", "Key 10", "Zoo"]);
  });

  it("names channels as the person does", () => {
    const details: UiChannelDetails[] = [
      { channel: { origin: SITE, channelId: "c1" }, label: "Garden", undecryptable: 0, foreignLayout: 0 },
    ];
    const used = key("k", {
      channels: [
        { origin: SITE, channelId: "c1" },
        { origin: OTHER, channelId: "c1" },
      ],
    });
    expect(channelLabels(used.channels, details)).toEqual(["Garden", "c1"]);
  });
});
