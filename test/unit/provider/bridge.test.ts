import { describe, expect, test } from "vitest";
import { FakeMessagePort, FakePort } from "../../../packages/reliable-channel/mock/fake-ports.ts";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import type { BridgeRuntime } from "../../../src/provider/bridge.ts";
import { bridge } from "../../../src/provider/bridge.ts";
import type { PageFrame, ResetFrame } from "../../../src/provider/frames.ts";
import { BRIDGE_PORT } from "../../../src/provider/frames.ts";

function started(change: Partial<BridgeRuntime> = {}) {
  const clock = new VirtualClock();
  const [page, end] = FakeMessagePort.pair<unknown, PageFrame | ResetFrame>();
  const told: unknown[] = [];
  page.onmessage = ({ data }) => told.push(data);
  const servers: FakePort[] = [];
  const runtime: BridgeRuntime = {
    id: "extension",
    connect: ({ name }) => {
      const { client, server } = FakePort.pair(name, undefined);
      servers.push(server);
      return client;
    },
    ...change,
  };
  const { invalidated } = bridge(end, () => runtime);
  const say = async (frame: unknown): Promise<void> => {
    page.postMessage(frame);
    await clock.settle();
  };
  return { clock, told, servers, invalidated, say };
}

const FRAME = { type: "received", push: 1 };

describe("the bridge", () => {
  test("opens one port, with the first frame, and carries both ways", async () => {
    const { servers, say, told, clock } = started();
    expect(servers).toHaveLength(0);
    const arrived: unknown[] = [];
    await say(FRAME);
    servers[0]?.onMessage.addListener((frame) => arrived.push(frame));
    await say({ ...FRAME, push: 2 });
    servers[0]?.postMessage({ type: "accepted", callId: "1" });
    await clock.settle();
    expect(servers.map(({ name }) => name)).toEqual([BRIDGE_PORT]);
    expect(arrived).toEqual([{ ...FRAME, push: 2 }]);
    expect(told).toEqual([{ type: "accepted", callId: "1" }]);
  });

  test("says when the port died, and opens the next one with the next frame", async () => {
    const { servers, say, told, clock } = started();
    await say(FRAME);
    servers[0]?.disconnect();
    await clock.settle();
    expect(told).toEqual([{ type: "link", state: "down" }]);
    await say(FRAME);
    expect(servers).toHaveLength(2);
  });

  test("after a reset nothing of the old port gets through", async () => {
    const { servers, say, told, clock } = started();
    await say(FRAME);
    servers[0]?.postMessage({ type: "accepted", callId: "late" });
    await say({ type: "reset" });
    servers[0]?.disconnect();
    await say(FRAME);
    servers[1]?.postMessage({ type: "accepted", callId: "new" });
    await clock.settle();
    expect(told.filter((frame) => (frame as { callId?: string }).callId === "new")).toHaveLength(1);
    expect(told).not.toContainEqual({ type: "link", state: "down" });
    expect(servers[0]?.open).toBe(false);
  });

  test("a late frame of a port that was given up is dropped", async () => {
    const { servers, say, told, clock } = started();
    await say(FRAME);
    const [old] = servers;
    if (!old) throw new Error("no port");
    await say({ type: "reset" });
    old.peer?.onMessage.tell({ type: "accepted", callId: "late" });
    old.peer?.onDisconnect.tell();
    await clock.settle();
    expect(told).toEqual([]);
  });

  test("a runtime that refuses to connect is down while the extension is there", async () => {
    const { say, told } = started({
      connect: () => {
        throw new Error("Could not establish connection.");
      },
    });
    await say(FRAME);
    expect(told).toEqual([{ type: "link", state: "down" }]);
  });

  test("an extension that is gone is gone, whatever comes after", async () => {
    const { say, told, servers } = started({ id: undefined });
    await say(FRAME);
    await say(FRAME);
    expect(told).toEqual([
      { type: "link", state: "gone" },
      { type: "link", state: "gone" },
    ]);
    expect(servers).toHaveLength(0);
  });

  test("invalidation closes the port and is told once", async () => {
    const { say, told, servers, invalidated, clock } = started();
    await say(FRAME);
    invalidated();
    invalidated();
    await clock.settle();
    expect(told).toEqual([{ type: "link", state: "gone" }]);
    expect(servers[0]?.open).toBe(false);
  });
});
