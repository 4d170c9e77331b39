/** Puts the provider on `window`, before any script of the page runs, and takes the private port from the bridge. */
import type { BackgroundFrame, LinkFrame, PageFrame, ResetFrame } from "./frames.ts";
import { ASK_EVENT, OFFER_EVENT } from "./frames.ts";
import { createPageClient } from "./page-client.ts";
import type { PageHost } from "./page-link.ts";
import type { ProviderInfo } from "./provider-api.ts";

const NAME = "reliableChannel";
const ANNOUNCE = "reliablechannel:announceProvider";
const REQUEST = "reliablechannel:requestProvider";

export function installProvider(description: Omit<ProviderInfo, "uuid">): void {
  // A sandboxed page has the origin `null`, which no grant can name: it looks like a browser without the extension.
  if (!isSecureContext || window !== window.top || window.origin === "null") return;
  if (!isHtml(document) || NAME in window) return;
  // Kept from before any script of the page could replace them.
  const crypto = globalThis.crypto;
  const randomUUID = crypto.randomUUID;
  const { now } = Date;
  const { setTimeout, clearTimeout, reportError, CustomEvent } = globalThis;
  const { postMessage } = MessagePort.prototype;
  const uuid = (): string => Reflect.apply(randomUUID, crypto, []);

  let port: MessagePort | undefined;
  let waiting: (PageFrame | ResetFrame)[] = [];
  const host: PageHost = {
    post(frame) {
      if (port) Reflect.apply(postMessage, port, [frame]);
      else waiting.push(structuredClone(frame));
    },
    uuid,
    after(delayMs, callback) {
      const timer = Reflect.apply(setTimeout, undefined, [callback, delayMs]);
      return () => Reflect.apply(clearTimeout, undefined, [timer]);
    },
    now,
    report: (thrown) => Reflect.apply(reportError, undefined, [thrown]),
  };
  const info: ProviderInfo = { ...description, uuid: uuid() };
  const { provider, receive, restored, focused } = createPageClient(host, info);

  // Either world may run first: this one asks, the bridge offers, and whoever comes second finds the other.
  const onOffer = (event: Event): void => {
    const offered = (event as MessageEvent).ports[0];
    if (!offered) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    document.removeEventListener(OFFER_EVENT, onOffer);
    port = offered;
    // The bridge posts on this port and nobody else has it: what arrives is what the background or the bridge wrote.
    port.onmessage = ({ data }: MessageEvent<BackgroundFrame | LinkFrame>) => receive(data);
    for (const frame of waiting) host.post(frame);
    waiting = [];
  };
  document.addEventListener(OFFER_EVENT, onOffer);
  document.dispatchEvent(new Event(ASK_EVENT));

  window.addEventListener("pageshow", (event) => {
    if (event.persisted) restored();
  });
  const lookedAt = (): void => {
    if (document.visibilityState === "visible") focused();
  };
  window.addEventListener("focus", lookedAt);
  window.addEventListener("pageshow", lookedAt);
  document.addEventListener("visibilitychange", lookedAt);

  Object.defineProperty(window, NAME, { value: provider, enumerable: true, writable: false, configurable: false });
  const detail = Object.freeze({ info: provider.info, provider });
  const announce = (): boolean => window.dispatchEvent(new CustomEvent(ANNOUNCE, { detail }));
  window.addEventListener(REQUEST, announce);
  announce();
}

/** Documents of other types (images, PDF viewers, XML) run no page that could use a channel. */
function isHtml({ contentType }: Document): boolean {
  return contentType === "text/html" || contentType === "application/xhtml+xml";
}
