/** `npm start`: sets everything up, then shows two people a chat over a local network; `--headless` plays it and checks. */
import { join } from "node:path";
import { ensureChromium } from "./lib/browsers.mjs";
import { ensureInstalled, NODE } from "./lib/install.mjs";
import { runMain, SetupError, say } from "./lib/log.mjs";
import { ROOT } from "./lib/paths.mjs";
import { endAllOnSignal, run } from "./lib/process.mjs";

const HEADLESS = "--headless";

/** @returns {boolean} whether this machine can open a window */
const hasDisplay = () =>
  process.platform !== "linux" || Boolean(process.env["DISPLAY"]) || Boolean(process.env["WAYLAND_DISPLAY"]);

await runMain(async () => {
  const args = process.argv.slice(2);
  const unknown = args.find((arg) => arg !== HEADLESS);
  if (unknown !== undefined) throw new SetupError(`Unknown option ${unknown}. Usage: npm start [-- ${HEADLESS}]`);
  const headless = args.includes(HEADLESS);
  if (!headless && !hasDisplay()) {
    throw new SetupError(`There is no display to open windows on. Try: npm start -- ${HEADLESS}`);
  }
  endAllOnSignal();
  await ensureInstalled();
  const env = {
    ...process.env,
    PATH: `${join(ROOT, "node_modules", ".bin")}:${process.env["PATH"] ?? ""}`,
    CHROMIUM_PATH: await ensureChromium(),
  };
  say("Building the extension…");
  // Standard output is kept for the conversation's JSON lines.
  const built = await run(join(ROOT, "node_modules", ".bin", "wxt"), ["build"], {
    cwd: ROOT,
    env,
    stdio: ["ignore", 2, 2],
  });
  if (built.code !== 0) throw new SetupError("The build failed; its output is above.");
  const demo = await run(NODE, [join(ROOT, "scripts", "demo.ts"), ...args], {
    cwd: ROOT,
    env,
    stdio: ["ignore", "inherit", "inherit"],
  });
  return demo.code;
});
