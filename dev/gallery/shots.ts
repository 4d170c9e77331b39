/** Every picture of the popup and the prompt, and how to come to what it shows. */
import type { Page } from "playwright-core";
import { LIMITS } from "../../src/limits.ts";
import type { UiRefusal, UiSnapshot } from "../../src/ui/background-api.ts";
import {
  type Answers,
  askedByOther,
  askedForKey,
  damaged,
  empty,
  FOUND_INVITATION,
  FOUND_KNOWN,
  FOUND_NOTHING,
  full,
  HEX,
  INVITATION,
  LOCAL,
  locked,
  many,
  narrowPrompt,
  paused,
  prompts,
  unreadable,
  welcome,
} from "./background.ts";
import type { View } from "./views.ts";

/** An answer of the background that says no; people read the words of its kind. */
const refused = (kind: UiRefusal["kind"]) => ({ error: { kind, message: "" } });

export interface Shot {
  readonly name: string;
  /** What has to be on the picture. */
  readonly shows: readonly View[];
  readonly page: "popup.html" | "prompt.html";
  readonly snapshot: UiSnapshot | null;
  /** Told a moment later. */
  readonly gone?: UiSnapshot;
  /** The background goes away, and none comes. */
  readonly lost?: true;
  /** No flow of the tests comes past this state, though past its view: they draw it on its own. */
  readonly rare?: true;
  /** Beside `ANSWERS`. */
  readonly answers?: Answers;
  readonly act?: (page: Page) => Promise<void>;
}

async function openKey(page: Page): Promise<void> {
  await page.getByTestId("tab-keys").click();
  await page.getByTestId("key-row").first().click();
}

async function openChannel(page: Page, label: string): Promise<void> {
  await page.getByTestId("channel-row").filter({ hasText: label }).click();
}

async function openUnderKeys(page: Page, button: "protect" | "backup"): Promise<void> {
  await page.getByTestId("tab-keys").click();
  await page.getByTestId(button).click();
}

async function chooseBackup(page: Page, text: string): Promise<void> {
  await page
    .getByTestId("backup-file")
    .setInputFiles({ name: "reliable-channel-backup.json", mimeType: "application/json", buffer: Buffer.from(text) });
}

async function paste(page: Page, text: string): Promise<void> {
  await page.getByTestId("tab-keys").click();
  await page.getByTestId("key-import").click();
  await page.getByTestId("key-text").fill(text);
  await page.getByTestId("key-text-found").or(page.getByTestId("key-text-problem")).waitFor();
}

/** What can be wrong with a vault that is locked: each in words of its own. */
const REFUSED_UNLOCKS = [
  ["wrong", "vault-wrong-password"],
  ["damaged", "vault-damaged"],
  ["lost", "vault-lost-parameters"],
] as const;

async function tryToUnlock(page: Page): Promise<void> {
  await page.getByTestId("unlock-password").fill("not this one");
  await page.getByTestId("unlock").click();
  await page.getByTestId("unlock-password-error").scrollIntoViewIfNeeded();
}

export const SHOTS: readonly Shot[] = [
  { name: "popup-connecting", shows: ["connecting"], page: "popup.html", snapshot: null },
  { name: "popup-channels", shows: ["channels"], page: "popup.html", snapshot: full },
  { name: "popup-channels-empty", shows: ["channels"], page: "popup.html", snapshot: empty },
  { name: "popup-channels-many", shows: ["channels"], page: "popup.html", snapshot: many },
  {
    name: "popup-channel",
    shows: ["channel"],
    page: "popup.html",
    snapshot: full,
    act: (page) => page.getByTestId("channel-row").first().click(),
  },
  {
    name: "popup-channel-paused-full",
    shows: ["channel paused"],
    page: "popup.html",
    snapshot: paused("log-full"),
    act: (page) => openChannel(page, "Allotment"),
  },
  {
    name: "popup-channel-paused-unattended",
    rare: true,
    shows: ["channel paused"],
    page: "popup.html",
    snapshot: paused("unattended"),
    act: (page) => openChannel(page, "Allotment"),
  },
  {
    name: "popup-channel-paused-storage",
    rare: true,
    shows: ["channel paused"],
    page: "popup.html",
    snapshot: paused("storage-full"),
    act: (page) => openChannel(page, "Allotment"),
  },
  {
    name: "popup-channel-needs-page",
    shows: ["channel without page"],
    page: "popup.html",
    snapshot: full,
    act: (page) => openChannel(page, "Archive"),
  },
  {
    name: "popup-sites",
    shows: ["sites"],
    page: "popup.html",
    snapshot: full,
    act: (page) => page.getByTestId("tab-sites").click(),
  },
  {
    name: "popup-revoke",
    shows: ["dialog revokeTitle"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("tab-sites").click();
      await page.getByTestId("revoke").first().click();
    },
  },
  {
    name: "popup-revoked",
    shows: ["notice"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("tab-sites").click();
      await page.getByTestId("revoke").first().click();
      await page.getByTestId("confirm-action").click();
      await page.getByTestId("notice").waitFor();
    },
  },
  {
    name: "popup-sites-empty",
    shows: ["sites"],
    page: "popup.html",
    snapshot: empty,
    act: (page) => page.getByTestId("tab-sites").click(),
  },
  {
    name: "popup-network",
    shows: ["network"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("tab-network").click();
      await page.getByTestId("network-field-bootstrap").fill("/ip4/127.0.0.1/tcp/8645");
      await page.getByTestId("network-save").click();
    },
  },
  {
    name: "popup-review",
    shows: ["prompt"],
    page: "popup.html",
    snapshot: many,
    act: (page) => page.getByTestId("review").click(),
  },
  { name: "popup-welcome", shows: ["welcome"], page: "popup.html", snapshot: welcome },
  {
    name: "popup-welcome-wrong",
    shows: ["welcome"],
    page: "popup.html",
    snapshot: welcome,
    act: async (page) => {
      await page.getByTestId("new-password").fill("garden gate");
      await page.getByTestId("repeat-password").fill("garden gates");
      await page.getByTestId("welcome-set").click();
    },
  },
  { name: "popup-locked", shows: ["locked"], page: "popup.html", snapshot: locked },
  ...REFUSED_UNLOCKS.map(
    ([name, kind]): Shot => ({
      name: `popup-locked-${name}`,
      rare: true,
      shows: ["locked"],
      page: "popup.html",
      snapshot: locked,
      answers: { unlock: refused(kind) },
      act: tryToUnlock,
    }),
  ),
  {
    name: "popup-locked-network",
    shows: ["network"],
    page: "popup.html",
    snapshot: locked,
    act: (page) => page.getByTestId("tab-network").click(),
  },
  {
    name: "popup-damaged",
    rare: true,
    shows: ["damaged", "channels"],
    page: "popup.html",
    snapshot: damaged,
  },
  {
    name: "popup-damaged-keys",
    shows: ["damaged", "keys", "keys damaged"],
    page: "popup.html",
    snapshot: damaged,
    act: (page) => page.getByTestId("tab-keys").click(),
  },
  {
    name: "popup-keys",
    shows: ["keys"],
    page: "popup.html",
    snapshot: full,
    act: (page) => page.getByTestId("tab-keys").click(),
  },
  {
    name: "popup-keys-empty",
    shows: ["keys"],
    page: "popup.html",
    snapshot: empty,
    act: (page) => page.getByTestId("tab-keys").click(),
  },
  {
    name: "popup-keys-unreadable",
    shows: ["keys", "key unreadable"],
    page: "popup.html",
    snapshot: unreadable,
    act: (page) => page.getByTestId("tab-keys").click(),
  },
  { name: "popup-key", shows: ["key"], page: "popup.html", snapshot: full, act: openKey },
  {
    name: "popup-key-damaged",
    shows: ["key", "key damaged"],
    page: "popup.html",
    snapshot: unreadable,
    act: async (page) => {
      await page.getByTestId("tab-keys").click();
      await page.getByTestId("key-row").filter({ hasText: "Spare" }).click();
    },
  },
  {
    name: "popup-key-site-remove",
    shows: ["dialog keySiteRemoveTitle"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("tab-keys").click();
      await page.getByTestId("key-row").filter({ hasText: "Score sheets" }).click();
      await page.getByTestId("key-site-remove").click();
    },
  },
  {
    name: "popup-key-export-ask",
    shows: ["dialog keyExportTitle"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await openKey(page);
      await page.getByTestId("key-export-ask").click();
    },
  },
  {
    name: "popup-key-exported",
    shows: ["key"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await openKey(page);
      await page.getByTestId("key-export-ask").click();
      await page.getByTestId("confirm-action").click();
      await page.getByTestId("key-export-copy").click();
      await page.getByTestId("clipboard").scrollIntoViewIfNeeded();
    },
  },
  {
    name: "popup-key-delete",
    shows: ["dialog keyDeleteTitle"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await openKey(page);
      await page.getByTestId("key-delete").click();
    },
  },
  {
    name: "popup-key-make",
    shows: ["key form"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("tab-keys").click();
      await page.getByTestId("key-make").click();
    },
  },
  {
    name: "popup-key-import",
    shows: ["key form"],
    page: "popup.html",
    snapshot: full,
    act: (page) => paste(page, HEX),
  },
  {
    name: "popup-key-import-known",
    shows: ["key form"],
    page: "popup.html",
    snapshot: full,
    answers: FOUND_KNOWN,
    act: (page) => paste(page, HEX),
  },
  {
    name: "popup-key-import-wrong",
    shows: ["key problem"],
    page: "popup.html",
    snapshot: full,
    answers: FOUND_NOTHING,
    act: (page) => paste(page, HEX.slice(2)),
  },
  {
    name: "popup-key-import-invitation",
    shows: ["key form"],
    page: "popup.html",
    snapshot: full,
    answers: FOUND_INVITATION,
    act: (page) => paste(page, INVITATION),
  },
  {
    name: "popup-protect",
    shows: ["protection"],
    page: "popup.html",
    snapshot: full,
    act: (page) => openUnderKeys(page, "protect"),
  },
  {
    name: "popup-protect-none",
    shows: ["protection"],
    page: "popup.html",
    snapshot: empty,
    act: (page) => openUnderKeys(page, "protect"),
  },
  {
    name: "popup-backup",
    shows: ["backup"],
    page: "popup.html",
    snapshot: full,
    act: (page) => openUnderKeys(page, "backup"),
  },
  {
    name: "popup-activity",
    shows: ["activity"],
    page: "popup.html",
    snapshot: full,
    act: (page) => page.getByTestId("tab-activity").click(),
  },
  {
    name: "popup-activity-empty",
    shows: ["activity"],
    page: "popup.html",
    snapshot: empty,
    act: (page) => page.getByTestId("tab-activity").click(),
  },
  {
    name: "popup-channel-end",
    shows: ["channel"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("channel-row").first().click();
      await page.getByTestId("delete-channel").scrollIntoViewIfNeeded();
    },
  },
  {
    name: "popup-channel-delete",
    shows: ["dialog deleteChannelTitle"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("channel-row").first().click();
      await page.getByTestId("delete-channel").click();
    },
  },
  {
    name: "popup-share",
    shows: ["share"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("channel-row").first().click();
      await page.getByTestId("channel-share").click();
    },
  },
  {
    name: "popup-share-shown",
    shows: ["share"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("channel-row").first().click();
      await page.getByTestId("channel-share").click();
      await page.getByTestId("share-show").click();
      await page.getByTestId("share-copy").click();
      await page.getByTestId("qr").scrollIntoViewIfNeeded();
    },
  },
  {
    name: "popup-channel-key",
    shows: ["channel key"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("channel-row").first().click();
      await page.getByTestId("channel-change-key").click();
      await page.getByTestId("key-choice-pick").click();
    },
  },
  {
    name: "popup-channel-create",
    shows: ["channel form"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("channel-create").click();
      await page.getByTestId("channel-form-channelId").fill("allotment");
      await page.getByTestId("channel-form-save").click();
    },
  },
  {
    name: "popup-channel-accept",
    shows: ["invitation"],
    page: "popup.html",
    snapshot: full,
    answers: FOUND_INVITATION,
    act: async (page) => {
      await page.getByTestId("channel-accept").click();
      await page.getByTestId("invitation-text").fill(INVITATION);
      await page.getByTestId("key-text-found").waitFor();
    },
  },
  { name: "prompt-key", shows: ["prompt key choice"], page: "prompt.html", snapshot: askedForKey },
  {
    name: "prompt-key-import",
    shows: ["prompt key choice"],
    page: "prompt.html",
    snapshot: askedForKey,
    act: async (page) => {
      await page.getByTestId("key-choice-import").click();
      await page.getByTestId("key-choice-text").fill(HEX);
      await page.getByTestId("key-text-found").scrollIntoViewIfNeeded();
    },
  },
  {
    name: "prompt-key-invitation",
    shows: ["prompt invitation"],
    page: "prompt.html",
    snapshot: askedForKey,
    answers: FOUND_INVITATION,
    act: async (page) => {
      await page.getByTestId("key-choice-import").click();
      await page.getByTestId("key-choice-text").fill(INVITATION);
      await page.getByTestId("prompt-invitation").scrollIntoViewIfNeeded();
    },
  },
  { name: "prompt-key-suggested", shows: ["prompt key choice"], page: "prompt.html", snapshot: askedByOther },
  {
    name: "prompt-key-other-site",
    shows: ["new site"],
    page: "prompt.html",
    snapshot: askedByOther,
    act: async (page) => {
      await page.getByTestId("prompt-always").click();
      await page.getByTestId("new-site-warning").waitFor();
    },
  },
  {
    name: "prompt-key-locked",
    shows: ["prompt locked"],
    page: "prompt.html",
    snapshot: { ...askedForKey, vault: locked.vault },
  },
  { name: "prompt", shows: ["prompt", "prompt unencrypted"], page: "prompt.html", snapshot: { ...full, prompts } },
  {
    name: "prompt-next",
    shows: ["prompt"],
    page: "prompt.html",
    snapshot: { ...full, prompts },
    act: async (page) => {
      await page.getByTestId("prompt-reject").click();
      await page.getByTestId("prompt-origin").filter({ hasText: LOCAL }).waitFor();
    },
  },
  {
    name: "prompt-topics",
    rare: true,
    shows: ["prompt", "prompt topics"],
    page: "prompt.html",
    snapshot: { ...full, prompts: [narrowPrompt] },
  },
  {
    name: "prompt-expired",
    shows: ["prompt expired"],
    page: "prompt.html",
    snapshot: { ...full, prompts },
    gone: full,
  },
  {
    name: "popup-close-channel",
    shows: ["dialog closeChannelTitle"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("channel-row").first().click();
      await page.getByTestId("close-channel").click();
    },
  },
  {
    name: "popup-revoke-all",
    shows: ["dialog revokeAllTitle"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("tab-sites").click();
      await page.getByTestId("revoke-all").click();
    },
  },
  {
    name: "popup-password-remove",
    shows: ["dialog passwordRemoveTitle"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await openUnderKeys(page, "protect");
      await page.getByTestId("current-password").fill("garden gate");
      await page.getByTestId("password-remove").click();
    },
  },
  {
    name: "popup-protect-wrong",
    shows: ["protection"],
    page: "popup.html",
    snapshot: full,
    answers: { setPassword: refused("vault-wrong-password") },
    act: async (page) => {
      await openUnderKeys(page, "protect");
      for (const field of ["current-password", "new-password", "repeat-password"]) {
        await page.getByTestId(field).fill("garden gate");
      }
      await page.getByTestId("password-save").click();
      await page.getByTestId("password-error").waitFor();
    },
  },
  {
    name: "popup-backup-wrong",
    shows: ["backup"],
    page: "popup.html",
    snapshot: full,
    answers: { importBackup: refused("backup-damaged") },
    act: async (page) => {
      await openUnderKeys(page, "backup");
      await chooseBackup(page, "{}");
      await page.getByTestId("restore-passphrase").fill("garden gate");
      await page.getByTestId("backup-restore").click();
      await page.getByTestId("restore-passphrase-error").scrollIntoViewIfNeeded();
    },
  },
  {
    name: "popup-backup-restored",
    shows: ["notice"],
    page: "popup.html",
    snapshot: full,
    answers: { importBackup: { value: { keys: 1, channels: 3, failed: 0 } } },
    act: async (page) => {
      await openUnderKeys(page, "backup");
      await chooseBackup(page, "{}");
      await page.getByTestId("restore-passphrase").fill("garden gate");
      await page.getByTestId("backup-restore").click();
      await page.getByTestId("notice").waitFor();
    },
  },
  {
    name: "popup-backup-not-restored",
    rare: true,
    shows: ["notice"],
    page: "popup.html",
    snapshot: full,
    answers: { importBackup: { value: { keys: 1, channels: 3, failed: 2 } } },
    act: async (page) => {
      await openUnderKeys(page, "backup");
      await chooseBackup(page, "{}");
      await page.getByTestId("restore-passphrase").fill("garden gate");
      await page.getByTestId("backup-restore").click();
      await page.getByTestId("notice").waitFor();
    },
  },
  {
    name: "popup-backup-too-large",
    shows: ["backup", "backup file problem"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await openUnderKeys(page, "backup");
      await chooseBackup(page, " ".repeat(LIMITS.keys.backupChars + 1));
      await page.getByTestId("backup-file-problem").scrollIntoViewIfNeeded();
    },
  },
  {
    name: "popup-qr-problem",
    shows: ["qr problem"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("channel-accept").click();
      await page
        .getByTestId("invitation-image")
        .setInputFiles({ name: "letter.png", mimeType: "image/png", buffer: Buffer.from("Dear Bob") });
      await page.getByTestId("qr-problem").scrollIntoViewIfNeeded();
    },
  },
  {
    name: "popup-new-site",
    shows: ["new site"],
    page: "popup.html",
    snapshot: full,
    answers: FOUND_INVITATION,
    act: async (page) => {
      await page.getByTestId("channel-accept").click();
      await page.getByTestId("invitation-text").fill(INVITATION);
      await page.getByTestId("invitation-site").fill(LOCAL);
      await page.getByTestId("key-text-found").waitFor();
      await page.getByTestId("invitation-accept").click();
    },
  },
  {
    name: "popup-request-error",
    shows: ["request error"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("tab-activity").click();
      await page.getByTestId("request-error").last().scrollIntoViewIfNeeded();
    },
  },
  {
    name: "popup-failed",
    shows: ["notice"],
    page: "popup.html",
    snapshot: full,
    answers: { renameChannel: refused("internal") },
    act: async (page) => {
      await page.getByTestId("channel-row").first().click();
      await page.getByTestId("channel-rename-name").fill("Greenhouse");
      await page.getByTestId("channel-rename-save").click();
      await page.getByTestId("notice").waitFor();
    },
  },
  {
    name: "popup-network-edit",
    shows: ["network"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("tab-network").click();
      await page.getByTestId("peer-test").click();
      await page.getByTestId("peer-test-words").first().scrollIntoViewIfNeeded();
    },
  },
  {
    name: "popup-network-end",
    shows: ["network"],
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("tab-network").click();
      await page.getByTestId("diagnostics-copy").scrollIntoViewIfNeeded();
    },
  },
  { name: "popup-link-lost", shows: ["link lost"], page: "popup.html", snapshot: full, lost: true },
  {
    name: "prompt-link-lost",
    rare: true,
    shows: ["link lost"],
    page: "prompt.html",
    snapshot: askedForKey,
    lost: true,
  },
  { name: "prompt-locked", shows: ["prompt locked"], page: "prompt.html", snapshot: { ...locked, prompts } },
  ...REFUSED_UNLOCKS.map(
    ([name, kind]): Shot => ({
      name: `prompt-locked-${name}`,
      rare: true,
      shows: ["prompt locked"],
      page: "prompt.html",
      snapshot: { ...locked, prompts },
      answers: { unlock: refused(kind) },
      act: tryToUnlock,
    }),
  ),
  {
    name: "prompt-error",
    shows: ["prompt", "prompt error"],
    page: "prompt.html",
    snapshot: askedForKey,
    answers: { answerPrompt: refused("key-too-many-keys") },
    act: async (page) => {
      await page.getByTestId("prompt-always").click();
      await page.getByTestId("prompt-error").waitFor();
    },
  },
  { name: "prompt-damaged", shows: ["prompt damaged"], page: "prompt.html", snapshot: { ...damaged, prompts } },
  {
    name: "popup-protect-damaged",
    rare: true,
    shows: ["protection"],
    page: "popup.html",
    snapshot: damaged,
    act: (page) => openUnderKeys(page, "protect"),
  },
  { name: "prompt-unlock", shows: ["prompt unlock"], page: "prompt.html", snapshot: locked },
  {
    name: "prompt-unlocked",
    shows: ["prompt unlocked"],
    page: "prompt.html",
    snapshot: locked,
    gone: full,
  },
];
