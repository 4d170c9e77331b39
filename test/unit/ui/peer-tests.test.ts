import { describe, expect, it } from "vitest";
import { err, ok, type Result } from "../../../src/common/result.ts";
import { LIMITS } from "../../../src/limits.ts";
import type { UiPeerTest } from "../../../src/ui/background-api.ts";
import { failureWords, type PeerTest, testAddresses, testWords, works } from "../../../src/ui/peer-tests.ts";

const PEER: UiPeerTest = { kind: "peer", peerId: "p", services: [], ms: 5 };
const FAILED = { failed: true, kind: "unusable", message: "no" } as const;

describe("the test of addresses", () => {
  it("runs a few at a time, tells the list after each outcome, and keeps the order", async () => {
    const addresses = Array.from({ length: 10 }, (_, i) => `/${i}`);
    let [running, most] = [0, 0];
    const told: (readonly PeerTest<string>[])[] = [];
    await testAddresses<string>(
      addresses,
      async (address) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        return address === "/3" ? err("busy") : ok(address === "/4" ? FAILED : PEER);
      },
      (tests) => {
        told.push(tests);
        return true;
      },
    );
    expect(most).toBe(LIMITS.messaging.peerTests);
    expect(told).toHaveLength(1 + addresses.length);
    expect(told[0]?.every(({ outcome }) => outcome === undefined)).toBe(true);
    const last = told.at(-1) ?? [];
    expect(last.map(({ address }) => address)).toEqual(addresses);
    expect(last.map(testWords).map(({ tone }) => tone)).toEqual(
      addresses.map((address) => (address === "/3" || address === "/4" ? "bad" : "good")),
    );
  });

  it("begins no more once nobody wants to know", async () => {
    const asked: string[] = [];
    let tells = 0;
    await testAddresses<string>(
      Array.from({ length: 20 }, (_, i) => `/${i}`),
      async (address): Promise<Result<UiPeerTest, string>> => {
        asked.push(address);
        return ok(PEER);
      },
      () => ++tells < 2,
    );
    expect(asked.length).toBeLessThanOrEqual(LIMITS.messaging.peerTests);
  });

  it("says of each outcome what it means", () => {
    expect(testWords({ address: "/", outcome: undefined })).toEqual({ label: "peerTesting", tone: "busy" });
    expect([works(ok(PEER)), works(ok(FAILED)), works(err("gone"))]).toEqual([true, false, false]);
    const kinds = ["no-answer", "no-address", "empty-list", "unusable"] as const;
    expect(new Set(kinds.map((kind) => failureWords({ ...FAILED, kind }))).size).toBe(4);
  });
});
