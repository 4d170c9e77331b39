/** Where the mock runs: in browsers, in older versions of Node.js, and under fake timers. */
import { afterEach, expect, test, vi } from "vitest";
import { provideHexadecimal } from "../../../packages/reliable-channel/mock/hexadecimal.ts";
import { systemRandom } from "../../../src/encryption/random.ts";

const TEA = { channelId: "tea", contentTopic: "/tea/1/chat/proto" } as const;

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
  vi.resetModules();
});

/** Loads the mock into the surroundings as they are now. */
async function load() {
  const { createMockNetwork } = await import("../../../packages/reliable-channel/mock/index.ts");
  return createMockNetwork;
}

async function converses(createMockNetwork: Awaited<ReturnType<typeof load>>): Promise<void> {
  await using network = createMockNetwork();
  const [from, to] = [
    await network.createProvider().provider.createReliableChannel(TEA),
    await network.createProvider().provider.createReliableChannel(TEA),
  ];
  const received = new Promise((resolve) => to.on("reliable:message:received", ({ message }) => resolve(message)));
  const delivered = new Promise((resolve) => from.on("reliable:message:delivered", resolve));
  await from.send(Uint8Array.of(1, 2, 3));
  expect(await received).toEqual(Uint8Array.of(1, 2, 3));
  await delivered;
}

test("a browser has no setImmediate", async () => {
  vi.stubGlobal("setImmediate", undefined);
  await converses(await load());
});

test("a test replaces the timers", async () => {
  const createMockNetwork = await load();
  vi.useFakeTimers();
  await converses(createMockNetwork);
});

test("what Node.js before 25 lacks is provided, and does the same", () => {
  const { toHex, setFromHex } = Uint8Array.prototype;
  const native = { toHex, setFromHex };
  const prototype: Partial<typeof native> = Uint8Array.prototype;
  const bytes = systemRandom(64);
  const [hex, upper] = [bytes.toHex(), bytes.toHex().toUpperCase()];
  const outcomes = () =>
    [hex, upper, hex.slice(2), `${hex}00`, "", "0", "0g", "+1", "é0"].map((text) => {
      const into = new Uint8Array(64);
      try {
        return [into.setFromHex(text), [...into]];
      } catch (thrown) {
        return thrown instanceof SyntaxError;
      }
    });
  const expected = outcomes();
  delete prototype.toHex;
  delete prototype.setFromHex;
  try {
    provideHexadecimal();
    expect(bytes.toHex).not.toBe(toHex);
    expect(bytes.toHex()).toBe(hex);
    expect(outcomes()).toEqual(expected);
  } finally {
    Object.assign(Uint8Array.prototype, native);
  }
  provideHexadecimal();
  expect(bytes.toHex).toBe(toHex);
});
