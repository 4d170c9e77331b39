/**
 * Draws every view of the popup, the prompt and the demo site with a background and a provider that only pretend, in light
 * and dark, wide and narrow, and in every language, into `.output/gallery`. To be looked at after a change of looks.
 * Needs `npm run build`; takes Chromium from `CHROMIUM_PATH`.
 */
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import type { ChannelSummary } from "../src/channel/types.ts";
import type { UiPrompt, UiSnapshot } from "../src/ui/background-api.ts";
import { startDemoSite } from "./demo/server.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const GALLERY = join(ROOT, ".output", "gallery");
const MINUTE = 60_000;
const now = Date.now();

/** A copy, so that a build in the meantime does not pull it away. */
const EXTENSION = await mkdtemp(join(tmpdir(), "gallery-extension-"));
await cp(join(ROOT, ".output", "chrome-mv3"), EXTENSION, { recursive: true });

function channel(channelId: string, origin: string, change: Partial<ChannelSummary> = {}): ChannelSummary {
  return {
    channelId,
    origin,
    contentTopic: `/${channelId}/1/general/proto`,
    senderId: "b1c59f24e0a84c53a5d4ff0f9b0a7c1e",
    profile: "logos",
    encryption: "none",
    createdAt: now - 9 * 24 * 60 * MINUTE,
    lastActiveAt: now - 5 * MINUTE,
    status: { state: "open", health: "SUFFICIENTLY_HEALTHY", pending: 0 },
    unacknowledged: 0,
    members: 4,
    ...change,
  };
}

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
    { origin: "https://chat.river-collective.example", state: "granted", since: now, lasts: "always", channels: 1 },
    { origin: "https://boards.example", state: "granted", since: now - 9e9, lasts: "session", channels: 2 },
    { origin: "http://localhost:5173", state: "granted", since: now - 3e8, lasts: "always", channels: 1 },
    { origin: "https://win-a-prize.ads.example", state: "blocked", since: now - 4e8, lasts: "always", channels: 0 },
  ],
  prompts: [],
};

const many: UiSnapshot = {
  ...full,
  channels: Array.from({ length: 11 }, (_, i) =>
    channel(`room-${i + 1}`, "https://boards.example", { lastActiveAt: now - i * 50 * MINUTE }),
  ),
  prompts,
};

const empty: UiSnapshot = { ...full, network: { ...full.network, status: "Disconnected" }, channels: [], sites: [] };

/** Runs in the page before its scripts: a port that answers every command and never tells more than one snapshot. */
function pretendBackground({ snapshot, gone }: { snapshot: UiSnapshot | null; gone: UiSnapshot | null }): void {
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
      postMessage: ({ id }: { id: number }) => post({ type: "answer", id }),
      disconnect: () => undefined,
    };
  };
  for (const name of ["chrome", "browser"]) {
    const api: unknown = Reflect.get(globalThis, name);
    if (typeof api !== "object" || api === null) continue;
    const runtime: unknown = Reflect.get(api, "runtime");
    if (typeof runtime === "object" && runtime !== null) {
      Object.defineProperty(runtime, "connect", { value: connect, configurable: true });
    }
  }
}

/** Runs in the page: a provider with one other person in the room. */
function pretendProvider(): void {
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
      yield said(`Here is the whole seed list:\n${"Tomato, broad bean, chard, dill. ".repeat(9_000)}`, "Noor", 6);
    },
    request: async () => undefined,
    status: async () => ({ state: "open", health: "SUFFICIENTLY_HEALTHY", pending: 2 }),
    async send() {
      const outcome = outcomes[sends % outcomes.length];
      sends += 1;
      const requestId = `r${sends}`;
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
  readonly act?: (page: Page) => Promise<void>;
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
  { name: "prompt", page: "prompt.html", snapshot: { ...full, prompts } },
  {
    name: "prompt-next",
    page: "prompt.html",
    snapshot: { ...full, prompts },
    act: (page) => page.getByTestId("prompt-reject").click(),
  },
  { name: "prompt-expired", page: "prompt.html", snapshot: { ...full, prompts }, gone: full },
];

async function shoot(context: BrowserContext, id: string, shot: Shot, width: number, file: string): Promise<void> {
  const page = await context.newPage();
  page.on("pageerror", (error) => process.stderr.write(`${shot.name}: ${error.message}\n`));
  await page.setViewportSize({ width, height: 600 });
  await page.addInitScript(pretendBackground, { snapshot: shot.snapshot, gone: shot.gone ?? null });
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
  await page.addInitScript(pretendProvider);
  await page.goto(`${url}?room=allotment&name=Ada`);
  await page.getByTestId("join").waitFor();
  await page.screenshot({ path: join(GALLERY, `demo-entry-${look}.png`) });
  await page.getByTestId("join").click();
  for (const text of ["Thanks, on my way!", "I bring the dill.", "And gloves for two.", "Anyone else?"]) {
    await page.getByTestId("composer").fill(text);
    await page.getByTestId("send").click();
  }
  await page.waitForTimeout(300);
  await page.screenshot({ path: join(GALLERY, `demo-chat-${look}.png`) });
  await page.evaluate(() => {
    localStorage.clear();
    sessionStorage.clear();
  });
  await page.close();
}

await rm(GALLERY, { recursive: true, force: true });
await mkdir(GALLERY, { recursive: true });
const site = await startDemoSite({ port: 0 });
for (const scheme of ["light", "dark"] as const) {
  await withExtension({ scheme, language: "en-US" }, async (context, id) => {
    for (const width of [380, 320]) {
      for (const shot of SHOTS) {
        await shoot(context, id, shot, width, `${shot.name}-${scheme}-${width}.png`);
        const extension = await context.newPage();
        await extension.goto(`chrome-extension://${id}/popup.html`);
        await extension.evaluate("chrome.storage.session.clear()");
        await extension.close();
      }
    }
  });
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
    for (const shot of SHOTS.filter(({ name }) => /^(popup-(channels|network)|prompt)$/.test(name))) {
      await shoot(context, id, shot, 320, `${shot.name}-${language}-320.png`);
    }
  });
}
await site.stop();
await rm(EXTENSION, { recursive: true });
