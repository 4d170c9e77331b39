/**
 * The bridge: carries frames between the page's private port and the background's. It lives in the isolated world, knows
 * nothing of what the frames say, and keeps no state that could be lost: the page sends again what was not answered.
 *
 * `chrome` is used as it is, through the few types below: a polyfill would weigh more than the whole bridge.
 */
import type { LinkFrame, PageFrame, ResetFrame } from "./frames.ts";
import { ASK_EVENT, BRIDGE_PORT, OFFER_EVENT } from "./frames.ts";

export interface BridgeRuntimePort {
  postMessage(frame: unknown): void;
  disconnect(): void;
  readonly onMessage: { addListener(listener: (frame: unknown) => void): void };
  readonly onDisconnect: { addListener(listener: () => void): void };
}

export interface BridgeRuntime {
  /** `undefined` once the extension was updated, disabled or removed. */
  readonly id?: string | undefined;
  /** Reading it tells the browser that the error was noticed, which keeps it out of the page's console. */
  readonly lastError?: unknown;
  connect(info: { readonly name: string }): BridgeRuntimePort;
}

/** The page's end: one private `MessagePort`. */
export interface BridgePagePort {
  postMessage(frame: unknown): void;
  onmessage: ((event: MessageEvent<PageFrame | ResetFrame>) => void) | null;
}

/** Joins the page's port to the background, whose port it opens with the first frame and again whenever it died. */
export function bridge(page: BridgePagePort, runtime: () => BridgeRuntime | undefined): { invalidated(): void } {
  let background: BridgeRuntimePort | undefined;
  let gone = false;

  const say = (state: LinkFrame["state"]): void => page.postMessage({ type: "link", state } satisfies LinkFrame);
  const invalidated = (): void => {
    if (gone) return;
    gone = true;
    drop();
    say("gone");
  };
  const drop = (): void => {
    const dropped = background;
    background = undefined;
    try {
      dropped?.disconnect();
    } catch {
      // The port of an extension that is gone throws; it is as disconnected as it can be.
    }
  };
  const alive = (): BridgeRuntime | undefined => {
    const found = runtime();
    return found?.id === undefined ? undefined : found;
  };
  const open = (): BridgeRuntimePort | undefined => {
    const opened = alive()?.connect({ name: BRIDGE_PORT });
    if (!opened) return undefined;
    opened.onMessage.addListener((frame) => {
      if (opened === background) page.postMessage(frame);
    });
    opened.onDisconnect.addListener(() => {
      void runtime()?.lastError;
      if (opened !== background) return;
      background = undefined;
      if (alive()) say("down");
      else invalidated();
    });
    return opened;
  };

  page.onmessage = ({ data }) => {
    if (gone) {
      say("gone");
      return;
    }
    if (data.type === "reset") {
      drop();
      return;
    }
    try {
      background ??= open();
      if (background) background.postMessage(data);
      else invalidated();
    } catch {
      // `connect` and `postMessage` throw when the extension is gone, and when the port died a moment ago.
      drop();
      if (alive()) say("down");
      else invalidated();
    }
  };
  return { invalidated };
}

/** Hands a new private port to the page script, whichever of the two runs first, while no script of the page exists. */
export function offerPort(take: (port: MessagePort) => void): void {
  let taken = false;
  const offer = (): void => {
    if (taken) return;
    const { port1, port2 } = new MessageChannel();
    const event = new MessageEvent(OFFER_EVENT, { ports: [port2], cancelable: true });
    // Cancelled means taken: there was a page script to listen.
    if (document.dispatchEvent(event)) {
      port1.close();
      return;
    }
    taken = true;
    document.removeEventListener(ASK_EVENT, offer);
    take(port1);
  };
  document.addEventListener(ASK_EVENT, offer);
  offer();
}
