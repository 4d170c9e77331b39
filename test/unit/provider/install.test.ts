import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { BridgeRuntimePort } from "../../../src/provider/bridge.ts";
import { bridge, offerPort } from "../../../src/provider/bridge.ts";
import { OFFER_EVENT } from "../../../src/provider/frames.ts";
import { installProvider } from "../../../src/provider/install.ts";
import type { ReliableChannelProvider } from "../../../src/provider/provider-api.ts";

const DESCRIPTION = { name: "Test", icon: "data:image/svg+xml,", rdns: "example.test", version: "1.2.3" } as const;

/** As much of a window as the two scripts touch; both worlds share its events, as in a browser. */
class FakeWindow extends EventTarget {
  declare readonly reliableChannel?: ReliableChannelProvider;
  top: unknown = this;
}

let page: FakeWindow;
let fakeDocument: EventTarget & { contentType: string };
const ports: MessagePort[] = [];

beforeEach(() => {
  page = new FakeWindow();
  fakeDocument = Object.assign(new EventTarget(), { contentType: "text/html" });
  vi.stubGlobal("window", page);
  vi.stubGlobal("document", fakeDocument);
  vi.stubGlobal("isSecureContext", true);
  vi.stubGlobal("reportError", () => {});
});

afterEach(() => {
  for (const port of ports.splice(0)) port.close();
  vi.unstubAllGlobals();
});

/** A bridge whose background answers every call with its method's name. */
function startBridge(): { readonly frames: unknown[] } {
  const frames: unknown[] = [];
  offerPort((port) => {
    ports.push(port);
    bridge(port, () => ({
      id: "extension",
      connect: (): BridgeRuntimePort => {
        let reply: (frame: unknown) => void = () => {};
        return {
          postMessage: (frame) => {
            frames.push(frame);
            const { type, callId, method } = frame as { type: string; callId: string; method: string };
            if (type === "call") reply({ type: "answer", callId, ok: true, value: method });
          },
          disconnect: () => {},
          onMessage: {
            addListener: (listener) => {
              reply = listener;
            },
          },
          onDisconnect: { addListener: () => {} },
        };
      },
    }));
  });
  return { frames };
}

function provider(): ReliableChannelProvider {
  if (!page.reliableChannel) throw new Error("no provider");
  return page.reliableChannel;
}

describe("installation in a page", () => {
  test.each(["bridge first", "page first"])("the private port is handed over, %s", async (order) => {
    if (order === "bridge first") startBridge();
    installProvider(DESCRIPTION);
    if (order === "page first") startBridge();
    expect(await provider().listChannels()).toBe("list");
  });

  test("calls made before the bridge is there are carried when it is", async () => {
    installProvider(DESCRIPTION);
    const call = provider().listChannels();
    startBridge();
    expect(await call).toBe("list");
  });

  test("no event with the port is left for scripts of the page", () => {
    const { frames } = startBridge();
    installProvider(DESCRIPTION);
    const offers: Event[] = [];
    fakeDocument.addEventListener(OFFER_EVENT, (event) => offers.push(event));
    fakeDocument.dispatchEvent(new Event("reliable-channel:ask"));
    expect(offers).toEqual([]);
    expect(frames).toEqual([]);
  });

  test("an offer of the page itself is not taken any more", async () => {
    startBridge();
    installProvider(DESCRIPTION);
    const { port1, port2 } = new MessageChannel();
    ports.push(port1, port2);
    const offer = new MessageEvent(OFFER_EVENT, { ports: [port2 as never], cancelable: true });
    expect(fakeDocument.dispatchEvent(offer)).toBe(true);
    expect(await provider().listChannels()).toBe("list");
  });

  test("the property cannot be replaced, nor what the provider does", () => {
    installProvider(DESCRIPTION);
    const before = provider();
    expect(Object.getOwnPropertyDescriptor(page, "reliableChannel")).toMatchObject({
      writable: false,
      configurable: false,
    });
    expect(() => Object.assign(page, { reliableChannel: {} })).toThrow(TypeError);
    expect(() => Object.assign(before, { send: () => {} })).toThrow(TypeError);
    expect(() => Object.assign(Object.getPrototypeOf(before), { send: () => {} })).toThrow(TypeError);
    expect(provider()).toBe(before);
  });

  test("globals that the page replaces afterwards are not used", async () => {
    startBridge();
    installProvider(DESCRIPTION);
    const stolen: unknown[] = [];
    const original = MessagePort.prototype.postMessage;
    const { randomUUID } = crypto;
    try {
      MessagePort.prototype.postMessage = (...args: unknown[]) => void stolen.push(args);
      crypto.randomUUID = () => {
        stolen.push("uuid");
        return "0-0-0-0-0";
      };
      vi.stubGlobal("setTimeout", () => stolen.push("setTimeout"));
      const call = provider().listChannels({ timeoutMs: 10_000 });
      MessagePort.prototype.postMessage = original;
      expect(await call).toBe("list");
    } finally {
      MessagePort.prototype.postMessage = original;
      crypto.randomUUID = randomUUID;
    }
    expect(stolen).toEqual([]);
  });

  test("it announces itself at once and whenever asked, with the same identity", () => {
    const details: unknown[] = [];
    page.addEventListener("reliablechannel:announceProvider", (event) => details.push((event as CustomEvent).detail));
    installProvider(DESCRIPTION);
    page.dispatchEvent(new Event("reliablechannel:requestProvider"));
    expect(details).toEqual([
      { info: { ...DESCRIPTION, uuid: expect.stringMatching(/^[\da-f-]{36}$/) }, provider: provider() },
      { info: provider().info, provider: provider() },
    ]);
    expect(Object.isFrozen(details[0])).toBe(true);
    expect(Object.isFrozen(provider().info)).toBe(true);
  });

  test("a page restored from the back/forward cache says so to the bridge", async () => {
    const { frames } = startBridge();
    installProvider(DESCRIPTION);
    await provider().listChannels();
    const greetings = () => frames.filter((frame) => (frame as { type: string }).type === "hello").length;
    expect(greetings()).toBe(1);
    page.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: false }));
    await provider().listChannels();
    expect(greetings()).toBe(1);
    page.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
    await provider().listChannels();
    expect(greetings()).toBe(2);
  });

  test("a page that is looked at says so, once it has anything to say", async () => {
    const { frames } = startBridge();
    installProvider(DESCRIPTION);
    const said = (type: string) => frames.filter((frame) => (frame as { type: string }).type === type);
    Object.assign(fakeDocument, { visibilityState: "visible" });
    page.dispatchEvent(new Event("focus"));
    expect(frames).toEqual([]);
    await provider().listChannels();
    expect(said("hello")).toMatchObject([{ focusedAt: expect.any(Number) }]);
    for (const target of [page, fakeDocument]) {
      for (const type of ["focus", "pageshow", "visibilitychange"]) target.dispatchEvent(new Event(type));
    }
    Object.assign(fakeDocument, { visibilityState: "hidden" });
    fakeDocument.dispatchEvent(new Event("visibilitychange"));
    page.dispatchEvent(new Event("pageshow"));
    await provider().listChannels();
    expect(said("focused")).toHaveLength(3);
    expect(said("focused")[0]).toEqual({ type: "focused", at: expect.any(Number) });
  });

  test.each([
    ["an embedded frame", () => Object.assign(page, { top: {} })],
    ["an insecure context", () => vi.stubGlobal("isSecureContext", false)],
    ["an image document", () => Object.assign(fakeDocument, { contentType: "image/png" })],
  ])("%s gets no provider", (_, make) => {
    make();
    installProvider(DESCRIPTION);
    expect(page.reliableChannel).toBeUndefined();
  });

  test("a provider that is there already is left alone", () => {
    installProvider(DESCRIPTION);
    const first = provider();
    installProvider({ ...DESCRIPTION, name: "Other" });
    expect(provider()).toBe(first);
  });
});
