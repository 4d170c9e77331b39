/**
 * Everything that the popup and the prompt can show, and the test id by which a picture proves that it shows it. A test
 * holds this list to the sources, and every view to a picture.
 */
export const VIEWS = {
  connecting: "skeleton",
  "link lost": "link-lost",
  notice: "notice",
  welcome: "welcome",
  locked: "lock-view",
  channels: "channel-create",
  channel: "channel-view",
  "channel form": "channel-form",
  "channel key": "channel-key-form",
  share: "share-view",
  invitation: "invitation-form",
  "qr problem": "qr-problem",
  keys: "keys-view",
  key: "key-view",
  "key form": "key-form",
  "key problem": "key-text-problem",
  protection: "protect-view",
  backup: "backup-view",
  activity: "activity-view",
  "request error": "request-error",
  sites: "sites-view",
  network: "network-view",
  "new site": "new-site-warning",
  // Dialogs, by the message of their title.
  "dialog closeChannelTitle": "confirm",
  "dialog deleteChannelTitle": "confirm",
  "dialog keyDeleteTitle": "confirm",
  "dialog keyExportTitle": "confirm",
  "dialog passwordRemoveTitle": "confirm",
  "dialog revokeAllTitle": "confirm",
  "dialog revokeTitle": "confirm",
  prompt: "prompt-ask",
  "prompt damaged": "prompt-damaged",
  "prompt error": "prompt-error",
  "prompt expired": "prompt-expired",
  "prompt invitation": "prompt-invitation",
  "prompt key choice": "key-choice",
  "prompt locked": "prompt-locked",
  "prompt unencrypted": "prompt-unencrypted",
  "prompt unlock": "prompt-unlock",
  "prompt unlocked": "prompt-unlocked",
} as const;

export type View = keyof typeof VIEWS;
