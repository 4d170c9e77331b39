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
import { type BrowserContext, chromium } from "playwright-core";
import { encodeFileMessage } from "./demo/file-message.ts";
import { startDemoSite } from "./demo/server.ts";
import { openShot, tooWide } from "./gallery/draw.ts";
import { SHOTS, type Shot } from "./gallery/shots.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const GALLERY = join(ROOT, ".output", "gallery");
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

/** Goes on, so that one look at the pictures finds everything, and fails at the end. */
function complain(about: string): void {
  process.stderr.write(`${about}\n`);
  process.exitCode = 1;
}

async function shoot(context: BrowserContext, id: string, shot: Shot, width: number, file: string): Promise<void> {
  const page = await context.newPage();
  page.on("pageerror", (error) => complain(`${shot.name}: ${error.message}`));
  await page.setViewportSize({ width, height: 600 });
  await openShot(page, id, shot);
  await page.screenshot({ path: join(GALLERY, file), animations: "disabled" });
  for (const wide of await tooWide(page)) complain(`${file} is too wide: ${wide}`);
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
  page.on("pageerror", (error) => complain(`demo: ${error.message}`));
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
    for (const shot of SHOTS.filter(({ name }) => wanted(name))) {
      await shoot(context, id, shot, 320, `${shot.name}-${language}-320.png`);
    }
  });
}
await site.stop();
await rm(EXTENSION, { recursive: true });
