/**
 * Draws every view of the popup, the prompt and the demo site with a background and a provider that only pretend, in light
 * and dark, wide and narrow, and in every language, into `.output/gallery`. To be looked at after a change of looks.
 * Needs `npm run build`; takes Chromium from `CHROMIUM_PATH`.
 *
 *     node dev/gallery.ts [--only PATTERN] [--build DIRECTORY]
 *
 * `--only` draws the views whose names match and leaves the other pictures as they are; `--build` is where the extension
 * was built instead of `.output/chrome-mv3`.
 */
import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import type { ChannelSummary } from "../src/channel/types.ts";
import { qrCode } from "../src/keys/qr.ts";
import type { UiCommand, UiKey, UiPrompt, UiRequest, UiSnapshot } from "../src/ui/background-api.ts";
import { encodeFileMessage } from "./demo/file-message.ts";
import { startDemoSite } from "./demo/server.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const GALLERY = join(ROOT, ".output", "gallery");
const MINUTE = 60_000;
const now = Date.now();

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    build: { type: "string", default: join(ROOT, ".output", "chrome-mv3") },
  },
});
const wanted = (name: string): boolean => options.only === undefined || new RegExp(options.only).test(name);

/** A copy, so that a build in the meantime does not pull it away. */
const EXTENSION = await mkdtemp(join(tmpdir(), "gallery-extension-"));
await cp(options.build, EXTENSION, { recursive: true });

function channel(channelId: string, origin: string, change: Partial<ChannelSummary> = {}): ChannelSummary {
  return {
    channelId,
    origin,
    contentTopic: `/${channelId}/1/general/proto`,
    senderId: "b1c59f24e0a84c53a5d4ff0f9b0a7c1e",
    profile: "logos",
    encryption: "none",
    placement: "envelope",
    earlierKeyIds: [],
    label: channelId,
    createdAt: now - 9 * 24 * 60 * MINUTE,
    lastActiveAt: now - 5 * MINUTE,
    status: { state: "open", health: "SUFFICIENTLY_HEALTHY", pending: 0 },
    unacknowledged: 0,
    members: 4,
    ...change,
  };
}

const RIVER = "https://chat.river-collective.example";
const BOARDS = "https://boards.example";
const LOCAL = "http://localhost:5173";

function key(id: string, name: string, words: string, change: Partial<UiKey> = {}): UiKey {
  return {
    id,
    name,
    fingerprint: { words: words.split(" "), hex: "3fa4c21e" },
    createdAt: now - 30 * 24 * 60 * MINUTE,
    origins: [],
    channels: [],
    ...change,
  };
}

const keys: readonly UiKey[] = [
  key("k1", "Allotment", "amber canoe lantern mosaic quartz willow", {
    origins: [RIVER],
    channels: [{ origin: RIVER, channelId: "allotment" }],
  }),
  key("k2", "Score sheets and other things of the Thursday club", "basil drum harbor kettle pepper tulip", {
    origins: [BOARDS, "https://scores.example"],
    channels: ["score-sheet", "archive", "league"].map((channelId) => ({ origin: BOARDS, channelId })),
  }),
  key("k3", "Spare", "cedar fable marble olive ribbon vapor"),
];

function request(requestId: string, change: Partial<UiRequest>): UiRequest {
  return {
    channel: { origin: RIVER, channelId: "allotment" },
    requestId,
    state: "delivered",
    bytes: 214,
    segments: { total: 1, confirmed: 1, failed: 0, acknowledged: 1 },
    createdAt: now - 3 * MINUTE,
    ...change,
  };
}

const requests: readonly UiRequest[] = [
  request("r1", { state: "queued", segments: { total: 1, confirmed: 0, failed: 0, acknowledged: 0 }, createdAt: now }),
  request("r2", {
    state: "sending",
    bytes: 4_812_330,
    segments: { total: 48, confirmed: 19, failed: 0, acknowledged: 0 },
    createdAt: now - MINUTE,
  }),
  request("r3", {
    state: "send-error",
    bytes: 1_204,
    segments: { total: 1, confirmed: 0, failed: 1, acknowledged: 0 },
    error: "Unable to send within retry time window",
  }),
  request("r4", {
    channel: { origin: BOARDS, channelId: "score-sheet" },
    state: "sent",
    bytes: 310_000,
    segments: { total: 4, confirmed: 4, failed: 0, acknowledged: 1 },
    createdAt: now - 8 * MINUTE,
  }),
  request("r5", {
    state: "delivery-error",
    bytes: 90,
    error: "Nobody confirmed the message in time",
    createdAt: now - 26 * MINUTE,
  }),
  request("r6", { createdAt: now - 40 * MINUTE }),
  request("r7", {
    bytes: 1_900_000,
    segments: { total: 19, confirmed: 19, failed: 0, acknowledged: 19 },
    createdAt: now - 50 * MINUTE,
  }),
];

const INVITATION = `RCI1-${"K7QX2M4TVA5JWPZ3".repeat(10)}`;
const HEX = "9f3a61c04be27d58".repeat(4);
const qr = qrCode(INVITATION);
if (!qr.ok) throw new Error(qr.error);

/** What the pretended background answers, by command; what is not here is answered without a value. */
type Answers = Readonly<Partial<Record<UiCommand["type"], { readonly value?: unknown; readonly error?: string }>>>;

const ANSWERS: Answers = {
  exportKey: { value: { text: HEX } },
  createInvitation: { value: { text: INVITATION, qr: qr.value.modules } },
  makeKey: { value: { keyId: "k3" } },
  inspectKeyText: {
    value: {
      kind: "key",
      format: "hex",
      fingerprint: { words: ["dune", "garnet", "juniper", "nectar", "saddle", "yarrow"], hex: "a61f09d2" },
    },
  },
};
const FOUND_INVITATION: Answers = {
  inspectKeyText: {
    value: {
      kind: "invitation",
      channelId: "allotment",
      contentTopic: "/river-chat/1/allotment/proto",
      name: "Allotment",
      fingerprint: { words: ["amber", "canoe", "lantern", "mosaic", "quartz", "willow"], hex: "3fa4c21e" },
    },
  },
};
const FOUND_KNOWN: Answers = {
  inspectKeyText: { value: { kind: "key", format: "jwk", fingerprint: keys[0]?.fingerprint, known: "Allotment" } },
};
const FOUND_NOTHING: Answers = { inspectKeyText: { error: "This is hexadecimal of 31 bytes; a channel key has 32." } };

const prompts: readonly UiPrompt[] = [
  {
    id: "p1",
    origin: "https://chat.river-collective.example",
    requestedAt: now,
    channel: {
      channelId: "allotment",
      contentTopic: "/river-chat/1/allotment/proto",
      encryption: "none",
      profile: "logos",
    },
  },
  { id: "p2", origin: "http://localhost:5173", requestedAt: now },
];

const encryptedPrompt: UiPrompt = {
  id: "p3",
  origin: RIVER,
  requestedAt: now,
  channel: {
    channelId: "allotment",
    contentTopic: "/river-chat/1/allotment/proto",
    encryption: "key",
    profile: "logos",
  },
  keyChoice: {},
};

const full: UiSnapshot = {
  type: "snapshot",
  version: "0.1.0",
  network: {
    status: "Connected",
    peers: { lightpush: 2, filter: 2, store: 1 },
    config: { name: "home", clusterId: 42, shards: 8, bootstrap: ["/ip4/127.0.0.1/tcp/8645/ws"] },
  },
  channels: [
    channel("allotment", "https://chat.river-collective.example", {
      lastActiveAt: now,
      status: { state: "open", health: "SUFFICIENTLY_HEALTHY", pending: 3 },
      unacknowledged: 2,
      encryption: "key",
      keyId: "k1",
    }),
    channel("lobby", "http://localhost:5173", {
      status: { state: "open", health: "MINIMALLY_HEALTHY", pending: 0 },
      members: 1,
    }),
    channel("score-sheet", "https://boards.example", {
      lastActiveAt: now - 26 * 60 * MINUTE,
      status: { state: "open", health: "UNHEALTHY", pending: 12 },
      members: 0,
    }),
    channel("archive", "https://boards.example", {
      encryption: "page",
      lastActiveAt: now - 9 * 24 * 60 * MINUTE,
      status: { state: "opening", health: "NOT_SUBSCRIBED", pending: 0 },
    }),
  ],
  sites: [
    {
      origin: "https://chat.river-collective.example",
      state: "granted",
      since: now,
      lasts: "always",
      channels: 1,
      pending: 4,
    },
    { origin: "https://boards.example", state: "granted", since: now - 9e9, lasts: "session", channels: 2, pending: 0 },
    { origin: "http://localhost:5173", state: "granted", since: now - 3e8, lasts: "always", channels: 1, pending: 0 },
    {
      origin: "https://win-a-prize.ads.example",
      state: "blocked",
      since: now - 4e8,
      lasts: "always",
      channels: 0,
      pending: 0,
    },
  ],
  prompts: [],
  vault: { state: "unlocked", autoLockMinutes: 60, welcomed: true },
  keys,
  details: [
    {
      channel: { origin: RIVER, channelId: "allotment" },
      label: "Allotment",
      keyId: "k1",
      undecryptable: 7,
      foreignLayout: 1,
    },
    {
      channel: { origin: BOARDS, channelId: "score-sheet" },
      label: "Score sheet",
      keyId: "k2",
      undecryptable: 0,
      foreignLayout: 0,
    },
    {
      channel: { origin: BOARDS, channelId: "archive" },
      label: "Archive",
      undecryptable: 0,
      foreignLayout: 0,
      needsPage: true,
    },
  ],
  requests,
  transfers: [
    { channel: { origin: RIVER, channelId: "allotment" }, direction: "out", id: "r2", done: 19, total: 48 },
    { channel: { origin: BOARDS, channelId: "score-sheet" }, direction: "in", id: "m9", done: 3, total: 12 },
  ],
  unseenFailures: 2,
  budget: { limit: 600, remaining: 412, resetsAt: now + 7 * MINUTE },
};

const many: UiSnapshot = {
  ...full,
  channels: Array.from({ length: 11 }, (_, i) =>
    channel(`room-${i + 1}`, "https://boards.example", { lastActiveAt: now - i * 50 * MINUTE }),
  ),
  prompts,
};

const empty: UiSnapshot = {
  ...full,
  network: { ...full.network, status: "Disconnected" },
  channels: [],
  sites: [],
  keys: [],
  details: [],
  requests: [],
  transfers: [],
  vault: { state: "open", autoLockMinutes: null, welcomed: true },
  budget: null,
};
const welcome: UiSnapshot = { ...empty, vault: { ...empty.vault, welcomed: false } };
const locked: UiSnapshot = { ...full, vault: { ...full.vault, state: "locked" } };
const damaged: UiSnapshot = { ...full, keys: [], vault: { ...full.vault, state: "damaged" } };
const askedForKey: UiSnapshot = { ...full, prompts: [encryptedPrompt] };
const askedByOther: UiSnapshot = {
  ...full,
  prompts: [{ ...encryptedPrompt, origin: LOCAL, keyChoice: { suggested: "k1" } }],
};

/** Runs in the page before its scripts: a port that answers every command and never tells more than one snapshot. */
function pretendBackground({
  snapshot,
  gone,
  answers,
}: {
  snapshot: UiSnapshot | null;
  gone: UiSnapshot | null;
  answers: Answers;
}): void {
  const connect = (): unknown => {
    const listeners: ((frame: unknown) => void)[] = [];
    const post = (frame: unknown): void => {
      setTimeout(() => {
        for (const listener of listeners) listener(frame);
      });
    };
    if (snapshot !== null) post(snapshot);
    if (gone !== null) setTimeout(() => post(gone), 200);
    return {
      name: "ui",
      onMessage: { addListener: (listener: (frame: unknown) => void) => listeners.push(listener) },
      onDisconnect: { addListener: () => undefined },
      postMessage: ({ id, command }: { id: number; command: UiCommand }) =>
        post({ type: "answer", id, ...answers[command.type] }),
      disconnect: () => undefined,
    };
  };
  for (const name of ["chrome", "browser"]) {
    const api: unknown = Reflect.get(globalThis, name);
    if (typeof api !== "object" || api === null) continue;
    // Each view begins where the popup begins, and not where the one before it was left.
    const storage: unknown = Reflect.get(api, "storage");
    const session: unknown =
      typeof storage === "object" && storage !== null ? Reflect.get(storage, "session") : undefined;
    if (typeof session === "object" && session !== null) {
      const clear: unknown = Reflect.get(session, "clear");
      if (typeof clear === "function") clear.call(session);
    }
    const runtime: unknown = Reflect.get(api, "runtime");
    if (typeof runtime === "object" && runtime !== null) {
      Object.defineProperty(runtime, "connect", { value: connect, configurable: true });
    }
  }
}

/** An image that somebody shared, as it is on the wire. */
const PICTURE = encodeFileMessage({
  id: "picture",
  name: "Émile",
  at: now,
  file: { fileName: "greenhouse.png", bytes: new Uint8Array(await readFile(join(ROOT, "public", "icon", "128.png"))) },
});

/** Runs in the page: a provider with two other people in the room, and a file on its way. */
function pretendProvider(picture: readonly number[]): void {
  const handlers = new Map<string, ((event: unknown) => void)[]>();
  const on = (name: string, handler: (event: unknown) => void): void => {
    handlers.set(name, [...(handlers.get(name) ?? []), handler]);
  };
  const tell = (name: string, event: unknown): void => {
    for (const handler of handlers.get(name) ?? []) handler(event);
  };
  const outcomes = ["delivered", "sent", "queued", "send-error"];
  let sends = 0;
  const said = (text: string, name: string, minutesAgo: number): unknown => {
    const id = `m${minutesAgo}`;
    const message = new TextEncoder().encode(JSON.stringify({ v: 1, id, name, text, at: 0 }));
    return {
      type: "reliable:message:received",
      at: Date.now() - minutesAgo * 60_000,
      messageId: id,
      senderId: name,
      message,
    };
  };
  const channel = {
    senderId: "me",
    on,
    removeAllListeners: () => undefined,
    async *history() {
      yield said("Morning! Who can open the greenhouse today?", "Noor", 9);
      yield said("I am there until noon. The key hangs behind the water butt.", "Émile", 8);
      yield {
        type: "reliable:message:received",
        at: Date.now() - 5 * 60_000,
        messageId: "picture",
        senderId: "Émile",
        message: Uint8Array.from(picture),
      };
      yield said(`Here is the whole seed list:\n${"Tomato, broad bean, chard, dill. ".repeat(9_000)}`, "Noor", 6);
    },
    request: async () => undefined,
    status: async () => ({ state: "open", health: "SUFFICIENTLY_HEALTHY", pending: 2 }),
    async send(bytes: Uint8Array) {
      const outcome = outcomes[sends % outcomes.length];
      sends += 1;
      const requestId = `r${sends}`;
      if (bytes.byteLength > 100_000) {
        setTimeout(() => tell("progress", { direction: "out", id: requestId, done: 7, total: 12 }), 10);
        setTimeout(() => tell("progress", { direction: "in", id: "large", done: 2, total: 9 }), 10);
        return requestId;
      }
      setTimeout(() => tell(`reliable:message:${outcome}`, { requestId, error: "No service node accepted it." }), 10);
      return requestId;
    },
  };
  const provider = {
    on,
    connect: async () => ({}),
    createReliableChannel: async () => channel,
    status: async () => ({ bridge: "ready", network: "Connected", locked: false }),
  };
  Object.defineProperty(window, "reliableChannel", { value: provider });
}

interface Shot {
  readonly name: string;
  readonly page: "popup.html" | "prompt.html";
  readonly snapshot: UiSnapshot | null;
  readonly gone?: UiSnapshot;
  /** Beside `ANSWERS`. */
  readonly answers?: Answers;
  readonly act?: (page: Page) => Promise<void>;
}

async function openKey(page: Page): Promise<void> {
  await page.getByTestId("tab-keys").click();
  await page.getByTestId("key-row").first().click();
}

async function openUnderKeys(page: Page, button: "protect" | "backup"): Promise<void> {
  await page.getByTestId("tab-keys").click();
  await page.getByTestId(button).click();
}

async function paste(page: Page, text: string): Promise<void> {
  await page.getByTestId("tab-keys").click();
  await page.getByTestId("key-import").click();
  await page.getByTestId("key-text").fill(text);
  await page.getByTestId("key-text-found").or(page.getByTestId("key-text-problem")).waitFor();
}

const SHOTS: readonly Shot[] = [
  { name: "popup-connecting", page: "popup.html", snapshot: null },
  { name: "popup-channels", page: "popup.html", snapshot: full },
  { name: "popup-channels-empty", page: "popup.html", snapshot: empty },
  { name: "popup-channels-many", page: "popup.html", snapshot: many },
  {
    name: "popup-channel",
    page: "popup.html",
    snapshot: full,
    act: (page) => page.getByTestId("channel-row").first().click(),
  },
  { name: "popup-sites", page: "popup.html", snapshot: full, act: (page) => page.getByTestId("tab-sites").click() },
  {
    name: "popup-revoke",
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("tab-sites").click();
      await page.getByTestId("revoke").first().click();
    },
  },
  {
    name: "popup-revoked",
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
    page: "popup.html",
    snapshot: empty,
    act: (page) => page.getByTestId("tab-sites").click(),
  },
  {
    name: "popup-network",
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
    page: "popup.html",
    snapshot: many,
    act: (page) => page.getByTestId("review").click(),
  },
  { name: "popup-welcome", page: "popup.html", snapshot: welcome },
  {
    name: "popup-welcome-wrong",
    page: "popup.html",
    snapshot: welcome,
    act: async (page) => {
      await page.getByTestId("new-password").fill("garden gate");
      await page.getByTestId("repeat-password").fill("garden gates");
      await page.getByTestId("welcome-set").click();
    },
  },
  { name: "popup-locked", page: "popup.html", snapshot: locked },
  {
    name: "popup-locked-wrong",
    page: "popup.html",
    snapshot: locked,
    answers: { unlock: { error: "The password is wrong." } },
    act: async (page) => {
      await page.getByTestId("unlock-password").fill("not this one");
      await page.getByTestId("unlock").click();
    },
  },
  {
    name: "popup-locked-network",
    page: "popup.html",
    snapshot: locked,
    act: (page) => page.getByTestId("tab-network").click(),
  },
  { name: "popup-damaged", page: "popup.html", snapshot: damaged, act: (page) => page.getByTestId("tab-keys").click() },
  { name: "popup-keys", page: "popup.html", snapshot: full, act: (page) => page.getByTestId("tab-keys").click() },
  {
    name: "popup-keys-empty",
    page: "popup.html",
    snapshot: empty,
    act: (page) => page.getByTestId("tab-keys").click(),
  },
  { name: "popup-key", page: "popup.html", snapshot: full, act: openKey },
  {
    name: "popup-key-export-ask",
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await openKey(page);
      await page.getByTestId("key-export-ask").click();
    },
  },
  {
    name: "popup-key-exported",
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
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await openKey(page);
      await page.getByTestId("key-delete").click();
    },
  },
  {
    name: "popup-key-make",
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("tab-keys").click();
      await page.getByTestId("key-make").click();
    },
  },
  { name: "popup-key-import", page: "popup.html", snapshot: full, act: (page) => paste(page, HEX) },
  {
    name: "popup-key-import-known",
    page: "popup.html",
    snapshot: full,
    answers: FOUND_KNOWN,
    act: (page) => paste(page, HEX),
  },
  {
    name: "popup-key-import-wrong",
    page: "popup.html",
    snapshot: full,
    answers: FOUND_NOTHING,
    act: (page) => paste(page, HEX.slice(2)),
  },
  {
    name: "popup-key-import-invitation",
    page: "popup.html",
    snapshot: full,
    answers: FOUND_INVITATION,
    act: (page) => paste(page, INVITATION),
  },
  { name: "popup-protect", page: "popup.html", snapshot: full, act: (page) => openUnderKeys(page, "protect") },
  { name: "popup-protect-none", page: "popup.html", snapshot: empty, act: (page) => openUnderKeys(page, "protect") },
  { name: "popup-backup", page: "popup.html", snapshot: full, act: (page) => openUnderKeys(page, "backup") },
  {
    name: "popup-activity",
    page: "popup.html",
    snapshot: full,
    act: (page) => page.getByTestId("tab-activity").click(),
  },
  {
    name: "popup-activity-empty",
    page: "popup.html",
    snapshot: empty,
    act: (page) => page.getByTestId("tab-activity").click(),
  },
  {
    name: "popup-channel-end",
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("channel-row").first().click();
      await page.getByTestId("delete-channel").scrollIntoViewIfNeeded();
    },
  },
  {
    name: "popup-channel-delete",
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("channel-row").first().click();
      await page.getByTestId("delete-channel").click();
    },
  },
  {
    name: "popup-share",
    page: "popup.html",
    snapshot: full,
    act: async (page) => {
      await page.getByTestId("channel-row").first().click();
      await page.getByTestId("channel-share").click();
    },
  },
  {
    name: "popup-share-shown",
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
    page: "popup.html",
    snapshot: full,
    answers: FOUND_INVITATION,
    act: async (page) => {
      await page.getByTestId("channel-accept").click();
      await page.getByTestId("invitation-text").fill(INVITATION);
      await page.getByTestId("key-text-found").waitFor();
    },
  },
  { name: "prompt-key", page: "prompt.html", snapshot: askedForKey },
  {
    name: "prompt-key-import",
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
    page: "prompt.html",
    snapshot: askedForKey,
    answers: FOUND_INVITATION,
    act: async (page) => {
      await page.getByTestId("key-choice-import").click();
      await page.getByTestId("key-choice-text").fill(INVITATION);
      await page.getByTestId("prompt-invitation").scrollIntoViewIfNeeded();
    },
  },
  { name: "prompt-key-suggested", page: "prompt.html", snapshot: askedByOther },
  {
    name: "prompt-key-other-site",
    page: "prompt.html",
    snapshot: askedByOther,
    act: async (page) => {
      await page.getByTestId("prompt-always").click();
      await page.getByTestId("new-site-warning").waitFor();
    },
  },
  { name: "prompt-key-locked", page: "prompt.html", snapshot: { ...askedForKey, vault: locked.vault } },
  { name: "prompt", page: "prompt.html", snapshot: { ...full, prompts } },
  {
    name: "prompt-next",
    page: "prompt.html",
    snapshot: { ...full, prompts },
    act: (page) => page.getByTestId("prompt-reject").click(),
  },
  { name: "prompt-expired", page: "prompt.html", snapshot: { ...full, prompts }, gone: full },
];

/** Views whose words are checked for length in the other languages. */
const TRANSLATED =
  /^(popup-(channels|channel|network|keys|key|activity|welcome|protect|share-shown)|prompt|prompt-key|prompt-key-other-site)$/;

async function shoot(context: BrowserContext, id: string, shot: Shot, width: number, file: string): Promise<void> {
  const page = await context.newPage();
  page.on("pageerror", (error) => process.stderr.write(`${shot.name}: ${error.message}\n`));
  await page.setViewportSize({ width, height: 600 });
  await page.addInitScript(pretendBackground, {
    snapshot: shot.snapshot,
    gone: shot.gone ?? null,
    answers: { ...ANSWERS, ...shot.answers },
  });
  await page.goto(`chrome-extension://${id}/${shot.page}`);
  if (shot.snapshot !== null) await page.getByTestId("skeleton").waitFor({ state: "detached" });
  await shot.act?.(page);
  if (shot.gone !== undefined) await page.getByTestId("prompt-expired").waitFor();
  await page.waitForTimeout(600);
  await page.screenshot({ path: join(GALLERY, file), animations: "disabled" });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (overflow > 0) process.stderr.write(`${file}: ${overflow} px too wide\n`);
  await page.evaluate(() => sessionStorage.clear());
  await page.close();
}

/** As the list of extensions shows it: that does not depend on a worker that may have come and gone. */
async function extensionId(context: BrowserContext): Promise<string> {
  const page = await context.newPage();
  await page.goto("chrome://extensions");
  const id = await page.locator("extensions-item").first().getAttribute("id");
  await page.close();
  if (id === null) throw new Error(`The extension in ${EXTENSION} did not load`);
  return id;
}

async function withExtension<T>(
  options: { readonly scheme: "light" | "dark"; readonly language: string },
  run: (context: BrowserContext, id: string) => Promise<T>,
): Promise<T> {
  const profile = await mkdtemp(join(tmpdir(), "gallery-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium",
    headless: true,
    colorScheme: options.scheme,
    env: { ...process.env, LANGUAGE: options.language },
    args: [
      "--no-sandbox",
      "--disable-background-networking",
      `--lang=${options.language}`,
      `--disable-extensions-except=${EXTENSION}`,
      `--load-extension=${EXTENSION}`,
    ],
  });
  try {
    return await run(context, await extensionId(context));
  } finally {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  }
}

async function shootDemo(context: BrowserContext, url: string, look: string, width: number): Promise<void> {
  const page = await context.newPage();
  page.on("pageerror", (error) => process.stderr.write(`demo: ${error.message}\n`));
  await page.setViewportSize({ width, height: 720 });
  await page.addInitScript(pretendProvider, [...PICTURE]);
  await page.goto(`${url}?room=allotment&name=Ada`);
  await page.getByTestId("join").waitFor();
  await page.screenshot({ path: join(GALLERY, `demo-entry-${look}.png`) });
  await page.getByTestId("encrypted").uncheck();
  await page.screenshot({ path: join(GALLERY, `demo-entry-open-${look}.png`) });
  await page.getByTestId("encrypted").check();
  await page.getByTestId("join").click();
  for (const text of ["Thanks, on my way!", "I bring the dill.", "And gloves for two.", "Anyone else?"]) {
    await page.getByTestId("composer").fill(text);
    await page.getByTestId("send").click();
  }
  await page.waitForTimeout(300);
  await page.screenshot({ path: join(GALLERY, `demo-chat-${look}.png`) });
  await page
    .getByTestId("file-picker")
    .setInputFiles({ name: "seed list 2026.ods", mimeType: "text/plain", buffer: Buffer.alloc(1_180_000) });
  await page.getByTestId("incoming").waitFor();
  await page.screenshot({ path: join(GALLERY, `demo-files-${look}.png`) });
  await page.getByTestId("file-image").scrollIntoViewIfNeeded();
  await page.screenshot({ path: join(GALLERY, `demo-image-${look}.png`) });
  await page.evaluate(() => {
    localStorage.clear();
    sessionStorage.clear();
  });
  await page.close();
}

if (options.only === undefined) await rm(GALLERY, { recursive: true, force: true });
await mkdir(GALLERY, { recursive: true });
const site = await startDemoSite({ port: 0 });
for (const scheme of ["light", "dark"] as const) {
  await withExtension({ scheme, language: "en-US" }, async (context, id) => {
    for (const width of [380, 320]) {
      for (const shot of SHOTS.filter(({ name }) => wanted(name))) {
        await shoot(context, id, shot, width, `${shot.name}-${scheme}-${width}.png`);
      }
    }
  });
  if (!wanted("demo")) continue;
  const browser = await chromium.launch({
    executablePath: process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-background-networking"],
  });
  const context = await browser.newContext({ colorScheme: scheme });
  await shootDemo(context, site.url, `${scheme}-980`, 980);
  await shootDemo(context, site.url, `${scheme}-360`, 360);
  const bare = await context.newPage();
  await bare.goto(site.url);
  await bare.getByTestId("hint").waitFor();
  await bare.screenshot({ path: join(GALLERY, `demo-hint-${scheme}.png`) });
  await browser.close();
}
for (const language of ["de", "fr"]) {
  await withExtension({ scheme: "light", language }, async (context, id) => {
    for (const shot of SHOTS.filter(({ name }) => wanted(name) && TRANSLATED.test(name))) {
      await shoot(context, id, shot, 320, `${shot.name}-${language}-320.png`);
    }
  });
}
await site.stop();
await rm(EXTENSION, { recursive: true });
