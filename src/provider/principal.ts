/** Who is at the other end of a port, by what the browser says and nothing else. */
import { LIMITS } from "../limits.ts";
import type { RuntimePort } from "./runtime-port.ts";

/** Host names for which plain HTTP is a secure context. */
const LOOPBACK = new Set(["localhost", "127.0.0.1"]);

/**
 * The origin of a page, or `undefined` if it may not use the provider. Only `sender.origin` counts: a sandboxed frame has
 * the origin `null` while its URL, and its tab's, look like the site's. Embedded frames have no provider.
 */
export function pageOrigin(sender: RuntimePort["sender"], extensionId: string): string | undefined {
  if (sender?.id !== extensionId || sender.frameId !== 0) return undefined;
  const { origin } = sender;
  return origin !== undefined && isSiteOrigin(origin) ? origin : undefined;
}

/** Whether it is written as the origin of a secure context, exactly. */
export function isSiteOrigin(origin: string): boolean {
  // A parser takes host names that no resolver would.
  if (origin.length > LIMITS.provider.originBytes || !URL.canParse(origin)) return false;
  const url = new URL(origin);
  if (url.origin !== origin) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK.has(url.hostname));
}

/** Whether the sender is one of our own pages. Content scripts carry our id too, but never our URL. */
export function isOwnPage(sender: RuntimePort["sender"], extensionId: string, extensionUrl: string): boolean {
  return sender?.id === extensionId && sender.url?.startsWith(extensionUrl) === true;
}
