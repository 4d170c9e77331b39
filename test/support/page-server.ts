/** A loopback web server for the odd pages that tests need: strict policies, sandboxes, a page without anything. */
import { once } from "node:events";
import { createServer } from "node:http";

export interface TestPage {
  readonly html: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface PageServer extends AsyncDisposable {
  /** `http://localhost:PORT`, an origin of its own and a secure context. */
  readonly origin: string;
  close(): Promise<void>;
}

/** Serves `pages` by path on a free port. */
export async function startPageServer(pages: Readonly<Record<string, TestPage>>): Promise<PageServer> {
  const server = createServer((request, response) => {
    const page = pages[new URL(request.url ?? "/", "http://localhost").pathname];
    if (page === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": "text/html; charset=utf-8", ...page.headers }).end(page.html);
  });
  server.listen(0, "localhost");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port");
  const close = async (): Promise<void> => {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  };
  return { origin: `http://localhost:${address.port}`, close, [Symbol.asyncDispose]: close };
}
