import { afterEach, describe, expect, test, vi } from "vitest";
import { detectReliableChannel, ErrorCode, isReliableChannelError } from "../../../packages/reliable-channel/index.ts";
import { createMockNetwork } from "../../../packages/reliable-channel/mock/index.ts";
import { channelClosed } from "../../../src/provider/errors.ts";
import type { ReliableChannelProvider } from "../../../src/provider/provider-api.ts";

const ANNOUNCE = "reliablechannel:announceProvider";
const REQUEST = "reliablechannel:requestProvider";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function aProvider(): Promise<ReliableChannelProvider> {
  await using network = createMockNetwork({ speed: 0 });
  return network.createProvider().provider;
}

/** A page without the extension, as far as detection looks at it. */
class Page extends EventTarget {
  reliableChannel: ReliableChannelProvider | undefined;
  readonly listening: string[] = [];

  constructor() {
    super();
    vi.stubGlobal("window", this);
  }

  override addEventListener(type: string, listener: EventListener): void {
    this.listening.push(type);
    super.addEventListener(type, listener);
  }

  override removeEventListener(type: string, listener: EventListener): void {
    this.listening.splice(this.listening.indexOf(type), 1);
    super.removeEventListener(type, listener);
  }

  announce(provider: ReliableChannelProvider): void {
    this.dispatchEvent(new CustomEvent(ANNOUNCE, { detail: { info: provider.info, provider } }));
  }
}

describe("detection", () => {
  test("finds the provider that is there", async () => {
    const provider = await aProvider();
    new Page().reliableChannel = provider;
    expect(await detectReliableChannel()).toBe(provider);
  });

  test("asks, and finds the provider that answers", async () => {
    const [page, provider] = [new Page(), await aProvider()];
    page.addEventListener(REQUEST, () => page.announce(provider));
    expect(await detectReliableChannel()).toBe(provider);
    expect(page.listening).toEqual([REQUEST]);
  });

  test("finds the provider that comes later, and takes the first", async () => {
    const [page, provider] = [new Page(), await aProvider()];
    const detected = detectReliableChannel({ timeoutMs: 60_000 });
    page.announce(provider);
    page.announce(await aProvider());
    expect(await detected).toBe(provider);
    expect(page.listening).toEqual([]);
  });

  test("gives up in time, and leaves nothing behind", async () => {
    vi.useFakeTimers();
    const page = new Page();
    let detected: unknown = "not yet";
    void detectReliableChannel({ timeoutMs: 500 }).then((found) => {
      detected = found;
    });
    await vi.advanceTimersByTimeAsync(499);
    expect(detected).toBe("not yet");
    await vi.advanceTimersByTimeAsync(1);
    expect(detected).toBeUndefined();
    expect(page.listening).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("ends with its signal, without throwing", async () => {
    const page = new Page();
    const controller = new AbortController();
    const detected = detectReliableChannel({ timeoutMs: 60_000, signal: controller.signal });
    controller.abort();
    expect(await detected).toBeUndefined();
    expect(await detectReliableChannel({ signal: controller.signal })).toBeUndefined();
    expect(page.listening).toEqual([]);
  });

  test("finds nothing where there is no page", async () => {
    expect(await detectReliableChannel()).toBeUndefined();
  });
});

test("errors of the provider are told from others, also where they come from another world", () => {
  const error = channelClosed("tea");
  const { name, message, code, retryable } = error;
  expect(isReliableChannelError(error)).toBe(true);
  expect(isReliableChannelError({ name, message, code, retryable })).toBe(true);
  expect(error.code).toBe(ErrorCode.ChannelClosed);
  for (const other of [new Error("?"), { ...new Error("?"), code: 4001 }, { name }, "4001", null, undefined]) {
    expect(isReliableChannelError(other)).toBe(false);
  }
});
