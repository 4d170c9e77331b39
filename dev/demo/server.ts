/** Builds the demo site and serves it on this machine alone. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const SOURCE = fileURLToPath(new URL(".", import.meta.url));
const SITE = fileURLToPath(new URL("../../.output/demo-site/", import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; base-uri 'none'; form-action 'none'",
  "x-content-type-options": "nosniff",
};

let built: Promise<void> | undefined;

/** Once per process. */
function buildSite(): Promise<void> {
  built ??= build({
    root: SOURCE,
    base: "./",
    configFile: false,
    logLevel: "warn",
    build: { outDir: SITE, emptyOutDir: true, target: "es2023", assetsInlineLimit: 0 },
  }).then(() => undefined);
  return built;
}

export interface DemoSite {
  /** Such as `http://localhost:5173/`: `localhost` is a secure context, as the extension demands of a site. */
  readonly url: string;
  stop(): Promise<void>;
}

/** `port` 0 takes a free one. Rejects where the port is taken or the site does not build. */
export async function startDemoSite({ port }: { readonly port: number }): Promise<DemoSite> {
  await buildSite();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const file = normalize(join(SITE, pathname.endsWith("/") ? `${pathname}index.html` : pathname));
    const type = TYPES[extname(file)];
    if (!file.startsWith(SITE.endsWith(sep) ? SITE : SITE + sep) || type === undefined) {
      response.writeHead(404, HEADERS).end();
      return;
    }
    readFile(file).then(
      (content) => response.writeHead(200, { ...HEADERS, "content-type": type }).end(content),
      () => response.writeHead(404, HEADERS).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : port;
  return {
    url: `http://localhost:${bound}/`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
