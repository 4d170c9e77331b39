/** What the pictures show: a background that only pretends, with channels, keys, requests and prompts of every kind. */
import type { ChannelSummary, IntakePause } from "../../src/channel/types.ts";
import { qrCode } from "../../src/keys/qr.ts";
import type { UiCommand, UiKey, UiPrompt, UiRefusal, UiRequest, UiSnapshot } from "../../src/ui/background-api.ts";

const MINUTE = 60_000;
const now = Date.now();

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

export const RIVER = "https://chat.river-collective.example";
export const BOARDS = "https://boards.example";
export const LOCAL = "http://localhost:5173";

function key(id: string, name: string, words: string, change: Partial<UiKey> = {}): UiKey {
  return {
    id,
    name,
    fingerprint: { words: words.split(" "), hex: "3fa4c21e" },
    createdAt: now - 30 * 24 * 60 * MINUTE,
    origins: [],
    channels: [],
    earlierIn: [],
    ...change,
  };
}

const keys: readonly UiKey[] = [
  key("k1", "Allotment", "amber canoe lantern mosaic quartz willow", {
    origins: [RIVER],
    channels: [{ origin: RIVER, channelId: "allotment" }],
    earlierIn: [{ origin: BOARDS, channelId: "archive" }],
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
    failure: "unreachable",
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
    failure: "unacknowledged",
    createdAt: now - 26 * MINUTE,
  }),
  request("r6", { createdAt: now - 40 * MINUTE }),
  request("r7", {
    bytes: 1_900_000,
    segments: { total: 19, confirmed: 19, failed: 0, acknowledged: 19 },
    createdAt: now - 50 * MINUTE,
  }),
];

export const INVITATION = `RCI1-${"K7QX2M4TVA5JWPZ3".repeat(10)}`;
export const HEX = "9f3a61c04be27d58".repeat(4);
const qr = qrCode(INVITATION);
if (!qr.ok) throw new Error(qr.error);

/** What the pretended background answers, by command; what is not here is answered without a value. */
export type Answers = Readonly<
  Partial<Record<UiCommand["type"], { readonly value?: unknown; readonly error?: UiRefusal }>>
>;

export const ANSWERS: Answers = {
  exportKey: { value: { text: HEX } },
  createInvitation: { value: { text: INVITATION, qr: qr.value.modules } },
  makeKey: { value: { keyId: "k3" } },
  readDiagnostics: { value: { text: "{}" } },
  testPeer: { value: { kind: "peer", peerId: "16Uiu2HAm", services: ["lightpush", "filter"], ms: 184 } },
  inspectKeyText: {
    value: {
      kind: "key",
      format: "hex",
      fingerprint: { words: ["dune", "garnet", "juniper", "nectar", "saddle", "yarrow"], hex: "a61f09d2" },
    },
  },
};
export const FOUND_INVITATION: Answers = {
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
export const FOUND_KNOWN: Answers = {
  inspectKeyText: { value: { kind: "key", format: "jwk", fingerprint: keys[0]?.fingerprint, known: "Allotment" } },
};
export const FOUND_NOTHING: Answers = {
  inspectKeyText: { error: { kind: "text-wrong-length", message: "", bytes: 31 } },
};

const ALL_SCOPES: UiPrompt["scopes"] = ["channel:create", "channel:send", "channel:receive"];

export const prompts: readonly UiPrompt[] = [
  {
    id: "p1",
    origin: "https://chat.river-collective.example",
    requestedAt: now,
    scopes: ALL_SCOPES,
    channel: {
      channelId: "allotment",
      contentTopic: "/river-chat/1/allotment/proto",
      encryption: "none",
      profile: "logos",
    },
  },
  { id: "p2", origin: "http://localhost:5173", requestedAt: now, scopes: ALL_SCOPES },
];

/** It asks for as little as it can, and one of its topics is as long as topics may be. */
export const narrowPrompt: UiPrompt = {
  id: "p4",
  origin: RIVER,
  requestedAt: now,
  scopes: ["channel:receive"],
  contentTopics: ["/river-chat/1/allotment/proto", `/river-chat/1/${"archive-".repeat(28)}/proto`],
};

export const encryptedPrompt: UiPrompt = {
  id: "p3",
  origin: RIVER,
  requestedAt: now,
  scopes: ALL_SCOPES,
  channel: {
    channelId: "allotment",
    contentTopic: "/river-chat/1/allotment/proto",
    encryption: "key",
    profile: "logos",
  },
  keyChoice: {},
};

export const full: UiSnapshot = {
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

/** With a first channel that takes nothing in. */
export const paused = (why: IntakePause): UiSnapshot => ({
  ...full,
  channels: full.channels.map((each, i) => (i === 0 ? { ...each, paused: why } : each)),
});

export const many: UiSnapshot = {
  ...full,
  channels: Array.from({ length: 11 }, (_, i) =>
    channel(`room-${i + 1}`, "https://boards.example", { lastActiveAt: now - i * 50 * MINUTE }),
  ),
  prompts,
};

export const empty: UiSnapshot = {
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
export const welcome: UiSnapshot = { ...empty, vault: { ...empty.vault, welcomed: false } };
export const locked: UiSnapshot = { ...full, vault: { ...full.vault, state: "locked" } };
export const damaged: UiSnapshot = { ...full, keys: [], vault: { ...full.vault, state: "damaged" } };
/** With a last key that cannot be opened. */
export const unreadable: UiSnapshot = {
  ...full,
  keys: full.keys.map(({ fingerprint, ...each }) =>
    each.id === "k3" || !fingerprint ? each : { ...each, fingerprint },
  ),
};
export const askedForKey: UiSnapshot = { ...full, prompts: [encryptedPrompt] };
export const askedByOther: UiSnapshot = {
  ...full,
  prompts: [{ ...encryptedPrompt, origin: LOCAL, keyChoice: { suggested: "k1" } }],
};
/** Runs in the page before its scripts: a port that answers every command and never tells more than one snapshot. */
export function pretendBackground({
  snapshot,
  gone,
  lost,
  answers,
}: {
  snapshot: UiSnapshot | null;
  gone: UiSnapshot | null;
  lost: boolean;
  answers: Answers;
}): void {
  let connected = false;
  const connect = (): unknown => {
    if (lost && connected) throw new Error("There is no background");
    connected = true;
    const listeners: ((frame: unknown) => void)[] = [];
    const ends: (() => void)[] = [];
    const post = (frame: unknown): void => {
      setTimeout(() => {
        for (const listener of listeners) listener(frame);
      });
    };
    if (snapshot !== null) post(snapshot);
    if (gone !== null) setTimeout(() => post(gone), 200);
    if (lost)
      setTimeout(() => {
        for (const end of ends) end();
      }, 200);
    return {
      name: "ui",
      onMessage: { addListener: (listener: (frame: unknown) => void) => listeners.push(listener) },
      onDisconnect: { addListener: (end: () => void) => ends.push(end) },
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
