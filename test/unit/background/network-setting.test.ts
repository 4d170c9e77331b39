import { describe, expect, test } from "vitest";
import { readNetwork, writeNetwork } from "../../../src/background/network-setting.ts";
import type { NetworkConfig } from "../../../src/messaging/network-config.ts";
import { DEFAULT_NETWORK } from "../../../src/messaging/network-presets.ts";
import { FakeSession } from "../keys/vault-world.ts";

const LOCAL: NetworkConfig = { name: "local", clusterId: 42, shards: 8, bootstrap: ["/ip4/127.0.0.1/tcp/1/ws"] };
const LIMITED = { enabled: true, epochSeconds: 60, messagesPerEpoch: 5 };

describe("the stored network", () => {
  test("comes back as it was chosen, with its rate limit and without", async () => {
    const area = new FakeSession();
    expect(await readNetwork(area)).toEqual(DEFAULT_NETWORK);
    for (const config of [
      LOCAL,
      { ...LOCAL, rateLimit: LIMITED },
      { ...LOCAL, rateLimit: { ...LIMITED, enabled: false } },
    ]) {
      expect(await writeNetwork(area, config)).toEqual({ ok: true, value: undefined });
      expect(await readNetwork(area)).toEqual(config);
    }
  });

  test.each([
    ["a period of 0", { epochSeconds: 0 }, /period/],
    ["a period of more than a day", { epochSeconds: 86_401 }, /period/],
    ["a period that is no whole number", { epochSeconds: 1.5 }, /period/],
    ["a negative budget", { messagesPerEpoch: -1 }, /messages/],
  ])("refuses %s in words, and stays what it was", async (_, change, words) => {
    const area = new FakeSession();
    await writeNetwork(area, LOCAL);
    expect(await writeNetwork(area, { ...LOCAL, rateLimit: { ...LIMITED, ...change } })).toEqual({
      ok: false,
      error: expect.stringMatching(words),
    });
    expect(await readNetwork(area)).toEqual(LOCAL);
  });

  test("a budget of 0 is fine, and admits nothing", async () => {
    const area = new FakeSession();
    const config = { ...LOCAL, rateLimit: { ...LIMITED, messagesPerEpoch: 0 } };
    expect(await writeNetwork(area, config)).toMatchObject({ ok: true });
    expect(await readNetwork(area)).toEqual(config);
  });
});
